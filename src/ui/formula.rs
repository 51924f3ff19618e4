//! Typeset formulas: pictures of ink, `assets/typeset/{id}.ink`. A page fetches each when a card first shows it; their sizes are
//! known before, so nothing moves when one comes.

use egui::{
    Color32, ColorImage, Image, Response, RichText, Role, Sense, TextureHandle, TextureOptions, Vec2,
    WidgetInfo,
};

use miniz_oxide::inflate;

use super::Style;
use crate::models::{Beside, Found};

/// Width and height of every picture, in its pixels.
const SIZES: &[(&str, [usize; 2])] = include!("../../assets/formulas/table.rs");

/// The files as they are: what is decoded takes fifty times their memory.
static FILES: Beside<Vec<u8>> = Beside::new("typeset", "ink", |it| Some(it.to_vec()));

/// Pixels of an em in the pictures.
const EM: f32 = 96.0;

/// The formula in the colour of text; `tex` is what a screen reader hears, and what is shown if there is no picture.
pub fn formula(ui: &mut egui::Ui, style: &Style, id: &'static str, tex: &str) -> Response {
    let room = room(ui, style, id);
    let file = room.map_or(Found::Missing, |_| FILES.get(id));
    let coming = room.filter(|_| matches!(file, Found::Coming));
    let texture = file.here().and_then(|it| texture(ui, style, id, &it));
    let response = if let Some(room) = coming {
        ui.allocate_exact_size(room, Sense::hover()).1
    } else if let (Some(it), Some(room)) = (texture, room) {
        ui.add(Image::new((it.id(), room)).tint(style.text).sense(Sense::hover()))
    } else {
        ui.label(RichText::new(tex).font(style.mono(style.body)).color(style.text))
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("formula: {tex}")));
    response
}

/// The room that the picture of `id` takes, in points, if there is one.
pub(super) fn room(ui: &egui::Ui, style: &Style, id: &str) -> Option<Vec2> {
    let [width, height] = shown(size(id)?, shrink(ui, style));
    Some(Vec2::new(width as f32, height as f32) / ui.pixels_per_point())
}

/// The picture at the size at which it is shown, averaged down once: a texture unit would skip pixels.
fn texture(ui: &egui::Ui, style: &Style, id: &str, file: &[u8]) -> Option<TextureHandle> {
    let shrink = shrink(ui, style);
    let key = egui::util::hash(("formula", id, shrink.to_bits()));
    let draw = || Some(Ink::decode(size(id)?, file)?.resized(shrink));
    super::texture::texture(ui, key, TextureOptions::LINEAR, draw)
}

fn size(id: &str) -> Option<[usize; 2]> {
    Some(SIZES.iter().find(|it| it.0 == id)?.1)
}

/// Pixels of the screen for each of a picture's. A formula's letters look smaller than Inter's at the same em.
fn shrink(ui: &egui::Ui, style: &Style) -> f32 {
    1.2 * style.body * ui.pixels_per_point() / EM
}

fn shown(size: [usize; 2], shrink: f32) -> [usize; 2] {
    size.map(|side| ((side as f32 * shrink).round() as usize).max(1))
}

/// How much ink is on every pixel.
struct Ink {
    size: [usize; 2],
    ink: Vec<u8>,
}

impl Ink {
    /// A byte a pixel, deflated.
    fn decode(size: [usize; 2], file: &[u8]) -> Option<Self> {
        let ink = inflate::decompress_to_vec_zlib_with_limit(file, size[0] * size[1]).ok()?;
        (ink.len() == size[0] * size[1]).then_some(Self { size, ink })
    }

    /// White with the ink as alpha, every pixel the mean of those it covers.
    fn resized(&self, factor: f32) -> ColorImage {
        let size = shown(self.size, factor);
        let spans: [Vec<Vec<(usize, f32)>>; 2] =
            std::array::from_fn(|axis| cover(self.size[axis], size[axis]));
        let mut image = ColorImage::filled(size, Color32::TRANSPARENT);
        for (y, rows) in spans[1].iter().enumerate() {
            for (x, columns) in spans[0].iter().enumerate() {
                let mut sum = 0.0;
                for (row, down) in rows {
                    for (column, across) in columns {
                        sum += down * across * f32::from(self.ink[row * self.size[0] + column]);
                    }
                }
                image.pixels[y * size[0] + x] = Color32::from_white_alpha(sum.round() as u8);
            }
        }
        image
    }
}

/// For each of `small` pixels: which of `large` it covers, and the share of each in it.
fn cover(large: usize, small: usize) -> Vec<Vec<(usize, f32)>> {
    let ratio = large as f32 / small as f32;
    (0..small)
        .map(|i| {
            let (from, to) = (i as f32 * ratio, (i + 1) as f32 * ratio);
            let last = (to.ceil() as usize).min(large);
            let share = |k: usize| (to.min((k + 1) as f32) - from.max(k as f32)).max(0.0) / ratio;
            (from as usize..last).map(|k| (k, share(k))).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_keeps_the_ink() {
        let ink = Ink { size: [6, 3], ink: vec![90; 18] };
        let image = ink.resized(0.4);
        assert_eq!(image.size, [2, 1]);
        assert!(image.pixels.iter().all(|pixel| pixel.a() == 90), "a flat picture stays flat");
    }

    #[test]
    fn every_picture_decodes_to_its_size() {
        for &(id, size) in SIZES {
            let file = FILES.get(id).here().expect("the program has it");
            assert!(Ink::decode(size, &file).is_some_and(|it| it.ink.contains(&255)), "{id}");
        }
    }
}
