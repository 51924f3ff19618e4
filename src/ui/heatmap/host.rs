//! Maps in host memory: coloured once into textures, which live as long as they are drawn.

use std::hash::{DefaultHasher, Hash, Hasher};

use egui::{Color32, ColorImage, Mesh, Rect, TextureOptions, pos2};

use super::{Cell, Maps, Scale, Style};
use crate::tensor::size;
use crate::ui::scale::{colour, missing};
use crate::ui::texture::texture;

/// Paints maps of equal size from one texture.
pub(super) fn paint(maps: &Maps<'_>, values: &[f32], ui: &egui::Ui, style: &Style, cells: &[Cell]) {
    let mut sizes: Vec<[usize; 2]> = cells.iter().map(|cell| maps.tile(cell)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for tile in sizes {
        let cells: Vec<&Cell> = cells.iter().filter(|cell| maps.tile(cell) == tile).collect();
        let atlas = Atlas::new(tile, cells.len(), ui.input(|input| input.max_texture_side));
        let key = maps.key(style.dark, &atlas, &cells);
        let image = || atlas.draw(maps, values, style.dark, &cells);
        // None while the peaks are on their way from a device.
        let Some(texture) = texture(ui, key, TextureOptions::NEAREST, image) else { continue };
        let mut mesh = Mesh::with_texture(texture.id());
        for (i, cell) in cells.iter().enumerate() {
            mesh.add_rect_with_uv(cell.rect(ui.pixels_per_point()), atlas.uv(i), Color32::WHITE);
        }
        ui.painter().add(mesh);
    }
}

impl Maps<'_> {
    /// Size of a map's texture: one texel a cell, or one a pixel if there are fewer of these.
    fn tile(&self, cell: &Cell) -> [usize; 2] {
        [self.cols.min(cell.size[0] as usize), self.rows.min(cell.size[1] as usize)]
    }

    fn key(&self, dark: bool, atlas: &Atlas, cells: &[&Cell]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let range = [self.range.min, self.range.max].map(f32::to_bits);
        (self.tensor.id, self.peak.map(|peak| (peak.tensor.id, peak.per_row))).hash(&mut hasher);
        (self.rows, self.cols, range, self.range.log, self.scale, dark, atlas.tile).hash(&mut hasher);
        for cell in cells {
            cell.map.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The largest value among the cells that texel (`x`, `y`) of a tile covers.
    fn largest(&self, map: &[f32], peak: impl Fn(usize) -> f32, tile: [usize; 2], x: usize, y: usize) -> f32 {
        let signed = self.scale == Scale::Diverging;
        let mut best = f32::NAN;
        for row in span(y, tile[1], self.rows) {
            let peak = peak(row);
            for &value in &map[row * self.cols..][span(x, tile[0], self.cols)] {
                let value = if peak > 0.0 && !missing(value) { value / peak } else { value };
                let larger = if signed { value.abs() > best.abs() } else { value > best };
                if !missing(value) && (best.is_nan() || larger) {
                    best = value;
                }
            }
        }
        best
    }
}

/// The cells that texel `i` of `texels` covers.
fn span(i: usize, texels: usize, cells: usize) -> std::ops::Range<usize> {
    i * cells / texels..((i + 1) * cells).div_ceil(texels)
}

/// Tiles of one size in rows.
struct Atlas {
    tile: [usize; 2],
    columns: usize,
    rows: usize,
}

impl Atlas {
    fn new(tile: [usize; 2], count: usize, max_side: usize) -> Self {
        let columns = (max_side.min(4096) / tile[0]).clamp(1, count);
        Self { tile, columns, rows: count.div_ceil(columns) }
    }

    /// Left and top texel of tile `i`.
    fn corner(&self, i: usize) -> [usize; 2] {
        [i % self.columns * self.tile[0], i / self.columns * self.tile[1]]
    }

    /// Tile `i` in texture coordinates.
    fn uv(&self, i: usize) -> Rect {
        let [x, y] = self.corner(i);
        let whole = egui::vec2((self.columns * self.tile[0]) as f32, (self.rows * self.tile[1]) as f32);
        let at = |x: usize, y: usize| pos2(x as f32 / whole.x, y as f32 / whole.y);
        Rect::from_min_max(at(x, y), at(x + self.tile[0], y + self.tile[1]))
    }

    fn draw(&self, maps: &Maps<'_>, values: &[f32], dark: bool, cells: &[&Cell]) -> Option<ColorImage> {
        let peaks = match &maps.peak {
            Some(peak) => Some(peak.tensor.window(0..size(&peak.tensor.shape))?),
            None => None,
        };
        let width = self.columns * self.tile[0];
        let mut image = ColorImage::filled([width, self.rows * self.tile[1]], Color32::TRANSPARENT);
        for (i, cell) in cells.iter().enumerate() {
            let (map, [left, top]) = (cell.map as usize, self.corner(i));
            let values = &values[map * maps.rows * maps.cols..][..maps.rows * maps.cols];
            let peak = |row: usize| match (&peaks, maps.peak.is_some_and(|peak| peak.per_row)) {
                (None, _) => 0.0,
                (Some(peaks), false) => peaks[map],
                (Some(peaks), true) => peaks[map * maps.rows + row],
            };
            for y in 0..self.tile[1] {
                for x in 0..self.tile[0] {
                    let value = maps.largest(values, peak, self.tile, x, y);
                    image.pixels[(top + y) * width + left + x] =
                        colour(maps.scale, dark, maps.range.place(value));
                }
            }
        }
        Some(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;
    use crate::trace::{Kept, Storage};
    use crate::ui::{Peak, Range, scale::grey};

    fn maps(tensor: &Kept, side: usize) -> Maps<'_> {
        Maps { tensor, rows: side, cols: side, peak: None, range: Range::UNIT, scale: Scale::Sequential }
    }

    #[test]
    fn no_peak_vanishes_and_missing_is_grey() {
        let mut data = vec![0.0; 81];
        data[40] = 1.0;
        data[80] = -1e30;
        let kept = Kept::new(&[1, 9, 9], Storage::Host(data.clone().into()));
        let atlas = Atlas::new([4, 4], 1, 2048);
        let cell = Cell { at: [0, 0], size: [4, 4], map: 0 };
        let image = atlas.draw(&maps(&kept, 9), &data, true, &[&cell]).unwrap();
        let full = colour(Scale::Sequential, true, 1.0);
        assert_eq!(
            image.pixels.iter().filter(|&&pixel| pixel == full).count(),
            4,
            "it lies under four pixels"
        );
        let atlas = Atlas::new([9, 9], 1, 2048);
        let image = atlas.draw(&maps(&kept, 9), &data, true, &[&cell]).unwrap();
        assert_eq!(image.pixels[80], grey(true));
    }

    #[test]
    fn peaks_divide() {
        let kept = Kept::from(Tensor::new(&[1, 2, 2], vec![0.1, 0.2, 0.0, 0.4]));
        let peaks = Kept::from(Tensor::new(&[1, 2], vec![0.2, 0.4]));
        let peak = Some(Peak { tensor: &peaks, per_row: true });
        let data = [0.1, 0.2, 0.0, 0.4];
        let cell = Cell { at: [0, 0], size: [2, 2], map: 0 };
        let image = Atlas::new([2, 2], 1, 2048).draw(&Maps { peak, ..maps(&kept, 2) }, &data, true, &[&cell]);
        let want = [0.5, 1.0, 0.0, 1.0].map(|t| colour(Scale::Sequential, true, t));
        assert_eq!(image.unwrap().pixels, want);
    }
}
