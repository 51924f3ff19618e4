//! Textures that live as long as they are drawn.

use egui::cache::FramePublisher;
use egui::{ColorImage, TextureHandle, TextureOptions};

/// The texture that was drawn under `key` in this frame or in the last, or else a new one. One that a frame does not
/// ask for is dropped. `None`: there is no image (yet).
pub(super) fn texture(
    ui: &egui::Ui,
    key: u64,
    options: TextureOptions,
    image: impl FnOnce() -> Option<ColorImage>,
) -> Option<TextureHandle> {
    type Drawn = FramePublisher<u64, TextureHandle>;
    let known = ui.memory_mut(|memory| memory.caches.cache::<Drawn>().get(&key).cloned());
    let texture = known.or_else(|| Some(ui.ctx().load_texture("picture", image()?, options)))?;
    ui.memory_mut(|memory| memory.caches.cache::<Drawn>().set(key, texture.clone()));
    Some(texture)
}
