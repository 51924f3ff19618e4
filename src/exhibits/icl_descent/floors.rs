//! What gradient descent and GD++ leave of the loss, with the best rates for all tasks.

use crate::data::Random;
use crate::regression::{PlusPlus, Tasks, best_plus_plus, floors};

/// Tasks whose spectra floors are computed from: their means are good to a hundredth.
const DRAWN: usize = 400;

/// What is left after so many steps is drawn, and of which it is written.
pub(super) const STEPS: [(usize, bool); 9] = [
    (1, true),
    (2, true),
    (3, false),
    (5, true),
    (7, false),
    (10, true),
    (20, false),
    (30, false),
    (50, true),
];

/// Layers, or steps of GD++, of the layer that is gone through twice.
pub(super) const TWICE: usize = 2;

/// What is left of the loss.
#[derive(Clone)]
pub(super) struct Floors {
    /// Coordinates of the tasks that they belong to.
    pub(super) d: usize,
    /// After each of [`STEPS`].
    pub(super) descent: Vec<f32>,
    /// The best rate of two steps.
    pub(super) rate_of_two: f32,
    /// The best two steps of GD++.
    pub(super) plus_plus: PlusPlus,
}

impl Floors {
    pub(super) fn of(tasks: &Tasks) -> Self {
        let chance = || Random::stream(1, 0);
        let each = floors(tasks, &STEPS.map(|it| it.0), DRAWN, &mut chance());
        let (rates, losses): (Vec<f64>, Vec<f64>) = each.into_iter().unzip();
        let plus_plus = best_plus_plus(tasks, TWICE, DRAWN / 2, &mut chance());
        let descent = losses.into_iter().map(|it| it as f32).collect();
        Self { d: tasks.d, descent, rate_of_two: rates[TWICE - 1] as f32, plus_plus }
    }
}
