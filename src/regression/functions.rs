//! Functions of one number that are linear in their weights: what holds for linear regression holds for them.

use nalgebra::{DMatrix, DVector};

use super::Component;

/// What the weights of a function multiply, for a number `t` between -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// `1, t`: lines.
    Line,
    /// `cos pi t, sin pi t`: sines of any height and phase.
    Sine,
    /// `1`, and `cos k pi t, sin k pi t` for `k` from 1 to this (Panwar, Ahuja & Goyal 2023, arXiv 2306.04891, section 4,
    /// with `t` in fifths of theirs).
    Fourier(usize),
}

impl Features {
    /// How many weights a function has.
    pub fn count(self) -> usize {
        match self {
            Self::Line | Self::Sine => 2,
            Self::Fourier(most) => 1 + 2 * most,
        }
    }

    /// The features of `t`, `[d]`.
    pub fn of(self, t: f64) -> DVector<f64> {
        let wave = |k: usize| {
            let (sin, cos) = (std::f64::consts::PI * k as f64 * t).sin_cos();
            [cos, sin]
        };
        let all = match self {
            Self::Line => vec![1.0, t],
            Self::Sine => wave(1).to_vec(),
            Self::Fourier(most) => std::iter::once(1.0).chain((1..=most).flat_map(wave)).collect(),
        };
        DVector::from_vec(all)
    }

    /// The number that has these features.
    pub fn number(self, features: &[f64]) -> f64 {
        let angle = |cos: f64, sin: f64| sin.atan2(cos) / std::f64::consts::PI;
        match (self, features) {
            (Self::Line, [_, t]) => *t,
            (Self::Sine, [cos, sin]) | (Self::Fourier(_), [_, cos, sin, ..]) => angle(*cos, *sin),
            _ => 0.0, // without a wave all numbers have the same
        }
    }

    /// The features of every number, `[pos, d]`.
    pub fn at(self, t: &[f64]) -> DMatrix<f64> {
        let rows: Vec<_> = t.iter().map(|t| self.of(*t).transpose()).collect();
        if rows.is_empty() { DMatrix::zeros(0, self.count()) } else { DMatrix::from_rows(&rows) }
    }

    /// To which frequency a weight belongs; 0 is what does not change with `t`.
    pub fn frequency(self, weight: usize) -> usize {
        match self {
            Self::Line => weight.min(1),
            Self::Sine => 1,
            Self::Fourier(_) => weight.div_ceil(2),
        }
    }

    /// A prior of Fourier series: weights of the frequencies `low` to `high` are normal, the others are 0, and a function is as
    /// high in the mean whatever the band.
    pub fn band(self, low: usize, high: usize) -> Component {
        let inside = |i: usize| (low..=high).contains(&self.frequency(i));
        let count = (low..=high).count().max(1) as f64;
        let variances = (0..self.count()).map(|i| if inside(i) { 1.0 / count } else { 0.0 });
        let covariance = DMatrix::from_diagonal(&DVector::from_iterator(self.count(), variances));
        Component { weight: 1.0, mean: DVector::zeros(self.count()), covariance }
    }
}

/// A prior that knows a pool of weights only, each as likely. Its Bayes predictor weighs the pool by how well each fits
/// (Raventós et al. 2023, arXiv 2306.15063).
pub fn pool(weights: impl IntoIterator<Item = DVector<f64>>) -> Vec<Component> {
    let certain = |mean: DVector<f64>| {
        let covariance = DMatrix::zeros(mean.len(), mean.len());
        Component { weight: 1.0, mean, covariance }
    };
    weights.into_iter().map(certain).collect()
}
