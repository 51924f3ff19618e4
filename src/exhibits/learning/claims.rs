//! The claims of learning as measurements.

use super::{Learning, STEPS};
use crate::exhibits::{Check, Exhibit, Inputs, Measure, worst};
use crate::graph::Graph;
use crate::models::Zoo;
use crate::train::Trainer;
use crate::train::spirals::Spirals;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let check = |name, claim, tolerance, because, measure| Check {
        name,
        claim,
        tolerance,
        because,
        model: "",
        measure: Measure::Scalar(measure),
    };
    vec![
        check(
            "a step is at most η",
            "how far the first step moves any weight, over the learning rate: without decay m/√v is ±1",
            1.001,
            "the decay of 0.001 times a weight below 1",
            first_step,
        ),
        check(
            "it learns",
            "the loss of 128 new points after 64 steps, over that before (seed 0)",
            0.95,
            "1 would be nothing learnt; the first 50 steps only warm up",
            learns,
        ),
        check(
            "same seed, same curve",
            "losses of 8 steps, run twice from leaves of their own: largest difference",
            0.0,
            "bit for bit",
            repeats,
        ),
        Check {
            name: "GPU equals CPU",
            claim: "fields, losses and weights after ten steps on the GPU and on the CPU: largest difference",
            tolerance: 1e-2,
            because: "AdamW divides by the root of small numbers, which enlarges what f32 rounds",
            model: "",
            measure: Measure::Devices(|zoo| Learning::default().record(&Inputs::default(), zoo)),
        },
    ]
}

fn trainer() -> Trainer {
    Trainer::new(Box::new(Spirals { steps: STEPS, ..Spirals::default() }), 0)
}

fn first_step(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mut trainer = trainer();
    let before = trainer.record(&g, 0);
    let after = trainer.record(&g, 1);
    let rate = trainer.course().schedule.rate(g.constant(1.0), STEPS);
    let moved = worst(before.iter().map(|(name, it)| after[name] - *it))?;
    (moved / rate).reshape(&[]).keep("error");
    Some(g)
}

fn learns(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    trainer().record(&g, 64);
    let losses = g.kept("losses")?;
    (losses.slice(0, 56, 8).mean(0) / losses.slice(0, 0, 8).mean(0)).keep("error");
    Some(g)
}

fn repeats(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let [a, b] = [0, 1].map(|_| {
        trainer().record(&g, 8);
        g.kept("losses")
    });
    worst([a? - b?])?.keep("error");
    Some(g)
}
