//! What a row comes to, in vectors as wide as the processor's, four at a time, so that none waits for the last. Left to itself the
//! compiler keeps what is added up in lanes one by one.

use pulp::{Arch, Simd, WithSimd};

/// Sum over `i` of the products of the `i`-th elements of `rows`, which are of one length.
pub(crate) fn sum<const N: usize>(rows: [&[f32]; N]) -> f32 {
    Arch::new().dispatch(Sum(rows))
}

/// Largest of a row, and of what is before it; no number beside one is passed over.
pub(crate) fn max(row: &[f32], start: f32) -> f32 {
    Arch::new().dispatch(Most(row, start))
}

struct Sum<'a, const N: usize>([&'a [f32]; N]);

impl<const N: usize> WithSimd for Sum<'_, N> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let parts = self.0.map(|it| S::as_simd_f32s(it));
        let (vectors, rest) = (parts.map(|it| it.0), parts.map(|it| it.1));
        let count = vectors[0].len();
        let vectors = vectors.map(|it| &it[..count]);
        let add = |sum: &mut S::f32s, i: usize| {
            let product = vectors[1..].iter().fold(vectors[0][i], |y, x| simd.mul_f32s(y, x[i]));
            *sum = simd.add_f32s(*sum, product);
        };
        let mut sums = [simd.splat_f32s(0.0); 4];
        let whole = count / 4 * 4;
        for first in (0..whole).step_by(4) {
            sums.iter_mut().enumerate().for_each(|(i, sum)| add(sum, first + i));
        }
        (whole..count).for_each(|i| add(&mut sums[0], i));
        let [a, b, c, d] = sums;
        let all = simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)));
        (0..rest[0].len()).fold(all, |sum, i| sum + rest.iter().map(|it| it[i]).product::<f32>())
    }
}

struct Most<'a>(&'a [f32], f32);

impl WithSimd for Most<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let larger = |most: S::f32s, x: S::f32s| simd.select_f32s(simd.less_than_f32s(most, x), x, most);
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let mut most = [simd.splat_f32s(self.1); 4];
        let (fours, ones) = vectors.as_chunks::<4>();
        for four in fours {
            most.iter_mut().zip(four).for_each(|(most, x)| *most = larger(*most, *x));
        }
        for x in ones {
            most[0] = larger(most[0], *x);
        }
        let [a, b, c, d] = most;
        let all = simd.reduce_max_f32s(larger(larger(a, b), larger(c, d)));
        rest.iter().fold(all, |most, x| if *x > most { *x } else { most })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn by_definition(row in prop::collection::vec(-100.0_f32..100.0, 0..300)) {
            let exact: f64 = row.iter().map(|x| f64::from(*x)).sum();
            // f32 sums of 300 numbers up to 100, and of squares.
            prop_assert!((f64::from(sum([&row])) - exact).abs() < 1e-2);
            let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
            prop_assert!((f64::from(sum([&row, &row])) - squares).abs() <= 1e-6 * squares);
            prop_assert_eq!(max(&row, -50.0), row.iter().fold(-50.0, |most: f32, x| most.max(*x)));
        }
    }

    #[test]
    fn what_is_no_number_is_passed_over() {
        let row: Vec<f32> = (0..200).map(|i| if i % 3 == 0 { f32::NAN } else { i as f32 }).collect();
        assert_eq!(max(&row, f32::NEG_INFINITY), 199.0);
        assert_eq!(max(&[], -1.0), -1.0);
    }
}
