//! The picture that models look at: it can be drawn on, and a map can be laid over it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use egui::{
    Color32, ColorImage, PointerButton, Pos2, Rect, Response, Sense, Stroke, StrokeKind, TextureOptions, Vec2,
};
use egui::{Role, WidgetInfo, pos2};

use super::square::{place, ring};
use super::texture::texture;
use super::{Maps, Style};
use crate::data::Image;
use crate::focus::{Focus, Spot};

/// The picture that models look at.
pub struct Easel<'a> {
    /// Width and height in which the model sees it.
    pub side: usize,
    /// Colours of a pixel.
    pub channels: usize,
    /// A map laid over it, from 0 to 1, and how opaque it is.
    pub overlay: Option<(Maps<'a>, f32)>,
    /// Draws the line where the map is half of its largest value.
    pub contour: bool,
    /// What the pointer does: draw, or erase; `None`: it looks.
    pub brush: Option<bool>,
    /// What it is for, in words, for a screen reader: "the picture".
    pub words: &'a str,
}

/// The brush's radius as a part of the side.
const BRUSH: f32 = 0.03;

impl Easel<'_> {
    /// Draws the picture as a square of `side` points, with what the person draws on it.
    pub fn show(
        &self,
        ui: &mut egui::Ui,
        style: &Style,
        focus: &mut Focus,
        picture: &mut Image,
        side: f32,
    ) -> Response {
        let sense = if self.brush.is_some() { Sense::click_and_drag() } else { Sense::click() };
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), sense);
        self.paint(ui, picture, rect, Color32::WHITE);
        if let Some((maps, opacity)) = self.overlay.filter(|_| !blank(picture)) {
            maps.paint(ui, style, &[(0, rect)]);
            // The picture once more on top, as far as the map is not opaque: that also holds where a shader drew the map.
            self.paint(ui, picture, rect, Color32::WHITE.gamma_multiply(1.0 - opacity));
            if self.contour {
                contour(ui, style, rect, &maps);
            }
        }
        let focus_ring = Stroke::new(2.0 * style.scale, style.accent);
        let edge = if response.has_focus() { focus_ring } else { style.hair() };
        ui.painter().rect_stroke(rect, 0, edge, StrokeKind::Outside);
        let pos = response.interact_pointer_pos().or(response.hover_pos());
        if let Some(at) = pos.and_then(|it| place(rect, it)) {
            let spot = Spot { at: Some(at), ..Spot::default() };
            focus.hover(spot);
            if response.clicked() && self.brush.is_none() {
                focus.lock(spot);
            }
            if let Some(erase) = self.brush.filter(|_| response.is_pointer_button_down_on()) {
                let erase = erase || ui.input(|it| it.pointer.button_down(PointerButton::Secondary));
                self.draw(picture, at, erase);
            }
        }
        if self.brush.is_none() {
            ring(ui, style, rect, focus.spot().at);
        }
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Image, true, format!("{}: {}", self.words, picture.name()))
        });
        response
    }

    /// Paints the picture. It is made once for as long as it is drawn.
    fn paint(&self, ui: &egui::Ui, picture: &Image, rect: Rect, tint: Color32) {
        let mut hasher = DefaultHasher::new();
        (identity(picture), self.side, self.channels).hash(&mut hasher);
        let image = || {
            let pixels = picture.pixels(self.side, 3)?;
            let colours = |it: &[u8]| if self.channels == 3 { rgb(it) } else { grey(it) };
            let pixels = pixels.chunks(3).map(colours).collect();
            Some(ColorImage::new([self.side; 2], pixels))
        };
        let Some(texture) = texture(ui, hasher.finish(), TextureOptions::NEAREST, image) else { return };
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        ui.painter().image(texture.id(), rect, whole, tint);
    }

    /// A stroke of the brush at a place.
    fn draw(&self, picture: &mut Image, [row, col]: [u16; 2], erase: bool) {
        let Some(mut pixels) = picture.pixels(self.side, 1) else { return };
        let side = self.side as f32;
        let centre = [f32::from(row), f32::from(col)].map(|it| it / 1000.0 * side);
        let radius = (BRUSH * side).max(1.0);
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (dy, dx) =
                ((i / self.side) as f32 + 0.5 - centre[0], (i % self.side) as f32 + 0.5 - centre[1]);
            let cover = (radius + 0.5 - dx.hypot(dy)).clamp(0.0, 1.0);
            let goal = if erase { 0.0 } else { 255.0 };
            *pixel = (f32::from(*pixel) + cover * (goal - f32::from(*pixel))).round() as u8;
        }
        *picture = Image::Drawn(pixels.into());
    }
}

/// Whether nothing is drawn yet: then no place of it differs from another, and a map over it would look like a drawing.
fn blank(picture: &Image) -> bool {
    matches!(picture, Image::Drawn(pixels) if pixels.iter().all(|it| *it == pixels[0]))
}

/// Differs between any two pictures that are shown at the same time.
fn identity(picture: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    match picture {
        Image::Collage(i) => (0, i).hash(&mut hasher),
        Image::Clothes(i) => (1, i).hash(&mut hasher),
        Image::Drawn(pixels) => (2, pixels).hash(&mut hasher),
        Image::Photo { name, photo } => (3, name, photo.as_ref().map(Arc::as_ptr)).hash(&mut hasher),
    }
    hasher.finish()
}

fn rgb(it: &[u8]) -> Color32 {
    Color32::from_rgb(it[0], it[1], it[2])
}

fn grey(it: &[u8]) -> Color32 {
    Color32::from_gray((it.iter().map(|it| u16::from(*it)).sum::<u16>() / 3) as u8)
}

/// The line where a map is half of its largest value, found in squares of four values: where it enters a square it leaves.
fn contour(ui: &egui::Ui, style: &Style, rect: Rect, maps: &Maps<'_>) {
    let (rows, cols) = (maps.rows, maps.cols);
    let Some(values) = maps.tensor.window(0..rows * cols) else { return };
    let level = 0.5 * values.iter().copied().fold(f32::MIN, f32::max);
    let cell = rect.size() / egui::vec2(cols as f32, rows as f32);
    let stroke = Stroke::new(1.5 * style.scale, Color32::WHITE);
    for (row, col) in (0..rows.saturating_sub(1)).flat_map(|r| (0..cols - 1).map(move |c| (r, c))) {
        let corner = |r: usize, c: usize| {
            let at = egui::vec2((col + c) as f32 + 0.5, (row + r) as f32 + 0.5);
            (rect.min + cell * at, values[(row + r) * cols + col + c])
        };
        let around = [corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)];
        let mut ends: Vec<Pos2> = vec![];
        for i in 0..4 {
            let ((a, x), (b, y)) = (around[i], around[(i + 1) % 4]);
            if (x < level) != (y < level) {
                ends.push(a + (b - a) * ((level - x) / (y - x)));
            }
        }
        for pair in ends.chunks_exact(2) {
            ui.painter().line_segment([pair[0], pair[1]], stroke);
        }
    }
}
