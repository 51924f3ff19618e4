//! The knobs of the exhibit of the next character.

use super::{LENGTH, NextCharacter};
use crate::exhibits::{Scene, choose_model};
use crate::models::Kind;
use crate::ui::choice;

/// The knobs, most used first.
pub(super) fn controls(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        writing(state, ui, scene);
        ui.separator();
        choice(ui, "takes", &mut state.rule.greedy, &[(false, "by chance"), (true, "the likeliest")]);
        ui.separator();
        let temperature =
            egui::Slider::new(&mut state.rule.temperature, 0.1..=2.0).step_by(0.05).fixed_decimals(2);
        ui.add(temperature.text("temperature"));
        top_k(state, ui, scene);
    });
    ui.horizontal_wrapped(|ui| {
        choose_model(ui, scene.zoo, Kind::Decoder, &mut state.model);
        ui.separator();
        choice(ui, "a click", &mut state.switches, &[(false, "shows a head"), (true, "switches it off")]);
        if !state.off.is_empty() {
            ui.separator();
            let off = state.off.iter().map(|(l, h)| format!("{l}.{h}")).collect::<Vec<_>>().join(", ");
            ui.label(format!("off: {off}"));
            if ui.button("Switch all on").clicked() {
                state.off.clear();
            }
        }
    });
}

/// The buttons that let the model write.
fn writing(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let ready = scene.zoo.gpt(&state.model).is_some();
    let mut start = false;
    if state.left > 0 {
        if ui.button("Stop").clicked() {
            state.left = 0;
        }
    } else {
        let words = format!("Lets the model write {LENGTH} characters.");
        start = ui.add_enabled(ready, egui::Button::new("Go on")).on_hover_text(words).clicked();
    }
    let written = !state.continuation.is_empty();
    let again = ui.add_enabled(ready && written && !state.rule.greedy, egui::Button::new("Again"));
    if again.on_hover_text("From the text's end, with other chances.").clicked() {
        state.rule.seed += 1;
        state.continuation.clear();
        start = true;
    }
    if ui.add_enabled(written, egui::Button::new("Clear")).clicked() {
        state.continuation.clear();
        state.left = 0;
    }
    if start {
        // Whoever lets it write wants to see its end, not the place that was locked before.
        scene.focus.release();
        state.left = LENGTH;
    }
}

fn top_k(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &Scene<'_>) {
    let all = scene.trace.get("lens.0").and_then(|it| it.shape.last().copied()).unwrap_or(1);
    let mut k = state.rule.top_k.unwrap_or(all).min(all);
    let slider = egui::Slider::new(&mut k, 1..=all).logarithmic(all > 1000);
    let words = move |k: f64, _: std::ops::RangeInclusive<usize>| {
        if k as usize >= all { "all".to_owned() } else { format!("{k:.0}") }
    };
    if ui.add(slider.custom_formatter(words).text("top-k")).changed() {
        state.rule.top_k = (k < all).then_some(k);
    }
}
