//! Shakespeare, a character after the other, by a small GPT (Radford et al. 2019).

use serde_json::Value;

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::text::{self, Text, windows, windows_at};
use crate::graph::Var;
use crate::models::gpt;
use crate::nn::loss::{accuracy, cross_entropy};
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Activation, Params};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipe, by name.
pub const ENTRY: NamedRecipe = NamedRecipe {
    name: "shakespeare-gpt",
    about: "the next character of Shakespeare, by a small GPT",
    open: |steps| {
        let text = text::shakespeare().map_err(|it| it.to_string())?;
        Ok(Box::new(Shakespeare::new(text, steps.unwrap_or(6000))))
    },
};

/// Windows in a batch.
const BATCH: usize = 32;

/// Characters that the model sees.
const POSITIONS: usize = 128;

/// The recipe.
pub struct Shakespeare {
    /// The model's sizes.
    pub config: gpt::Config,
    text: Text,
    steps: u32,
}

impl Shakespeare {
    /// The recipe on a text.
    pub fn new(text: Text, steps: u32) -> Self {
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
        Self { config, text, steps }
    }
}

impl Recipe for Shakespeare {
    fn course(&self) -> Course {
        Course {
            name: ENTRY.name,
            data: "Shakespeare's works in modern spelling, but for the last tenth".to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 0.1, ..AdamW::default() }),
            schedule: Schedule { peak: 2e-3, warm_up: 200, floor: 0.05 },
            clip: Some(1.0),
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        self.config.untrained(seed)
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        let it = windows(&self.text.train, BATCH, POSITIONS, seed, step as usize);
        vec![it.tokens, it.next]
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [tokens, next] = batch else { panic!("a batch is characters and those that follow") };
        let logits = gpt::record(&self.config, *tokens, p).logits;
        Loss { loss: cross_entropy(logits, *next), measures: vec![("accuracy", accuracy(logits, *next))] }
    }

    fn files(&self) -> Vec<(&'static str, Value)> {
        vec![("config.json", self.config.to_json()), ("tokenizer.json", self.text.vocabulary.tokenizer())]
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
