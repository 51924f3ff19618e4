//! What stood a while ago: symbols drawn at random, and at each the three that came some steps before it are asked for, by a
//! RetNet of two layers (Sun et al. 2023, arXiv 2307.08621). Nothing but memory helps, so what a head contributes shows in the
//! lags that are lost without it.

use serde_json::Value;

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::data::text::Vocabulary;
use crate::graph::Var;
use crate::models::retnet;
use crate::nn::Params;
use crate::nn::loss::{accuracy, cross_entropy};
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 2] = [
    NamedRecipe {
        name: "lag-recall",
        about: "the symbols 2, 8 and 32 steps ago, by a RetNet with the decays of its paper",
        open: |steps| Ok(Box::new(LagRecall::new("lag-recall", 5.0, steps.unwrap_or(STEPS)))),
    },
    NamedRecipe {
        name: "lag-recall-fast",
        about: "the same with decays eight times as fast",
        open: |steps| Ok(Box::new(LagRecall::new("lag-recall-fast", 2.0, steps.unwrap_or(STEPS)))),
    },
];

/// How long ago what is asked for was.
pub const LAGS: [usize; 3] = [2, 8, 32];
/// Symbols that there are.
pub const SYMBOLS: usize = 8;
/// Symbols of a sequence; asked from the first at which all lags are there.
pub const LENGTH: usize = 64;
/// Steps of a training.
const STEPS: u32 = 2000;
/// Sequences in a batch.
const BATCH: usize = 16;

/// The recipe.
pub struct LagRecall {
    name: &'static str,
    /// The model.
    pub config: retnet::Config,
    steps: u32,
}

impl LagRecall {
    /// The recipe with decays `1 - 2^(-first_decay - h)`.
    pub fn new(name: &'static str, first_decay: f32, steps: u32) -> Self {
        let config = retnet::Config {
            vocabulary: SYMBOLS,
            outputs: LAGS.len() * SYMBOLS,
            positions: LENGTH,
            d_model: 64,
            d_value: 128,
            layers: 2,
            heads: 4,
            d_mlp: 128,
            eps: 1e-5,
            first_decay,
        };
        Self { name, config, steps }
    }
}

/// `n` sequences `[batch, pos]`, and what is asked for at each place behind the longest lag, `[batch, pos, lag]`.
pub fn sequences(n: usize, random: &mut Random) -> Vec<Tensor> {
    let symbols = Tensor::from_fn(&[n, LENGTH], |_| random.below(SYMBOLS) as f32);
    let first = LAGS[LAGS.len() - 1];
    let asked = Tensor::from_fn(&[n, LENGTH - first, LAGS.len()], |at| {
        symbols.at(&[at[0], first + at[1] - LAGS[at[2]]])
    });
    vec![symbols, asked]
}

/// `[.., pos, lag * symbol]` of all places as `[.., pos, lag, symbol]` of those that are asked.
pub fn answers(logits: Var<'_>) -> Var<'_> {
    let (shape, first) = (logits.shape(), LAGS[LAGS.len() - 1]);
    let asked = shape[shape.len() - 2] - first;
    let lead = &shape[..shape.len() - 2];
    logits.slice(-2, first, asked).reshape(&[lead, &[asked, LAGS.len(), SYMBOLS]].concat())
}

impl Recipe for LagRecall {
    fn course(&self) -> Course {
        Course {
            name: self.name,
            data: "drawn at random: sequences of eight symbols".to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 0.01, ..AdamW::default() }),
            schedule: Schedule { peak: 4e-3, warm_up: 200, floor: 0.02 },
            clip: Some(1.0),
            exempt: &[],
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        self.config.untrained(seed)
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        sequences(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [symbols, asked] = batch else { panic!("a batch is symbols and what is asked for") };
        let logits = answers(retnet::record(&self.config, *symbols, p).logits);
        let right = |lag| accuracy(logits.slice(-2, lag, 1), asked.slice(-1, lag, 1));
        let measures =
            vec![("right at lag 2", right(0)), ("right at lag 8", right(1)), ("right at lag 32", right(2))];
        Loss { loss: cross_entropy(logits, *asked), measures }
    }

    fn files(&self) -> Vec<(&'static str, Value)> {
        let symbols = Vocabulary { characters: ('a'..).take(SYMBOLS).collect() };
        vec![("config.json", self.config.to_json()), ("tokenizer.json", symbols.tokenizer())]
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        // Streams of batches are numbered by steps, of which there are none this high.
        (0..8).map(|i| sequences(64, &mut Random::stream(0, u64::MAX - i))).collect()
    }
}
