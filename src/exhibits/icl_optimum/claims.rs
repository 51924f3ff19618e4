//! The claims as measurements.

use nalgebra::DMatrix;

use super::IclOptimum;
use super::measure::{distance, error, inverse, prompts, square};
use crate::data::Random;
use crate::exhibits::{Check, largest, usual};
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_optimum::MergedAttention;
use crate::nn::Params;
use crate::regression::Shift;
use crate::tensor::Tensor;
use crate::train::Trainer;
use crate::train::merged_attention::{Prompts, chance, layer};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let devices = Check::devices(usual::<IclOptimum>)
        .says("matrices and errors after five steps on the GPU and on the CPU: largest difference")
        .within(1e-2, "AdamW divides by the root of small numbers, which enlarges what f32 rounds");
    proven().into_iter().chain(elsewhere()).chain([devices]).collect()
}

/// What training comes to.
fn proven() -> Vec<Check> {
    vec![
        Check::of("Γ⁻¹ of a circle", |_| Some(circle()))
            .says("inputs from N(0, I), d = N = 10: entries of Γ⁻¹ from .476190 along the diagonal and 0 elsewhere, largest difference")
            .within(1e-6, "f32, and six digits"),
        Check::of("and its error", |_| Some(risk(1.0)))
            .says("d = N = 10, 20,000 prompts: mean square of the error of the layer with Γ⁻¹, relative to 5.238095")
            .within(0.05, "the mean of 20,000 squares, whose deviation is some twice their mean, is good to 2 %"),
        Check::of("no other matrix is better", |_| Some(perturbed()))
            .says("ellipse as it opens, 20,000 prompts: the loss with Γ⁻¹ over that with it 5 % longer, shorter, or turned, the largest")
            .within(1.0, "it is the minimum: on the same prompts every other matrix leaves more"),
        Check::learnt("gradient descent ends there", |_| Some(trained(|layer, it| distance(layer, inverse(layer.kq.graph(), &it.examples, it.m)))))
            .says("the learnt matrix after all steps from Γ⁻¹, relative (Frobenius), ellipse as it opens, seed 0")
            .within(0.05, "batches of 512 prompts at a falling rate"),
        Check::learnt("the error is that of the formula", |_| Some(trained(|layer, it| off_formula(layer, it, it))))
            .says("the trained layer on 20,000 prompts as in training: mean square of the error, relative difference from the formula")
            .within(0.05, "the mean of 20,000 squares, and what training leaves"),
    ]
}

/// What becomes of it on other prompts.
fn elsewhere() -> Vec<Check> {
    vec![
        Check::learnt("tasks may change", |_| Some(trained(|layer, it| grown(layer, it, &it.scaled(1.0, 1.0, 3.0)).abs())))
            .says("weights three times as large, 20,000 prompts: share by which error over variance of the answers changes")
            .within(0.2, "what training leaves of the entries that the proof has at 0; the claim allows a fifth"),
        Check::learnt("queries may change", |_| Some(trained(|layer, it| grown(layer, it, &it.scaled(1.0, 3.0, 1.0)).abs())))
            .says("queries three times as large, 20,000 prompts: share by which error over variance of the answers changes")
            .within(0.2, "what training leaves of the entries that the proof has at 0; the claim allows a fifth"),
        Check::learnt("inputs may not", |_| Some(trained(|layer, it| (grown(layer, it, &it.scaled(3.0, 1.0, 1.0)) + 1.0).recip() * 10.0)))
            .says("all inputs three times as large, 20,000 prompts: 10 over the factor by which error over variance grows")
            .within(1.0, "tenfold at least: predictions become 27 times as large, answers 3 times"),
        Check::of("and by how much is known", |_| Some(risk(2.0)))
            .says("inputs twice as large, d = N = 10, 20,000 prompts: error of the layer with Γ⁻¹, relative difference from the closed form")
            .within(0.1, "the mean of 20,000 squares of polynomials of degree three"),
        Check::of("predictions are cubic in the inputs", |_| Some(cubic()))
            .says("inputs twice as large, random weights: predictions over 8 times the former, largest difference relative to the largest")
            .within(0.0, "powers of two change no digit"),
    ]
}

/// Prompts that claims are measured on.
const COUNT: usize = 20_000;

/// The isotropic case of ten inputs and ten examples.
fn isotropic() -> Shift {
    Shift::none(&DMatrix::identity(10, 10), 10)
}

/// How far `Gamma^-1` is from its closed form.
fn circle() -> Graph {
    let g = Graph::default();
    let it = isotropic();
    let unit = crate::mechanisms::solve::identity(&g, 10);
    largest(inverse(&g, &it.examples, it.m) - unit * 0.476_190).keep("error");
    g
}

/// How far the error of a layer on prompts of `at` is from the closed form with the matrix that prompts of `usual` lead to, relative.
fn off_formula<'g>(layer: &MergedAttention<'g>, usual: &Shift, at: &Shift) -> Var<'g> {
    let it = drawn(layer.kq.graph(), at);
    let found = square(layer.predict(it.x, it.y, it.query) - it.answer);
    (found / at.error(&usual.best()) as f32 - 1.0).abs()
}

/// The same of the layer with `Gamma^-1` in the isotropic case, where inputs are scaled.
fn risk(scale: f64) -> Graph {
    let g = Graph::default();
    let it = isotropic();
    let layer = MergedAttention::optimum(inverse(&g, &it.examples, it.m));
    off_formula(&layer, &it, &it.scaled(scale, 1.0, 1.0)).keep("error");
    g
}

/// The loss of the layer with `Gamma^-1` over that with matrices near it, on the same prompts.
fn perturbed() -> Graph {
    let g = Graph::default();
    let usual = IclOptimum::default().trained_on(IclOptimum::default().n);
    let (it, best) = (drawn(&g, &usual), inverse(&g, &usual.examples, usual.m));
    let loss = |matrix| square(MergedAttention::optimum(matrix).predict(it.x, it.y, it.query) - it.answer);
    let norm = (best * best).sum(-1).sum(-2).sqrt(); // [1, 1]
    let turn = g.input(&Tensor::new(&[2, 2], [0.0, 1.0, -1.0, 0.0])) * norm * 0.1;
    let others = [best * 1.05, best * 0.95, best + turn, best - turn];
    others
        .map(|it| loss(best) / loss(it))
        .into_iter()
        .reduce(Var::max_with)
        .unwrap_or_else(|| loss(best))
        .keep("error");
    g
}

/// Prompts that training never sees.
fn drawn<'g>(g: &'g Graph, shift: &Shift) -> Prompts<'g> {
    let shape = [shift.m, shift.examples.nrows()];
    let chance = chance(COUNT, shape, &mut Random::stream(1, u64::MAX));
    prompts(&chance.iter().map(|it| g.input(it)).collect::<Vec<_>>(), shift)
}

/// By which share the error over the variance of the answers is larger on other prompts.
fn grown<'g>(layer: &MergedAttention<'g>, usual: &Shift, other: &Shift) -> Var<'g> {
    let [usual, other] = [usual, other].map(|it| error(layer, drawn(layer.kq.graph(), it))[0]);
    other / usual - 1.0
}

/// What is measured of the layer after all steps, given the prompts that it was trained on.
fn trained(measure: impl for<'g> Fn(&MergedAttention<'g>, &Shift) -> Var<'g>) -> Graph {
    let g = Graph::default();
    let state = IclOptimum::default();
    let recipe = state.recipe();
    let steps = recipe.steps;
    let parameters = Trainer::new(Box::new(recipe), 0).record(&g, steps);
    let layer = layer(&Params::recorded(&g, &parameters));
    measure(&layer, &state.trained_on(state.n)).keep("error");
    g
}

/// How far predictions are from 8 times themselves where all inputs are twice as large, for weights by chance.
fn cubic() -> Graph {
    let g = Graph::default();
    let mut random = Random::new(0);
    let mut side = || g.input(&crate::nn::init::normal(&[11, 11], 1.0, &mut random));
    let layer = MergedAttention { kq: side(), pv: side() };
    let it = isotropic();
    let [one, two] = [1.0, 2.0].map(|scale| {
        let it = drawn(&g, &it.scaled(scale, 1.0, 1.0));
        layer.predict(it.x, it.y, it.query)
    });
    (largest(two * 0.125 - one) / largest(one)).keep("error");
    g
}
