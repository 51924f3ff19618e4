//! All heads of all layers as thumbnails: layers downwards, heads across.

use egui::{Color32, Pos2, Rect, Sense, Stroke, StrokeKind, Vec2, vec2};

use super::{Maps, Style};
use crate::focus::Spot;

/// The thumbnails of a model.
pub struct HeadGrid<'a> {
    /// One row of maps a layer, from the first.
    pub layers: Vec<Maps<'a>>,
    /// Number of maps in a row.
    pub heads: usize,
    /// What is lit.
    pub spot: Spot,
    /// What stands out of a thumbnail.
    pub marks: &'a dyn Fn(usize, usize) -> Mark,
    /// What a thumbnail is, in words, for a screen reader.
    pub name: &'a dyn Fn(usize, usize) -> String,
}

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

/// What happened to the grid in this frame.
#[derive(Default)]
pub struct Picked {
    /// Layer and head under the pointer.
    pub hover: Option<(usize, usize)>,
    /// Layer and head that were clicked or tapped.
    pub clicked: Option<(usize, usize)>,
    /// Layer and head that were clicked with the other button, or pressed long.
    pub secondary: Option<(usize, usize)>,
}

impl HeadGrid<'_> {
    /// Draws the grid into at most `size`.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, size: Vec2) -> Picked {
        let gutter = vec2(style.caption * 1.6, style.caption * 1.6);
        let gap = (4.0 * style.scale).min(size.x / self.heads as f32 * 0.12);
        let fit = (size - gutter) / vec2(self.heads as f32, self.layers.len() as f32);
        let cell = fit.x.min(fit.y).clamp(8.0, 96.0 * style.scale);
        let used = gutter + vec2(self.heads as f32, self.layers.len() as f32) * cell;
        let (area, response) = ui.allocate_exact_size(used, Sense::click());
        let at = |l: usize, h: usize| {
            let corner = area.min + gutter + vec2(h as f32, l as f32) * cell;
            Rect::from_min_size(corner, Vec2::splat(cell - gap))
        };
        for (l, maps) in self.layers.iter().enumerate() {
            let cells: Vec<(usize, Rect)> = (0..self.heads).map(|h| (h, at(l, h))).collect();
            maps.paint(ui, style, &cells);
        }
        self.numbers(ui, style, &at);
        for l in 0..self.layers.len() {
            for h in 0..self.heads {
                Self::mark(ui, style, at(l, h), (self.marks)(l, h), self.lit(l, h));
            }
        }
        let under = |pos: Pos2| self.under(area.min + gutter, cell, pos);
        let hover = response.hover_pos().and_then(under);
        response.widget_info(|| {
            let words = hover.map_or_else(|| "heads of all layers".to_owned(), |(l, h)| (self.name)(l, h));
            egui::WidgetInfo::labeled(egui::Role::Image, true, words)
        });
        let place = response.interact_pointer_pos().and_then(under);
        Picked {
            hover,
            clicked: place.filter(|_| response.clicked()),
            secondary: place.filter(|_| response.secondary_clicked()),
        }
    }

    fn lit(&self, l: usize, h: usize) -> bool {
        self.spot.layer == Some(l) && self.spot.head == Some(h)
    }

    /// The head under `pos`; the gap after a thumbnail belongs to it, so that no click falls between two.
    fn under(&self, origin: Pos2, cell: f32, pos: Pos2) -> Option<(usize, usize)> {
        let at = (pos - origin) / cell;
        let inside =
            at.x >= 0.0 && at.y >= 0.0 && at.x < self.heads as f32 && at.y < self.layers.len() as f32;
        inside.then_some((at.y as usize, at.x as usize))
    }

    /// Numbers of layers and heads along the edges.
    fn numbers(&self, ui: &egui::Ui, style: &Style, at: &dyn Fn(usize, usize) -> Rect) {
        let font = style.regular(style.caption);
        let write = |pos: Pos2, align: egui::Align2, i: usize, lit: bool| {
            let colour = if lit { style.accent } else { style.secondary };
            ui.painter().text(pos, align, i, font.clone(), colour);
        };
        for h in 0..self.heads {
            let pos = at(0, h).center_top() - vec2(0.0, 3.0);
            write(pos, egui::Align2::CENTER_BOTTOM, h, self.spot.head == Some(h));
        }
        for l in 0..self.layers.len() {
            let pos = at(l, 0).left_center() - vec2(6.0, 0.0);
            write(pos, egui::Align2::RIGHT_CENTER, l, self.spot.layer == Some(l));
        }
    }

    fn mark(ui: &egui::Ui, style: &Style, rect: Rect, mark: Mark, lit: bool) {
        let painter = ui.painter();
        if mark.dim {
            painter.rect_filled(rect, 0, style.surface.gamma_multiply(0.8));
        }
        if mark.off {
            painter.rect_filled(rect, 0, style.surface.gamma_multiply(0.55));
            let stroke = Stroke::new(1.5 * style.scale, style.bad);
            painter.line_segment([rect.left_top(), rect.right_bottom()], stroke);
            painter.line_segment([rect.right_top(), rect.left_bottom()], stroke);
        }
        if let Some(hue) = mark.hue.filter(|_| !mark.dim) {
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
