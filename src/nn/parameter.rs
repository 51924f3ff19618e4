//! What parameters are before training: names, shapes and first values.

use crate::tensor::{Tensor, size};

/// A parameter of a model in training.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its dotted name, as `torch.nn` has it: `blocks.0.attn.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its first value.
    pub init: Init,
}

/// How a parameter begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One number everywhere.
    Constant(f32),
    /// Normally distributed about 0, with this standard deviation.
    Normal(f32),
    /// Uniform between minus and plus this.
    Uniform(f32),
}

impl Parameter {
    /// A parameter by its parts.
    pub fn new(name: impl Into<String>, shape: &[usize], init: Init) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), init }
    }

    /// Its first value, drawn by `random`.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Tensor {
        let n = size(&self.shape);
        let data: Vec<f32> = match self.init {
            Init::Constant(value) => vec![value; n],
            Init::Normal(deviation) => (0..n).map(|_| deviation * normal(random)).collect(),
            Init::Uniform(bound) => (0..n).map(|_| bound * (2.0 * random.f32() - 1.0)).collect(),
        };
        Tensor::new(&self.shape, data)
    }
}

/// `weight` `[out, in]` and `bias` `[out]` of [`super::linear`], uniform within `sqrt(1 / in)` as `torch.nn.Linear` begins.
pub fn linear(name: &str, inputs: usize, outputs: usize) -> Vec<Parameter> {
    let bound = (1.0 / inputs as f32).sqrt();
    vec![
        Parameter::new(format!("{name}.weight"), &[outputs, inputs], Init::Uniform(bound)),
        Parameter::new(format!("{name}.bias"), &[outputs], Init::Uniform(bound)),
    ]
}

/// The gain `weight` of ones and the `bias` of zeros of [`super::layer_norm`].
pub fn layer_norm(name: &str, d: usize) -> Vec<Parameter> {
    vec![
        Parameter::new(format!("{name}.weight"), &[d], Init::Constant(1.0)),
        Parameter::new(format!("{name}.bias"), &[d], Init::Constant(0.0)),
    ]
}

/// A number of the standard normal distribution (Box & Muller 1958).
pub fn normal(random: &mut fastrand::Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.f64()).cos()) as f32
}
