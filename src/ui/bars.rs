//! Bars with their names and numbers, one below the other.

use egui::{Align2, Rect, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};

use super::{Style, number};

/// One bar.
#[derive(Clone, Debug, Default)]
pub struct Bar {
    /// What it is.
    pub name: String,
    /// How long it is.
    pub value: f32,
    /// How long it was before something was changed.
    pub before: Option<f32>,
    /// Whether it is the one that is asked for.
    pub lit: bool,
    /// Which of the hues it has on the screen, where it is something that has one elsewhere.
    pub hue: Option<usize>,
}

/// Bars, the first on top.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// What they measure: "probability".
    pub label: String,
    /// What the names are: "class".
    pub names: String,
    /// The bars.
    pub bars: Vec<Bar>,
    /// What a click on a bar does, in words; nothing if empty.
    pub click: String,
}

/// Where things are in a row.
struct Plan {
    /// Room for the names, in points.
    name: f32,
    /// From the left to where bars begin.
    zero: f32,
    /// Points of a unit.
    unit: f32,
    /// Height of a row.
    row: f32,
}

impl Bars {
    /// Draws them into the room that there is; what does not fit scrolls. Returns the bar that was clicked and what the
    /// pointer is on, in words.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> (Option<usize>, Option<String>) {
        let (size, least) = (ui.available_size(), 1.5 * style.caption);
        // What cannot be clicked need not be there: the longest come first.
        let most = if self.click.is_empty() { (size.y / least) as usize } else { usize::MAX };
        let shown = &self.bars[..self.bars.len().min(most.max(1))];
        let row = (size.y / shown.len().max(1) as f32).clamp(least, 2.6 * style.caption);
        let plan = self.plan(ui, style, size.x, row);
        let (mut clicked, mut words) = (None, None);
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical().id_salt("bars").auto_shrink(false).show(ui, |ui| {
            for (i, bar) in shown.iter().enumerate() {
                let response = self.one(ui, style, bar, &plan);
                if response.clicked() && !self.click.is_empty() {
                    clicked = Some(i);
                }
                if response.hovered() {
                    words = Some(format!("{} {}", self.said(bar), self.click).trim().to_owned());
                    response.on_hover_text_at_pointer(number(bar.value));
                }
            }
        });
        (clicked, words)
    }

    /// A bar in words.
    fn said(&self, bar: &Bar) -> String {
        let now = format!("“{}”: {} {}", bar.name, self.label, number(bar.value));
        bar.before.map_or(now.clone(), |it| format!("{now}, before {}", number(it)))
    }

    fn plan(&self, ui: &egui::Ui, style: &Style, width: f32, row: f32) -> Plan {
        let font = style.regular(style.caption);
        let wide =
            |words: &str| ui.painter().layout_no_wrap(words.to_owned(), font.clone(), style.text).size().x;
        let name =
            self.bars.iter().map(|it| wide(&it.name)).fold(0.0, f32::max).min(0.4 * width) + style.grid(1.0);
        let all = || self.bars.iter().flat_map(|it| [it.value, it.before.unwrap_or(0.0)]);
        let (low, high) = (all().fold(0.0, f32::min), all().fold(0.0, f32::max));
        let room = (width - name - style.grid(7.0)).max(1.0);
        // What is below zero has at most a third of the room: it tells that something speaks against, and how much is written.
        let low = -low.max(-0.5 * high.max(1e-9));
        let unit = room / (low + high).max(1e-9);
        Plan { name, zero: name + low * unit, unit, row }
    }

    fn one(&self, ui: &mut egui::Ui, style: &Style, bar: &Bar, plan: &Plan) -> Response {
        let sense = if self.click.is_empty() { Sense::hover() } else { Sense::click() };
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), plan.row), sense);
        let role = if self.click.is_empty() { Role::Label } else { Role::Button };
        response.widget_info(|| WidgetInfo::labeled(role, true, self.said(bar)));
        if !ui.is_rect_visible(rect) {
            return response;
        }
        let colour = if bar.lit { style.accent } else { style.text };
        let name = style.cut(ui, &bar.name, colour, plan.name - style.grid(1.0));
        ui.painter().galley(pos2(rect.left(), rect.center().y - name.size().y / 2.0), name, colour);
        let zero = rect.left() + plan.zero;
        let end = |value: f32| (zero + plan.unit * value).max(rect.left() + plan.name);
        let paint = |[top, bottom]: [f32; 2], value: f32, fill| {
            let x = zero.min(end(value))..=zero.max(end(value)).max(zero + 1.0);
            let y = rect.top() + top * rect.height()..=rect.top() + bottom * rect.height();
            ui.painter().rect_filled(Rect::from_x_y_ranges(x, y), 1.0, fill);
        };
        let asked = !self.click.is_empty() && self.bars.iter().any(|it| it.lit);
        let fill = match (asked, bar.lit) {
            (true, true) => style.accent,
            (true, false) => style.hue(1).gamma_multiply(0.4),
            (false, _) => style.hue(bar.hue.unwrap_or(1)),
        };
        if let Some(before) = bar.before {
            paint([0.1, 0.6], bar.value, fill);
            paint([0.64, 0.9], before, style.secondary.gamma_multiply(0.7));
        } else {
            paint([0.16, 0.84], bar.value, fill);
        }
        let longest = end(bar.value.max(bar.before.unwrap_or(0.0))).max(zero);
        let at = pos2(longest + style.grid(0.75), rect.center().y);
        let font = style.regular(style.caption);
        ui.painter().text(at, Align2::LEFT_CENTER, number(bar.value), font, style.secondary);
        if response.hovered() && !self.click.is_empty() {
            ui.painter().rect_stroke(rect, 2.0, style.hair(), StrokeKind::Inside);
        }
        if response.has_focus() {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            ui.painter().rect_stroke(rect, 2.0, stroke, StrokeKind::Inside);
        }
        response
    }
}
