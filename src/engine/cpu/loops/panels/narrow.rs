//! Tiles for a browser, whose vectors have four lanes.
//!
//! `wasm` has 16 registers of four numbers. A tile of 4 rows by 8 columns keeps its sums in 8 of them; wider tiles spill. A panel stays in
//! the fastest cache while all rows pass.

use std::ops::Range;
use std::sync::OnceLock;

use wide::f32x4;

use super::{PLAIN, Product, Side, Then};
use crate::Matrix;
use crate::pointwise::gelu_in_place;

/// Columns of a panel: two vectors.
const WIDTH: usize = 8;

/// Rows of a tile.
const ROWS: usize = 4;

/// What multiplies whole panels, where the browser has instructions for it that this is not compiled with.
pub(super) static FUSED: OnceLock<Product> = OnceLock::new();

/// Columns of a panel.
pub(super) fn width(_: usize) -> usize {
    WIDTH
}

/// See [`super::multiply`].
pub(super) fn multiply(out: &mut [f32], a: Matrix<'_>, b: Side<'_>, [k, n]: [usize; 2], then: Then<'_>) {
    if out.is_empty() {
        return;
    }
    match b {
        Side::F32(panels) => by(out, a, panels, [k, n], 0..n, then),
        Side::Small(b) => {
            for first in (0..n).step_by(WIDTH) {
                let columns = first..n.min(first + WIDTH);
                by(out, a, &b.wide(first * k, WIDTH * k), [k, n], columns, PLAIN);
            }
            out.chunks_exact_mut(n).for_each(|row| b.finish(row, 0, then));
        }
    }
    if then.gelu {
        gelu_in_place(out);
    }
}

/// Some columns of the product, by their panels.
fn by(
    out: &mut [f32],
    a: Matrix<'_>,
    panels: &[f32],
    [k, n]: [usize; 2],
    columns: Range<usize>,
    then: Then<'_>,
) {
    let mut first = columns.start;
    if let Some(fused) = FUSED.get() {
        fused(out, a, panels, [k, n], columns.clone(), then);
        first += columns.len() / WIDTH * WIDTH;
    }
    product(out, a, &panels[(first - columns.start) * k..], [k, n], first..columns.end, then);
}

/// Some columns of the product.
#[inline(never)] // alone, V8 keeps the sums in registers
fn product(
    out: &mut [f32],
    a: Matrix<'_>,
    panels: &[f32],
    [k, n]: [usize; 2],
    all: Range<usize>,
    then: Then<'_>,
) {
    let m = out.len() / n;
    for first in all.clone().step_by(WIDTH) {
        let (panel, columns) =
            (&panels[(first - all.start) * k..][..WIDTH * k], first..all.end.min(first + WIDTH));
        for row in (0..m).step_by(ROWS) {
            // Below the last row the tile repeats it.
            let tile = std::array::from_fn(|i| &a.data[(row + i).min(m - 1) * a.strides[0]..][..k]);
            for (out, sums) in out[row * n..].chunks_mut(n).zip(sums(tile, panel)) {
                let out = &mut out[columns.clone()];
                for (y, sum) in out.iter_mut().zip(sums.as_flattened()) {
                    *y = then.alpha * sum;
                }
                if let Some(bias) = then.bias {
                    for (y, bias) in out.iter_mut().zip(&bias[columns.clone()]) {
                        *y += bias;
                    }
                }
            }
        }
    }
}

/// The products of some rows with a panel.
#[inline(always)]
fn sums([a, b, c, d]: [&[f32]; ROWS], panel: &[f32]) -> [[[f32; 4]; 2]; ROWS] {
    let mut sums = [[f32x4::ZERO; 2]; ROWS];
    let (columns, _) = panel.as_chunks::<4>();
    let (columns, _) = columns.as_chunks::<2>();
    // Zipped, as an index would be checked at every step.
    for ((((y, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        let y = y.map(f32x4::new);
        for (sums, x) in sums.iter_mut().zip([a, b, c, d]) {
            let x = f32x4::splat(*x);
            sums[0] += x * y[0];
            sums[1] += x * y[1];
        }
    }
    sums.map(|row| row.map(f32x4::to_array))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not fused is the last panel, where it is not whole.
    #[test]
    fn only_the_rest_is_left_to_the_program() {
        let (k, n) = (3, 19);
        let (a, b) = ([1.0; 6], vec![2.0; 24 * k]);
        let mut out = vec![f32::NAN; 2 * n];
        product(
            &mut out,
            Matrix { data: &a, strides: [k, 1] },
            &b[16 * k..],
            [k, n],
            16..n,
            Then { alpha: 0.5, bias: None, gelu: false },
        );
        for row in out.chunks(n) {
            assert!(row[..16].iter().all(|it| it.is_nan()));
            assert_eq!(row[16..], [3.0; 3]);
        }
    }
}
