//! The knobs of NormGrad.

use super::{Aggregate, Combination, NormGrad, What, glyph};
use crate::exhibits::{Scene, choose_model};
use crate::models::Kind;
use crate::ui::{choice, number};

/// The knobs, most used first.
pub(super) fn controls(state: &mut NormGrad, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        choice(ui, "", &mut state.what, &[(What::Maps, "maps"), (What::Pointing, "who points right?")]);
        if state.what == What::Maps {
            ui.separator();
            ui.label("virtual identity");
            glyph::choice(ui, scene.style, &mut state.identity);
        }
    });
    if state.what == What::Pointing {
        return choose_model(ui, scene.zoo, Kind::Vision, &mut state.looking.model);
    }
    ui.collapsing("Aggregation, combination, a step of learning, overlay", |ui| {
        ui.horizontal_wrapped(|ui| {
            choice(
                ui,
                "a contribution counts by its",
                &mut state.aggregate,
                &[
                    (Aggregate::Norm, "norm"),
                    (Aggregate::Selective, "positive part (selective)"),
                    (Aggregate::Sum, "sum"),
                    (Aggregate::Max, "largest entry"),
                ],
            );
        });
        ui.horizontal_wrapped(|ui| {
            choice(
                ui,
                "layers are combined by",
                &mut state.combination,
                &[
                    (Combination::GeometricMean, "geometric mean"),
                    (Combination::Mean, "mean"),
                    (Combination::Product, "product"),
                ],
            );
        });
        step(state, ui, scene);
    });
}

/// The step of learning, and what it did.
fn step(state: &mut NormGrad, ui: &mut egui::Ui, scene: &Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        let steps = [(0, "none"), (1, "0.0001"), (25, "0.0025"), (100, "0.01"), (1000, "0.1")];
        choice(ui, "a step of learning first, of length", &mut state.epsilon, &steps);
        let read = |name: &str| Some(scene.trace.get(name)?.window(0..1)?[0]);
        let layer = super::picture::layer(state, scene.trace);
        if let Some(far) = read("step") {
            let ranks = read(&format!("layers.{layer}.correlation")).map_or_else(String::new, |rho| {
                format!("; the map's ranks correlate by {} with those before", number(rho))
            });
            ui.label(format!("the parameters went {} of their length{ranks}", number(far)));
        }
    });
}
