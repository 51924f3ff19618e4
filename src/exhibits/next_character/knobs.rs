//! The knobs of the exhibit of the next character.

use super::{LENGTH, NextCharacter};
use crate::models::{Gpt, Kind};
use crate::page::Knobs;

/// All knobs, most used first.
pub(super) fn visit(state: &mut NextCharacter, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        writing(state, k);
        k.choice("takes", &mut state.rule.greedy, &[(false, "by chance"), (true, "the likeliest")]);
    });
    k.row(|k| {
        k.slide("temperature", &mut state.rule.temperature, 0.1..=2.0, |it| {
            it.step_by(0.05).fixed_decimals(2)
        });
        top_k(state, k);
        k.model(Kind::Decoder, &mut state.model);
    });
    k.row(|k| {
        k.choice("a click", &mut state.switches, &[(false, "shows a head"), (true, "switches it off")]);
        if k.button("Switch all on", "", !state.off.is_empty()) {
            state.off.clear();
        }
        let off = super::off_words(&state.off).join(", ");
        k.words(&if off.is_empty() { "all heads are on".to_owned() } else { format!("off: {off}") });
    });
}

/// The buttons that let the model write.
fn writing(state: &mut NextCharacter, k: &mut Knobs<'_, '_>) {
    let ready = k.scene.zoo.model::<Gpt>(&state.model).is_some();
    let (writes, written) = (state.left > 0, !state.continuation.is_empty());
    let mut start = false;
    if writes {
        if k.button("Stop", "Keeps what is written so far.", true) {
            state.left = 0;
        }
    } else {
        start = k.button("Go on", &format!("Lets the model write {LENGTH} characters."), ready);
    }
    let again = ready && written && !state.rule.greedy;
    if k.button("Again", "From the text's end, with other chances.", again) {
        state.rule.seed += 1;
        state.continuation.clear();
        start = true;
    }
    if k.button("Clear", "Takes away what the model has written.", written) {
        state.continuation.clear();
        state.left = 0;
    }
    if start {
        // Whoever lets it write wants to see its end, not the place that was locked before.
        k.scene.focus.release();
        state.left = LENGTH;
    }
}

fn top_k(state: &mut NextCharacter, k: &mut Knobs<'_, '_>) {
    let all = k.scene.trace.get("lens.0").and_then(|it| it.shape.last().copied()).unwrap_or(1);
    let mut kept = state.rule.top_k.unwrap_or(all).min(all);
    let words = move |k: f64, _: std::ops::RangeInclusive<usize>| {
        if k as usize >= all { "all".to_owned() } else { format!("{k:.0}") }
    };
    let turned =
        k.slide("top-k", &mut kept, 1..=all, |it| it.logarithmic(all > 1000).custom_formatter(words));
    if turned {
        state.rule.top_k = (kept < all).then_some(kept);
    }
}
