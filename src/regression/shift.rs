//! What a predictor that is one matrix does where prompts come from elsewhere, in closed form.
//!
//! A layer of linear self-attention that was trained on linear regression predicts `x_q^T A (1/m sum_i y_i x_i)` (Zhang, Frei
//! & Bartlett 2023, arXiv 2306.09927, theorem 4.1): it is linear in the weights of a task and in the query, and of degree
//! three in all inputs together. With normal inputs every mean of it is a polynomial of covariances.

use nalgebra::DMatrix;

/// Where prompts come from: inputs and weights are normal with mean 0, and answers have no noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// The covariance of the inputs of examples, `[d, d]`.
    pub examples: DMatrix<f64>,
    /// That of the query.
    pub query: DMatrix<f64>,
    /// That of the weights of a task.
    pub weights: DMatrix<f64>,
    /// Examples of a prompt.
    pub m: usize,
}

impl Shift {
    /// Prompts as in training: one covariance of all inputs, weights from `N(0, I)`.
    pub fn none(inputs: &DMatrix<f64>, m: usize) -> Self {
        let unit = DMatrix::identity(inputs.nrows(), inputs.nrows());
        Self { examples: inputs.clone(), query: inputs.clone(), weights: unit, m }
    }

    /// With another scale of the inputs of examples and query, of the query alone, and of the weights of tasks.
    #[must_use]
    pub fn scaled(&self, inputs: f64, query: f64, weights: f64) -> Self {
        let [inputs, query, weights] = [inputs, query, weights].map(|it| it * it);
        Self {
            examples: &self.examples * inputs,
            query: &self.query * inputs * query,
            weights: &self.weights * weights,
            m: self.m,
        }
    }

    /// `E[S W S]` for `S = X^T X / m` and the covariance `W` of the weights: with `C` that of the examples
    /// `C W C + (C W C + tr(W C) C) / m` (Isserlis 1918).
    fn square(&self) -> DMatrix<f64> {
        let both = &self.examples * &self.weights * &self.examples;
        let spread = &both + &self.examples * (&self.weights * &self.examples).trace();
        both + spread / self.m as f64
    }

    /// The variance of the answers, `E y^2`: the error of predicting 0.
    pub fn answers(&self) -> f64 {
        (&self.query * &self.weights).trace()
    }

    /// The variance of the predictions with the matrix `a`.
    pub fn predictions(&self, a: &DMatrix<f64>) -> f64 {
        (&self.query * a * self.square() * a.transpose()).trace()
    }

    /// The error `E (prediction - answer)^2` with the matrix `a`.
    pub fn error(&self, a: &DMatrix<f64>) -> f64 {
        let along = (&self.query * a * &self.examples * &self.weights).trace();
        self.predictions(a) - 2.0 * along + self.answers()
    }

    /// The matrix with the least error, `W C E[S W S]^-1`: of prompts as in training `Gamma^-1`, where
    /// `Gamma = (1 + 1/m) C + tr(C)/m I`. Examples have a covariance of full rank.
    pub fn best(&self) -> DMatrix<f64> {
        let along = &self.examples * &self.weights; // C W, and E[S W S] is symmetric
        let Some(root) = self.square().cholesky() else {
            panic!("examples and weights need covariances of full rank")
        };
        root.solve(&along).transpose()
    }
}
