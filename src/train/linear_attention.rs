//! A layer of linear self-attention that learns to do linear regression in its context (von Oswald et al. 2022,
//! arXiv 2212.07677, section 3): what it finds is a step of gradient descent.

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, asked, examples, prediction, softmax_layer};
use crate::nn::loss::total;
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Params, init};
use crate::regression::{Tasks, one_step};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 2] = [
    NamedRecipe {
        name: "linear-attention",
        about: "a layer of linear self-attention that learns linear regression in its context",
        open: |steps| {
            let usual = InContext::default();
            Ok(Box::new(InContext { steps: steps.unwrap_or(usual.steps), ..usual }))
        },
    },
    NamedRecipe {
        name: "softmax-attention",
        about: "a layer of two heads with a softmax that learns linear regression in its context",
        open: |steps| {
            let usual = InContext::softmax(2);
            Ok(Box::new(InContext { steps: steps.unwrap_or(usual.steps), ..usual }))
        },
    },
];

/// Coordinates of an input, and examples of a prompt, as in the paper.
pub const D: usize = 10;
/// Inputs are uniform between minus this and this.
pub const RANGE: f64 = 0.5;
/// Tasks in a batch.
const BATCH: usize = 256;
/// Tasks on which it is measured.
pub const MEASURED: usize = 512;

/// The recipe.
pub struct InContext {
    /// Steps of the run.
    pub steps: u32,
    /// The largest learning rate.
    pub rate: f32,
    /// How many heads a layer with a softmax has; `None`: it is linear.
    pub heads: Option<usize>,
}

impl Default for InContext {
    /// A linear layer. A rate of 0.001 for 5000 steps in the paper; this one falls, and comes as far in a twelfth of them. From
    /// some seeds lower rates stay at a saddle where attention asks by answers and a single direction is learnt.
    fn default() -> Self {
        Self { steps: 400, rate: 3e-2, heads: None }
    }
}

impl InContext {
    /// A layer of so many heads with a softmax.
    pub fn softmax(heads: usize) -> Self {
        Self { steps: 600, heads: Some(heads), ..Self::default() }
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

/// What a layer predicts, `[task]`, for `query` `[task, d]` from examples `x` `[task, pos, d]` and `y` `[task, pos]`; with
/// `softmax`, one of so many heads.
pub fn predict<'g>(p: &Params<'_, 'g>, softmax: Option<usize>, [x, y, query]: [Var<'g>; 3]) -> Var<'g> {
    let [count, d] = [x.dim(0), x.dim(2)];
    let (tokens, known) = (asked(query.reshape(&[count, 1, d]), zeros(x)), examples(x, y));
    let read = match softmax {
        Some(count) => softmax_layer(&heads(p, count), tokens, known),
        None => layer(p).layer(tokens, known),
    };
    prediction(read).reshape(&[count])
}

impl Recipe for InContext {
    fn course(&self) -> Course {
        Course {
            name: if self.heads.is_some() { ENTRIES[1].name } else { ENTRIES[0].name },
            data: "drawn at random: linear regression with uniform inputs".to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { beta2: 0.98, ..AdamW::default() }),
            schedule: Schedule { peak: self.rate, warm_up: 0, floor: 0.02 },
            // The paper clips at 0.001; without, a falling rate leaves the saddle from more seeds.
            clip: None,
            exempt: &[],
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        let side = D + 1;
        let heads = self.heads.map_or(vec![String::new()], |it| (0..it).map(|i| format!("{i}.")).collect());
        let names = heads.iter().flat_map(|it| ["p", "w_k", "w_q", "w_v"].map(|name| format!("{it}{name}")));
        let std = (0.002 / side as f64).sqrt();
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
        let off = predict(p, self.heads, [*x, *y, *query]) - *answer;
        Loss { loss: total(off * off) * (0.5 / off.dim(0) as f32), measures: vec![] }
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![held_out(&tasks())]
    }
}

/// Tasks that training never sees: streams of batches are numbered by steps, of which there are none this high.
pub fn held_out(tasks: &Tasks) -> Vec<Tensor> {
    tasks.batch(MEASURED, &mut Random::stream(0, u64::MAX))
}

/// Weights `[d]` to begin with.
fn zeros(x: Var<'_>) -> Var<'_> {
    x.graph().constant(0.0).broadcast(&[x.dim(-1)])
}

/// How far a model is from one step of gradient descent with the best rate, as the paper measures it: numbers `[1]`.
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

/// Measures a model on `tasks` with inputs between minus and plus [`RANGE`] that training never sees: `predict` gives `[task]`
/// from examples `[task, pos, d]`, their answers `[task, pos]` and queries `[task, d]`.
pub fn distance<'g>(g: &'g Graph, tasks: &Tasks, predict: impl Fn([Var<'g>; 3]) -> Var<'g>) -> Distance<'g> {
    let batch = held_out(tasks);
    let [x, y, query, answer] = [0, 1, 2, 3].map(|i| g.input(&batch[i]));
    let said = predict([x, y, query]);
    // A task's prediction depends on no other task, so that the sum has the derivatives of each.
    let found = g.grad(total(said), &[query])[0]; // [task, d]
    let rate = g.constant(one_step(tasks.d, tasks.n, RANGE).0 as f32);
    let step = descend(x, y, zeros(x), rate, 1)[0].reshape(&[MEASURED, tasks.d]);
    let mean = |each: Var<'g>| each.flat().mean(0);
    let norm = |v: Var<'g>| (v * v).sum(-1).sqrt().max_with(g.constant(1e-12));
    let off = said - answer;
    Distance {
        loss: mean(off * off) * 0.5,
        cosine: mean((found * step).sum(-1) / (norm(found) * norm(step))),
        predictions: mean((said - (step * query).sum(-1).flat()).abs()),
        models: mean(norm(found - step)),
    }
}
