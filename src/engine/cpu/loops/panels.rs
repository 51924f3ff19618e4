//! Products with a constant right side, cut into panels beforehand: as many columns as a tile of sums has, so that they are read in
//! the order in which they lie.

#[cfg(any(test, target_arch = "wasm32"))]
mod narrow;
mod small;
#[cfg(not(target_arch = "wasm32"))]
mod wide;

use std::ops::Range;

#[cfg(target_arch = "wasm32")]
use self::narrow::{multiply as on_all, multiply as here, width};
#[cfg(not(target_arch = "wasm32"))]
use self::wide::{multiply as on_all, multiply_here as here, width};
use crate::spread::for_each_chunk;
use crate::{Matrix, Strided};

pub use self::small::Small;

/// What stands on the right of a product, in panels.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    /// As [`pack`] makes them.
    F32(&'a [f32]),
    /// Of fewer bits.
    Small(&'a Small),
}

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

/// The product as it is.
const PLAIN: Then<'_> = Then { alpha: 1.0, bias: None, gelu: false };

/// What multiplies by the whole panels of some columns of a right side, with what comes then but for GELU; the other arguments as
/// [`multiply`]'s, the left side in rows.
pub type Product = fn(&mut [f32], Matrix<'_>, &[f32], [usize; 2], Range<usize>, Then<'_>);

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

/// `[k, n]` as panels of some columns, `[n / width, k, width]`; what is missing in the last is 0.
pub fn pack(b: Matrix<'_>, [k, n]: [usize; 2]) -> Vec<f32> {
    let width = width(n);
    let mut panels = vec![0.0; n.next_multiple_of(width) * k];
    for_each_chunk(&mut panels, (width * k).max(1), 1, |i, panel| fill(panel, b, i * width, n, width));
    panels
}

/// The same on the core that calls, into memory that it had before.
pub(crate) fn pack_here(panels: &mut Vec<f32>, b: Matrix<'_>, [k, n]: [usize; 2]) {
    let width = width(n);
    panels.resize(n.next_multiple_of(width) * k, 0.0);
    for (i, panel) in panels.chunks_mut((width * k).max(1)).enumerate() {
        fill(panel, b, i * width, n, width);
    }
}

/// The panel of the columns from `first` on.
fn fill(panel: &mut [f32], b: Matrix<'_>, first: usize, n: usize, width: usize) {
    let ([row, column], columns) = (b.strides, first..n.min(first + width));
    if column == 1 {
        for (p, line) in panel.chunks_mut(width).enumerate() {
            line[..columns.len()].copy_from_slice(&b.data[p * row..][columns.clone()]);
        }
    } else {
        for (i, j) in columns.enumerate() {
            let column = &b.data[j * column..];
            panel.chunks_mut(width).enumerate().for_each(|(p, line)| line[i] = column[p * row]);
        }
    }
}

/// `out = alpha * a x b + bias`, shapes `[m, k] x [k, n] -> [m, n]`, then GELU.
pub fn multiply(out: &mut [f32], a: Matrix<'_>, b: Side<'_>, [k, n]: [usize; 2], then: Then<'_>) {
    let rows = in_rows(out.len(), a, [k, n]);
    on_all(out, rows.as_ref().map_or(a, Lined::matrix), b, [k, n], then);
}

/// The same on the core that calls.
pub(crate) fn multiply_here(out: &mut [f32], a: Matrix<'_>, b: &[f32], [k, n]: [usize; 2], then: Then<'_>) {
    let rows = in_rows(out.len(), a, [k, n]);
    here(out, rows.as_ref().map_or(a, Lined::matrix), Side::F32(b), [k, n], then);
}

/// A matrix in rows of `k`.
struct Lined(Vec<f32>, usize);

impl Lined {
    fn matrix(&self) -> Matrix<'_> {
        Matrix { data: &self.0, strides: [self.1, 1] }
    }
}

/// A left side in rows, if it does not lie so; one without columns may lie anywhere.
fn in_rows(len: usize, a: Matrix<'_>, [k, n]: [usize; 2]) -> Option<Lined> {
    let column = a.strides[1];
    let lies = len == 0 || k == 1 || k > 1 && column == 1;
    (!lies).then(|| {
        let shape = [len / n, k];
        Lined(Strided { data: a.data, shape: &shape, strides: &a.strides }.to_rows(), k)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) type Multiply = fn(&mut [f32], Matrix<'_>, Side<'_>, [usize; 2], Then<'_>);

    /// Both kinds of panels: their width, and what multiplies by them.
    pub(super) fn kinds(n: usize) -> [(usize, Multiply); 2] {
        [(narrow::width(n), narrow::multiply), (wide::width(n), wide::multiply)]
    }

    fn check([m, k, n]: [usize; 3], turned: [bool; 2], bias: bool, gelu: bool) -> Result<(), TestCaseError> {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let numbers = |len: usize, seed: usize| (0..len).map(|i| number(i + seed)).collect::<Vec<f32>>();
        let (a, b, beta) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
        let strides = |[rows, columns]: [usize; 2], turned| if turned { [1, rows] } else { [columns, 1] };
        let (left, right) = (strides([m, k], turned[0]), strides([k, n], turned[1]));
        let then = Then { alpha: 0.5, bias: bias.then_some(&beta[..]), gelu };
        let rows = Strided { data: &a, shape: &[m, k], strides: &left }.to_rows();
        for (width, multiply) in kinds(n) {
            let mut panels = vec![0.0; n.next_multiple_of(width) * k];
            for (i, panel) in panels.chunks_mut((width * k).max(1)).enumerate() {
                fill(panel, Matrix { data: &b, strides: right }, i * width, n, width);
            }
            let mut out = vec![f32::NAN; m * n];
            multiply(&mut out, Matrix { data: &rows, strides: [k, 1] }, Side::F32(&panels), [k, n], then);
            for (at, found) in out.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let left = |p| f64::from(a[i * left[0] + p * left[1]]);
                let product = |p| left(p) * f64::from(b[p * right[0] + j * right[1]]);
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
        fn panels_multiply(m in 0_usize..20, k in 0_usize..20, n in 0_usize..120, turned: [bool; 2], bias: bool, gelu: bool) {
            check([m, k, n], turned, bias, gelu)?;
        }
    }

    /// So large that rows are split, columns are split, and the left side exceeds what stays near.
    #[test]
    fn large_products_in_blocks() {
        for shape in [[67, 64, 101], [8, 128, 300], [300, 64, 16], [300, 1031, 5]] {
            check(shape, [true; 2], true, true).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
}
