//! The claims of learning as measurements.

use super::{Learning, STEPS};
use crate::exhibits::{Check, error, usual, worst};
use crate::graph::Graph;
use crate::models::Zoo;
use crate::train::Trainer;
use crate::train::spirals::Spirals;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::of("a step is at most η", first_step)
            .says("how far the first step moves any weight, over the learning rate: without decay m/√v is ±1")
            .within(1.001, "the decay of 0.001 times a weight below 1"),
        Check::of("it learns", learns)
            .says("the loss of 128 new points after 64 steps, over that before (seed 0)")
            .within(0.95, "1 would be nothing learnt; the first 50 steps only warm up"),
        Check::of("same seed, same curve", repeats)
            .says("losses of 8 steps, run twice from leaves of their own: largest difference")
            .within(0.0, "bit for bit"),
        Check::devices(usual::<Learning>)
            .says("fields, losses and weights after ten steps on the GPU and on the CPU: largest difference")
            .within(1e-2, "AdamW divides by the root of small numbers, which enlarges what f32 rounds"),
    ]
}

fn trainer() -> Trainer {
    Trainer::new(Box::new(Spirals { steps: STEPS, ..Spirals::default() }), 0)
}

fn first_step(_zoo: &Zoo) -> Option<Graph> {
    error(|g| {
        let mut trainer = trainer();
        let before = trainer.record(g, 0);
        let after = trainer.record(g, 1);
        let rate = trainer.course().schedule.rate(g.constant(1.0), STEPS);
        Some(worst(before.iter().map(|(name, it)| after[name] - *it))? / rate)
    })
}

fn learns(_zoo: &Zoo) -> Option<Graph> {
    error(|g| {
        trainer().record(g, 64);
        let losses = g.kept("losses")?;
        Some(losses.slice(0, 56, 8).mean(0) / losses.slice(0, 0, 8).mean(0))
    })
}

fn repeats(_zoo: &Zoo) -> Option<Graph> {
    error(|g| {
        let [a, b] = [0, 1].map(|_| {
            trainer().record(g, 8);
            g.kept("losses")
        });
        worst([a? - b?])
    })
}
