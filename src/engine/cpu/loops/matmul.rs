//! Batched matrix products of what is not constant: natively by the crate `gemm`, in a browser by panels, as only these know the
//! instructions of the module that it loads.

#[cfg(any(test, target_arch = "wasm32"))]
mod cut;
#[cfg(not(target_arch = "wasm32"))]
mod whole;

use std::marker::PhantomData;

#[cfg(target_arch = "wasm32")]
use self::cut as product;
#[cfg(not(target_arch = "wasm32"))]
use self::whole as product;
use crate::Strided;
use crate::panels::Then;

/// `out[i, j] = alpha * a[i, j] x b[i, j] + bias`, shapes `[.., m, k] x [.., k, n] -> [.., m, n]`, any strides; those of
/// the result's two axes of matrices and of rows are `places`, and no two of its rows overlap.
pub fn matmul(
    out: &mut [f32],
    places: [usize; 3],
    a: Strided<'_>,
    b: Strided<'_>,
    bias: Option<&[f32]>,
    alpha: f32,
) {
    let (&[outer, inner, m, _], &[_, _, _, n]) = (a.shape, b.shape) else {
        unreachable!("products have four axes")
    };
    assert!(holds(out, [outer, inner, m, n], places), "the output holds all rows");
    if outer * inner * m * n == 0 {
        return;
    }
    product::matmul(out, places, a, b, Then { alpha, bias, gelu: false });
}

/// Whether all rows of a result lie within `out`.
pub(crate) fn holds(out: &[f32], [outer, inner, m, n]: [usize; 4], places: [usize; 3]) -> bool {
    let axes = [outer, inner, m].into_iter().zip(places);
    let last: usize = axes.map(|(len, stride)| len.saturating_sub(1) * stride).sum();
    outer * inner * m * n == 0 || out.len() >= last + n
}

/// Writable matrices that several cores share; each writes blocks of its own.
pub(crate) struct Shared<'a>(*mut f32, usize, PhantomData<&'a mut [f32]>);

#[expect(unsafe_code, reason = "no two cores write the same block")]
// SAFETY: see `matmul`, `Attention::block` and `Product::run`, which hand every block to one core.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// All of a slice.
    pub(crate) fn new(out: &'a mut [f32]) -> Self {
        Self(out.as_mut_ptr(), out.len(), PhantomData)
    }

    /// Writes `row` to where it begins.
    pub(crate) fn write(&self, at: usize, row: &[f32]) {
        assert!(at + row.len() <= self.1, "rows lie within the output");
        #[expect(unsafe_code, reason = "several cores write to one slice")]
        // SAFETY: the row lies within the slice, which is borrowed until this goes, and no other core writes it.
        unsafe {
            self.0.add(at).copy_from_nonoverlapping(row.as_ptr(), row.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Both against the definition: matrices one after the other or joined in each row, factors in rows or in columns.
        #[test]
        fn products_by_definition(
            [count, m, k, n] in [1_usize..4, 1_usize..40, 0_usize..40, 1_usize..40], turned: [bool; 2], joined: bool, bias: bool,
        ) {
            let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
            let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
            let (a, b, beta) = (numbers(count * m * k, 1), numbers(count * k * n, 2), numbers(n, 3));
            let strides = |[rows, columns]: [usize; 2], turned| {
                if turned { [0, rows * columns, 1, rows] } else { [0, rows * columns, columns, 1] }
            };
            let (left, right) = (strides([m, k], turned[0]), strides([k, n], turned[1]));
            let (shapes, places) = ([[1, count, m, k], [1, count, k, n]], if joined { [0, n, count * n] } else { [0, m * n, n] });
            let [a, b] = [(&a, &shapes[0], &left), (&b, &shapes[1], &right)]
                .map(|(data, shape, strides)| Strided { data, shape, strides });
            let then = Then { alpha: 0.5, bias: bias.then_some(&beta[..]), gelu: false };
            for product in [cut::matmul, whole::matmul] {
                let mut out = vec![f32::NAN; count * m * n];
                product(&mut out, places, a, b, then);
                for (c, i, j) in (0..count).flat_map(|c| (0..m).flat_map(move |i| (0..n).map(move |j| (c, i, j)))) {
                    let of = |x: Strided<'_>, i: usize, j: usize| f64::from(x.data[c * x.strides[1] + i * x.strides[2] + j * x.strides[3]]);
                    let sum: f64 = (0..k).map(|p| of(a, i, p) * of(b, p, j)).sum();
                    let y = 0.5 * sum + if bias { f64::from(beta[j]) } else { 0.0 };
                    let found = f64::from(out[c * places[1] + i * places[2] + j]);
                    // An f32 sum of 40 products below 1.
                    prop_assert!((found - y).abs() < 1e-5, "{c} {i} {j}: {found} {y}");
                }
            }
        }
    }
}
