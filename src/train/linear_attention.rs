//! A layer of linear self-attention that learns to do linear regression in its context (von Oswald et al. 2022,
//! arXiv 2212.07677, section 3): what it finds is a step of gradient descent.

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::Var;
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, asked, examples, prediction};
use crate::mechanisms::solve::identity;
use crate::nn::loss::total;
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Params, init};
use crate::regression::{Tasks, one_step};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipe, by name.
pub const ENTRY: NamedRecipe = NamedRecipe {
    name: "linear-attention",
    about: "a layer of linear self-attention that learns linear regression in its context",
    open: |steps| {
        Ok(Box::new(InContext { steps: steps.unwrap_or(InContext::default().steps), ..InContext::default() }))
    },
};

/// Coordinates of an input, and examples of a prompt, as in the paper.
pub const D: usize = 10;
/// Inputs are uniform between minus this and this.
pub const RANGE: f64 = 0.5;
/// Tasks in a batch.
const BATCH: usize = 256;
/// Tasks on which it is measured.
const MEASURED: usize = 512;

/// The recipe.
pub struct InContext {
    /// Steps of the run.
    pub steps: u32,
    /// The largest learning rate.
    pub rate: f32,
}

impl Default for InContext {
    /// A rate of 0.001 for 5000 steps in the paper; this one falls, and comes as far in a twelfth of them. From some seeds lower rates stay at a saddle where
    /// attention asks by answers and a single direction is learnt.
    fn default() -> Self {
        Self { steps: 400, rate: 3e-2 }
    }
}

/// The tasks that are learnt.
pub fn tasks() -> Tasks {
    Tasks::uniform(D, D, RANGE)
}

/// The layer that parameters hold.
pub fn layer<'g>(p: &Params<'_, 'g>) -> LinearAttention<'g> {
    LinearAttention { w_q: p.get("w_q"), w_k: p.get("w_k"), w_v: p.get("w_v"), p: p.get("p") }
}

impl Recipe for InContext {
    fn course(&self) -> Course {
        Course {
            name: ENTRY.name,
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
        let parameters = ["p", "w_k", "w_q", "w_v"].map(|name| (name.to_owned(), vec![side, side]));
        let std = (0.002 / side as f64).sqrt();
        init::weights(parameters.into_iter(), seed, |_, shape, random| init::normal(shape, std, random))
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        tasks().batch(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [x, y, query, answer] = batch else {
            panic!("a batch is inputs, answers, a query and its answer")
        };
        let [count, d] = [x.dim(0), x.dim(-1)];
        let tokens = asked(query.reshape(&[count, 1, d]), zeros(*x));
        let predicted = prediction(layer(p).layer(tokens, examples(*x, *y)));
        let off = predicted.reshape(&[count]) - *answer;
        Loss { loss: total(off * off) * (0.5 / count as f32), measures: vec![] }
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![held_out()]
    }
}

/// Tasks that training never sees: streams of batches are numbered by steps, of which there are none this high.
fn held_out() -> Vec<Tensor> {
    tasks().batch(MEASURED, &mut Random::stream(0, u64::MAX))
}

/// Weights `[d]` to begin with.
fn zeros(x: Var<'_>) -> Var<'_> {
    x.graph().constant(0.0).broadcast(&[x.dim(-1)])
}

/// How far a layer is from one step of gradient descent with the best rate, as the paper measures it: numbers `[1]`.
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

/// Measures a layer on tasks that training never sees. A linear layer is linear in the query, so that its sensitivities are its
/// predictions for unit vectors.
pub fn distance<'g>(layer: &LinearAttention<'g>) -> Distance<'g> {
    let g = layer.p.graph();
    let batch = held_out();
    let [x, y, query, answer] = [0, 1, 2, 3].map(|i| g.input(&batch[i]));
    let units = identity(g, D).reshape(&[1, D, D]).broadcast(&[MEASURED, D, D]);
    let found = prediction(layer.layer(asked(units, zeros(x)), examples(x, y))); // [task, d]
    let rate = g.constant(one_step(D, D, RANGE).0 as f32);
    let step = descend(x, y, zeros(x), rate, 1)[0].reshape(&[MEASURED, D]);
    let mean = |each: Var<'g>| each.flat().mean(0);
    let norm = |v: Var<'g>| (v * v).sum(-1).sqrt().max_with(g.constant(1e-12));
    let predicted = (found * query).sum(-1);
    let off = predicted - answer.reshape(&[MEASURED, 1]);
    Distance {
        loss: mean(off * off) * 0.5,
        cosine: mean((found * step).sum(-1) / (norm(found) * norm(step))),
        predictions: mean((predicted - (step * query).sum(-1)).abs()),
        models: mean(norm(found - step)),
    }
}
