//! What is simple first? The power at every frequency in what Bayes and the transformer have in mind after each number of
//! examples, in the mean over many tasks (Panwar, Ahuja & Goyal 2023, arXiv 2306.04891, section 4).

use nalgebra::DMatrix;

use super::picture::{BAYES, GAUSSIAN, TRANSFORMER, TRUTH};
use super::prior::HIGHEST;
use super::{IclBayes, MOST, asked, priors};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::bayes_mixture::Belief;
use crate::models::Regressor;
use crate::regression::{Component, Features};
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::ui::{Axis, Chart, Form, Range};

/// Tasks that power is averaged over.
const TASKS: usize = 48;

/// Places at which functions are seen: more than twice the highest frequency, all as far apart, so that waves do not mix.
const PLACES: usize = 16;

/// Frequencies up to this are low: every band has them.
const LOW: usize = 1;

/// Who has something in mind; the transformer comes first.
pub(super) const WHO: [&str; 4] = ["transformer", "three bands", "one band", "truth"];

/// Keeps `power` `[who, after, frequency]`: the mean over tasks of the mean square of what is in mind, frequency by frequency.
pub(super) fn record(g: &Graph, state: &IclBayes, model: &Regressor) {
    let (features, noise) = (state.functions.features(), state.deviation() as f32);
    let (tasks, mut random) = (state.tasks(), Random::stream(state.seed, 2));
    let drawn: Vec<_> = (0..TASKS).map(|_| tasks.draw(&mut random)).collect();
    let [n, d] = [tasks.n, tasks.d];
    let x = g.input(&Tensor::from_fn(&[TASKS, n, d], |at| drawn[at[0]].examples.x[(at[1], at[2])] as f32));
    let y = g.input(&Tensor::from_fn(&[TASKS, n], |at| drawn[at[0]].examples.y[at[1]] as f32));
    let noises = g.input(&Tensor::new(&[TASKS], [noise; TASKS]));

    let places = features.at(&(0..PLACES).map(|i| 2.0 * i as f64 / PLACES as f64 - 1.0).collect::<Vec<_>>());
    let said = asked(model, x, y, &places, noises); // [task, after, place]
    let mut all = vec![said.matmul(fit(g, &places))];
    for prior in [state.truth(), vec![state.one_band()]] {
        all.push(means(g, &prior, x, y, noise));
    }
    let truth = g.input(&Tensor::from_fn(&[TASKS, 1, d], |at| drawn[at[0]].w[at[2]] as f32));
    all.push(truth.broadcast(&[TASKS, MOST + 1, d]));
    let spectra = spectra(g, features);
    let power = all.into_iter().map(|w| (w * w).matmul(spectra).mean(0).reshape(&[1, MOST + 1, HIGHEST + 1]));
    Var::concat(&power.collect::<Vec<_>>(), 0).keep("power");
}

/// The weights `[task, after, d]` that Bayes has in mind: the means of the posterior.
fn means<'g>(g: &'g Graph, prior: &[Component], x: Var<'g>, y: Var<'g>, noise: f32) -> Var<'g> {
    let [mean, covariance, weight] = priors(g, prior);
    let mut belief = Belief::prior(mean, covariance, TASKS);
    let mut all = vec![];
    for j in 0..=MOST {
        let share = belief.posterior(weight).reshape(&[TASKS, prior.len(), 1, 1]);
        all.push((belief.mean * share).sum(1).reshape(&[TASKS, 1, x.dim(-1)]));
        if j < MOST {
            belief = belief.seeing(x.slice(1, j, 1), y.slice(1, j, 1), noise);
        }
    }
    Var::concat(&all, 1)
}

/// What turns values at places into weights, `[place, d]`: least squares.
fn fit<'g>(g: &'g Graph, places: &DMatrix<f64>) -> Var<'g> {
    let inverse = (places.transpose() * places).try_inverse();
    let Some(inverse) = inverse else { unreachable!("there are more places than waves") };
    let fit = places * inverse;
    g.input(&Tensor::from_fn(&[PLACES, places.ncols()], |at| fit[(at[0], at[1])] as f32))
}

/// What adds squares of weights up to powers, `[d, frequency]`: a wave's mean square is half that of its weights.
fn spectra(g: &Graph, features: Features) -> Var<'_> {
    let share = |i: usize| if features.frequency(i) == 0 { 1.0 } else { 0.5 };
    let at = |at: &[usize]| if features.frequency(at[0]) == at[1] { share(at[0]) } else { 0.0 };
    g.input(&Tensor::from_fn(&[features.count(), HIGHEST + 1], at))
}

/// The share of the power of `power` `[who, after, frequency]` that lies at low frequencies, `[who, after]`.
pub(super) fn low(power: Var<'_>) -> Var<'_> {
    let [low, all] = [power.slice(-1, 0, LOW + 1), power].map(|it| it.sum(-1));
    (low / (all + 1e-9)).reshape(&[WHO.len(), MOST + 1])
}

/// The share of the power at low frequencies over the number of examples.
pub(super) fn chart(trace: &Trace, n: usize) -> Option<Chart> {
    let all = trace.get("power")?.window(0..WHO.len() * (MOST + 1) * (HIGHEST + 1))?;
    let range = Range { min: 0.3, max: 1.0, log: false };
    let ticks = [1, 4, 8].map(|it| (it as f32, it.to_string()));
    let mut chart = Chart {
        x: Axis::new("examples").to(Range { min: 1.0, max: MOST as f32, log: false }).ticks(ticks),
        y: Axis::new("share of power").to(range).ticks(
            [(0.4, "0.4"), (0.6, "0.6"), (0.8, "0.8"), (1.0, "1")].map(|(at, it)| (at, it.to_owned())),
        ),
        ..Chart::default()
    };
    let looks =
        [(TRANSFORMER, Form::Dashed), (BAYES, Form::Line), (GAUSSIAN, Form::Line), (TRUTH, Form::Contour)];
    for (i, (hue, form)) in looks.into_iter().enumerate() {
        let of = |after: usize| -> f32 {
            let powers = &all[(i * (MOST + 1) + after) * (HIGHEST + 1)..][..=HIGHEST];
            powers[..=LOW].iter().sum::<f32>() / powers.iter().sum::<f32>().max(1e-9)
        };
        let points = (1..=MOST).map(|after| [after as f32, of(after).max(range.min)]);
        chart = chart.with(WHO[i], hue, form, points.collect());
    }
    let now = n as f32;
    Some(if n > 0 {
        chart.with("", TRUTH, Form::Dashed, vec![[now, range.min], [now, range.max]])
    } else {
        chart
    })
}
