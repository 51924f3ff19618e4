//! Fields of distance and what is made of them: Gaussian mixture masks, Manhattan decay and retention by what their papers
//! say of them, in three forms that agree, with their derivatives; on both devices.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests read goldens")]
mod golden;
mod reference;

use std::collections::BTreeMap;

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::Device;
use vitrine::graph::{Graph, Op, Recording, Var};
use vitrine::mechanisms::attention::{Attention, Normaliser, Positive, Score, untapped};
use vitrine::mechanisms::field::{self, Places, causal};
use vitrine::mechanisms::gaussian_mask::{masked, mixture};
use vitrine::mechanisms::retention::{self, Form, Retention, rms_norm, rotate};
use vitrine::mechanisms::rmt::{self, Manhattan};
use vitrine::tensor::{Tensor, size};

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

fn numbers(shape: &[usize], data: &[f64]) -> Tensor {
    Tensor::new(shape, data.iter().map(|x| *x as f32).collect::<Vec<_>>())
}

/// What `f` records, on a device.
fn on<const N: usize>(device: &mut Device, f: impl for<'g> FnOnce(&'g Graph) -> [Var<'g>; N]) -> [Tensor; N] {
    let g = Graph::default();
    for (i, it) in f(&g).into_iter().enumerate() {
        it.keep(&i.to_string());
    }
    let found: BTreeMap<String, Tensor> = golden::run(device, g);
    std::array::from_fn(|i| found[&i.to_string()].clone())
}

fn run<const N: usize>(f: impl for<'g> FnOnce(&'g Graph) -> [Var<'g>; N]) -> [Tensor; N] {
    on(&mut golden::cpu(), f)
}

/// Both devices, or the CPU alone if `NO_GPU=1` says that there is no other.
fn devices() -> Vec<Device> {
    let without = std::env::var("NO_GPU").is_ok_and(|it| it == "1");
    [golden::cpu()].into_iter().chain((!without).then(golden::gpu)).collect()
}

/// Relative to the largest element. Where sums of numbers near 1 nearly cancel, their rounding, 1e-7, is all that is left.
#[track_caller]
fn close(found: &Tensor, wanted: &Tensor, tolerance: f32) {
    let scale = wanted.data.iter().fold(1e-7 / tolerance, |most, x| most.max(x.abs()));
    let difference = found.max_abs_diff(wanted);
    assert!(difference <= tolerance * scale, "differs by {difference} of {scale}");
}

fn plain<'g>(q: Var<'g>, k: Var<'g>, v: Var<'g>, scale: f32) -> Var<'g> {
    Attention::softmax(scale).record(q, k, v, untapped).z
}

fn qkv(g: &Graph, heads: usize, pos: usize, d: usize, seed: u64) -> [Var<'_>; 3] {
    [0, 1, 2].map(|i| g.input(&random(&[heads, pos, d], seed + i)))
}

#[path = "fields/attention.rs"]
mod attention;
#[path = "fields/derivatives.rs"]
mod derivatives;
#[path = "fields/drawn.rs"]
mod drawn;
#[path = "fields/gaussian.rs"]
mod gaussian;
#[path = "fields/manhattan.rs"]
mod manhattan;
#[path = "fields/retained.rs"]
mod retained;
