//! From scores to weights.

use crate::graph::Var;
use crate::tensor::Tensor;

/// What a masked score is lowered by: softmax makes an exact 0 of it.
const NEVER: f32 = 1e30;

/// What a score that was taken is lowered by: more than the distance of a masked one from any other.
const TAKEN: f32 = 4.0 * NEVER;

/// How the scores of a query become weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Normaliser {
    /// `exp(s_j) / sum_k exp(s_k)`
    #[default]
    Softmax,
    /// `1 / (1 + exp(-s - bias))`, each key for itself (Ramapuram et al. 2024, arXiv 2409.04431).
    Sigmoid {
        /// `-log n` lets a row of `n` scores around 0 sum to about 1.
        bias: f32,
    },
    /// `clip((zeta - gamma) softmax(s) + gamma, 0, 1)`, with exact zeros (Bondarenko et al. 2023, arXiv 2306.12929).
    Clipped {
        /// At least 1.
        zeta: f32,
        /// At most 0.
        gamma: f32,
    },
    /// Softmax of the `k` largest scores of each row, 0 for the others; of equal ones the first are kept.
    TopK(usize),
    /// `f(s_j) / sum_k |f(s_k)|` for a map `f` to numbers that are not negative; a row of zeros stays one.
    L1(Positive),
    /// `s`: the scores themselves.
    None,
}

/// A map to numbers that are not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positive {
    /// `max(0, s)`
    Relu,
    /// `max(0, s)^2`
    Square,
    /// `log(1 + e^s)`
    Softplus,
    /// `s`, which is not negative as it is.
    Given,
}

impl Normaliser {
    /// Weights `[.., query, key]` of scores of this shape; `mask` is 1 where a query sees a key, 0 where not.
    pub fn of<'g>(self, scores: Var<'g>, mask: Option<Var<'g>>) -> Var<'g> {
        let g = scores.graph();
        let seen = |weights: Var<'g>| mask.map_or(weights, |mask| weights * mask);
        let softmax = || masked(scores, mask).softmax();
        match self {
            Self::Softmax => softmax(),
            Self::Sigmoid { bias } => {
                // e^80 is far from the largest number, and 1 / (1 + e^80) as good as 0.
                let s = (scores + bias).max_with(g.constant(-80.0));
                seen(((-s).exp() + 1.0).recip())
            }
            Self::Clipped { zeta, gamma } => {
                let wide = softmax() * (zeta - gamma) + gamma;
                wide.max_with(g.constant(0.0)).min_with(g.constant(1.0))
            }
            Self::TopK(k) => {
                let scores = masked(scores, mask);
                masked(scores, largest(scores, k)).softmax()
            }
            Self::L1(map) => l1(seen(map.of(scores))),
            Self::None => seen(scores),
        }
    }
}

impl Positive {
    fn of(self, s: Var<'_>) -> Var<'_> {
        let positive = || s.max_with(s.graph().constant(0.0));
        match self {
            Self::Relu => positive(),
            Self::Square => positive() * positive(),
            Self::Softplus => positive() + ((-s.abs()).exp() + 1.0).log(),
            Self::Given => s,
        }
    }
}

/// Weights divided by the sum of their absolute values in each row; a row of zeros stays one.
pub(super) fn l1(weights: Var<'_>) -> Var<'_> {
    weights / weights.abs().sum(-1).max_with(weights.graph().constant(f32::MIN_POSITIVE))
}

/// Scores that are very negative where a query sees no key.
pub(super) fn masked<'g>(scores: Var<'g>, mask: Option<Var<'g>>) -> Var<'g> {
    mask.map_or(scores, |mask| scores + (mask - 1.0) * NEVER)
}

/// 1 for the `k` largest of each row, 0 for the others; `None` if that is all. They are taken one after the other, or the
/// others are, whichever is less.
fn largest(scores: Var<'_>, k: usize) -> Option<Var<'_>> {
    let n = scores.dim(-1);
    if k >= n {
        return None;
    }
    let scores = scores.detach();
    if 2 * k <= n {
        return Some(taken(scores, k, 0));
    }
    // Of equal ones the last are left out, so that the first are kept.
    Some(taken(-scores, n - k, n - 1) * -1.0 + 1.0)
}

/// 1 for the `count` largest of each row; of equal ones those nearest to the place `end`, which is the first or the last.
fn taken(scores: Var<'_>, count: usize, end: usize) -> Var<'_> {
    let g = scores.graph();
    let n = scores.dim(-1);
    // From n at that end down to 1: of several places the nearest has the most.
    let order = g.input(&Tensor::from_fn(&[n], |at| (n - at[0].abs_diff(end)) as f32));
    let mut all = g.constant(0.0).broadcast(&scores.shape());
    for _ in 0..count {
        let rest = scores - all * TAKEN;
        all = all + where_largest(where_largest(rest) * order);
    }
    all
}

/// 1 wherever a row has its largest value, 0 elsewhere.
fn where_largest(x: Var<'_>) -> Var<'_> {
    x.less(x.max(-1)) * -1.0 + 1.0
}
