//! A slot seen through a shape and strides: how views cost nothing.

use crate::graph::ALIGN;
use crate::tensor::{contiguous, size};

/// Elements of a slot: element `i` lies at `offset + sum_axis i[axis] * strides[axis]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operand {
    /// Which slot of the plan.
    pub slot: usize,
    /// Position of the first element.
    pub offset: usize,
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// Distance between neighbours of every axis, in elements; 0 repeats.
    pub strides: Vec<usize>,
}

impl Operand {
    /// A whole slot, row-major.
    pub fn rows(slot: usize, shape: &[usize]) -> Self {
        Self { slot, offset: 0, shape: shape.to_vec(), strides: contiguous(shape) }
    }

    /// Whether the elements lie row-major, from a place of the slot where a GPU can begin to bind it.
    pub fn is_rows(&self) -> bool {
        let rows = contiguous(&self.shape);
        let strides = self.strides.iter().zip(&rows).zip(&self.shape);
        self.offset.is_multiple_of(ALIGN) && strides.into_iter().all(|((s, r), n)| s == r || *n <= 1)
    }

    /// Axis `i` of the result is axis `order[i]`.
    #[must_use]
    pub fn permute(&self, order: &[usize]) -> Self {
        let shape = order.iter().map(|&i| self.shape[i]).collect();
        let strides = order.iter().map(|&i| self.strides[i]).collect();
        Self { shape, strides, ..self.clone() }
    }

    /// `axis` moved to the end.
    #[must_use]
    pub fn last(&self, axis: usize) -> Self {
        let others = (0..self.shape.len()).filter(|it| *it != axis);
        self.permute(&others.chain([axis]).collect::<Vec<_>>())
    }

    /// Distance from the first element to behind the last, of which there is at least one.
    pub fn span(&self) -> usize {
        1 + self.shape.iter().zip(&self.strides).map(|(len, stride)| (len - 1) * stride).sum::<usize>()
    }

    /// One axis, for rows.
    #[must_use]
    pub fn flat(&self) -> Self {
        Self { shape: vec![size(&self.shape)], strides: vec![1], ..self.clone() }
    }

    /// `len` elements of `axis` from `start`, `step` apart.
    #[must_use]
    pub fn slice(&self, axis: usize, start: usize, len: usize, step: usize) -> Self {
        let mut it = self.clone();
        it.offset = it.offset.wrapping_add(start * it.strides[axis]);
        it.shape[axis] = len;
        it.strides[axis] *= step;
        it
    }

    /// `axis` with places before its elements and behind them, `len` in all. Nothing lies at these: the first may have an
    /// offset below 0, modulo the largest `usize`, and who reads the operand asks only for what is within.
    #[must_use]
    pub fn pad(&self, axis: usize, before: usize, len: usize) -> Self {
        let mut it = self.clone();
        it.offset = it.offset.wrapping_sub(before * it.strides[axis]);
        it.shape[axis] = len;
        it
    }

    /// Axes of length 1 repeated up to `shape`.
    #[must_use]
    pub fn broadcast(&self, shape: &[usize]) -> Self {
        let axes = self.strides.iter().zip(&self.shape).zip(shape);
        let strides = axes.map(|((stride, own), wanted)| if own == wanted { *stride } else { 0 }).collect();
        Self { shape: shape.to_vec(), strides, ..self.clone() }
    }

    /// Windows of `size` elements of `axis`, `stride` apart, on a new last axis.
    #[must_use]
    pub fn window(&self, axis: usize, size: usize, stride: usize) -> Self {
        let mut it = self.clone();
        it.shape[axis] = (it.shape[axis] - size) / stride + 1;
        it.shape.push(size);
        it.strides.push(it.strides[axis]);
        it.strides[axis] *= stride;
        it
    }

    /// The same elements in row-major order as `shape`, or `None` where strides cannot express that.
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        if size(shape) == 0 {
            return Some(Self { shape: shape.to_vec(), strides: contiguous(shape), ..self.clone() });
        }
        let merged = self.merged();
        let mut strides = vec![0; shape.len()];
        let mut axis = shape.len();
        for (len, stride) in merged.into_iter().rev() {
            let (mut left, mut step) = (len, stride);
            while left > 1 {
                axis = axis.checked_sub(1)?;
                if left % shape[axis] != 0 {
                    return None;
                }
                strides[axis] = step;
                step *= shape[axis];
                left /= shape[axis];
            }
        }
        Some(Self { shape: shape.to_vec(), strides, ..self.clone() })
    }

    /// Batches of matrices with their leading axes, equal in all, merged into two; `None` where that takes more.
    pub(super) fn matrices(factors: &[Self]) -> Option<Vec<Self>> {
        let matrix = factors[0].shape.len() - 2;
        let mut batch = factors.to_vec();
        for it in &mut batch {
            it.shape.truncate(matrix);
            it.strides.truncate(matrix);
        }
        collapse(batch.iter_mut());
        let missing = 2_usize.checked_sub(batch[0].shape.len())?;
        let merged = factors.iter().zip(&batch).map(|(it, batch)| Self {
            shape: [&vec![1; missing][..], &batch.shape, &it.shape[matrix..]].concat(),
            strides: [&vec![0; missing][..], &batch.strides, &it.strides[matrix..]].concat(),
            ..it.clone()
        });
        Some(merged.collect())
    }

    /// Length and stride of the fewest axes that describe the same order; axes of length 1 vanish.
    fn merged(&self) -> Vec<(usize, usize)> {
        let mut merged: Vec<(usize, usize)> = vec![];
        for (&len, &stride) in self.shape.iter().zip(&self.strides).filter(|(len, _)| **len != 1) {
            match merged.last_mut() {
                Some((outer, step)) if *step == stride * len => (*outer, *step) = (*outer * len, stride),
                _ => merged.push((len, stride)),
            }
        }
        merged
    }
}

/// Merges neighbouring axes wherever all `operands` (of equal shape) allow it, so that kernels walk few axes.
pub(super) fn collapse<'a>(operands: impl Iterator<Item = &'a mut Operand>) {
    let mut operands: Vec<&mut Operand> = operands.collect();
    let mut axis = 0;
    while axis < operands[0].shape.len() {
        let len = operands[0].shape[axis];
        let inner = operands[0].shape.get(axis + 1).copied();
        let merges = len == 1
            || inner.is_some_and(|n| operands.iter().all(|it| it.strides[axis] == it.strides[axis + 1] * n));
        if !merges {
            axis += 1;
            continue;
        }
        for it in &mut operands {
            it.shape.remove(axis);
            it.strides.remove(axis);
            if len != 1 {
                it.shape[axis] *= len;
            }
        }
    }
}
