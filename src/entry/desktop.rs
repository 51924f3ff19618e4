//! The desktop: a window, and pictures without one.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state};
use egui_wgpu::{RenderState, RendererOptions, WgpuSetup, WgpuSetupCreateNew, WgpuSetupExisting};

use crate::app::{App, Compute, Open, Opening, Setup, Wishes};
use crate::engine::Device;
use crate::engine::gpu::{Gpu, device_descriptor, instance};
use crate::exhibits;
use crate::models::Zoo;
use crate::platform::block_on;
use crate::ui::install_heatmaps;

/// A picture that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Opens the window, in the state that `link` stands for. Returns when it is closed, or why it cannot be opened.
pub fn run_native(link: Option<String>) -> Result<(), String> {
    let mut create = WgpuSetupCreateNew::without_display_handle();
    create.device_descriptor = Arc::new(device_descriptor);
    let mut options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Vitrine")
            .with_app_id("vitrine")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([390.0, 480.0]),
        renderer: eframe::Renderer::Wgpu,
        ..Default::default()
    };
    options.wgpu_options.wgpu_setup = create.into();
    let create: eframe::AppCreator<'_> = Box::new(|context| {
        let state = context.wgpu_render_state.as_ref().ok_or("the window is not drawn by a GPU")?;
        Ok(Box::new(App::new(&context.egui_ctx, setup(state, link))))
    });
    eframe::run_native("Vitrine", options, create)
        .map_err(|error| format!("the window cannot be opened: {error}"))
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.tick(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        self.background().to_normalized_gamma_f32()
    }
}

/// Draws the state that `link` stands for without a window, once everything has been computed; as a PNG.
pub fn shot(link: &str, width: u32, height: u32) -> Result<Vec<u8>, String> {
    let image = settled(link, width, height)?.render()?;
    encode(image.as_raw(), image.width(), image.height()).map_err(|error| error.to_string())
}

/// Milliseconds that the processor spends on each of `count` frames of that state: layout, painting, tessellation. What
/// the GPU then does is not in it.
pub fn frame_times(link: &str, width: u32, height: u32, count: usize) -> Result<Vec<f64>, String> {
    let mut harness = settled(link, width, height)?;
    let mut frame = || {
        let start = Instant::now();
        harness.step();
        let shapes = harness.output().shapes.clone();
        let meshes = harness.ctx.tessellate(shapes, harness.ctx.pixels_per_point());
        let milliseconds = 1000.0 * start.elapsed().as_secs_f64();
        drop(meshes);
        milliseconds
    };
    Ok((0..count).map(|_| frame()).collect())
}

/// The app without a window, in the state that `link` stands for, once everything has been computed.
fn settled(link: &str, width: u32, height: u32) -> Result<Harness<'static, Option<App>>, String> {
    let state = create_render_state(block_on(graphics())?, RendererOptions::PREDICTABLE);
    let mut setup = Some(setup(&state, Some(link.to_owned())));
    let mut harness = Harness::builder()
        .with_size([width as f32, height as f32])
        .with_render_cursor(false)
        .with_accessibility_check(false)
        .allow_missing_glyphs()
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(
            move |ui, app: &mut Option<App>| {
                let mut setup = || setup.take().unwrap_or_else(|| unreachable!("the app is made once"));
                let app = app.get_or_insert_with(|| App::new(ui, setup()));
                app.tick(ui);
                // The harness leaves a margin; a window has none.
                let whole = egui::UiBuilder::new().max_rect(ui.content_rect());
                app.show(&mut ui.new_child(whole));
            },
            None,
        );
    let start = Instant::now();
    let mut calm = 0;
    // Some frames more: numbers are read back from the GPU, and things ease into place.
    while calm < 12 && start.elapsed() < PATIENCE {
        harness.step();
        let idle = harness.state().as_ref().is_some_and(App::idle);
        calm = if idle { calm + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(harness)
}

/// What the app is started with, drawn by `state`.
fn setup(state: &RenderState, link: Option<String>) -> Setup {
    let RenderState { adapter, device, queue, .. } = state.clone();
    // A processor that pretends to be a GPU computes slower than it does as a processor.
    let real = adapter.get_info().device_type != wgpu::DeviceType::Cpu;
    let drawn = block_on(install_heatmaps(state));
    let open = move || {
        let gpu = Gpu::shared(&adapter, device.clone(), queue.clone());
        Box::pin(ready(Ok(Device::Gpu(gpu)))) as Opening
    };
    Setup {
        link,
        compute: if real { Compute::Gpu } else { Compute::Cpu },
        gpu: drawn.map(|()| Arc::new(open) as Open),
        renderer: "native",
        zoo: Zoo::default(),
        wishes: Wishes::default(),
        entries: exhibits::all(),
    }
}

async fn graphics() -> Result<WgpuSetup, String> {
    let instance = instance();
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await;
    let adapter = adapter.map_err(|error| format!("nothing can draw here: {error}"))?;
    let device = adapter.request_device(&device_descriptor(&adapter)).await;
    let (device, queue) = device.map_err(|error| format!("nothing can draw here: {error}"))?;
    Ok(WgpuSetupExisting { instance, adapter, device, queue }.into())
}

fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
