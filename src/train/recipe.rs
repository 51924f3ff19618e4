//! What is learnt from what.

use serde_json::Value;

use crate::graph::Var;
use crate::nn::Params;
use crate::nn::optim::{Optimizer, Schedule};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// A model and its task: everything that a training run depends on, but for the seed and the device.
///
/// A model is a function from parameters and inputs to tensors; a recipe calls it in [`Recipe::loss`], and the same
/// function reads the weights when they are learnt, from [`Params::new`]. `spirals.rs` is a whole recipe.
pub trait Recipe {
    /// Length, optimiser and provenance of the run.
    fn course(&self) -> Course;
    /// The model's parameters before training, from a seed.
    fn untrained(&self, seed: u64) -> Weights;
    /// The inputs of step `step`, which counts from 1: a function of `seed` and `step` alone, always of the same shapes.
    /// `&mut` is for caches.
    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor>;
    /// What is made small, recorded from parameters and a batch, which need not have the size of those of [`Self::batch`].
    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g>;
    /// What stands beside `model.safetensors` so that it loads as a model, by name: `config.json`, `tokenizer.json`.
    fn files(&self) -> Vec<(&'static str, Value)> {
        vec![]
    }
    /// Batches that training never sees and by which choices are made, for [`super::Trainer::validate`], as those of
    /// [`Self::held_out`].
    fn validation(&mut self) -> Vec<Vec<Tensor>> {
        vec![]
    }
    /// Batches that training never sees, for [`super::Trainer::test`]. Samples are counted by the first axis of the first
    /// tensor.
    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        vec![]
    }
}

/// Length, optimiser and provenance of a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Id of the recipe, kebab-case.
    pub name: &'static str,
    /// Where the data come from, in words for the header of the weights.
    pub data: String,
    /// Steps of the whole run, which the schedule spans.
    pub steps: u32,
    /// The optimiser.
    pub rule: Optimizer,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// The longest gradient, all parameters together; longer ones are shortened.
    pub clip: Option<f32>,
    /// Last parts of the names of parameters that weight decay leaves alone, beside all vectors.
    pub exempt: &'static [&'static str],
}

impl Course {
    /// Whether weight decay acts on a parameter: vectors (biases, gains) keep theirs, and so does what is exempt.
    pub(super) fn decays(&self, name: &str, shape: &[usize]) -> bool {
        let exempt = self.exempt.iter().any(|it| name.ends_with(it));
        shape.len() > 1 && !exempt && self.rule != self.rule.without_decay()
    }
}

/// What a recipe records for a batch: numbers without axes, means over the batch.
pub struct Loss<'g> {
    /// What is made small.
    pub loss: Var<'g>,
    /// What is measured besides, by name: `accuracy`.
    pub measures: Vec<(&'static str, Var<'g>)>,
}

impl<'g> Loss<'g> {
    /// Keeps all numbers by their names, the loss as `loss`; returns the loss.
    pub(super) fn keep(self) -> Var<'g> {
        for (name, measure) in self.measures {
            measure.keep(name);
        }
        self.loss.keep("loss")
    }
}

/// A recipe that can be asked for by name.
#[derive(Clone, Copy)]
pub struct NamedRecipe {
    /// Its id, kebab-case.
    pub name: &'static str,
    /// What is trained, in a line.
    pub about: &'static str,
    /// The recipe with a number of steps of one's own, or why its data cannot be had.
    pub open: fn(steps: Option<u32>) -> Opened,
}

/// A recipe, or what to do so that it can be had.
pub type Opened = Result<Box<dyn Recipe>, String>;

/// Every recipe.
pub fn all() -> Vec<NamedRecipe> {
    [
        &[super::spirals::ENTRY, super::linear_attention::ENTRY][..],
        &super::images::ENTRIES,
        &super::fields::ENTRIES,
        &super::lag_recall::ENTRIES,
        &super::shakespeare::ENTRIES,
    ]
    .concat()
}
