//! Series and bars as plotters' own charts.

use plotters::chart::ChartContext;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue, SegmentedCoord};
use plotters::coord::types::{RangedCoordf32, RangedCoordusize};
use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::{
    ChartBuilder, Circle, DashedLineSeries, DrawingArea, DrawingBackend, LineSeries, PathElement, Polygon,
    Rectangle, SeriesLabelPosition,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle};

use super::Body;
use super::sheet::{Drawn, TEXT, ink};
use crate::ui::chart::Series;
use crate::ui::number::short;
use crate::ui::{Bars, Chart, Form, Range, Style};

/// Type size, in points; plotters' sizes are line heights, 1.24 of the em.
const SIZE: f32 = 12.0 * 1.24;

/// A frame whose axes are numbers.
type Plane<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf32, RangedCoordf32>>;

/// A frame of rows.
type Rows<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf32, SegmentedCoord<RangedCoordusize>>>;

/// How a chart is drawn: the theme and the pixels of a point.
struct Look<'a> {
    style: &'a Style,
    density: f32,
}

/// Draws a chart or bars onto the whole of `area`; cells have a sheet of their own.
pub(super) fn draw<B: DrawingBackend>(
    body: &Body,
    style: &Style,
    density: f32,
    area: &DrawingArea<B, Shift>,
) -> Drawn<B> {
    let look = Look { style, density };
    match body {
        Body::Table(_) => Ok(()),
        Body::Chart(chart) => look.chart(chart, area),
        Body::Bars(bars) => look.bars(bars, area),
    }
}

/// Where a value stands: plotters chooses round numbers on this axis.
fn place(range: Range, x: f32) -> f32 {
    if range.log { x.max(range.min).log10() } else { x }
}

fn ends(range: Range) -> std::ops::Range<f32> {
    place(range, range.min)..place(range, range.max)
}

fn value(range: Range, t: f32) -> f32 {
    if range.log { 10f32.powf(t) } else { t }
}

impl Look<'_> {
    fn pixels(&self, points: f32) -> u32 {
        (points * self.density) as u32
    }

    fn text(&self) -> TextStyle<'static> {
        let size = f64::from(SIZE * self.density);
        let font = FontDesc::new(FontFamily::Name(TEXT), size, FontStyle::Normal);
        let (color, pos) = (ink(self.style.text).to_backend_color(), Pos::new(HPos::Left, VPos::Top));
        TextStyle { font, color, pos }
    }

    fn stroke(&self, hue: usize) -> ShapeStyle {
        ink(self.style.hue(hue)).stroke_width(self.pixels(2.0).max(1))
    }

    fn chart<B: DrawingBackend>(&self, chart: &Chart, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let [x, y] = chart.ends();
        let mut frame = ChartBuilder::on(area)
            .margin(self.pixels(8.0))
            .x_label_area_size(self.pixels(44.0))
            .y_label_area_size(self.pixels(64.0))
            .build_cartesian_2d(ends(x), ends(y))?;
        // A tick that the screen names keeps its name; between them nothing is written.
        let named = |ticks: &[(f32, String)], range: Range, t: f32| {
            let at = value(range, t);
            let near = |it: &&(f32, String)| (it.0 - at).abs() <= 1e-3 * (range.max - range.min).abs();
            match ticks {
                [] => short(at),
                _ => ticks.iter().find(near).map_or_else(String::new, |it| it.1.clone()),
            }
        };
        frame
            .configure_mesh()
            .light_line_style(RGBAColor(0, 0, 0, 0.0))
            .bold_line_style(ink(self.style.hairline))
            .axis_style(ink(self.style.secondary))
            .label_style(self.text())
            .axis_desc_style(self.text())
            .x_labels(8)
            .y_labels(6)
            .x_desc(&chart.x.label)
            .y_desc(&chart.y.label)
            .x_label_formatter(&|t| named(&chart.x.ticks, x, *t))
            .y_label_formatter(&|t| named(&chart.y.ticks, y, *t))
            .draw()?;
        for series in &chart.series {
            let at = |it: &[f32; 2]| (place(x, it[0]), place(y, it[1]));
            self.series(&mut frame, series, series.points.iter().map(at).collect())?;
        }
        self.legend(&mut frame, SeriesLabelPosition::UpperRight)
    }

    fn series<B: DrawingBackend>(
        &self,
        frame: &mut Plane<'_, B>,
        series: &Series,
        points: Vec<(f32, f32)>,
    ) -> Drawn<B> {
        let stroke = self.stroke(series.hue);
        let (dot, dash) = (self.pixels(3.0) as i32, self.pixels(6.0) as i32);
        let circle = |at: (f32, f32)| Circle::new(at, dot, stroke.filled());
        let drawn = match series.form {
            Form::Line => frame.draw_series(LineSeries::new(points, stroke))?,
            Form::Contour => {
                let thin = ink(self.style.hue(series.hue)).mix(0.6).stroke_width(self.pixels(1.0).max(1));
                frame.draw_series(LineSeries::new(points, thin))?
            }
            Form::Dashed => frame.draw_series(DashedLineSeries::new(points, dash, dash, stroke))?,
            Form::Dots => frame.draw_series(points.into_iter().map(circle))?,
            Form::Area => {
                let fill = ink(self.style.hue(series.hue)).mix(0.25);
                frame.draw_series(std::iter::once(Polygon::new(points, fill)))?
            }
        };
        if !series.name.is_empty() {
            let length = self.pixels(16.0) as i32;
            drawn
                .label(&*series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], stroke));
        }
        Ok(())
    }

    fn bars<B: DrawingBackend>(&self, bars: &Bars, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let all = || bars.bars.iter().flat_map(|it| [it.value, it.before.unwrap_or(0.0)]);
        let (low, high) = (all().fold(0.0, f32::min), all().fold(1e-9, f32::max));
        let range = Range::round(low, high);
        let last = bars.bars.len().saturating_sub(1);
        let mut frame = ChartBuilder::on(area)
            .margin(self.pixels(8.0))
            .x_label_area_size(self.pixels(44.0))
            .y_label_area_size(self.pixels(150.0))
            .build_cartesian_2d(ends(range), (0..last).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::Exact(i) | SegmentValue::CenterOf(i) => last
                .checked_sub(*i)
                .and_then(|it| bars.bars.get(it))
                .map_or_else(String::new, |it| it.name.clone()),
            SegmentValue::Last => String::new(),
        };
        frame
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(RGBAColor(0, 0, 0, 0.0))
            .bold_line_style(ink(self.style.hairline))
            .axis_style(ink(self.style.secondary))
            .label_style(self.text())
            .axis_desc_style(self.text())
            .x_labels(6)
            .y_labels(bars.bars.len())
            .x_desc(&bars.label)
            .x_label_formatter(&|it| short(*it))
            .y_label_formatter(&name)
            .draw()?;
        let changed = bars.bars.iter().any(|it| it.before.is_some());
        let (grey, hue) = (ink(self.style.secondary).mix(0.5), ink(self.style.hue(1)));
        if changed {
            self.rows(&mut frame, "before", grey, 2.0, bars.bars.iter().map(|it| it.before).collect())?;
        }
        let gap = if changed { 6.0 } else { 3.0 };
        self.rows(&mut frame, &bars.label, hue, gap, bars.bars.iter().map(|it| Some(it.value)).collect())?;
        if changed { self.legend(&mut frame, SeriesLabelPosition::LowerRight) } else { Ok(()) }
    }

    /// One bar a row, from the top, with so many points between it and its row's edge.
    fn rows<'a, B: DrawingBackend + 'a>(
        &self,
        frame: &mut Rows<'a, B>,
        name: &str,
        fill: RGBAColor,
        gap: f32,
        values: Vec<Option<f32>>,
    ) -> Drawn<B> {
        let (last, gap) = (values.len().saturating_sub(1), self.pixels(gap));
        let one = |(i, value): (usize, Option<f32>)| {
            let row = last - i;
            let mut bar = Rectangle::new(
                [(0.0, SegmentValue::Exact(row)), (value?, SegmentValue::Exact(row + 1))],
                fill.filled(),
            );
            bar.set_margin(gap, gap, 0, 0);
            Some(bar)
        };
        let drawn = frame.draw_series(values.into_iter().enumerate().filter_map(one))?;
        let side = self.pixels(8.0) as i32;
        drawn.label(name).legend(move |(x, y)| {
            Rectangle::new([(x, y - side / 2), (x + side, y + side / 2)], fill.filled())
        });
        Ok(())
    }

    /// What the colours are.
    fn legend<'a, B: DrawingBackend + 'a, C: CoordTranslate>(
        &self,
        frame: &mut ChartContext<'a, B, C>,
        place: SeriesLabelPosition,
    ) -> Drawn<B> {
        frame
            .configure_series_labels()
            .position(place)
            .background_style(ink(self.style.surface).mix(0.85))
            .border_style(ink(self.style.hairline))
            .label_font(self.text())
            .draw()
    }
}
