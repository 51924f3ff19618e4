//! Where gradient flow takes a layer of linear self-attention that learns linear regression in context (Zhang, Frei &
//! Bartlett 2023, arXiv 2306.09927).
//!
//! The layer has two matrices, `f(E) = E + W^PV E (E^T W^KQ E) / rho`. A prompt `E` has a column `(x_i, y_i)` for each example
//! and the last one `(x_q, 0)` for what is asked, which is a key and a value as they are; the prediction comes to stand in the
//! place of that 0, with its sign. With `x ~ N(0, Lambda)`, `w ~ N(0, I)` and prompts of `n` examples the layer comes to
//! predict `x_q^T Gamma^-1 (1/M sum_i y_i x_i)` from `M` examples, where `Gamma = (1 + 1/n) Lambda + tr(Lambda)/n I`.

use super::signature::{Mechanism, Parameter, Port, Unset};
use super::solve::{identity, solve};
use crate::graph::Var;

/// A layer with two matrices, on any tokens.
pub const LAYER: Mechanism = Mechanism {
    id: "lsa-merged",
    formula: "E + W^PV E (E^T W^KQ E) / rho",
    inputs: &[
        Port::new("tokens", "task pos channel").about("the columns of E, the last of which is asked"),
        Port::new("kq", "channel channel"),
        Port::new("pv", "channel channel"),
    ],
    parameters: &[Parameter::count(
        "rho",
        Unset::Follows("the number of examples"),
        "what the sum over tokens is divided by",
    )],
    outputs: &[
        Port::new("tokens_after", "task pos channel"),
        Port::new("prediction", "task").about("the last entry of the last token"),
    ],
    lengths: &[],
    source: "Zhang, Frei & Bartlett 2023, arXiv 2306.09927, equation 3.2",
    record: |it| {
        let [tokens, kq, pv] = ["tokens", "kq", "pv"].map(|name| it.tensor(name));
        let [tasks, pos, channels] = [tokens.dim(0), tokens.dim(1), tokens.dim(2)];
        let rho = it.count("rho").unwrap_or(pos.saturating_sub(1).max(1));
        let after = MergedAttention { kq, pv }.layer(tokens, tokens, rho).keep("tokens_after");
        let said = after.slice(1, pos - 1, 1).slice(2, channels - 1, 1);
        said.reshape(&[tasks]).keep("prediction");
        Ok(())
    },
};

/// The matrix that it learns.
pub const MECHANISM: Mechanism = Mechanism {
    id: "lsa-optimum",
    formula: "Gamma^-1, Gamma = (1 + 1/n) Lambda + tr(Lambda)/n I",
    inputs: &[Port::new("covariance", "d d").covariance()],
    parameters: &[Parameter::count("n", Unset::Refused, "examples of a prompt in training")],
    outputs: &[Port::new("gamma_inverse", "d d")],
    lengths: &[],
    source: "Zhang, Frei & Bartlett 2023, arXiv 2306.09927, theorem 4.1",
    record: |it| {
        let gamma = gamma(it.tensor("covariance"), it.count("n").unwrap_or(1));
        solve(gamma, identity(it.graph(), gamma.dim(-1))).keep("gamma_inverse");
        Ok(())
    },
};

/// The matrices of a layer, each `[d + 1, d + 1]`.
#[derive(Clone, Copy)]
pub struct MergedAttention<'g> {
    /// `W^KQ`, keys and queries in one.
    pub kq: Var<'g>,
    /// `W^PV`, projection and values in one.
    pub pv: Var<'g>,
}

impl<'g> MergedAttention<'g> {
    /// What becomes of `asked` `[.., query, d + 1]` that attend to `tokens` `[.., pos, d + 1]`.
    pub fn layer(&self, asked: Var<'g>, tokens: Var<'g>, rho: usize) -> Var<'g> {
        let scores = asked.matmul(self.kq.t()).matmul(tokens.t()); // [.., query, pos]
        asked + scores.matmul(tokens.matmul(self.pv.t())) / rho as f32
    }

    /// What it predicts for `query` `[task, d]` from examples `x` `[task, pos, d]` and `y` `[task, pos]`: `[task]`.
    pub fn predict(&self, x: Var<'g>, y: Var<'g>, query: Var<'g>) -> Var<'g> {
        let [tasks, n, d] = [x.dim(0), x.dim(1), x.dim(2)];
        let known = Var::concat(&[x, y.reshape(&[tasks, n, 1])], -1);
        let asked = query.reshape(&[tasks, 1, d]).pad(2, 0, 1, 0.0);
        let tokens = Var::concat(&[known, asked], 1); // [task, pos, d + 1]
        self.layer(asked, tokens, n).slice(2, d, 1).reshape(&[tasks])
    }

    /// `w^PV_22 W^KQ_11` `[d, d]`: what stands between the query and `1/M sum_i y_i x_i`.
    pub fn product(&self) -> Var<'g> {
        let d = self.kq.dim(0) - 1;
        self.kq.slice(0, 0, d).slice(1, 0, d) * self.pv.slice(0, d, 1).slice(1, d, 1)
    }

    /// The layer at which gradient flow ends (theorem 4.1): `W^KQ = tr(Gamma^-2)^(-1/4) [[Gamma^-1, 0], [0, 0]]`,
    /// `W^PV = tr(Gamma^-2)^(1/4) [[0, 0], [0, 1]]`, from `Gamma^-1` `[d, d]`.
    pub fn optimum(inverse: Var<'g>) -> Self {
        let d = inverse.dim(0);
        let share = (inverse * inverse).sum(-1).sum(-2).sqrt().sqrt(); // [1, 1]
        let corner = |x: Var<'g>, before, after| x.pad(0, before, after, 0.0).pad(1, before, after, 0.0);
        Self { kq: corner(inverse / share, 0, 1), pv: corner(share, d, 0) }
    }
}

/// `Gamma` `[d, d]` of a covariance `[d, d]` and prompts of `n` examples (theorem 4.1).
pub fn gamma(covariance: Var<'_>, n: usize) -> Var<'_> {
    let unit = identity(covariance.graph(), covariance.dim(-1));
    let trace = (covariance * unit).sum(-1).sum(-2); // [1, 1]
    covariance * (1.0 + 1.0 / n as f32) + unit * trace / n as f32
}
