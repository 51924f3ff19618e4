//! Grey images with one class each, and the order in which training sees them.

use super::Random;
use crate::tensor::Tensor;

/// Square grey images with their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Width and height of an image.
    pub side: usize,
    /// `[n, side, side]`, row-major, 0 black to 255 white.
    pub images: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u8>,
    /// What the classes are called.
    pub classes: &'static [&'static str],
}

impl Dataset {
    /// No images yet.
    pub fn new(side: usize, classes: &'static [&'static str]) -> Self {
        Self { side, images: vec![], labels: vec![], classes }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of image `i`, `[side, side]`.
    pub fn image(&self, i: usize) -> &[u8] {
        let pixels = self.side * self.side;
        &self.images[i * pixels..][..pixels]
    }

    /// Adds an image.
    pub fn push(&mut self, image: &[u8], label: u8) {
        assert_eq!(image.len(), self.side * self.side, "an image of side {}", self.side);
        self.images.extend(image);
        self.labels.push(label);
    }

    /// The images at `indices` as a model takes them, `[batch, row, col, 1]` from -1 to 1.
    pub fn images(&self, indices: &[usize]) -> Tensor {
        let pixels = indices.iter().flat_map(|i| self.image(*i));
        Tensor::new(
            &[indices.len(), self.side, self.side, 1],
            pixels.copied().map(signed).collect::<Vec<_>>(),
        )
    }

    /// The classes of the images at `indices`, `[batch]`.
    pub fn labels(&self, indices: &[usize]) -> Tensor {
        Tensor::new(&[indices.len()], indices.iter().map(|i| f32::from(self.labels[*i])).collect::<Vec<_>>())
    }
}

/// A pixel from -1 to 1: mean 0.5 and standard deviation 0.5 taken off, as vision transformers do.
pub fn signed(pixel: u8) -> f32 {
    f32::from(pixel) / 127.5 - 1.0
}

/// The order in which training sees `len` things, a batch a step: every epoch has its own random order. A batch follows
/// from seed and step alone, so a training that was interrupted goes on with the batch that it would have seen.
#[derive(Clone, Debug)]
pub struct Batches {
    seed: u64,
    batch: usize,
    epoch: Option<usize>,
    order: Vec<usize>,
}

impl Batches {
    /// Batches of `batch` of `len` things.
    pub fn new(len: usize, batch: usize, seed: u64) -> Self {
        assert!((1..=len).contains(&batch), "a batch of {batch} of {len} things");
        Self { seed, batch, epoch: None, order: (0..len).collect() }
    }

    /// Steps of an epoch; what does not fill a batch is left out of it.
    pub fn per_epoch(&self) -> usize {
        self.order.len() / self.batch
    }

    /// The indices that step `step` sees.
    pub fn at(&mut self, step: usize) -> &[usize] {
        let (epoch, within) = (step / self.per_epoch(), step % self.per_epoch());
        if self.epoch != Some(epoch) {
            self.order.sort_unstable();
            Random::stream(self.seed, epoch as u64).shuffle(&mut self.order);
            self.epoch = Some(epoch);
        }
        &self.order[within * self.batch..][..self.batch]
    }
}
