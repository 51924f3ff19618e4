//! What stands out of a thumbnail.

use egui::{Color32, Pos2, Rect, Stroke, StrokeKind};

use super::Style;

/// What stands out of a thumbnail.
#[derive(Clone, Copy, Default)]
pub struct Mark {
    /// A line of this colour under it: the kind of head.
    pub hue: Option<Color32>,
    /// Whether it is switched off.
    pub off: bool,
    /// Whether it is dimmed, because a search looks for others.
    pub dim: bool,
}

impl Mark {
    /// Draws it over the thumbnail at `rect`, which is `lit` where the cursor of all tiles is on it.
    pub(crate) fn draw(self, ui: &egui::Ui, style: &Style, rect: Rect, lit: bool) {
        let painter = ui.painter();
        if self.dim {
            painter.rect_filled(rect, 0, style.surface.gamma_multiply(0.8));
        }
        if self.off {
            painter.rect_filled(rect, 0, style.surface.gamma_multiply(0.55));
            let stroke = Stroke::new(1.5 * style.scale, style.bad);
            painter.line_segment([rect.left_top(), rect.right_bottom()], stroke);
            painter.line_segment([rect.right_top(), rect.left_bottom()], stroke);
        }
        if let Some(hue) = self.hue.filter(|_| !self.dim) {
            let y = rect.bottom() + 1.0 + style.scale;
            let line = [Pos2::new(rect.left(), y), Pos2::new(rect.right(), y)];
            painter.line_segment(line, Stroke::new(2.0 * style.scale, hue));
        }
        if lit {
            let stroke = Stroke::new(2.0 * style.scale, style.accent);
            painter.rect_stroke(rect, 1, stroke, StrokeKind::Outside);
        }
    }
}
