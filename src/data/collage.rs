//! Collages: four pictures of four classes side by side. Which quarter holds the class that is asked for is known, so a
//! saliency map can be marked right or wrong (the pointing game of Zhang et al. 2016, arXiv 1608.00507).

use super::{Dataset, Random, signed};
use crate::tensor::Tensor;

/// Two pictures by two.
#[derive(Clone, Debug, PartialEq)]
pub struct Collage {
    /// `[2 side, 2 side]`, row-major.
    pub pixels: Vec<u8>,
    /// Positions of the pictures in their data set: top left, top right, bottom left, bottom right.
    pub items: [usize; 4],
    /// Their classes, all different.
    pub labels: [u8; 4],
    /// The quarter whose class is asked for.
    pub asked: usize,
}

impl Collage {
    /// Collage number `index` of `seed`, of pictures of `from`, which has at least four classes.
    pub fn new(from: &Dataset, seed: u64, index: u64) -> Self {
        let mut random = Random::stream(seed, index);
        let items = pick(from, &mut random);
        let (side, asked) = (from.side, random.below(4));
        let pixel = |i: usize| {
            let (row, col) = (i / (2 * side), i % (2 * side));
            let quarter = row / side * 2 + col / side;
            from.image(items[quarter])[row % side * side + col % side]
        };
        let pixels = (0..4 * side * side).map(pixel).collect();
        Self { pixels, items, labels: items.map(|it| from.labels[it]), asked }
    }

    /// The class that is asked for.
    pub fn label(&self) -> u8 {
        self.labels[self.asked]
    }

    /// Whether the pixel at `row` and `col` lies in the quarter that is asked for.
    pub fn hit(&self, row: usize, col: usize) -> bool {
        let side = self.pixels.len().isqrt() / 2;
        row / side * 2 + col / side == self.asked
    }
}

/// `collages` as a model takes them, `[batch, row, col, 1]` from -1 to 1, and which of `classes` each holds, `[batch, class]`.
pub fn batch(collages: &[Collage], classes: usize) -> (Tensor, Tensor) {
    let n = collages.len();
    let side = collages.first().map_or(0, |it| it.pixels.len().isqrt());
    let pixels = collages.iter().flat_map(|it| &it.pixels);
    let images = Tensor::new(&[n, side, side, 1], pixels.copied().map(signed).collect::<Vec<_>>());
    let holds = |at: &[usize]| collages[at[0]].labels.iter().any(|it| usize::from(*it) == at[1]);
    (images, Tensor::from_fn(&[n, classes], |at| f32::from(u8::from(holds(at)))))
}

/// Four pictures of different classes: each is drawn again until its class is new.
fn pick(from: &Dataset, random: &mut Random) -> [usize; 4] {
    let mut items = [0; 4];
    for i in 0..4 {
        let known = |at: usize, items: &[usize]| items.iter().any(|it| from.labels[*it] == from.labels[at]);
        // Of two classes among a thousand this takes a few thousand draws; a data set without four ends here.
        let drawn = (0..1_000_000).map(|_| random.below(from.len())).find(|at| !known(*at, &items[..i]));
        items[i] = drawn.unwrap_or_else(|| panic!("a collage needs four classes; these pictures have {i}"));
    }
    items
}
