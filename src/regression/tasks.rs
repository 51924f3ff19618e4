//! Tasks drawn by chance, and how well some steps of gradient descent can solve them.

use nalgebra::{DMatrix, DVector};

use super::{Component, Examples, Features};
use crate::data::Random;
use crate::tensor::Tensor;

/// Where inputs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Covariates {
    /// Each coordinate between minus this and this. Von Oswald et al. train with 0.5: their `input_range` of 1 is the width.
    Uniform(f64),
    /// Normal with mean 0 and this covariance `[d, d]`.
    Normal(DMatrix<f64>),
    /// The features of a number between -1 and 1, uniform: the task is a function of that number.
    Features(Features),
}

/// Where the weights of a task come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Prior {
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// One of several Gaussians, by their weights.
    Mixture(Vec<Component>),
}

/// Linear regression: `y = w x` and noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Tasks {
    /// Coordinates of an input.
    pub d: usize,
    /// Examples of a prompt.
    pub n: usize,
    /// Where inputs come from.
    pub inputs: Covariates,
    /// Where weights come from.
    pub prior: Prior,
    /// Standard deviation of what is added to every answer.
    pub noise: f64,
}

/// Examples of one task, and what is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What is known.
    pub examples: Examples,
    /// What is asked, `[d]`.
    pub query: DVector<f64>,
    /// Its answer, without noise.
    pub answer: f64,
    /// The weights behind it, `[d]`.
    pub w: DVector<f64>,
}

impl Tasks {
    /// The tasks of von Oswald et al. 2022: uniform inputs, weights from `N(0, I)`, no noise.
    pub fn uniform(d: usize, n: usize, range: f64) -> Self {
        Self { d, n, inputs: Covariates::Uniform(range), prior: Prior::Normal(1.0), noise: 0.0 }
    }

    /// One task.
    pub fn draw(&self, random: &mut Random) -> Prompt {
        let w = self.weights(random);
        let points: Vec<DVector<f64>> = (0..=self.n).map(|_| self.input(random)).collect();
        let x = DMatrix::from_fn(self.n, self.d, |i, j| points[i][j]);
        let y = &x * &w + DVector::from_fn(self.n, |_, _| self.noise * random.normal());
        let query = points[self.n].clone();
        Prompt { examples: Examples { x, y }, answer: query.dot(&w), query, w }
    }

    /// `count` tasks as tensors: `x` `[task, pos, d]`, `y` `[task, pos]`, query `[task, d]`, its answer `[task]`.
    pub fn batch(&self, count: usize, random: &mut Random) -> Vec<Tensor> {
        let (mut x, mut y, mut query, mut answer) = (vec![], vec![], vec![], vec![]);
        for _ in 0..count {
            let it = self.draw(random);
            x.extend(it.examples.x.transpose().iter().map(|it| *it as f32)); // row by row: nalgebra goes by columns
            y.extend(it.examples.y.iter().map(|it| *it as f32));
            query.extend(it.query.iter().map(|it| *it as f32));
            answer.push(it.answer as f32);
        }
        vec![
            Tensor::new(&[count, self.n, self.d], x),
            Tensor::new(&[count, self.n], y),
            Tensor::new(&[count, self.d], query),
            Tensor::new(&[count], answer),
        ]
    }

    fn weights(&self, random: &mut Random) -> DVector<f64> {
        match &self.prior {
            Prior::Normal(deviation) => DVector::from_fn(self.d, |_, _| deviation * random.normal()),
            Prior::Mixture(components) => {
                let mut left = random.unit() * components.iter().map(|it| it.weight).sum::<f64>();
                let chosen = components.iter().find(|it| {
                    left -= it.weight;
                    left < 0.0
                });
                let it = chosen.or(components.last()).unwrap_or_else(|| panic!("a mixture of nothing"));
                &it.mean + normal(&it.covariance, random)
            }
        }
    }

    fn input(&self, random: &mut Random) -> DVector<f64> {
        match &self.inputs {
            Covariates::Uniform(range) => DVector::from_fn(self.d, |_, _| random.between(-range, *range)),
            Covariates::Normal(covariance) => normal(covariance, random),
            Covariates::Features(features) => features.of(random.between(-1.0, 1.0)),
        }
    }
}

/// A normal vector of mean 0. The root is that of the eigenvalues, as a covariance need not have full rank.
fn normal(covariance: &DMatrix<f64>, random: &mut Random) -> DVector<f64> {
    let eigen = covariance.clone().symmetric_eigen();
    let scaled = eigen.eigenvalues.map(|it| it.max(0.0).sqrt() * random.normal());
    eigen.eigenvectors * scaled
}

/// The best learning rate of one step from zero on uniform inputs, and the loss `E (prediction - y)^2 / 2` that it leaves, in
/// closed form: with `s` the variance of an input and `m` its fourth moment, `E[S^2] = ((m + (d-1) s^2)/N + (1-1/N) s^2) I`
/// for `S = X^T X / N`, the rate is `s / E[S^2]`, and `d s/2 (1 - s^2 / E[S^2])` is left.
pub fn one_step(d: usize, n: usize, range: f64) -> (f64, f64) {
    let (d, n) = (d as f64, n as f64);
    let (s, m) = (range.powi(2) / 3.0, range.powi(4) / 5.0);
    let square = (m + (d - 1.0) * s * s) / n + (1.0 - 1.0 / n) * s * s;
    (s / square, 0.5 * d * s * (1.0 - s * s / square))
}

/// The least losses that so many `steps` of gradient descent from zero reach, each number of them with one learning rate for all
/// tasks: the mean over `count` drawn inputs, exact in weights and query. `w - w_k = (I - eta S)^k w`, so with the eigenvalues
/// `l` of `S` the loss is `s/2 sum_i (1 - eta l_i)^2k`.
pub fn floors(tasks: &Tasks, steps: &[i32], count: usize, random: &mut Random) -> Vec<f64> {
    let Covariates::Uniform(range) = tasks.inputs else { panic!("floors are those of uniform inputs") };
    let spectra: Vec<DVector<f64>> = (0..count)
        .map(|_| {
            let x = tasks.draw(random).examples.x;
            (x.transpose() * &x / tasks.n as f64).symmetric_eigenvalues()
        })
        .collect();
    let loss = |eta: f64, steps: i32| {
        let left = |it: &DVector<f64>| it.iter().map(|l| (1.0 - eta * l).powi(2 * steps)).sum::<f64>();
        range.powi(2) / 6.0 * spectra.iter().map(left).sum::<f64>() / count as f64
    };
    // Convex in the rate, as every term is: thirds are cut off, until the rate is known to a thousandth of where it began.
    let least = |steps: &i32| {
        let (mut low, mut high) = (0.0, 6.0 / range.powi(2));
        for _ in 0..20 {
            let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if loss(a, *steps) < loss(b, *steps) { high = b } else { low = a }
        }
        loss(0.5 * (low + high), *steps)
    };
    steps.iter().map(least).collect()
}
