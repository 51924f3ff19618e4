//! What the colours say.

use super::{Range, Scale, Style};

/// A bar of colour with numbers, and what it measures.
pub struct Legend<'a> {
    /// The colours.
    pub scale: Scale,
    /// The numbers at its ends.
    pub range: Range,
    /// What every value was divided by before it was coloured.
    pub divided: Divided,
    /// What it measures: "attention weight".
    pub caption: &'a str,
    /// Whether grey cells occur, and what they are: "masked".
    pub missing: Option<&'a str>,
}

/// What every value was divided by before it was coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Divided {
    /// By nothing.
    #[default]
    Not,
    /// By the largest value of its row.
    Row,
    /// By the largest value of its map.
    Map,
}

impl Legend<'_> {
    /// Draws the legend as wide as the space allows.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> egui::Response {
        let _ = style;
        ui.label(self.caption)
    }
}
