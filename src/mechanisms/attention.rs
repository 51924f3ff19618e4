//! Attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1): every query takes a weighted mean of the values, with
//! weights from how well it agrees with their keys.

use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::{Graph, Var};
use crate::tensor::Tensor;

/// Scaled dot-product attention.
pub const MECHANISM: Mechanism = Mechanism {
    id: "attention",
    formula: "softmax(scale Q K^T) V",
    inputs: &[
        Port::new("q", "head pos d_head"),
        Port::new("k", "head pos d_head"),
        Port::new("v", "head pos d_value"),
    ],
    parameters: &[
        Parameter::switch("causal", "no query sees a later key"),
        Parameter::number("scale", Unset::Follows("1/sqrt d_head"), Within::REAL, "factor of the scores"),
    ],
    outputs: &[Port::new("pattern", "head query key"), Port::new("z", "head pos d_value")],
    lengths: &[],
    source: "Vaswani et al. 2017, arXiv 1706.03762, eq. 1",
    record: |it| {
        let [q, k, v] = ["q", "k", "v"].map(|name| it.tensor(name));
        let usual = Attention::scaled(q.dim(-1));
        let attention = Attention {
            scale: it.number("scale").unwrap_or(usual.scale),
            mask: it.is("causal").then(|| causal(it.graph(), q.dim(-2))),
        };
        let attended = attention.record(q, k, v, untapped);
        attended.pattern.keep("pattern");
        attended.z.keep("z");
    },
};

/// What a masked score is lowered by: softmax makes an exact 0 of it.
const NEVER: f32 = 1e30;

/// How the heads of a layer attend.
#[derive(Clone, Copy)]
pub struct Attention<'g> {
    /// Factor of the scores.
    pub scale: f32,
    /// `[.., query, key]`: 1 where a query sees a key, 0 where not. A query that sees none looks at all alike.
    pub mask: Option<Var<'g>>,
}

/// What comes of it.
#[derive(Clone, Copy)]
pub struct Attended<'g> {
    /// `[.., head, query, key]`, before the mask: what a query was not allowed to see can be seen.
    pub scores: Var<'g>,
    /// `[.., head, query, key]`; every row sums to 1.
    pub pattern: Var<'g>,
    /// `[.., head, pos, d_value]`
    pub z: Var<'g>,
}

impl<'g> Attention<'g> {
    /// Scores divided by `sqrt d_head`, so that their variance does not grow with it.
    pub fn scaled(d_head: usize) -> Self {
        Self { scale: 1.0 / (d_head as f32).sqrt(), mask: None }
    }

    /// `softmax(scale Q K^T + mask) V`, once per head: `q`, `k` `[.., head, pos, d_head]`, `v` `[.., head, pos, d_value]`.
    /// `tap` gives each tensor its name and axes, and returns what goes on in its place.
    pub fn record(
        &self,
        q: Var<'g>,
        k: Var<'g>,
        v: Var<'g>,
        tap: impl Fn(Var<'g>, &str, &str) -> Var<'g>,
    ) -> Attended<'g> {
        let scores = tap(q.matmul(k.t()) * self.scale, "scores", "head query key"); // [.., head, query, key]
        let masked = self.mask.map_or(scores, |mask| scores + (mask - 1.0) * NEVER);
        let pattern = tap(masked.softmax(), "pattern", "head query key");
        let z = tap(pattern.matmul(v), "z", "head pos d_head"); // [.., head, pos, d_value]
        Attended { scores, pattern, z }
    }
}

/// Leaves a tensor without a name.
pub fn untapped<'g>(x: Var<'g>, _name: &str, _axes: &str) -> Var<'g> {
    x
}

/// The mask of a model that may not look ahead, `[pos, pos]`: 1 where `key <= query`.
pub fn causal(g: &Graph, pos: usize) -> Var<'_> {
    g.input(&Tensor::from_fn(&[pos, pos], |at| f32::from(u8::from(at[1] <= at[0]))))
}
