//! How it looks: the loss surface with both paths, the examples with what both have in mind, and the layer that learns.

use super::floors::STEPS;
use super::learner::Learner;
use super::task::Surface;
use super::{IclDescent, LAYERS, beyond, curvature, line};
use crate::page::{Page, Picture, Room, column, panel, row};
use crate::regression::Prompt;
use crate::trace::Trace;
use crate::train::linear_attention::MEASURED;
use crate::ui::{Axis, Chart, Form, Range, number};

/// The hues: the same for the same thing in every picture.
pub(super) const DESCENT: usize = 0;
pub(super) const ATTENTION: usize = 1;
pub(super) const BEST: usize = 2;
pub(super) const REFERENCE: usize = 7;

/// The surface reaches from minus this to this along both weights.
pub(super) const REACH: f32 = 2.5;

/// The plane of the inputs does.
pub(super) const PLANE: f32 = 1.2;

/// The panels.
pub(super) fn page(state: &IclDescent, trace: &Trace) -> Option<Page> {
    let [surface, mind] = paths(state, trace)?;
    Some(row([surface, mind, learns(state, trace)]))
}

/// Both ways to learn from a task in the plane, or on a line.
fn paths(state: &IclDescent, trace: &Trace) -> Option<[Page; 2]> {
    let steps = state.steps.min(LAYERS);
    let [descent, attention] = [path(trace, "descent")?, path(trace, "attention")?];
    let (task, last, to) = (state.task(), [descent[steps], attention[steps]], ..=steps);
    let square = |aside| Room::shaped(1.0, [165.0, 150.0], [aside, 55.0]);
    let apart = descent
        .iter()
        .zip(&attention)
        .take(steps + 1)
        .fold(0.0f32, |most, (a, b)| most.max((a[0] - b[0]).hypot(a[1] - b[1])));
    let after =
        if steps == 1 { "1 step, 1 layer".to_owned() } else { format!("{steps} steps, {steps} layers") };
    let ways: [&[[f32; 2]]; 2] = [&descent[to], &attention[to]];
    let (surface, mind, about) = if state.inputs == 1 {
        let about =
            ["The loss of every weight. Drag the start.", "Drag an example with its answer, or the query."];
        (line::curve(state, &task, ways), line::in_mind(&task, last), about)
    } else {
        let about = [
            "Rings are heights of the loss over two weights, each half of the one outside it. Drag the start.",
            "Lines join inputs of one answer. Drag an example, or the query: its answer stays.",
        ];
        (surface(state, &task, ways), in_mind(&task, last), about)
    };
    let bent = curvature::of(trace)?;
    let valley = [0, steps].map(|i| number(curvature::condition(&bent[i]) as f32));
    Some([
        panel("loss surface", 0, square(120.0))
            .titled(format!("{after}: {} apart", number(apart)))
            .read(about[0])
            .shows(Picture::Chart(surface))
            .into(),
        column([
            panel("examples", 1, square(80.0).at_most_wide(330.0))
                .titled("What both have in mind")
                .read(about[1])
                .shows(Picture::Chart(mind))
                .into(),
            panel("predictions", 4, Room::fill(200.0, 110.0).at_most_wide(330.0).at_most_high(220.0))
                .titled("What both say of the query")
                .shows(Picture::Chart(predictions(trace, steps, &task)?))
                .into(),
            panel("curvature", 8, square(80.0).at_most_wide(330.0))
                .titled(format!("Curvature {} : 1, then {} : 1", valley[0], valley[1]))
                .read("GD++ bends all inputs in every layer: their ellipse, one deviation from 0, becomes round. So does the valley.")
                .shows(Picture::Chart(curvature::chart(&bent, steps)))
                .into(),
        ]),
    ])
}

/// What learns to be such a step.
fn learns(state: &IclDescent, trace: &Trace) -> Page {
    let curve = |high| Room::fill(220.0, high).at_most_wide(340.0);
    let learner = state.learner;
    let maps = if learner == Learner::Tokens {
        Room::shaped(1.0, [120.0, 80.0], [0.0, 40.0]).at_most_high(220.0).at_most_wide(340.0)
    } else {
        Room::shaped(4.0, [230.0, 76.0], [0.0, 24.0]).at_most_high(130.0).at_most_wide(340.0)
    };
    let floors = state.floors();
    let (title, about) = learner.about_weights(trace, floors.plus_plus);
    let (goal, floor) = match learner {
        Learner::Twice => ("2 steps of GD++", floors.plus_plus.loss as f32),
        _ => ("1 step", floors.descent[0]),
    };
    let mut parts: Vec<Page> = vec![
        panel("loss", 2, curve(115.0))
            .titled(heading(state))
            .read("Dashed: what so many steps of gradient descent with the best rate for all tasks leave.")
            .shows(Picture::Chart(loss(state)))
            .into(),
        panel("measures", 3, curve(100.0))
            .titled(format!("How far it is from {goal}"))
            .read(format!("Over {MEASURED} tasks: cosine of the sensitivities, mean distances of predictions and of sensitivities."))
            .shows(Picture::Chart(measures(state)))
            .into(),
        panel("weights", 5, maps).titled(title).read(about).shows(Picture::Fields(learner.weights(trace))).into(),
    ];
    let charts = [
        (
            "mixtures",
            6,
            "From learnt to built",
            "The loss of mixtures of both layers, weight by weight, over 512 tasks.",
            beyond::between(trace, (goal, floor)),
        ),
        (
            "ranges",
            7,
            "Beyond its tasks",
            "Inputs and weights of another range, over 512 tasks. Lines: what it is held against. Dots: what learnt.",
            beyond::ranges(trace),
        ),
        (
            "distributions",
            9,
            "Inputs from elsewhere",
            "Inputs of other distributions with the mean square of those of training, over 512 tasks. Line: what it is held against.",
            beyond::distributions(trace),
        ),
    ];
    for (name, rank, title, about, chart) in charts {
        if let Some(chart) = chart {
            parts.push(
                panel(name, rank, curve(110.0)).titled(title).read(about).shows(Picture::Chart(chart)).into(),
            );
        }
    }
    Page::Column(parts)
}

/// Weights after every step or layer.
fn path(trace: &Trace, who: &str) -> Option<Vec<[f32; 2]>> {
    let all = trace.get(&format!("{who}.w"))?.window(0..2 * (LAYERS + 1))?;
    Some(all.chunks(2).map(|it| [it[0], it[1]]).collect())
}

/// As far as the way leads before a rate that is too large takes it away: further no picture reaches.
pub(super) fn near(way: &[[f32; 2]]) -> Vec<[f32; 2]> {
    way.iter().copied().take_while(|it| it.iter().all(|x| x.abs() < 1e3)).collect()
}

/// The loss over both weights with the two paths, one on the other.
fn surface(state: &IclDescent, task: &Prompt, [descent, attention]: [&[[f32; 2]]; 2]) -> Chart {
    let surface = Surface::of(&task.examples);
    let mut chart = plane(["weight 1", "weight 2"], REACH, 2);
    let highest = surface.above(state.begins()).max(1e-3);
    for i in 0..7 {
        for part in inside(&surface.ring(2.0 * highest * 0.5f64.powi(i))) {
            chart = chart.with("", REFERENCE, Form::Contour, part);
        }
    }
    let best = [surface.best[0] as f32, surface.best[1] as f32];
    chart
        .with("descent", DESCENT, Form::Line, near(descent))
        .with("attention", ATTENTION, Form::Dashed, near(attention))
        .with("", ATTENTION, Form::Dots, near(attention).last().copied().into_iter().collect())
        .with("best", BEST, Form::Dots, vec![best])
        .handle("start", DESCENT, state.begins())
}

/// The parts of a ring that lie in the picture.
fn inside(ring: &[[f32; 2]]) -> Vec<Vec<[f32; 2]>> {
    let there = |it: &[f32; 2]| it.iter().all(|x| x.abs() <= REACH);
    let parts = ring.chunk_by(|a, b| there(a) == there(b));
    parts.filter(|it| there(&it[0]) && it.len() > 1).map(<[[f32; 2]]>::to_vec).collect()
}

/// The examples, and the lines along which both predict one answer.
fn in_mind(task: &Prompt, [descent, attention]: [[f32; 2]; 2]) -> Chart {
    let mut chart = plane(["x 1", "x 2"], PLANE, 1);
    for answer in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let named = if answer == 0.0 { "says 0".to_owned() } else { number(answer) };
        chart = chart.with("", DESCENT, Form::Contour, level(descent, answer));
        chart = chart.with(named, ATTENTION, Form::Dashed, level(attention, answer));
    }
    for (i, y) in task.examples.y.iter().enumerate() {
        let at = [task.examples.x[(i, 0)] as f32, task.examples.x[(i, 1)] as f32];
        let hue = if *y > 0.0 { 4 } else { 5 };
        chart = chart.handle(format!("example {} with answer {}", i + 1, number(*y as f32)), hue, at);
    }
    chart.handle("query", BEST, [task.query[0] as f32, task.query[1] as f32])
}

/// The part of the line `w x = answer` that lies in the plane; nothing where it lies outside.
fn level(w: [f32; 2], answer: f32) -> Vec<[f32; 2]> {
    let mut ends: Vec<[f32; 2]> = vec![];
    for along in [0, 1] {
        for side in [-PLANE, PLANE] {
            let other = (answer - w[along] * side) / w[1 - along];
            let mut at = [side; 2];
            at[1 - along] = other;
            if other.abs() <= PLANE {
                ends.push(at);
            }
        }
    }
    ends.truncate(2);
    ends
}

/// An axis from minus `reach` to `reach`, with ticks at minus `tick`, 0 and `tick`.
pub(super) fn symmetric(name: &str, reach: f32, tick: i32) -> Axis {
    Axis::new(name).to(Range { min: -reach, max: reach, log: false }).ticks([-tick, 0, tick].map(whole))
}

/// A plane of such axes.
pub(super) fn plane(names: [&str; 2], reach: f32, tick: i32) -> Chart {
    let [x, y] = names.map(|it| symmetric(it, reach, tick));
    Chart { x, y, plane: true, ..Chart::default() }
}

/// A tick at a whole number.
fn whole(at: i32) -> (f32, String) {
    (at as f32, at.to_string().replace('-', "−"))
}

/// What both predict for the query, step by step, and what the best weights do.
fn predictions(trace: &Trace, steps: usize, task: &Prompt) -> Option<Chart> {
    let said = |who: &str| -> Option<Vec<[f32; 2]>> {
        let all = trace.get(&format!("{who}.prediction"))?.window(0..LAYERS + 1)?;
        Some(all.iter().enumerate().map(|(i, it)| [i as f32, *it]).collect())
    };
    let (descent, attention) = (said("descent")?, said("attention")?);
    let best = Surface::of(&task.examples).best;
    let best = (best[0] * task.query[0] + best[1] * task.query[1]) as f32;
    let far = |it: &[[f32; 2]]| it.iter().fold(best.abs().max(0.5), |most, it| most.max(it[1].abs()));
    // A rate that is too large takes both away: the picture stays where the first steps are.
    let most = far(&descent).max(far(&attention)).min(4.0);
    let range = Range::round(-most, most);
    let ticks = [0, 8, 16, 24].map(whole);
    let now = steps as f32;
    Some(
        Chart {
            x: Axis::new("step, or layer").ticks(ticks),
            y: Axis::new("prediction").to(range),
            ..Chart::default()
        }
        .with("best", BEST, Form::Dashed, vec![[0.0, best], [LAYERS as f32, best]])
        .with("descent", DESCENT, Form::Line, near(&descent))
        .with("attention", ATTENTION, Form::Dashed, near(&attention))
        .with("", REFERENCE, Form::Dashed, vec![[now, range.min], [now, range.max]]),
    )
}

fn heading(state: &IclDescent) -> String {
    let (step, steps, now) =
        state.live(|it| (it.step_count(), it.steps(), it.curves[0].last().map(|it| it[1])));
    let now = now.map_or_else(String::new, |it| format!(": loss {}", number(it)));
    let who = match state.learner {
        Learner::Tokens => "Two layers",
        Learner::Twice => "A layer twice",
        _ => "A layer",
    };
    format!("{who} at step {step}/{steps}{now}")
}

/// The loss while the layer learns, and the floors of gradient descent.
fn loss(state: &IclDescent) -> Chart {
    let known = state.floors();
    let (steps, losses) = state.live(|it| (it.steps() as f32, it.thinned()));
    let ticks = [0.0, 0.5, 1.0].map(|it| (it * steps, number(it * steps)));
    let mut chart = Chart {
        x: Axis::new("step").to(Range { min: 0.0, max: steps, log: false }).ticks(ticks),
        y: Axis::new("loss")
            .to(Range { min: 0.025, max: 0.5, log: true })
            .ticks([0.05, 0.1, 0.2, 0.4].map(|it| (it, number(it)))),
        ..Chart::default()
    };
    for (floor, (k, named)) in known.descent.iter().zip(STEPS) {
        let (name, form) = match (k, named) {
            (1, _) => ("1 step".to_owned(), Form::Dashed),
            (_, true) => (k.to_string(), Form::Dashed),
            (_, false) => (String::new(), Form::Contour),
        };
        chart = chart.with(name, REFERENCE, form, vec![[0.0, *floor], [steps, *floor]]);
    }
    if state.learner == Learner::Twice {
        let floor = known.plus_plus.loss as f32;
        chart = chart.with("2 of GD++", BEST, Form::Dashed, vec![[0.0, floor], [steps, floor]]);
    }
    chart.with("", ATTENTION, Form::Line, losses)
}

/// The paper's three measures while the layer learns.
fn measures(state: &IclDescent) -> Chart {
    let (steps, curves) = state.live(|it| (it.steps() as f32, it.curves.clone()));
    let ticks = [0.0, 0.5, 1.0].map(|it| (it * steps, number(it * steps)));
    let mut chart = Chart {
        x: Axis::new("step").to(Range { min: 0.0, max: steps, log: false }).ticks(ticks),
        y: Axis::new("cosine, distances").to(Range { min: 0.0, max: 2.0, log: false }),
        ..Chart::default()
    }
    .with("", REFERENCE, Form::Dashed, vec![[0.0, 1.0], [steps, 1.0]]);
    for (name, hue, curve) in [("cosine", ATTENTION, 1), ("predictions", 3, 2), ("models", 6, 3)]
        .map(|(name, hue, i)| (name, hue, &curves[i]))
    {
        chart = chart.with(name, hue, Form::Line, curve.clone());
    }
    chart
}
