//! A plan made ready for the device: buffers, bind groups and parameters, made once and replayed for new inputs.

use std::ops::Range;
use std::sync::Arc;

use super::DeviceTensor;
use super::context::{Checks, Context, Lease};
use super::launch::{Launch, Part, describe};
use super::pipelines::Pipelines;
use super::tiles::Tiles;
use super::weights::{Form, Uploads, small};
use crate::engine::plan::{Fill, Plan, Slot, Step};
use crate::engine::{EngineError, Operand};
use crate::graph::Recording;
use crate::platform;
use crate::trace::Storage;

/// Bytes uploaded before the interface gets a chance to draw.
const BREATH: usize = 16 << 20;

/// A plan on the device.
pub(super) struct Program {
    slots: Vec<Arc<Lease>>,
    /// Which input of the recording goes to which slot.
    inputs: Vec<(usize, usize)>,
    /// Which state of the recording goes to which slot.
    states: Vec<(usize, usize)>,
    dispatches: Vec<Dispatch>,
    /// What comes back: name and contiguous operand.
    pub(super) keeps: Vec<(String, Operand)>,
}

/// One run of a kernel, with what it reads and writes.
pub(super) struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    grid: [u32; 3],
    cost: usize,
}

impl Dispatch {
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.dispatch_workgroups(x, y, z);
    }

    /// The same in the way of `launch`, which reads and writes the same and has the same parameters.
    pub(super) fn by(
        &self,
        context: &Context,
        pipelines: &mut Pipelines,
        launch: &Launch,
        checks: &mut Checks,
    ) -> Self {
        let pipeline = pipelines.get(context, &launch.variant, launch.inputs.len(), checks);
        Self { pipeline, bindings: self.bindings.clone(), grid: launch.grid, cost: self.cost }
    }
}

impl Program {
    /// Makes everything that running `recording` by `plan` takes.
    pub(super) async fn compile(
        context: &Arc<Context>,
        pipelines: &mut Pipelines,
        tiles: &mut Tiles,
        uploads: &mut Uploads,
        recording: &Recording,
        plan: Plan,
    ) -> Result<Self, EngineError> {
        let mut checks = Checks::default();
        let (mut inputs, mut states) = (vec![], vec![]);
        let mut slots: Vec<Arc<Lease>> = vec![];
        // What rows of weights are multiplied by has slots behind those of the plan.
        let mut scales: Vec<Arc<Lease>> = vec![];
        let mut forms = vec![Form::F32; plan.slots.len()];
        let small = small(&plan, recording);
        let mut uploaded = 0;
        uploads.tidy();
        for (i, slot) in plan.slots.iter().enumerate() {
            let lease = match &slot.fill {
                Fill::Weight { set, name } => {
                    let of = (&*recording.weights[*set], &**name);
                    let (mut leases, bytes) = uploads.get(context, of, small[i], &mut checks)?;
                    uploaded += bytes;
                    if leases.len() > 1 {
                        forms[i] = Form::Rows { scales: plan.slots.len() + scales.len() };
                        scales.extend(leases.drain(1..));
                    } else if small[i] {
                        forms[i] = Form::Halves;
                    }
                    leases.remove(0)
                }
                _ => Arc::new(lease(context, &plan, i, &mut checks)?),
            };
            match slot.fill {
                Fill::Input(input) => inputs.push((input, i)),
                Fill::State(state) => states.push((state, i)),
                Fill::Const(value) => {
                    context.queue.write_buffer(&lease.buffer, 0, bytemuck::bytes_of(&value));
                }
                Fill::Zeros => context.queue.write_buffer(&lease.buffer, 0, &vec![0; 4 * slot.len]),
                Fill::Scratch | Fill::Weight { .. } => {}
            }
            slots.push(lease);
            if uploaded > BREATH {
                uploaded = 0;
                platform::breathe().await;
            }
        }
        slots.extend(scales);
        tiles.weigh(&plan.steps, forms);
        let dispatches = dispatches(context, pipelines, tiles, &plan.steps, &slots, &mut checks);
        let passed = checks.pass(context).await;
        if passed.is_err() {
            pipelines.clear();
            uploads.clear();
        }
        passed?;
        let mut dispatches = dispatches?;
        tiles.learn(context, pipelines, &plan.steps, &mut dispatches).await?;
        Ok(Self { slots, inputs, states, dispatches, keeps: plan.keeps })
    }

    /// Number of kernel runs.
    pub(super) fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// Uploads the recording's inputs, and those of its states that are not on the device.
    pub(super) fn write(&self, queue: &wgpu::Queue, recording: &Recording) {
        for (state, slot) in &self.states {
            if let Storage::Host(data) = &recording.states[*state].storage {
                queue.write_buffer(&self.slots[*slot].buffer, 0, bytemuck::cast_slice(data));
            }
        }
        for (input, slot) in &self.inputs {
            let bytes = bytemuck::cast_slice(&recording.inputs[*input].data);
            queue.write_buffer(&self.slots[*slot].buffer, 0, bytes);
        }
    }

    /// The dispatches from `start` whose cost adds up to `budget`, at least one if there is one; and their cost.
    pub(super) fn slice(&self, start: usize, budget: usize) -> (Range<usize>, usize) {
        let mut end = start;
        let mut cost = 0;
        while end < self.len() && (end == start || self.dispatches[end].cost <= budget.saturating_sub(cost)) {
            cost = cost.saturating_add(self.dispatches[end].cost);
            end += 1;
        }
        (start..end, cost)
    }

    /// Encodes a slice of the dispatches as one pass.
    pub(super) fn encode(&self, encoder: &mut wgpu::CommandEncoder, slice: Range<usize>) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        self.dispatches[slice].iter().for_each(|it| it.encode(&mut pass));
    }

    /// Encodes the copies of the recording's states that are on the device.
    pub(super) fn encode_states(&self, encoder: &mut wgpu::CommandEncoder, recording: &Recording) {
        for (state, slot) in &self.states {
            if let Storage::Device(tensor) = &recording.states[*state].storage
                && let Some(tensor) = DeviceTensor::of(tensor)
                && !tensor.is_empty()
            {
                let to = &self.slots[*slot].buffer;
                encoder.copy_buffer_to_buffer(tensor.buffer(), 0, to, 0, 4 * tensor.len() as u64);
            }
        }
    }

    /// Encodes the copy of kept tensor `i` to `to`.
    pub(super) fn encode_keep(&self, encoder: &mut wgpu::CommandEncoder, i: usize, to: &Lease) {
        let Operand { slot, offset, shape, .. } = &self.keeps[i].1;
        let bytes = 4 * shape.iter().product::<usize>() as u64;
        if bytes > 0 {
            encoder.copy_buffer_to_buffer(
                &self.slots[*slot].buffer,
                4 * *offset as u64,
                &to.buffer,
                0,
                bytes,
            );
        }
    }
}

/// A buffer for slot `i`, which errors name by what it holds.
fn lease(context: &Arc<Context>, plan: &Plan, i: usize, checks: &mut Checks) -> Result<Lease, EngineError> {
    let Slot { len, fill } = &plan.slots[i];
    let what = match fill {
        Fill::Weight { name, .. } => format!("weight {name}"),
        Fill::Input(input) => format!("input {input}"),
        Fill::State(state) => format!("state {state}"),
        Fill::Const(value) => format!("constant {value}"),
        Fill::Scratch | Fill::Zeros => {
            let writers = plan.steps.iter().filter(|it| it.output.slot == i);
            let largest = writers.max_by_key(|it| it.output.shape.iter().product::<usize>());
            largest.map_or_else(|| "an empty tensor".to_owned(), describe)
        }
    };
    context.lease(&what, *len, checks)
}

fn dispatches(
    context: &Context,
    pipelines: &mut Pipelines,
    tiles: &Tiles,
    steps: &[Step],
    slots: &[Arc<Lease>],
    checks: &mut Checks,
) -> Result<Vec<Dispatch>, EngineError> {
    let launches: Vec<Launch> = steps.iter().map(|it| tiles.launch(it)).collect::<Result<_, _>>()?;
    let align = context.limits.min_uniform_buffer_offset_alignment as usize;
    let mut words: Vec<u32> = vec![];
    let mut places = vec![];
    for launch in &launches {
        // A uniform buffer is read in vec4s.
        let size = (4 * launch.params.len()).next_multiple_of(16);
        places.push((4 * words.len(), size));
        words.extend(&launch.params);
        words.resize((4 * words.len()).next_multiple_of(align) / 4, 0);
    }
    let params = checks.watch(&context.device, "the kernels' parameters", || {
        let size = 4 * words.len().max(4) as u64;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let label = Some("parameters");
        context.device.create_buffer(&wgpu::BufferDescriptor {
            label,
            size,
            usage,
            mapped_at_creation: false,
        })
    });
    context.queue.write_buffer(&params, 0, bytemuck::cast_slice(&words));
    let dispatches = launches.iter().zip(steps).zip(places).map(|((launch, step), (offset, size))| {
        let pipeline = pipelines.get(context, &launch.variant, launch.inputs.len(), checks);
        let own = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &params,
            offset: offset as u64,
            size: wgpu::BufferSize::new(size as u64),
        });
        let used = launch.inputs.iter().chain([&launch.output]).map(|Part { slot, offset }| {
            let (buffer, offset) = (&slots[*slot].buffer, 4 * *offset as u64);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: None })
        });
        let entries: Vec<_> = std::iter::once(own)
            .chain(used)
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let bindings = checks.watch(&context.device, &describe(step), || {
            let layout = &pipeline.get_bind_group_layout(0);
            context.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout,
                entries: &entries,
            })
        });
        Dispatch { pipeline, bindings, grid: launch.grid, cost: cost(step) }
    });
    Ok(dispatches.collect())
}

/// What a step costs in units of a product's operation: moving an element costs as much as some 64 of these.
fn cost(step: &Step) -> usize {
    step.flops().saturating_add(64 * step.output.shape.iter().product::<usize>())
}
