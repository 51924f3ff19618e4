//! NormGrad: there and back again (Rebuffi, Fong, Ji & Vedaldi 2020, arXiv 2004.02866).
//!
//! Put a layer that changes nothing behind an activation `x` and ask how its weights would learn: every place `u`
//! contributes a tensor made of `x_u` and the gradient `g_u = dz/dx_u` to their gradient, and the sum over places is that
//! gradient. A map shows how large each contribution is. No layer is really put there; the contribution of a 1 x 1
//! convolution is the outer product `x_u g_u^T`, whose norm is `|x_u| |g_u|`.

use serde::{Deserialize, Serialize};

use super::without_last;
use crate::graph::Var;

/// The layer that is thought to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// A bias of zeros: `g_u`.
    Bias,
    /// A gain of ones: `x_u o g_u`.
    Scaling,
    /// A 1 x 1 convolution with the identity matrix: `x_u g_u^T`.
    #[default]
    Conv1x1,
    /// A 3 x 3 convolution with the identity in its middle: `unfold(x)_u g_u^T`, zeros around the image.
    Conv3x3,
    /// The same for every channel by itself: `unfold(x)_uc g_uc`.
    Depthwise3x3,
}

/// From a contribution to a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    /// The root of the sum of squares: NormGrad.
    #[default]
    Norm,
    /// The same of the positive entries: "selective".
    Selective,
    /// The sum, which is signed.
    Sum,
    /// The largest entry.
    Max,
}

/// The map `[..]` of an activation `[.., channel]` and its gradient: `[pos, channel]`, or `[row, col, channel]`, which the
/// 3 x 3 identities need.
pub fn normgrad<'g>(x: Var<'g>, g: Var<'g>, identity: Identity, aggregate: Aggregate) -> Var<'g> {
    match identity {
        Identity::Bias => entries(g, aggregate),
        Identity::Scaling => entries(x * g, aggregate),
        Identity::Conv1x1 => outer(x, g, aggregate),
        Identity::Conv3x3 => outer(flat(unfold(x)), g, aggregate),
        Identity::Depthwise3x3 => {
            let g = g.reshape(&[&g.shape()[..], &[1, 1]].concat());
            entries(flat(unfold(x) * g), aggregate)
        }
    }
}

/// What is left of the largest contribution when its entries are summed up, of the largest without their signs: a number from 0
/// to 1. Before a layer norm, which takes the mean from every place, gradients sum to 0 over the channels, and so do the
/// contributions to a bias and to a full convolution: what a map of [`Aggregate::Sum`] shows there is rounding.
pub fn remainder<'g>(x: Var<'g>, g: Var<'g>, identity: Identity) -> Var<'g> {
    let most = |x, g| normgrad(x, g, identity, Aggregate::Sum).flat().abs().max(0).reshape(&[]);
    most(x, g) / most(x.abs(), g.abs()).max_with(x.graph().constant(f32::MIN_POSITIVE))
}

/// The contribution of a layer that is really there: what it reads at every place `[.., inputs]` (all that its kernel
/// covers) with the gradient of what it writes `[.., outputs]`.
pub fn of_layer<'g>(read: Var<'g>, written: Var<'g>, aggregate: Aggregate) -> Var<'g> {
    outer(read, written, aggregate)
}

/// `[row, col, channel] -> [row, col, channel, 3, 3]`: the neighbours of every place, zeros around the image.
pub fn unfold(x: Var<'_>) -> Var<'_> {
    x.pad(0, 1, 1, 0.0).window(0, 3, 1).pad(1, 1, 1, 0.0).window(1, 3, 1)
}

/// `[row, col, a, b, c] -> [row, col, a b c]`
fn flat(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&[shape[0], shape[1], shape[2..].iter().product()])
}

/// Aggregates the last axis, `[.., entry]`.
fn entries(x: Var<'_>, aggregate: Aggregate) -> Var<'_> {
    let number = match aggregate {
        Aggregate::Norm => squares(x).sqrt(),
        Aggregate::Selective => squares(positive(x)).sqrt(),
        Aggregate::Sum => x.sum(-1),
        Aggregate::Max => x.max(-1),
    };
    without_last(number)
}

/// Aggregates the outer product of the last axes, which is never made.
fn outer<'g>(x: Var<'g>, g: Var<'g>, aggregate: Aggregate) -> Var<'g> {
    let number = match aggregate {
        // sqrt a sqrt b, as a product of sums of squares may leave the range of f32.
        Aggregate::Norm => squares(x).sqrt() * squares(g).sqrt(),
        // An entry is positive where both factors are, or neither.
        Aggregate::Selective => {
            let both = |sign: fn(Var<'g>) -> Var<'g>| squares(sign(x)) * squares(sign(g));
            (both(positive) + both(|it| positive(-it))).sqrt()
        }
        Aggregate::Sum => x.sum(-1) * g.sum(-1),
        Aggregate::Max => {
            let ends = |it: Var<'g>| [it.max(-1), -(-it).max(-1)];
            let ([x_high, x_low], [g_high, g_low]) = (ends(x), ends(g));
            (x_high * g_high).max_with(x_low * g_low).max_with(x_high * g_low).max_with(x_low * g_high)
        }
    };
    without_last(number)
}

fn squares(x: Var<'_>) -> Var<'_> {
    (x * x).sum(-1)
}

fn positive(x: Var<'_>) -> Var<'_> {
    x.max_with(x.graph().constant(0.0))
}
