//! Attention some queries at a time, so that their scores stay in the cache until they are weights and have mixed the values.

use std::sync::OnceLock;

use crate::matmul::{Shared, holds, matmul};
use crate::panels::{self, Then};
use crate::rows::softmax_in_place;
use crate::spread::{for_each_chunk, for_each_part};
use crate::{Matrix, Strided, pointwise};

/// Scores of a block: 16 kB, which stay in the nearest cache of a core.
const BLOCK: usize = 1 << 12;

/// Operations that an element of a softmax takes.
const SOFTMAX: usize = 8;

/// Queries of a block at least: all keys and values are read for each.
const QUERIES: usize = 8;

/// `softmax(alpha * q[i, j] x k[i, j] + field[i, j])` as rows, of shapes and strides as [`Attention`]'s.
pub fn pattern(out: &mut [f32], [q, k]: [Strided<'_>; 2], field: Option<Strided<'_>>, alpha: f32) {
    let (&[_, inner, m, _], n) = (q.shape, k.shape[3]) else { unreachable!("attention has four axes") };
    matmul(out, [inner * m * n, m * n, n], q, k, None, alpha);
    let rows = (BLOCK / n.max(1)).max(1);
    for_each_chunk(out, rows * n.max(1), SOFTMAX, |block, out| {
        for (i, out) in out.chunks_mut(n.max(1)).enumerate() {
            let (row, Some(field)) = (block * rows + i, field) else { break };
            let Matrix { data, strides } = Matrix::of(field, [row / m / inner, row / m % inner], row % m);
            pointwise::add_in_place(out, Strided { data, shape: &[1, n], strides: &strides });
        }
        softmax_in_place(out, n);
    });
}

/// `beta * softmax(alpha * q[i, j] x k[i, j] + field[i, j]) x v[i, j]`, shapes `[.., m, d] x [.., d, n]`, `[.., m, n]` and
/// `[.., n, e]` -> `[.., m, e]`, any strides.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// Queries, keys and values.
    pub of: [Strided<'a>; 3],
    /// What is added to the scores.
    pub field: Option<Strided<'a>>,
    /// Factor of the scores.
    pub alpha: f32,
    /// Factor of what comes out.
    pub beta: f32,
    /// Strides of the result's two axes of matrices and of rows, no two of which overlap.
    pub places: [usize; 3],
}

impl Attention<'_> {
    /// Writes what comes out, and the pattern nowhere.
    pub fn attend(&self, out: &mut [f32]) {
        let (all, [outer, inner, m, n]) = (self.shared(out), self.shape());
        let rows = (BLOCK / n.max(1)).clamp(QUERIES, m.max(QUERIES));
        let blocks = m.div_ceil(rows);
        let sides: Vec<_> = std::iter::repeat_with(OnceLock::new).take(outer * inner).collect();
        for_each_part(outer * inner * blocks, |part| {
            let (matrix, first) = (part / blocks, part % blocks * rows);
            let (batch, rows) = ([matrix / inner, matrix % inner], rows.min(m - first));
            let sides = sides[matrix].get_or_init(|| self.sides(batch));
            self.block(batch, sides, [first, rows], &mut vec![0.0; rows * n], &all);
        });
    }

    /// Writes the pattern, too, as rows.
    pub fn attend_and_keep(&self, pattern: &mut [f32], out: &mut [f32]) {
        let (all, [outer, inner, m, n]) = (self.shared(out), self.shape());
        assert!(pattern.len() == outer * inner * m * n, "the pattern is whole");
        if n == 0 {
            return self.attend(out);
        }
        let each = (BLOCK / n).max(QUERIES);
        for_each_chunk(
            pattern,
            (m * n).max(1),
            self.of[0].shape[3] + self.of[2].shape[3],
            |matrix, pattern| {
                let batch = [matrix / inner, matrix % inner];
                let sides = self.sides(batch);
                for (i, block) in pattern.chunks_mut(each * n).enumerate() {
                    self.block(batch, &sides, [i * each, block.len() / n], block, &all);
                }
            },
        );
    }

    /// `[outer, inner, query, key]`
    fn shape(&self) -> [usize; 4] {
        let (&[outer, inner, m, _], n) = (self.of[0].shape, self.of[1].shape[3]) else {
            unreachable!("attention has four axes")
        };
        [outer, inner, m, n]
    }

    fn shared<'a>(&self, out: &'a mut [f32]) -> Shared<'a> {
        let [outer, inner, m, _] = self.shape();
        assert!(holds(out, [outer, inner, m, self.of[2].shape[3]], self.places), "the output holds all rows");
        Shared::new(out)
    }

    /// The keys and values of matrix `batch`, arranged once for all its queries.
    fn sides(&self, batch: [usize; 2]) -> [Vec<f32>; 2] {
        [self.of[1], self.of[2]].map(|side| {
            let mut panels = vec![];
            panels::pack_here(&mut panels, Matrix::of(side, batch, 0), [side.shape[2], side.shape[3]]);
            panels
        })
    }

    /// The queries of matrix `batch` from the first on, so many `rows`; their pattern, and what comes out.
    fn block(
        &self,
        batch: [usize; 2],
        [keys, values]: &[Vec<f32>; 2],
        [first, rows]: [usize; 2],
        pattern: &mut [f32],
        out: &Shared<'_>,
    ) {
        let (q, [.., n]) = (self.of[0], self.shape());
        let (d, e, [outer, inner, row]) = (q.shape[3], self.of[2].shape[3], self.places);
        let then = Then { alpha: self.alpha, bias: None, gelu: false };
        panels::multiply_here(pattern, Matrix::of(q, batch, first), keys, [d, n], then);
        if let Some(field) = self.field {
            let Matrix { data, strides } = Matrix::of(field, batch, first);
            pointwise::add_in_place(pattern, Strided { data, shape: &[rows, n], strides: &strides });
        }
        softmax_in_place(pattern, n);
        let mut mixed = vec![0.0; rows * e];
        let weights = Matrix { data: pattern, strides: [n, 1] };
        panels::multiply_here(&mut mixed, weights, values, [n, e], Then { alpha: self.beta, ..then });
        let first = batch[0] * outer + batch[1] * inner + first * row;
        for (i, mixed) in mixed.chunks(e.max(1)).enumerate() {
            out.write(first + i * row, mixed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i + seed) * 7919 + 13) % 101).map(|it| it as f32 / 50.0 - 1.0).collect()
    }

    fn seen<'a>(data: &'a [f32], shape: &'a [usize], strides: &'a [usize]) -> Strided<'a> {
        Strided { data, shape, strides }
    }

    /// Both against the definition; heads one after the other, or joined in each row.
    fn check([heads, m, n, d, e]: [usize; 5], fielded: bool, joined: bool) -> Result<(), TestCaseError> {
        let [q, k, v] = [(m * d, 1), (n * d, 2), (n * e, 3)].map(|(len, seed)| numbers(heads * len, seed));
        let field = numbers(m * n, 4);
        let places = if joined { [0, e, heads * e] } else { [0, m * e, e] };
        let shapes = [[1, heads, m, d], [1, heads, d, n], [1, heads, n, e], [1, heads, m, n]];
        let strides = [[0, m * d, d, 1], [0, n * d, 1, d], [0, n * e, e, 1], [0, 0, n, 1]];
        let of = |i: usize, data| seen(data, &shapes[i], &strides[i]);
        let it = Attention {
            of: [of(0, &q), of(1, &k), of(2, &v)],
            field: fielded.then_some(of(3, &field)),
            alpha: 0.7,
            beta: 2.0,
            places,
        };
        let [mut out, mut same] = [(); 2].map(|()| vec![f32::NAN; heads * m * e]);
        let [mut pattern, mut alone] = [(); 2].map(|()| vec![f32::NAN; heads * m * n]);
        it.attend(&mut out);
        it.attend_and_keep(&mut pattern, &mut same);
        super::pattern(&mut alone, [it.of[0], it.of[1]], it.field, it.alpha);
        for (h, i) in (0..heads).flat_map(|h| (0..m).map(move |i| (h, i))) {
            let product = |j, p| f64::from(q[(h * m + i) * d + p]) * f64::from(k[(h * n + j) * d + p]);
            let score = |j| 0.7 * (0..d).map(|p| product(j, p)).sum::<f64>();
            let logit = |j: usize| score(j) + if fielded { f64::from(field[i * n + j]) } else { 0.0 };
            let weights: Vec<f64> = (0..n).map(|j| logit(j).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (j, weight) in weights.iter().enumerate() {
                for pattern in [&pattern, &alone] {
                    let found = f64::from(pattern[(h * m + i) * n + j]);
                    prop_assert!((found - weight / sum).abs() < 1e-6, "pattern {h} {i} {j}: {found}");
                }
            }
            for c in 0..e {
                let mixed: f64 =
                    (0..n).map(|j| 2.0 * weights[j] / sum * f64::from(v[(h * n + j) * e + c])).sum();
                for out in [&out, &same] {
                    let found = f64::from(out[h * places[1] + i * places[2] + c]);
                    // A mean of numbers up to 2 with f32 weights of scores up to 7.
                    prop_assert!((found - mixed).abs() < 6e-6, "{h} {i} {c}: {found} {mixed}");
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn attention_by_definition(
            [heads, m, n] in [1_usize..4, 0_usize..40, 0_usize..40], [d, e] in [1_usize..9, 1_usize..9], fielded: bool, joined: bool,
        ) {
            check([heads, m, n, d, e], fielded, joined)?;
        }
    }

    /// In several blocks of rows.
    #[test]
    fn attention_of_long_texts() {
        check([2, 41, 2039, 3, 2], true, true).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
