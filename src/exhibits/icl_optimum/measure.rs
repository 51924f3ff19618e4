//! What is measured of the layer as it is.

use nalgebra::DMatrix;

use super::IclOptimum;
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_optimum::{MergedAttention, gamma};
use crate::mechanisms::ridge::ridge;
use crate::mechanisms::solve::{identity, solve};
use crate::regression::Shift;
use crate::tensor::Tensor;
use crate::train::merged_attention::{Prompts, chance, root};

/// Prompts that it is measured on.
pub(super) const MEASURED: usize = 2048;

/// As many of them are solved by least squares, which takes longer.
const SOLVED: usize = 512;

/// The scales of tasks, query and inputs at which it is measured.
pub(super) const SCALES: [f32; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

impl IclOptimum {
    /// Keeps the learnt matrix beside `Gamma^-1` with their relative `distance`, both layers whole, and the errors of the
    /// learnt one: for every scale of tasks, query and inputs, and in the test.
    pub(super) fn measure(&self, layer: &MergedAttention<'_>) {
        let g = layer.kq.graph();
        let recipe = self.recipe();
        let inverse = inverse(g, &recipe.covariance, recipe.n);
        inverse.keep("gamma_inverse");
        layer.product().keep("learned");
        distance(layer, inverse).keep("distance");
        for (name, it) in [("learned", *layer), ("optimum", MergedAttention::optimum(inverse))] {
            for (part, it) in [("kq", it.kq), ("pv", it.pv)] {
                it.keep(&format!("{name}.{part}"));
                super::super::largest(it).keep(&format!("{name}.{part}.peak"));
            }
        }
        let chance = self.chance().iter().map(|it| g.input(it)).collect::<Vec<_>>();
        scaled(layer, prompts(&chance, &self.trained_on(self.m)));
        tested(layer, prompts(&chance, &self.tested_on()));
    }

    /// The numbers that test prompts are made of.
    fn chance(&self) -> Vec<Tensor> {
        let (mut drawn, shape) = (self.drawn.borrow_mut(), [self.trained_on(self.m).m, self.width()]);
        if drawn.first().is_none_or(|it| it.shape[1..] != shape) {
            *drawn = chance(MEASURED, shape, &mut Random::stream(0, u64::MAX));
        }
        drawn.clone()
    }
}

/// `Gamma^-1` of a covariance and prompts of `n` examples.
pub(super) fn inverse<'g>(g: &'g Graph, covariance: &DMatrix<f64>, n: usize) -> Var<'g> {
    let d = covariance.nrows();
    let covariance = g.input(&Tensor::from_fn(&[d, d], |at| covariance[(at[0], at[1])] as f32));
    solve(gamma(covariance, n), identity(g, d))
}

/// How far the learnt matrix is from `inverse`, relative to that (Frobenius), `[1]`.
pub(super) fn distance<'g>(layer: &MergedAttention<'g>, inverse: Var<'g>) -> Var<'g> {
    let norm = |x: Var<'g>| (x * x).flat().sum(0).sqrt();
    norm(layer.product() - inverse) / norm(inverse)
}

/// Prompts with the covariances of `shift`.
pub(super) fn prompts<'g>(chance: &[Var<'g>], shift: &Shift) -> Prompts<'g> {
    let g = chance[0].graph();
    Prompts::of(chance, [&shift.examples, &shift.query, &shift.weights].map(|it| g.input(&root(it))))
}

/// The mean of the squares, `[1]`.
pub(super) fn square(x: Var<'_>) -> Var<'_> {
    (x * x).mean(0)
}

/// The error of a layer over the variance of the answers, `[1]`, and the variance of its predictions, `[1]`.
pub(super) fn error<'g>(layer: &MergedAttention<'g>, it: Prompts<'g>) -> [Var<'g>; 2] {
    let said = layer.predict(it.x, it.y, it.query);
    [square(said - it.answer) / square(it.answer), square(said)]
}

/// Keeps `errors` and `sizes` `[kind, scale]`: the error over the variance of the answers, and the deviation of the
/// predictions over that at scale 1, where inputs, query and tasks are scaled.
fn scaled<'g>(layer: &MergedAttention<'g>, it: Prompts<'g>) {
    let usual = error(layer, it)[1];
    let kinds: [fn(Prompts<'g>, f32) -> Prompts<'g>; 3] = [
        |it, c| Prompts { x: it.x * c, y: it.y * c, query: it.query * c, answer: it.answer * c },
        |it, c| Prompts { query: it.query * c, answer: it.answer * c, ..it },
        |it, c| Prompts { y: it.y * c, answer: it.answer * c, ..it },
    ];
    let each = kinds.iter().flat_map(|by| SCALES.map(|c| error(layer, by(it, c))));
    let (errors, squares): (Vec<_>, Vec<_>) = each.map(|[error, square]| (error, square)).unzip();
    let shape = [kinds.len(), SCALES.len()];
    Var::concat(&errors, 0).reshape(&shape).keep("errors");
    (Var::concat(&squares, 0) / usual).sqrt().reshape(&shape).keep("sizes");
}

/// Keeps `tested` `[2]`: the errors of the layer and of least squares over the variance of the answers.
fn tested<'g>(layer: &MergedAttention<'g>, it: Prompts<'g>) {
    let first = |x: Var<'g>| x.slice(0, 0, SOLVED);
    let [x, y, query, answer] = [it.x, it.y, it.query, it.answer].map(first);
    let [n, d] = [x.dim(1), x.dim(2)];
    let w = ridge(x, y.reshape(&[SOLVED, n, 1]), 0.0);
    let solved = query.reshape(&[SOLVED, 1, d]).matmul(w).reshape(&[SOLVED]);
    let least = square(solved - answer) / square(answer);
    Var::concat(&[error(layer, it)[0], least], 0).keep("tested");
}
