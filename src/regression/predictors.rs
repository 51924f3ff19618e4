//! Algorithms that learn from examples, in f64.

use nalgebra::{DMatrix, DVector};

/// What is known of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// Inputs, `[pos, d]`.
    pub x: DMatrix<f64>,
    /// Answers, `[pos]`.
    pub y: DVector<f64>,
}

/// The weights after `steps` steps of rate `eta` on `1/(2N) sum_j (w x_j - y_j)^2`, from `w0`.
pub fn descent(it: &Examples, w0: &DVector<f64>, eta: f64, steps: usize) -> DVector<f64> {
    let rate = eta / it.y.len() as f64;
    (0..steps).fold(w0.clone(), |w, _| &w - it.x.tr_mul(&(&it.x * &w - &it.y)) * rate)
}

/// What GD++ predicts from zero: every step also makes `(I - gamma X^T X) x` of each input and of the query (von Oswald et
/// al. 2022, arXiv 2212.07677). The sum is over examples.
pub fn descent_plus_plus(it: &Examples, query: &DVector<f64>, eta: f64, gamma: f64, steps: usize) -> f64 {
    let (mut x, mut y, mut query, mut predicted) = (it.x.clone(), it.y.clone(), query.clone(), 0.0);
    let rate = eta / y.len() as f64;
    for _ in 0..steps {
        let step = x.tr_mul(&y) * rate;
        let bent = x.tr_mul(&x) * gamma;
        predicted += step.dot(&query);
        (y, query) = (y - &x * &step, &query - &bent * &query);
        x = &x - &x * bent;
    }
    predicted
}

/// `(X^T X + lambda I)^-1 X^T y`, with `lambda` above 0.
pub fn ridge(it: &Examples, lambda: f64) -> DVector<f64> {
    let d = it.x.ncols();
    let matrix = it.x.tr_mul(&it.x) + DMatrix::identity(d, d) * lambda;
    let Some(root) = matrix.cholesky() else {
        panic!("ridge regression needs a lambda above 0, not {lambda}")
    };
    root.solve(&it.x.tr_mul(&it.y))
}

/// Least squares; of the weights that fit equally well the shortest. Singular values below `1e-12` of the largest are 0.
pub fn least_squares(it: &Examples) -> DVector<f64> {
    let svd = it.x.clone().svd(true, true);
    let least = 1e-12 * svd.singular_values.max();
    svd.solve(&it.y, least).unwrap_or_else(|why| panic!("both factors were asked for: {why}"))
}

/// Stochastic gradient descent that sees every example once, in order, from zero: `w - eta (w x_j - y_j) x_j`.
pub fn one_pass(it: &Examples, eta: f64) -> DVector<f64> {
    let zero = DVector::zeros(it.x.ncols());
    it.x.row_iter().zip(it.y.iter()).fold(zero, |w, (x, y)| {
        let x = x.transpose();
        &w - &x * (eta * (w.dot(&x) - y))
    })
}

/// The mean answer of the `k` examples nearest to the query, of all where there are fewer.
pub fn nearest(it: &Examples, query: &DVector<f64>, k: usize) -> f64 {
    let far = |i: usize| (it.x.row(i).transpose() - query).norm_squared();
    let mut order: Vec<usize> = (0..it.y.len()).collect();
    order.sort_by(|a, b| far(*a).total_cmp(&far(*b)));
    let k = k.clamp(1, order.len());
    order[..k].iter().map(|i| it.y[*i]).sum::<f64>() / k as f64
}
