//! Training: a recipe says what is learnt from what, a [`Trainer`] takes its steps on a device.
//!
//! A step is a recording like any other: from parameters, moments of the optimiser and a batch to the loss and the next
//! parameters and moments. What a step leaves on the device is what the next one reads, and nothing changes in place: the
//! state after any step is a [`Snapshot`] that costs nothing to keep and to go back to. Batches depend on seed and step
//! only, so a run that was cut off and restored goes on bit for bit as if it had not been.

mod checkpoint;
pub mod images;
mod recipe;
pub mod shakespeare;
pub mod spirals;

use std::collections::BTreeMap;
use std::sync::Arc;

use web_time::{Duration, Instant};

pub use checkpoint::{CheckpointError, Provenance};
pub use recipe::{Course, Entry, Loss, Opened, Recipe, all};

use crate::engine::{Cancel, Device, EngineError};
use crate::graph::{Graph, Recording, Var};
use crate::nn::Params;
use crate::nn::optim::clip_by_global_norm;
use crate::tensor::Tensor;
use crate::trace::{Kept, Trace};

/// A model in training.
pub struct Trainer {
    recipe: Box<dyn Recipe>,
    course: Course,
    seed: u64,
    step: u32,
    /// Names of the state: parameters, then the moments of each.
    names: Vec<String>,
    /// How many of them are parameters.
    parameters: usize,
    /// One step. Its first states are those of `names`, then come the step's number and the batch.
    recording: Recording,
}

/// A training run after some step.
#[derive(Clone)]
pub struct Snapshot {
    /// Steps taken.
    pub step: u32,
    state: Vec<Arc<Kept>>,
}

impl Trainer {
    /// A model before its first step: the same for the same recipe and seed.
    pub fn new(mut recipe: Box<dyn Recipe>, seed: u64) -> Self {
        let course = recipe.course();
        let weights = recipe.untrained(seed);
        let value = |name: &str| Some((name.to_owned(), weights.read(name)?));
        let parameters: BTreeMap<String, Tensor> = weights.names().filter_map(value).collect();
        let batch = recipe.batch(seed, 1);
        let (names, recording) = record(&*recipe, &course, &parameters, batch);
        Self { recipe, course, seed, step: 0, names, parameters: parameters.len(), recording }
    }

    /// What the recipe says of the run.
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// Steps taken.
    pub fn step_count(&self) -> u32 {
        self.step
    }

    /// Whether all steps of the course are taken.
    pub fn is_done(&self) -> bool {
        self.step >= self.course.steps
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.recording.states[..self.parameters].iter().map(|it| it.shape.iter().product::<usize>()).sum()
    }

    /// Takes one step. The trace holds `loss`, before the step, and the recipe's other measures; reading them is up to the
    /// caller, so that a device need not wait. After an error the state is that of before.
    pub async fn step(&mut self, device: &mut Device, cancel: &Cancel) -> Result<Trace, EngineError> {
        let next = self.step + 1;
        let batch = self.recipe.batch(self.seed, next);
        let n = self.names.len();
        let inputs = std::iter::once(Tensor::scalar(next as f32)).chain(batch);
        for (slot, input) in (n..).zip(inputs) {
            assert_eq!(self.recording.states[slot].shape, input.shape, "batches have one shape");
            self.recording.states[slot] = Arc::new(Kept::from(input));
        }
        let mut trace = device.run(&self.recording, cancel).await?;
        for (name, state) in self.names.iter().zip(&mut self.recording.states) {
            let Some(kept) = trace.tensors.remove(&after(name)) else { unreachable!("{name} was kept") };
            *state = Arc::new(kept);
        }
        self.step = next;
        Ok(trace)
    }

    /// Takes steps until `budget` is spent or all are taken, at least one if there is one left; the last one's trace.
    pub async fn steps_within(
        &mut self,
        budget: Duration,
        device: &mut Device,
        cancel: &Cancel,
    ) -> Result<Option<Trace>, EngineError> {
        let (start, mut last) = (Instant::now(), None);
        while !self.is_done() && (last.is_none() || start.elapsed() < budget) {
            last = Some(self.step(device, cancel).await?);
        }
        Ok(last)
    }

    /// The means of loss and measures over what the recipe holds back from training; none if it holds nothing back.
    pub async fn test(
        &mut self,
        device: &mut Device,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, f64>, EngineError> {
        let mut sums = BTreeMap::new();
        let mut samples = 0.0;
        for batch in self.recipe.held_out() {
            let count = batch.first().and_then(|it| it.shape.first()).map_or(1.0, |n| *n as f64);
            let g = Graph::default();
            let vars = self.names[..self.parameters].iter().zip(&self.recording.states);
            let vars = vars.map(|(name, state)| (name.clone(), g.state(state))).collect();
            let inputs: Vec<Var<'_>> = batch.into_iter().map(|it| g.state(&Arc::new(it.into()))).collect();
            self.recipe.loss(&Params::recorded(&g, &vars), &inputs).keep();
            drop((vars, inputs));
            let trace = device.run(&g.finish(), cancel).await?;
            samples += count;
            for (name, kept) in &trace.tensors {
                *sums.entry(name.clone()).or_insert(0.0) += count * f64::from(kept.on_host().await?[0]);
            }
        }
        Ok(sums.into_iter().map(|(name, sum)| (name, sum / samples)).collect())
    }

    /// What stands beside the weights so that they load as a model, see [`Recipe::files`].
    pub fn files(&self) -> Vec<(&'static str, serde_json::Value)> {
        self.recipe.files()
    }

    /// The run as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { step: self.step, state: self.recording.states[..self.names.len()].to_vec() }
    }

    /// Goes back (or forth) to a snapshot of this run.
    pub fn rewind(&mut self, to: &Snapshot) {
        self.step = to.step;
        self.recording.states[..to.state.len()].clone_from_slice(&to.state);
    }

    /// The parameters as they are now, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Arc<Kept>)> {
        self.names[..self.parameters].iter().map(String::as_str).zip(&self.recording.states)
    }
}

/// Under which name a step keeps what becomes of `name`.
fn after(name: &str) -> String {
    format!("after.{name}")
}

/// Records one step; returns the names of the state beside it.
fn record(
    recipe: &dyn Recipe,
    course: &Course,
    parameters: &BTreeMap<String, Tensor>,
    batch: Vec<Tensor>,
) -> (Vec<String>, Recording) {
    let g = Graph::default();
    let leaf = |it: Tensor| g.state(&Arc::new(it.into()));
    let p: Vec<Var<'_>> = parameters.values().cloned().map(leaf).collect();
    let mut names: Vec<String> = parameters.keys().cloned().collect();
    let mut moments = vec![];
    for (name, it) in parameters {
        let zeros = || leaf(Tensor::new(&it.shape, vec![0.0; it.data.len()]));
        moments.push((0..course.rule.moments()).map(|_| zeros()).collect::<Vec<_>>());
        names.extend((0..course.rule.moments()).map(|i| format!("moments.{i}.{name}")));
    }
    let t = leaf(Tensor::scalar(1.0));
    let batch: Vec<Var<'_>> = batch.into_iter().map(leaf).collect();

    let vars = parameters.keys().cloned().zip(p.iter().copied()).collect();
    let loss = recipe.loss(&Params::recorded(&g, &vars), &batch);
    let mut gradients = g.grad(loss.keep(), &p);
    if let Some(longest) = course.clip {
        let (clipped, norm) = clip_by_global_norm(&gradients, longest);
        gradients = clipped;
        norm.keep("gradient norm");
    }
    let lr = course.schedule.rate(t, course.steps).keep("learning rate");
    for (i, name) in parameters.keys().enumerate() {
        let (next, remembered) = course.rule.update(p[i], gradients[i], &moments[i], lr, t);
        next.keep(&after(name));
        for (k, moment) in remembered.into_iter().enumerate() {
            moment.keep(&after(&format!("moments.{k}.{name}")));
        }
    }
    drop((p, moments, batch, gradients, vars));
    (names, g.finish())
}
