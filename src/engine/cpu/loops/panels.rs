//! Products with a constant right side, cut into panels beforehand: as many columns as a tile of sums has, so that they are read in
//! the order in which they lie.

#[cfg(any(test, target_arch = "wasm32"))]
mod narrow;
#[cfg(not(target_arch = "wasm32"))]
mod wide;

#[cfg(target_arch = "wasm32")]
use self::narrow as tile;
#[cfg(not(target_arch = "wasm32"))]
use self::wide as tile;
use crate::Strided;

/// What is done to a product.
#[derive(Clone, Copy)]
pub struct Then<'a> {
    /// Its factor.
    pub alpha: f32,
    /// What is added to every row.
    pub bias: Option<&'a [f32]>,
    /// Whether GELU follows.
    pub gelu: bool,
}

/// What multiplies by the whole panels of a right side, with what comes then but for GELU; arguments as [`multiply`]'s.
pub type Product = fn(&mut [f32], &[f32], &[f32], [usize; 2], Then<'_>);

/// Has whole panels multiplied by `product` from now on.
#[cfg(target_arch = "wasm32")]
pub fn fuse(product: Product) {
    let _ = narrow::FUSED.set(product); // The first one stays.
}

/// Whether [`fuse`] was called.
#[cfg(target_arch = "wasm32")]
pub fn fused() -> bool {
    narrow::FUSED.get().is_some()
}

/// `[1, 1, k, n]` as panels of some columns, `[n / width, k, width]`; what is missing in the last is 0.
pub fn pack(b: Strided<'_>) -> Vec<f32> {
    packed(b, tile::width(b.shape[3]))
}

/// `out = alpha * a x b + bias`, shapes `[m, k] x [k, n] -> [m, n]`, then GELU: `a` row-major, `b` packed.
pub fn multiply(out: &mut [f32], a: &[f32], b: &[f32], [k, n]: [usize; 2], then: Then<'_>) {
    tile::multiply(out, a, b, [k, n], then);
}

/// The same on the core that calls.
pub(crate) fn multiply_here(out: &mut [f32], a: &[f32], b: &[f32], [k, n]: [usize; 2], then: Then<'_>) {
    tile::multiply_here(out, a, b, [k, n], then);
}

fn packed(b: Strided<'_>, width: usize) -> Vec<f32> {
    let ([_, _, k, n], [_, _, row, column]) = (b.shape, b.strides) else {
        unreachable!("products have four axes")
    };
    let mut panels = vec![0.0; n.next_multiple_of(width) * k];
    for (first, panel) in (0..*n).step_by(width).zip(panels.chunks_mut((width * k).max(1))) {
        let columns = first..*n.min(&(first + width));
        if *column == 1 {
            for (p, line) in panel.chunks_mut(width).enumerate() {
                line[..columns.len()].copy_from_slice(&b.data[p * row..][columns.clone()]);
            }
        } else {
            for (i, j) in columns.enumerate() {
                panel
                    .chunks_mut(width)
                    .enumerate()
                    .for_each(|(p, line)| line[i] = b.data[p * row + j * column]);
            }
        }
    }
    panels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Both kinds of panels, with what cuts them and what multiplies by them.
    fn kinds(n: usize) -> [(usize, Product); 2] {
        [(narrow::width(n), narrow::multiply), (wide::width(n), wide::multiply)]
    }

    fn check([m, k, n]: [usize; 3], turned: bool, bias: bool, gelu: bool) -> Result<(), TestCaseError> {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
        let (a, b, beta) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
        let strides = if turned { [0, 0, 1, k] } else { [0, 0, n, 1] };
        let then = Then { alpha: 0.5, bias: bias.then_some(&beta[..]), gelu };
        for (width, multiply) in kinds(n) {
            let packed = packed(Strided { data: &b, shape: &[1, 1, k, n], strides: &strides }, width);
            let mut out = vec![f32::NAN; m * n];
            multiply(&mut out, &a, &packed, [k, n], then);
            for (at, found) in out.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let product = |p| f64::from(a[i * k + p]) * f64::from(b[p * strides[2] + j * strides[3]]);
                let sum: f64 = (0..k).map(product).sum();
                let sum = 0.5 * sum + if bias { f64::from(beta[j]) } else { 0.0 };
                let expected = if gelu { 0.5 * sum * (1.0 + libm::erf(sum / 2_f64.sqrt())) } else { sum };
                // An f32 sum of k products below 1 errs by half a unit in the last place of each partial sum; GELU's slope is below 1.2.
                let most = 1e-5_f64.max(6e-8 * (k * k) as f64 / 2.0);
                prop_assert!((f64::from(*found) - expected).abs() < most, "{m} {k} {n}: {found} {expected}");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn panels_multiply(m in 0_usize..20, k in 0_usize..20, n in 0_usize..120, turned: bool, bias: bool, gelu: bool) {
            check([m, k, n], turned, bias, gelu)?;
        }
    }

    /// So large that rows are split, columns are split, and the left side exceeds what stays near.
    #[test]
    fn large_products_in_blocks() {
        for shape in [[67, 64, 101], [8, 128, 300], [300, 64, 16], [300, 1031, 5]] {
            check(shape, true, true, true).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
}
