//! The picture for a paper: SVG, PNG and CSV.

use super::{Range, Scale};

/// A map with everything that a reader needs, apart from the app.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows: "Attention, layer 3, head 7".
    pub title: String,
    /// How to read it, the model, the source.
    pub caption: String,
    /// What the columns are.
    pub x_label: String,
    /// What the rows are.
    pub y_label: String,
    /// Tokens of the columns.
    pub x_tokens: Vec<String>,
    /// Tokens of the rows.
    pub y_tokens: Vec<String>,
    /// The values, row by row.
    pub values: Vec<f32>,
    /// The numbers at the ends of the scale.
    pub range: Range,
    /// The colours.
    pub scale: Scale,
    /// Light text on dark ground.
    pub dark: bool,
    /// Where the live picture is.
    pub link: String,
}

/// Why a figure could not be drawn.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the figure could not be drawn: {0}")]
pub struct FigureError(String);

impl Figure {
    /// The figure as SVG; its text stays text.
    pub fn svg(&self) -> Result<String, FigureError> {
        Err(FigureError(String::new()))
    }

    /// The figure as PNG.
    pub fn png(&self, pixels_per_point: f32) -> Result<Vec<u8>, FigureError> {
        Err(FigureError(pixels_per_point.to_string()))
    }

    /// The numbers, with the tokens as headers.
    pub fn csv(&self) -> String {
        String::new()
    }
}
