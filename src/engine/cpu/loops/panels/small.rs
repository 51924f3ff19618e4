//! A right side of fewer bits, in a quarter or half of the memory: its panels stay so, and one at a time becomes f32 while rows pass.

use super::{Then, width};
use crate::spread::vectorised;

/// A right side `[k, n]` in panels, `[n / width, k, width]`, whose columns lie in a file as rows.
pub struct Small {
    panels: Bits,
    /// What each column is multiplied by, `[n]`; nothing if there are none.
    scales: Vec<f32>,
}

enum Bits {
    Bytes(Vec<i8>),
    Halves(Vec<u16>),
}

impl Small {
    /// Whole numbers of 8 bits, and what each row of them is multiplied by.
    pub fn of_bytes(rows: &[i8], scales: &[f32], shape: [usize; 2]) -> Self {
        Self { panels: Bits::Bytes(panels(rows, shape, width(shape[1]))), scales: scales.to_vec() }
    }

    /// Floating-point numbers of 16 bits, all finite.
    pub fn of_halves(rows: &[u16], shape: [usize; 2]) -> Self {
        Self { panels: Bits::Halves(panels(rows, shape, width(shape[1]))), scales: vec![] }
    }

    /// Memory that they take.
    pub fn bytes(&self) -> usize {
        let panels = match &self.panels {
            Bits::Bytes(it) => size_of_val(&**it),
            Bits::Halves(it) => size_of_val(&**it),
        };
        panels + size_of_val(&*self.scales)
    }

    /// So many numbers of the panels from `first` on, as f32, without their scales.
    pub(super) fn wide(&self, first: usize, count: usize) -> Vec<f32> {
        match &self.panels {
            Bits::Bytes(it) => widened(&it[first..][..count], |x| f32::from(*x)),
            Bits::Halves(it) => widened(&it[first..][..count], |x| half(*x)),
        }
    }

    /// What is left to do to a row of products with such panels, from column `first` on: its scales, then factor and bias, which begins
    /// where the row does.
    #[inline(always)]
    pub(super) fn finish(&self, row: &mut [f32], first: usize, Then { alpha, bias, .. }: Then<'_>) {
        match self.scales.get(first..) {
            Some(scales) if !scales.is_empty() => {
                row.iter_mut().zip(scales).for_each(|(y, scale)| *y *= alpha * scale);
            }
            _ => row.iter_mut().for_each(|y| *y *= alpha),
        }
        if let Some(bias) = bias {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }
}

#[inline(always)]
fn widened<T>(bits: &[T], f: impl Fn(&T) -> f32) -> Vec<f32> {
    let mut wide = Vec::with_capacity(bits.len());
    vectorised(|| wide.extend(bits.iter().map(&f)));
    wide
}

/// `f16` as f32: sign, exponent and fraction lie alike, but the exponent counts from -15 instead of -127. Exact for what is finite,
/// those next to 0 as well. The crate `half` tells cases apart, which no browser does for several numbers at once.
#[inline(always)]
fn half(x: u16) -> f32 {
    const POWER: f32 = f32::from_bits((127 + 112) << 23); // 2^112
    let sign = u32::from(x & 0x8000) << 16;
    f32::from_bits(sign | u32::from(x & 0x7fff) << 13) * POWER
}

/// Rows `[n, k]` as panels of columns; what is missing in the last is 0.
fn panels<T: Copy + Default>(rows: &[T], [k, n]: [usize; 2], width: usize) -> Vec<T> {
    let mut panels = vec![T::default(); n.next_multiple_of(width) * k];
    for (i, panel) in panels.chunks_mut((width * k).max(1)).enumerate() {
        for (j, row) in rows.chunks_exact(k.max(1)).skip(i * width).take(width).enumerate() {
            panel.chunks_mut(width).zip(row).for_each(|(line, x)| line[j] = *x);
        }
    }
    panels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Matrix;
    use crate::panels::Side;
    use crate::panels::tests::kinds;

    /// Against the sums in f64 of what the bits say.
    fn check([m, k, n]: [usize; 3], bytes: bool, bias: bool, gelu: bool) -> Result<(), TestCaseError> {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
        let (a, beta, scales) = (numbers(m * k, 1), numbers(n, 3), numbers(n, 4));
        let eighths: Vec<i8> = (0..n * k).map(|i| ((i * 37 + 5) % 255) as i8).collect();
        // Halves of every exponent but that of what is not finite.
        let sixteenths: Vec<u16> =
            (0..n * k).map(|i| ((i * 977) % 0x3c00) as u16 | (i as u16 % 2) << 15).collect();
        let numbers: Vec<f64> = if bytes {
            eighths.iter().enumerate().map(|(i, x)| f64::from(*x) * f64::from(scales[i / k])).collect()
        } else {
            sixteenths.iter().map(|x| said(*x)).collect()
        };
        let then = Then { alpha: 0.5, bias: bias.then_some(&beta[..]), gelu };
        for (width, multiply) in kinds(n) {
            let b = if bytes {
                Small { panels: Bits::Bytes(panels(&eighths, [k, n], width)), scales: scales.clone() }
            } else {
                Small { panels: Bits::Halves(panels(&sixteenths, [k, n], width)), scales: vec![] }
            };
            let mut out = vec![f32::NAN; m * n];
            multiply(&mut out, Matrix { data: &a, strides: [k, 1] }, Side::Small(&b), [k, n], then);
            for (at, found) in out.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let terms = || (0..k).map(|p| f64::from(a[i * k + p]) * numbers[j * k + p]);
                let sum = 0.5 * terms().sum::<f64>() + if bias { f64::from(beta[j]) } else { 0.0 };
                let expected = if gelu { 0.5 * sum * (1.0 + libm::erf(sum / 2_f64.sqrt())) } else { sum };
                // Half a unit in the last place of each partial sum and of what is done to it; GELU's slope is below 1.2.
                let most = 1e-7 * (k + 3) as f64 * (terms().map(f64::abs).sum::<f64>() + 1.0);
                prop_assert!((f64::from(*found) - expected).abs() < most, "{m} {k} {n}: {found} {expected}");
            }
        }
        Ok(())
    }

    /// What the bits of a half say (IEEE 754).
    fn said(x: u16) -> f64 {
        let (sign, exponent, fraction) = (x >> 15, i32::from(x >> 10 & 31), f64::from(x & 1023));
        let size = if exponent == 0 {
            fraction / 2_f64.powi(24)
        } else {
            (1024.0 + fraction) * 2_f64.powi(exponent - 25)
        };
        if sign == 1 { -size } else { size }
    }

    proptest! {
        #[test]
        fn small_panels_multiply(m in 0_usize..20, k in 0_usize..20, n in 0_usize..120, bytes: bool, bias: bool, gelu: bool) {
            check([m, k, n], bytes, bias, gelu)?;
        }
    }

    /// So large that rows are split, columns are split, and a panel exceeds what stays near.
    #[test]
    fn large_small_products() {
        for shape in [[5, 1031, 101], [67, 600, 130], [1, 20_000, 3], [300, 1031, 5]] {
            for bytes in [true, false] {
                check(shape, bytes, true, true).unwrap_or_else(|fault| panic!("{fault}"));
            }
        }
    }

    /// All that are finite.
    #[test]
    fn halves_are_exact() {
        for x in (0..=u16::MAX).filter(|x| x >> 10 & 31 != 31) {
            assert_eq!(f64::from(half(x)).to_bits(), said(x).to_bits(), "{x:#x}");
        }
    }
}
