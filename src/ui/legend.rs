//! What the colours say.

use std::sync::Arc;

use egui::{
    Align2, Color32, Galley, Mesh, Pos2, Rect, Response, Role, Sense, StrokeKind, Vec2, WidgetInfo, pos2,
    vec2,
};

use super::number::short;
use super::scale::table;
use super::{Range, Scale, Style, number};

/// A bar of colour with numbers, and what it measures.
pub struct Legend<'a> {
    /// The colours.
    pub scale: Scale,
    /// The numbers at its ends.
    pub range: Range,
    /// What every value was divided by before it was coloured.
    pub divided: Divided,
    /// What it measures: "attention weight".
    pub caption: &'a str,
}

/// A legend in the width that there is.
struct Laid {
    words: Arc<Galley>,
    /// Whether the words stand beside the bar.
    wide: bool,
    bar: Vec2,
    size: Vec2,
}

/// What every value was divided by before it was coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Divided {
    /// By nothing.
    #[default]
    Not,
    /// By the largest value of its row.
    Row,
    /// By the largest value of its map.
    Map,
}

impl Divided {
    /// In words; empty for [`Divided::Not`].
    pub fn words(self) -> &'static str {
        match self {
            Self::Not => "",
            Self::Row => "each row divided by its largest value",
            Self::Map => "each map divided by its largest value",
        }
    }
}

impl Legend<'_> {
    /// Lets `picture` draw into the height that it is given, and the legend below; where less than `least` points would be
    /// left, the picture has all the room.
    pub fn below(
        &self,
        ui: &mut egui::Ui,
        style: &Style,
        least: f32,
        picture: impl FnOnce(&mut egui::Ui, f32),
    ) {
        let height = ui.available_height();
        let above = height - self.lay(ui, style).size.y - style.grid(1.0);
        let room = above >= least;
        picture(ui, if room { above } else { height });
        if room {
            ui.add_space(style.grid(0.5));
            self.show(ui, style);
        }
    }

    /// How high it is in the width that there is, in points.
    pub fn height(&self, ui: &egui::Ui, style: &Style) -> f32 {
        self.lay(ui, style).size.y
    }

    /// Draws the legend: the bar with its numbers, and the words beside it, or below where there is no room.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Response {
        let Laid { words, wide, bar, size } = self.lay(ui, style);
        let (thick, line) = (bar.y, style.caption * 1.4);
        let (area, response) = ui.allocate_exact_size(size, Sense::hover());
        self.bar(ui, style, Rect::from_min_size(area.min, bar));
        let at = if wide {
            area.min + vec2(bar.x + style.grid(2.0), (thick - line) / 2.0)
        } else {
            area.min + vec2(0.0, thick + style.grid(0.5) + line)
        };
        ui.painter().galley(at, words, style.secondary);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.aloud()));
        response
    }

    /// What goes where in the width that is available.
    fn lay(&self, ui: &egui::Ui, style: &Style) -> Laid {
        let (font, width) = (style.regular(style.caption), ui.available_width());
        let words = ui.painter().layout_no_wrap(self.words(), font.clone(), style.secondary);
        let length = style.grid(if self.range.log { 32.0 } else { 25.0 });
        let bar = vec2(length.min(width), style.grid(1.25));
        let line = style.caption * 1.4;
        let (all, numbers) = (bar.x + style.grid(2.0) + words.size().x, bar.y + style.grid(0.5) + line);
        if all <= width {
            return Laid { words, wide: true, bar, size: vec2(all, numbers) };
        }
        let words = ui.painter().layout(self.words(), font, style.secondary, width);
        let size = vec2(bar.x.max(words.size().x), numbers + words.size().y + 0.4 * line);
        Laid { words, wide: false, bar, size }
    }

    fn words(&self) -> String {
        match (self.caption, self.divided.words()) {
            (caption, "") => caption.to_owned(),
            ("", divided) => divided.to_owned(),
            (caption, divided) => format!("{caption}, {divided}"),
        }
    }

    /// What a screen reader hears.
    fn aloud(&self) -> String {
        let (low, high) = (number(self.range.min), number(self.range.max));
        let log = if self.range.log { ", logarithmic" } else { "" };
        format!("legend: {} from {low} to {high}{log}", self.words())
    }

    fn bar(&self, ui: &egui::Ui, style: &Style, bar: Rect) {
        let painter = ui.painter();
        painter.add(gradient(bar, self.scale, style));
        painter.rect_stroke(bar, 0, style.hair(), StrokeKind::Outside);
        for (t, text) in self.ticks() {
            let x = bar.left() + t * bar.width();
            painter.vline(x, bar.bottom()..=bar.bottom() + style.grid(0.5), style.hair());
            let align = match t {
                0.0 => Align2::LEFT_TOP,
                1.0 => Align2::RIGHT_TOP,
                _ => Align2::CENTER_TOP,
            };
            let at = pos2(x, bar.bottom() + style.grid(0.5));
            painter.text(at, align, text, style.regular(style.caption), style.secondary);
        }
    }

    /// Where numbers stand on the bar: every decade, or both ends and the middle.
    pub(super) fn ticks(&self) -> Vec<(f32, String)> {
        let Range { min, max, log } = self.range;
        if !log {
            return [0.0, 0.5, 1.0].map(|t| (t, short(min + t * (max - min)))).into();
        }
        let (first, last) = (min.log10().ceil() as i32, max.log10().floor() as i32);
        (first..=last).map(|p| (self.range.place(10_f32.powi(p)), decade(p))).collect()
    }
}

/// A power of ten: "0.01", "1", "1e-4".
fn decade(power: i32) -> String {
    if (-2..=3).contains(&power) { short(10_f32.powi(power)) } else { format!("1e{power}") }
}

/// The scale from left to right.
fn gradient(bar: Rect, scale: Scale, style: &Style) -> Mesh {
    let mut mesh = Mesh::default();
    let edge = |x: f32| [pos2(x, bar.top()), pos2(x, bar.bottom())];
    for (i, &colour) in table(scale, style.dark).iter().enumerate() {
        let [top, bottom]: [Pos2; 2] = edge(bar.left() + bar.width() * i as f32 / 255.0);
        let first = mesh.vertices.len() as u32;
        mesh.colored_vertex(top, over(colour, style.surface));
        mesh.colored_vertex(bottom, over(colour, style.surface));
        if i > 0 {
            mesh.add_triangle(first - 2, first - 1, first);
            mesh.add_triangle(first - 1, first, first + 1);
        }
    }
    mesh
}

/// A premultiplied colour on an opaque ground.
pub(super) fn over(colour: Color32, ground: Color32) -> Color32 {
    ground.blend(colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(range: Range) -> Vec<(f32, String)> {
        Legend { scale: Scale::Sequential, range, divided: Divided::Not, caption: "" }.ticks()
    }

    #[test]
    fn ticks_are_round() {
        let texts = |range| -> Vec<String> { ticks(range).into_iter().map(|(_, text)| text).collect() };
        assert_eq!(texts(Range::UNIT), ["0", "0.5", "1"]);
        assert_eq!(texts(Range::signed(0.2)), ["−0.2", "0", "0.2"]);
        assert_eq!(texts(Range::LOG), ["1e-4", "1e-3", "0.01", "0.1", "1"]);
        assert!((ticks(Range::LOG)[2].0 - 0.5).abs() < 1e-6, "decades are equally far apart");
    }
}
