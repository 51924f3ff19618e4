//! How it looks: the ellipses, the matrices, and what becomes of the layer elsewhere.

use super::ellipse::{Ellipse, image};
use super::measure::{MEASURED, SCALES};
use super::{Elsewhere, IclOptimum};
use crate::page::{Field, Fields, Map, Page, Picture, Room, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range, number};

/// The hues: the same for the same thing in every picture.
const TRAIN: usize = 0;
const TEST: usize = 1;
const BEST: usize = 2;
const LEARNED: usize = 3;
const INPUTS: usize = 5;
const QUERY: usize = 4;
const TASKS: usize = 6;
const THEORY: usize = 7;

/// The plane reaches from minus this to this.
const PLANE: f32 = 2.2;

/// No panel but that of the ellipses is wider: they are what is dragged.
const WIDE: f32 = 265.0;

/// The panels.
pub(super) fn page(state: &IclOptimum, trace: &Trace) -> Option<Page> {
    let apart = trace.get("distance")?.window(0..1)?[0];
    let square = |aside| Room::shaped(1.0, [140.0, 120.0], [aside, 55.0]);
    let chart = |high| Room::fill(220.0, high).at_most_wide(WIDE);
    Some(row([
        panel("ellipses", 0, square(80.0))
            .titled("Trained on orange, tested on blue")
            .read("One standard deviation from 0. Drag the ends of the axes; orange begins the training anew.")
            .shows(Picture::Chart(ellipses(state)))
            .into(),
        column([
            panel("matrices", 0, Room::shaped(2.0, [85.0, 100.0], [0.0, 50.0]).at_most_wide(WIDE))
                .titled(format!("Learnt, and proven: {} apart", percent(apart)))
                .read("The matrix between query and examples, as it is at this step, and what gradient flow is proven to end at.")
                .shows(Picture::Fields(matrices(state, trace)))
                .into(),
            panel("circle", 3, square(70.0).at_most_wide(WIDE).at_most_high(260.0))
                .titled("Where they take a circle")
                .read("A direction with little spread needs a long step.")
                .shows(Picture::Chart(circle(state, trace)?))
                .into(),
        ]),
        column([
            panel("shifts", 1, chart(150.0))
                .titled("What survives, and what breaks")
                .read(format!("The error where tasks, query or inputs are scaled. Lines: closed form. Dots: this layer, {MEASURED} prompts."))
                .shows(Picture::Chart(errors(state, trace)?))
                .into(),
            panel("sizes", 5, chart(130.0))
                .titled("Inputs count three times")
                .read("How much larger predictions become. Right would be the dashed line.")
                .shows(Picture::Chart(sizes(state, trace)?))
                .into(),
        ]),
        column([
            panel("test", 2, Room::fill(220.0, 100.0).at_most_wide(WIDE).at_most_high(180.0))
                .titled("In the test")
                .read(format!("The error over the variance of the answers. Measured on {MEASURED} prompts, least squares on 512."))
                .shows(Picture::Bars(test(state, trace)?))
                .into(),
            panel("loss", 4, chart(110.0))
                .titled(state.live(|it| format!("It learns: step {} of {}", it.step_count(), it.steps())))
                .read("Dashed: the least error that such a layer can have, by the formula.")
                .shows(Picture::Chart(loss(state)))
                .into(),
            panel("weights", 6, Room::shaped(4.0, [220.0, 62.0], [0.0, 24.0]).at_most_high(130.0).at_most_wide(WIDE))
                .titled("The whole layer")
                .read("W^KQ and W^PV, each over its largest entry; the last row and column belong to the answer.")
                .shows(Picture::Fields(weights(trace)))
                .into(),
        ]),
    ]))
}

fn percent(share: f32) -> String {
    format!("{} %", number(100.0 * share))
}

/// A tick at a whole number.
fn whole(at: i32) -> (f32, String) {
    (at as f32, at.to_string().replace('-', "−"))
}

/// A chart of a plane from minus `reach` to `reach`.
fn plane(names: [&str; 2], reach: f32, ticks: [i32; 3]) -> Chart {
    let axis =
        |name| Axis::new(name).to(Range { min: -reach, max: reach, log: false }).ticks(ticks.map(whole));
    Chart { x: axis(names[0]), y: axis(names[1]), plane: true, ..Chart::default() }
}

/// The covariances of training and test.
fn ellipses(state: &IclOptimum) -> Chart {
    let mut chart = plane(["coordinate 1", "coordinate 2"], PLANE, [-2, 0, 2]);
    if state.elsewhere == Elsewhere::Tasks {
        let circle = Ellipse::new(1.0, 0.0, 1.0).outline();
        chart = chart.with("weights", THEORY, Form::Contour, circle);
    }
    for (name, hue, it) in [("train", TRAIN, state.train), ("test", TEST, state.test)] {
        let ends = it.ends();
        for end in ends {
            chart = chart.with("", hue, Form::Contour, vec![[0.0, 0.0], end]);
        }
        chart = chart.with(name, hue, Form::Line, it.outline());
        for (end, place) in ends.into_iter().zip(["first", "second"]) {
            chart = chart.handle(format!("{place} axis of the {name} ellipse"), hue, end);
        }
    }
    chart
}

/// The largest entry of `Gamma^-1`.
fn largest(state: &IclOptimum) -> f32 {
    state.trained_on(state.n).best().amax() as f32
}

/// The learnt matrix beside the proven one, in one scale.
fn matrices(state: &IclOptimum, trace: &Trace) -> Fields {
    let most = largest(state);
    let field = |name: &str, words: &str| {
        let map = trace.get(name).and_then(|it| Some(Map::of(it, 0)?.signed(most)));
        Field::new(map, words)
    };
    let fields = vec![field("learned", "learnt"), field("gamma_inverse", "Γ⁻¹")];
    Fields { fields, value: "weight", legend: Some("weight".to_owned()), ..Fields::default() }
}

/// Where the learnt matrix and the proven one take the unit circle of the first two coordinates.
fn circle(state: &IclOptimum, trace: &Trace) -> Option<Chart> {
    let reach = 1.15 * largest(state).max(1.0);
    let mut chart = plane(["step along 1", "step along 2"], reach, [-1, 0, 1]);
    for (name, words, hue, form) in
        [("gamma_inverse", "Γ⁻¹", THEORY, Form::Dashed), ("learned", "learnt", LEARNED, Form::Line)]
    {
        let kept = trace.get(name)?;
        let (it, d) = (kept.window(0..kept.size())?, kept.shape[1]);
        chart = chart.with(words, hue, form, image([[it[0], it[1]], [it[d], it[d + 1]]]));
    }
    Some(chart)
}

/// What is scaled, in words, with its hue, in the order of the measured errors.
const KINDS: [(&str, usize); 3] = [("inputs", INPUTS), ("query", QUERY), ("tasks", TASKS)];

/// Points of a closed form.
const POINTS: usize = 33;

/// A chart over the scale of what is scaled, along both axes in equal ratios: the closed form of each kind, given the scale
/// of each kind, and what `name` holds of the layer.
fn over_scales(trace: &Trace, name: &str, y: Axis, form: impl Fn([f64; 3]) -> f64) -> Option<Chart> {
    let measured = trace.get(name)?.window(0..KINDS.len() * SCALES.len())?;
    let (least, most) = (SCALES[0], SCALES[SCALES.len() - 1]);
    let ticks = [(least, "¼"), (0.5, "½"), (1.0, "1"), (2.0, "2"), (most, "4")];
    let x = Axis::new("scale").to(Range { min: least, max: most, log: true });
    let x = x.ticks(ticks.map(|(at, words)| (at, words.to_owned())));
    let mut chart = Chart { x, y, ..Chart::default() };
    // What breaks lies over what survives, whose two lines are one.
    for (k, (words, hue)) in KINDS.into_iter().enumerate().rev() {
        let line = (0..POINTS).map(|i| {
            let scale = least * (most / least).powf(i as f32 / (POINTS - 1) as f32);
            let mut scales = [1.0; 3];
            scales[k] = f64::from(scale);
            [scale, form(scales) as f32]
        });
        let dots = SCALES.iter().zip(&measured[k * SCALES.len()..]).map(|(scale, it)| [*scale, *it]);
        chart = chart.with(words, hue, Form::Contour, line.collect());
        chart = chart.with("", hue, Form::Dots, dots.collect());
    }
    Some(chart)
}

/// An axis in equal ratios with ticks at three numbers, from the first of them to `most`.
fn decades(name: &str, ticks: [f32; 3], most: f32) -> Axis {
    let axis = Axis::new(name).to(Range { min: ticks[0], max: most, log: true });
    axis.ticks(ticks.map(|it| (it, it.to_string())))
}

/// Errors over the variance of the answers.
fn errors(state: &IclOptimum, trace: &Trace) -> Option<Chart> {
    let (usual, learnt) = (state.trained_on(state.m), state.trained_on(state.n).best());
    let y = decades("error / variance of answers", [0.01, 1.0, 100.0], 1e3);
    over_scales(trace, "errors", y, |[inputs, query, tasks]| {
        let it = usual.scaled(inputs, query, tasks);
        it.error(&learnt) / it.answers()
    })
}

/// Deviations of the predictions over that at scale 1.
fn sizes(state: &IclOptimum, trace: &Trace) -> Option<Chart> {
    let (usual, learnt) = (state.trained_on(state.m), state.trained_on(state.n).best());
    let now = usual.predictions(&learnt);
    let y = decades("predictions, times", [0.01, 1.0, 100.0], 100.0);
    let chart = over_scales(trace, "sizes", y, |[inputs, query, tasks]| {
        (usual.scaled(inputs, query, tasks).predictions(&learnt) / now).sqrt()
    })?;
    Some(chart.with("", THEORY, Form::Dashed, vec![[SCALES[0], SCALES[0]], [SCALES[4], SCALES[4]]]))
}

/// Errors in the test: what the formula says, what is measured, and what others would do.
fn test(state: &IclOptimum, trace: &Trace) -> Option<Bars> {
    let (there, learnt) = (state.tested_on(), state.trained_on(state.n).best());
    let answers = there.answers();
    let measured = trace.get("tested")?.window(0..2)?;
    let bars = [
        ("Γ⁻¹, formula", (there.error(&learnt) / answers) as f32, THEORY),
        ("layer, measured", measured[0], LEARNED),
        ("trained there", (there.error(&there.best()) / answers) as f32, TEST),
        ("least squares", measured[1], BEST),
        ("saying 0", 1.0, THEORY),
    ];
    let bar = |(name, value, hue): (&str, f32, usize)| Bar {
        name: name.to_owned(),
        value,
        hue: Some(hue),
        ..Bar::default()
    };
    Some(Bars {
        label: "error over the variance of the answers".to_owned(),
        names: "predictor".to_owned(),
        bars: bars.into_iter().map(bar).collect(),
        ..Bars::default()
    })
}

/// The error while the layer learns, and its floor.
fn loss(state: &IclOptimum) -> Chart {
    let (steps, losses) = state.live(|it| (it.steps() as f32, it.thinned()));
    let usual = state.trained_on(state.n);
    let floor = usual.error(&usual.best()) as f32;
    let ticks = [0.0, 0.5, 1.0].map(|it| (it * steps, number(it * steps)));
    Chart {
        x: Axis::new("step").to(Range { min: 0.0, max: steps, log: false }).ticks(ticks),
        y: Axis::new("error").to(Range::round(0.0, usual.answers() as f32)),
        ..Chart::default()
    }
    .with(format!("floor {}", number(floor)), THEORY, Form::Dashed, vec![[0.0, floor], [steps, floor]])
    // The loss is half of the error.
    .with("", LEARNED, Form::Line, losses.into_iter().map(|[step, it]| [step, 2.0 * it]).collect())
}

/// Both matrices, learnt and proven.
fn weights(trace: &Trace) -> Fields {
    let field = |name: &str, words: &str| {
        let kept = trace.get(name).zip(trace.get(&format!("{name}.peak")));
        let map = kept.and_then(|(it, peak)| Some(Map::of(it, 0)?.signed(1.0).over(Some(peak), false)));
        Field::new(map, words)
    };
    let fields = vec![
        field("learned.kq", "KQ"),
        field("optimum.kq", "proven"),
        field("learned.pv", "PV"),
        field("optimum.pv", "proven"),
    ];
    Fields { fields, value: "weight over the largest", ..Fields::default() }
}
