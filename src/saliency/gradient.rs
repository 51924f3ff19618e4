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

/// Places of a path that are looked at together: a batch of a model with its gradients needs memory.
pub const STRETCH: usize = 32;

/// A path whose places are looked at in stretches: how many were, and the mean of `dz/dx` at their places, `[..]`.
#[derive(Clone, Copy)]
pub struct Walked<'g> {
    /// How many stretches.
    pub stretches: usize,
    /// The mean, of the shape of `x`; whatever it is before the first stretch, it does not count.
    pub mean: Var<'g>,
}

impl<'g> Walked<'g> {
    /// Nothing was looked at on a path to `x`.
    pub fn nothing(x: Var<'g>) -> Self {
        Self { stretches: 0, mean: x.graph().constant(0.0).broadcast(&x.shape()) }
    }

    /// Looks at one stretch more of the path from `x0` to `x`: at [`STRETCH`] places as far from each other, between those
    /// that were looked at before. `z` records the model on a batch `[STRETCH, ..]` and returns the sum of what is explained.
    /// What is recorded has the same structure for every stretch.
    pub fn on(self, x: Var<'g>, x0: Var<'g>, z: impl Fn(Var<'g>) -> Var<'g>) -> Self {
        let (g, shape, n) = (x.graph(), x.shape(), self.stretches as f32);
        let places =
            Tensor::from_fn(&[STRETCH], |at| (at[0] as f32 + offset(self.stretches)) / STRETCH as f32);
        let places = g.input(&places).reshape(&[&[STRETCH][..], &vec![1; shape.len()]].concat());
        let path = places * (x - x0) + x0; // [STRETCH, ..]
        let mean = g.grad(z(path), &[path])[0].mean(0).reshape(&shape);
        // One input for both shares, as equal inputs would be one.
        let shares = g.input(&Tensor::new(&[2], [n / (n + 1.0), 1.0 / (n + 1.0)]));
        let [old, new] = [0, 1].map(|i| shares.slice(0, i, 1).reshape(&[]));
        Self { stretches: self.stretches + 1, mean: self.mean * old + mean * new }
    }

    /// Integrated gradients, `(x - x0) o mean`: their entries sum to `z(x) - z(x0)`, but for the error of the mean.
    pub fn integrated(self, x: Var<'g>, x0: Var<'g>) -> Var<'g> {
        (x - x0) * self.mean
    }
}

/// Where in a place's share of the path stretch `k` looks, 0 to 1: in the middle at first (the midpoint rule), then wherever the
/// gap is widest: `1/2` plus the bits of `k` in reverse order behind the point (van der Corput's sequence).
fn offset(k: usize) -> f32 {
    (0.5 + (k as u32).reverse_bits() as f32 / 2.0f32.powi(32)).fract()
}
