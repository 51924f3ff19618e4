//! Small GPTs that learn in their context (Garg et al. 2022, arXiv 2208.01066): linear regression at any noise (Akyurek et al.
//! 2022, arXiv 2211.15661), and lines of three kinds and Fourier series of three bands (Panwar, Ahuja & Goyal 2023, arXiv
//! 2306.04891). Tasks are drawn anew in every step.

use nalgebra::{DMatrix, DVector};
use serde_json::Value;

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::Var;
use crate::models::regressor::{Config, Prompt, record};
use crate::nn::Params;
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::regression::{Component, Covariates, Features, Prior, Tasks};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 6] = [
    NamedRecipe {
        name: "regression-gpt",
        about: "linear regression in three dimensions at any noise, in context, by a GPT of four layers",
        open: |steps| Ok(open("regression-gpt", 4, Family::Linear, steps)),
    },
    NamedRecipe {
        name: "regression-gpt-2",
        about: "the same by two layers",
        open: |steps| Ok(open("regression-gpt-2", 2, Family::Linear, steps)),
    },
    NamedRecipe {
        name: "regression-gpt-1",
        about: "the same by one layer",
        open: |steps| Ok(open("regression-gpt-1", 1, Family::Linear, steps)),
    },
    NamedRecipe {
        name: "regression-gpt-fixed",
        about: "the same where all weights are 1, as a control for what is read out of it",
        open: |steps| Ok(open("regression-gpt-fixed", 4, Family::Fixed, Some(steps.unwrap_or(600)))),
    },
    NamedRecipe {
        name: "lines-gpt",
        about: "lines of three kinds, in context, by a GPT of three layers",
        open: |steps| Ok(open("lines-gpt", 3, Family::Lines, steps)),
    },
    NamedRecipe {
        name: "fourier-gpt",
        about: "Fourier series of three bands, in context, by a GPT of three layers",
        open: |steps| Ok(open("fourier-gpt", 3, Family::Fourier, Some(steps.unwrap_or(12_000)))),
    },
];

/// Coordinates of an input of linear regression.
pub const D: usize = 3;
/// Examples of a prompt.
pub const EXAMPLES: usize = 12;
/// Most examples after which something is asked in training: the answer of the last is never read on.
pub const MOST: usize = EXAMPLES - 1;
/// Noise of linear regression is drawn up to this deviation; a fifth of the tasks have none.
pub const NOISIEST: f64 = 1.0;
/// Deviation of the noise of lines and of Fourier series.
pub const FUNCTIONS_NOISE: f64 = 0.25;
/// The highest frequency of the widest band.
pub const WIDEST: usize = 3;
/// Tasks in a batch.
const BATCH: usize = 64;

/// What tasks are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Inputs and weights from `N(0, I)`.
    Linear,
    /// Inputs from `N(0, I)`, weights that are all 1.
    Fixed,
    /// Lines whose weights come from [`kinds`].
    Lines,
    /// Fourier series whose weights come from [`bands`]; inputs are the waves at a place.
    Fourier,
}

/// Fourier series whose highest frequency is 1, 2 or 3, each as likely: all have low frequencies, few the high ones.
pub fn bands(features: Features) -> Vec<Component> {
    (1..=WIDEST).map(|highest| features.band(0, highest)).collect()
}

/// Three kinds of lines: intercept and slope are normal around three centres.
pub fn kinds() -> Vec<Component> {
    let kind = |weight, mean: [f64; 2], [along, across]: [f64; 2], turn: f64| {
        let (sin, cos) = turn.sin_cos();
        let turn = DMatrix::from_row_slice(2, 2, &[cos, -sin, sin, cos]);
        let spread = DMatrix::from_diagonal(&DVector::from_vec(vec![along * along, across * across]));
        Component {
            weight,
            mean: DVector::from_row_slice(&mean),
            covariance: &turn * spread * turn.transpose(),
        }
    };
    vec![
        kind(0.4, [-1.1, 0.9], [0.45, 0.16], 0.6),
        kind(0.35, [1.2, 0.7], [0.4, 0.16], -0.7),
        kind(0.25, [0.0, -1.3], [0.5, 0.14], 0.0),
    ]
}

impl Family {
    /// Its tasks, with this noise where they have none of their own.
    pub fn tasks(self, noise: f64) -> Tasks {
        let normal = Covariates::Normal(DMatrix::identity(D, D));
        let tasks = Tasks { d: D, n: EXAMPLES, inputs: normal, prior: Prior::Normal(1.0), noise };
        let ones = || Component {
            weight: 1.0,
            mean: DVector::from_element(D, 1.0),
            covariance: DMatrix::zeros(D, D),
        };
        match self {
            Self::Linear => tasks,
            Self::Fixed => Tasks { prior: Prior::Mixture(vec![ones()]), ..tasks },
            Self::Lines => Tasks {
                d: 2,
                inputs: Covariates::Features(Features::Line),
                prior: Prior::Mixture(kinds()),
                noise: FUNCTIONS_NOISE,
                ..tasks
            },
            Self::Fourier => {
                let waves = Features::Fourier(WIDEST);
                Tasks {
                    d: waves.count(),
                    inputs: Covariates::Features(waves),
                    prior: Prior::Mixture(bands(waves)),
                    noise: FUNCTIONS_NOISE,
                    ..tasks
                }
            }
        }
    }

    /// The noise of a task.
    fn noise(self, random: &mut Random) -> f64 {
        match self {
            Self::Lines | Self::Fourier => FUNCTIONS_NOISE,
            Self::Linear | Self::Fixed => random.between(-0.25 * NOISIEST, NOISIEST).max(0.0),
        }
    }

    /// `count` tasks: `x` `[task, pos, d]`, `y` `[task, pos]`, their noise `[task]`, the answers without it `[task, pos]`.
    fn batch(self, count: usize, random: &mut Random) -> Vec<Tensor> {
        let [mut x, mut y, mut noises, mut answers] = [const { Vec::<f32>::new() }; 4];
        let number = |it: &f64| *it as f32;
        let mut tasks = self.tasks(0.0);
        for _ in 0..count {
            tasks.noise = self.noise(random);
            let it = tasks.draw(random);
            noises.push(tasks.noise as f32);
            x.extend(it.examples.x.transpose().iter().map(number)); // row by row: nalgebra goes by columns
            y.extend(it.examples.y.iter().map(number));
            answers.extend((&it.examples.x * &it.w).iter().map(number));
        }
        vec![
            Tensor::new(&[count, tasks.n, tasks.d], x),
            Tensor::new(&[count, tasks.n], y),
            Tensor::new(&[count], noises),
            Tensor::new(&[count, tasks.n], answers),
        ]
    }
}

/// The recipe.
pub struct Regression {
    name: &'static str,
    /// The model.
    pub config: Config,
    /// What its tasks are drawn from.
    pub family: Family,
    steps: u32,
}

fn open(name: &'static str, layers: usize, family: Family, steps: Option<u32>) -> Box<dyn Recipe> {
    let inputs = family.tasks(0.0).d;
    let config = Config { inputs, examples: EXAMPLES, d_model: 48, layers, heads: 4, d_mlp: 96 };
    Box::new(Regression { name, config, family, steps: steps.unwrap_or(6000) })
}

impl Recipe for Regression {
    fn course(&self) -> Course {
        let data = match self.family {
            Family::Linear => "drawn at random: linear regression at any noise",
            Family::Fixed => "drawn at random: linear regression with weights of 1",
            Family::Lines => "drawn at random: lines of three kinds",
            Family::Fourier => "drawn at random: Fourier series of three bands",
        };
        Course {
            name: self.name,
            data: data.to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 0.0, beta2: 0.98, ..AdamW::default() }),
            schedule: Schedule { peak: 3e-3, warm_up: 300, floor: 0.01 },
            clip: Some(1.0),
            exempt: &[],
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        self.config.untrained(seed)
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        self.family.batch(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    /// The mean square of what is wrong with what it says of every example before its answer comes. Wrong is what differs from
    /// the answer without noise: on average the same is best, and gradients hold less chance.
    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [x, y, noise, answers] = *batch else {
            panic!("a batch is inputs, answers, noise and the truth")
        };
        let off = record(&self.config, &Prompt { x, y, noise }, None, p).examples - answers;
        Loss { loss: (off * off).flat().mean(0).reshape(&[]), measures: vec![] }
    }

    fn files(&self) -> Vec<(&'static str, Value)> {
        vec![("config.json", self.config.to_json())]
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        // Streams of batches are numbered by steps, of which there are none this high.
        (0..8).map(|i| self.family.batch(256, &mut Random::stream(0, u64::MAX - i))).collect()
    }
}
