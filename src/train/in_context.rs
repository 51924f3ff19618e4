//! What the recipes share by which layers of attention learn linear regression in their context.

use super::{Course, Loss};
use crate::data::Random;
use crate::graph::Var;
use crate::nn::loss::total;
use crate::nn::optim::{AdamW, Optimizer, Schedule};

/// A run on tasks with such `inputs`, with Adam as von Oswald et al. 2022 (arXiv 2212.07677) set it, at a rate that rises for
/// `warm_up` steps and falls to a fiftieth.
pub(super) fn course(name: &'static str, inputs: &str, steps: u32, (peak, warm_up): (f32, u32)) -> Course {
    Course {
        name,
        data: format!("drawn at random: linear regression with {inputs} inputs"),
        steps,
        rule: Optimizer::AdamW(AdamW { beta2: 0.98, ..AdamW::default() }),
        schedule: Schedule { peak, warm_up, floor: 0.02 },
        clip: None,
        exempt: &[],
    }
}

/// Half the mean square of how far predictions are from answers, both `[task]`.
pub(super) fn half_square<'g>(said: Var<'g>, answer: Var<'g>) -> Loss<'g> {
    let off = said - answer;
    Loss { loss: total(off * off) * (0.5 / off.dim(0) as f32), measures: vec![] }
}

/// Chance that training never sees: streams of batches are numbered by steps, of which there are none this high.
pub(super) fn unseen() -> Random {
    Random::stream(0, u64::MAX)
}
