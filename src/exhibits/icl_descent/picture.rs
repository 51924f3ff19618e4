//! How it looks: the loss surface with both paths, the examples with what both have in mind, and the layer that learns.

use super::task::Surface;
use super::{IclDescent, LAYERS};
use crate::data::Random;
use crate::page::{Field, Fields, Map, Page, Picture, Room, column, panel, row};
use crate::regression::{Prompt, floor};
use crate::trace::Trace;
use crate::train::linear_attention::tasks;
use crate::ui::{Axis, Chart, Form, Range, number};

/// The hues: the same for the same thing in every picture.
const DESCENT: usize = 0;
const ATTENTION: usize = 1;
const BEST: usize = 2;
const REFERENCE: usize = 7;

/// The surface reaches from minus this to this along both weights.
const REACH: f32 = 2.5;

/// The plane of the inputs does.
const PLANE: f32 = 1.2;

/// The panels.
pub(super) fn page(state: &IclDescent, trace: &Trace) -> Option<Page> {
    let steps = state.steps.min(LAYERS);
    let paths = ["descent", "attention"].map(|it| path(trace, it));
    let [Some(descent), Some(attention)] = paths else { return None };
    let (task, last) = (state.task(), [descent[steps], attention[steps]]);
    let square = |aside| Room::shaped(1.0, [165.0, 150.0], [aside, 55.0]);
    let curve = |high| Room::fill(220.0, high).at_most_wide(340.0);
    let surface = surface(state, &task, [&descent[..=steps], &attention[..=steps]]);
    let apart = descent
        .iter()
        .zip(&attention)
        .take(steps + 1)
        .fold(0.0f32, |most, (a, b)| most.max((a[0] - b[0]).hypot(a[1] - b[1])));
    let after =
        if steps == 1 { "1 step, 1 layer".to_owned() } else { format!("{steps} steps, {steps} layers") };
    Some(row([
        panel("loss surface", 0, square(120.0))
            .titled(format!("{after}: {} apart", number(apart)))
            .read("Rings are heights of the loss over two weights, each half of the one outside it. Drag the start.")
            .shows(Picture::Chart(surface))
            .into(),
        column([
            panel("examples", 1, square(80.0).at_most_wide(330.0))
                .titled("What both have in mind")
                .read("Lines join inputs of one answer. Drag an example, or the query: its answer stays.")
                .shows(Picture::Chart(in_mind(&task, last)))
                .into(),
            panel("predictions", 4, Room::fill(200.0, 110.0).at_most_wide(330.0).at_most_high(220.0))
                .titled("What both say of the query")
                .shows(Picture::Chart(predictions(trace, steps, &task)?))
                .into(),
        ]),
        column([
            panel("loss", 2, curve(125.0))
                .titled(title(state))
                .read("Dashed: what so many steps of gradient descent with the best rate for all tasks leave.")
                .shows(Picture::Chart(loss(state)))
                .into(),
            panel("measures", 3, curve(110.0))
                .titled("How far it is from one step")
                .read("Over 512 tasks: cosine of the sensitivities, mean distances of predictions and of sensitivities.")
                .shows(Picture::Chart(measures(state)))
                .into(),
            panel("weights", 5, Room::shaped(4.0, [230.0, 62.0], [0.0, 24.0]).at_most_high(130.0).at_most_wide(340.0))
                .titled("Learnt, and built by hand")
                .read("KQ is W_K^T W_Q, PV is P W_V, each over its largest entry; the last row and column belong to the answer.")
                .shows(Picture::Fields(weights(trace)))
                .into(),
        ]),
    ]))
}

/// Weights after every step or layer.
fn path(trace: &Trace, who: &str) -> Option<Vec<[f32; 2]>> {
    let all = trace.get(&format!("{who}.w"))?.window(0..2 * (LAYERS + 1))?;
    Some(all.chunks(2).map(|it| [it[0], it[1]]).collect())
}

/// As far as the way leads before a rate that is too large takes it away: further no picture reaches.
fn near(way: &[[f32; 2]]) -> Vec<[f32; 2]> {
    way.iter().copied().take_while(|it| it.iter().all(|x| x.abs() < 1e3)).collect()
}

/// The loss over both weights with the two paths, one on the other.
fn surface(state: &IclDescent, task: &Prompt, [descent, attention]: [&[[f32; 2]]; 2]) -> Chart {
    let surface = Surface::of(&task.examples);
    let axis = |name: &str| {
        Axis::new(name).to(Range { min: -REACH, max: REACH, log: false }).ticks([-2, 0, 2].map(whole))
    };
    let mut chart = Chart { x: axis("weight 1"), y: axis("weight 2"), plane: true, ..Chart::default() };
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
    let axis = |name: &str| {
        Axis::new(name).to(Range { min: -PLANE, max: PLANE, log: false }).ticks([-1, 0, 1].map(whole))
    };
    let mut chart = Chart { x: axis("x 1"), y: axis("x 2"), plane: true, ..Chart::default() };
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

fn title(state: &IclDescent) -> String {
    let (step, steps, now) =
        state.live(|it| (it.step_count(), it.steps(), it.curves[0].last().map(|it| it[1])));
    let now = now.map_or_else(String::new, |it| format!(", loss {}", number(it)));
    format!("A layer learns: step {step} of {steps}{now}")
}

/// Tasks whose spectra floors are computed from: their means are good to a hundredth.
const DRAWN: usize = 400;

/// What is left after so many steps.
const FLOORS: [usize; 3] = [1, 2, 5];

/// The loss while the layer learns, and the floors of gradient descent.
fn loss(state: &IclDescent) -> Chart {
    let mut floors = state.floors.borrow_mut();
    if floors.is_empty() {
        let floor = |k| floor(&tasks(), k as i32, DRAWN, &mut Random::stream(1, 0)) as f32;
        floors.extend(FLOORS.map(|k| (k, floor(k))));
    }
    let (steps, losses) = state.live(|it| (it.steps() as f32, it.thinned()));
    let ticks = [0.0, 0.5, 1.0].map(|it| (it * steps, number(it * steps)));
    let mut chart = Chart {
        x: Axis::new("step").to(Range { min: 0.0, max: steps, log: false }).ticks(ticks),
        y: Axis::new("loss").to(Range { min: 0.0, max: 0.5, log: false }),
        ..Chart::default()
    };
    for (k, floor) in &*floors {
        let name = if *k == 1 { "1 step".to_owned() } else { k.to_string() };
        chart = chart.with(name, REFERENCE, Form::Dashed, vec![[0.0, *floor], [steps, *floor]]);
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

/// The products of matrices, learnt and built.
fn weights(trace: &Trace) -> Fields {
    let field = |name: &str, words: &str| {
        let kept = trace.get(name).zip(trace.get(&format!("{name}.peak")));
        let map = kept.and_then(|(it, peak)| Some(Map::of(it, 0)?.signed(1.0).over(Some(peak), false)));
        Field::new(map, words)
    };
    let fields = vec![
        field("learned.asks", "KQ learnt"),
        field("construction.asks", "KQ built"),
        field("learned.gives", "PV learnt"),
        field("construction.gives", "PV built"),
    ];
    Fields { fields, value: "weight over the largest", ..Fields::default() }
}
