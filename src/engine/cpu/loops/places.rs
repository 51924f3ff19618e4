//! Kernels that choose where elements go: gather, scatter and fold.

use crate::spread::for_each_chunk;
use crate::{Strided, advance, pointwise::indices};

/// Rows of a table `[v, d]`; ids outside it are clamped to it.
pub fn gather(out: &mut [f32], table: Strided<'_>, ids: &[f32]) {
    let (&[v, d], &[row, column]) = (table.shape, table.strides) else {
        unreachable!("a table has two axes")
    };
    for (out, id) in out.chunks_mut(d).zip(ids) {
        let start = (*id as usize).min(v - 1) * row;
        for (j, y) in out.iter_mut().enumerate() {
            *y = table.data[start + j * column];
        }
    }
}

/// Rows added up into a table by ids, in their order, so that sums are the same at every run.
pub fn scatter_add(out: &mut [f32], rows: Strided<'_>, ids: &[f32]) {
    let d = rows.shape[rows.shape.len() - 1];
    let last = (out.len() / d - 1) * d;
    out.fill(0.0);
    for (row, id) in rows.rows().chunks(d).zip(ids) {
        let at = (*id as usize).saturating_mul(d).min(last);
        out[at..at + d].iter_mut().zip(row).for_each(|(y, x)| *y += x);
    }
}

/// Windows `[.., windows, .., size]` of `x` added up where they overlap: `axis` counts them, `stride` apart.
pub fn fold(out: &mut [f32], shape: &[usize], x: Strided<'_>, axis: usize, stride: usize) {
    let [strides @ .., within] = x.strides else { unreachable!("windows have a last axis") };
    let (windows, window, size) = (x.shape[axis], strides[axis], x.shape[x.shape.len() - 1]);
    // Element i of the axis is element j of window w wherever w * stride + j = i.
    let pieces = move |i: usize| {
        let first = (i + 1).saturating_sub(size).div_ceil(stride);
        (first..windows.min(i / stride + 1)).map(move |w| w * window + (i - w * stride) * within)
    };
    let (rows, step) = lines(shape, strides);
    let along = axis == shape.len() - 1;
    for_each_line(out, rows, shape, |index, out| {
        let at = dot(index, strides) - index[axis] * window;
        if along {
            out.iter_mut().enumerate().for_each(|(i, y)| *y = pieces(i).map(|it| x.data[at + it]).sum());
        } else {
            out.fill(0.0);
            for it in pieces(index[axis]) {
                out.iter_mut().enumerate().for_each(|(j, y)| *y += x.data[at + it + j * step]);
            }
        }
    });
}

/// How many lines along the last axis one task takes, and the stride of that axis.
fn lines(shape: &[usize], strides: &[usize]) -> (usize, usize) {
    let (len, step) = (shape[shape.len() - 1], strides[shape.len() - 1]);
    (4096_usize.div_ceil(len.max(1)), step)
}

/// Calls `f` with the index of every line's first element, and the line.
fn for_each_line(out: &mut [f32], rows: usize, shape: &[usize], f: impl Fn(&[usize], &mut [f32]) + Sync) {
    let [leading @ .., len] = shape else { unreachable!("the tensor has an axis") };
    for_each_chunk(out, rows * len, 1, |task, out| {
        let mut index = indices(leading, task * rows);
        index.push(0);
        for out in out.chunks_mut(*len) {
            f(&index, out);
            advance(&mut index[..leading.len()], leading);
        }
    });
}

fn dot(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * s).sum()
}
