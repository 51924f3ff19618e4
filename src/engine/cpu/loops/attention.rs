//! Attention block by block: the scores of some queries never leave the cache.

use crate::matmul::{Matrix, Product, Shared};
use crate::rows::softmax_in_place;
use crate::spread::for_each_part;
use crate::{Strided, pointwise};

/// Scores of a block: 128 kB, which stay in a cache of one core.
const BLOCK: usize = 1 << 15;

/// Queries of a block at least: the keys are arranged anew for each.
const QUERIES: usize = 16;

/// `out[i, j] = softmax(alpha * q[i, j] x k[i, j] + field[i, j]) x v[i, j]`, shapes `[.., m, d] x [.., d, n]`, `[.., m, n]` and
/// `[.., n, e]` -> `[.., m, e]`, any strides; those of the result's two axes of matrices and of rows are `places`, and no two of
/// its rows overlap.
pub fn attend(
    out: &mut [f32],
    places: [usize; 3],
    [q, k, v]: [Strided<'_>; 3],
    field: Option<Strided<'_>>,
    alpha: f32,
) {
    let (&[outer, inner, m, d], n, e) = (q.shape, k.shape[3], v.shape[3]) else {
        unreachable!("attention has four axes")
    };
    let last = [outer, inner, m].into_iter().zip(places).map(|(len, stride)| len.saturating_sub(1) * stride);
    let holds = outer * inner * m * e == 0 || out.len() >= last.sum::<usize>() + e;
    assert!(holds, "the output holds all rows");
    let all = Shared::new(out);
    let rows = (BLOCK / n.max(1)).clamp(QUERIES, m.max(QUERIES));
    let blocks = m.div_ceil(rows);
    for_each_part(outer * inner * blocks, |part| {
        let (batch, first) = ([part / blocks / inner, part / blocks % inner], part % blocks * rows);
        let rows = rows.min(m - first);
        let mut scores = vec![0.0; rows * n];
        let (lhs, rhs) = (Matrix::of(q, batch, first), Matrix::of(k, batch, 0));
        let of =
            |shape, lhs, rhs, alpha, first, row| Product { shape, lhs, rhs, bias: None, alpha, first, row };
        of([rows, d, n], lhs, rhs, alpha, 0, n).run(&Shared::new(&mut scores), 1);
        if let Some(field) = field {
            let Matrix { data, strides } = Matrix::of(field, batch, first);
            pointwise::add_in_place(&mut scores, Strided { data, shape: &[rows, n], strides: &strides });
        }
        softmax_in_place(&mut scores, n);
        let weights = Matrix { data: &scores, strides: [n, 1] };
        let place = batch[0] * places[0] + batch[1] * places[1] + first * places[2];
        of([rows, n, e], weights, Matrix::of(v, batch, 0), 1.0, place, places[2]).run(&all, 1);
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_block_is_a_row_of_the_definition(
            heads in 1_usize..4, m in 0_usize..40, n in 1_usize..40, d in 1_usize..9, e in 1_usize..9, with: bool, joined: bool,
        ) {
            let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
            let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
            let [q, k, v] = [(m * d, 1), (n * d, 2), (n * e, 3)].map(|(len, seed)| numbers(heads * len, seed));
            let field = numbers(m * n, 4);
            let seen = |data, shape, strides| Strided { data, shape, strides };
            let mut out = vec![f32::NAN; heads * m * e];
            // Heads one after the other, or side by side in each row.
            let places = if joined { [0, e, heads * e] } else { [0, m * e, e] };
            attend(
                &mut out,
                places,
                [
                    seen(&q, &[1, heads, m, d], &[0, m * d, d, 1]),
                    seen(&k, &[1, heads, d, n], &[0, n * d, 1, d]),
                    seen(&v, &[1, heads, n, e], &[0, n * e, e, 1]),
                ],
                with.then_some(seen(&field, &[1, heads, m, n], &[0, 0, n, 1])),
                0.7,
            );
            for (h, i) in (0..heads).flat_map(|h| (0..m).map(move |i| (h, i))) {
                let dot = |j| (0..d).map(|p| f64::from(q[(h * m + i) * d + p]) * f64::from(k[(h * n + j) * d + p])).sum::<f64>();
                let score = |j| 0.7 * dot(j) + if with { f64::from(field[i * n + j]) } else { 0.0 };
                let exps: Vec<f64> = (0..n).map(|j| score(j).exp()).collect();
                let sum: f64 = exps.iter().sum();
                for c in 0..e {
                    let mixed: f64 = exps.iter().zip(0..).map(|(p, j): (_, usize)| p * f64::from(v[(h * n + j) * e + c])).sum();
                    let y = out[h * places[1] + i * places[2] + c];
                    // A mean of numbers up to 1 with f32 weights of scores up to 7.
                    prop_assert!((f64::from(y) - mixed / sum).abs() < 3e-6, "{y} {}", mixed / sum);
                }
            }
        }

        #[test]
        fn long_rows_are_cut_into_blocks(n in 2000_usize..2100, m in 30_usize..40) {
            let [q, k, v] = [vec![1.0; m], vec![0.5; n], (0..n).map(|j| j as f32 / n as f32).collect::<Vec<f32>>()];
            let seen = |data, shape| Strided { data, shape, strides: &[0, 0, 1, 1] };
            let mut out = vec![f32::NAN; m];
            attend(&mut out, [0, 0, 1], [seen(&q, &[1, 1, m, 1]), seen(&k, &[1, 1, 1, n]), seen(&v, &[1, 1, n, 1])], None, 1.0);
            // All scores are equal: the mean of the values.
            let mean = (n - 1) as f32 / 2.0 / n as f32;
            prop_assert!(out.iter().all(|y| (y - mean).abs() < 1e-5));
        }
    }
}
