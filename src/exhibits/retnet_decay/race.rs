//! What one more token costs on this device, measured run by run while the page stays as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bench::token::{TOKENS, Way, record};
use crate::graph::Graph;
use crate::trace::Trace;

/// After so many tokens.
pub(super) const CONTEXTS: [usize; 4] = [64, 256, 1024, 4096];

/// How often each is run: the first compiles a plan.
const RUNS: usize = 4;

/// Runs that are timed, one after the other.
#[derive(Clone, Default)]
pub(super) struct Race {
    /// The run that comes next; none while nothing is measured.
    at: Option<usize>,
    /// What the page showed before: it goes on showing that.
    before: Option<Arc<Trace>>,
    /// The fastest run of each, in seconds a token.
    fastest: BTreeMap<(Way, usize), f64>,
    /// What computed.
    device: String,
}

/// What was measured is no part of the state.
impl PartialEq for Race {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Race {
    /// Begins, while the page shows `trace`.
    pub(super) fn begin(&mut self, trace: &Trace) {
        let copy = Trace {
            tensors: trace.tensors.clone(),
            labels: trace.labels.clone(),
            stats: trace.stats.clone(),
        };
        *self = Self { at: Some(0), before: Some(Arc::new(copy)), ..Self::default() };
    }

    /// The run that comes next, if there is one.
    pub(super) fn at(&self) -> Option<usize> {
        self.at
    }

    /// How and after how many tokens run `at` is.
    fn kind(at: usize) -> Option<(Way, usize)> {
        let context = CONTEXTS.get(at / RUNS / Way::ALL.len())?;
        Some((Way::ALL[at / RUNS % Way::ALL.len()], *context))
    }

    /// What is recorded next; none while nothing is measured.
    pub(super) fn record(&self) -> Option<Graph> {
        let at = self.at?;
        let (way, context) = Self::kind(at)?;
        let g = Graph::default();
        record(&g, way, context);
        // Each run has a name of its own: an equal recording is not run again.
        g.label("race", vec![at.to_string()]);
        Some(g)
    }

    /// Takes what a run gave; whether it was the one that was asked for.
    pub(super) fn take(&mut self, trace: &Trace) -> bool {
        let Some(at) = self.at.filter(|at| trace.words("race") == [at.to_string()]) else { return false };
        if let Some(kind) = Self::kind(at) {
            let seconds = trace.stats.seconds / TOKENS as f64;
            self.fastest.entry(kind).and_modify(|it| *it = it.min(seconds)).or_insert(seconds);
        }
        self.device.clone_from(&trace.stats.device);
        self.at = Some(at + 1).filter(|at| Self::kind(*at).is_some());
        true
    }

    /// What the page shows: the trace, or while runs are timed the one before them.
    pub(super) fn shown<'a>(&'a self, trace: &'a Trace) -> &'a Trace {
        let other = self.before.as_deref().filter(|_| !trace.words("race").is_empty());
        other.unwrap_or(trace)
    }

    /// Microseconds a token over the tokens before it.
    pub(super) fn curve(&self, way: Way) -> Vec<[f32; 2]> {
        let each = self.fastest.iter().filter(|it| it.0.0 == way);
        each.map(|((_, context), seconds)| [*context as f32, (1e6 * seconds) as f32]).collect()
    }

    /// What computed; empty before anything was measured.
    pub(super) fn device(&self) -> &str {
        &self.device
    }
}
