//! Gaussian error linear units (Hendrycks & Gimpel 2016, arXiv 1606.08415).

use super::signature::{Mechanism, Parameter, Port};
use crate::graph::Var;

/// GELU, and its approximation by tanh. The exact one is [`Var::gelu`].
pub const MECHANISM: Mechanism = Mechanism {
    id: "gelu",
    formula: "x/2 (1 + erf(x / sqrt 2))",
    inputs: &[Port::new("x", "..")],
    parameters: &[Parameter::choice("approximate", &["none", "tanh"], "what stands for erf")],
    outputs: &[Port::new("y", "..")],
    lengths: &[],
    source: "Hendrycks & Gimpel 2016, arXiv 1606.08415, section 2",
    record: |it| {
        let x = it.tensor("x");
        let y = if it.choice("approximate") == "tanh" { gelu_tanh(x) } else { x.gelu() };
        y.keep("y");
        Ok(())
    },
};

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (section 2).
pub fn gelu_tanh(x: Var<'_>) -> Var<'_> {
    let inner = (x + x * x * x * 0.044_715) * (std::f32::consts::FRAC_2_PI).sqrt();
    x * 0.5 * (inner.tanh() + 1.0)
}
