//! Products with a constant right side, cut into panels beforehand: for processors whose vectors have four lanes.
//!
//! `wasm` has 16 registers of four numbers and no fused multiply-add. A tile of 4 rows by 8 columns keeps its sums in 8 of
//! them; wider tiles spill. Measured in V8 on `MiniLM`'s products: 44 GFLOP/s, where crate `gemm` reaches 31 to 36.

use wide::f32x4;

use crate::Strided;

/// Columns of a panel: two vectors.
const WIDTH: usize = 8;

/// Rows of a tile.
const ROWS: usize = 4;

/// `[1, 1, k, n]` as panels of 8 columns, `[n / 8, k, 8]`; what is missing in the last is 0.
pub fn pack(b: Strided<'_>) -> Vec<f32> {
    let [_, _, k, n] = b.shape[..] else { unreachable!("products have four axes") };
    let element = |j: usize, p: usize| if j < n { b.data[p * b.strides[2] + j * b.strides[3]] } else { 0.0 };
    let panel = |j: usize| (0..k * WIDTH).map(move |i| element(j + i % WIDTH, i / WIDTH));
    (0..n).step_by(WIDTH).flat_map(panel).collect()
}

/// `out = alpha * a x b + bias`, shapes `[m, k] x [k, n] -> [m, n]`: `a` row-major, `b` packed.
#[inline(never)] // alone, V8 keeps the sums in registers
pub fn multiply(out: &mut [f32], a: &[f32], b: &[f32], [k, n]: [usize; 2], bias: Option<&[f32]>, alpha: f32) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn panels_multiply(m in 0_usize..14, k in 1_usize..20, n in 1_usize..30, turned: bool, bias: bool) {
            let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
            let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
            let (a, b, beta) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
            let strides = if turned { [0, 0, 1, k] } else { [0, 0, n, 1] };
            let packed = pack(Strided { data: &b, shape: &[1, 1, k, n], strides: &strides });
            let mut out = vec![f32::NAN; m * n];
            multiply(&mut out, &a, &packed, [k, n], bias.then_some(&beta[..]), 0.5);
            for i in 0..m {
                for j in 0..n {
                    let product = |p| f64::from(a[i * k + p]) * f64::from(b[p * strides[2] + j * strides[3]]);
                    let sum: f64 = (0..k).map(product).sum();
                    let expected = 0.5 * sum + if bias { f64::from(beta[j]) } else { 0.0 };
                    // f32 sums of at most 20 numbers below 1.
                    prop_assert!((f64::from(out[i * n + j]) - expected).abs() < 1e-5);
                }
            }
        }
    }
}
