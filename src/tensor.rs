//! Host tensors: what goes into a run and what comes back.

use std::sync::Arc;

pub use vitrine_loops::advance;

/// A row-major tensor of f32 in host memory.
///
/// Token ids are whole numbers stored as f32, exact below 2^24: one element type serves the whole engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of every axis, outermost first. Empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub data: Arc<[f32]>,
}

impl Tensor {
    /// Wraps `data` as a tensor of `shape`; their sizes must agree.
    pub fn new(shape: &[usize], data: impl Into<Arc<[f32]>>) -> Self {
        let data = data.into();
        assert_eq!(size(shape), data.len(), "shape {shape:?} does not hold {} elements", data.len());
        Self { shape: shape.to_vec(), data }
    }

    /// A tensor without axes.
    pub fn scalar(value: f32) -> Self {
        Self::new(&[], [value])
    }

    /// A tensor whose element at `index` is `f(index)`.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f32) -> Self {
        let mut index = vec![0; shape.len()];
        let data: Vec<f32> = (0..size(shape))
            .map(|_| {
                let value = f(&index);
                advance(&mut index, shape);
                value
            })
            .collect();
        Self::new(shape, data)
    }

    /// The element at `index`.
    pub fn at(&self, index: &[usize]) -> f32 {
        let strides = contiguous(&self.shape);
        self.data[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]
    }

    /// Largest absolute difference to `other`, NaN if either holds a NaN.
    pub fn max_abs_diff(&self, other: &Self) -> f32 {
        assert_eq!(self.shape, other.shape, "tensors of different shapes are not comparable");
        self.data
            .iter()
            .zip(other.data.iter())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |worst, d| if d.is_nan() || d > worst { d } else { worst })
    }
}

/// Number of elements of a shape.
pub fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Strides of a row-major tensor of `shape`, in elements.
pub fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}
