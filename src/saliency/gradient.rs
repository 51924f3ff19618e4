//! Maps from one gradient: gradient (Simonyan et al. 2013, arXiv 1312.6034), linear approximation, Grad-CAM (Selvaraju et
//! al. 2016, arXiv 1610.02391), integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365).
//!
//! `x` is an activation or the input itself, `[.., channel]`, and `g = dz/dx`; a map has a number for every place, `[..]`.

use super::without_last;
use crate::graph::Var;
use crate::tensor::Tensor;

/// `max_c |g|`
pub fn gradient(g: Var<'_>) -> Var<'_> {
    without_last(g.abs().max(-1))
}

/// `sum_c x g`: gradient times input, and at a layer the linear approximation of what removing a place would cost.
pub fn linear_approximation<'g>(x: Var<'g>, g: Var<'g>) -> Var<'g> {
    without_last((x * g).sum(-1))
}

/// `max(0, sum_c x_uc mean_v g_vc)`: channels weighted by their mean gradient over all places, `[.., row, col, channel]`.
pub fn grad_cam<'g>(x: Var<'g>, g: Var<'g>) -> Var<'g> {
    let weights = g.mean(-2).mean(-3); // [.., 1, 1, channel]
    let map = without_last((x * weights).sum(-1));
    map.max_with(map.graph().constant(0.0))
}

/// `(x - x0) o mean_k dz/dx at x0 + (k + 1/2)/n (x - x0)`, by the midpoint rule: `z` records the model on a batch
/// `[n, ..]` and returns the sum of what is explained. The entries sum to `z(x) - z(x0)`, but for the rule's error.
pub fn integrated<'g>(x: Var<'g>, x0: Var<'g>, n: usize, z: impl Fn(Var<'g>) -> Var<'g>) -> Var<'g> {
    let shape = x.shape();
    let along = Tensor::from_fn(&[n], |at| (at[0] as f32 + 0.5) / n as f32);
    let along = x.graph().input(&along).reshape(&[&[n][..], &vec![1; shape.len()]].concat());
    let path = along * (x - x0) + x0; // [n, ..]
    let g = x.graph().grad(z(path), &[path])[0];
    (x - x0) * g.mean(0).reshape(&shape)
}
