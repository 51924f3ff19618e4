//! Series of points in one frame: curves, bands, dots and references, and handles that can be dragged.

use egui::{Align2, Pos2, Rect, Role, Sense, Shape, Stroke, Vec2, WidgetInfo, pos2, vec2};

use super::number::short;
use super::{Range, Style, number};

/// How the points of a series are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A line through them, and the points where they are few.
    #[default]
    Line,
    /// A dashed line: a reference rather than a result.
    Dashed,
    /// A thin line without its points: a height, or a place of equal values.
    Contour,
    /// The points alone.
    Dots,
    /// What lies inside the line through them: there and back, as a band around a mean.
    Area,
}

/// Points that belong together.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What it is, written at its end; nothing if empty.
    pub name: String,
    /// Which of the hues it has: the same for the same thing in every picture.
    pub hue: usize,
    /// Its points, in the order in which they are joined.
    pub points: Vec<[f32; 2]>,
    /// How it is drawn.
    pub form: Form,
}

/// A point that can be dragged.
#[derive(Clone, Debug)]
pub struct Handle {
    /// What it changes, in words.
    pub name: String,
    /// Which of the hues it has.
    pub hue: usize,
    /// Where it is.
    pub at: [f32; 2],
}

/// One axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// The numbers at its ends; as far as the points reach where there are none.
    pub ends: Option<Range>,
    /// What is written along it, and where; round numbers if there are none.
    pub ticks: Vec<(f32, String)>,
}

impl Axis {
    /// An axis of this name.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// With these numbers at its ends.
    pub fn to(self, ends: Range) -> Self {
        Self { ends: Some(ends), ..self }
    }

    /// With these words along it.
    pub fn ticks(self, ticks: impl IntoIterator<Item = (f32, String)>) -> Self {
        Self { ticks: ticks.into_iter().collect(), ..self }
    }

    /// The words along it, and where they stand.
    pub(super) fn marks(&self, range: Range) -> Vec<(f32, String)> {
        if !self.ticks.is_empty() {
            let inside = |it: &&(f32, String)| it.0 >= range.min && it.0 <= range.max;
            return self.ticks.iter().filter(inside).cloned().collect();
        }
        if range.log {
            let decades = range.min.log10().ceil() as i32..=range.max.log10().floor() as i32;
            let every = (decades.clone().count() / 5 + 1) as i32;
            return decades
                .filter(|it| it % every == 0)
                .map(|it| 10f32.powi(it))
                .map(|it| (it, number(it)))
                .collect();
        }
        [0.0, 0.25, 0.5, 0.75, 1.0].map(|t| (range.at(t), short(range.at(t)))).into()
    }
}

/// Series in one frame.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// What can be dragged.
    pub handles: Vec<Handle>,
    /// Whether a unit is as long along both axes, as in a plane.
    pub plane: bool,
}

/// What the pointer does to a chart.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// What it is next to, in words.
    pub words: Option<String>,
    /// Which handle is dragged, and to where.
    pub dragged: Option<(usize, [f32; 2])>,
}

/// Where the frame is and what its ends are.
struct Plan {
    frame: Rect,
    x: Range,
    y: Range,
    /// Whether there is no height for what the axes measure.
    tight: bool,
}

impl Plan {
    fn place(&self, [x, y]: [f32; 2]) -> Pos2 {
        let along = egui::lerp(self.frame.x_range(), self.x.place(x));
        pos2(along, egui::lerp(self.frame.bottom()..=self.frame.top(), self.y.place(y)))
    }

    fn value(&self, pos: Pos2) -> [f32; 2] {
        let t = (pos - self.frame.min) / self.frame.size();
        let t = t.clamp(Vec2::ZERO, Vec2::splat(1.0));
        [self.x.at(t.x), self.y.at(1.0 - t.y)]
    }
}

impl Chart {
    /// With one more series.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, hue: usize, form: Form, points: Vec<[f32; 2]>) -> Self {
        self.series.push(Series { name: name.into(), hue, points, form });
        self
    }

    /// With one more handle.
    #[must_use]
    pub fn handle(mut self, name: impl Into<String>, hue: usize, at: [f32; 2]) -> Self {
        self.handles.push(Handle { name: name.into(), hue, at });
        self
    }

    /// The numbers at the ends of both axes.
    pub(super) fn ends(&self) -> [Range; 2] {
        let reach = |along: usize| {
            let all = || {
                self.series.iter().flat_map(|it| &it.points).map(|it| it[along]).filter(|it| it.is_finite())
            };
            (all().fold(f32::MAX, f32::min), all().fold(f32::MIN, f32::max))
        };
        let (low, high) = reach(0);
        let wide = Range { min: low, max: high.max(low + 1e-6), log: false };
        let (low, high) = reach(1);
        [self.x.ends.unwrap_or(wide), self.y.ends.unwrap_or_else(|| Range::round(low, high))]
    }

    /// Draws it.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, size: Vec2) -> Touched {
        let (area, response) = ui.allocate_exact_size(size, Sense::click());
        let Some(plan) = self.plan(ui, style, area) else { return Touched::default() };
        self.frame(ui, style, area, &plan);
        let inside =
            ui.painter().with_clip_rect(plan.frame.expand(3.0 * style.scale).intersect(ui.clip_rect()));
        for series in &self.series {
            draw(&inside, style, series, &plan);
        }
        self.names(ui, style, &plan);
        let words = response.hover_pos().and_then(|it| self.nearest(it, &plan, style));
        let mut touched = Touched { words, dragged: None };
        for (i, handle) in self.handles.iter().enumerate() {
            drag(ui, style, &plan, (i, handle), &mut touched);
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.aloud()));
        touched
    }

    /// What a screen reader says.
    fn aloud(&self) -> String {
        let names: Vec<&str> = self.series.iter().map(|it| &*it.name).filter(|it| !it.is_empty()).collect();
        format!("{} over {}: {}", self.y.label, self.x.label, names.join(", "))
    }

    fn plan(&self, ui: &egui::Ui, style: &Style, area: Rect) -> Option<Plan> {
        let font = style.regular(style.caption);
        let width =
            |words: &str| ui.painter().layout_no_wrap(words.to_owned(), font.clone(), style.text).size().x;
        let [x, y] = self.ends();
        let names = self.series.iter().map(|it| width(&it.name)).fold(0.0, f32::max);
        let left =
            self.y.marks(y).iter().map(|it| width(&it.1)).fold(width("0.00"), f32::max) + style.grid(1.0);
        let line = 1.4 * style.caption;
        let names = if names > 0.0 { names + style.grid(1.5) } else { style.grid(2.0) };
        let tight = area.height() < 5.5 * line;
        let [above, below] = if tight { [0.6, 1.3] } else { [1.6, 2.2] }.map(|it| it * line);
        let mut frame = Rect::from_min_max(area.min + vec2(left, above), area.max - vec2(names, below));
        if self.plane {
            let (wide, high) = (x.max - x.min, y.max - y.min);
            let unit = (frame.width() / wide).min(frame.height() / high);
            frame = Rect::from_center_size(frame.center(), vec2(wide, high) * unit);
        }
        frame.is_positive().then_some(Plan { frame, x, y, tight })
    }

    /// The frame with what is written around it.
    fn frame(&self, ui: &egui::Ui, style: &Style, area: Rect, plan: &Plan) {
        let (painter, font, frame) = (ui.painter(), style.regular(style.caption), plan.frame);
        let write = |at: Pos2, anchor: Align2, words: &str| {
            painter.text(at, anchor, words, font.clone(), style.secondary);
        };
        let across = self.y.marks(plan.y).into_iter();
        let across = across.map(|(value, words)| (plan.place([plan.x.min, value]).y, words));
        for (y, words) in thinned(across.collect(), |_| 1.3 * style.caption) {
            painter.hline(frame.x_range(), y, style.hair());
            write(pos2(frame.left() - style.grid(0.75), y), Align2::RIGHT_CENTER, &words);
        }
        if !plan.tight {
            write(pos2(area.left(), frame.top() - 2.2 * style.caption), Align2::LEFT_TOP, &self.y.label);
        }
        let width = |words: &str| {
            let words = ui.painter().layout_no_wrap(words.to_owned(), font.clone(), style.text);
            words.size().x + style.grid(0.5)
        };
        // The last one stays out of the names' way.
        let named = self.series.iter().any(|it| !it.name.is_empty());
        let along = self.x.marks(plan.x).into_iter().map(|(value, words)| {
            let x = plan.place([value, plan.y.min]).x;
            let last = frame.right() + style.grid(0.5) - width(&words) / 2.0;
            (if named { x.min(last) } else { x }, words)
        });
        for (x, words) in thinned(along.collect(), width) {
            write(pos2(x, frame.bottom() + style.grid(0.5)), Align2::CENTER_TOP, &words);
        }
        let foot = (frame.bottom() + 3.1 * style.caption).min(area.bottom());
        if !plan.tight {
            write(pos2(frame.center().x, foot), Align2::CENTER_BOTTOM, &self.x.label);
        }
    }

    /// The names at the right, apart from each other and above the foot of the frame, where the horizontal axis has its words.
    fn names(&self, ui: &egui::Ui, style: &Style, plan: &Plan) {
        let named = self.series.iter().filter(|it| !it.name.is_empty());
        let mut ends: Vec<(f32, &Series)> =
            named.filter_map(|it| Some((plan.place(*it.points.last()?).y, it))).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let line = 1.2 * style.caption;
        let mut last = f32::MIN;
        for (y, _) in &mut ends {
            *y = y.max(last + line);
            last = *y;
        }
        let mut next = plan.frame.bottom() + 0.7 * line;
        for (y, series) in ends.iter_mut().rev() {
            *y = y.min(next - line);
            next = *y;
            let at = pos2(plan.frame.right() + style.grid(1.0), *y);
            let font = style.regular(style.caption);
            ui.painter().text(at, Align2::LEFT_CENTER, &series.name, font, style.hue(series.hue));
        }
    }

    /// What the point next to the pointer says.
    fn nearest(&self, pos: Pos2, plan: &Plan, style: &Style) -> Option<String> {
        let said = self.series.iter().filter(|it| !matches!(it.form, Form::Area | Form::Contour));
        let points = said.flat_map(|it| it.points.iter().map(move |at| (&it.name, *at)));
        let distance = |at: [f32; 2]| plan.place(at).distance(pos);
        let (name, at) = points.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))?;
        let tick =
            self.x.ticks.iter().find(|it| it.0 == at[0]).map_or_else(|| number(at[0]), |it| it.1.clone());
        let (x, y) = (&self.x.label, &self.y.label);
        let words =
            format!("{name}{}{x} {tick}: {y} {}", if name.is_empty() { "" } else { ", " }, number(at[1]));
        (distance(at) < style.grid(4.0)).then_some(words)
    }
}

/// Every mark, every second or every fourth: as many as stand apart, where each is at its place and takes `room` of its words.
fn thinned(mut marks: Vec<(f32, String)>, room: impl Fn(&str) -> f32) -> Vec<(f32, String)> {
    let touch =
        |pair: &[(f32, String)]| 2.0 * (pair[0].0 - pair[1].0).abs() < room(&pair[0].1) + room(&pair[1].1);
    for _ in 0..2 {
        if marks.windows(2).any(touch) {
            marks = marks.into_iter().step_by(2).collect();
        }
    }
    marks
}

/// Draws a handle and lets it be dragged, with the pointer or, where it has the focus, with arrow keys.
fn drag(ui: &mut egui::Ui, style: &Style, plan: &Plan, (i, handle): (usize, &Handle), touched: &mut Touched) {
    let (at, radius) = (plan.place(handle.at), style.grid(0.75));
    let room = Rect::from_center_size(at, Vec2::splat(4.0 * radius));
    let response = ui.interact(room, ui.scope_id().with(("handle", i)), Sense::drag() | Sense::FOCUSABLE);
    let lit = response.hovered() || response.dragged() || response.has_focus();
    ui.painter().circle(
        at,
        if lit { 1.3 * radius } else { radius },
        style.hue(handle.hue),
        Stroke::new(2.0 * style.scale, if lit { style.accent } else { style.surface }),
    );
    if response.dragged()
        && let Some(pos) = response.interact_pointer_pos()
    {
        touched.dragged = Some((i, plan.value(pos)));
    } else if response.has_focus() {
        let keys = [egui::Key::ArrowLeft, egui::Key::ArrowRight, egui::Key::ArrowUp, egui::Key::ArrowDown];
        let filter =
            egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|it| it.set_focus_lock_filter(response.id, filter));
        let [left, right, up, down] = keys.map(|key| ui.input(|it| it.num_presses(key)) as f32);
        let step = vec2(right - left, down - up) * 0.01 * plan.frame.size();
        if step != Vec2::ZERO {
            touched.dragged = Some((i, plan.value(at + step)));
        }
    }
    let words = format!("{}: {}, {}", handle.name, number(handle.at[0]), number(handle.at[1]));
    if lit {
        touched.words = Some(words.clone());
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &words));
    response.on_hover_cursor(egui::CursorIcon::Grab);
}

fn draw(painter: &egui::Painter, style: &Style, series: &Series, plan: &Plan) {
    let points: Vec<Pos2> =
        series.points.iter().map(|it| plan.place(*it)).filter(|it| !it.any_nan()).collect();
    let stroke = Stroke::new(2.0 * style.scale, style.hue(series.hue));
    let dots = |radius: f32| {
        for at in &points {
            painter.circle_filled(*at, radius * style.scale, stroke.color);
        }
    };
    match series.form {
        Form::Dashed => {
            painter.extend(Shape::dashed_line(&points, stroke, style.grid(0.75), style.grid(0.5)));
        }
        Form::Contour => {
            painter.line(points, Stroke::new(style.scale, stroke.color.gamma_multiply(0.6)));
        }
        Form::Dots => dots(3.0),
        Form::Area => {
            // There and back: strips between points that lie above each other, as a band need not be convex.
            let (half, fill) = (points.len() / 2, stroke.color.gamma_multiply(0.25));
            for i in 1..half {
                let strip =
                    [points[i - 1], points[i], points[points.len() - 1 - i], points[points.len() - i]];
                painter.add(Shape::convex_polygon(strip.into(), fill, Stroke::NONE));
            }
        }
        Form::Line => {
            if points.len() <= 32 {
                dots(3.0);
            }
            painter.line(points, stroke);
        }
    }
}
