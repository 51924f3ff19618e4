//! A layer of linear self-attention that learns to do linear regression in its context (von Oswald et al. 2022,
//! arXiv 2212.07677, section 3): what it finds is a step of gradient descent.

use std::sync::{Mutex, PoisonError};

use super::in_context::{course, half_square, unseen};
use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, asked, examples, prediction, run, softmax_layer};
use crate::nn::loss::total;
use crate::nn::{Params, init};
use crate::regression::{Tasks, one_step};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 3] = [
    NamedRecipe {
        name: "linear-attention",
        about: "a layer of linear self-attention that learns linear regression in its context",
        open: |steps| Ok(open(Form::Linear(1), steps)),
    },
    NamedRecipe {
        name: "linear-attention-twice",
        about: "the same layer twice, which learns to bend its inputs in between",
        open: |steps| Ok(open(Form::Linear(2), steps)),
    },
    NamedRecipe {
        name: "softmax-attention",
        about: "a layer of two heads with a softmax that learns linear regression in its context",
        open: |steps| Ok(open(Form::Softmax(2), steps)),
    },
];

fn open(form: Form, steps: Option<u32>) -> Box<dyn Recipe> {
    let usual = InContext::of(form);
    Box::new(InContext { steps: steps.unwrap_or(usual.steps), ..usual })
}

/// Coordinates of an input, and examples of a prompt, as in the paper.
pub const D: usize = 10;
/// Inputs are uniform between minus this and this.
pub const RANGE: f64 = 0.5;
/// Tasks in a batch.
const BATCH: usize = 256;
/// Distributions of tasks whose measured ones are remembered.
const REMEMBERED: usize = 8;
/// Tasks on which it is measured.
pub const MEASURED: usize = 512;

/// What attends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A linear layer so many times, always with the same weights.
    Linear(usize),
    /// A layer of so many heads with a softmax.
    Softmax(usize),
}

/// The recipe.
pub struct InContext {
    /// Steps of the run.
    pub steps: u32,
    /// The largest learning rate.
    pub rate: f32,
    /// What attends.
    pub form: Form,
}

impl InContext {
    /// The usual run. A rate of 0.001 for 5000 steps in the paper; this one falls, and a layer comes as far in a twelfth of
    /// them. From some seeds lower rates stay at a saddle where attention asks by answers and a single direction is learnt.
    pub fn of(form: Form) -> Self {
        let steps = match form {
            Form::Linear(0 | 1) => 400,
            Form::Linear(_) => 1500,
            Form::Softmax(_) => 600,
        };
        Self { steps, rate: 3e-2, form }
    }
}

impl Default for InContext {
    /// One linear layer.
    fn default() -> Self {
        Self::of(Form::Linear(1))
    }
}

/// The tasks that are learnt.
pub fn tasks() -> Tasks {
    Tasks::uniform(D, D, RANGE)
}

/// The linear layer that parameters hold.
pub fn layer<'g>(p: &Params<'_, 'g>) -> LinearAttention<'g> {
    LinearAttention { w_q: p.get("w_q"), w_k: p.get("w_k"), w_v: p.get("w_v"), p: p.get("p") }
}

/// The heads that parameters of a layer with a softmax hold.
pub fn heads<'g>(p: &Params<'_, 'g>, count: usize) -> Vec<LinearAttention<'g>> {
    (0..count).map(|i| layer(&p.at(&i.to_string()))).collect()
}

/// What is predicted, `[task]`, for `query` `[task, d]` from examples `x` `[task, pos, d]` and `y` `[task, pos]`.
pub fn predict<'g>(p: &Params<'_, 'g>, form: Form, prompts: [Var<'g>; 3]) -> Var<'g> {
    match form {
        Form::Linear(layers) => predict_by(&vec![layer(p); layers], prompts),
        Form::Softmax(count) => {
            let (tokens, known) = read(prompts);
            prediction(softmax_layer(&heads(p, count), tokens, known)).flat()
        }
    }
}

/// What linear layers predict, as [`predict`] gives it.
pub fn predict_by<'g>(layers: &[LinearAttention<'g>], prompts: [Var<'g>; 3]) -> Var<'g> {
    let (tokens, known) = read(prompts);
    let last = run(layers, known, tokens).last().map_or(tokens, |it| it.queries);
    prediction(last).flat()
}

/// What is asked, and the examples, as tokens.
fn read([x, y, query]: [Var<'_>; 3]) -> (Var<'_>, Var<'_>) {
    let [count, d] = [x.dim(0), x.dim(2)];
    (asked(query.reshape(&[count, 1, d]), zeros(x)), examples(x, y))
}

impl Recipe for InContext {
    fn course(&self) -> Course {
        let entry = match self.form {
            Form::Linear(0 | 1) => &ENTRIES[0],
            Form::Linear(_) => &ENTRIES[1],
            Form::Softmax(_) => &ENTRIES[2],
        };
        // The paper clips at 0.001; without, a falling rate leaves the saddle from more seeds. What goes through a layer twice
        // has gradients of degree seven.
        let clip = if let Form::Linear(2..) = self.form { Some(1.0) } else { None };
        Course { clip, ..course(entry.name, "uniform", self.steps, (self.rate, 0)) }
    }

    fn untrained(&self, seed: u64) -> Weights {
        let side = D + 1;
        let (heads, layers) = match self.form {
            Form::Linear(layers) => (vec![String::new()], layers.max(1)),
            Form::Softmax(heads) => ((0..heads).map(|i| format!("{i}.")).collect(), 1),
        };
        let names = heads.iter().flat_map(|it| ["p", "w_k", "w_q", "w_v"].map(|name| format!("{it}{name}")));
        let std = (0.002 / (layers * side) as f64).sqrt();
        let parameters = names.map(|it| (it, vec![side, side]));
        init::weights(parameters, seed, |_, shape, random| init::normal(shape, std, random))
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        tasks().batch(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [x, y, query, answer] = batch else {
            panic!("a batch is inputs, answers, a query and its answer")
        };
        half_square(predict(p, self.form, [*x, *y, *query]), *answer)
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![held_out(&tasks())]
    }
}

/// Tasks that training never sees. Those of the last distributions are remembered: who watches a training measures it by the same
/// after every few steps, and to draw them takes as long as the batches of two steps.
pub fn held_out(tasks: &Tasks) -> Vec<Tensor> {
    static DRAWN: Mutex<Vec<(Tasks, Vec<Tensor>)>> = Mutex::new(vec![]);
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = drawn.iter().find(|it| it.0 == *tasks) {
        return known.clone();
    }
    let batch = tasks.batch(MEASURED, &mut unseen());
    if drawn.len() == REMEMBERED {
        drawn.remove(0);
    }
    drawn.push((tasks.clone(), batch.clone()));
    batch
}

/// Weights `[d]` to begin with.
fn zeros(x: Var<'_>) -> Var<'_> {
    x.graph().constant(0.0).broadcast(&[x.dim(-1)])
}

/// How far a model is from an algorithm, as the paper measures it: numbers `[1]`.
#[derive(Clone, Copy)]
pub struct Distance<'g> {
    /// The loss.
    pub loss: Var<'g>,
    /// The mean cosine of the sensitivities, the derivatives of the predictions by the query.
    pub cosine: Var<'g>,
    /// The mean distance of the predictions.
    pub predictions: Var<'g>,
    /// The mean distance of the sensitivities, which are the models in mind.
    pub models: Var<'g>,
}

/// Measures a model on `tasks` that training never sees against an algorithm: both give `[task]` from examples `[task, pos, d]`,
/// their answers `[task, pos]` and queries `[task, d]`.
pub fn distance<'g>(
    g: &'g Graph,
    tasks: &Tasks,
    model: impl Fn([Var<'g>; 3]) -> Var<'g>,
    algorithm: impl Fn([Var<'g>; 3]) -> Var<'g>,
) -> Distance<'g> {
    let batch = held_out(tasks);
    let [x, y, query, answer] = [0, 1, 2, 3].map(|i| g.input(&batch[i]));
    let (said, wanted) = (model([x, y, query]), algorithm([x, y, query]));
    // A task's prediction depends on no other task, so that the sum has the derivatives of each.
    let sensitivity = |said: Var<'g>| g.grad(total(said), &[query])[0]; // [task, d]
    let (found, known) = (sensitivity(said), sensitivity(wanted));
    let mean = |each: Var<'g>| each.flat().mean(0);
    let norm = |v: Var<'g>| (v * v).sum(-1).sqrt().max_with(g.constant(1e-12));
    let off = said - answer;
    Distance {
        loss: mean(off * off) * 0.5,
        cosine: mean((found * known).sum(-1) / (norm(found) * norm(known))),
        predictions: mean((said - wanted).abs()),
        models: mean(norm(found - known)),
    }
}

/// What `steps` steps of gradient descent from zero predict, with the rate that is best for one on inputs between minus and plus
/// [`RANGE`], or with `eta`.
pub fn descended([x, y, query]: [Var<'_>; 3], eta: Option<f32>, steps: usize) -> Var<'_> {
    let best = || one_step(x.dim(2), x.dim(1), RANGE).0 as f32;
    let rate = x.graph().constant(eta.unwrap_or_else(best));
    let path = descend(x, y, zeros(x), rate, steps);
    let w = path[steps - 1].reshape(&query.shape());
    (w * query).sum(-1).flat()
}
