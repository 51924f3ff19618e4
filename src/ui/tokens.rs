//! A sentence as its tokens.

use super::{Hit, Style};
use crate::focus::Spot;

/// A sentence as chips, one a token. The pointer is on a query.
pub struct Tokens<'a> {
    /// The tokens, as the tokeniser writes them: `[CLS]`, `##ing`.
    pub words: &'a [String],
    /// What is lit: the query is filled, the key outlined.
    pub spot: Spot,
    /// A value from 0 to 1 for every token, shown as its background.
    pub weights: Option<&'a [f32]>,
}

impl Tokens<'_> {
    /// Draws the chips, wrapping.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Hit {
        let _ = style;
        let response = ui.allocate_response(egui::vec2(ui.available_width(), 24.0), egui::Sense::click());
        Hit { query: None, key: None, clicked: false, response }
    }
}
