//! One map, large, with its tokens on both axes.

use egui::epaint::TextShape;
use egui::{
    Align2, Pos2, Rangef, Rect, Response, Role, Sense, Stroke, StrokeKind, UiBuilder, Vec2, WidgetInfo, pos2,
    vec2,
};

use super::scale::colour;
use super::tokens::{ink, label, lit};
use super::{Hit, Maps, Scale, Style};
use crate::focus::Spot;

/// One map, large: rows are queries, columns keys, the first token is top left.
pub struct Axes<'a> {
    /// The tensor that holds the map.
    pub maps: Maps<'a>,
    /// Which map of it.
    pub map: usize,
    /// What rows and columns are: "query", "key".
    pub axes: [&'static str; 2],
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
    /// Draws the map as large as the width allows, at most `height` points high with its labels. Ctrl and the wheel, or two
    /// fingers, zoom into it.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, height: f32) -> Hit {
        let space = vec2(ui.available_width(), height);
        let mut plan = Plan::new(self, ui, style, space, true);
        if plan.map.height() < 0.5 * space.y.min(space.x) {
            // Where they would take more room than the map, columns go without words: they are those of the rows.
            plan = Plan::new(self, ui, style, space, false);
        }
        let (area, response) = ui.allocate_exact_size(plan.size, Sense::click());
        plan.map = plan.map.translate(area.min.to_vec2());
        let view = zoom(ui, &response, plan.map, plan.map.size() / plan.cell);
        plan.look(view);
        self.cells(ui, style, &plan);
        let painter = ui.painter();
        painter.rect_stroke(plan.map, 0, style.hair(), StrokeKind::Outside);
        plan.row_labels(self, ui, style);
        if plan.named {
            painter.text(
                area.min,
                Align2::LEFT_TOP,
                self.words(),
                style.regular(style.caption),
                style.secondary,
            );
            plan.column_labels(self, ui, style);
        }
        plan.cross_hair(self, ui, style);
        let at = response.interact_pointer_pos().or(response.hover_pos());
        let (query, key) = at.map_or((None, None), |at| plan.under(at));
        response.widget_info(|| {
            let lit = lit(self.queries, self.keys, self.spot);
            let (rows, columns) = (self.queries.len(), self.keys.len());
            WidgetInfo::labeled(
                Role::Image,
                true,
                format!("{}: {rows} x {columns}, {} by {}{lit}", self.name, self.axes[0], self.axes[1]),
            )
        });
        Hit { query, key, clicked: response.clicked(), response }
    }

    /// How the axes read, said on the picture.
    fn words(&self) -> String {
        let verb = if self.axes == ["query", "key"] { "looks at " } else { "" };
        format!("{} ↓ {verb}{} →", self.axes[0], self.axes[1])
    }

    /// The map, as much of it as is in view.
    fn cells(&self, ui: &mut egui::Ui, style: &Style, plan: &Plan) {
        let mut inside = ui.new_child(UiBuilder::new().max_rect(plan.map));
        inside.shrink_clip_rect(plan.map);
        self.maps.paint(&inside, style, &[(self.map, plan.whole)]);
        if plan.cell.min_elem() * ui.pixels_per_point() <= 1.0 {
            self.peaks(&inside, style, plan);
        }
    }

    /// Marks the strongest cell of every row, where cells are too small to be seen.
    fn peaks(&self, ui: &egui::Ui, style: &Style, plan: &Plan) {
        let (rows, cols) = (self.maps.rows, self.maps.cols);
        let Some(values) = self.maps.tensor.window(self.map * rows * cols..(self.map + 1) * rows * cols)
        else {
            return;
        };
        let signed = self.maps.scale == Scale::Diverging;
        let size = |x: f32| if signed { x.abs() } else { x };
        for (i, row) in values.chunks_exact(cols.max(1)).enumerate() {
            let Some((j, most)) =
                row.iter().copied().enumerate().max_by(|a, b| size(a.1).total_cmp(&size(b.1)))
            else {
                continue;
            };
            // Of what is divided by its row's largest, the largest is one.
            let shade = if self.maps.peak.is_some_and(|it| it.per_row) { 1.0 } else { most };
            let colour = colour(self.maps.scale, style.dark, self.maps.range.place(shade));
            if size(most) > 0.0 {
                let at = plan.whole.min + vec2(j as f32 + 0.5, i as f32 + 0.5) * plan.cell;
                ui.painter().circle_filled(at, 1.75 * style.scale, colour);
            }
        }
    }
}

/// The part of the map that is in view, of a unit square. Ctrl and the wheel or two fingers change its size, the wheel or a
/// drag move it, and a double click shows the whole map.
fn zoom(ui: &egui::Ui, response: &Response, map: Rect, cells: Vec2) -> Rect {
    let id = response.id.with("zoom");
    let unit = Rect::from_min_size(Pos2::ZERO, Vec2::splat(1.0));
    let before: Rect = ui.data(|it| it.get_temp(id)).unwrap_or(unit);
    let mut view = if response.double_clicked() { unit } else { before };
    if let Some(at) = response.hover_pos().filter(|at| map.contains(*at)) {
        let place = (at - map.min) / map.size();
        let (factor, scroll) = ui.input(|it| (it.zoom_delta(), it.smooth_scroll_delta()));
        // At least four cells stay in view.
        let least = (4.0 / cells.max_elem().max(4.0)).min(1.0);
        let size = (view.size() / factor).clamp(Vec2::splat(least), Vec2::splat(1.0));
        view = Rect::from_min_size(view.min + place * view.size() - place * size, size);
        if view != unit {
            view = view.translate(-scroll / map.size() * view.size());
            // What moves the map does not scroll the tile.
            ui.input_mut(|it| it.smooth_scroll_delta = Vec2::ZERO);
        }
    }
    if before != unit {
        let drag = response.interact(Sense::drag());
        view = view.translate(-drag.drag_delta() / map.size() * view.size());
    }
    let free = Vec2::splat(1.0) - view.size();
    let view = Rect::from_min_size(view.min.clamp(Pos2::ZERO, free.to_pos2()), view.size());
    ui.data_mut(|it| it.insert_temp(id, view));
    view
}

/// Sine of the slant of column labels: 45 degrees, steeper where cells are narrower than a label needs.
fn slant(line: f32, cell: f32) -> f32 {
    (line / cell).clamp(std::f32::consts::FRAC_1_SQRT_2, 1.0)
}

/// Where everything is, from the top left corner of the widget.
struct Plan {
    size: Vec2,
    /// Where the map is seen.
    map: Rect,
    /// Where it would be if all of it were seen.
    whole: Rect,
    cell: Vec2,
    /// Whether columns have labels.
    named: bool,
    /// Angle of the column labels, which are slanted where they are wider than a cell.
    angle: Option<f32>,
    /// Distance of two labels that do not touch.
    line: f32,
    /// Between labels and map.
    gap: f32,
}

impl Plan {
    fn new(axes: &Axes<'_>, ui: &egui::Ui, style: &Style, space: Vec2, named: bool) -> Self {
        let font = style.mono(style.caption);
        let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
        let words = ui.fonts_mut(|fonts| {
            let font = style.regular(style.caption);
            fonts.layout_no_wrap(axes.words(), font, style.secondary).size()
        });
        let lengths = |tokens: &[String]| -> Vec<f32> {
            tokens.iter().map(|token| label(token).chars().count() as f32 * advance).collect()
        };
        let longest = |lengths: &[f32]| lengths.iter().copied().fold(0.0, f32::max);
        let (rows, columns) = (lengths(axes.queries), lengths(axes.keys));
        let (line, gap) = (style.caption * 1.12, style.grid(1.0));
        let (left, count) =
            (longest(&rows) + gap, vec2(columns.len() as f32, rows.len() as f32).max(Vec2::splat(1.0)));
        let (map, whole, cell) = (Rect::ZERO, Rect::ZERO, Vec2::ZERO);
        let mut plan = Self { size: space, map, whole, cell, named, angle: None, line, gap };
        // The labels need room that depends on the cells' size, which depends on the room: three rounds settle it.
        let mut cell = (space.x - left) / count.x;
        for _ in 0..3 {
            plan.angle = (longest(&columns) + gap > cell).then(|| slant(line, cell).asin());
            let (sin, cos) = plan.angle.map_or((0.0, 1.0), f32::sin_cos);
            let band = longest(&columns) * sin + line * cos;
            let first = columns.first().copied().unwrap_or(0.0);
            let beside = left + plan.angle.map_or(0.0, |_| (cell - line) / 2.0 + first * cos);
            let above = band + gap + if words.x + gap > beside { words.y + gap / 2.0 } else { 0.0 };
            let top = if named { above } else { style.hair().width };
            let overhang =
                |(j, length): (usize, &f32)| (length + line) * cos - (count.x - j as f32 - 0.5) * cell;
            let right = columns.iter().enumerate().map(overhang).fold(0.0, f32::max);
            let right = if named && plan.angle.is_some() { right } else { 0.0 };
            let fit = (space - vec2(left + right, top)) / count;
            cell = fit.min_elem().clamp(0.05, 72.0 * style.scale);
            plan.map = Rect::from_min_size(pos2(left, top), snap(cell, ui.pixels_per_point()) * count);
            plan.size = plan.map.max.to_vec2() + vec2(right + style.hair().width, style.hair().width);
        }
        plan.cell = plan.map.size() / count;
        plan.angle = plan.angle.map(|_| slant(line, plan.cell.x).asin());
        plan
    }

    /// Takes the part `view` of a unit square into view.
    fn look(&mut self, view: Rect) {
        let size = self.map.size() / view.size();
        self.whole = Rect::from_min_size(self.map.min - view.min.to_vec2() * size, size);
        self.cell = self.cell / view.size();
    }

    fn row_labels(&self, axes: &Axes<'_>, ui: &egui::Ui, style: &Style) {
        let shown = Shown { step: self.line / self.cell.y, lit: axes.spot.query };
        for i in shown.of(axes.queries.len()) {
            let at = pos2(self.map.left() - self.gap, self.whole.top() + (i as f32 + 0.5) * self.cell.y);
            if !self.map.y_range().contains(at.y) {
                continue;
            }
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

    fn column_labels(&self, axes: &Axes<'_>, ui: &egui::Ui, style: &Style) {
        let apart = self.angle.map_or(0.0, |angle| self.line / angle.sin());
        let shown = Shown { step: apart / self.cell.x, lit: axes.spot.key };
        for j in shown.of(axes.keys.len()) {
            let at = pos2(self.whole.left() + (j as f32 + 0.5) * self.cell.x, self.map.top() - self.gap);
            if !self.map.x_range().contains(at.x) {
                continue;
            }
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
    fn cross_hair(&self, axes: &Axes<'_>, ui: &egui::Ui, style: &Style) {
        let stroke = Stroke::new(1.5 * style.scale, style.accent);
        let painter = ui.painter().with_clip_rect(self.map.expand(stroke.width).intersect(ui.clip_rect()));
        let frame = |rect: Rect| {
            painter.rect_stroke(rect, 0, stroke, StrokeKind::Middle);
        };
        if let Some(i) = axes.spot.query.filter(|i| *i < axes.queries.len()) {
            let top = self.whole.top() + i as f32 * self.cell.y;
            frame(Rect::from_x_y_ranges(self.whole.x_range(), top..=top + self.cell.y));
        }
        if let Some(j) = axes.spot.key.filter(|j| *j < axes.keys.len()) {
            let left = self.whole.left() + j as f32 * self.cell.x;
            frame(Rect::from_x_y_ranges(left..=left + self.cell.x, self.whole.y_range()));
        }
    }

    /// Row and column under `at`; one of them alone beside the map, on its labels.
    fn under(&self, at: Pos2) -> (Option<usize>, Option<usize>) {
        let map = self.map;
        let index = |place: f32, seen: Rangef, first: f32, cell: f32| {
            (place >= seen.min && place < seen.max).then(|| ((place - first) / cell) as usize)
        };
        // A slanted label is over its column only at its foot.
        let lean = self.angle.map_or(0.0, |angle| (map.top() - self.gap - at.y).max(0.0) / angle.tan());
        let row = index(at.y, map.y_range(), self.whole.top(), self.cell.y).filter(|_| at.x < map.right());
        let column = index(at.x - lean, map.x_range(), self.whole.left(), self.cell.x);
        (row, column.filter(|_| at.y < map.bottom()))
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
