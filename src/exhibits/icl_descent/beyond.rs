//! What learnt beyond its tasks: on the way to the layer that is built by hand, where inputs and weights have another range than
//! in training, and where inputs are distributed otherwise (von Oswald et al. 2022, arXiv 2212.07677, section 3).

use nalgebra::DMatrix;

use super::picture::{ATTENTION, DESCENT, REFERENCE};
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_attention::{LinearAttention, examples};
use crate::mechanisms::linear_optimum::MergedAttention;
use crate::mechanisms::solve::identity;
use crate::regression::{Covariates, Tasks};
use crate::trace::Trace;
use crate::train::linear_attention::{D, RANGE, held_out};
use crate::ui::{Axis, Chart, Form, Range, number};

/// Mixtures of the two layers: the first is the learnt one, the last the built one.
const MIXTURES: usize = 11;

/// Ranges over those of training.
const RANGES: [f32; 6] = [0.5, 0.75, 1.0, 1.5, 2.0, 5.0];

/// Distributions of inputs: that of training first.
const KINDS: [&str; 4] = ["uniform", "normal", "Laplace", "exponential"];

/// Prompts: inputs, answers, queries and their answers.
pub(super) type Prompts<'g> = [Var<'g>; 4];

/// From examples, their answers and queries to predictions.
pub(super) type Predicts<'a, 'g> = &'a dyn Fn([Var<'g>; 3]) -> Var<'g>;

/// Prompts of `tasks` that training never sees.
pub(super) fn prompts<'g>(g: &'g Graph, tasks: &Tasks) -> Prompts<'g> {
    let batch = held_out(tasks);
    [0, 1, 2, 3].map(|i| g.input(&batch[i]))
}

/// Keeps `between` `[mixture]`: the losses of mixtures of two layers, each gone through so many times.
pub(super) fn keep_between<'g>(it: Prompts<'g>, layers: [&LinearAttention<'g>; 2], times: usize) {
    Var::concat(&mixed(it, layers, times), 0).keep("between");
}

/// The losses of mixtures, each `[1]`.
pub(super) fn mixed<'g>(it: Prompts<'g>, layers: [&LinearAttention<'g>; 2], times: usize) -> Vec<Var<'g>> {
    let [learnt, built] = layers.map(normalised);
    let mixed = |i: usize| {
        let share = i as f32 / (MIXTURES - 1) as f32;
        let mix = |a: Var<'g>, b: Var<'g>| a * (1.0 - share) + b * share;
        let layer = MergedAttention { kq: mix(learnt.kq, built.kq), pv: mix(learnt.pv, built.pv) };
        square(said(&layer, it, times) - it[3]) * 0.5
    };
    (0..MIXTURES).map(mixed).collect()
}

/// Keeps what what learnt, and what it is held against, leave of the loss of zero weights: `ranges` `[who, 2, range]` where
/// inputs and where weights have another range, `kinds` `[who, kind]` where inputs are distributed otherwise.
pub(super) fn keep_others<'g>(usual: Prompts<'g>, tasks: &Tasks, who: [Predicts<'_, 'g>; 2]) {
    let scaled: [fn(Prompts<'g>, f32) -> Prompts<'g>; 2] = [
        |[x, y, q, answer], c| [x * c, y * c, q * c, answer * c],
        |[x, y, q, answer], c| [x, y * c, q, answer * c],
    ];
    let ranges = scaled.iter().flat_map(|of| RANGES.map(|range| of(usual, range)));
    let kinds = elsewhere(usual[0].graph(), tasks);
    let rows = |all: Vec<Prompts<'g>>| {
        Var::concat(
            &who.map(|says| Var::concat(&all.iter().map(|it| left(*it, says)).collect::<Vec<_>>(), 0)),
            0,
        )
    };
    rows(ranges.collect()).reshape(&[2, scaled.len(), RANGES.len()]).keep("ranges");
    rows(kinds.into()).reshape(&[2, KINDS.len()]).keep("kinds");
}

/// Prompts with inputs of each distribution.
pub(super) fn elsewhere<'g>(g: &'g Graph, tasks: &Tasks) -> [Prompts<'g>; 4] {
    kinds(tasks.d).map(|inputs| prompts(g, &Tasks { inputs, ..tasks.clone() }))
}

/// What predictions leave of the loss of zero weights, `[1]`.
pub(super) fn left<'g>([x, y, query, answer]: Prompts<'g>, says: Predicts<'_, 'g>) -> Var<'g> {
    square(says([x, y, query]) - answer) / square(answer)
}

/// The distributions of [`KINDS`], all with the mean square of those of training.
fn kinds(d: usize) -> [Covariates; 4] {
    let square = RANGE.powi(2) / 3.0;
    let normal = Covariates::Normal(DMatrix::identity(d, d) * square);
    [Covariates::Uniform(RANGE), normal, Covariates::Laplace(square), Covariates::Exponential(square)]
}

/// `W_K^T W_Q` with a mean of 1 along the diagonal of the inputs, and `P W_V` with what was taken from it: between the two a
/// factor may wander.
fn normalised<'g>(layer: &LinearAttention<'g>) -> MergedAttention<'g> {
    let (kq, pv) = (layer.w_k.t().matmul(layer.w_q), layer.p.matmul(layer.w_v));
    let mean = along(kq);
    MergedAttention { kq: kq / mean, pv: pv * mean }
}

/// The mean along the diagonal of the inputs of `[d + 1, d + 1]`, `[1, 1]`.
fn along(x: Var<'_>) -> Var<'_> {
    let unit = identity(x.graph(), D).pad(0, 0, 1, 0.0).pad(1, 0, 1, 0.0);
    (x * unit).sum(-1).sum(-2) / D as f32
}

/// The `eta` and the `gamma` of the step that a layer is, as far as it is one, `[2]`.
pub(super) fn step<'g>(layer: &LinearAttention<'g>) -> Var<'g> {
    let it = normalised(layer);
    let eta = it.pv.slice(0, D, 1).slice(1, D, 1);
    Var::concat(&[eta, along(it.pv)], 0).flat() * -(D as f32)
}

/// The predictions `[task]` of a layer whose matrices are multiplied out, gone through so many times.
fn said<'g>(layer: &MergedAttention<'g>, [x, y, query, _]: Prompts<'g>, times: usize) -> Var<'g> {
    let [tasks, d] = [x.dim(0), x.dim(2)];
    let first = (query.reshape(&[tasks, 1, d]).pad(2, 0, 1, 0.0), examples(x, y));
    let (asked, _) = (0..times)
        .fold(first, |(asked, known), _| (layer.layer(asked, known, 1), layer.layer(known, known, 1)));
    -asked.slice(2, d, 1).reshape(&[tasks])
}

/// The mean of the squares, `[1]`.
fn square(x: Var<'_>) -> Var<'_> {
    (x * x).mean(0)
}

/// The loss from the learnt layer to the built one, of which `floor` is left.
pub(super) fn between(trace: &Trace, (name, floor): (&str, f32)) -> Option<Chart> {
    let losses = trace.get("between")?.window(0..MIXTURES)?;
    let share = |i: usize| i as f32 / (MIXTURES - 1) as f32;
    let ticks = [(0.0, "learnt"), (0.5, "half"), (1.0, "built")];
    let chart = Chart {
        x: Axis::new("mixture").ticks(ticks.map(|(at, words)| (at, words.to_owned()))),
        y: Axis::new("loss").to(Range { min: 0.0, max: 0.5, log: false }),
        ..Chart::default()
    };
    let points = losses.iter().enumerate().map(|(i, loss)| [share(i), *loss]);
    let chart = chart.with(name, REFERENCE, Form::Dashed, vec![[0.0, floor], [1.0, floor]]);
    Some(chart.with("", ATTENTION, Form::Line, points.collect()))
}

/// A frame for what is left of the loss of zero weights.
fn frame(x: Axis, most: f32) -> Chart {
    let y = Axis::new("loss over that of zero weights").to(Range { min: 0.1, max: most, log: true });
    Chart { x, y, ..Chart::default() }
}

/// What is left on other ranges: lines for what it is held against, dots for what learnt.
pub(super) fn ranges(trace: &Trace) -> Option<Chart> {
    let all = trace.get("ranges")?.window(0..4 * RANGES.len())?;
    let (least, most) = (RANGES[0], RANGES[RANGES.len() - 1]);
    let ticks = [0.5, 1.0, 2.0, 5.0].map(|it| (it, number(it)));
    let x = Axis::new("range over that of training").to(Range { min: least, max: most, log: true });
    let mut chart = frame(x.ticks(ticks), 1e3);
    for (i, (name, hue)) in [("inputs", ATTENTION), ("weights", DESCENT)].into_iter().enumerate() {
        let of = |who: usize| -> Vec<[f32; 2]> {
            let part = &all[(2 * who + i) * RANGES.len()..][..RANGES.len()];
            RANGES.iter().zip(part).map(|(range, it)| [*range, it.clamp(0.1, 1e3)]).collect()
        };
        chart = chart.with(name, hue, Form::Line, of(1)).with("", hue, Form::Dots, of(0));
    }
    Some(chart)
}

/// What is left where inputs are distributed otherwise.
pub(super) fn distributions(trace: &Trace) -> Option<Chart> {
    let all = trace.get("kinds")?.window(0..2 * KINDS.len())?;
    let ticks = (0..KINDS.len()).map(|i| (i as f32, KINDS[i].to_owned()));
    let x = Axis::new("inputs").to(Range { min: -0.5, max: KINDS.len() as f32 - 0.5, log: false });
    let of = |who: usize| -> Vec<[f32; 2]> {
        let part = &all[who * KINDS.len()..][..KINDS.len()];
        part.iter().enumerate().map(|(i, it)| [i as f32, it.clamp(0.1, 100.0)]).collect()
    };
    let chart = frame(x.ticks(ticks), 100.0);
    Some(chart.with("held against", REFERENCE, Form::Line, of(1)).with(
        "learnt",
        ATTENTION,
        Form::Dots,
        of(0),
    ))
}
