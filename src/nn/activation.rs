//! The nonlinearities between layers.

use crate::graph::Var;
use crate::mechanisms::gelu::gelu_tanh;

/// A nonlinearity that a `config.json` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu`: `x/2 (1 + erf(x / sqrt 2))`.
    Gelu,
    /// `gelu_new` and `gelu_pytorch_tanh`: GPT-2's approximation of it.
    GeluTanh,
    /// `relu`
    Relu,
}

impl Activation {
    /// The one that Hugging Face's files call `name`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    /// What Hugging Face's files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_new",
            Self::Relu => "relu",
        }
    }

    /// Its value at every element.
    pub fn of(self, x: Var<'_>) -> Var<'_> {
        match self {
            Self::Gelu => x.gelu(),
            Self::GeluTanh => gelu_tanh(x),
            Self::Relu => relu(x),
        }
    }
}

/// `max(0, x)`
pub fn relu(x: Var<'_>) -> Var<'_> {
    x.clamp(0.0, f32::INFINITY)
}

/// `min(6, max(0, x))` (Howard et al. 2017, arXiv 1704.04861)
pub fn relu6(x: Var<'_>) -> Var<'_> {
    x.clamp(0.0, 6.0)
}
