//! Heat maps drawn from the tensor that holds them: nothing is read back to draw.

mod device;
mod host;

use egui::Rect;

pub use device::install_heatmaps;

use super::{Range, Scale, Style};
use crate::trace::{Kept, Storage};

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
    ///
    /// Cells are crisp. Where several share a pixel it shows the largest of them: no peak ever vanishes.
    pub fn paint(&self, ui: &egui::Ui, style: &Style, cells: &[(usize, Rect)]) {
        let clip = ui.clip_rect();
        let cells: Vec<Cell> = cells
            .iter()
            .filter(|(_, rect)| rect.is_positive() && rect.intersects(clip))
            .map(|&(map, rect)| Cell::new(map, rect, ui.pixels_per_point()))
            .collect();
        if cells.is_empty() || self.rows * self.cols == 0 {
            return;
        }
        debug_assert!(
            cells
                .iter()
                .all(|c| (c.map as usize + 1) * self.rows * self.cols <= self.tensor.shape.iter().product()),
            "a map of {} x {} beyond {:?}",
            self.rows,
            self.cols,
            self.tensor.shape
        );
        match &self.tensor.storage {
            Storage::Host(values) => host::paint(self, values, ui, style, &cells),
            Storage::Device(tensor) => device::paint(self, tensor, ui, style, cells),
        }
    }
}

/// One map on the screen, in whole pixels.
#[derive(Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Cell {
    /// Left and top.
    at: [i32; 2],
    /// Width and height.
    size: [i32; 2],
    /// Which map.
    map: u32,
}

impl Cell {
    fn new(map: usize, rect: Rect, pixels_per_point: f32) -> Self {
        let pixel = |x: f32| (x * pixels_per_point).round() as i32;
        let at = [pixel(rect.left()), pixel(rect.top())];
        let size = [pixel(rect.right()) - at[0], pixel(rect.bottom()) - at[1]];
        Self { at, size: size.map(|side| side.max(1)), map: map as u32 }
    }

    /// Where it is, in points.
    fn rect(&self, pixels_per_point: f32) -> Rect {
        let point = |pixel: [i32; 2]| egui::vec2(pixel[0] as f32, pixel[1] as f32) / pixels_per_point;
        Rect::from_min_size(point(self.at).to_pos2(), point(self.size))
    }
}
