//! Bayes predictors, in f64: the best that can be done where prior and noise are known.

use nalgebra::{DMatrix, DVector};

use super::Examples;

/// One Gaussian of a prior over weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// How likely it is, relative to the others.
    pub weight: f64,
    /// Its mean, `[d]`.
    pub mean: DVector<f64>,
    /// Its covariance, `[d, d]`; it need not have full rank.
    pub covariance: DMatrix<f64>,
}

/// What examples say about the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// Their mean, `[d]`: with it the expected square of the error is least.
    pub mean: DVector<f64>,
    /// How likely each component is; they sum to 1.
    pub components: Vec<f64>,
}

/// The mean of the weights after the examples, and the logarithm of how likely these are, `N(y; X m, X S X^T + noise^2 I)`,
/// but for the power of `2 pi`. `noise` is a standard deviation above 0.
pub fn gaussian(prior: &Component, noise: f64, it: &Examples) -> (DVector<f64>, f64) {
    let n = it.y.len();
    let across = &it.x * &prior.covariance; // [pos, d]
    let total = &across * it.x.transpose() + DMatrix::identity(n, n) * noise.powi(2);
    let Some(root) = total.cholesky() else { panic!("Bayes predictors need noise above 0, not {noise}") };
    let off = &it.y - &it.x * &prior.mean;
    let pulled = root.solve(&off);
    let log_determinant = 2.0 * root.l_dirty().diagonal().map(f64::ln).sum();
    (&prior.mean + across.tr_mul(&pulled), -0.5 * (off.dot(&pulled) + log_determinant))
}

/// The same for weights that come from one of several Gaussians (Panwar, Ahuja & Goyal 2023, arXiv 2306.04891, section 3).
pub fn mixture(prior: &[Component], noise: f64, it: &Examples) -> Posterior {
    let each: Vec<(DVector<f64>, f64)> = prior
        .iter()
        .map(|component| {
            let (mean, evidence) = gaussian(component, noise, it);
            (mean, evidence + component.weight.ln())
        })
        .collect();
    let most = each.iter().map(|it| it.1).fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = each.iter().map(|it| (it.1 - most).exp()).collect();
    let sum: f64 = shares.iter().sum();
    let components: Vec<f64> = shares.iter().map(|it| it / sum).collect();
    let zero = DVector::zeros(it.x.ncols());
    let mean = each.iter().zip(&components).fold(zero, |sum, ((mean, _), share)| sum + mean * *share);
    Posterior { mean, components }
}
