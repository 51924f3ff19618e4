//! Loops over four numbers at a time, written out for a browser: its program is linked for size, and then no loop is vectorised that is
//! not. The same numbers as one at a time, bit by bit, but for the order of a sum.

use wide::{bytemuck::cast, f32x4, i32x4};

use crate::pointwise;
use crate::pointwise::{A, P, ROUND, SCALE, gelu_of};

/// `x = e^(x - less)`
pub(crate) fn exp(row: &mut [f32], less: f32) {
    let (fours, rest) = row.as_chunks_mut::<4>();
    for x in fours {
        *x = exp_of(f32x4::new(*x) - f32x4::splat(less)).to_array();
    }
    for x in rest {
        *x = pointwise::exp(*x - less);
    }
}

/// `x = gelu(x)`
pub(crate) fn gelu(row: &mut [f32]) {
    let (fours, rest) = row.as_chunks_mut::<4>();
    for x in fours {
        let it = f32x4::new(*x);
        *x = (it * 0.5 * (erf(it * std::f32::consts::FRAC_1_SQRT_2) + 1.0)).to_array();
    }
    for x in rest {
        *x = gelu_of([*x]);
    }
}

/// Sum over `i` of the products of the `i`-th elements of `rows`, which are of one length.
pub(crate) fn sum<const N: usize>(rows: [&[f32]; N]) -> f32 {
    let parts = rows.map(|it| it.as_chunks::<4>());
    let (vectors, rest) = (parts.map(|it| it.0), parts.map(|it| it.1));
    let mut sums = [f32x4::ZERO; 4];
    for i in 0..vectors[0].len() {
        let product = vectors.iter().map(|it| f32x4::new(it[i])).reduce(|y, x| y * x);
        sums[i % 4] += product.unwrap_or(f32x4::ZERO);
    }
    let [a, b, c, d] = sums;
    let all = ((a + b) + (c + d)).to_array().iter().sum();
    (0..rest[0].len()).fold(all, |sum, i| sum + rest.iter().map(|it| it[i]).product::<f32>())
}

/// Largest of a row, and of what is before it; no number beside one is passed over.
pub(crate) fn max(row: &[f32], start: f32) -> f32 {
    let larger = |most: f32x4, x: f32x4| most.simd_lt(x).select(x, most);
    let mut most = [f32x4::splat(start); 4];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for (most, x) in most.iter_mut().zip(chunk.as_chunks::<4>().0) {
            *most = larger(*most, f32x4::new(*x));
        }
    }
    let [a, b, c, d] = most;
    let all = larger(larger(a, b), larger(c, d)).to_array();
    all.iter().chain(rest).fold(start, |most, x| if *x > most { *x } else { most })
}

/// As [`pointwise::exp`].
fn exp_of(x: f32x4) -> f32x4 {
    let (small, x) =
        (x.simd_lt(f32x4::splat(-87.0)), x.fast_max(f32x4::splat(-87.0)).fast_min(f32x4::splat(88.0)));
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * SCALE[0] + n * SCALE[1];
    let p = P.iter().fold(f32x4::ZERO, |sum, p| sum * r + *p);
    let bits: i32x4 = cast(shifted);
    let power: f32x4 = cast((bits + i32x4::splat(127)) << 23);
    small.select(f32x4::ZERO, (p * r * r + r + 1.0) * power)
}

/// The error function, as `pointwise` has it.
fn erf(x: f32x4) -> f32x4 {
    let t = f32x4::ONE / (x.abs() * 0.327_591_1 + 1.0);
    let factor = A.iter().fold(f32x4::ZERO, |sum, a| (sum + *a) * t);
    let size = (f32x4::ONE - factor * exp_of(-x * x)).abs();
    x.simd_lt(f32x4::ZERO).select(-size, size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn four_at_a_time_are_one_at_a_time(row in prop::collection::vec(-100.0_f32..100.0, 0..40), less in -5.0_f32..5.0) {
            let each = |four: fn(&mut [f32]), one: &dyn Fn(f32) -> f32| {
                let mut fours = row.clone();
                four(&mut fours);
                fours.iter().zip(&row).all(|(y, x)| y.to_bits() == one(*x).to_bits())
            };
            prop_assert!(each(gelu, &|x| gelu_of([x])));
            let mut fours = row.clone();
            exp(&mut fours, less);
            prop_assert!(fours.iter().zip(&row).all(|(y, x)| y.to_bits() == pointwise::exp(x - less).to_bits()));
            let exact: f64 = row.iter().map(|x| f64::from(*x)).sum();
            // f32 sums of 40 numbers up to 100.
            prop_assert!((f64::from(sum([&row])) - exact).abs() < 1e-3);
            prop_assert_eq!(max(&row, -50.0), row.iter().fold(-50.0, |most: f32, x| most.max(*x)));
        }
    }

    #[test]
    fn edges() {
        let mut row = [f32::NEG_INFINITY, -1e30, -87.5, -0.0, 0.0, 1e-30, 88.0, -5.0];
        exp(&mut row, 0.0);
        let expected = [f32::NEG_INFINITY, -1e30, -87.5, -0.0, 0.0, 1e-30, 88.0, -5.0].map(pointwise::exp);
        assert_eq!(row, expected);
        assert_eq!(max(&[f32::NAN, 1.0, f32::NAN, 0.5], f32::NEG_INFINITY), 1.0);
    }
}
