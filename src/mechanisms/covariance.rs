//! What makes matrices covariances.

use crate::tensor::Tensor;

/// Relative to the largest entry: what f32 leaves of a covariance that was computed in f32.
const ROUNDED: f64 = 1e-5;

/// Why the matrices `[.., d, d]` of `x` are no covariances; `None` if they are: symmetric, without a negative eigenvalue. It
/// is called where both axes are one.
pub(super) fn fault(x: &Tensor) -> Option<String> {
    let d = *x.shape.last()?;
    x.data.chunks(d * d).find_map(|it| of_matrix(it, d))
}

fn of_matrix(x: &[f32], d: usize) -> Option<String> {
    if x.len() != d * d {
        return None; // Rows and columns differ, which is told where lengths are compared.
    }
    let most = x.iter().fold(0.0, |most: f64, it| most.max(f64::from(it.abs())));
    for (i, j) in (0..d).flat_map(|i| (0..i).map(move |j| (i, j))) {
        let [a, b] = [x[i * d + j], x[j * d + i]];
        let same = f64::from((a - b).abs()) <= ROUNDED * most;
        if !same {
            return Some(format!("it holds {a} at [{i}, {j}], but {b} at [{j}, {i}]"));
        }
    }
    (!has_root(x, d, ROUNDED * most)).then(|| "it has a negative eigenvalue".to_owned())
}

/// Whether elimination finds no pivot below `-least`, and beside pivots of 0 nothing but zeros.
fn has_root(x: &[f32], d: usize, least: f64) -> bool {
    let mut rows: Vec<f64> = x.iter().map(|it| f64::from(*it)).collect();
    for k in 0..d {
        let pivot = rows[k * d + k];
        if pivot <= least {
            // Of entries beside a pivot of 0 a square is at most the product with the other pivot.
            let beside =
                (k + 1..d).all(|j| rows[k * d + j].powi(2) <= 4.0 * least * (rows[j * d + j].abs() + least));
            if pivot < -least || pivot.is_nan() || !beside {
                return false;
            }
            continue;
        }
        for i in k + 1..d {
            let share = rows[i * d + k] / pivot;
            (k..d).for_each(|j| rows[i * d + j] -= share * rows[k * d + j]);
        }
    }
    true
}
