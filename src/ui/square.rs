//! A map of a picture as a square, with the place that all tiles look at.

use egui::{Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Vec2, WidgetInfo, pos2, vec2};

use super::{Maps, Style};
use crate::focus::{Focus, Spot};

/// A map of a picture as a square.
pub struct Square<'a> {
    /// The maps of a tensor, and which of them.
    pub maps: Option<(Maps<'a>, usize)>,
    /// What stands below it; nothing if empty.
    pub caption: &'a str,
    /// What it is, for a screen reader.
    pub words: &'a str,
    /// Whether it lies over a picture: its places are those that all tiles look at.
    pub linked: bool,
    /// A few signs in its corner; none if empty.
    pub note: &'a str,
    /// Whether it is chosen.
    pub lit: bool,
}

impl Square<'_> {
    /// Height of the caption, in points.
    pub fn caption_height(style: &Style) -> f32 {
        style.caption * 1.7
    }

    /// Draws it with a side of `side` points and its caption below. Returns the place under the pointer, too; a click is the
    /// caller's.
    pub fn show(
        &self,
        ui: &mut egui::Ui,
        style: &Style,
        focus: &mut Focus,
        side: f32,
    ) -> (Response, Option<[u16; 2]>) {
        let below = if self.caption.is_empty() { 0.0 } else { Self::caption_height(style) };
        let (area, response) = ui.allocate_exact_size(vec2(side, side + below), Sense::click());
        let rect = Rect::from_min_size(area.min, Vec2::splat(side));
        if let Some((maps, map)) = self.maps {
            maps.paint(ui, style, &[(map, rect)]);
        } else {
            ui.painter().rect_filled(rect, 0, style.hairline);
        }
        let stroke = if self.lit { Stroke::new(2.0 * style.scale, style.accent) } else { style.hair() };
        ui.painter().rect_stroke(rect, 0, stroke, StrokeKind::Outside);
        if response.has_focus() {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            ui.painter().rect_stroke(area, 2, stroke, StrokeKind::Outside);
        }
        if !self.note.is_empty() {
            let font = style.semibold(style.caption);
            let note = ui.painter().layout_no_wrap(self.note.to_owned(), font, style.text);
            let corner = rect.left_bottom() - vec2(0.0, note.size().y);
            let ground = Rect::from_min_size(corner, note.size()).expand2(vec2(style.grid(0.5), 0.0));
            ui.painter().rect_filled(ground.intersect(rect), 0.0, style.surface.gamma_multiply(0.85));
            ui.painter().galley(corner, note, style.text);
        }
        let colour = if self.lit { style.accent } else { style.secondary };
        let words = style.cut(ui, self.caption, colour, side);
        let at = pos2(rect.center().x - words.size().x / 2.0, rect.bottom() + style.grid(0.4));
        ui.painter().galley(at, words, colour);
        let at = response.hover_pos().and_then(|it| place(rect, it));
        if self.linked {
            if at.is_some() {
                focus.hover(Spot { at, ..Spot::default() });
            }
            ring(ui, style, rect, focus.spot().at);
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.words));
        (response, at)
    }
}

/// Row and column in thousandths of the side.
pub(super) fn place(rect: Rect, pos: Pos2) -> Option<[u16; 2]> {
    let at = (pos - rect.min) / rect.size();
    let inside = (0.0..1.0).contains(&at.x) && (0.0..1.0).contains(&at.y);
    inside.then_some([(1000.0 * at.y) as u16, (1000.0 * at.x) as u16])
}

/// A ring around the place that all tiles look at.
pub(super) fn ring(ui: &egui::Ui, style: &Style, rect: Rect, at: Option<[u16; 2]>) {
    let Some([row, col]) = at else { return };
    let centre = rect.min + rect.size() * vec2(f32::from(col), f32::from(row)) / 1000.0;
    let radius = (0.06 * rect.width()).clamp(3.0, style.grid(1.0));
    ui.painter().circle_stroke(centre, radius, Stroke::new(3.0 * style.scale, style.background));
    ui.painter().circle_stroke(centre, radius, Stroke::new(1.5 * style.scale, style.accent));
}
