//! How wrong everybody is, in the mean over many tasks.

use nalgebra::DVector;

use super::{IclBayes, TASKS, shape};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::models::Regressor;
use crate::models::regressor::Prompt;
use crate::regression::{Examples, Prompt as Task, least_squares, mixture, ridge};
use crate::tensor::Tensor;
use crate::train::regression::EXAMPLES;

/// From examples to weights.
type Learns<'a> = &'a dyn Fn(&Examples) -> DVector<f64>;

/// Who is measured: the transformer comes last, where there is one.
pub(super) const WHO: [&str; 4] = ["Bayes", "one Gaussian", "least squares", "transformer"];

/// Keeps the mean square of what is wrong with the next answer after each number of examples: `errors` `[who, after]`.
pub(super) fn record(g: &Graph, state: &IclBayes, model: Option<&Regressor>) {
    let (tasks, believed, noise) = (state.tasks(), state.believed(), state.deviation());
    let mut random = Random::stream(state.seed, 1);
    let drawn: Vec<Task> = (0..TASKS).map(|_| tasks.draw(&mut random)).collect();
    let learners: [Learns<'_>; 3] =
        [&|it| mixture(&believed, noise, it).mean, &|it| ridge(it, noise.powi(2)), &|it| {
            if it.y.is_empty() { DVector::zeros(tasks.d) } else { least_squares(it) }
        }];
    let exact = Tensor::from_fn(&[learners.len(), EXAMPLES], |at| {
        let off = |it: &Task| {
            let known = first(&it.examples, at[1]);
            let next = it.examples.x.row(at[1]).transpose();
            (learners[at[0]](&known) - &it.w).dot(&next).powi(2)
        };
        (drawn.iter().map(off).sum::<f64>() / TASKS as f64) as f32
    });
    let exact = g.input(&exact);
    let all = match model {
        Some(it) => Var::concat(&[exact, said(g, it, &drawn, noise as f32)], 0),
        None => exact,
    };
    all.keep("errors");
}

/// The first examples.
pub(super) fn first(it: &Examples, n: usize) -> Examples {
    Examples { x: it.x.rows(0, n).into_owned(), y: it.y.rows(0, n).into_owned() }
}

/// The errors of the transformer, `[1, after]`.
fn said<'g>(g: &'g Graph, model: &Regressor, tasks: &[Task], noise: f32) -> Var<'g> {
    let [n, d] = shape(&tasks[0].examples);
    let d = d.min(model.config.inputs);
    let x = Tensor::from_fn(&[TASKS, n, d], |at| tasks[at[0]].examples.x[(at[1], at[2])] as f32);
    let y = Tensor::from_fn(&[TASKS, n], |at| tasks[at[0]].examples.y[at[1]] as f32);
    let truth: Vec<DVector<f64>> = tasks.iter().map(|it| &it.examples.x * &it.w).collect();
    let truth = Tensor::from_fn(&[TASKS, n], |at| truth[at[0]][at[1]] as f32);
    let noise = Tensor::new(&[TASKS], vec![noise; TASKS]);
    let prompt = Prompt { x: g.input(&x), y: g.input(&y), noise: g.input(&noise) };
    let off = model.record(&prompt, None).examples - g.input(&truth); // [task, pos]
    (off * off).mean(0)
}
