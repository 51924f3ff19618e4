//! Maps in a GPU buffer: the fragment shader reads the buffer that the kernel wrote.

use std::sync::{Arc, OnceLock};

use egui::PaintCallbackInfo;
use egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use wgpu::util::DeviceExt;

use super::{Cell, Maps, Scale, Style};
use crate::engine::gpu::DeviceTensor;
use crate::trace::{OnDevice, Storage};
use crate::ui::scale::{grey, table};

/// Compiles the heat map's shader for the window, once, before the first frame. An error is the driver's words: then
/// nothing that lies on the GPU can be drawn, and the models should run on the processor.
pub fn install_heatmaps(state: &RenderState) -> impl Future<Output = Result<(), String>> + use<> {
    let scope = state.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let pipeline = Pipeline::new(&state.device, &state.queue, state.target_format);
    state.renderer.write().callback_resources.insert(pipeline);
    let error = scope.pop();
    async move { error.await.map_or(Ok(()), |error| Err(error.to_string())) }
}

/// Hands the maps to the painter: the rest happens while the frame is rendered.
pub(super) fn paint(
    maps: &Maps<'_>,
    values: &Arc<dyn OnDevice>,
    ui: &egui::Ui,
    style: &Style,
    cells: Vec<Cell>,
) {
    let Some(values) = DeviceTensor::of(values) else { return };
    let peaks = maps.peak.and_then(|peak| match &peak.tensor.storage {
        Storage::Device(tensor) => DeviceTensor::of(tensor).map(Peaks::Device),
        Storage::Host(values) => Some(Peaks::Host(values.clone())),
    });
    let uniforms = Uniforms {
        screen: [0.0; 2],
        size: [maps.cols as u32, maps.rows as u32],
        ends: [maps.range.min, maps.range.max],
        log: maps.range.log.into(),
        divided: maps.peak.map_or(0, |peak| 1 + u32::from(peak.per_row)),
        table: SCALES.iter().position(|&it| it == (maps.scale, style.dark)).unwrap_or(0) as u32,
        signed: (maps.scale == Scale::Diverging).into(),
        linear: 0,
        opacity: ui.painter().opacity(),
        grey: grey(style.dark).to_normalized_gamma_f32(),
    };
    let drawing = Drawing { values, peaks, uniforms, cells, bound: OnceLock::new() };
    // The whole window is the viewport, so that pixels are counted from its corner; the clip rectangle still holds.
    ui.painter().add(Callback::new_paint_callback(ui.ctx().viewport_rect(), drawing));
}

/// Rows of the table texture.
const SCALES: [(Scale, bool); 6] = [
    (Scale::Sequential, false),
    (Scale::Sequential, true),
    (Scale::Diverging, false),
    (Scale::Diverging, true),
    (Scale::Saliency, false),
    (Scale::Saliency, true),
];

/// Where the cells begin in the buffer that also holds the uniforms.
const CELLS_AT: usize = 256;

/// As in the shader.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Uniforms {
    screen: [f32; 2],
    size: [u32; 2],
    ends: [f32; 2],
    log: u32,
    divided: u32,
    table: u32,
    signed: u32,
    linear: u32,
    opacity: f32,
    grey: [f32; 4],
}

/// Where the peaks are.
enum Peaks {
    Device(Arc<DeviceTensor>),
    Host(Arc<[f32]>),
}

/// Some maps of one tensor in one frame. It holds the tensors, so that their buffers are not used for something else
/// before they are drawn.
struct Drawing {
    values: Arc<DeviceTensor>,
    peaks: Option<Peaks>,
    uniforms: Uniforms,
    cells: Vec<Cell>,
    bound: OnceLock<(wgpu::BindGroup, wgpu::Buffer)>,
}

impl CallbackTrait for Drawing {
    fn prepare(
        &self,
        device: &wgpu::Device,
        _: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(pipeline) = resources.get::<Pipeline>() {
            self.bound.get_or_init(|| self.bind(device, screen, pipeline));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let (Some(pipeline), Some((group, frame))) = (resources.get::<Pipeline>(), self.bound.get()) else {
            return;
        };
        pass.set_pipeline(&pipeline.render);
        pass.set_bind_group(0, group, &[]);
        pass.set_vertex_buffer(0, frame.slice(CELLS_AT as u64..));
        pass.draw(0..4, 0..self.cells.len() as u32);
    }
}

impl Drawing {
    /// The frame's uniforms and cells in one buffer, bound with the tensor.
    fn bind(
        &self,
        device: &wgpu::Device,
        screen: &ScreenDescriptor,
        it: &Pipeline,
    ) -> (wgpu::BindGroup, wgpu::Buffer) {
        let screen = screen.size_in_pixels.map(|side| side as f32);
        let uniforms = Uniforms { screen, linear: it.linear.into(), ..self.uniforms };
        let mut contents = bytemuck::bytes_of(&uniforms).to_vec();
        contents.resize(CELLS_AT, 0);
        contents.extend_from_slice(bytemuck::cast_slice(&self.cells));
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::VERTEX;
        let frame = upload(device, &contents, usage);
        let peaks = match &self.peaks {
            None => self.values.buffer().clone(),
            Some(Peaks::Device(tensor)) => tensor.buffer().clone(),
            Some(Peaks::Host(values)) => {
                upload(device, bytemuck::cast_slice(values), wgpu::BufferUsages::STORAGE)
            }
        };
        let uniform = wgpu::BufferBinding {
            buffer: &frame,
            offset: 0,
            size: wgpu::BufferSize::new(size_of::<Uniforms>() as u64),
        };
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("heat map"),
            layout: &it.render.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::Buffer(uniform)),
                entry(1, self.values.buffer().as_entire_binding()),
                entry(2, peaks.as_entire_binding()),
                entry(3, wgpu::BindingResource::TextureView(&it.table)),
            ],
        });
        (group, frame)
    }
}

fn upload(device: &wgpu::Device, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("heat map"), contents, usage })
}

/// What all heat maps of a window share.
struct Pipeline {
    render: wgpu::RenderPipeline,
    table: wgpu::TextureView,
    /// Whether the target encodes sRGB itself.
    linear: bool,
}

impl Pipeline {
    fn new(device: &wgpu::Device, queue: &wgpu::Queue, target: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("heatmap.wgsl"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../heatmap.wgsl").into()),
        });
        let cells = wgpu::VertexBufferLayout {
            array_stride: size_of::<Cell>() as u64,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &wgpu::vertex_attr_array![0 => Sint32x4, 1 => Uint32],
        };
        let render = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("heat map"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vertex"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[Some(cells)],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..wgpu::PrimitiveState::default()
            },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fragment"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format: target,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        });
        Self { render, table: tables(device, queue), linear: target.is_srgb() }
    }
}

/// All scales as one small texture, a row each.
fn tables(device: &wgpu::Device, queue: &wgpu::Queue) -> wgpu::TextureView {
    let pixels: Vec<egui::Color32> = SCALES.iter().flat_map(|&(scale, dark)| *table(scale, dark)).collect();
    let descriptor = wgpu::TextureDescriptor {
        label: Some("scales"),
        size: wgpu::Extent3d { width: 256, height: SCALES.len() as u32, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    let order = wgpu::util::TextureDataOrder::default();
    let texture = device.create_texture_with_data(queue, &descriptor, order, bytemuck::cast_slice(&pixels));
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
