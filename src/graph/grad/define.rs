//! Definitions whose derivative is shorter than that of their expansion. The others are expanded.

use super::pull;
use crate::graph::{Def, F32, Var};

/// Channels of an image that a kernel computes side by side.
const FEW: usize = 4;

/// What `dy`, the cotangent of `y = def(x)`, adds to the cotangent of `x[i]`.
pub(super) fn adjoint<'g>(def: Def, x: &[Var<'g>], y: Var<'g>, dy: Var<'g>, i: usize) -> Option<Var<'g>> {
    match (def, i) {
        (Def::Softmax, _) => Some(y.define(Def::SoftmaxGrad, &[dy])),
        (Def::Gelu, _) => Some(x[0].define(Def::GeluGrad, &[dy])),
        (Def::LayerNorm { eps }, 0) => Some(x[0].define(Def::LayerNormGrad { eps }, &[x[1], dy])),
        (Def::LayerNorm { eps }, 1) => Some(to_row(dy * standardised(x[0], eps))),
        (Def::LayerNorm { .. }, _) => Some(to_row(dy)),
        // Where it changes nothing, which its result tells too: nobody has to keep `x`.
        (Def::Clamp { low, high }, _) => {
            let [low, limit] = [low, high].map(|it| y.graph.constant(it.get()));
            let dx = dy * low.less(y);
            Some(if high.get().is_finite() { dx * y.less(limit) } else { dx })
        }
        // Of few channels all that windows give is little, and one product.
        (Def::Conv(slide), 0) if x[0].dim(-1) >= FEW || x[1].shape().len() == 3 => {
            let places = [x[0].dim(-3), x[0].dim(-2)];
            Some(dy.define(Def::ConvGrad { slide, places }, &[x[1]]))
        }
        (Def::ConvGrad { slide, .. }, 0) => Some(dy.conv(x[1], slide)),
        _ => expanded(def, x, dy, i),
    }
}

/// Through the expansion, where an input that comes twice is asked for once: its derivative counts both.
fn expanded<'g>(def: Def, x: &[Var<'g>], dy: Var<'g>, i: usize) -> Option<Var<'g>> {
    if x[..i].iter().any(|it| it.id == x[i].id) {
        return None;
    }
    pull(def.expand(x[0], &x[1..]), dy, &[x[i]], x)[0]
}

/// The sum of all rows.
fn to_row(x: Var<'_>) -> Var<'_> {
    let n = x.dim(-1);
    let rows = crate::tensor::size(&x.shape()[..x.shape().len() - 1]);
    x.reshape(&[rows, n]).sum(0).reshape(&[n])
}

/// Layer norm without gain and bias.
fn standardised(x: Var<'_>, eps: F32) -> Var<'_> {
    let row = |value| x.graph.constant(value).broadcast(&[x.dim(-1)]);
    x.layer_norm(row(1.0), row(0.0), eps.get())
}
