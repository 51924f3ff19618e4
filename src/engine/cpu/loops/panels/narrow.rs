//! Products with a constant right side, cut into panels beforehand: for processors whose vectors have four lanes.
//!
//! `wasm` has 16 registers of four numbers and no fused multiply-add. A tile of 4 rows by 8 columns keeps its sums in 8 of
//! them; wider tiles spill. Measured in V8 on `MiniLM`'s products: 44 GFLOP/s, where crate `gemm` reaches 31 to 36.

use wide::f32x4;

use super::Then;
use crate::pointwise::gelu_in_place;

/// Columns of a panel: two vectors.
const WIDTH: usize = 8;

/// Rows of a tile.
const ROWS: usize = 4;

/// Columns of a panel.
pub(super) fn width() -> usize {
    WIDTH
}

/// See [`super::multiply`].
pub(super) fn multiply(out: &mut [f32], a: &[f32], b: &[f32], [k, n]: [usize; 2], then: Then<'_>) {
    if k == 0 {
        let rows = out.chunks_mut(n.max(1));
        rows.for_each(|row| {
            row.iter_mut().enumerate().for_each(|(j, y)| *y = then.bias.map_or(0.0, |it| it[j]));
        });
    } else {
        product(out, a, b, [k, n], then);
    }
    if then.gelu {
        gelu_in_place(out);
    }
}

#[inline(never)] // alone, V8 keeps the sums in registers
fn product(out: &mut [f32], a: &[f32], b: &[f32], [k, n]: [usize; 2], Then { alpha, bias, .. }: Then<'_>) {
    if out.is_empty() {
        return;
    }
    for (rows, out) in a.chunks(ROWS * k).zip(out.chunks_mut(ROWS * n)) {
        // Below the last row the tile repeats it.
        let tile = std::array::from_fn(|i| &rows[(i * k).min(rows.len() - k)..][..k]);
        for (panel, first) in b.chunks_exact(WIDTH * k).zip((0..n).step_by(WIDTH)) {
            for (row, sums) in out.chunks_mut(n).zip(sums(tile, panel)) {
                let columns = first..(first + WIDTH).min(n);
                let row = &mut row[columns.clone()];
                row.iter_mut().zip(sums.as_flattened()).for_each(|(y, sum)| *y = alpha * sum);
                if let Some(bias) = bias {
                    row.iter_mut().zip(&bias[columns]).for_each(|(y, bias)| *y += bias);
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
