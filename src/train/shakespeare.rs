//! Shakespeare, a character after the other, by a small GPT (Radford et al. 2019) and by a smaller RetNet (Sun et al. 2023,
//! arXiv 2307.08621).

use serde_json::Value;

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::text::{self, Text, windows, windows_at};
use crate::graph::Var;
use crate::models::{gpt, retnet};
use crate::nn::loss::{accuracy, cross_entropy};
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Activation, Params};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 2] = [
    NamedRecipe {
        name: "shakespeare-gpt",
        about: "the next character of Shakespeare, by a small GPT",
        open: |steps| Ok(Box::new(Shakespeare::gpt(read()?, steps.unwrap_or(6000)))),
    },
    NamedRecipe {
        name: "shakespeare-retnet",
        about: "the next character of Shakespeare, by a RetNet of two layers",
        open: |steps| Ok(Box::new(Shakespeare::retnet(read()?, steps.unwrap_or(3000)))),
    },
];

/// Windows in a batch.
const BATCH: usize = 32;

/// Characters that the model sees.
const POSITIONS: usize = 128;

/// The recipe.
pub struct Shakespeare {
    name: &'static str,
    /// The model.
    pub model: Architecture,
    text: Text,
    steps: u32,
}

/// A model of characters, by its sizes.
pub enum Architecture {
    /// Attention.
    Gpt(gpt::Config),
    /// Retention.
    Retnet(retnet::Config),
}

fn read() -> Result<Text, String> {
    text::shakespeare().map_err(|it| it.to_string())
}

impl Shakespeare {
    /// A GPT on a text.
    pub fn gpt(text: Text, steps: u32) -> Self {
        let config = gpt::Config {
            vocabulary: text.vocabulary.len(),
            positions: POSITIONS,
            d_model: 128,
            layers: 4,
            heads: 4,
            d_mlp: 512,
            activation: Activation::GeluTanh,
            eps: 1e-5,
            tied: true,
        };
        Self { name: "shakespeare-gpt", model: Architecture::Gpt(config), text, steps }
    }

    /// A RetNet on a text.
    pub fn retnet(text: Text, steps: u32) -> Self {
        let config = retnet::Config {
            vocabulary: text.vocabulary.len(),
            outputs: text.vocabulary.len(),
            positions: POSITIONS,
            d_model: 96,
            d_value: 144,
            layers: 2,
            heads: 4,
            d_mlp: 144,
            eps: 1e-5,
            first_decay: 5.0,
        };
        Self { name: "shakespeare-retnet", model: Architecture::Retnet(config), text, steps }
    }
}

impl Recipe for Shakespeare {
    fn course(&self) -> Course {
        Course {
            name: self.name,
            data: "Shakespeare's works in modern spelling, but for the last tenth".to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 0.1, ..AdamW::default() }),
            schedule: Schedule { peak: 2e-3, warm_up: 200, floor: 0.05 },
            clip: Some(1.0),
            exempt: &[],
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        match &self.model {
            Architecture::Gpt(config) => config.untrained(seed),
            Architecture::Retnet(config) => config.untrained(seed),
        }
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        let it = windows(&self.text.train, BATCH, POSITIONS, seed, step as usize);
        vec![it.tokens, it.next]
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [tokens, next] = batch else { panic!("a batch is characters and those that follow") };
        let logits = match &self.model {
            Architecture::Gpt(config) => gpt::record(config, *tokens, p).logits,
            Architecture::Retnet(config) => retnet::record(config, *tokens, p).logits,
        };
        Loss { loss: cross_entropy(logits, *next), measures: vec![("accuracy", accuracy(logits, *next))] }
    }

    fn files(&self) -> Vec<(&'static str, Value)> {
        let config = match &self.model {
            Architecture::Gpt(config) => config.to_json(),
            Architecture::Retnet(config) => config.to_json(),
        };
        vec![("config.json", config), ("tokenizer.json", self.text.vocabulary.tokenizer())]
    }

    /// Windows that do not overlap, evenly spread: 128 thousand characters.
    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        let ids = &self.text.held_out;
        let places = ids.len().saturating_sub(1) / POSITIONS;
        let starts: Vec<usize> = (0..places).step_by((places / 1000).max(1)).map(|i| i * POSITIONS).collect();
        let batch = |starts: &[usize]| {
            let it = windows_at(ids, POSITIONS, starts);
            vec![it.tokens, it.next]
        };
        starts.chunks(50).map(batch).collect()
    }
}
