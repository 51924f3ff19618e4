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

use crate::graph::Var;
use crate::mechanisms::solve::identity;

/// `[.., 1] -> [..]`
fn without_last(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&shape[..shape.len() - 1])
}
