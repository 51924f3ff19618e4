//! What the colours say.

use egui::{Align2, Color32, Mesh, Pos2, Rect, Response, Role, Sense, StrokeKind, WidgetInfo, pos2, vec2};

use super::number::short;
use super::scale::{grey, table};
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
    /// Whether grey cells occur, and what they are: "masked".
    pub missing: Option<&'a str>,
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
        // Two lines of words even where one does: other words move nothing.
        let (height, foot) = (ui.available_height(), style.grid(2.75) + 2.8 * style.caption);
        let room = height - foot >= least;
        picture(ui, if room { height - foot } else { height });
        if room {
            ui.add_space(style.grid(0.5));
            self.show(ui, style);
        }
    }

    /// Draws the legend: the bar with its numbers, and the words beside it, or below where there is no room.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Response {
        let font = style.regular(style.caption);
        let mut galley = ui.painter().layout_no_wrap(self.words(), font.clone(), style.secondary);
        let swatch = self
            .missing
            .map(|missing| ui.painter().layout_no_wrap(missing.to_owned(), font.clone(), style.secondary));
        let length = style.grid(if self.range.log { 32.0 } else { 25.0 });
        let (bar, thick, gap) = (length.min(ui.available_width()), style.grid(1.25), style.grid(2.0));
        let text = vec2(galley.size().x, style.caption * 1.4);
        let beside = swatch.as_ref().map_or(0.0, |galley| galley.size().x + thick + style.grid(3.0));
        let wide = bar + gap + text.x + beside <= ui.available_width();
        let numbers = thick + style.grid(0.5) + text.y;
        let size = if wide {
            vec2(bar + gap + text.x + beside, numbers)
        } else {
            galley = ui.painter().layout(self.words(), font, style.secondary, ui.available_width());
            let below = galley.size().y + text.y * (0.4 + f32::from(u8::from(swatch.is_some())));
            vec2(bar.max(galley.size().x), numbers + below)
        };
        let (area, response) = ui.allocate_exact_size(size, Sense::hover());
        self.bar(ui, style, Rect::from_min_size(area.min, vec2(bar, thick)));
        let mut at = if wide {
            area.min + vec2(bar + gap, (thick - text.y) / 2.0)
        } else {
            area.min + vec2(0.0, numbers)
        };
        let words = galley.size().y;
        ui.painter().galley(at, galley, style.secondary);
        if let Some(galley) = swatch {
            at += if wide { vec2(text.x + style.grid(2.0), 0.0) } else { vec2(0.0, words) };
            let square = Rect::from_min_size(at + vec2(0.0, (text.y - thick) / 2.0), vec2(thick, thick));
            ui.painter().rect_filled(square, 2, grey(style.dark));
            ui.painter().galley(at + vec2(thick + style.grid(0.75), 0.0), galley, style.secondary);
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.aloud()));
        response
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
        let missing = self.missing.map(|missing| format!("; grey: {missing}")).unwrap_or_default();
        format!("legend: {} from {low} to {high}{log}{missing}", self.words())
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
        Legend { scale: Scale::Sequential, range, divided: Divided::Not, caption: "", missing: None }.ticks()
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
