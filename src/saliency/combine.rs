//! Maps of several layers as one: brought to one size, to the range from 0 to 1, and combined (NormGrad, section 3.4).

use serde::{Deserialize, Serialize};

use crate::graph::Var;
use crate::tensor::Tensor;

/// What an element of a normalised map is at least before it enters a product. Every map has a 0 somewhere, and one layer's
/// 0 would otherwise silence all others there.
pub const FLOOR: f32 = 1e-6;

/// How maps are combined; weights are divided by their sum first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combination {
    /// `prod_l m_l^w_l`
    #[default]
    GeometricMean,
    /// `sum_l w_l m_l`
    Mean,
    /// `prod_l m_l`, whatever the weights.
    Product,
}

/// `(m - min m) / (max m - min m)`; zeros if `m` is constant.
pub fn normalised(map: Var<'_>) -> Var<'_> {
    let shape = map.shape();
    let flat = map.flat();
    let low = -(-flat).max(0);
    let spread = (flat.max(0) - low).max_with(map.graph().constant(f32::MIN_POSITIVE));
    ((flat - low) / spread).reshape(&shape)
}

/// Bilinear, pixels taken as areas (`align_corners = False`): `[h, w] -> [height, width]`.
pub fn resized(map: Var<'_>, [height, width]: [usize; 2]) -> Var<'_> {
    let g = map.graph();
    let rows = g.input(&interpolation(map.dim(0), height)); // [height, h]
    let columns = g.input(&interpolation(map.dim(1), width)); // [width, w]
    rows.matmul(map).matmul(columns.t())
}

/// `[to, from]`: what each of `to` pixels takes of `from`.
fn interpolation(from: usize, to: usize) -> Tensor {
    let last = from.saturating_sub(1);
    Tensor::from_fn(&[to, from], |at| {
        let place = ((at[0] as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, last as f32);
        (1.0 - (place - at[1] as f32).abs()).max(0.0)
    })
}

/// Combines maps of one size with their weights, which are positive.
pub fn combined<'g>(maps: &[(Var<'g>, f32)], how: Combination) -> Var<'g> {
    let sum: f32 = maps.iter().map(|(_, weight)| weight).sum();
    let term = |(map, weight): &(Var<'g>, f32)| {
        let map = normalised(*map);
        let floored = || map.max_with(map.graph().constant(FLOOR)).log();
        match how {
            Combination::GeometricMean => floored() * (weight / sum),
            Combination::Mean => map * (weight / sum),
            Combination::Product => floored(),
        }
    };
    let total = maps.iter().map(term).reduce(|a, b| a + b);
    let total = total.unwrap_or_else(|| panic!("there is nothing to combine"));
    if how == Combination::Mean { total } else { total.exp() }
}
