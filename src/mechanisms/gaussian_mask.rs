//! Masks that vision transformers learn (Li & Zhang 2023, "RetNet Viewed through Convolution", arXiv 2309.05375): they
//! multiply the scaled scores before the softmax, so that a mask near 0 makes a key like any other, not an absent one.

use super::Given;
use super::attention::{Attended, Attention, untapped};
use super::field::{Places, gaussian};
use super::signature::{Mechanism, Parameter, Port, Unset};
use crate::graph::Var;

/// Mixtures of Gaussians of the distance on the grid.
pub const GAUSSIAN: Mechanism = Mechanism {
    id: "gaussian-mask",
    formula: "softmax(M o Q K^T / sqrt d_head) V, M = sum_k alpha_k exp(-d^2 / (2 (sigma_k^2 + 1e-5)))",
    inputs: &[
        Port::new("alpha", "component head"),
        Port::new("sigma", "component head"),
        Port::new("q", "head pos d_head").optional(),
        Port::new("k", "head pos d_head").with("q"),
        Port::new("v", "head pos d_value").with("q"),
    ],
    parameters: &[
        Parameter::count("height", Unset::Refused, "rows of places"),
        Parameter::count("width", Unset::Refused, "places in a row"),
    ],
    outputs: &[
        Port::new("mask", "head query key").about("places in rows"),
        Port::new("pattern", "head query key").with("q"),
        Port::new("z", "head pos d_value").with("q"),
    ],
    lengths: &[("pos", &["height", "width"])],
    source: "Li & Zhang 2023, arXiv 2309.05375",
    record: |it| {
        let mask = mixture(it.tensor("alpha"), it.tensor("sigma"), places(it));
        mask.keep("mask");
        if let Some(q) = it.maybe("q") {
            keep(masked(mask, q, it.tensor("k"), it.tensor("v")));
        }
        Ok(())
    },
};

/// A number for every pair of places.
pub const ELEMENTWISE: Mechanism = Mechanism {
    id: "elementwise-mask",
    formula: "softmax(M o Q K^T / sqrt d_head) V",
    inputs: &[
        Port::new("mask", "query key"),
        Port::new("q", "head pos d_head"),
        Port::new("k", "head pos d_head"),
        Port::new("v", "head pos d_value"),
    ],
    parameters: &[],
    outputs: &[Port::new("pattern", "head query key"), Port::new("z", "head pos d_value")],
    lengths: &[],
    source: "Li & Zhang 2023, arXiv 2309.05375",
    record: |it| {
        keep(masked(it.tensor("mask"), it.tensor("q"), it.tensor("k"), it.tensor("v")));
        Ok(())
    },
};

/// `M_h = sum_k alpha_kh exp(-d^2 / (2 (sigma_kh^2 + 1e-5)))`, `[head, query, key]`, of `alpha`, `sigma`
/// `[component, head]`.
pub fn mixture<'g>(alpha: Var<'g>, sigma: Var<'g>, places: Places) -> Var<'g> {
    let [components, heads] = alpha.shape()[..] else { panic!("a mixture is [component, head]") };
    let [alpha, sigma] = [alpha, sigma].map(|it| it.reshape(&[components, heads, 1]));
    let parts = gaussian(alpha, sigma, places.distances(alpha.graph(), Places::squared)); // [component, head, place]
    places.spread(parts.sum(0).reshape(&[heads, places.count()]))
}

/// `softmax(M o Q K^T / sqrt d_head) V`
pub fn masked<'g>(mask: Var<'g>, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Attended<'g> {
    Attention { multiply: Some(mask), ..Attention::scaled(q.dim(-1)) }.record(q, k, v, untapped)
}

fn keep(attended: Attended<'_>) {
    attended.pattern.keep("pattern");
    attended.z.keep("z");
}

/// The grid that was asked for.
pub(super) fn places(it: &Given<'_>) -> Places {
    let side = |name| it.count(name).unwrap_or_else(|| unreachable!("{name} must be set"));
    Places::grid(side("height"), side("width"))
}
