//! Kernels over the last axis: reductions, softmax, layer norm.

use super::{Strided, pointwise::exp};
use crate::graph::Reduce;
use crate::platform::for_each_chunk;

/// Reduces the last axis of `x`.
pub(super) fn reduce(f: Reduce, out: &mut [f32], x: Strided<'_>) {
    let ([.., n], [.., stride]) = (x.shape, x.strides) else { unreachable!("the reduced axis is the last") };
    for_each_chunk(
        out,
        1,
        #[inline(always)]
        |i, y| {
            let row = &x.data[x.position(i * n)..];
            let at = |j: usize| row[j * stride];
            y[0] = match f {
                Reduce::Sum if *stride == 1 => sum(&row[..*n]),
                Reduce::Sum => (0..*n).map(at).sum(),
                Reduce::Max if *stride == 1 => max(&row[..*n]),
                Reduce::Max => (0..*n).map(at).fold(f32::NEG_INFINITY, f32::max),
            };
        },
    );
}

/// Softmax of every row.
pub(super) fn softmax(out: &mut [f32], x: Strided<'_>) {
    let n = x.shape[x.shape.len() - 1];
    let x = x.rows();
    for_each_chunk(
        out,
        n,
        #[inline(always)]
        |i, out| {
            let x = &x[i * n..][..n];
            let max = max(x);
            out.iter_mut().zip(x).for_each(|(y, x)| *y = exp(x - max));
            let scale = 1.0 / sum(out);
            for y in out {
                *y *= scale;
            }
        },
    );
}

/// `(x + residual - mean) / sqrt(var + eps) * gamma + beta` of every row.
pub(super) fn layer_norm(
    out: &mut [f32],
    x: Strided<'_>,
    gamma: &[f32],
    beta: &[f32],
    residual: Option<&[f32]>,
    eps: f32,
) {
    let n = gamma.len();
    let x = x.rows();
    for_each_chunk(
        out,
        n,
        #[inline(always)]
        |i, out| {
            out.copy_from_slice(&x[i * n..][..n]);
            if let Some(residual) = residual {
                out.iter_mut().zip(&residual[i * n..][..n]).for_each(|(y, r)| *y += r);
            }
            let mean = sum(out) / n as f32;
            for y in out.iter_mut() {
                *y -= mean;
            }
            let scale = 1.0 / (sum_of(out, |y| y * y) / n as f32 + eps).sqrt();
            out.iter_mut()
                .zip(gamma.iter().zip(beta))
                .for_each(|(y, (gamma, beta))| *y = *y * scale * gamma + beta);
        },
    );
}

/// The sum of all elements.
#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    sum_of(x, |x| x)
}

/// Sum of `f(x)` in sixteen lanes: vectorised, and as exact as a tree.
#[inline(always)]
fn sum_of(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += f(*x));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| f(*x)).sum::<f32>()
}

/// The largest element, in sixteen lanes.
#[inline(always)]
fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = x.as_chunks::<16>();
    let mut lanes = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(max, x)| *max = larger(*max, *x));
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}
