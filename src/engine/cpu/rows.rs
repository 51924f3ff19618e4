//! Kernels over the last axis: reductions, softmax, layer norm.

use super::{Strided, pointwise::exp};
use crate::graph::Reduce;
use crate::platform::for_each_chunk;

/// Reduces the last axis of `x`.
pub(super) fn reduce(f: Reduce, out: &mut [f32], x: Strided<'_>) {
    let ([.., n], [.., stride]) = (x.shape, x.strides) else { unreachable!("the reduced axis is the last") };
    for_each_chunk(out, 1, |i, y| {
        let row = &x.data[x.position(i * n)..];
        let at = |j: usize| row[j * stride];
        y[0] = match f {
            Reduce::Sum if *stride == 1 => sum(&row[..*n]),
            Reduce::Sum => (0..*n).map(at).sum(),
            Reduce::Max => (0..*n).map(at).fold(f32::NEG_INFINITY, f32::max),
        };
    });
}

/// Softmax of every row.
pub(super) fn softmax(out: &mut [f32], x: Strided<'_>) {
    let n = x.shape[x.shape.len() - 1];
    let x = x.rows();
    for_each_chunk(out, n, |i, out| {
        let x = &x[i * n..][..n];
        let max = x.iter().fold(f32::NEG_INFINITY, |max, x| max.max(*x));
        out.iter_mut().zip(x).for_each(|(y, x)| *y = exp(x - max));
        let scale = 1.0 / sum(out);
        for y in out {
            *y *= scale;
        }
    });
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
    for_each_chunk(out, n, |i, out| {
        out.copy_from_slice(&x[i * n..][..n]);
        if let Some(residual) = residual {
            out.iter_mut().zip(&residual[i * n..][..n]).for_each(|(y, r)| *y += r);
        }
        let mean = sum(out) / n as f32;
        for y in out.iter_mut() {
            *y -= mean;
        }
        let squares: f32 = out.chunks(64).map(|part| part.iter().map(|y| y * y).sum::<f32>()).sum();
        let scale = 1.0 / (squares / n as f32 + eps).sqrt();
        out.iter_mut()
            .zip(gamma.iter().zip(beta))
            .for_each(|(y, (gamma, beta))| *y = *y * scale * gamma + beta);
    });
}

/// Sum in eight lanes: vectorised, and as exact as a tree.
fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x);
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
