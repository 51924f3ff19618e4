//! How much of a head is mere distance: the mixture of Gaussians around every query that comes closest to its weights.
//!
//! The mixture is that of masks (Li & Zhang 2023, arXiv 2309.05375), here as weights: every Gaussian is a distribution over
//! the places of the grid, and has a share. It is fitted by expectation maximisation (Dempster, Laird & Rubin 1977): each
//! weight is shared out among the Gaussians by how well they explain it; then every Gaussian takes the share that it got, and
//! comes closer to the width of what it got by one step of Newton's method. So `sum_ij A_ij log p_ij` grows.

use super::Given;
use super::field::Places;
use super::gaussian_mask::places;
use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::Var;
use crate::tensor::{Tensor, size};

/// The fit of anybody's attention on a grid.
pub const MECHANISM: Mechanism = Mechanism {
    id: "gaussian-fit",
    formula: "argmin KL(A | p), p_ij = sum_k share_k exp(-d_ij^2 / (2 sigma_k^2)) / Z_ik, by expectation maximisation",
    inputs: &[Port::new("pattern", "head query key")
        .within(Within::NOT_NEGATIVE)
        .about("rows are divided by their sum")],
    parameters: &[
        Parameter::count("height", Unset::Refused, "rows of places"),
        Parameter::count("width", Unset::Refused, "places in a row"),
        Parameter::count("components", Unset::Is("2"), "Gaussians of a head"),
        Parameter::count("steps", Unset::Is("24"), "how often weights are shared out"),
    ],
    outputs: &[
        Port::new("share", "component head").about("of every Gaussian"),
        Port::new("sigma", "component head").about("its width in places"),
        Port::new("fitted", "head query key").about("p"),
        Port::new("residual", "head").about("KL(A | p) of a query in nats, in the mean"),
    ],
    lengths: &[("pos", &["height", "width"]), ("component", &["components"])],
    source: "Li & Zhang 2023, arXiv 2309.05375; Dempster, Laird & Rubin 1977",
    record: |it| {
        record(it);
        Ok(())
    },
};

/// Gaussians around every query, each a distribution over the places.
#[derive(Clone, Copy)]
pub struct Mixture<'g> {
    /// Of every Gaussian, `[component, head]`; they need not sum to 1.
    pub share: Var<'g>,
    /// Its width in places, `[component, head]`.
    pub sigma: Var<'g>,
}

impl<'g> Mixture<'g> {
    /// The weights that a head of nothing but distance has, `[head, query, key]`; rows sum to 1.
    pub fn weights(self, places: Places) -> Var<'g> {
        let squared = squared(self.share.graph(), places);
        let precision = ((self.sigma * self.sigma) * 2.0).recip();
        blend(self.share, gaussians(precision, squared))
    }

    /// The mixture of `components` Gaussians that comes closest to attention `[head, query, key]`, after so many `steps`.
    pub fn fitted(pattern: Var<'g>, places: Places, components: usize, steps: usize) -> Self {
        let (g, heads) = (pattern.graph(), pattern.dim(0));
        let squared = squared(g, places);
        let pattern = rows(pattern);
        let widths = first_widths(places, components);
        let first = Tensor::from_fn(&[components, heads], |at| (0.5 / widths[at[0]].powi(2)) as f32);
        let (mut precision, mut share) = (g.input(&first), g.constant(1.0).broadcast(&[components, heads]));
        for _ in 0..steps {
            (share, precision) = step(pattern, squared, share, precision, places);
        }
        Self { share, sigma: (precision * 2.0).recip().sqrt() }
    }
}

/// `KL(A | p) = sum_j A_ij log (A_ij / p_ij)` in nats, the mean over queries, `[head]`, of weights `[head, query, key]`.
pub fn divergence<'g>(pattern: Var<'g>, fitted: Var<'g>) -> Var<'g> {
    let (pattern, least) = (rows(pattern), pattern.graph().constant(f32::MIN_POSITIVE));
    let terms = pattern * (pattern.max_with(least).log() - fitted.max_with(least).log());
    terms.sum(-1).mean(-2).reshape(&[pattern.dim(0)])
}

/// From less than a place to half of the grid, in equal ratios.
fn first_widths(places: Places, components: usize) -> Vec<f64> {
    let far = farthest(places);
    (0..components).map(|k| 0.5 * far.powf((k as f64 + 0.5) / components as f64)).collect()
}

/// From corner to corner, at least a place.
fn farthest(places: Places) -> f64 {
    places.squared(0, places.count() - 1).sqrt().max(1.0)
}

/// Squared distances, `[query, key]`.
fn squared(g: &crate::graph::Graph, places: Places) -> Var<'_> {
    g.input(&places.table(|i, j| places.squared(i, j)))
}

/// Rows divided by their sum.
fn rows(pattern: Var<'_>) -> Var<'_> {
    pattern / pattern.sum(-1).max_with(pattern.graph().constant(f32::MIN_POSITIVE))
}

/// `[component, head]` as `[component, head, 1, 1]`.
fn column(x: Var<'_>) -> Var<'_> {
    x.reshape(&[x.dim(0), x.dim(1), 1, 1])
}

/// Every Gaussian as a distribution over keys, `[component, head, query, key]`, of `precision = 1 / (2 sigma^2)`.
fn gaussians<'g>(precision: Var<'g>, squared: Var<'g>) -> Var<'g> {
    (-(squared * column(precision))).softmax()
}

/// The mixture of distributions, `[head, query, key]`.
fn blend<'g>(share: Var<'g>, gaussians: Var<'g>) -> Var<'g> {
    let shape = gaussians.shape();
    let total = share.sum(0).max_with(share.graph().constant(f32::MIN_POSITIVE));
    (gaussians * column(share / total)).sum(0).reshape(&shape[1..])
}

/// Shares the weights out among the Gaussians, and gives each the share and nearly the width of what it got.
fn step<'g>(
    pattern: Var<'g>,
    squared: Var<'g>,
    share: Var<'g>,
    precision: Var<'g>,
    places: Places,
) -> (Var<'g>, Var<'g>) {
    let g = pattern.graph();
    let each = gaussians(precision, squared);
    let all = blend(share, each).max_with(g.constant(f32::MIN_POSITIVE));
    let total = share.sum(0).max_with(g.constant(f32::MIN_POSITIVE));
    let got = pattern / all * each * column(share / total); // [component, head, query, key]
    let mass = got.sum(-1); // [component, head, query, 1]
    let sum = |x: Var<'g>| {
        let [components, heads] = [x.dim(0), x.dim(1)];
        x.reshape(&[components, heads, size(&x.shape()[2..])]).sum(-1).reshape(&[components, heads])
    };
    // Of an exponential family: by how much the mean of the squared distance is to change, over its variance.
    let mean = (each * squared).sum(-1);
    let away = squared - mean;
    let variance = sum(mass * (each * away * away).sum(-1));
    let change = -sum(got * away) / variance.max_with(g.constant(f32::MIN_POSITIVE));
    let [narrow, wide] =
        [0.1, 4.0 * farthest(places)].map(|sigma| g.constant((0.5 / (sigma * sigma)) as f32));
    let next = (precision + change).max_with(precision * 0.25).min_with(precision * 4.0);
    (sum(mass), next.max_with(wide).min_with(narrow))
}

fn record(it: &Given<'_>) {
    let (pattern, places) = (it.tensor("pattern"), places(it));
    let count = |name| it.count(name).unwrap_or_else(|| unreachable!("{name} has a default"));
    let mixture = Mixture::fitted(pattern, places, count("components"), count("steps"));
    let total = mixture.share.sum(0).max_with(it.graph().constant(f32::MIN_POSITIVE));
    (mixture.share / total).keep("share");
    mixture.sigma.keep("sigma");
    let fitted = mixture.weights(places).keep("fitted");
    divergence(pattern, fitted).keep("residual");
}
