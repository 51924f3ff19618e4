//! Batched matrix products through the crate `gemm`.

use super::Strided;
use crate::platform::{for_each_chunk, parallelism};

/// `out[i, j] = alpha * a[i, j] x b[i, j] + bias`, shapes `[.., m, k] x [.., k, n] -> [.., m, n]`, any strides.
pub(super) fn matmul<'a>(out: &mut [f32], a: Strided<'a>, b: Strided<'a>, bias: Option<&[f32]>, alpha: f32) {
    let (&[outer, inner, m, k], &[_, _, _, n]) = (a.shape, b.shape) else {
        unreachable!("products have four axes")
    };
    let product = |i: usize, out: &mut [f32], spread| {
        if let Some(bias) = bias {
            out.chunks_mut(n).for_each(|row| row.copy_from_slice(bias));
        }
        let matrix = |x: Strided<'a>| Matrix {
            data: &x.data[i / inner * x.strides[0] + i % inner * x.strides[1]..],
            strides: [x.strides[2], x.strides[3]],
        };
        gemm([m, k, n], out, matrix(a), matrix(b), alpha, bias.is_some(), spread);
    };
    if outer * inner == 1 {
        product(0, out, parallelism());
    } else {
        for_each_chunk(out, m * n, k, |i, out| product(i, out, gemm::Parallelism::None));
    }
}

#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    strides: [usize; 2],
}

/// `out = alpha * lhs x rhs`, added to what `out` holds if `accumulate`.
fn gemm(
    [m, k, n]: [usize; 3],
    out: &mut [f32],
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    alpha: f32,
    accumulate: bool,
    spread: gemm::Parallelism,
) {
    let last = |rows: usize, columns: usize, [row, column]: [usize; 2]| {
        rows.saturating_sub(1) * row + columns.saturating_sub(1) * column
    };
    assert!(out.len() >= m * n, "the output holds m n elements");
    assert!(k == 0 || last(m, k, lhs.strides) < lhs.data.len(), "the left matrix lies within its slot");
    assert!(k == 0 || last(k, n, rhs.strides) < rhs.data.len(), "the right matrix lies within its slot");
    #[expect(unsafe_code, reason = "gemm takes pointers; the asserts above are its conditions")]
    // SAFETY: every element that gemm reads or writes lies inside the slices, by the asserts above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.strides[1] as isize,
            lhs.strides[0] as isize,
            rhs.data.as_ptr(),
            rhs.strides[1] as isize,
            rhs.strides[0] as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            spread,
        );
    }
}
