//! Products by panels that are cut on the spot.

use super::Shared;
use crate::panels::{self, Side, Then};
use crate::spread::{for_each_part, vectorised};
use crate::{Matrix, Strided, fours};

/// Multiplications of a task at least: small matrices are taken together.
const TASK: usize = 1 << 17;

/// Rows of a left side, and multiplications, up to which the right one is not cut into panels: that takes as long as the product.
const FEW: usize = 2;
const LITTLE: usize = 1 << 13;

/// See [`super::matmul`].
pub(super) fn matmul(out: &mut [f32], places: [usize; 3], a: Strided<'_>, b: Strided<'_>, then: Then<'_>) {
    let (&[outer, inner, m, k], &[_, _, _, n]) = (a.shape, b.shape) else {
        unreachable!("products have four axes")
    };
    let (count, shape) = (outer * inner, [k, n]);
    let cut = m > FEW && m * k * n > LITTLE;
    if count == 1 && places[2] == n && cut {
        let panels = panels::pack(Matrix::of(b, [0, 0], 0), shape);
        return panels::multiply(
            &mut out[..m * n],
            Matrix::of(a, [0, 0], 0),
            Side::F32(&panels),
            shape,
            then,
        );
    }
    let all = Shared::new(out);
    let write = |i: usize, rows: &[f32]| {
        let first = i / inner * places[0] + i % inner * places[1];
        rows.chunks(n).enumerate().for_each(|(i, row)| all.write(first + i * places[2], row));
    };
    let group = (TASK / (m * k * n).max(1)).max(1);
    for_each_part(count.div_ceil(group), |task| {
        let (mut panels, mut rows) = (vec![], vec![0.0; m * n]);
        for i in task * group..count.min((task + 1) * group) {
            let [a, b] = [a, b].map(|it| Matrix::of(it, [i / inner, i % inner], 0));
            if cut || !at_once(&mut rows, a, b, shape, then) {
                panels::pack_here(&mut panels, b, shape);
                panels::multiply_here(&mut rows, a, &panels, shape, then);
            }
            write(i, &rows);
        }
    });
}

/// The product as it lies, if the right side lies in rows or in columns.
fn at_once(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, [k, n]: [usize; 2], then: Then<'_>) -> bool {
    let columns = b.strides[0] == 1 && a.strides[1] == 1;
    if b.strides[1] != 1 && !columns {
        return false;
    }
    for (i, out) in out.chunks_mut(n).enumerate() {
        let a = a.below(i);
        if columns {
            let row = &a.data[..k];
            for (j, y) in out.iter_mut().enumerate() {
                *y = fours::sum([row, &b.data[j * b.strides[1]..][..k]]);
            }
        } else {
            vectorised(
                #[inline(always)]
                || {
                    out.fill(0.0);
                    for p in 0..k {
                        let x = a.data[p * a.strides[1]];
                        let row = &b.data[p * b.strides[0]..][..n];
                        out.iter_mut().zip(row).for_each(|(y, b)| *y += x * b);
                    }
                },
            );
        }
        for (j, y) in out.iter_mut().enumerate() {
            *y = then.alpha * *y + then.bias.map_or(0.0, |it| it[j]);
        }
    }
    true
}
