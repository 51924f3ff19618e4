//! Heat maps drawn from the tensor that holds them.

use super::{Range, Scale, Style};
use crate::trace::Kept;

/// The maps that a tensor holds, one after the other, each of `rows` x `cols` values.
#[derive(Clone, Copy)]
pub struct Maps<'a> {
    /// The values.
    pub tensor: &'a Kept,
    /// Rows of a map.
    pub rows: usize,
    /// Columns of a map.
    pub cols: usize,
    /// What the values are divided by before they are coloured.
    pub peak: Option<Peak<'a>>,
    /// The numbers at the ends of the scale.
    pub range: Range,
    /// The colours.
    pub scale: Scale,
}

/// What the values are divided by before they are coloured.
#[derive(Clone, Copy)]
pub struct Peak<'a> {
    /// One number for every map, or for every row of every map.
    pub tensor: &'a Kept,
    /// Whether it holds one for every row.
    pub per_row: bool,
}

impl Maps<'_> {
    /// Paints the maps `cells.0` (map `i` starts at element `i * rows * cols`) into the rectangles `cells.1`.
    pub fn paint(&self, ui: &egui::Ui, style: &Style, cells: &[(usize, egui::Rect)]) {
        for &(_, rect) in cells {
            ui.painter().rect_filled(rect, 0.0, style.surface);
        }
    }
}
