//! Its knobs.

use super::{IclAlgorithm, MOST};
use crate::page::Knobs;

pub(super) fn visit(state: &mut IclAlgorithm, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        k.choice("layers", &mut state.layers, &[(1, "1"), (2, "2"), (4, "4")]);
        k.slide("noise", &mut state.noise, 0..=100, |it| {
            it.custom_formatter(|it, _| format!("{:.2}", it / 100.0))
        });
        k.slider("examples", &mut state.examples, 0..=MOST);
    });
    k.row(|k| {
        k.slide("λ of ridge regression", &mut state.lambda, 0.01..=100.0, |it| it.logarithmic(true));
        k.slider("steps of gradient descent", &mut state.steps, 2..=100);
    });
    k.row(|k| {
        k.switch("Bayes in the phase picture", &mut state.bayes);
        k.choice("probes read at", &mut state.asked, &[(false, "the last answer"), (true, "the query")]);
        k.slider("seed", &mut state.seed, 0..=99);
    });
}
