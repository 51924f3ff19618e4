//! From what a model computed to a map of what mattered: functions on recordings.

pub mod combine;
pub mod forget;
pub mod gradient;
pub mod heads;
pub mod masking;
pub mod meta;
pub mod method;
pub mod normgrad;
pub mod pointing;
pub mod probe;
pub mod relevance;
pub mod rollout;
pub mod sentence;
pub(crate) mod signature;

use crate::graph::{Graph, Var};
use crate::tensor::Tensor;

/// `[.., 1] -> [..]`
fn without_last(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&shape[..shape.len() - 1])
}

/// The identity matrix `[n, n]`.
fn identity(g: &Graph, n: usize) -> Var<'_> {
    g.input(&Tensor::from_fn(&[n, n], |at| f32::from(u8::from(at[0] == at[1]))))
}
