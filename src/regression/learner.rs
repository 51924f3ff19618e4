//! The algorithms that Akyurek et al. 2022 (arXiv 2211.15661, section 4) hold a transformer against, under one roof: examples
//! in, answers out.

use nalgebra::{DMatrix, DVector};

use super::{Examples, descent, least_squares, nearest, one_pass, ridge};

/// An algorithm that learns from examples whose weights are drawn from `N(0, I)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Learner {
    /// The mean of the posterior, which knows the noise: ridge regression with `lambda` its variance.
    Bayes,
    /// Least squares; of the weights that fit equally well the shortest.
    LeastSquares,
    /// Ridge regression with this `lambda`.
    Ridge(f64),
    /// A step of gradient descent from zero with the rate that is best for many tasks, [`step_rate`].
    Step,
    /// So many steps from zero, with the largest rate of which none overshoots: one over the largest eigenvalue of
    /// `X^T X / N`.
    Descent(usize),
    /// Stochastic gradient descent that sees every example once, with the rate `1 / (d + 2)`: the best without noise.
    OnePass,
    /// The mean answer of so many nearest examples.
    Nearest(usize),
}

impl Learner {
    /// What it says of every query `[query, d]` after examples with noise of this deviation; 0 after none.
    pub fn answers(self, it: &Examples, queries: &DMatrix<f64>, noise: f64) -> DVector<f64> {
        if it.y.is_empty() {
            return DVector::zeros(queries.nrows());
        }
        let w = match self {
            Self::Nearest(k) => {
                let each = queries.row_iter().map(|query| nearest(it, &query.transpose(), k));
                return DVector::from_iterator(queries.nrows(), each);
            }
            Self::Bayes if noise > 0.0 => ridge(it, noise.powi(2)),
            Self::Bayes | Self::LeastSquares => least_squares(it),
            Self::Ridge(lambda) => ridge(it, lambda),
            Self::Step => from_zero(it, step_rate(it, noise), 1),
            Self::Descent(steps) => {
                let most = it.x.clone().singular_values().max().powi(2) / it.y.len() as f64;
                from_zero(it, 1.0 / most.max(f64::MIN_POSITIVE), steps)
            }
            Self::OnePass => one_pass(it, 1.0 / (it.x.ncols() as f64 + 2.0)),
        };
        queries * w
    }
}

fn from_zero(it: &Examples, eta: f64, steps: usize) -> DVector<f64> {
    descent(it, &DVector::zeros(it.x.ncols()), eta, steps)
}

/// The rate of one step from zero that leaves the least error in the mean, for inputs and weights from `N(0, I)`: with
/// `S = X^T X / N`, `E[S^2] = 1 + (d + 1) / N`, and noise adds `noise^2 / N`.
pub fn step_rate(it: &Examples, noise: f64) -> f64 {
    let (n, d) = (it.y.len() as f64, it.x.ncols() as f64);
    1.0 / (1.0 + (d + 1.0 + noise.powi(2)) / n)
}
