//! What parameters are before training, from a seed: each draws from a stream of its own.

use std::collections::BTreeMap;

use crate::data::Random;
use crate::tensor::{Tensor, size};
use crate::weights::Weights;

/// Weights in which `parameter` decides what each name and shape begins with.
pub fn weights(
    parameters: impl Iterator<Item = (String, Vec<usize>)>,
    seed: u64,
    parameter: impl Fn(&str, &[usize], &mut Random) -> Tensor,
) -> Weights {
    let draw = |((name, shape), i): ((String, Vec<usize>), u64)| {
        let tensor = parameter(&name, &shape, &mut Random::stream(seed, i));
        (name, tensor)
    };
    let tensors: BTreeMap<String, Tensor> = parameters.zip(0..).map(draw).collect();
    Weights::from_tensors(&tensors)
}

/// The same number everywhere.
pub fn constant(shape: &[usize], value: f32) -> Tensor {
    Tensor::new(shape, vec![value; size(shape)])
}

/// Normal with deviation `std`.
pub fn normal(shape: &[usize], std: f64, random: &mut Random) -> Tensor {
    Tensor::from_fn(shape, |_| (std * random.normal()) as f32)
}

/// Uniform with variance `2 / fan`, where `fan` counts inputs and outputs (Glorot & Bengio 2010, eq. 16).
pub fn xavier_uniform(shape: &[usize], fan: usize, random: &mut Random) -> Tensor {
    let bound = (6.0 / fan as f64).sqrt();
    Tensor::from_fn(shape, |_| random.between(-bound, bound) as f32)
}

/// Uniform within `sqrt(1 / inputs)`, as weight and bias of `torch.nn.Linear` begin.
pub fn torch_linear(shape: &[usize], inputs: usize, random: &mut Random) -> Tensor {
    let bound = (1.0 / inputs as f64).sqrt();
    Tensor::from_fn(shape, |_| random.between(-bound, bound) as f32)
}

/// Normal with variance `2 / in` (He et al. 2015, arXiv 1502.01852, eq. 10), for kernels `[kh, kw, in, out]`.
pub fn he_normal(shape: &[usize], random: &mut Random) -> Tensor {
    let inputs = size(&shape[..shape.len() - 1]);
    normal(shape, (2.0 / inputs as f64).sqrt(), random)
}
