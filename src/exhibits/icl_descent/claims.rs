//! The claims as measurements: of layers that are built, and of those that learn.

mod built;
mod learnt;

use super::IclDescent;
use crate::exhibits::{Check, usual};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let devices = Check::devices(usual::<IclDescent>)
        .says("paths, measures and weights after five steps on the GPU and on the CPU: largest difference")
        .within(1e-2, "AdamW divides by the root of small numbers, which enlarges what f32 rounds");
    built::checks().into_iter().chain(learnt::checks()).chain([devices]).collect()
}
