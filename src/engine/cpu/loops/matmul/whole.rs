//! Products by the crate `gemm`.

use super::Shared;
use crate::panels::Then;
use crate::spread::{SMALL, cores, for_each_part};
use crate::{Matrix, Strided};

/// Multiplications below which many products together stay on one core.
const TINY: usize = 1 << 14;

/// Columns of a part are a multiple of this many, a cache line of f32.
const LINE: usize = 16;

/// See [`super::matmul`].
pub(super) fn matmul(out: &mut [f32], places: [usize; 3], a: Strided<'_>, b: Strided<'_>, then: Then<'_>) {
    let (&[outer, inner, m, k], &[_, _, _, n]) = (a.shape, b.shape) else {
        unreachable!("products have four axes")
    };
    let all = Shared::new(out);
    let product = |i: usize, parts| {
        let (i, j) = (i / inner, i % inner);
        let (first, row) = (i * places[0] + j * places[1], places[2]);
        Product {
            shape: [m, k, n],
            lhs: Matrix::of(a, [i, j], 0),
            rhs: Matrix::of(b, [i, j], 0),
            bias: then.bias,
            alpha: then.alpha,
            first,
            row,
        }
        .run(&all, parts);
    };
    if outer * inner == 1 {
        product(0, if m * k * n < SMALL { 1 } else { cores() });
    } else if outer * inner * m * k * n < TINY {
        (0..outer * inner).for_each(|i| product(i, 1));
    } else {
        for_each_part(outer * inner, |i| product(i, 1));
    }
}

/// `alpha * lhs x rhs + bias`, shapes `[m, k] x [k, n]`.
struct Product<'a> {
    shape: [usize; 3],
    lhs: Matrix<'a>,
    rhs: Matrix<'a>,
    bias: Option<&'a [f32]>,
    alpha: f32,
    /// Where the result begins, and from row to row.
    first: usize,
    row: usize,
}

impl Product<'_> {
    /// Writes the product to its place in `all` in blocks of whole rows or whole columns, one a core. Splitting the longer
    /// side by hand keeps packing parallel too, which the crate's own threads leave to one.
    fn run(&self, all: &Shared<'_>, parts: usize) {
        let [m, _, n] = self.shape;
        self.check();
        if m > n {
            let rows = m.div_ceil(parts).max(1);
            for_each_part(m.div_ceil(rows), |i| {
                self.block(all, [i * rows, (i * rows + rows).min(m)], [0, n]);
            });
        } else {
            let columns = n.div_ceil(parts).next_multiple_of(LINE);
            for_each_part(n.div_ceil(columns), |i| {
                self.block(all, [0, m], [i * columns, (i * columns + columns).min(n)]);
            });
        }
    }

    /// Whether everything that is read is there.
    fn check(&self) {
        let [m, k, n] = self.shape;
        assert!(holds(self.lhs, m, k), "the left matrix lies within its slot");
        assert!(holds(self.rhs, k, n), "the right matrix lies within its slot");
        assert!(self.bias.is_none_or(|bias| bias.len() >= n), "the bias has a number a column");
    }

    /// One block: rows and columns from the first up to the second.
    fn block(&self, out: &Shared<'_>, rows: [usize; 2], columns: [usize; 2]) {
        let (k, row) = (self.shape[1], self.row);
        let (m, width) = (rows[1] - rows[0], columns[1] - columns[0]);
        #[expect(unsafe_code, reason = "gemm takes pointers; `check` asserts its conditions")]
        // SAFETY: every element that is read or written lies inside the slices, by `holds` and `check`, and no other
        // block has these rows and columns.
        unsafe {
            let first = out.0.add(self.first + rows[0] * row + columns[0]);
            if let Some(bias) = self.bias {
                for i in 0..m {
                    first.add(i * row).copy_from_nonoverlapping(bias[columns[0]..].as_ptr(), width);
                }
            }
            gemm::gemm(
                m,
                width,
                k,
                first,
                1,
                row as isize,
                self.bias.is_some(),
                self.lhs.data.as_ptr().add(if k == 0 { 0 } else { rows[0] * self.lhs.strides[0] }),
                self.lhs.strides[1] as isize,
                self.lhs.strides[0] as isize,
                self.rhs.data.as_ptr().add(if k == 0 { 0 } else { columns[0] * self.rhs.strides[1] }),
                self.rhs.strides[1] as isize,
                self.rhs.strides[0] as isize,
                1.0,
                self.alpha,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Whether every element of a `rows x columns` matrix lies within the data.
fn holds(it: Matrix<'_>, rows: usize, columns: usize) -> bool {
    let [row, column] = it.strides;
    rows * columns == 0 || (rows - 1) * row + (columns - 1) * column < it.data.len()
}
