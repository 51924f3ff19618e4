//! What is believed, and what is true.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::IclBayes;
use crate::data::Random;
use crate::regression::{Component, Covariates, Features, Prompt, Tasks, pool};
use crate::train::regression::{EXAMPLES, kinds};

/// What functions are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Functions {
    /// An intercept and a slope.
    Lines,
    /// A cosine and a sine: one wave of any height and phase.
    Sines,
    /// Waves of several frequencies.
    Fourier,
}

/// What is believed of two weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prior {
    /// One Gaussian.
    Gaussian,
    /// Three, as in the lines that the transformer learnt.
    Mixture,
    /// Eight functions and no others.
    Pool,
}

/// The highest frequency of a Fourier series.
pub(super) const HIGHEST: usize = 6;

/// The highest frequency of those from which examples come.
const TRUE_BAND: usize = 3;

/// Functions of a pool.
const POOL: usize = 8;

impl Functions {
    pub(super) fn features(self) -> Features {
        match self {
            Self::Lines => Features::Line,
            Self::Sines => Features::Sine,
            Self::Fourier => Features::Fourier(HIGHEST),
        }
    }
}

impl IclBayes {
    /// Standard deviation of the noise: never 0, as belief would be certain.
    pub(super) fn deviation(&self) -> f64 {
        f64::from(self.noise.clamp(5, 100)) / 100.0
    }

    /// The prior as it is at first, from which examples come.
    pub(super) fn truth(&self) -> Vec<Component> {
        if self.functions == Functions::Fourier {
            return vec![self.functions.features().band(0, TRUE_BAND)];
        }
        match self.prior {
            Prior::Gaussian => {
                vec![Component { weight: 1.0, mean: DVector::zeros(2), covariance: DMatrix::identity(2, 2) }]
            }
            Prior::Mixture => kinds(),
            Prior::Pool => {
                let mut random = Random::new(4);
                pool((0..POOL).map(|_| DVector::from_fn(2, |_, _| random.between(-1.8, 1.8))))
            }
        }
    }

    /// The prior that is believed: with centres where they were dragged, and as wide as it was said.
    pub(super) fn believed(&self) -> Vec<Component> {
        if self.functions == Functions::Fourier {
            return vec![self.functions.features().band(0, self.band.min(HIGHEST))];
        }
        let wide = (f64::from(self.spread.clamp(10, 400)) / 100.0).powi(2);
        let own = |(i, it): (usize, Component)| {
            let moved = self.centres.iter().find(|it| it.0 == i);
            let mean =
                moved.map_or(it.mean, |it| DVector::from_row_slice(&it.1.map(|it| f64::from(it) / 100.0)));
            Component { mean, covariance: it.covariance * wide, ..it }
        };
        self.truth().into_iter().enumerate().map(own).collect()
    }

    /// The tasks from which examples come.
    pub(super) fn tasks(&self) -> Tasks {
        let features = self.functions.features();
        Tasks {
            d: features.count(),
            n: EXAMPLES,
            inputs: Covariates::Features(features),
            prior: crate::regression::Prior::Mixture(self.truth()),
            noise: self.deviation(),
        }
    }

    /// Examples as they are now: drawn, then dragged.
    pub(super) fn task(&self) -> Prompt {
        let mut it = self.tasks().draw(&mut Random::stream(self.seed, 0));
        for (i, at) in self.moved.iter().filter(|it| it.0 < EXAMPLES) {
            let [t, y] = at.map(|it| f64::from(it) / 100.0);
            it.examples.x.set_row(*i, &self.functions.features().of(t).transpose());
            it.examples.y[*i] = y;
        }
        it
    }
}
