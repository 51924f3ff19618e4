//! Inputs and answers as tokens of their own: a softmax layer, then a linear one, learn linear regression in their context. The
//! first comes to copy every answer into the token of its input (von Oswald et al. 2022, arXiv 2212.07677, section 4).

use super::in_context::{course, half_square};
use super::linear_attention::{RANGE, held_out};
use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::Var;
use crate::nn::{Params, init};
use crate::regression::Tasks;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipe, by name.
pub const ENTRY: NamedRecipe = NamedRecipe {
    name: "separate-tokens",
    about: "two layers of attention that learn linear regression from inputs and answers as tokens of their own",
    open: |steps| {
        let usual = SeparateTokens::default();
        Ok(Box::new(SeparateTokens { steps: steps.unwrap_or(usual.steps), ..usual }))
    },
};

/// Coordinates of an input, and examples of a prompt; 10 in the paper.
pub const D: usize = 5;
/// Tokens of a prompt: `x_1, y_1, x_2, .., x_q`.
pub const TOKENS: usize = 2 * D + 1;
/// Numbers that say where a token is.
const PLACES: usize = 10;
/// Channels of a token.
const WIDTH: usize = D + 1 + PLACES;
/// Channels of queries, keys and values.
const D_HEAD: usize = 20;
/// Tasks in a batch.
const BATCH: usize = 256;

/// The recipe.
pub struct SeparateTokens {
    /// Steps of the run.
    pub steps: u32,
    /// The largest learning rate.
    pub rate: f32,
}

impl Default for SeparateTokens {
    /// The paper takes 10,000 steps of 2048 tasks of ten inputs at 0.001, from weights that are smaller.
    fn default() -> Self {
        Self { steps: 1500, rate: 3e-3 }
    }
}

/// The tasks that are learnt.
pub fn tasks() -> Tasks {
    Tasks::uniform(D, D, RANGE)
}

/// What both layers make of a prompt.
#[derive(Clone, Copy)]
pub struct Read<'g> {
    /// The predictions, `[task]`.
    pub prediction: Var<'g>,
    /// Who attends to whom in the first layer, `[task, query, key]`.
    pub pattern: Var<'g>,
}

/// Reads examples `x` `[task, pos, d]`, `y` `[task, pos]` and what is asked, `query` `[task, d]`.
pub fn read<'g>(p: &Params<'_, 'g>, x: Var<'g>, y: Var<'g>, query: Var<'g>) -> Read<'g> {
    let tokens = tokens(x, y, query);
    let project = |layer: &Params<'_, 'g>, x: Var<'g>| ["q", "k", "v"].map(|it| x.matmul(layer.get(it).t()));
    let first = p.at("0");
    let [q, k, v] = project(&first, tokens);
    let pattern = q.matmul(k.t()).softmax();
    let tokens = tokens + pattern.matmul(v).matmul(first.get("p").t());
    let second = p.at("1");
    let [q, k, v] = project(&second, tokens);
    let last = q.slice(1, TOKENS - 1, 1).matmul(k.t()).matmul(v).matmul(second.get("p").t()); // [task, 1, width]
    let after = tokens.slice(1, TOKENS - 1, 1) + last;
    Read { prediction: -after.slice(2, D, 1).reshape(&[x.dim(0)]), pattern }
}

/// The prompt as tokens `[task, token, width]`: inputs `(x, 0)` and answers `(0, y)` by turns, then what is asked; behind each
/// sines and cosines of its place.
fn tokens<'g>(x: Var<'g>, y: Var<'g>, query: Var<'g>) -> Var<'g> {
    let (g, [tasks, n, d]) = (x.graph(), [x.dim(0), x.dim(1), x.dim(2)]);
    let inputs = x.reshape(&[tasks, n, 1, d]).pad(3, 0, 1, 0.0);
    let answers = y.reshape(&[tasks, n, 1, 1]).pad(3, d, 0, 0.0);
    let known = Var::concat(&[inputs, answers], 2).reshape(&[tasks, 2 * n, d + 1]);
    let asked = query.reshape(&[tasks, 1, d]).pad(2, 0, 1, 0.0);
    let places = Tensor::from_fn(&[TOKENS, PLACES], |at| {
        let angle = at[0] as f32 / 10_000f32.powf((at[1] / 2 * 2) as f32 / PLACES as f32);
        if at[1] % 2 == 0 { angle.sin() } else { angle.cos() }
    });
    let places = g.input(&places).broadcast(&[tasks, TOKENS, PLACES]);
    Var::concat(&[Var::concat(&[known, asked], 1), places], 2)
}

impl Recipe for SeparateTokens {
    fn course(&self) -> Course {
        course(ENTRY.name, "uniform", self.steps, (self.rate, 50))
    }

    fn untrained(&self, seed: u64) -> Weights {
        let shapes =
            [("k", [D_HEAD, WIDTH]), ("p", [WIDTH, D_HEAD]), ("q", [D_HEAD, WIDTH]), ("v", [D_HEAD, WIDTH])];
        let parameters =
            (0..2).flat_map(|i| shapes.map(|(name, shape)| (format!("{i}.{name}"), shape.to_vec())));
        init::weights(parameters, seed, |_, shape, random| init::normal(shape, 0.1, random))
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        tasks().batch(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [x, y, query, answer] = batch else {
            panic!("a batch is inputs, answers, a query and its answer")
        };
        half_square(read(p, *x, *y, *query).prediction, *answer)
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![held_out(&tasks())]
    }
}
