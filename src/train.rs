//! Training: a recipe says what is learnt from what, a [`Trainer`] takes its steps on a device.
//!
//! A step is a recording like any other: from parameters, moments of the optimiser and a batch to the loss and the next
//! parameters and moments. What a step leaves on the device is what the next one reads, and nothing changes in place: the
//! state after any step is a [`Snapshot`] that costs nothing to keep and to go back to. Batches depend on seed and step
//! only, so a run that was cut off and restored goes on bit for bit as if it had not been.

mod checkpoint;
pub mod fields;
pub mod images;
mod in_context;
pub mod lag_recall;
mod layout;
pub mod linear_attention;
pub mod merged_attention;
mod recipe;
pub mod regression;
pub mod separate_tokens;
pub mod shakespeare;
pub mod spirals;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use web_time::{Duration, Instant};

pub use checkpoint::{CheckpointError, Provenance};
pub use recipe::{Course, Loss, NamedRecipe, Opened, Recipe, all};

use self::layout::Layout;
use crate::engine::{Cancel, Device, EngineError};
use crate::graph::{Graph, Recording, Var};
use crate::nn::Params;
use crate::nn::optim::clip_by_global_norm;
use crate::tensor::{Tensor, size};
use crate::trace::{Kept, Trace};

/// A model in training.
pub struct Trainer {
    recipe: Box<dyn Recipe>,
    course: Course,
    seed: u64,
    step: u32,
    /// Where the parameters lie in one vector; each moment of the optimiser is such a vector, too.
    layout: Layout,
    /// One step. Its first states are the parameters and the moments, then come the step's number and the batch.
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
        let layout = Layout::new(&parameters, |name, shape| course.decays(name, shape));
        let batch = recipe.batch(seed, 1);
        let Ok(vector) = layout.join(|name, _| Ok::<_, Infallible>(parameters[name].clone()));
        let recording = record(&*recipe, &course, &layout, vector, batch);
        Self { recipe, course, seed, step: 0, layout, recording }
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
        self.layout.shapes().map(|(_, shape)| size(shape)).sum()
    }

    /// Takes one step. The trace holds `loss`, before the step, and the recipe's other measures; reading them is up to the
    /// caller, so that a device need not wait. After an error the state is that of before.
    pub async fn step(&mut self, device: &mut Device, cancel: &Cancel) -> Result<Trace, EngineError> {
        let next = self.step + 1;
        let batch = self.recipe.batch(self.seed, next);
        let n = self.vectors();
        let inputs = std::iter::once(Tensor::scalar(next as f32)).chain(batch);
        for (slot, input) in (n..).zip(inputs) {
            assert_eq!(self.recording.states[slot].shape, input.shape, "batches have one shape");
            self.recording.states[slot] = Arc::new(Kept::from(input));
        }
        let mut trace = device.run(&self.recording, cancel).await?;
        for (i, state) in self.recording.states[..n].iter_mut().enumerate() {
            let Some(kept) = trace.tensors.remove(&after(i)) else { unreachable!("vector {i} was kept") };
            *state = Arc::new(kept);
        }
        self.step = next;
        Ok(trace)
    }

    /// Records the next `n` steps beside whatever else `g` holds, and returns the parameters after them; [`Self::take`] goes
    /// on from what the run gave. With none, they are the parameters as they are now.
    pub fn record<'g>(&mut self, g: &'g Graph, n: u32) -> BTreeMap<String, Var<'g>> {
        let mut leaves =
            Leaves(self.recording.states[..self.vectors()].iter().map(|it| g.state(it)).collect());
        let count = n.min(self.course.steps - self.step);
        let mut losses = None;
        for i in 0..count {
            let step = self.step + 1 + i;
            let leaf = |it: Tensor| g.state(&Arc::new(it.into()));
            let t = leaf(Tensor::scalar(step as f32));
            let batch: Vec<Var<'g>> = self.recipe.batch(self.seed, step).into_iter().map(leaf).collect();
            let (next, loss) = leaves.step(&*self.recipe, &self.course, &self.layout, t, &batch);
            let (before, behind) = (i as usize, (count - 1 - i) as usize);
            let loss = loss.loss.reshape(&[1]).pad(0, before, behind, 0.0); // [step]
            losses = Some(losses.map_or(loss, |it: Var<'g>| it + loss));
            leaves = next;
        }
        if let Some(losses) = losses {
            losses.keep("losses");
        }
        leaves.keep();
        g.label("steps", vec![self.step.to_string(), (self.step + count).to_string()]);
        self.layout.see(leaves.0[0])
    }

    /// Goes on from the trace of a recording that [`Self::record`] made at this step; the losses of its steps, or `None` if
    /// the trace belongs to another step, or its losses are still on their way.
    pub fn take(&mut self, trace: &Trace) -> Option<Vec<f32>> {
        let [from, to] = trace.words("steps") else { return None };
        let (from, to) = (from.parse::<u32>().ok()?, to.parse::<u32>().ok()?);
        if from != self.step || to <= from {
            return None;
        }
        let losses = trace.get("losses")?.window(0..(to - from) as usize)?.to_vec();
        let state = |i| Some(Arc::new(trace.get(&after(i))?.clone()));
        let states: Vec<Arc<Kept>> = (0..self.vectors()).map(state).collect::<Option<_>>()?;
        self.recording.states[..states.len()].clone_from_slice(&states);
        self.step = to;
        Some(losses)
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

    /// The means of loss and measures over what choices are made by; none if the recipe has nothing for that.
    pub async fn validate(
        &mut self,
        device: &mut Device,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, f64>, EngineError> {
        let batches = self.recipe.validation();
        self.measure(batches, device, cancel).await
    }

    /// The means of loss and measures over what the recipe holds back from training; none if it holds nothing back.
    pub async fn test(
        &mut self,
        device: &mut Device,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, f64>, EngineError> {
        let batches = self.recipe.held_out();
        self.measure(batches, device, cancel).await
    }

    async fn measure(
        &self,
        batches: Vec<Vec<Tensor>>,
        device: &mut Device,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, f64>, EngineError> {
        let mut sums = BTreeMap::new();
        let mut samples = 0.0;
        for batch in batches {
            let count = batch.first().and_then(|it| it.shape.first()).map_or(1.0, |n| *n as f64);
            let g = Graph::default();
            let vars = self.layout.see(g.state(&self.recording.states[0]));
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
        Snapshot { step: self.step, state: self.recording.states[..self.vectors()].to_vec() }
    }

    /// Goes back (or forth) to a snapshot of this run.
    pub fn rewind(&mut self, to: &Snapshot) {
        self.step = to.step;
        self.recording.states[..to.state.len()].clone_from_slice(&to.state);
    }

    /// The parameters as they are now, by name, in host memory.
    pub async fn parameters(&self) -> Result<BTreeMap<String, Tensor>, EngineError> {
        let all = self.recording.states[0].on_host().await?;
        let tensors = self.layout.split(&all);
        Ok(tensors.map(|(name, shape, data)| (name.to_owned(), Tensor::new(shape, data))).collect())
    }

    /// How many vectors the state is: parameters and moments.
    fn vectors(&self) -> usize {
        1 + self.course.rule.moments()
    }
}

/// Under which name a step keeps what becomes of vector `i`.
fn after(i: usize) -> String {
    if i == 0 { "after.parameters".to_owned() } else { format!("after.moments.{}", i - 1) }
}

/// The state of a run: all parameters as one vector, then the moments.
struct Leaves<'g>(Vec<Var<'g>>);

impl<'g> Leaves<'g> {
    /// The same, one step further, and what the step measured.
    fn step(
        self,
        recipe: &dyn Recipe,
        course: &Course,
        layout: &Layout,
        t: Var<'g>,
        batch: &[Var<'g>],
    ) -> (Self, Loss<'g>) {
        let g = t.graph();
        let parameters = layout.see(self.0[0]);
        let mut loss = recipe.loss(&Params::recorded(g, &parameters), batch);
        let mut gradient = Var::pack(&g.grad(loss.loss, &layout.in_order(&parameters)));
        if let Some(longest) = course.clip {
            let (clipped, norm) = clip_by_global_norm(&[gradient], longest);
            gradient = clipped[0];
            loss.measures.push(("gradient norm", norm));
        }
        let lr = course.schedule.rate(t, course.steps);
        loss.measures.push(("learning rate", lr));
        // What decays and what does not are two parts of each vector.
        let mut next = vec![vec![]; self.0.len()];
        for (part, decays) in layout.parts() {
            let part = |it: &Var<'g>| it.slice(0, part.start, part.len());
            let rule = if decays { course.rule } else { course.rule.without_decay() };
            let moments: Vec<Var<'g>> = self.0[1..].iter().map(part).collect();
            let (p, moments) = rule.update(part(&self.0[0]), part(&gradient), &moments, lr, t);
            next.iter_mut().zip([p].into_iter().chain(moments)).for_each(|(all, it)| all.push(it));
        }
        (Self(next.iter().map(|parts| joined(parts)).collect()), loss)
    }

    /// Keeps all for the next run.
    fn keep(&self) {
        self.0.iter().enumerate().for_each(|(i, it)| _ = it.keep(&after(i)));
    }
}

/// Parts of a vector, put together.
fn joined<'g>(parts: &[Var<'g>]) -> Var<'g> {
    if let [whole] = parts { *whole } else { Var::pack(parts) }
}

/// Records one step from `parameters` and zero moments.
fn record(
    recipe: &dyn Recipe,
    course: &Course,
    layout: &Layout,
    parameters: Tensor,
    batch: Vec<Tensor>,
) -> Recording {
    let g = Graph::default();
    let leaf = |it: Tensor| g.state(&Arc::new(it.into()));
    let zeros = || Tensor::new(&[layout.len()], vec![0.0; layout.len()]);
    let moments = (0..course.rule.moments()).map(|_| zeros());
    let leaves = Leaves([parameters].into_iter().chain(moments).map(leaf).collect());
    let t = leaf(Tensor::scalar(1.0));
    let batch: Vec<Var<'_>> = batch.into_iter().map(leaf).collect();
    let (next, loss) = leaves.step(recipe, course, layout, t, &batch);
    loss.keep();
    next.keep();
    drop((next, batch));
    g.finish()
}
