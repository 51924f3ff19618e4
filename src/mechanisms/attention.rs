//! Attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1): every query takes a weighted mean of the values, with
//! weights from how well it agrees with their keys.
//!
//! What the papers vary is one small algebra: a [`Score`], a field that multiplies it, one that is added, a mask, a
//! [`Normaliser`], a field that multiplies the weights, a gate. [`Attention`] names them in this order.

mod normaliser;
mod score;
mod signature;

pub use normaliser::{Normaliser, Positive};
pub use score::{Score, l2_normalise};
pub use signature::MECHANISM;

use crate::graph::Var;

/// How the heads of a layer attend. Fields are `[.., query, key]` and broadcast over heads.
#[derive(Clone, Copy)]
pub struct Attention<'g> {
    /// What a query and a key are compared by.
    pub score: Score,
    /// Factor of the scores.
    pub scale: f32,
    /// Multiplies the scores: `M` in `softmax(M o S)`.
    pub multiply: Option<Var<'g>>,
    /// Is added to them then: `B` in `softmax(S + B)`.
    pub add: Option<Var<'g>>,
    /// 1 where a query sees a key, 0 where not. Softmax lets a query that sees none look at all alike.
    pub mask: Option<Var<'g>>,
    /// From scores to weights.
    pub normaliser: Normaliser,
    /// Multiplies the weights: `D` in `softmax(S) o D`.
    pub weigh: Option<Var<'g>>,
    /// Whether the weights of a query are divided by the sum of their absolute values after that.
    pub renormalise: bool,
    /// Multiplies what comes out, `[.., head, pos, d_value]`.
    pub gate: Option<Var<'g>>,
}

/// What comes of it.
#[derive(Clone, Copy)]
pub struct Attended<'g> {
    /// `[.., head, query, key]`: scaled, before any field and before the mask, so that what a query was not allowed to see
    /// can be seen.
    pub scores: Var<'g>,
    /// `[.., head, query, key]`: with the fields and the mask, as they are normalised.
    pub logits: Var<'g>,
    /// `[.., head, query, key]`: the weights of the values.
    pub pattern: Var<'g>,
    /// `[.., head, pos, d_value]`
    pub z: Var<'g>,
}

impl<'g> Attention<'g> {
    /// `scale Q K^T V`, without anything that makes weights of the scores.
    pub fn linear(scale: f32) -> Self {
        Self {
            score: Score::Dot,
            scale,
            multiply: None,
            add: None,
            mask: None,
            normaliser: Normaliser::None,
            weigh: None,
            renormalise: false,
            gate: None,
        }
    }

    /// `softmax(scale Q K^T) V`
    pub fn softmax(scale: f32) -> Self {
        Self { normaliser: Normaliser::Softmax, ..Self::linear(scale) }
    }

    /// `softmax(Q K^T / sqrt d_head) V`: the variance of the scores does not grow with `d_head` (eq. 1).
    pub fn scaled(d_head: usize) -> Self {
        Self::softmax(1.0 / (d_head as f32).sqrt())
    }

    /// Records it, once per head: `q`, `k` `[.., head, pos, d_head]`, `v` `[.., head, pos, d_value]`. `tap` gives each
    /// tensor its name and axes, and returns what goes on in its place.
    pub fn record(
        &self,
        q: Var<'g>,
        k: Var<'g>,
        v: Var<'g>,
        tap: impl Fn(Var<'g>, &str, &str) -> Var<'g>,
    ) -> Attended<'g> {
        let scores = tap(self.score.of(q, k) * self.scale, "scores", "head query key"); // [.., head, query, key]
        let multiplied = self.multiply.map_or(scores, |field| scores * field);
        let logits = self.add.map_or(multiplied, |field| multiplied + field);
        let weights = self.normaliser.of(logits, self.mask);
        let pattern = tap(self.weighed(weights), "pattern", "head query key");
        let mixed = pattern.matmul(v); // [.., head, pos, d_value]
        let z = tap(self.gate.map_or(mixed, |gate| mixed * gate), "z", "head pos d_head");
        Attended { scores, logits: normaliser::masked(logits, self.mask), pattern, z }
    }

    fn weighed(&self, weights: Var<'g>) -> Var<'g> {
        let weights = self.weigh.map_or(weights, |field| weights * field);
        if self.renormalise { normaliser::l1(weights) } else { weights }
    }
}

impl<'g> Attended<'g> {
    /// `log sum_j exp(logit_ij)`, `[.., head, query]`: with it `pattern = exp(logits - it)` for softmax, and parts of a row
    /// that were computed apart can be put together.
    pub fn log_sum_exp(&self) -> Var<'g> {
        let most = self.logits.max(-1).detach();
        without_last((self.logits - most).exp().sum(-1).log() + most)
    }

    /// `-sum_j p_ij log p_ij` in nats, `[.., head, query]`, for rows that sum to 1.
    pub fn entropy(&self) -> Var<'g> {
        // A floor keeps 0 log 0 at 0.
        let floored = self.pattern.max_with(self.pattern.graph().constant(f32::MIN_POSITIVE));
        without_last(-(self.pattern * floored.log()).sum(-1))
    }
}

/// `[.., 1] -> [..]`
fn without_last(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&shape[..shape.len() - 1])
}

/// Leaves a tensor without a name.
pub fn untapped<'g>(x: Var<'g>, _name: &str, _axes: &str) -> Var<'g> {
    x
}
