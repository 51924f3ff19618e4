//! Adam with decoupled weight decay (Kingma & Ba 2014, arXiv 1412.6980; Loshchilov & Hutter 2017, arXiv 1711.05101,
//! algorithm 2).

use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::Var;

/// One step of [`AdamW`], with the defaults of `torch.optim.AdamW`.
pub const MECHANISM: Mechanism = Mechanism {
    id: "adamw",
    formula: "theta - lr (m^ / (sqrt v^ + eps) + weight_decay theta)",
    inputs: &[Port::new("theta", ".."), Port::new("grad", ".."), Port::new("m", ".."), SQUARES],
    parameters: &[
        Parameter::count("step", Unset::Is("1"), "which step this is; the first has m = v = 0"),
        Parameter::number("lr", Unset::Is("1e-3"), Within::NOT_NEGATIVE, "the learning rate"),
        Parameter::number("beta1", Unset::Is("0.9"), Within::PART, "how much of m is kept"),
        Parameter::number("beta2", Unset::Is("0.999"), Within::PART, "how much of v is kept"),
        Parameter::number("eps", Unset::Is("1e-8"), Within::NOT_NEGATIVE, "added to the root of v^"),
        Parameter::number(
            "weight_decay",
            Unset::Is("0.01"),
            Within::NOT_NEGATIVE,
            "the share of theta that a step of rate 1 takes away",
        ),
    ],
    outputs: &[Port::new("theta", ".."), Port::new("m", ".."), SQUARES],
    lengths: &[],
    source: "Loshchilov & Hutter 2017, arXiv 1711.05101, algorithm 2",
    record: |it| {
        let number = |name| it.number(name).unwrap_or_default();
        let rule = AdamW {
            beta1: number("beta1"),
            beta2: number("beta2"),
            eps: number("eps"),
            decay: number("weight_decay"),
        };
        let [lr, t] = [number("lr"), it.count("step").unwrap_or(1) as f32].map(|x| it.graph().constant(x));
        let moments = [it.tensor("m"), it.tensor("v")];
        let (theta, [m, v]) = rule.step(it.tensor("theta"), it.tensor("grad"), moments, lr, t);
        theta.keep("theta");
        m.keep("m");
        v.keep("v");
        Ok(())
    },
};

/// A mean of squares.
const SQUARES: Port = Port::new("v", "..").within(Within::NOT_NEGATIVE);

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// `beta_1`: how much of the first moment is kept.
    pub beta1: f32,
    /// `beta_2`: how much of the second moment is kept.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// `lambda`: the share of a parameter that a step of rate 1 takes away.
    pub decay: f32,
}

impl Default for AdamW {
    /// The values of the paper, and of `torch.optim.AdamW` but for its decay of 0.01.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0 }
    }
}

impl AdamW {
    /// What becomes of a parameter with gradient `dp` and of its two moments, at learning rate `lr` in step `t` (from 1).
    pub fn step<'g>(
        self,
        p: Var<'g>,
        dp: Var<'g>,
        [m, v]: [Var<'g>; 2],
        lr: Var<'g>,
        t: Var<'g>,
    ) -> (Var<'g>, [Var<'g>; 2]) {
        let m = m * self.beta1 + dp * (1.0 - self.beta1);
        let v = v * self.beta2 + dp * dp * (1.0 - self.beta2);
        // lr m^ / (sqrt v^ + eps), with what is the same for all elements taken together first.
        let root = without_power(self.beta2, t).sqrt();
        let rate = lr * root / without_power(self.beta1, t);
        let step = m / (v.sqrt() + root * self.eps) * rate;
        let kept = if self.decay > 0.0 { p - p * (lr * self.decay) } else { p };
        (kept - step, [m, v])
    }
}

/// `1 - beta^t`, exact also where `beta^t` is nearly 1: with `x = -t log beta`, `1 - e^-x = 2 tanh(x/2) / (1 + tanh(x/2))`.
fn without_power(beta: f32, t: Var<'_>) -> Var<'_> {
    // A beta of 0 has no logarithm; tanh 20 is 1 in f32.
    let half = (t * (-0.5 * f64::from(beta).ln()).min(20.0) as f32).tanh();
    half * 2.0 / (half + 1.0)
}
