//! Mechanisms: the mathematics of a paper as functions on [`Var`](crate::graph::Var)s, one file a paper, independent of
//! exhibits and models, which both use them. What saliency methods do stands in [`crate::saliency`].
//!
//! Each has a [`Mechanism`] that declares what it takes and gives: names, axes, parameters with defaults, the source. By it
//! all mechanisms can be called on anybody's tensors (`vitrine run`), and what does not fit is told in one line.
//! [`crate::registry`] lists them.

pub mod adamw;
pub mod attention;
pub mod bayes_mixture;
mod call;
mod covariance;
pub mod field;
pub mod gaussian_fit;
pub mod gaussian_mask;
pub mod gelu;
pub mod gradient_descent;
pub mod layer_norm;
pub mod linear_attention;
pub mod linear_optimum;
pub mod predictor_distance;
mod real;
pub mod recurrence;
pub mod retention;
pub mod ridge;
pub mod rmt;
mod signature;
pub mod solve;

pub use call::{CallError, Given};
pub use real::Real;
pub use signature::{Domain, Mechanism, Parameter, Port, Presence, Unset, Within};
