//! Signs between maps, where maps make an equation.

use egui::{Align2, Rect, Sense, StrokeKind, Ui, Vec2, vec2};

use crate::ui::Style;

/// What stands before a map where maps make an equation.
#[derive(Clone, Default)]
pub struct Sign {
    /// The sign: "=".
    pub symbol: &'static str,
    /// A small picture over it; none if it has no cells.
    pub glyph: Glyph,
    /// What it means, in words; nothing if empty.
    pub about: &'static str,
}

/// A small picture in cells.
#[derive(Clone, Default)]
pub struct Glyph {
    /// Rows and columns of the cells.
    pub cells: [usize; 2],
    /// Row and column of those that are filled.
    pub filled: Vec<[usize; 2]>,
    /// Rows and columns of the frames that are drawn around them.
    pub frames: [usize; 2],
}

impl Sign {
    /// The width that a sign takes, in points.
    pub(super) fn width(style: &Style) -> f32 {
        style.grid(2.5)
    }

    pub(super) fn draw(&self, ui: &mut Ui, style: &Style, height: f32) {
        let (rect, response) = ui.allocate_exact_size(vec2(Self::width(style), height), Sense::hover());
        let font = style.regular(style.page);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, self.symbol, font, style.secondary);
        let above = if self.symbol.is_empty() { 0.0 } else { style.grid(3.5) };
        let place = Rect::from_center_size(rect.center() - vec2(0.0, above), Vec2::splat(rect.width()));
        self.glyph.draw(ui, style, place);
        if !self.about.is_empty() {
            response.on_hover_text(self.about);
        }
    }
}

impl Glyph {
    fn draw(&self, ui: &Ui, style: &Style, square: Rect) {
        // The place of a row and a column of so many, in the middle of the square.
        let place = |[row, col]: [usize; 2], [rows, cols]: [usize; 2]| {
            let cell = square.width() / cols as f32;
            let corner = square.left_center() - vec2(0.0, 0.5 * cell * rows as f32);
            Rect::from_min_size(corner + cell * vec2(col as f32, row as f32), Vec2::splat(cell))
        };
        for at in &self.filled {
            ui.painter().rect_filled(place(*at, self.cells), 0, style.secondary);
        }
        let [rows, cols] = self.frames;
        for at in (0..rows).flat_map(|row| (0..cols).map(move |col| [row, col])) {
            ui.painter().rect_stroke(place(at, self.frames), 0, style.hair(), StrokeKind::Middle);
        }
    }
}
