//! One map, large, with its tokens on both axes.

use egui::epaint::TextShape;
use egui::{Align2, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Vec2, WidgetInfo, pos2, vec2};

use super::tokens::{ink, label, lit};
use super::{Hit, Maps, Style};
use crate::focus::Spot;

/// One map, large: rows are queries, columns keys, the first token is top left.
pub struct Axes<'a> {
    /// The tensor that holds the map.
    pub maps: Maps<'a>,
    /// Which map of it.
    pub map: usize,
    /// Tokens of the rows.
    pub queries: &'a [String],
    /// Tokens of the columns.
    pub keys: &'a [String],
    /// What is lit: its row and column get a cross-hair.
    pub spot: Spot,
    /// What the map is, in words, for a screen reader: "layer 3, head 7".
    pub name: &'a str,
}

impl Axes<'_> {
    /// Draws the map as large as the width allows, at most `height` points high with its labels.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, height: f32) -> Hit {
        let plan = Plan::new(self, ui, style, vec2(ui.available_width(), height));
        let (area, response) = ui.allocate_exact_size(plan.size, Sense::click());
        let map = plan.map.translate(area.min.to_vec2());
        self.maps.paint(ui, style, &[(self.map, map)]);
        let painter = ui.painter();
        painter.rect_stroke(map, 0, style.hair(), StrokeKind::Outside);
        painter.text(area.min, Align2::LEFT_TOP, WORDS, style.regular(style.caption), style.secondary);
        plan.row_labels(self, ui, style, map);
        plan.column_labels(self, ui, style, map);
        plan.cross_hair(self.spot, ui, style, map);
        let at = response.interact_pointer_pos().or(response.hover_pos());
        let (query, key) = at.map_or((None, None), |at| plan.under(at, map));
        response.widget_info(|| {
            let lit = lit(self.queries, self.keys, self.spot);
            let (rows, columns) = (self.queries.len(), self.keys.len());
            WidgetInfo::labeled(
                Role::Image,
                true,
                format!("{}: {rows} queries by {columns} keys{lit}", self.name),
            )
        });
        Hit { query, key, clicked: response.clicked(), response }
    }
}

/// How the axes read, said on the picture.
const WORDS: &str = "query ↓ looks at key →";

/// Sine of the slant of column labels: 45 degrees, steeper where cells are narrower than a label needs.
fn slant(line: f32, cell: f32) -> f32 {
    (line / cell).clamp(std::f32::consts::FRAC_1_SQRT_2, 1.0)
}

/// Where everything is, from the top left corner of the widget.
struct Plan {
    size: Vec2,
    map: Rect,
    cell: Vec2,
    /// Angle of the column labels, which are slanted where they are wider than a cell.
    angle: Option<f32>,
    /// Distance of two labels that do not touch.
    line: f32,
    /// Between labels and map.
    gap: f32,
}

impl Plan {
    fn new(axes: &Axes<'_>, ui: &egui::Ui, style: &Style, space: Vec2) -> Self {
        let font = style.mono(style.caption);
        let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
        let words = ui.fonts_mut(|fonts| {
            let font = style.regular(style.caption);
            fonts.layout_no_wrap(WORDS.to_owned(), font, style.secondary).size()
        });
        let lengths = |tokens: &[String]| -> Vec<f32> {
            tokens.iter().map(|token| label(token).chars().count() as f32 * advance).collect()
        };
        let longest = |lengths: &[f32]| lengths.iter().copied().fold(0.0, f32::max);
        let (rows, columns) = (lengths(axes.queries), lengths(axes.keys));
        let (line, gap) = (style.caption * 1.12, style.grid(1.0));
        let (left, count) =
            (longest(&rows) + gap, vec2(columns.len() as f32, rows.len() as f32).max(Vec2::splat(1.0)));
        let mut plan = Self { size: space, map: Rect::ZERO, cell: Vec2::splat(0.0), angle: None, line, gap };
        // The labels need room that depends on the cells' size, which depends on the room: three rounds settle it.
        let mut cell = (space.x - left) / count.x;
        for _ in 0..3 {
            plan.angle = (longest(&columns) + gap > cell).then(|| slant(line, cell).asin());
            let (sin, cos) = plan.angle.map_or((0.0, 1.0), f32::sin_cos);
            let band = longest(&columns) * sin + line * cos;
            let first = columns.first().copied().unwrap_or(0.0);
            let beside = left + plan.angle.map_or(0.0, |_| (cell - line) / 2.0 + first * cos);
            let top = band + gap + if words.x + gap > beside { words.y + gap / 2.0 } else { 0.0 };
            let overhang =
                |(j, length): (usize, &f32)| (length + line) * cos - (count.x - j as f32 - 0.5) * cell;
            let right = columns.iter().enumerate().map(overhang).fold(0.0, f32::max);
            let right = if plan.angle.is_some() { right } else { 0.0 };
            let fit = (space - vec2(left + right, top)) / count;
            cell = fit.min_elem().clamp(1.0 / ui.pixels_per_point(), 72.0 * style.scale);
            plan.map = Rect::from_min_size(pos2(left, top), snap(cell, ui.pixels_per_point()) * count);
            plan.size = plan.map.max.to_vec2() + vec2(right + style.hair().width, style.hair().width);
        }
        plan.cell = plan.map.size() / count;
        plan.angle = plan.angle.map(|_| slant(line, plan.cell.x).asin());
        plan
    }

    fn row_labels(&self, axes: &Axes<'_>, ui: &egui::Ui, style: &Style, map: Rect) {
        let shown = Shown { step: self.line / self.cell.y, lit: axes.spot.query };
        for i in shown.of(axes.queries.len()) {
            let at = pos2(map.left() - self.gap, map.top() + (i as f32 + 0.5) * self.cell.y);
            let colour = ink(style, &axes.queries[i], axes.spot.query == Some(i));
            ui.painter().text(
                at,
                Align2::RIGHT_CENTER,
                label(&axes.queries[i]),
                style.mono(style.caption),
                colour,
            );
        }
    }

    fn column_labels(&self, axes: &Axes<'_>, ui: &egui::Ui, style: &Style, map: Rect) {
        let apart = self.angle.map_or(0.0, |angle| self.line / angle.sin());
        let shown = Shown { step: apart / self.cell.x, lit: axes.spot.key };
        for j in shown.of(axes.keys.len()) {
            let at = pos2(map.left() + (j as f32 + 0.5) * self.cell.x, map.top() - self.gap);
            let colour = ink(style, &axes.keys[j], axes.spot.key == Some(j));
            let (text, font) = (label(&axes.keys[j]), style.mono(style.caption));
            if let Some(angle) = self.angle {
                let galley = ui.painter().layout_no_wrap(text.into_owned(), font, colour);
                let shape = TextShape::new(at - vec2(0.0, galley.size().y / 2.0), galley, colour);
                ui.painter().add(shape.with_angle_and_anchor(-angle, Align2::LEFT_CENTER));
            } else {
                ui.painter().text(at, Align2::CENTER_BOTTOM, text, font, colour);
            }
        }
    }

    /// Frames the lit row and column from edge to edge.
    fn cross_hair(&self, spot: Spot, ui: &egui::Ui, style: &Style, map: Rect) {
        let stroke = Stroke::new(1.5 * style.scale, style.accent);
        let frame = |rect: Rect| {
            ui.painter().rect_stroke(rect, 0, stroke, StrokeKind::Middle);
        };
        if let Some(i) = spot.query.filter(|&i| i < (map.height() / self.cell.y).round() as usize) {
            let top = map.top() + i as f32 * self.cell.y;
            frame(Rect::from_x_y_ranges(map.x_range(), top..=top + self.cell.y));
        }
        if let Some(j) = spot.key.filter(|&j| j < (map.width() / self.cell.x).round() as usize) {
            let left = map.left() + j as f32 * self.cell.x;
            frame(Rect::from_x_y_ranges(left..=left + self.cell.x, map.y_range()));
        }
    }

    /// Row and column under `at`; one of them alone beside the map, on its labels.
    fn under(&self, at: Pos2, map: Rect) -> (Option<usize>, Option<usize>) {
        let index = |place: f32, length: f32, cell: f32| {
            (place >= 0.0 && place < length).then(|| (place / cell) as usize)
        };
        // A slanted label is over its column only at its foot.
        let lean = self.angle.map_or(0.0, |angle| (map.top() - self.gap - at.y).max(0.0) / angle.tan());
        let row = index(at.y - map.top(), map.height(), self.cell.y).filter(|_| at.x < map.right());
        let column =
            index(at.x - lean - map.left(), map.width(), self.cell.x).filter(|_| at.y < map.bottom());
        (row, column)
    }
}

/// A whole number of pixels, where cells are large enough for the difference to be small.
fn snap(cell: f32, pixels_per_point: f32) -> f32 {
    let pixels = cell * pixels_per_point;
    if pixels < 4.0 { cell } else { pixels.floor() / pixels_per_point }
}

/// Which labels are shown: as many as do not touch, at equal distances, and always the lit one.
struct Shown {
    /// Labels that lie under one label.
    step: f32,
    lit: Option<usize>,
}

impl Shown {
    fn of(&self, count: usize) -> Vec<usize> {
        // Half a percent of a label may touch: a step that equals the cell but for rounding skips none.
        let every = ((self.step - 0.005).ceil() as usize).max(1);
        let lit = self.lit.filter(|&lit| lit < count);
        let free = |i: &usize| lit.is_none_or(|lit| i.abs_diff(lit) as f32 >= self.step);
        (0..count).step_by(every).filter(free).chain(lit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn labels_do_not_touch_and_the_lit_one_is_shown() {
        assert_eq!(Shown { step: 0.5, lit: None }.of(4), [0, 1, 2, 3]);
        assert_eq!(Shown { step: 0.5, lit: Some(2) }.of(4), [0, 1, 3, 2]);
        assert_eq!(Shown { step: 2.5, lit: Some(4) }.of(10), [0, 9, 4]);
        assert_eq!(Shown { step: 2.5, lit: Some(40) }.of(4), [0, 3], "what is out of range is not lit");
    }
}
