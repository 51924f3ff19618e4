//! Goldens: numbers that other programs computed, and how close ours must be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::Graph;
use vitrine::models::{AnyConfig, AnyModel};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// A file or folder of `tests/golden`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

pub(crate) fn tensors(name: &str) -> Weights {
    Weights::parse(read(name)).unwrap()
}

/// The checkpoint in a folder of `tests/golden`.
pub(crate) fn checkpoint(name: &str, tokenizer: Option<&[u8]>) -> AnyModel {
    let config = AnyConfig::parse(&read(&format!("{name}/config.json"))).unwrap();
    config.load(tokenizer, read(&format!("{name}/model.safetensors"))).unwrap()
}

pub(crate) fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

pub(crate) fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::new()).unwrap())
}

/// Everything that `g` keeps.
pub(crate) fn run(device: &mut Device, g: Graph) -> BTreeMap<String, Tensor> {
    let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, kept)| (name.clone(), block_on(kept.read()).unwrap())).collect()
}

/// Part `i` of the first axis, without that axis.
pub(crate) fn part(x: &Tensor, i: usize) -> Tensor {
    let n = x.data.len() / x.shape[0];
    Tensor::new(&x.shape[1..], &x.data[i * n..][..n])
}

/// Both sum in f32 but in another order; relative to the largest element.
#[track_caller]
pub(crate) fn close(name: &str, found: &Tensor, wanted: &Tensor, tolerance: f32) {
    assert_eq!(found.shape, wanted.shape, "shape of {name}");
    let scale = wanted.data.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let difference = found.max_abs_diff(wanted);
    assert!(difference <= tolerance * scale, "{name} differs by {difference} of {scale}");
}
