//! Curves in one frame, each with its name at its end.

use egui::{Align2, Pos2, Rect, Role, Sense, Shape, Stroke, Vec2, WidgetInfo, pos2, vec2};

use super::number::short;
use super::{Range, Style, number};

/// One curve.
pub struct Curve<'a> {
    /// What it is, written at its end.
    pub name: &'a str,
    /// Which of the hues it has: the same for the same thing in every picture.
    pub hue: usize,
    /// Its points, from left to right.
    pub points: Vec<[f32; 2]>,
    /// Whether it is dashed: a reference rather than a result.
    pub dashed: bool,
}

/// Curves in one frame.
pub struct Curves<'a> {
    /// The curves.
    pub curves: &'a [Curve<'a>],
    /// What is written below the frame, and where.
    pub ticks: &'a [(f32, String)],
    /// What the horizontal axis is.
    pub x_label: &'a str,
    /// What the vertical axis is, and its ends.
    pub y_label: &'a str,
    /// The ends of the vertical axis.
    pub y: Range,
}

impl Curves<'_> {
    /// Draws them; what the pointer is next to, in words.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, size: Vec2) -> Option<String> {
        let (area, response) = ui.allocate_exact_size(size, Sense::hover());
        let font = style.regular(style.caption);
        let width =
            |words: &str| ui.painter().layout_no_wrap(words.to_owned(), font.clone(), style.text).size().x;
        let names = self.curves.iter().map(|it| width(it.name)).fold(0.0, f32::max);
        let (line, left) = (1.4 * style.caption, width("0.00") + style.grid(1.0));
        let frame = Rect::from_min_max(
            area.min + vec2(left, 1.6 * line),
            area.max - vec2(names + style.grid(1.5), 2.2 * line),
        );
        if !frame.is_positive() {
            return None;
        }
        let xs = || self.curves.iter().flat_map(|it| &it.points).map(|it| it[0]);
        let (low, high) = (xs().fold(f32::MAX, f32::min), xs().fold(f32::MIN, f32::max));
        let place = |[x, y]: [f32; 2]| {
            let t = (x - low) / (high - low).max(1e-6);
            pos2(egui::lerp(frame.x_range(), t), egui::lerp(frame.bottom()..=frame.top(), self.y.place(y)))
        };
        let painter = ui.painter();
        for t in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let y = egui::lerp(frame.bottom()..=frame.top(), t);
            painter.hline(frame.x_range(), y, style.hair());
            let words = short(self.y.at(t));
            painter.text(
                pos2(frame.left() - style.grid(0.75), y),
                Align2::RIGHT_CENTER,
                words,
                font.clone(),
                style.secondary,
            );
        }
        painter.text(area.left_top(), Align2::LEFT_TOP, self.y_label, font.clone(), style.secondary);
        for (x, words) in self.ticks {
            let at = pos2(place([*x, 0.0]).x, frame.bottom() + style.grid(0.5));
            painter.text(at, Align2::CENTER_TOP, words, font.clone(), style.secondary);
        }
        let at = pos2(frame.center().x, area.bottom());
        painter.text(at, Align2::CENTER_BOTTOM, self.x_label, font.clone(), style.secondary);
        for curve in self.curves {
            self::line(ui, style, curve, &place);
        }
        self.names(ui, style, &place, frame.right());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.y_label));
        self.nearest(response.hover_pos()?, &place, style)
    }

    /// The names at the right, apart from each other.
    fn names(&self, ui: &egui::Ui, style: &Style, place: &dyn Fn([f32; 2]) -> Pos2, right: f32) {
        let mut ends: Vec<(f32, &Curve<'_>)> =
            self.curves.iter().filter_map(|it| Some((place(*it.points.last()?).y, it))).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f32::MIN;
        for (y, curve) in ends {
            let y = y.max(last + 1.2 * style.caption);
            last = y;
            let at = pos2(right + style.grid(1.0), y);
            let font = style.regular(style.caption);
            ui.painter().text(at, Align2::LEFT_CENTER, curve.name, font, style.hue(curve.hue));
        }
    }

    fn nearest(&self, pos: Pos2, place: &dyn Fn([f32; 2]) -> Pos2, style: &Style) -> Option<String> {
        let points = self.curves.iter().flat_map(|it| it.points.iter().map(move |at| (it, *at)));
        let distance = |at: [f32; 2]| place(at).distance(pos);
        let (curve, at) = points.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))?;
        let near = distance(at) < style.grid(4.0);
        let tick =
            self.ticks.iter().find(|it| it.0 == at[0]).map_or_else(|| number(at[0]), |it| it.1.clone());
        near.then(|| format!("{}, {} {tick}: {} {}", curve.name, self.x_label, self.y_label, number(at[1])))
    }
}

fn line(ui: &egui::Ui, style: &Style, curve: &Curve<'_>, place: &dyn Fn([f32; 2]) -> Pos2) {
    let points: Vec<Pos2> = curve.points.iter().map(|it| place(*it)).collect();
    let stroke = Stroke::new(2.0 * style.scale, style.hue(curve.hue));
    if curve.dashed {
        ui.painter().extend(Shape::dashed_line(&points, stroke, style.grid(0.75), style.grid(0.5)));
    } else {
        for at in points.iter().filter(|_| points.len() <= 32) {
            ui.painter().circle_filled(*at, 3.0 * style.scale, stroke.color);
        }
        ui.painter().line(points, stroke);
    }
}
