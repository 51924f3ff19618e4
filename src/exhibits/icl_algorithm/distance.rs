//! How far the transformer is from every algorithm.

use super::references::{Asked, References};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::predictor_distance::implied_weights;
use crate::models::Regressor;
use crate::models::regressor::{Prompt, Queries};
use crate::regression::{Examples, Prompt as Task};
use crate::tensor::Tensor;
use crate::train::regression::{D, EXAMPLES, Family, MOST};

/// Tasks on which distances are measured.
pub(super) const TASKS: usize = 64;

/// Queries after every number of examples.
pub(super) const QUERIES: usize = 6;

/// Tasks for every noise of the phase picture.
pub(super) const FEW: usize = 32;

/// Noises of the phase picture.
pub(super) const NOISES: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

/// Tasks with noise of this deviation.
pub(super) fn draw(noise: f64, count: usize, random: &mut Random) -> Vec<Task> {
    let tasks = Family::Linear.tasks(noise);
    (0..count).map(|_| tasks.draw(random)).collect()
}

/// The prompts of tasks that have this noise.
pub(super) fn prompt<'g>(g: &'g Graph, tasks: &[Task], noise: impl Fn(usize) -> f64) -> Prompt<'g> {
    let count = tasks.len();
    let x = |at: &[usize]| tasks[at[0]].examples.x[(at[1], at[2])] as f32;
    Prompt {
        x: g.input(&Tensor::from_fn(&[count, EXAMPLES, D], x)),
        y: g.input(&Tensor::from_fn(&[count, EXAMPLES], |at| tasks[at[0]].examples.y[at[1]] as f32)),
        noise: g.input(&Tensor::from_fn(&[count], |at| noise(at[0]) as f32)),
    }
}

/// The first examples of a task.
pub(super) fn first(it: &Examples, n: usize) -> Examples {
    Examples { x: it.x.rows(0, n).into_owned(), y: it.y.rows(0, n).into_owned() }
}

/// Keeps `spd` and `ilwd` `[learner, after]` over the number of examples, as shares of the variance of answers and of weights;
/// `error` `[learner, after]`, how far each is from the truth, the transformer last; and `curved` `[after]`, the share of the
/// transformer's answers that no linear function explains.
pub(super) fn record(g: &Graph, known: &References, model: &Regressor) {
    let (asked, noise) = (&known.asked, known.question.noise);
    let said = said(g, model, asked, noise); // [task, after, query]
    let all = g.input(&known.answers()).permute(&[1, 0, 2, 3]); // [learner, task, after, query]
    let share = 1.0 / D as f32;
    (mean(square(all - said)) * share).keep("spd");

    let queries = Tensor::from_fn(&[TASKS, QUERIES, D], |at| asked[at[0]].1[(at[1], at[2])] as f32);
    let queries = g.input(&queries);
    let (theirs, own) = (implied_weights(queries, all), implied_weights(queries, said)); // [.., task, after, d]
    mean(square(theirs - own)).keep("ilwd");
    let explained = own.matmul(queries.t()); // [task, after, query]
    let [left, whole] = [said - explained, said].map(|it| square(it).sum(-1).sum(0).flat()); // [after]
    (left / (whole + 1e-6)).keep("curved");

    let truth = Tensor::from_fn(&[TASKS, 1, QUERIES], |at| {
        let (task, queries) = &asked[at[0]];
        queries.row(at[2]).transpose().dot(&task.w) as f32
    });
    let shape = said.shape();
    let everybody = Var::concat(&[all, said.reshape(&[&[1][..], &shape].concat())], 0);
    (mean(square(everybody - g.input(&truth))) * share).keep("error");
}

/// `x^2`
fn square(x: Var<'_>) -> Var<'_> {
    x * x
}

/// The mean over tasks and queries, `[learner, task, after, query] -> [learner, after]`.
fn mean(x: Var<'_>) -> Var<'_> {
    x.mean(-1).mean(1).reshape(&[x.dim(0), MOST + 1])
}

/// What the transformer says of every query after each number of examples, `[task, after, query]`.
fn said<'g>(g: &'g Graph, model: &Regressor, asked: &[Asked], noise: f64) -> Var<'g> {
    let after: Vec<usize> = (0..=MOST).flat_map(|n| [n; QUERIES]).collect();
    let x =
        Tensor::from_fn(&[asked.len(), after.len(), D], |at| asked[at[0]].1[(at[1] % QUERIES, at[2])] as f32);
    let tasks: Vec<Task> = asked.iter().map(|it| it.0.clone()).collect();
    let queries = Queries { x: g.input(&x), after: &after };
    let said = model.record(&prompt(g, &tasks, |_| noise), Some(queries)).queries;
    said.reshape(&[asked.len(), MOST + 1, QUERIES])
}

/// Keeps `phase` `[noise, learner, after]`: the distance of the answers to the next example's input, after 1 to 11 of them.
pub(super) fn record_phase(g: &Graph, known: &References, model: &Regressor) {
    let prompt = prompt(g, &known.phase, |i| NOISES[i / FEW]);
    let said = model.record(&prompt, None).examples.slice(-1, 1, MOST); // [task, after]
    let off = g.input(&known.next()) - said.reshape(&[known.phase.len(), 1, MOST]); // [task, learner, after]
    let learners = known.question.learners.len();
    let off = (off * off).reshape(&[NOISES.len(), FEW, learners, MOST]).mean(1);
    (off.reshape(&[NOISES.len(), learners, MOST]) / D as f32).keep("phase");
}
