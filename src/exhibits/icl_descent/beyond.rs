//! The layer that learns beyond its tasks: on the way to the layer that is built by hand, and where inputs and weights have
//! another range than in training (von Oswald et al. 2022, arXiv 2212.07677, section 3).

use super::picture::{ATTENTION, DESCENT, REFERENCE};
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_attention::{LinearAttention, examples};
use crate::mechanisms::linear_optimum::MergedAttention;
use crate::mechanisms::solve::identity;
use crate::regression::{Tasks, one_step};
use crate::trace::Trace;
use crate::train::linear_attention::{D, RANGE, held_out};
use crate::ui::{Axis, Chart, Form, Range, number};

/// Mixtures of the two layers: the first is the learnt one, the last the built one.
const MIXTURES: usize = 11;

/// Ranges over those of training.
const RANGES: [f32; 6] = [0.5, 0.75, 1.0, 1.5, 2.0, 5.0];

/// A held-out batch: inputs, answers, queries and their answers.
pub(super) type Prompts<'g> = [Var<'g>; 4];

/// Prompts of `tasks` that training never sees.
pub(super) fn prompts<'g>(g: &'g Graph, tasks: &Tasks) -> Prompts<'g> {
    let batch = held_out(tasks);
    [0, 1, 2, 3].map(|i| g.input(&batch[i]))
}

/// Keeps `between` `[mixture]`: the losses of mixtures of two layers.
pub(super) fn keep_between<'g>(it: Prompts<'g>, layers: [&LinearAttention<'g>; 2]) {
    let [learnt, built] = layers.map(normalised);
    let mixed = |i: usize| {
        let share = i as f32 / (MIXTURES - 1) as f32;
        let mix = |a: Var<'g>, b: Var<'g>| a * (1.0 - share) + b * share;
        let layer = MergedAttention { kq: mix(learnt.kq, built.kq), pv: mix(learnt.pv, built.pv) };
        square(said(&layer, it) - it[3]) * 0.5
    };
    Var::concat(&(0..MIXTURES).map(mixed).collect::<Vec<_>>(), 0).keep("between");
}

/// Keeps `ranges` `[2, range]`: what predictions leave of the loss of zero weights where inputs and where weights have another
/// range.
pub(super) fn keep_ranges<'g>(usual: Prompts<'g>, said: impl Fn([Var<'g>; 3]) -> Var<'g>) {
    let kinds: [fn(Prompts<'g>, f32) -> Prompts<'g>; 2] = [
        |[x, y, q, answer], c| [x * c, y * c, q * c, answer * c],
        |[x, y, q, answer], c| [x, y * c, q, answer * c],
    ];
    let left = |of: fn(Prompts<'g>, f32) -> Prompts<'g>, range: f32| {
        let [x, y, query, answer] = of(usual, range);
        square(said([x, y, query]) - answer) / square(answer)
    };
    let each: Vec<Var<'g>> = kinds.iter().flat_map(|of| RANGES.map(|range| left(*of, range))).collect();
    Var::concat(&each, 0).reshape(&[kinds.len(), RANGES.len()]).keep("ranges");
}

/// `W_K^T W_Q` with a mean of 1 along the diagonal of the inputs, and `P W_V` with what was taken from it: between the two a
/// factor may wander.
fn normalised<'g>(layer: &LinearAttention<'g>) -> MergedAttention<'g> {
    let (kq, pv) = (layer.w_k.t().matmul(layer.w_q), layer.p.matmul(layer.w_v));
    let unit = identity(kq.graph(), D).pad(0, 0, 1, 0.0).pad(1, 0, 1, 0.0);
    let mean = (kq * unit).sum(-1).sum(-2) / D as f32; // [1, 1]
    MergedAttention { kq: kq / mean, pv: pv * mean }
}

/// The predictions `[task]` of a layer whose matrices are multiplied out.
fn said<'g>(layer: &MergedAttention<'g>, [x, y, query, _]: Prompts<'g>) -> Var<'g> {
    let [tasks, d] = [x.dim(0), x.dim(2)];
    let asked = query.reshape(&[tasks, 1, d]).pad(2, 0, 1, 0.0);
    -layer.layer(asked, examples(x, y), 1).slice(2, d, 1).reshape(&[tasks])
}

/// The mean of the squares, `[1]`.
fn square(x: Var<'_>) -> Var<'_> {
    (x * x).mean(0)
}

/// The loss from the learnt layer to the built one.
pub(super) fn between(trace: &Trace) -> Option<Chart> {
    let losses = trace.get("between")?.window(0..MIXTURES)?;
    let share = |i: usize| i as f32 / (MIXTURES - 1) as f32;
    let floor = one_step(D, D, RANGE).1 as f32;
    let ticks = [(0.0, "learnt"), (0.5, "half"), (1.0, "built")];
    let chart = Chart {
        x: Axis::new("mixture").ticks(ticks.map(|(at, words)| (at, words.to_owned()))),
        y: Axis::new("loss").to(Range { min: 0.0, max: 0.5, log: false }),
        ..Chart::default()
    };
    let points = losses.iter().enumerate().map(|(i, loss)| [share(i), *loss]);
    let chart = chart.with("1 step", REFERENCE, Form::Dashed, vec![[0.0, floor], [1.0, floor]]);
    Some(chart.with("", ATTENTION, Form::Line, points.collect()))
}

/// What is left of the loss of zero weights on other ranges: of one step in closed form, of the layer as measured.
pub(super) fn ranges(tasks: &Tasks, trace: &Trace) -> Option<Chart> {
    let measured = trace.get("ranges")?.window(0..2 * RANGES.len())?;
    let (least, most) = (RANGES[0], RANGES[RANGES.len() - 1]);
    let ticks = [0.5, 1.0, 2.0, 5.0].map(|it| (it, number(it)));
    let mut chart = Chart {
        x: Axis::new("range over that of training")
            .to(Range { min: least, max: most, log: true })
            .ticks(ticks),
        y: Axis::new("loss over that of zero weights").to(Range { min: 0.1, max: 1e3, log: true }),
        ..Chart::default()
    };
    // With s the variance of an input, L = L_0 (1 - 2 eta s c^2 + eta^2 E[S^2] c^4), and the best rate is s / E[S^2].
    let (rate, _) = one_step(tasks.d, tasks.n, RANGE);
    let kept = rate * RANGE.powi(2) / 3.0;
    let step = |c: f32| (1.0 - 2.0 * kept * f64::from(c).powi(2) + kept * f64::from(c).powi(4)) as f32;
    let along = (0..33).map(|i| least * (most / least).powf(i as f32 / 32.0));
    chart = chart.with("inputs", DESCENT, Form::Contour, along.map(|c| [c, step(c)]).collect());
    chart = chart.with("weights", REFERENCE, Form::Contour, vec![[least, step(1.0)], [most, step(1.0)]]);
    for (hue, part) in [(ATTENTION, 0), (ATTENTION, 1)] {
        let dots = RANGES.iter().zip(&measured[part * RANGES.len()..]).map(|(c, it)| [*c, *it]);
        chart = chart.with("", hue, Form::Dots, dots.collect());
    }
    Some(chart)
}
