//! The loops of the CPU device: what its kernels do to numbers, without a word of graphs, plans or slots. A crate of its own,
//! so that they are compiled for speed where everything else is compiled for size.

pub mod attention;
pub mod conv;
pub mod depthwise;
mod fours;
pub mod matmul;
pub mod panels;
pub mod places;
pub mod pointwise;
pub mod rows;
pub mod spread;
pub mod tape;

pub use pointwise::{Binary, Unary};
pub use rows::Reduce;

/// A tensor as memory seen through a shape and strides.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The memory, from the first element on.
    pub data: &'a [f32],
    /// Length of every axis.
    pub shape: &'a [usize],
    /// Distance between neighbours of every axis, in elements; 0 repeats.
    pub strides: &'a [usize],
}

impl<'a> Strided<'a> {
    /// The elements as a slice, for operands that lie row-major.
    pub fn rows(self) -> &'a [f32] {
        &self.data[..self.shape.iter().product()]
    }

    /// The elements in row-major order, however they lie.
    pub fn to_rows(self) -> Vec<f32> {
        let mut rows = vec![0.0; self.shape.iter().product()];
        pointwise::copy(&mut rows, self);
        rows
    }

    /// Position of the `i`-th element in row-major order.
    fn position(self, mut i: usize) -> usize {
        let mut position = 0;
        for (len, stride) in self.shape.iter().zip(self.strides).rev() {
            position += i % len.max(&1) * stride;
            i /= len.max(&1);
        }
        position
    }
}

/// A matrix as memory seen through the strides of its rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The memory, from the first element on.
    pub data: &'a [f32],
    /// Distance between neighbours of a column and of a row, in elements; 0 repeats.
    pub strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Matrix `[i, j]` of a batch of four axes, from row `first` on.
    pub fn of(x: Strided<'a>, [i, j]: [usize; 2], first: usize) -> Self {
        let at = i * x.strides[0] + j * x.strides[1] + first * x.strides[2];
        Self { data: &x.data[at.min(x.data.len())..], strides: [x.strides[2], x.strides[3]] }
    }

    /// From row `first` on.
    pub(crate) fn below(self, first: usize) -> Self {
        Self { data: &self.data[(first * self.strides[0]).min(self.data.len())..], ..self }
    }
}

/// Moves `index` to the next element of `shape` in row-major order, wrapping to zero at the end.
pub fn advance(index: &mut [usize], shape: &[usize]) {
    for axis in (0..shape.len()).rev() {
        index[axis] += 1;
        if index[axis] < shape[axis] {
            return;
        }
        index[axis] = 0;
    }
}
