//! The knobs of the attention exhibit.

use super::picture::{layers, place};
use super::{Ablation, Attention, Click, Picture, What};
use crate::exhibits::Scene;
use crate::focus::Spot;
use crate::saliency::heads::Kind;
use crate::ui::{Divided, choice};

/// The knobs, most used first.
pub(super) fn controls(state: &mut Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        choice(
            ui,
            "",
            &mut state.what,
            &[(What::Head, "one head"), (What::Mean, "mean of heads"), (What::Rollout, "rollout")],
        );
        ui.separator();
        choice(ui, "", &mut state.picture, &[(Picture::Map, "map"), (Picture::Lines, "lines")]);
        ui.separator();
        layer(ui, scene);
        ui.separator();
        choice(
            ui,
            "a click",
            &mut state.click,
            &[(Click::Look, "shows a head"), (Click::Switch, "switches it off")],
        );
    });
    if !state.off.is_empty() {
        switched_off(state, ui);
    }
    ui.collapsing("Colours, search, second sentence", |ui| {
        ui.horizontal_wrapped(|ui| {
            let relative = [(Divided::Not, "0 to 1"), (Divided::Row, "row"), (Divided::Map, "map")];
            choice(ui, "colours relative to", &mut state.divided, &relative);
            ui.checkbox(&mut state.log, "logarithmic");
        });
        ui.horizontal_wrapped(|ui| {
            ui.label("find heads");
            let hint = Kind::ALL.map(Kind::name).join(", ");
            ui.add(egui::TextEdit::singleline(&mut state.search).hint_text(hint));
        });
        second_sentence(state, ui);
    });
}

fn layer(ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let last = layers(scene.trace).saturating_sub(1);
    let (mut l, _) = place(scene.trace, scene.focus.locked);
    if ui.add(egui::Slider::new(&mut l, 0..=last).text("layer")).changed() {
        scene.focus.lock(Spot { layer: Some(l), ..Spot::default() });
    }
}

fn switched_off(state: &mut Attention, ui: &mut egui::Ui) {
    ui.horizontal_wrapped(|ui| {
        let off = state.off.iter().map(|(l, h)| format!("{l}.{h}")).collect::<Vec<_>>().join(", ");
        ui.label(format!("off: {off}, replaced by"));
        choice(ui, "", &mut state.ablation, &[(Ablation::Zero, "zero"), (Ablation::Mean, "its mean")]);
        ui.separator();
        choice(ui, "show", &mut state.absolute, &[(false, "what changed"), (true, "what is left")]);
        if ui.button("Switch all on").clicked() {
            state.off.clear();
        }
    });
}

fn second_sentence(state: &mut Attention, ui: &mut egui::Ui) {
    ui.horizontal_wrapped(|ui| {
        let mut on = state.compare.is_some();
        if ui.checkbox(&mut on, "beside a second sentence").changed() {
            let text = "The animal didn't cross the street because it was too wide.";
            state.compare = on.then(|| text.to_owned());
        }
        if let Some(text) = &mut state.compare {
            ui.add(egui::TextEdit::singleline(text).desired_width(f32::INFINITY));
        }
    });
}
