//! What is believed, and what is true.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::IclBayes;
use crate::data::Random;
use crate::regression::{Component, Covariates, Features, Prompt, Tasks, pool};
use crate::train::regression::{EXAMPLES, bands, kinds};

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

/// What is believed of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prior {
    /// One Gaussian; of Fourier series one band.
    Gaussian,
    /// Three, as in what the transformer learnt.
    Mixture,
    /// Eight functions and no others.
    Pool,
}

/// The highest frequency of a Fourier series.
pub(super) const HIGHEST: usize = 6;

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
            return bands(self.functions.features());
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
            return if self.prior == Prior::Gaussian { vec![self.one_band()] } else { self.truth() };
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

    /// One band of frequencies, all alike.
    pub(super) fn one_band(&self) -> Component {
        self.functions.features().band(0, self.band.min(HIGHEST))
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
