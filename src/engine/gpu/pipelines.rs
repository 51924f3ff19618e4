//! Kernels as the driver compiled them, each once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::context::{Checks, Context};

/// A kernel's source: a file of `kernels/`, valid WGSL as it lies there, or what was made of one for a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) text: Cow<'static, str>,
}

macro_rules! source {
    ($name:literal) => {
        Source { name: $name, text: Cow::Borrowed(include_str!(concat!("../kernels/", $name, ".wgsl"))) }
    };
}

pub(super) const ATTENTION: Source = source!("attention");
pub(super) const CONV: Source = source!("conv");
pub(super) const DEPTHWISE: Source = source!("depthwise");
pub(super) const FOLD: Source = source!("fold");
pub(super) const GATHER: Source = source!("gather");
pub(super) const LAYER_NORM: Source = source!("layer_norm");
pub(super) const LAYER_NORM_GRAD: Source = source!("layer_norm_grad");
pub(super) const MATMUL: Source = source!("matmul");
pub(super) const MATMUL_SHARED: Source = source!("matmul_shared");
pub(super) const PATTERN: Source = source!("pattern");
pub(super) const REDUCE: Source = source!("reduce");
pub(super) const SCATTER_ADD: Source = source!("scatter_add");
pub(super) const SOFTMAX: Source = source!("softmax");
pub(super) const SOFTMAX_GRAD: Source = source!("softmax_grad");

/// A source with its `override` constants set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Variant {
    pub(super) source: Source,
    pub(super) constants: Vec<(&'static str, u32)>,
}

impl Variant {
    /// Its name in errors: "kernel reduce (OP 1)".
    fn label(&self) -> String {
        let constants: Vec<String> =
            self.constants.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("kernel {} ({})", self.source.name, constants.join(", "))
    }
}

/// All pipelines compiled so far.
#[derive(Default)]
pub(super) struct Pipelines {
    modules: BTreeMap<Source, wgpu::ShaderModule>,
    /// By number of inputs.
    layouts: BTreeMap<usize, wgpu::BindGroupLayout>,
    made: BTreeMap<Variant, wgpu::ComputePipeline>,
}

impl Pipelines {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    /// Forgets all: after a refusal some may be unusable.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The pipeline of `variant`, which reads `inputs` buffers.
    pub(super) fn get(
        &mut self,
        context: &Context,
        variant: &Variant,
        inputs: usize,
        checks: &mut Checks,
    ) -> wgpu::ComputePipeline {
        if let Some(known) = self.made.get(variant) {
            return known.clone();
        }
        let (device, label) = (&context.device, variant.label());
        let Source { name, text } = &variant.source;
        let module = self.modules.entry(variant.source.clone()).or_insert_with(|| {
            let source = wgpu::ShaderSource::Wgsl(text.clone());
            let descriptor = wgpu::ShaderModuleDescriptor { label: Some(name), source };
            checks.watch(device, &label, || device.create_shader_module(descriptor))
        });
        let groups = self.layouts.entry(inputs).or_insert_with(|| layout(device, inputs));
        let constants: Vec<(&str, f64)> =
            variant.constants.iter().map(|(name, it)| (*name, f64::from(*it))).collect();
        let compilation_options =
            wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() };
        let pipeline = checks.watch(device, &label, || {
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: &[Some(groups)],
                ..Default::default()
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&layout),
                module,
                entry_point: Some("main"),
                compilation_options,
                cache: None,
            })
        });
        self.made.insert(variant.clone(), pipeline.clone());
        pipeline
    }
}

/// Every kernel binds its parameters, what it reads, and what it writes, in this order.
fn layout(device: &wgpu::Device, inputs: usize) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..inputs + 2)
        .map(|binding| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding {
                    0 => wgpu::BufferBindingType::Uniform,
                    _ => wgpu::BufferBindingType::Storage { read_only: binding <= inputs },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}
