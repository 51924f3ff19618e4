//! What makes matrices covariances.

use nalgebra::DMatrix;

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
    // Of what is no number there are no eigenvalues.
    let known = x.iter().all(|it| it.is_finite());
    let matrix = DMatrix::from_row_iterator(d, d, x.iter().map(|it| f64::from(*it)));
    let whole = known && matrix.symmetric_eigenvalues().iter().all(|it| *it >= -ROUNDED * most);
    (!whole).then(|| "it has a negative eigenvalue".to_owned())
}
