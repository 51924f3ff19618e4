//! Batched matrix products through the crate `gemm`.

use crate::Strided;
use crate::spread::{SMALL, cores, for_each_part};

/// Multiplications below which many products together stay on one core.
const TINY: usize = 1 << 14;

/// Columns of a part are a multiple of this many, a cache line of f32.
const LINE: usize = 16;

/// `out[i, j] = alpha * a[i, j] x b[i, j] + bias`, shapes `[.., m, k] x [.., k, n] -> [.., m, n]`, any strides; those of the
/// result's two axes of matrices and of rows are `places`, and no two of its rows overlap.
pub fn matmul(
    out: &mut [f32],
    places: [usize; 3],
    a: Strided<'_>,
    b: Strided<'_>,
    bias: Option<&[f32]>,
    alpha: f32,
) {
    let (&[outer, inner, m, k], &[_, _, _, n]) = (a.shape, b.shape) else {
        unreachable!("products have four axes")
    };
    assert!(holds(out, [outer, inner, m, n], places), "the output holds all rows");
    let all = Shared::new(out);
    let product = |i: usize, parts| {
        let (i, j) = (i / inner, i % inner);
        let (first, row) = (i * places[0] + j * places[1], places[2]);
        Product {
            shape: [m, k, n],
            lhs: Matrix::of(a, [i, j], 0),
            rhs: Matrix::of(b, [i, j], 0),
            bias,
            alpha,
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

/// Whether all rows of a result lie within `out`.
pub(crate) fn holds(out: &[f32], [outer, inner, m, n]: [usize; 4], places: [usize; 3]) -> bool {
    let axes = [outer, inner, m].into_iter().zip(places);
    let last: usize = axes.map(|(len, stride)| len.saturating_sub(1) * stride).sum();
    outer * inner * m * n == 0 || out.len() >= last + n
}

#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Matrix `[i, j]` of a batch, from row `first` on.
    pub(crate) fn of(x: Strided<'a>, [i, j]: [usize; 2], first: usize) -> Self {
        let at = i * x.strides[0] + j * x.strides[1] + first * x.strides[2];
        Self { data: &x.data[at.min(x.data.len())..], strides: [x.strides[2], x.strides[3]] }
    }

    /// Whether every element of a `rows x columns` matrix lies within the data.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let [row, column] = self.strides;
        rows * columns == 0 || (rows - 1) * row + (columns - 1) * column < self.data.len()
    }
}

/// Writable matrices that several cores share; each writes blocks of its own.
pub(crate) struct Shared(*mut f32);

#[expect(unsafe_code, reason = "the blocks of one product do not overlap")]
// SAFETY: see `matmul`, `Attention::block` and `Product::run`, which hand every block to one core.
unsafe impl Sync for Shared {}

impl Shared {
    /// All of a slice, which outlives every product that writes to it.
    pub(crate) fn new(out: &mut [f32]) -> Self {
        Self(out.as_mut_ptr())
    }

    /// Writes `row` to where it begins.
    pub(crate) fn write(&self, at: usize, row: &[f32]) {
        #[expect(unsafe_code, reason = "several cores write to one slice, each its own rows")]
        // SAFETY: see `Attention::shared`, which asserts that all rows lie within the slice.
        unsafe {
            self.0.add(at).copy_from_nonoverlapping(row.as_ptr(), row.len());
        }
    }
}

/// `alpha * lhs x rhs + bias`, shapes `[m, k] x [k, n]`.
pub(crate) struct Product<'a> {
    pub(crate) shape: [usize; 3],
    pub(crate) lhs: Matrix<'a>,
    pub(crate) rhs: Matrix<'a>,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) alpha: f32,
    /// Where the result begins, and from row to row.
    pub(crate) first: usize,
    pub(crate) row: usize,
}

impl Product<'_> {
    /// Writes the product to its place in `all` in blocks of whole rows or whole columns, one a core. Splitting the longer
    /// side by hand keeps packing parallel too, which the crate's own threads leave to one.
    pub(crate) fn run(&self, all: &Shared, parts: usize) {
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
        assert!(self.lhs.holds(m, k), "the left matrix lies within its slot");
        assert!(self.rhs.holds(k, n), "the right matrix lies within its slot");
        assert!(self.bias.is_none_or(|bias| bias.len() >= n), "the bias has a number a column");
    }

    /// One block: rows and columns from the first up to the second.
    fn block(&self, out: &Shared, rows: [usize; 2], columns: [usize; 2]) {
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
