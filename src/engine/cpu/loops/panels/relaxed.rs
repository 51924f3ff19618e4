//! The product by panels with fused multiply-add, which wasm has only where browsers offer relaxed SIMD: a module of its own, as one
//! with an instruction that a browser does not know is refused whole. It works on the memory of the program that calls it, so it
//! must have neither data nor a stack of its own there: pointers and no slices, as a check of bounds would bring along its message.
//! `./run build` compiles this file alone.

#![no_std]

use core::arch::wasm32::{
    f32x4_add, f32x4_mul, f32x4_relaxed_madd, f32x4_splat, unreachable, v128, v128_load, v128_load32_splat,
    v128_store,
};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}

/// Vectors of a panel, and rows of a tile: in 8 of 16 registers lie its sums, as many as two units add up without waiting.
const VECTORS: usize = 2;
const ROWS: usize = 4;
const WIDTH: usize = 4 * VECTORS;

/// `out = alpha * a x b + bias` for the whole panels of `b`, shapes `[m, k] x [k, columns] -> [m, columns]`; `bias` may be null, and from row
/// to row it is `a_row` and `out_row`.
///
/// # Safety
///
/// `out`, `a`, `b` and `bias` hold `(m - 1) * out_row + columns`, `(m - 1) * a_row + k`, `columns / 8 * 8 * k` and `columns` numbers, and
/// nothing else reads or writes `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multiply(
    out: *mut f32,
    out_row: usize,
    a: *const f32,
    a_row: usize,
    b: *const f32,
    bias: *const f32,
    m: usize,
    k: usize,
    columns: usize,
    alpha: f32,
) {
    for column in (0..columns / WIDTH * WIDTH).step_by(WIDTH) {
        for row in (0..m).step_by(ROWS) {
            // Below the last row the tile repeats it.
            let rows: [usize; ROWS] = core::array::from_fn(|i| if row + i < m { row + i } else { m - 1 });
            // SAFETY: rows are less than m, columns up to column + 8 at most `columns`, and panel `column / 8` begins at `column * k`.
            unsafe {
                let sums = sums(rows.map(|it| a.add(it * a_row)), b.add(column * k), k);
                for (row, sums) in rows.into_iter().zip(sums) {
                    for (i, sum) in sums.into_iter().enumerate() {
                        let mut y = f32x4_mul(f32x4_splat(alpha), sum);
                        if !bias.is_null() {
                            y = f32x4_add(y, v128_load(bias.add(column + 4 * i).cast()));
                        }
                        v128_store(out.add(row * out_row + column + 4 * i).cast(), y);
                    }
                }
            }
        }
    }
}

/// The products of some rows with a panel.
///
/// # Safety
///
/// `rows` hold `k` numbers each, `panel` 8 times as many.
#[inline(always)]
unsafe fn sums(rows: [*const f32; ROWS], panel: *const f32, k: usize) -> [[v128; VECTORS]; ROWS] {
    let mut sums = [[f32x4_splat(0.0); VECTORS]; ROWS];
    for p in 0..k {
        // SAFETY: p is less than k.
        unsafe {
            let y: [v128; VECTORS] = core::array::from_fn(|i| v128_load(panel.add(WIDTH * p + 4 * i).cast()));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let x = v128_load32_splat(row.add(p).cast());
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = f32x4_relaxed_madd(x, y, *sum);
                }
            }
        }
    }
    sums
}
