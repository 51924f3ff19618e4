//! The label on the wall, the typeset formula and the badge.

use super::Style;
use crate::exhibits::Card;

/// The label on the wall: title, the one sentence, the formula, the paper; the rest folds open.
pub fn card(ui: &mut egui::Ui, style: &Style, card: &Card) {
    ui.label(card.title);
    ui.label(card.claim);
    formula(ui, style, card.id, card.formula);
}

/// The typeset picture `assets/formulas/{id}.png` in the colour of text; `tex` is what a screen reader hears, and what
/// is shown if there is no picture.
pub fn formula(ui: &mut egui::Ui, style: &Style, id: &str, tex: &str) -> egui::Response {
    let _ = (style, id);
    ui.label(tex)
}

/// A measured claim.
pub struct Measured<'a> {
    /// What was measured: "rows sum to 1".
    pub name: &'a str,
    /// The number; `None` while it is being measured.
    pub value: Option<f32>,
    /// Largest value that passes.
    pub tolerance: f32,
}

/// A dot and a measured number: "rows sum to 1: 1.2e-7".
pub fn badge(ui: &mut egui::Ui, style: &Style, state: &Measured<'_>) -> egui::Response {
    let _ = style;
    ui.label(state.name)
}
