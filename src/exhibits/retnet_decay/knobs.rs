//! The knobs of retention: reading on, what is drawn, how fast heads forget.

use super::{Cost, Factor, HEADS, RetnetDecay, Source, USUAL};
use crate::mechanisms::retention::{gammas, half_life};
use crate::page::Knobs;

/// All knobs, most used first.
pub(super) fn visit(state: &mut RetnetDecay, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        let words = [
            (Source::Chance, "drawn by chance"),
            (Source::Trained, "a trained RetNet"),
            (Source::Recall, "what heads are for"),
        ];
        k.choice("", &mut state.source, &words);
        match state.source {
            Source::Chance => reading(state, k),
            Source::Trained => state.trained.knobs(k),
            Source::Recall => {}
        }
    });
    if state.source != Source::Chance {
        return;
    }
    k.row(|k| {
        let factors = [(Factor::Scores, "QKᵀ"), (Factor::Decay, "D"), (Factor::Product, "QKᵀ ∘ D")];
        k.choice("large", &mut state.large, &factors);
        k.switch("D in decades", &mut state.log);
        k.switch("turn by position", &mut state.rotate);
    });
    k.row(|k| {
        if k.button("The paper's γ", "1 − 2^(−5−h)", true) {
            let paper = gammas(HEADS);
            state.half_lives = std::array::from_fn(|h| half_life(paper[h]) as f32);
        }
        if k.button("Short memories", "Half-lives that a sentence shows.", true) {
            state.half_lives = USUAL;
        }
        k.choice("tokens of a chunk", &mut state.chunk, &[(1, "1"), (3, "3"), (8, "8"), (32, "32")]);
        k.slide("seed", &mut state.seed, 0..=99, |it| it);
    });
    k.row(|k| {
        let costs = [(Cost::Memory, "memory"), (Cost::Operations, "operations"), (Cost::Time, "time here")];
        k.choice("one more token", &mut state.cost, &costs);
        let measures = state.race.at().is_some();
        let words = "Runs 16 tokens after up to 4096 others, 12 times 4 runs.";
        if k.button(if measures { "Measuring" } else { "Measure" }, words, !measures) {
            state.race.begin(k.scene.trace);
            state.cost = Cost::Time;
        }
    });
}

/// Reads the text a token after the other.
fn reading(state: &mut RetnetDecay, k: &mut Knobs<'_, '_>) {
    let n = state.race.shown(k.scene.trace).words("tokens").len().max(1);
    let plays = state.next.is_some();
    if k.button(if plays { "Pause" } else { "Play" }, "Reads a token after the other.", n > 1) {
        // At the end it begins anew.
        if !plays && state.read.is_none() {
            state.read = Some(1);
        }
        state.next = (!plays).then_some(0.0);
    }
    let mut read = state.read(n);
    if k.slider("tokens read", &mut read, 1..=n) {
        state.read = (read < n).then_some(read);
        state.next = None;
    }
    if k.button("One token", "", !plays && state.read(n) < n) {
        let read = state.read(n) + 1;
        state.read = (read < n).then_some(read);
    }
}
