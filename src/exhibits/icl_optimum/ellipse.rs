//! A covariance in the plane as an ellipse with two handles.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// A covariance of two coordinates as the ellipse one standard deviation away from 0: where its first axis ends, and how
/// long the second one is, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ellipse {
    /// Where the first axis ends.
    pub first: [i32; 2],
    /// How long the second is.
    pub second: i32,
}

/// Axes are at least and at most this long: beyond, no run of the usual length learns what is narrow.
const LENGTHS: [f32; 2] = [0.4, 2.0];

/// Points of an outline.
const RING: usize = 96;

impl Ellipse {
    /// One from the length and the angle, in radians, of the first axis and the length of the second.
    pub(super) fn new(first: f32, angle: f32, second: f32) -> Self {
        let end = [angle.cos(), angle.sin()].map(|it| (100.0 * first * it).round() as i32);
        Self { first: end, second: (100.0 * second).round() as i32 }
    }

    /// The unit vector along the first axis, and the lengths of both.
    fn axes(self) -> ([f32; 2], [f32; 2]) {
        let [x, y] = self.first.map(|it| it as f32 / 100.0);
        let long = x.hypot(y);
        let along = if long > 0.0 { [x / long, y / long] } else { [1.0, 0.0] };
        let [least, most] = LENGTHS;
        (along, [long, self.second as f32 / 100.0].map(|it| it.clamp(least, most)))
    }

    /// Where the axes end: its handles.
    pub(super) fn ends(self) -> [[f32; 2]; 2] {
        let ([x, y], [first, second]) = self.axes();
        [[first * x, first * y], [-second * y, second * x]]
    }

    /// With one of its ends somewhere else. The second stays at a right angle to the first.
    pub(super) fn moved(self, end: usize, to: [f32; 2]) -> Self {
        let ([x, y], [first, second]) = self.axes();
        if end > 0 {
            return Self::new(first, y.atan2(x), (to[1] * x - to[0] * y).abs());
        }
        Self::new(to[0].hypot(to[1]).clamp(LENGTHS[0], LENGTHS[1]), to[1].atan2(to[0]), second)
    }

    /// The covariance `[d, d]` of the first two coordinates; all others have variance 1.
    pub(super) fn covariance(self, d: usize) -> DMatrix<f64> {
        let ([x, y], lengths) = self.axes();
        let [x, y, first, second] = [x, y, lengths[0].powi(2), lengths[1].powi(2)].map(f64::from);
        let across = (first - second) * x * y;
        let plane = [[first * x * x + second * y * y, across], [across, first * y * y + second * x * x]];
        DMatrix::from_fn(d, d, |i, j| if i < 2 && j < 2 { plane[i][j] } else { f64::from(u8::from(i == j)) })
    }

    /// The ellipse as a closed line.
    pub(super) fn outline(self) -> Vec<[f32; 2]> {
        let [a, b] = self.ends();
        image([[a[0], b[0]], [a[1], b[1]]])
    }
}

/// Where a matrix takes the unit circle.
pub(super) fn image(matrix: [[f32; 2]; 2]) -> Vec<[f32; 2]> {
    let point = |i: usize| {
        let (sine, cosine) = (std::f32::consts::TAU * i as f32 / RING as f32).sin_cos();
        matrix.map(|row| row[0] * cosine + row[1] * sine)
    };
    (0..=RING).map(point).collect()
}
