//! Where gradient flow takes a layer of linear self-attention that learns linear regression in context (Zhang, Frei &
//! Bartlett 2023, arXiv 2306.09927).
//!
//! With `x ~ N(0, Lambda)`, `w ~ N(0, I)` and prompts of `n` examples the layer comes to predict
//! `x_q^T Gamma^-1 (1/M sum_i y_i x_i)` from `M` examples, where `Gamma = (1 + 1/n) Lambda + tr(Lambda)/n I`.

use super::signature::{Mechanism, Parameter, Port, Unset};
use super::solve::{identity, solve};
use crate::graph::Var;

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

/// `Gamma` `[d, d]` of a covariance `[d, d]` and prompts of `n` examples (theorem 4.1).
pub fn gamma(covariance: Var<'_>, n: usize) -> Var<'_> {
    let unit = identity(covariance.graph(), covariance.dim(-1));
    let trace = (covariance * unit).sum(-1).sum(-2); // [1, 1]
    covariance * (1.0 + 1.0 / n as f32) + unit * trace / n as f32
}
