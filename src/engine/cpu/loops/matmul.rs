//! Batched matrix products through the crate `gemm`.

use crate::Strided;
use crate::rows::softmax_in_place;
use crate::spread::{SMALL, cores, for_each_chunk, for_each_part};

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
    let all = Shared(out.as_mut_ptr());
    let product = |i: usize, parts| {
        let (i, j) = (i / inner, i % inner);
        let (first, row) = (i * places[0] + j * places[1], places[2]);
        Product { shape: [m, k, n], lhs: matrix(a, i, j), rhs: matrix(b, i, j), bias, alpha, first, row }
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

/// Numbers of a pattern that stay in a core's cache from one step of attention to the next.
const NEAR: usize = 1 << 15;

/// `pattern = softmax(alpha * q x k)` in rows and `out = pattern x v`, as [`matmul`] and softmax give one after the other. All is done
/// for some rows before the next, and the pattern is written where it was scored: of 512 tokens it exceeds every cache.
pub fn attend(
    pattern: &mut [f32],
    out: &mut [f32],
    places: [usize; 3],
    [q, k, v]: [Strided<'_>; 3],
    [alpha, beta]: [f32; 2],
) {
    let (&[outer, inner, m, d], &[.., n], &[.., width]) = (q.shape, k.shape, v.shape) else {
        unreachable!("products have four axes")
    };
    assert!(pattern.len() == outer * inner * m * n, "the pattern is whole");
    assert!(holds(out, [outer, inner, m, width], places), "the output holds all rows");
    let all = Shared(out.as_mut_ptr());
    for_each_chunk(pattern, (m * n).max(1), d + width, |i, pattern| {
        let (i, j) = (i / inner, i % inner);
        let scored = Product {
            shape: [m, d, n],
            lhs: matrix(q, i, j),
            rhs: matrix(k, i, j),
            bias: None,
            alpha,
            first: 0,
            row: n,
        };
        scored.check();
        let rows = (NEAR / n.max(1)).max(1);
        for first in (0..m).step_by(rows) {
            let rows = [first, m.min(first + rows)];
            scored.block(&Shared(pattern.as_mut_ptr()), rows, [0, n]);
            softmax_in_place(&mut pattern[rows[0] * n..rows[1] * n], n);
            let mixed = Product {
                shape: [m, n, width],
                lhs: Matrix { data: pattern, strides: [n, 1] },
                rhs: matrix(v, i, j),
                bias: None,
                alpha: beta,
                first: i * places[0] + j * places[1],
                row: places[2],
            };
            mixed.check();
            mixed.block(&all, rows, [0, width]);
        }
    });
}

/// Whether all rows of a result lie within `out`.
fn holds(out: &[f32], [outer, inner, m, n]: [usize; 4], places: [usize; 3]) -> bool {
    let axes = [outer, inner, m].into_iter().zip(places);
    let last: usize = axes.map(|(len, stride)| len.saturating_sub(1) * stride).sum();
    outer * inner * m * n == 0 || out.len() >= last + n
}

/// Matrix `i, j` of a batch.
fn matrix(x: Strided<'_>, i: usize, j: usize) -> Matrix<'_> {
    Matrix { data: &x.data[i * x.strides[0] + j * x.strides[1]..], strides: [x.strides[2], x.strides[3]] }
}

#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    strides: [usize; 2],
}

impl Matrix<'_> {
    /// Whether every element of a `rows x columns` matrix lies within the data.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let [row, column] = self.strides;
        rows * columns == 0 || (rows - 1) * row + (columns - 1) * column < self.data.len()
    }
}

/// Writable matrices that several cores share; each writes blocks of its own.
struct Shared(*mut f32);

#[expect(unsafe_code, reason = "the blocks of one product do not overlap")]
// SAFETY: see `matmul`, `attend` and `Product::run`, which hand every block to one core.
unsafe impl Sync for Shared {}

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
    fn run(&self, all: &Shared, parts: usize) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attention_by_definition(heads in 1_usize..4, m in 0_usize..9, n in 1_usize..40, d in 1_usize..7, joined: bool) {
            attention([heads, m, n, d], joined)?;
        }
    }

    /// In several blocks of rows.
    #[test]
    fn attention_of_long_texts() {
        attention([2, 41, 1021, 3], true).unwrap_or_else(|fault| panic!("{fault}"));
    }

    fn attention([heads, m, n, d]: [usize; 4], joined: bool) -> Result<(), TestCaseError> {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
        let (q, k, v) = (numbers(heads * m * d, 1), numbers(heads * n * d, 2), numbers(heads * n * d, 3));
        let places = if joined { [0, d, heads * d] } else { [0, m * d, d] };
        let (mut pattern, mut out) = (vec![f32::NAN; heads * m * n], vec![f32::NAN; heads * m * d]);
        // Tokens come before heads, as models compute them.
        let shapes = [[1, heads, m, d], [1, heads, d, n], [1, heads, n, d]];
        let strides = [[0, d, heads * d, 1], [0, d, 1, heads * d], [0, d, heads * d, 1]];
        let all = [&q, &k, &v];
        let of = std::array::from_fn(|i| Strided { data: all[i], shape: &shapes[i], strides: &strides[i] });
        attend(&mut pattern, &mut out, places, of, [0.5, 2.0]);
        let at =
            |x: &[f32], head: usize, token: usize, c: usize| f64::from(x[(token * heads + head) * d + c]);
        for (head, i) in (0..heads).flat_map(|head| (0..m).map(move |i| (head, i))) {
            let score = |j: usize| (0..d).map(|c| at(&q, head, i, c) * at(&k, head, j, c)).sum::<f64>() / 2.0;
            let weights: Vec<f64> = (0..n).map(|j| score(j).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (j, weight) in weights.iter().enumerate() {
                let found = f64::from(pattern[(head * m + i) * n + j]);
                prop_assert!((found - weight / sum).abs() < 1e-6, "pattern {head} {i} {j}: {found}");
            }
            for c in 0..d {
                let mixed: f64 = (0..n).map(|j| 2.0 * weights[j] / sum * at(&v, head, j, c)).sum();
                let found = f64::from(out[head * places[1] + i * places[2] + c]);
                prop_assert!((found - mixed).abs() < 1e-5, "out {head} {i} {c}: {found} {mixed}");
            }
        }
        Ok(())
    }
}
