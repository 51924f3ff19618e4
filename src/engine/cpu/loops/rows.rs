//! Kernels over the last axis: reductions, softmax, layer norm and their derivatives.

use crate::fours;
use crate::spread::{NARROW_VECTORS, for_each_chunk, for_each_chunk_of_two, vectorised};
use crate::{Strided, pointwise::exp};

/// Reductions over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the reduction of its name")]
pub enum Reduce {
    Sum,
    Max,
}

/// Elements that a task reads at least.
const TASK: usize = 4096;

/// Reduces the last axis of `x`.
pub fn reduce(f: Reduce, out: &mut [f32], x: Strided<'_>) {
    match f {
        Reduce::Sum => by(out, x, 0.0, add),
        Reduce::Max => by(out, x, f32::NEG_INFINITY, larger),
    }
}

/// `out[i] = f(..f(f(start, x[i, 0]), x[i, 1])..)`, in an order that depends on the shape only.
fn by(out: &mut [f32], x: Strided<'_>, start: f32, f: impl Fn(f32, f32) -> f32 + Sync + Copy) {
    let ([leading @ .., n], [strides @ .., stride]) = (x.shape, x.strides) else {
        unreachable!("the reduced axis is the last")
    };
    let (n, stride) = (*n, *stride);
    let (columns, step) = (leading.last().map_or(1, |it| *it), strides.last().map_or(0, |it| *it));
    if stride == 1 || step != 1 {
        return each_row(
            out,
            1,
            n,
            #[inline(always)]
            |i, y| {
                let row = &x.data[x.position(i * n)..];
                y[0] = if stride == 1 {
                    lanes(&row[..n], start, f)
                } else {
                    (0..n).fold(start, |y, j| f(y, row[j * stride]))
                };
            },
        );
    }
    // Neighbours in memory are neighbours in the result: whole lines are taken at once.
    let line = |at: usize, rows: usize, out: &mut [f32]| {
        vectorised(
            #[inline(always)]
            || {
                out.fill(start);
                for j in 0..rows {
                    let row = &x.data[at + j * stride..][..out.len()];
                    for (y, x) in out.iter_mut().zip(row) {
                        *y = f(*y, *x);
                    }
                }
            },
        );
    };
    let part = (TASK / columns).clamp(1, n.max(1));
    let parts = n.div_ceil(part);
    if out.len() > columns || parts < 2 {
        return for_each_chunk(out, columns, n, |i, out| line(x.position(i * columns * n), n, out));
    }
    // One long line: parts of it by themselves, then the parts.
    let mut partial = vec![start; parts * columns];
    for_each_chunk(&mut partial, columns, part, |i, out| {
        line(i * part * stride, part.min(n - i * part), out);
    });
    out.fill(start);
    for row in partial.chunks(columns) {
        out.iter_mut().zip(row).for_each(|(y, x)| *y = f(*y, *x));
    }
}

/// Softmax of every row.
pub fn softmax(out: &mut [f32], x: Strided<'_>) {
    let n = x.shape[x.shape.len() - 1];
    let x = x.rows();
    each_row(
        out,
        n,
        n,
        #[inline(always)]
        |i, out| {
            out.copy_from_slice(&x[i * n..][..n]);
            soften(out);
        },
    );
}

/// Softmax of every row of `n` in its place, on the core that calls.
pub(crate) fn softmax_in_place(rows: &mut [f32], n: usize) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_mut(n.max(1)) {
                soften(row);
            }
        },
    );
}

/// Softmax of a row in its place.
#[inline(always)]
fn soften(row: &mut [f32]) {
    if NARROW_VECTORS {
        fours::exp(row, fours::max(row, f32::NEG_INFINITY));
    } else {
        let max = lanes(row, f32::NEG_INFINITY, larger);
        for y in row.iter_mut() {
            *y = exp(*y - max);
        }
    }
    let scale = 1.0 / sum(row);
    for y in row {
        *y *= scale;
    }
}

/// `y (dy - sum y dy)` of every row.
pub fn softmax_grad(out: &mut [f32], y: Strided<'_>, dy: Strided<'_>) {
    let n = y.shape[y.shape.len() - 1];
    let (y, dy) = (y.rows(), dy.rows());
    each_row(
        out,
        n,
        n,
        #[inline(always)]
        |i, out| {
            let (y, dy) = (&y[i * n..][..n], &dy[i * n..][..n]);
            for ((dx, y), dy) in out.iter_mut().zip(y).zip(dy) {
                *dx = y * dy;
            }
            let dot = sum(out);
            for (dx, y) in out.iter_mut().zip(y) {
                *dx -= y * dot;
            }
        },
    );
}

/// `(x + residual - mean) / sqrt(var + eps) * gamma + beta` of every row, and `x + residual` in `sum` unless that is empty.
pub fn layer_norm(
    [out, sum]: [&mut [f32]; 2],
    x: Strided<'_>,
    gamma: &[f32],
    beta: &[f32],
    residual: Option<&[f32]>,
    eps: f32,
) {
    let n = gamma.len();
    let x = x.rows();
    each_row_of_two(
        [out, sum],
        n,
        #[inline(always)]
        |i, [out, sum]| {
            out.copy_from_slice(&x[i * n..][..n]);
            if let Some(residual) = residual {
                for (y, r) in out.iter_mut().zip(&residual[i * n..][..n]) {
                    *y += r;
                }
            }
            if !sum.is_empty() {
                sum.copy_from_slice(out);
            }
            let scale = centre(out, eps);
            for ((y, gamma), beta) in out.iter_mut().zip(gamma).zip(beta) {
                *y = *y * scale * gamma + beta;
            }
        },
    );
}

/// `r (dy gamma - mean(dy gamma) - u mean(u dy gamma)) + residual` of every row, with `u = r (x - mean x)`, and `dy u` in `gain`
/// unless that is empty.
pub fn layer_norm_grad(
    [out, gain]: [&mut [f32]; 2],
    x: Strided<'_>,
    gamma: &[f32],
    dy: Strided<'_>,
    residual: Option<&[f32]>,
    eps: f32,
) {
    let n = gamma.len();
    let (x, dy) = (x.rows(), dy.rows());
    each_row_of_two(
        [out, gain],
        n,
        #[inline(always)]
        |i, [out, gain]| {
            let dy = &dy[i * n..][..n];
            out.copy_from_slice(&x[i * n..][..n]);
            let r = centre(out, eps);
            for ((it, centred), dy) in gain.iter_mut().zip(&*out).zip(dy) {
                *it = centred * r * dy;
            }
            let mean = total([dy, gamma], |[dy, gamma]| dy * gamma) / n as f32;
            let along =
                total([dy, gamma, out], |[dy, gamma, centred]| dy * gamma * centred) * r * r / n as f32;
            for ((it, dy), gamma) in out.iter_mut().zip(dy).zip(gamma) {
                *it = r * (dy * gamma - mean - *it * along);
            }
            if let Some(residual) = residual {
                for (it, residual) in out.iter_mut().zip(&residual[i * n..][..n]) {
                    *it += residual;
                }
            }
        },
    );
}

/// Takes the mean off `row`; returns `1 / sqrt(var + eps)`.
#[inline(always)]
fn centre(row: &mut [f32], eps: f32) -> f32 {
    let n = row.len() as f32;
    let mean = sum(row) / n;
    for x in row.iter_mut() {
        *x -= mean;
    }
    1.0 / (total([row], |[x]| x * x) / n + eps).sqrt()
}

/// Calls `f` with the number of every `len`-long row of `out`, and the row; `cost` is what a row takes.
fn each_row(out: &mut [f32], len: usize, cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = TASK.div_ceil(cost.max(1));
    for_each_chunk(out, rows * len, cost.div_ceil(len), |task, out| {
        vectorised(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_mut(len).enumerate() {
                    f(task * rows + i, out);
                }
            },
        );
    });
}

/// The same with a row of a second result, or an empty one where there is none; a row takes its length.
fn each_row_of_two(
    [out, behind]: [&mut [f32]; 2],
    len: usize,
    f: impl Fn(usize, [&mut [f32]; 2]) + Sync + Copy,
) {
    if behind.is_empty() {
        return each_row(
            out,
            len,
            len,
            #[inline(always)]
            |i, out| f(i, [out, &mut []]),
        );
    }
    let rows = TASK.div_ceil(len.max(1));
    for_each_chunk_of_two([out, behind], rows * len, 1, |task, [out, behind]| {
        vectorised(
            #[inline(always)]
            || {
                for (i, (out, behind)) in out.chunks_mut(len).zip(behind.chunks_mut(len)).enumerate() {
                    f(task * rows + i, [out, behind]);
                }
            },
        );
    });
}

/// Sum in sixteen lanes: vectorised, and as exact as a tree.
#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    if NARROW_VECTORS { fours::sum([x]) } else { lanes(x, 0.0, add) }
}

#[inline(always)]
fn add(a: f32, b: f32) -> f32 {
    a + b
}

/// The larger of two, and the first beside what is no number: one instruction, where `f32::max` takes three, or a call in wasm.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// `f` over all elements, in sixteen lanes.
#[inline(always)]
fn lanes(x: &[f32], start: f32, f: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    let mut lanes = [start; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (y, x) in lanes.iter_mut().zip(chunk) {
            *y = f(*y, *x);
        }
    }
    let mut halves = [start; 2];
    for (y, half) in halves.iter_mut().zip(lanes.as_chunks::<8>().0) {
        for x in half {
            *y = f(*y, *x);
        }
    }
    let mut y = f(halves[0], halves[1]);
    for x in rest {
        y = f(y, *x);
    }
    y
}

/// Sum over `i` of `f` of the `i`-th elements of `xs`, of equal length, in lanes.
#[inline(always)]
fn total<const N: usize>(xs: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    let mut lanes = [0.0; 16];
    let parts = xs.map(|x| x.as_chunks::<16>());
    for i in 0..parts[0].0.len() {
        let chunks = parts.map(|(chunks, _)| &chunks[i]);
        for (j, lane) in lanes.iter_mut().enumerate() {
            *lane += f(chunks.map(|it| it[j]));
        }
    }
    let rest = (0..parts[0].1.len()).map(|j| f(parts.map(|(_, rest)| rest[j])));
    lanes.iter().sum::<f32>() + rest.sum::<f32>()
}
