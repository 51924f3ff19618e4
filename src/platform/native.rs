//! What the desktop does where a page asks the browser.

use std::future::{Future, ready};

use egui::DroppedFileHandle;

use crate::data::Photo;

/// A file with its contents, or why it could not be read.
pub type File = (String, Result<Vec<u8>, String>);

/// Whether there is a page, beside which files may lie; otherwise there are folders.
pub const PAGE: bool = false;

/// Runs a long task beside the interface. It is made where it runs, so it need not be able to move between threads.
pub fn work<F: Future<Output = ()>>(make: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(move || super::block_on(make()));
}

/// The part of the page's address from `#` on; the desktop has no address.
pub fn hash() -> Option<String> {
    None
}

/// Makes `link` the part of the page's address from `#` on, without a step back in the browser's history.
pub fn write_hash(_link: &str) {}

/// What to hand on so that somebody else sees `link`.
pub fn shareable(link: &str) -> String {
    format!("vitrine open '{link}'")
}

/// Bytes of a file beside the page that the browser keeps: a desktop has folders for that.
pub fn kept(_address: &str) -> u64 {
    0
}

/// Makes the browser let go of them.
pub fn forget(_address: &str) {}

/// Whether the system asks for less motion.
pub fn reduced_motion() -> bool {
    false
}

/// What of `assets` the program has in it: recorded traces, formulas and small models, as `build.rs` lists them.
pub fn embedded(file: &str) -> Option<&'static [u8]> {
    const ASSETS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
    Some(ASSETS.iter().find(|(name, _)| *name == file)?.1)
}

/// Tells the page of an event.
pub fn announce(_event: &str, _detail: &str) {}

/// Asks where to save `bytes`; whether they were saved.
pub fn save_file(name: &str, bytes: Vec<u8>) -> impl Future<Output = Result<bool, String>> + Send + 'static {
    let dialog = rfd::AsyncFileDialog::new().set_file_name(name).save_file();
    async move {
        let Some(file) = dialog.await else { return Ok(false) };
        file.write(&bytes).await.map_err(|error| format!("{}: {error}", file.file_name()))?;
        Ok(true)
    }
}

/// Asks for files and reads them.
pub fn pick_files() -> impl Future<Output = Vec<File>> + Send + 'static {
    let dialog = rfd::AsyncFileDialog::new().pick_files();
    async move {
        let read = |file: rfd::FileHandle| {
            let bytes = std::fs::read(file.path()).map_err(|error| error.to_string());
            (file.file_name(), bytes)
        };
        dialog.await.unwrap_or_default().into_iter().map(read).collect()
    }
}

/// Reads a file that was dropped onto the window.
pub fn read_dropped(file: &DroppedFileHandle) -> impl Future<Output = File> + Send + use<> {
    ready((name(file), file.bytes()))
}

/// Reads a photograph: JPEG, PNG or WebP, turned as the camera was held.
#[expect(clippy::needless_pass_by_value, reason = "a page takes them along while it waits")]
pub fn decode_photo(bytes: Vec<u8>) -> impl Future<Output = Result<Photo, String>> + Send + 'static {
    ready(decode(&bytes).map_err(|it| it.to_string()))
}

fn decode(bytes: &[u8]) -> image::ImageResult<Photo> {
    use image::ImageDecoder as _;
    let mut decoder =
        image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = image::DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let rgb = image.into_rgb8();
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    let empty = image::error::ParameterError::from_kind(image::error::ParameterErrorKind::DimensionMismatch);
    Photo::new(width, height, rgb.into_raw()).ok_or(image::ImageError::Parameter(empty))
}

fn name(file: &DroppedFileHandle) -> String {
    file.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}
