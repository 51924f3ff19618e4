//! A training run that goes on while it is watched.

use std::collections::BTreeMap;

use super::AT_ONCE;
use crate::graph::{Graph, Var};
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::train::spirals::Spirals;
use crate::train::{Snapshot, Trainer};

/// Steps between two snapshots that one can go back to.
const APART: u32 = 50;

/// A training run that goes on while it is watched.
pub(super) struct Live {
    /// Seed, width and rate: what the run belongs to.
    pub(super) key: (u64, usize, u32),
    trainer: Trainer,
    /// The loss of every step so far.
    pub(super) losses: Vec<f32>,
    history: Vec<Snapshot>,
    /// How many steps the next recording takes.
    next: u32,
    /// Whether it goes on by itself.
    plays: bool,
    /// Counts what makes the next recording another one.
    turn: u64,
}

impl Live {
    /// A run before its first step.
    pub(super) fn new(key: (u64, usize, u32), recipe: Spirals, plays: bool) -> Self {
        let trainer = Trainer::new(Box::new(recipe), key.0);
        let history = vec![trainer.snapshot()];
        let next = if plays { AT_ONCE } else { 0 };
        Self { key, trainer, losses: vec![], history, next, plays, turn: 0 }
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

    /// Records the next steps; returns the parameters after them.
    pub(super) fn record<'g>(&mut self, g: &'g Graph) -> BTreeMap<String, Var<'g>> {
        self.trainer.record(g, self.next)
    }

    /// Goes on from what a run gave, if it was the run of the next steps; whether it was.
    pub(super) fn take(&mut self, trace: &Trace) -> bool {
        let before = self.step_count() as usize;
        let Some(losses) = self.trainer.take(trace) else { return false };
        self.losses.truncate(before);
        self.losses.extend(losses);
        let step = self.step_count();
        self.history.retain(|it| it.step <= before as u32);
        if self.history.last().is_none_or(|it| step >= it.step + APART) || self.trainer.is_done() {
            self.history.push(self.trainer.snapshot());
        }
        self.want(if self.plays() { AT_ONCE } else { 0 });
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
        self.want(if plays { AT_ONCE } else { 0 });
    }

    /// Takes one step and stops.
    pub(super) fn single(&mut self) {
        self.plays = false;
        self.want(1);
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
