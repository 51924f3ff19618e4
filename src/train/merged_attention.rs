//! A layer of linear self-attention with two matrices that learns linear regression with normal inputs in its context (Zhang,
//! Frei & Bartlett 2023, arXiv 2306.09927): gradient flow is proven to end at `Gamma^-1`.

use nalgebra::DMatrix;

use super::in_context::{course, half_square, unseen};
use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::Var;
use crate::mechanisms::linear_optimum::MergedAttention;
use crate::mechanisms::solve::identity;
use crate::nn::{Params, init};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipe, by name.
pub const ENTRY: NamedRecipe = NamedRecipe {
    name: "merged-attention",
    about: "a layer of linear self-attention with two matrices that learns linear regression with normal inputs",
    open: |steps| {
        let isotropic = NormalInputs::new(DMatrix::identity(10, 10), 10);
        Ok(Box::new(NormalInputs { steps: steps.unwrap_or(isotropic.steps), ..isotropic }))
    },
};

/// Tasks in a batch.
const BATCH: usize = 512;

/// The recipe.
pub struct NormalInputs {
    /// The covariance of all inputs, `[d, d]`, of full rank.
    pub covariance: DMatrix<f64>,
    /// Examples of a prompt.
    pub n: usize,
    /// Steps of the run.
    pub steps: u32,
    /// The largest learning rate.
    pub rate: f32,
}

impl NormalInputs {
    /// The usual run on inputs of this covariance and prompts of `n` examples. The paper takes infinitely small steps on the
    /// mean over all prompts.
    pub fn new(covariance: DMatrix<f64>, n: usize) -> Self {
        Self { covariance, n, steps: 600, rate: 6e-2 }
    }

    /// What the weights begin with: `sigma`, with `sigma^2 |Gamma| sqrt(d) = 1`, which theorem 4.1 wants below 2.
    fn sigma(&self) -> f64 {
        let n = self.n as f64;
        let longest = self.covariance.symmetric_eigenvalues().max() * (1.0 + 1.0 / n);
        let gamma = longest + self.covariance.trace() / n;
        (gamma * (self.covariance.nrows() as f64).sqrt()).sqrt().recip()
    }
}

/// The layer that parameters hold.
pub fn layer<'g>(p: &Params<'_, 'g>) -> MergedAttention<'g> {
    MergedAttention { kq: p.get("kq"), pv: p.get("pv") }
}

/// Prompts of which only chance is drawn, from `N(0, 1)`: inputs `[task, n, d]`, queries and weights `[task, d]`.
/// [`Prompts::of`] gives them their covariances.
pub fn chance(count: usize, [n, d]: [usize; 2], random: &mut Random) -> Vec<Tensor> {
    [&[count, n, d][..], &[count, d], &[count, d]].map(|shape| init::normal(shape, 1.0, random)).into()
}

/// Prompts of linear regression without noise.
#[derive(Clone, Copy)]
pub struct Prompts<'g> {
    /// Inputs of the examples, `[task, n, d]`.
    pub x: Var<'g>,
    /// Their answers, `[task, n]`.
    pub y: Var<'g>,
    /// What is asked, `[task, d]`.
    pub query: Var<'g>,
    /// Its answer, `[task]`.
    pub answer: Var<'g>,
}

impl<'g> Prompts<'g> {
    /// Prompts of [`chance`] with covariances of inputs, query and weights whose roots these are, see [`root`].
    pub fn of(chance: &[Var<'g>], [inputs, query, weights]: [Var<'g>; 3]) -> Self {
        let [x, q, w] = chance else { panic!("prompts are inputs, a query and weights") };
        let (x, query, w) = (x.matmul(inputs), q.matmul(query), w.matmul(weights));
        let [tasks, n, d] = [x.dim(0), x.dim(1), x.dim(2)];
        let y = x.matmul(w.reshape(&[tasks, d, 1])).reshape(&[tasks, n]);
        Self { x, y, query, answer: (query * w).sum(-1).reshape(&[tasks]) }
    }
}

/// The matrix that turns rows of numbers from `N(0, 1)` into rows of this covariance, of full rank.
pub fn root(covariance: &DMatrix<f64>) -> Tensor {
    let d = covariance.nrows();
    let Some(root) = covariance.clone().cholesky() else { panic!("inputs need a covariance of full rank") };
    let root = root.l();
    Tensor::from_fn(&[d, d], |at| root[(at[1], at[0])] as f32)
}

impl Recipe for NormalInputs {
    fn course(&self) -> Course {
        course(ENTRY.name, "normal", self.steps, (self.rate, 0))
    }

    /// `W^KQ = sigma [[T T^T, 0], [0, 0]]` with `|T T^T| = 1` and `W^PV = sigma [[0, 0], [0, 1]]` (assumption 3.3).
    fn untrained(&self, seed: u64) -> Weights {
        let (d, sigma) = (self.covariance.nrows(), self.sigma());
        let parameters = ["kq", "pv"].map(|name| (name.to_owned(), vec![d + 1, d + 1]));
        init::weights(parameters.into_iter(), seed, |name, shape, random| {
            let t = DMatrix::from_fn(d, d, |_, _| random.normal());
            let square = &t * t.transpose();
            let square = &square * (sigma / square.norm());
            Tensor::from_fn(shape, |at| match (name, at[0] < d, at[1] < d) {
                ("kq", true, true) => square[(at[0], at[1])] as f32,
                ("pv", false, false) => sigma as f32,
                _ => 0.0,
            })
        })
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        let shape = [self.n, self.covariance.nrows()];
        chance(BATCH, shape, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let g = p.graph();
        let inputs = g.input(&root(&self.covariance));
        let it = Prompts::of(batch, [inputs, inputs, identity(g, self.covariance.nrows())]);
        half_square(layer(p).predict(it.x, it.y, it.query), it.answer)
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![chance(4 * BATCH, [self.n, self.covariance.nrows()], &mut unseen())]
    }
}
