//! What a page asks the browser for.

use std::future::{Future, ready};

use egui::DroppedFileHandle;
use vitrine_loops::panels::{self, Then};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{BlobPropertyBag, CustomEvent, CustomEventInit, HtmlAnchorElement, UrlSearchParams, Window};

use crate::data::Photo;

/// A file with its contents, or why it could not be read.
pub type File = (String, Result<Vec<u8>, String>);

/// Whether there is a page, beside which files may lie; otherwise there are folders.
pub const PAGE: bool = true;

/// Runs a long task beside the interface.
pub fn work<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F + Send + 'static) {
    super::spawn(make());
}

/// The part of the page's address from `#` on.
pub fn hash() -> Option<String> {
    web_sys::window()?.location().hash().ok()
}

/// Makes `link` the part of the page's address from `#` on, without a step back in the browser's history.
pub fn write_hash(link: &str) {
    let write =
        || web_sys::window()?.history().ok()?.replace_state_with_url(&JsValue::NULL, "", Some(link)).ok();
    if write().is_none() {
        log::warn!("the page's address could not be changed");
    }
}

/// A parameter of the page's address: `compute` of `?compute=cpu`.
pub fn query(name: &str) -> Option<String> {
    let search = web_sys::window()?.location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// What to hand on so that somebody else sees `link`.
pub fn shareable(link: &str) -> String {
    let address = web_sys::window().and_then(|it| it.location().href().ok()).unwrap_or_default();
    let page = address.split('#').next().unwrap_or_default();
    format!("{page}{link}")
}

/// Whether the system asks for less motion.
pub fn reduced_motion() -> bool {
    let asks = |it: Window| Some(it.match_media("(prefers-reduced-motion: reduce)").ok()??.matches());
    web_sys::window().and_then(asks).unwrap_or(false)
}

/// What of `assets` the page has in its program: the recorded trace of the first picture, which waits for nothing.
pub fn embedded(file: &str) -> Option<&'static [u8]> {
    let first = file == "traces/attention.safetensors";
    first.then_some(include_bytes!("../../assets/traces/attention.safetensors"))
}

#[wasm_bindgen]
extern "C" {
    // web/weights.js
    #[wasm_bindgen(catch, js_name = keptBytes)]
    fn kept_bytes(address: &str) -> Result<f64, JsValue>;
    #[wasm_bindgen(catch, js_name = forgetWeights)]
    fn forget_weights(address: &str) -> Result<js_sys::Promise, JsValue>;
    // web/loader.js, once `fuse` is called
    #[wasm_bindgen(js_namespace = ["window", "product"], js_name = multiply)]
    fn multiply(
        out: *mut f32,
        out_row: usize,
        a: *const f32,
        a_row: usize,
        b: *const f32,
        bias: *const f32,
        m: usize,
        k: usize,
        columns: usize,
        alpha: f32,
    );
}

/// Has the module of products, which the page loaded, multiply from now on.
pub fn fuse() {
    panels::fuse(|out, a, panels, [k, n], columns, Then { alpha, bias, .. }| {
        let m = out.len() / n;
        let bias = bias.map_or(std::ptr::null(), |it| it[columns.clone()].as_ptr());
        let whole = columns.len() / 8 * 8;
        assert!(
            a.data.len() >= (m - 1) * a.strides[0] + k && panels.len() >= whole * k && columns.end <= n,
            "the module looks at no lengths"
        );
        let out = out[columns.start..].as_mut_ptr();
        multiply(out, n, a.data.as_ptr(), a.strides[0], panels.as_ptr(), bias, m, k, whole, alpha);
    });
}

/// Bytes of the file at an address beside the page that the browser keeps.
pub fn kept(address: &str) -> u64 {
    kept_bytes(address).map_or(0, |it| it as u64)
}

/// Makes the browser let go of them.
pub fn forget(address: &str) {
    if let Err(fault) = forget_weights(address) {
        log::warn!("{address} stays in the browser: {fault:?}");
    }
}

/// Tells the page of an event.
pub fn announce(event: &str, detail: &str) {
    let options = CustomEventInit::new();
    options.set_detail(&JsValue::from_str(detail));
    let send = || {
        let event = CustomEvent::new_with_event_init_dict(event, &options).ok()?;
        web_sys::window()?.dispatch_event(&event).ok()
    };
    if send().is_none() {
        log::warn!("the page was not told of {event}");
    }
}

/// Downloads `bytes`.
#[expect(clippy::needless_pass_by_value, reason = "the desktop takes them to another thread")]
pub fn save_file(name: &str, bytes: Vec<u8>) -> impl Future<Output = Result<bool, String>> + 'static {
    let words = |error: JsValue| format!("the browser did not save {name}: {error:?}");
    ready(download(name, &bytes).map(|()| true).map_err(words))
}

fn download(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|it| it.document()).ok_or("there is no document")?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &BlobPropertyBag::new())?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let anchor = document.create_element("a")?.unchecked_into::<HtmlAnchorElement>();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    web_sys::Url::revoke_object_url(&url)
}

/// Asks for files and reads them.
pub fn pick_files() -> impl Future<Output = Vec<File>> + 'static {
    let dialog = rfd::AsyncFileDialog::new().pick_files();
    async move {
        let mut files = vec![];
        for file in dialog.await.unwrap_or_default() {
            files.push((file.file_name(), Ok(file.read().await)));
        }
        files
    }
}

/// Reads a file that was dropped onto the page.
pub fn read_dropped(file: &DroppedFileHandle) -> impl Future<Output = File> + use<> {
    let file = DroppedFileHandle::clone(file);
    async move {
        let name = file.path().to_string_lossy().into_owned();
        (name, file.bytes_async().await)
    }
}

/// Longer sides of a photograph are shrunk to this while it is decoded: no model looks at more.
const LONGEST: f64 = 1024.0;

/// Reads a photograph in whatever form the browser can, turned as the camera was held.
pub async fn decode_photo(bytes: Vec<u8>) -> Result<Photo, String> {
    let pixels = pixels(&bytes).await.map_err(|_| "the browser cannot read this picture".to_owned())?;
    pixels.ok_or_else(|| "the picture is empty".to_owned())
}

async fn pixels(bytes: &[u8]) -> Result<Option<Photo>, JsValue> {
    let window = web_sys::window().ok_or("there is no window")?;
    let document = window.document().ok_or("there is no document")?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &BlobPropertyBag::new())?;
    let bitmap = JsFuture::from(window.create_image_bitmap_with_blob(&blob)?).await?;
    let bitmap = bitmap.unchecked_into::<web_sys::ImageBitmap>();
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    let shrink = (LONGEST / width.max(height)).min(1.0);
    let (width, height) = ((width * shrink).round().max(1.0), (height * shrink).round().max(1.0));
    let canvas = document.create_element("canvas")?.unchecked_into::<web_sys::HtmlCanvasElement>();
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context = canvas.get_context("2d")?.ok_or("there is no canvas")?;
    let context = context.unchecked_into::<web_sys::CanvasRenderingContext2d>();
    context.draw_image_with_image_bitmap_and_dw_and_dh(&bitmap, 0.0, 0.0, width, height)?;
    let rgba = context.get_image_data(0.0, 0.0, width, height)?.data();
    let rgb = rgba.chunks(4).flat_map(|it| it[..3].to_vec()).collect();
    Ok(Photo::new(width as usize, height as usize, rgb))
}

/// Calls `f` when the browser has drawn and handled what waited. A message comes at once, where a timeout that follows
/// another waits for 4 ms.
pub(super) fn after_other_events(f: &js_sys::Function) {
    let channel = web_sys::MessageChannel::new().expect("every browser has channels");
    channel.port1().set_onmessage(Some(f));
    channel.port2().post_message(&JsValue::NULL).expect("null can be sent");
}
