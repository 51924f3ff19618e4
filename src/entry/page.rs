//! The page: starts the app in its canvas and answers its scripts.

use std::cell::RefCell;
use std::future::ready;
use std::sync::Arc;

use eframe::{Renderer, WebOptions, WebRunner};
use egui_wgpu::{WgpuConfiguration, WgpuSetupExisting};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlCanvasElement;

use crate::app::{App, Compute, Open, Opening, Setup, Wishes};
use crate::bench::time;
use crate::engine::gpu::{Gpu, device_descriptor};
use crate::engine::{Device, EngineError, cpu::Cpu};
use crate::exhibits;
use crate::link::Theme;
use crate::models::Zoo;
use crate::platform::{self, announce, hash, query, spawn};
use crate::ui::install_heatmaps;

thread_local! {
    /// The running app, for the scripts of the page: they call in from outside, so nobody can hand it to them.
    static RUNNER: RefCell<Option<WebRunner>> = const { RefCell::new(None) };
}

/// Starts the app in the canvas `vitrine`. What goes wrong is told to the page, which has a card for it.
pub fn start() {
    spawn(start_web());
}

async fn start_web() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        announce("vitrine-crash", &info.to_string());
    }));
    if let Err(error) = run().await {
        let words = error.as_string().unwrap_or_else(|| format!("{error:?}"));
        announce("vitrine-crash", &words);
    }
}

async fn run() -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|it| it.document()).ok_or("there is no document")?;
    let canvas = document.get_element_by_id("vitrine").ok_or("the page has no canvas")?;
    let graphics = graphics().await;
    let mut options = WebOptions { renderer: Renderer::Glow, ..WebOptions::default() };
    if let Ok(it) = &graphics {
        options.renderer = Renderer::Wgpu;
        options.wgpu_options =
            WgpuConfiguration { wgpu_setup: it.clone().into(), ..WgpuConfiguration::default() };
    }
    let canvas: HtmlCanvasElement = canvas.unchecked_into();
    if graphics.is_err() {
        draw_once(&canvas)?;
    }
    let runner = WebRunner::new();
    RUNNER.set(Some(runner.clone()));
    let create: eframe::AppCreator<'static> = Box::new(|context| {
        if let Some(state) = &context.wgpu_render_state {
            let drawn = install_heatmaps(state);
            spawn(async move {
                if let Err(reason) = drawn.await {
                    let _ = with_app(|app| app.renounce_gpu(&reason));
                }
            });
        }
        Ok(Box::new(App::new(&context.egui_ctx, setup(graphics))))
    });
    runner.start(canvas, options, create).await
}

/// Makes the context that the painter then finds: one that draws every pixel once and knows no depth. The painter's edges are smooth
/// already; the several samples that a context has by itself are much work where a processor draws.
fn draw_once(canvas: &HtmlCanvasElement) -> Result<(), JsValue> {
    let wishes = js_sys::Object::new();
    for wish in ["antialias", "depth"] {
        js_sys::Reflect::set(&wishes, &wish.into(), &false.into())?;
    }
    canvas.get_context_with_context_options("webgl2", &wishes).map(|_| ())
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.tick(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        self.background().to_normalized_gamma_f32()
    }
}

/// A GPU to draw and compute with, or why there is none.
async fn graphics() -> Result<WgpuSetupExisting, String> {
    if !wgpu::util::is_browser_webgpu_supported().await {
        return Err("this browser offers no WebGPU".to_owned());
    }
    let descriptor = wgpu::InstanceDescriptor {
        backends: wgpu::Backends::BROWSER_WEBGPU,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let wish = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    let adapter = instance.request_adapter(&wish).await.map_err(|error| error.to_string())?;
    let device = adapter.request_device(&device_descriptor(&adapter)).await;
    let (device, queue) = device.map_err(|error| error.to_string())?;
    // In a browser every callback is called, so this one takes nothing from who computes on the device.
    device.set_device_lost_callback(|reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            announce("vitrine-lost", &message);
        }
    });
    Ok(WgpuSetupExisting { instance, adapter, device, queue })
}

fn setup(graphics: Result<WgpuSetupExisting, String>) -> Setup {
    // A processor that pretends to be a GPU computes slower than it does as a processor.
    let real = graphics.as_ref().is_ok_and(|it| it.adapter.get_info().device_type != wgpu::DeviceType::Cpu);
    let compute = match query("compute").as_deref() {
        Some("gpu" | "webgpu") => Compute::Gpu,
        Some("cpu") => Compute::Cpu,
        _ if real => Compute::Gpu,
        _ => Compute::Cpu,
    };
    let theme = match query("theme").as_deref() {
        Some("dark") => Theme::Dark,
        Some("light") => Theme::Light,
        _ => Theme::System,
    };
    let mut zoo = Zoo::default();
    let model = query("model").and_then(|it| zoo.add_url(&absolute(&it)?).ok());
    Setup {
        link: hash(),
        compute,
        renderer: if graphics.is_ok() { "webgpu" } else { "webgl2" },
        gpu: graphics.map(opener),
        wishes: Wishes { theme, model },
        zoo,
        entries: exhibits::all(),
    }
}

/// An address that may be relative to the page.
fn absolute(address: &str) -> Option<String> {
    let page = web_sys::window()?.location().href().ok()?;
    Some(web_sys::Url::new_with_base(address, &page).ok()?.href())
}

fn opener(graphics: WgpuSetupExisting) -> Open {
    let WgpuSetupExisting { adapter, device, queue, .. } = graphics;
    Arc::new(move || {
        let gpu = Gpu::shared(&adapter, device.clone(), queue.clone());
        Box::pin(ready(Ok(Device::Gpu(gpu)))) as Opening
    })
}

fn with_app<T>(f: impl FnOnce(&mut App) -> T) -> Result<T, JsValue> {
    let runner = RUNNER.with_borrow(Clone::clone).ok_or("the app has not started")?;
    let mut app = runner.app_mut::<App>().ok_or("the app has stopped")?;
    Ok(f(&mut app))
}

/// The app in a few words and numbers, as JSON.
#[wasm_bindgen]
pub fn state() -> Result<String, JsValue> {
    let report = with_app(|app| app.report())?;
    serde_json::to_string(&report).map_err(|error| error.to_string().into())
}

/// A tensor of what the first tile shows: `{shape, data}`.
#[wasm_bindgen]
pub async fn read(name: String) -> Result<JsValue, JsValue> {
    let trace = with_app(|app| app.trace())?.ok_or("nothing is shown yet")?;
    let kept = trace.get(&name).ok_or_else(|| format!("the trace keeps no {name}"))?;
    let tensor = kept.read().await.map_err(|error| error.to_string())?;
    let shape: js_sys::Array = tensor.shape.iter().map(|it| JsValue::from(*it as u32)).collect();
    let result = js_sys::Object::new();
    js_sys::Reflect::set(&result, &"shape".into(), &shape)?;
    js_sys::Reflect::set(&result, &"data".into(), &js_sys::Float32Array::from(&tensor.data[..]))?;
    Ok(result.into())
}

/// Told by the page when the module of products is there.
#[wasm_bindgen]
pub fn fuse() {
    platform::fuse();
}

/// Times a sentence of so many tokens on a device of its own, as JSON, see `vitrine::bench`.
#[wasm_bindgen]
pub async fn bench(tokens: usize) -> Result<String, JsValue> {
    let (bert, open) = with_app(|app| (app.model(), app.opener()))?;
    let bert = bert.ok_or("the model is not loaded yet")?;
    let words = |error: EngineError| error.to_string();
    let mut device = match open {
        Some(open) => open().await.map_err(words)?,
        None => Device::Cpu(Cpu::new()),
    };
    Ok(time(&bert, &mut device, tokens, 30).await.map_err(words)?.to_json().to_string())
}
