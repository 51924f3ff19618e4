//! Photographs, brought to the square that a model looks at.

/// A picture in three colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    width: usize,
    height: usize,
    /// `[height, width, 3]`
    rgb: Vec<u8>,
}

impl Photo {
    /// A picture of bytes `[height, width, 3]`; none if they are too many, too few or none at all.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Option<Self> {
        let need = width.checked_mul(height)?.checked_mul(3)?;
        (need > 0 && rgb.len() == need).then_some(Self { width, height, rgb })
    }

    /// The square in the middle, `[side, side, 3]`, as models are shown pictures. Every pixel is the mean of what it
    /// covers, weighted by a triangle twice as wide, so that nothing is skipped when it shrinks; the same as `BILINEAR` of
    /// the Python library Pillow to a unit or two.
    pub fn square(&self, side: usize) -> Vec<u8> {
        let from = self.width.min(self.height);
        let (left, top) = ((self.width - from) / 2, (self.height - from) / 2);
        let weights = weights(from, side);
        // Columns first: [from, side, 3].
        let narrow: Vec<f32> = (0..from * side * 3)
            .map(|i| {
                let (row, col, colour) = (i / (side * 3), i / 3 % side, i % 3);
                let (first, weights) = &weights[col];
                let start = ((top + row) * self.width + left + first) * 3 + colour;
                let pixels = self.rgb[start..].iter().step_by(3);
                pixels.zip(weights).map(|(pixel, weight)| f32::from(*pixel) * weight).sum()
            })
            .collect();
        let pixel = |i: usize| {
            let (row, rest) = (i / (side * 3), i % (side * 3));
            let (first, weights) = &weights[row];
            let column = narrow[first * side * 3 + rest..].iter().step_by(side * 3);
            column.zip(weights).map(|(x, weight)| x * weight).sum::<f32>().round() as u8
        };
        (0..side * side * 3).map(pixel).collect()
    }
}

/// For each of `to` pixels, which of `from` it is made of: the first, and the weight of each.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f32 / to as f32;
    let radius = scale.max(1.0);
    let of = |i: usize| {
        let centre = (i as f32 + 0.5) * scale;
        let first = (centre - radius + 0.5).max(0.0) as usize;
        let end = ((centre + radius + 0.5) as usize).min(from);
        let weight = |j: usize| (1.0 - ((j as f32 + 0.5 - centre) / radius).abs()).max(0.0);
        let weights: Vec<f32> = (first..end).map(weight).collect();
        let sum: f32 = weights.iter().sum();
        (first, weights.into_iter().map(|it| it / sum).collect())
    };
    (0..to).map(of).collect()
}
