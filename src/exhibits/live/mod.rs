//! A training run that goes on while it is watched.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::graph::{Graph, Var};
use crate::page::Knobs;
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::train::{Recipe, Snapshot, Trainer};

/// Steps between two snapshots that one can go back to.
const APART: u32 = 50;

/// Most steps in one run of the device: their tasks are drawn within a frame.
const MOST: u32 = 20;

/// Seconds that one run takes at least, where it may: each ends in measurements, which take longer than a step. And at most, so
/// that what is dragged meanwhile does not wait.
const SPAN: [f64; 2] = [0.06, 0.25];

/// The run of an exhibit, begun when it is first asked for, and anew when it is another one.
#[derive(Default)]
pub(super) struct Watched(RefCell<Option<Live>>);

impl Watched {
    /// The run that belongs to this `key`: seed, rate and whatever else its recipe takes.
    pub(super) fn of<T>(
        &self,
        key: &impl Debug,
        new: impl FnOnce(String) -> Live,
        f: impl FnOnce(&mut Live) -> T,
    ) -> T {
        let (mut run, key) = (self.0.borrow_mut(), format!("{key:?}"));
        let known = run.take().filter(|it| it.key == key);
        f(run.insert(known.unwrap_or_else(|| new(key))))
    }

    /// Goes back to before the first step.
    pub(super) fn start_over(&self) {
        *self.0.borrow_mut() = None;
    }
}

/// A training run that goes on while it is watched.
pub(super) struct Live {
    /// What the run belongs to.
    key: String,
    trainer: Trainer,
    /// The loss of every step so far.
    pub(super) losses: Vec<f32>,
    /// What was measured, and after how many steps: the first number of each of `measures` in the trace.
    pub(super) curves: Vec<Vec<[f32; 2]>>,
    measures: &'static [&'static str],
    history: Vec<Snapshot>,
    /// Steps in one run of the device while it plays; as many as its speed allows.
    at_once: u32,
    /// How many steps the next recording takes.
    next: u32,
    /// Whether it goes on by itself.
    plays: bool,
    /// Counts what makes the next recording another one.
    turn: u64,
}

impl Live {
    /// A run before its first step, with so many steps `at_once`.
    pub(super) fn new(key: String, recipe: Box<dyn Recipe>, seed: u64, at_once: u32, plays: bool) -> Self {
        let trainer = Trainer::new(recipe, seed);
        let history = vec![trainer.snapshot()];
        let next = if plays { at_once } else { 0 };
        let (losses, curves, measures) = (vec![], vec![], &[][..]);
        Self { key, trainer, losses, curves, measures, history, at_once, next, plays, turn: 0 }
    }

    /// Measured by these numbers of every trace.
    pub(super) fn measured(self, measures: &'static [&'static str]) -> Self {
        Self { curves: vec![vec![]; measures.len()], measures, ..self }
    }

    /// Changes with what is recorded next.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Steps taken.
    pub(super) fn step_count(&self) -> u32 {
        self.trainer.step_count()
    }

    /// Whether no step was taken.
    pub(super) fn is_new(&self) -> bool {
        self.step_count() == 0
    }

    /// Whether it goes on by itself.
    pub(super) fn plays(&self) -> bool {
        self.plays && !self.trainer.is_done()
    }

    /// The loss of every step of the whole run; -1 where it is still to come.
    pub(super) fn curve(&self, steps: u32) -> Tensor {
        Tensor::from_fn(&[steps as usize], |at| self.losses.get(at[0]).copied().unwrap_or(-1.0))
    }

    /// Records the next steps, and under `run` what they belong to; returns the parameters after them.
    pub(super) fn record<'g>(&mut self, g: &'g Graph) -> BTreeMap<String, Var<'g>> {
        g.label("run", vec![self.key.clone()]);
        self.trainer.record(g, self.next)
    }

    /// Goes on from what a run gave, if it was the run of the next steps; whether it was. What was recorded earlier is rounded,
    /// and a run of something else is none to go on from.
    pub(super) fn take(&mut self, trace: &Trace) -> bool {
        if trace.stats.device.is_empty() || trace.words("run") != [&*self.key] {
            return false;
        }
        let before = self.step_count() as usize;
        let found: Option<Vec<f32>> = self.measures.iter().map(|it| trace.number(it)).collect();
        let Some(found) = found else { return false };
        let Some(losses) = self.trainer.take(trace) else { return false };
        self.losses.truncate(before);
        self.losses.extend(losses);
        let step = self.step_count();
        for (curve, it) in self.curves.iter_mut().zip(found) {
            curve.retain(|it| it[0] <= before as f32);
            curve.push([step as f32, it]);
        }
        self.history.retain(|it| it.step <= before as u32);
        if self.history.last().is_none_or(|it| step >= it.step + APART) || self.trainer.is_done() {
            self.history.push(self.trainer.snapshot());
        }
        if trace.stats.seconds < SPAN[0] {
            self.at_once = (2 * self.at_once).min(MOST);
        } else if trace.stats.seconds > SPAN[1] {
            self.at_once = (self.at_once / 2).max(1);
        }
        self.want(if self.plays() { self.at_once } else { 0 });
        true
    }

    /// Takes `n` steps next.
    fn want(&mut self, n: u32) {
        self.next = n;
        self.turn += 1;
    }

    /// Goes on, or stops.
    pub(super) fn play(&mut self, plays: bool) {
        self.plays = plays;
        self.want(if plays { self.at_once } else { 0 });
    }

    /// Takes one step and stops.
    pub(super) fn single(&mut self) {
        self.plays = false;
        self.want(1);
    }

    /// Steps of the whole run.
    pub(super) fn steps(&self) -> u32 {
        self.trainer.course().steps
    }

    /// The losses as points, means of as many as are not worth a point of their own.
    pub(super) fn thinned(&self) -> Vec<[f32; 2]> {
        let each = (self.losses.len() / 150).max(1);
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        let parts = self.losses.chunks(each).enumerate();
        parts.map(|(i, part)| [(i * each + part.len()) as f32, mean(part)]).collect()
    }

    /// The knobs of a run; whether it is to start over.
    pub(super) fn knobs(&mut self, k: &mut Knobs<'_, '_>) -> bool {
        let (plays, step) = (self.plays(), self.step_count());
        let reached = self.losses.len().max(step as usize) as u32;
        let done = step >= self.steps();
        if k.button(if plays { "Pause" } else { "Play" }, "", !done) {
            self.play(!plays);
        }
        if k.button("One step", "", !done && !plays) {
            self.single();
        }
        let over = k.button("Start over", "", true);
        let mut at = step;
        if k.slider("step", &mut at, 0..=reached) {
            self.rewind(at);
        }
        over
    }

    /// Goes to the last snapshot at or before `step`, and stops there. What was learnt later stays on the curve until the
    /// run goes on from here.
    pub(super) fn rewind(&mut self, step: u32) {
        let Some(to) = self.history.iter().rev().find(|it| it.step <= step) else { return };
        let to = to.clone();
        self.trainer.rewind(&to);
        self.play(false);
    }
}
