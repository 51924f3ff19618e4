//! How parameters follow their gradients: optimisers, clipping and schedules, recorded like a model.

use super::loss::total;
use crate::graph::{ALIGN, Var};
pub use crate::mechanisms::adamw::AdamW;
use crate::tensor::size;

/// A rule that moves a parameter along its gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// `p <- p - lr g`
    Sgd,
    /// `v <- mu v + g`, `p <- p - lr v` (Polyak 1964, in the form of Sutskever et al. 2013, eq. 1 and 2).
    Momentum {
        /// `mu`, the share of the velocity that is kept.
        mu: f32,
    },
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
}

impl Optimizer {
    /// How many tensors of a parameter's shape it remembers from step to step; they begin as zeros.
    pub fn moments(self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum { .. } => 1,
            Self::AdamW(_) => 2,
        }
    }

    /// The same without weight decay.
    pub fn without_decay(self) -> Self {
        match self {
            Self::AdamW(it) => Self::AdamW(AdamW { decay: 0.0, ..it }),
            it => it,
        }
    }

    /// What becomes of the parameter `p` with gradient `dp`, and of `moments`, at learning rate `lr` in step `t` (from 1).
    pub fn update<'g>(
        self,
        p: Var<'g>,
        dp: Var<'g>,
        moments: &[Var<'g>],
        lr: Var<'g>,
        t: Var<'g>,
    ) -> (Var<'g>, Vec<Var<'g>>) {
        match (self, moments) {
            (Self::Sgd, []) => (p - dp * lr, vec![]),
            (Self::Momentum { mu }, [v]) => {
                let v = *v * mu + dp;
                (p - v * lr, vec![v])
            }
            (Self::AdamW(it), [m, v]) => {
                let (p, moments) = it.step(p, dp, [*m, *v], lr, t);
                (p, moments.to_vec())
            }
            _ => panic!("{self:?} remembers {} tensors, not {}", self.moments(), moments.len()),
        }
    }
}

/// The sum of all elements, of what is packed by rows first: no thread walks the whole vector, and rounding stays small.
fn sum(x: Var<'_>) -> Var<'_> {
    let n = size(&x.shape());
    if n.is_multiple_of(ALIGN) { total(x.reshape(&[n / ALIGN, ALIGN]).sum(-1)) } else { total(x) }
}

/// The length of all `gradients` as one vector.
pub fn global_norm<'g>(gradients: &[Var<'g>]) -> Var<'g> {
    let squares = gradients.iter().map(|dp| sum(*dp * *dp));
    squares.reduce(|a, b| a + b).unwrap_or_else(|| panic!("there is no gradient")).sqrt()
}

/// `gradients`, made shorter together where their [`global_norm`] exceeds `longest` (Pascanu et al. 2012, arXiv 1211.5063,
/// algorithm 1); and that norm, before.
pub fn clip_by_global_norm<'g>(gradients: &[Var<'g>], longest: f32) -> (Vec<Var<'g>>, Var<'g>) {
    let norm = global_norm(gradients);
    let limit = norm.graph().constant(longest);
    let factor = limit / norm.max_with(limit);
    (gradients.iter().map(|dp| *dp * factor).collect(), norm)
}

/// How the learning rate goes over the steps: a linear rise, then the half wave of a cosine down to a floor
/// (Loshchilov & Hutter 2016, arXiv 1608.03983, eq. 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f32,
    /// Steps of the rise; step `warm_up` is the first at the peak.
    pub warm_up: u32,
    /// The rate at the end, as a share of the peak. 1 keeps it constant.
    pub floor: f32,
}

impl Schedule {
    /// `rate` at every step.
    pub fn constant(rate: f32) -> Self {
        Self { peak: rate, warm_up: 0, floor: 1.0 }
    }

    /// The rate in step `t`, which counts from 1, of `steps`.
    pub fn rate(self, t: Var<'_>, steps: u32) -> Var<'_> {
        let g = t.graph();
        let mut rate = g.constant(self.peak);
        if self.floor < 1.0 {
            let falling = steps.saturating_sub(self.warm_up).max(1) as f32;
            let progress = ((t - self.warm_up as f32) / falling).max_with(g.constant(0.0));
            let wave = (progress.min_with(g.constant(1.0)) * std::f32::consts::PI).cos();
            rate = (wave * (0.5 * (1.0 - self.floor)) + 0.5 * (1.0 + self.floor)) * self.peak;
        }
        if self.warm_up > 0 {
            rate = rate * (t / self.warm_up as f32).min_with(g.constant(1.0));
        }
        rate
    }
}
