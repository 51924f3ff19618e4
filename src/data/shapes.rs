//! Shapes drawn from a seed: pictures for which the right answer, and where it lies, is known exactly.

use super::{Dataset, Random};

/// The classes, in the order of their labels.
pub const CLASSES: [&str; 4] = ["circle", "square", "triangle", "cross"];

/// Samples along a side of each pixel: edges are grey in 16 steps.
const SAMPLES: usize = 4;

/// A shape, in units of the picture's side; its centre is its bounding circle's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Position in [`CLASSES`].
    pub class: usize,
    /// Centre from the left edge.
    pub x: f64,
    /// Centre from the top edge.
    pub y: f64,
    /// Radius of the circle around it.
    pub radius: f64,
}

impl Shape {
    /// A shape of `class` anywhere in the picture, whole, its radius between a fifth and a third of the side.
    pub fn random(class: usize, random: &mut Random) -> Self {
        let radius = random.between(0.2, 1.0 / 3.0);
        let mut place = || random.between(radius, 1.0 - radius);
        Self { class, x: place(), y: place(), radius }
    }

    /// Whether a point lies in it.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let (x, y) = ((x - self.x) / self.radius, (y - self.y) / self.radius);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        match CLASSES[self.class] {
            "circle" => x * x + y * y <= 1.0,
            "square" => x.abs().max(y.abs()) <= half,
            // Its corners lie on the circle, one on top.
            "triangle" => y <= 0.5 && x.abs() * 3f64.sqrt() <= y + 1.0,
            // Two bars, a third as wide as long.
            _ => x.abs().max(y.abs()) <= 0.95 && x.abs().min(y.abs()) <= 0.95 / 3.0,
        }
    }

    /// The picture, `[side, side]`, white on black.
    pub fn draw(&self, side: usize) -> Vec<u8> {
        let unit = 1.0 / (side * SAMPLES) as f64;
        let at = |pixel: usize, sample: usize| ((pixel * SAMPLES + sample) as f64 + 0.5) * unit;
        let pixel = |i: usize| {
            let (row, col) = (i / side, i % side);
            let inside = (0..SAMPLES * SAMPLES)
                .filter(|s| self.contains(at(col, s % SAMPLES), at(row, s / SAMPLES)))
                .count();
            (255 * inside / (SAMPLES * SAMPLES)) as u8
        };
        (0..side * side).map(pixel).collect()
    }
}

/// `n` pictures of side `side`, the classes in turn, everything else from `seed`.
pub fn dataset(n: usize, side: usize, seed: u64) -> Dataset {
    let mut it = Dataset::new(side, &CLASSES);
    for i in 0..n {
        let class = i % CLASSES.len();
        let shape = Shape::random(class, &mut Random::stream(seed, i as u64));
        it.push(&shape.draw(side), class as u8);
    }
    it
}
