//! How it looks: the plane of the weights, the functions, who is how likely, and who is how wrong.

use nalgebra::{DMatrix, DVector, Matrix2, Vector2};

use super::prior::{Functions, HIGHEST, Prior};
use super::{GRID, IclBayes, MOST, bias, errors, place};
use crate::page::{Page, Panel, Picture, Room, column, panel, row};
use crate::regression::{Component, Examples, Features, Prompt, least_squares};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range, number};

/// The hues: the same for the same thing in every picture.
pub(super) const GAUSSIAN: usize = 4;
pub(super) const TRANSFORMER: usize = 1;
pub(super) const BAYES: usize = 2;
const SQUARES: usize = 5;
pub(super) const TRUTH: usize = 7;

/// The plane of the weights reaches from minus this to this.
const REACH: f32 = 2.6;

/// Answers do.
const HIGH: f32 = 3.0;

/// A kind that is less likely is not drawn.
const UNLIKELY: f64 = 0.02;

/// What is believed after some examples, and everything that is drawn beside it.
struct View<'a> {
    state: &'a IclBayes,
    features: Features,
    task: Prompt,
    /// How many examples have come.
    n: usize,
    before: Vec<Component>,
    now: Vec<Component>,
    /// What the transformer says at every place of the grid.
    said: Option<Vec<f32>>,
}

/// The panels.
pub(super) fn page(state: &IclBayes, trace: &Trace) -> Option<Page> {
    let (view, waves) = (View::of(state, trace)?, state.functions == Functions::Fourier);
    let curve = Room::fill(220.0, 130.0).at_most_wide(330.0);
    let errors = panel("errors", 2, curve)
        .titled("Who is how wrong, over 128 tasks")
        .read("The mean square of what is wrong with the next answer, after so many examples.")
        .shows(Picture::Chart(wrong(trace, view.n)?));
    let functions = |rank| {
        panel("functions", rank, Room::fill(230.0, 150.0))
            .titled(view.title())
            .read(if waves {
                "Thin: what each band of frequencies would say. The area is two deviations of what is believed. Drag an example."
            } else {
                "Bands are two deviations around every kind that is still likely. Drag an example."
            })
            .shows(Picture::Chart(view.functions()))
    };
    if waves {
        let spectrum = panel("spectrum", 1, curve)
            .titled("Power of every frequency")
            .read("The mean square of a frequency's two weights: what is true, what Bayes has in mind, and what was believed before.")
            .shows(Picture::Chart(view.spectrum()));
        let bias = panel("bias", 2, curve)
            .titled("Low frequencies come first")
            .read("The share of frequencies 0 and 1 in the power of what each has in mind, over 48 tasks. Three bands: Bayes with the prior that is true. One band: with all frequencies alike.")
            .shows(Picture::Chart(bias::chart(trace, view.n)?));
        let aside = column([bias.into(), errors.into()]);
        let spectra =
            if view.now.len() > 1 { column([spectrum.into(), view.kinds().into()]) } else { spectrum.into() };
        return Some(row([functions(0).into(), spectra, aside]));
    }
    let plane = panel("weights", 0, Room::fill(210.0, 150.0))
        .titled(view.likeliest())
        .read("Rings: what is believed before any example, one and two deviations around every centre. Clouds: what is believed now. Drag a centre.")
        .shows(Picture::Chart(view.plane()));
    Some(row([plane.into(), column([functions(1).into(), view.kinds().into()]), errors.into()]))
}

impl<'a> View<'a> {
    fn of(state: &'a IclBayes, trace: &Trace) -> Option<Self> {
        let (features, n) = (state.functions.features(), state.examples.min(MOST));
        let (k, d) = (state.believed().len(), features.count());
        let read = |name: &str, area: usize| {
            let kept = trace.get(name)?;
            // Until the next trace is there the last one is shown, which may be of other functions.
            let fits = kept.size() == (MOST + 1) * area;
            kept.window(n * area..(n + 1) * area).filter(|_| fits)
        };
        let (weight, mean) = (read("posterior", k)?, read("mean", k * d)?);
        let covariance = read("covariance", k * d * d)?;
        let numbers = |it: &[f32]| it.iter().map(|it| f64::from(*it)).collect::<Vec<f64>>();
        let now = (0..k).map(|i| Component {
            weight: f64::from(weight[i]),
            mean: DVector::from_vec(numbers(&mean[i * d..][..d])),
            covariance: DMatrix::from_row_slice(d, d, &numbers(&covariance[i * d * d..][..d * d])),
        });
        let now = now.collect();
        let said = if state.learnt().is_some() { Some(read("said", GRID)?.to_vec()) } else { None };
        Some(Self { state, features, task: state.task(), n, before: state.believed(), now, said })
    }

    /// Which hue a component has.
    fn hue(&self, i: usize) -> usize {
        if self.state.prior == Prior::Mixture { [3, 0, 6][i % 3] } else { 3 }
    }

    fn name(&self, i: usize) -> String {
        match self.state.prior {
            Prior::Gaussian => "all".to_owned(),
            Prior::Mixture if self.state.functions == Functions::Fourier => format!("up to {}", i + 1),
            Prior::Mixture => format!("kind {}", i + 1),
            Prior::Pool => format!("function {}", i + 1),
        }
    }

    /// The mean of the posterior.
    fn bayes(&self) -> DVector<f64> {
        let zero = DVector::zeros(self.features.count());
        self.now.iter().fold(zero, |sum, it| sum + &it.mean * it.weight)
    }

    /// The covariance of the posterior.
    fn covariance(&self) -> DMatrix<f64> {
        let (mean, d) = (self.bayes(), self.features.count());
        self.now.iter().fold(DMatrix::zeros(d, d), |sum, it| {
            let off = &it.mean - &mean;
            sum + (&it.covariance + &off * off.transpose()) * it.weight
        })
    }

    /// The weights that fit the transformer's answers best: what it has in mind.
    fn in_mind(&self) -> Option<DVector<f64>> {
        let said = self.said.as_ref()?;
        let places: Vec<f64> = (0..GRID).map(|i| f64::from(place(i))).collect();
        let y = DVector::from_iterator(GRID, said.iter().map(|it| f64::from(*it)));
        Some(least_squares(&Examples { x: self.features.at(&places), y }))
    }

    /// How many examples, in words.
    fn after(&self) -> String {
        match self.n {
            0 => "Before any example".to_owned(),
            1 => "After 1 example".to_owned(),
            n => format!("After {n} examples"),
        }
    }

    fn likeliest(&self) -> String {
        let best = (0..self.now.len()).max_by(|a, b| self.now[*a].weight.total_cmp(&self.now[*b].weight));
        match best.filter(|_| self.now.len() > 1) {
            Some(i) => {
                let share = 100.0 * self.now[i].weight;
                format!("{}: {} at {share:.0} %", self.after(), self.name(i))
            }
            None => format!("{}: what is believed", self.after()),
        }
    }

    fn title(&self) -> String {
        let (Some(said), bayes) = (&self.said, self.bayes()) else {
            return format!("{}: the functions", self.after());
        };
        let off = |(i, it): (usize, &f32)| {
            (f64::from(*it) - self.features.of(f64::from(place(i))).dot(&bayes)).abs()
        };
        let apart = said.iter().enumerate().map(off).sum::<f64>() / GRID as f64;
        format!("Transformer: {} from Bayes", number(apart as f32))
    }

    /// The plane of the weights.
    fn plane(&self) -> Chart {
        let names = if self.state.functions == Functions::Lines {
            ["intercept", "slope"]
        } else {
            ["cosine", "sine"]
        };
        let axis = |name: &str| {
            Axis::new(name).to(Range { min: -REACH, max: REACH, log: false }).ticks([-2, 0, 2].map(whole))
        };
        let mut chart = Chart { x: axis(names[0]), y: axis(names[1]), ..Chart::default() };
        for (i, it) in self.before.iter().enumerate() {
            for deviations in [1.0, 2.0] {
                chart = chart.with("", self.hue(i), Form::Contour, ellipse(it, deviations));
            }
        }
        for (i, it) in self.now.iter().enumerate() {
            for deviations in cloud(it) {
                chart = chart.with("", self.hue(i), Form::Area, ellipse(it, deviations));
            }
        }
        if let Some(strip) = self.newest() {
            chart = chart.with("newest", TRUTH, Form::Dashed, strip);
        }
        let dot = |it: &DVector<f64>| vec![[it[0] as f32, it[1] as f32]];
        chart = chart.with("truth", TRUTH, Form::Dots, dot(&self.task.w));
        if let Some(w) = self.in_mind() {
            chart = chart.with("transformer", TRANSFORMER, Form::Dots, dot(&w));
        }
        chart = chart.with("Bayes", BAYES, Form::Dots, dot(&self.bayes()));
        for (i, it) in self.before.iter().enumerate() {
            chart = chart.handle(format!("centre of {}", self.name(i)), self.hue(i), dot(&it.mean)[0]);
        }
        chart
    }

    /// The functions that go through the newest example: a line in the plane of the weights, as far as it lies in the picture.
    fn newest(&self) -> Option<Vec<[f32; 2]>> {
        let i = self.n.checked_sub(1)?;
        let (x, y) = (self.task.examples.x.row(i), self.task.examples.y[i]);
        let [a, b] = [x[0], x[1]];
        let reach = f64::from(REACH);
        let along = |w: f64| if a.abs() > b.abs() { [(y - b * w) / a, w] } else { [w, (y - a * w) / b] };
        let inside = |it: &[f64; 2]| it.iter().all(|it| it.abs() <= reach);
        let points = (0..=100).map(|i| along(reach * (f64::from(i) / 50.0 - 1.0))).filter(inside);
        let points: Vec<[f32; 2]> = points.map(|it| it.map(|it| it as f32)).collect();
        Some([*points.first()?, *points.last()?].into())
    }

    /// The functions themselves.
    fn functions(&self) -> Chart {
        let mut chart = Chart {
            x: Axis::new("x").to(Range { min: -1.0, max: 1.0, log: false }).ticks([-1, 0, 1].map(whole)),
            y: Axis::new("y").to(Range { min: -HIGH, max: HIGH, log: false }).ticks([-2, 0, 2].map(whole)),
            ..Chart::default()
        };
        let at = |f: &dyn Fn(&DVector<f64>) -> f64| -> Vec<[f32; 2]> {
            let one = |i| [place(i), f(&self.features.of(f64::from(place(i)))) as f32];
            (0..GRID).map(one).collect()
        };
        let bayes = self.bayes();
        let likely: Vec<_> = self.now.iter().enumerate().filter(|it| it.1.weight > UNLIKELY).collect();
        let all = Component { weight: 1.0, mean: bayes.clone(), covariance: self.covariance() };
        // Bands of series lie over each other: they have one together.
        let waves = self.state.functions == Functions::Fourier;
        let bands = if waves {
            vec![(BAYES, &all)]
        } else {
            likely.iter().map(|(i, it)| (self.hue(*i), *it)).collect()
        };
        for (hue, it) in bands {
            let edge =
                |side: f64| at(&|x| x.dot(&it.mean) + side * x.dot(&(&it.covariance * x)).max(0.0).sqrt());
            let back = edge(-2.0).into_iter().rev();
            chart = chart.with("", hue, Form::Area, edge(2.0).into_iter().chain(back).collect());
        }
        for (i, it) in likely {
            chart = chart.with("", self.hue(i), Form::Contour, at(&|x| x.dot(&it.mean)));
        }
        chart = chart.with("truth", TRUTH, Form::Dashed, at(&|x| x.dot(&self.task.w)));
        chart = chart.with("Bayes", BAYES, Form::Line, at(&|x| x.dot(&bayes)));
        if let Some(said) = &self.said {
            let curve = said.iter().enumerate().map(|(i, it)| [place(i), *it]).collect();
            chart = chart.with("transformer", TRANSFORMER, Form::Dashed, curve);
        }
        let known = errors::first(&self.task.examples, self.n);
        for (i, y) in known.y.iter().enumerate() {
            let x: Vec<f64> = known.x.row(i).iter().copied().collect();
            let at = [self.features.number(&x) as f32, *y as f32];
            chart = chart.handle(format!("example {}", i + 1), TRUTH, at);
        }
        chart
    }

    /// How likely every kind is.
    fn kinds(&self) -> Panel {
        let all: f64 = self.before.iter().map(|it| it.weight).sum();
        let (what, title) = if self.state.functions == Functions::Fourier {
            ("band", "Likely bands; grey: before")
        } else {
            ("kind", "How likely every kind is; grey: before")
        };
        let bars = self.now.iter().zip(&self.before).enumerate().map(|(i, (now, before))| Bar {
            name: self.name(i),
            value: now.weight as f32,
            before: Some((before.weight / all) as f32),
            lit: false,
            hue: Some(self.hue(i)),
        });
        let bars = Bars {
            label: "probability".to_owned(),
            names: what.to_owned(),
            bars: bars.collect(),
            ..Bars::default()
        };
        let high = 24.0 * self.now.len().max(2) as f32;
        panel("kinds", 3, Room::fill(200.0, high).at_most_high(high + 40.0))
            .titled(title)
            .read("The probability of every kind after the examples, and before any.")
            .shows(Picture::Bars(bars))
    }

    /// Power over frequency.
    fn spectrum(&self) -> Chart {
        let power = |of: &dyn Fn(usize) -> f64| -> Vec<[f32; 2]> {
            let mut sums = [0.0; HIGHEST + 1];
            (0..self.features.count()).for_each(|i| sums[self.features.frequency(i)] += of(i));
            sums.iter().enumerate().map(|(i, it)| [i as f32, *it as f32]).collect()
        };
        let bayes = self.bayes();
        let ticks = (0..=HIGHEST).map(|it| (it as f32, it.to_string()));
        let all: f64 = self.before.iter().map(|it| it.weight).sum();
        let believed = power(&|i| self.before.iter().map(|it| it.weight / all * it.covariance[(i, i)]).sum());
        let chart =
            Chart { x: Axis::new("frequency").ticks(ticks), y: Axis::new("power"), ..Chart::default() }
                .with("believed", GAUSSIAN, Form::Contour, believed)
                .with("truth", TRUTH, Form::Dashed, power(&|i| self.task.w[i].powi(2)))
                .with("Bayes", BAYES, Form::Line, power(&|i| bayes[i].powi(2)));
        match self.in_mind() {
            Some(w) => chart.with("transformer", TRANSFORMER, Form::Dashed, power(&|i| w[i].powi(2))),
            None => chart,
        }
    }
}

/// A tick at a whole number.
fn whole(at: i32) -> (f32, String) {
    (at as f32, at.to_string().replace('-', "−"))
}

/// At how many deviations the edges of a cloud lie: it is as dense as the component is likely, and fades with it.
fn cloud(it: &Component) -> impl Iterator<Item = f64> {
    let weight = it.weight;
    let edge = move |density: f64| (weight > density).then(|| (2.0 * (weight / density).ln()).sqrt());
    [0.03, 0.1, 0.3, 0.6].into_iter().filter_map(edge)
}

/// Points of an ellipse.
const RING: usize = 64;

/// A certain weight has no ellipse: a dot of this radius is drawn, to be seen.
const DOT: f64 = 0.08;

/// So many deviations around the mean of two weights.
fn ellipse(it: &Component, deviations: f64) -> Vec<[f32; 2]> {
    let covariance = Matrix2::from_fn(|i, j| it.covariance[(i, j)]);
    let eigen = covariance.symmetric_eigen();
    let point = |i: usize| {
        let angle = std::f64::consts::TAU * i as f64 / RING as f64;
        let along = eigen.eigenvalues.map(|it| deviations * it.max(0.0).sqrt().max(DOT));
        let off = eigen.eigenvectors * Vector2::new(along[0] * angle.cos(), along[1] * angle.sin());
        [(it.mean[0] + off[0]) as f32, (it.mean[1] + off[1]) as f32]
    };
    (0..=RING).map(point).collect()
}

/// The errors over the number of examples.
fn wrong(trace: &Trace, n: usize) -> Option<Chart> {
    let kept = trace.get("errors")?;
    let all = kept.window(0..kept.size())?;
    let range = Range { min: 1e-3, max: 10.0, log: true };
    let ticks = [0, 4, 8].map(|it| (it as f32, it.to_string()));
    let mut chart = Chart {
        x: Axis::new("examples").to(Range { min: 0.0, max: MOST as f32, log: false }).ticks(ticks),
        y: Axis::new("square error").to(range),
        ..Chart::default()
    };
    for (who, errors) in all.chunks(MOST + 1).enumerate() {
        let curve = errors.iter().enumerate().map(|(i, it)| [i as f32, it.max(range.min)]).collect();
        let form = if who == 3 { Form::Dashed } else { Form::Line };
        chart = chart.with(errors::WHO[who], [BAYES, GAUSSIAN, SQUARES, TRANSFORMER][who], form, curve);
    }
    let now = n as f32;
    Some(chart.with("", TRUTH, Form::Dashed, vec![[now, range.min], [now, range.max]]))
}
