//! All heads of all layers as thumbnails, layers downwards and heads across, with the words of their legend.

use egui::{Align2, Pos2, Rect, Sense, Ui, UiBuilder, Vec2, vec2};

use super::picture::{Heads, Touch};
use crate::focus::{Focus, Spot};
use crate::ui::Style;

impl Heads {
    pub(super) fn draw(&self, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
        let (columns, below) = self.columns(ui, style);
        ui.spacing_mut().item_spacing.y = style.grid(0.75);
        let (hover, touch) = self.grid(ui, style, ui.available_size() - vec2(0.0, below + style.grid(0.75)));
        if let Some([l, h]) = hover {
            focus.readout = self.name([l, h]);
            let Spot { query, key, .. } = focus.spot();
            focus.hover(Spot { layer: Some(l), head: Some(h), query, key, at: None });
        }
        touch.or(self.legend(ui, style, (columns, below)).map(Touch::Clicked))
    }

    /// What a head is, in words.
    fn name(&self, [l, h]: [usize; 2]) -> String {
        self.names.get(l * self.heads + h).cloned().unwrap_or_default()
    }

    /// The thumbnails in at most `size`: the head under the pointer, and what was done to it.
    fn grid(&self, ui: &mut Ui, style: &Style, size: Vec2) -> (Option<[usize; 2]>, Option<Touch>) {
        let gutter = Vec2::splat(style.caption * 1.6);
        let count = vec2(self.heads as f32, self.layers.len() as f32);
        let gap = (4.0 * style.scale).min(size.x / count.x * 0.12);
        let cell = ((size - gutter) / count).min_elem().clamp(8.0, 96.0 * style.scale);
        let (area, response) = ui.allocate_exact_size(gutter + count * cell, Sense::click());
        let at = |l: usize, h: usize| {
            let corner = area.min + gutter + vec2(h as f32, l as f32) * cell;
            Rect::from_min_size(corner, Vec2::splat(cell - gap))
        };
        for (l, map) in self.layers.iter().enumerate() {
            let cells: Vec<(usize, Rect)> = (0..self.heads).map(|h| (h, at(l, h))).collect();
            map.maps().paint(ui, style, &cells);
        }
        self.numbers(ui, style, &at);
        for (l, h) in (0..self.layers.len()).flat_map(|l| (0..self.heads).map(move |h| (l, h))) {
            let lit = self.spot.layer == Some(l) && self.spot.head == Some(h);
            let mark = self.marks.get(l * self.heads + h).copied().unwrap_or_default();
            mark.draw(ui, style, at(l, h), lit);
        }
        // The gap after a thumbnail belongs to it, so that no click falls between two.
        let under = |pos: Pos2| {
            let at = (pos - area.min - gutter) / cell;
            let inside = at.x >= 0.0 && at.y >= 0.0 && at.x < count.x && at.y < count.y;
            inside.then_some([at.y as usize, at.x as usize])
        };
        let hover = response.hover_pos().and_then(under);
        response.widget_info(|| {
            let words = hover.map_or_else(|| "heads of all layers".to_owned(), |head| self.name(head));
            egui::WidgetInfo::labeled(egui::Role::Image, true, words)
        });
        let place = response.interact_pointer_pos().and_then(under);
        let pressed = response.clicked() || response.secondary_clicked();
        let touch = place.filter(|_| pressed).map(|it| Touch::Head(it, !response.clicked()));
        (hover, touch)
    }

    /// Numbers of layers and heads along the edges, of which those are left out that would touch.
    fn numbers(&self, ui: &Ui, style: &Style, at: &dyn Fn(usize, usize) -> Rect) {
        let font = style.regular(style.caption);
        let write = |pos: Pos2, align: Align2, i: usize, lit: bool| {
            let colour = if lit { style.accent } else { style.secondary };
            ui.painter().text(pos, align, i, font.clone(), colour);
        };
        let size = at(0, 0).width();
        let digits = if self.heads > 10 { 2.0 } else { 1.0 };
        for (h, lit) in apart(self.heads, self.spot.head, (0.65 * digits + 0.25) * style.caption / size) {
            let pos = at(0, h).center_top() - vec2(0.0, 3.0);
            write(pos, Align2::CENTER_BOTTOM, h, lit);
        }
        for (l, lit) in apart(self.layers.len(), self.spot.layer, 1.15 * style.caption / size) {
            let pos = at(l, 0).left_center() - vec2(6.0, 0.0);
            write(pos, Align2::RIGHT_CENTER, l, lit);
        }
    }

    /// In how many columns the words of the legend stand, and how high they are.
    fn columns(&self, ui: &Ui, style: &Style) -> (usize, f32) {
        let (count, line) = (self.legend.len(), 1.7 * style.caption);
        let columns = ((ui.available_width() / (10.4 * style.caption)) as usize).clamp(1, count.max(1));
        // The heads come first: where there is little room the words scroll, at whole lines.
        let most = (0.3 * ui.available_height() / line).max(1.0) as usize;
        (columns, count.div_ceil(columns).min(most) as f32 * line)
    }

    /// The words in columns that stay where they are; the one that was clicked.
    fn legend(&self, ui: &mut Ui, style: &Style, (columns, height): (usize, f32)) -> Option<usize> {
        let mut clicked = None;
        let scroll = egui::ScrollArea::vertical().id_salt("legend").max_height(height).auto_shrink(false);
        scroll.show(ui, |ui| {
            let cell = vec2(ui.available_width() / columns as f32, 1.7 * style.caption);
            let rows = self.legend.len().div_ceil(columns) as f32;
            let (all, _) = ui.allocate_exact_size(cell * vec2(columns as f32, rows), Sense::hover());
            for (i, label) in self.legend.iter().enumerate() {
                let at = all.min + vec2((i % columns) as f32, (i / columns) as f32) * cell;
                let place = Rect::from_min_size(at, cell);
                if !ui.is_rect_visible(place) {
                    continue;
                }
                let colour = if label.lit { style.accent } else { label.colour };
                let font = style.regular(style.caption);
                let text = egui::RichText::new(format!("— {}", label.words)).font(font).color(colour);
                let mut ui = ui.new_child(UiBuilder::new().max_rect(place).id_salt(i));
                ui.spacing_mut().button_padding = Vec2::ZERO;
                ui.spacing_mut().interact_size.y = cell.y;
                let button = egui::Button::selectable(label.lit, text).wrap_mode(egui::TextWrapMode::Extend);
                if ui.add(button).on_hover_text(label.click).clicked() {
                    clicked = Some(i);
                }
            }
        });
        clicked
    }
}

/// The numbers below `n` that are written where each takes as much room as `places`, and whether it is the `lit` one, from which
/// they are counted.
fn apart(n: usize, lit: Option<usize>, places: f32) -> impl Iterator<Item = (usize, bool)> {
    let (every, from) = (places.ceil().max(1.0) as usize, lit.unwrap_or(0));
    let written = move |i: &usize| i.abs_diff(from).is_multiple_of(every);
    (0..n).filter(written).map(move |i| (i, lit == Some(i)))
}
