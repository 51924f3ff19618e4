//! The Bayes predictor of linear regression whose weights come from one of several Gaussians (Panwar, Ahuja & Goyal 2023,
//! arXiv 2306.04891): what a transformer that learnt on such tasks is held against.
//!
//! Examples come one after the other. Each moves the belief of every component about the weights (the step of Kalman 1960),
//! and what the component had expected of it says how likely the component is.

use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::Var;

/// Prediction, and how likely each component is.
pub const MECHANISM: Mechanism = Mechanism {
    id: "bayes-mixture",
    formula: "sum_k p(k | X, y) E[w | X, y, k] x_q",
    inputs: &[
        Port::new("mean", "component d"),
        Port::new("covariance", "component d d").covariance(),
        Port::new("weight", "component").within(Within::NOT_NEGATIVE),
        Port::new("x", "task pos d"),
        Port::new("y", "task pos"),
        Port::new("query", "task d"),
    ],
    parameters: &[Parameter::number(
        "noise",
        Unset::Is("1"),
        Within::NOT_NEGATIVE,
        "standard deviation of what is added to y; below a thousandth of y, f32 does not tell it from 0",
    )],
    outputs: &[Port::new("prediction", "task"), Port::new("posterior", "task component")],
    lengths: &[],
    source: "Panwar, Ahuja & Goyal 2023, arXiv 2306.04891, section 3",
    record: |it| {
        let [mean, covariance, weight] = ["mean", "covariance", "weight"].map(|name| it.tensor(name));
        let [x, y, query] = ["x", "y", "query"].map(|name| it.tensor(name));
        let [tasks, components, d] = [x.dim(0), mean.dim(0), x.dim(-1)];
        let noise = it.number("noise").unwrap_or_default();
        let belief = Belief::prior(mean, covariance, tasks);
        let belief = (0..x.dim(1)).fold(belief, |it, j| it.seeing(x.slice(1, j, 1), y.slice(1, j, 1), noise));
        let posterior = belief.posterior(weight); // [task, component]
        let each = query.reshape(&[tasks, 1, 1, d]).matmul(belief.mean).reshape(&[tasks, components]);
        (posterior * each).sum(-1).reshape(&[tasks]).keep("prediction");
        posterior.keep("posterior");
        Ok(())
    },
};

/// What every component believes about the weights of every task.
#[derive(Clone, Copy)]
pub struct Belief<'g> {
    /// The mean, `[task, component, d, 1]`.
    pub mean: Var<'g>,
    /// The covariance, `[task, component, d, d]`.
    pub covariance: Var<'g>,
    /// `log p(y | X, component)`, `[task, component, 1, 1]`, but for what is the same for all.
    pub evidence: Var<'g>,
}

/// A variance below this share of what it began with is what f32 rounds.
const CERTAIN: f32 = 1e-6;

impl<'g> Belief<'g> {
    /// Before any example, from means `[component, d]` and covariances `[component, d, d]`.
    pub fn prior(mean: Var<'g>, covariance: Var<'g>, tasks: usize) -> Self {
        let (k, d) = (mean.dim(0), mean.dim(1));
        Self {
            mean: mean.reshape(&[1, k, d, 1]).broadcast(&[tasks, k, d, 1]),
            covariance: covariance.reshape(&[1, k, d, d]).broadcast(&[tasks, k, d, d]),
            evidence: mean.graph().constant(0.0).broadcast(&[tasks, k, 1, 1]),
        }
    }

    /// After the example `x` `[task, 1, d]`, `y` `[task, 1]` with noise of this deviation.
    pub fn seeing(self, x: Var<'g>, y: Var<'g>, noise: f32) -> Self {
        let (tasks, d) = (x.dim(0), x.dim(-1));
        let (across, down) = (x.reshape(&[tasks, 1, 1, d]), x.reshape(&[tasks, 1, d, 1]));
        let spread = self.covariance.matmul(down); // [task, component, d, 1]
        let floor = (x * x).sum(-1).reshape(&[tasks, 1, 1, 1]) * CERTAIN + f32::MIN_POSITIVE;
        let variance = (across.matmul(spread) + noise * noise).max_with(floor); // [task, component, 1, 1]
        let surprise = y.reshape(&[tasks, 1, 1, 1]) - across.matmul(self.mean);
        let gain = spread / variance;
        Self {
            mean: self.mean + gain * surprise,
            covariance: self.covariance - gain * spread.t(),
            evidence: self.evidence - (surprise * surprise / variance + variance.log()) * 0.5,
        }
    }

    /// How likely every component is, `[task, component]`, if before it was as `weight` `[component]`, which need not sum to 1.
    pub fn posterior(self, weight: Var<'g>) -> Var<'g> {
        let shape = self.evidence.shape();
        let tiny = weight.graph().constant(f32::MIN_POSITIVE);
        // What was impossible remains it, whatever it says of the examples.
        let log = weight.max_with(tiny).log() - weight.less(tiny) * 1e30;
        (self.evidence.reshape(&shape[..2]) + log).softmax()
    }
}
