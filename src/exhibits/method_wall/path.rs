//! How closely the path of integrated gradients is looked at: run after run, until its parts sum to what they should.

use crate::data::Image;
use crate::graph::{Graph, Var};
use crate::nn::loss::total;
use crate::saliency::gradient::{STRETCH, Walked};
use crate::saliency::method::FromBlack;
use crate::tensor::Tensor;
use crate::trace::Trace;

/// Stretches at most.
const MOST: usize = 32;

/// How far off the sum may be, of what it should be.
const CLOSE: f32 = 0.01;

/// What a path belongs to: picture, model, class, and how much of the model is forgotten.
pub(super) type Of = (Image, String, Option<usize>, usize);

/// The names of the means of gradients: of the model that is shown, and of the trained one if that is another.
const MEANS: [&str; 2] = ["integrated.gradient", "integrated.gradient_before"];

/// What the parts sum to and what they should, after how many steps, as a trace has it.
pub(super) struct AddsUp {
    pub(super) steps: String,
    pub(super) sum: f32,
    pub(super) whole: f32,
    gap: f32,
}

impl AddsUp {
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let [sum, whole, gap] = ["sum", "whole", "gap"].map(|it| trace.number(&format!("integrated.{it}")));
        Some(Self { steps: trace.words("integrated").first()?.clone(), sum: sum?, whole: whole?, gap: gap? })
    }

    /// Whether they are as close as they should be.
    pub(super) fn is_close(&self) -> bool {
        self.gap <= CLOSE
    }
}

/// The path as far as it was looked at in earlier runs.
#[derive(Clone, Default)]
pub(super) struct Path {
    of: Option<Of>,
    stretches: usize,
    means: Vec<Tensor>,
    /// Counts what changes the next recording.
    turn: u64,
}

impl Path {
    /// What is looked at from now on; if it is another path, it begins.
    pub(super) fn belongs_to(&mut self, of: Of) {
        if self.of.as_ref() != Some(&of) {
            *self = Self { of: Some(of), turn: self.turn + 1, ..Self::default() };
        }
    }

    /// Changes with what is recorded next; nothing while the path begins.
    pub(super) fn progress(&self) -> Option<u64> {
        (self.stretches > 0).then_some(self.turn)
    }

    /// The path to the image `x` in earlier runs, with the model that is shown (0) or the trained one (1).
    pub(super) fn walked<'g>(&self, x: Var<'g>, which: usize) -> Walked<'g> {
        let mean = self.means.get(which).filter(|it| it.shape == x.shape());
        // At first it does not count, but two equal inputs would be one, and the next run another plan.
        let mean = mean.cloned().unwrap_or_else(|| Tensor::from_fn(&x.shape(), |_| which as f32));
        Walked { stretches: self.stretches, mean: x.graph().input(&mean) }
    }

    /// What a trace of the next run says of it: how many steps it has looked at, and which run it is.
    fn words(&self) -> [String; 2] {
        [((self.stretches + 1) * STRETCH).to_string(), self.turn.to_string()]
    }

    /// Keeps what is needed to go on, what the parts sum to and what they should, and the gap between them, of the latter.
    pub(super) fn keep(&self, g: &Graph, now: &FromBlack<'_>, before: Option<&FromBlack<'_>>) {
        g.label("integrated", self.words().to_vec());
        for (it, name) in [Some(now), before].into_iter().flatten().zip(MEANS) {
            it.path.mean.keep(name);
        }
        let (sum, whole) = (total(now.parts).keep("integrated.sum"), now.whole.keep("integrated.whole"));
        let least = g.constant(f32::MIN_POSITIVE);
        ((sum - whole).abs() / whole.abs().max_with(least)).keep("integrated.gap");
    }

    /// Goes on from a run, if it was the next and its parts are too far from their sum; whether it does. As a sum may be right
    /// by chance, it is looked at only when the number of steps has doubled.
    pub(super) fn go_on(&mut self, trace: &Trace) -> bool {
        let next = self.stretches + 1;
        if trace.words("integrated") != self.words() || next >= MOST {
            return false;
        }
        let Some(sum) = AddsUp::of(trace) else { return false };
        let means = MEANS.into_iter().filter_map(|name| trace.get(name));
        let means = means.map(|it| Some(Tensor::new(&it.shape, it.values()?)));
        let Some(means) = means.collect::<Option<Vec<Tensor>>>() else { return false };
        let goes_on = !next.is_power_of_two() || !sum.is_close();
        if goes_on {
            (self.stretches, self.means) = (next, means);
            self.turn += 1;
        }
        goes_on
    }
}
