//! The claims as measurements.

use nalgebra::{DVector, Matrix2, Vector2};

use super::errors::first;
use super::prior::{Functions, Prior};
use super::{IclBayes, MODEL, MOST, WAVES, bias, record_beliefs, tensors};
use crate::exhibits::{Check, Exhibit, Inputs, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::ridge::ridge;
use crate::models::Zoo;
use crate::regression::{Component, Examples};
use crate::tensor::Tensor;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    [beliefs(), errors(), waves()].into_iter().flatten().collect()
}

/// What holds of the posterior.
fn beliefs() -> Vec<Check> {
    vec![
        Check::of("the posterior sums to 1", sums)
            .says("the probabilities of eight functions after 0 to 11 examples, 16 tasks: largest |sum - 1|")
            .within(1e-6, "f32 sums of eight shares"),
        Check::of("one Gaussian is ridge regression", gaussian_is_ridge)
            .says("the mean of the posterior and ridge regression with the variance of the noise, 16 tasks: largest difference")
            .within(1e-3, "f32 through 11 updates, against a system of equations"),
        Check::of("the mixture is what integration gives", integrated)
            .says("the mean after 3 examples, against prior times likelihood summed over 160,000 weights in f64, 4 tasks: largest difference")
            .within(1e-3, "a grid of 0.02"),
    ]
}

/// What holds of Bayes and the transformer.
fn errors() -> Vec<Check> {
    vec![
        Check::of("nobody is better than Bayes", |zoo| {
            compared(&IclBayes::default(), zoo, |[bayes, one, squares, said]| {
                bayes / one.min_with(squares).min_with(said)
            })
        })
        .says("the error of Bayes over that of the best of the others, 128 tasks after 0 to 11 examples")
        .within(1.0, "the mean of the posterior has the least square error")
        .on(MODEL),
        Check::of("the transformer comes close", |zoo| {
            compared(&IclBayes::default(), zoo, |[bayes, _, _, said]| said / bayes)
        })
        .says("its error over that of Bayes, 128 tasks after 0 to 11 examples")
        .within(1.1, "three layers, 6000 steps; 1 is Bayes")
        .on(MODEL),
        Check::devices(usual::<IclBayes>)
            .says("beliefs and answers on the GPU and on the CPU: largest difference")
            .within(1e-3, "f32 sums in another order, through 11 updates and 3 layers")
            .on(MODEL),
    ]
}

/// What holds of Fourier series, and of the transformer that learnt them.
fn waves() -> Vec<Check> {
    vec![
        Check::of("with waves it comes close, too", |zoo| {
            compared(&opened(Functions::Fourier), zoo, |[bayes, _, _, said]| said / bayes)
        })
        .says("Fourier series: its error over that of Bayes, 128 tasks after 0 to 11 examples")
        .within(1.15, "three layers, 12,000 steps; 1 is Bayes")
        .on(WAVES),
        Check::of("it is biased as its prior is", |zoo| biased(zoo, |[said, bands, ..]| (said - bands).abs()))
            .says("share of power at frequencies 0 and 1 in what it and Bayes have in mind, 48 tasks after 1 to 11 examples: mean difference")
            .within(0.05, "three layers, 12,000 steps; low frequencies have some three quarters of the power")
            .on(WAVES),
        Check::of("not as if all frequencies were alike", |zoo| {
            biased(zoo, |[said, bands, one, _]| (said - bands).abs().mean(0) / (said - one).abs().mean(0))
        })
        .says("the same difference, over that from Bayes with one band of frequencies up to 3")
        .within(0.5, "it is nearer to the prior that it learnt than to another of the same reach")
        .on(WAVES),
    ]
}

/// Keeps what `of` makes of the shares of power at low frequencies of the transformer, of Bayes with three bands and with one, and
/// in truth, each after 1 to 11 examples, on average.
fn biased(zoo: &Zoo, of: impl for<'g> Fn([Var<'g>; 4]) -> Var<'g>) -> Option<Graph> {
    let g = opened(Functions::Fourier).record(&Inputs::default(), zoo)?;
    let low = bias::low(g.kept("power")?);
    of([0, 1, 2, 3].map(|i| low.slice(0, i, 1).slice(1, 1, MOST).flat())).mean(0).keep("error");
    Some(g)
}

/// How an exhibit begins with these functions.
fn opened(functions: Functions) -> IclBayes {
    IclBayes { functions, ..IclBayes::default() }
}

/// Keeps what `of` makes of the errors of Bayes, one Gaussian, least squares and the transformer, all examples together.
fn compared(state: &IclBayes, zoo: &Zoo, of: impl for<'g> Fn([Var<'g>; 4]) -> Var<'g>) -> Option<Graph> {
    let g = state.record(&Inputs::default(), zoo)?;
    let errors = g.kept("errors")?;
    of([0, 1, 2, 3].map(|i| errors.slice(0, i, 1).flat().sum(0))).keep("error");
    Some(g)
}

/// How an exhibit begins with this prior and seed.
fn state(prior: Prior, seed: u64) -> IclBayes {
    IclBayes { prior, seed, ..IclBayes::default() }
}

/// How far the probabilities of a pool are from a sum of 1.
fn sums(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let off = (0..16).filter_map(|seed| {
        let it = state(Prior::Pool, seed);
        record_beliefs(&g, &it.believed(), &it.task().examples, it.deviation() as f32);
        Some(g.kept("posterior")?.sum(-1) - 1.0)
    });
    worst(off)?.keep("error");
    Some(g)
}

/// Beliefs of one Gaussian against ridge regression.
fn gaussian_is_ridge(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let off = (0..16).filter_map(|seed| {
        let state = state(Prior::Gaussian, seed);
        let (it, noise) = (state.task().examples, state.deviation() as f32);
        record_beliefs(&g, &state.believed(), &it, noise);
        let (x, y) = tensors(&g, &first(&it, MOST));
        let believed = g.kept("mean")?.slice(0, MOST, 1).flat();
        Some(believed - ridge(x, y.reshape(&[1, MOST, 1]), noise * noise).flat())
    });
    worst(off)?.keep("error");
    Some(g)
}

/// Steps of the grid over a weight, from -4 to 4.
const STEPS: u32 = 400;

/// The mean of the posterior after three examples, against a sum over weights.
fn integrated(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let off = (0..4).filter_map(|seed| {
        let state = state(Prior::Mixture, seed);
        let (prior, it) = (state.believed(), first(&state.task().examples, 3));
        record_beliefs(&g, &prior, &it, state.deviation() as f32);
        let last = |name: &str, d: usize| Some(g.kept(name)?.slice(0, 3, 1).reshape(&[prior.len(), d]));
        let mean = (last("posterior", 1)? * last("mean", 2)?).sum(0).flat();
        let wanted = summed(&prior, &it, state.deviation())?;
        Some(mean - g.input(&Tensor::new(&[2], [wanted[0] as f32, wanted[1] as f32])))
    });
    worst(off)?.keep("error");
    Some(g)
}

/// The mean of the weights by prior times likelihood, summed over a grid.
fn summed(prior: &[Component], it: &Examples, noise: f64) -> Option<Vector2<f64>> {
    let (mut sum, mut mass) = (Vector2::zeros(), 0.0);
    let densities: Vec<_> = prior.iter().map(density).collect::<Option<_>>()?;
    let at = |i: u32| 8.0 * (f64::from(i) + 0.5) / f64::from(STEPS) - 4.0;
    for (i, j) in (0..STEPS).flat_map(|i| (0..STEPS).map(move |j| (i, j))) {
        let w = Vector2::new(at(i), at(j));
        let off = &it.y - &it.x * DVector::from_row_slice(w.as_slice());
        let fits = (-0.5 * off.norm_squared() / noise.powi(2)).exp();
        let weight = densities.iter().map(|of| of(w)).sum::<f64>() * fits;
        (sum, mass) = (sum + w * weight, mass + weight);
    }
    Some(sum / mass)
}

/// The density of a component, with its weight.
fn density(it: &Component) -> Option<impl Fn(Vector2<f64>) -> f64> {
    let covariance = Matrix2::from_fn(|i, j| it.covariance[(i, j)]);
    let (inverse, root) = (covariance.try_inverse()?, covariance.determinant().sqrt());
    let (mean, weight) = (Vector2::new(it.mean[0], it.mean[1]), it.weight);
    Some(move |w: Vector2<f64>| {
        let off = w - mean;
        weight / root * (-0.5 * off.dot(&(inverse * off))).exp()
    })
}
