//! The gradient of max pooling where values are equal: all of it goes to the first, as in PyTorch, on every device.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod reference;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::{Graph, Recording, Var};
use vitrine::models::{AnyConfig, Vision};
use vitrine::nn::{Params, max_pool, relu};
use vitrine::platform::block_on;
use vitrine::saliency::method::Method;
use vitrine::saliency::probe::{Wanted, probe};
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::new()).unwrap())
}

/// Everything that the recording keeps.
fn run(device: &mut Device, recording: &Recording) -> BTreeMap<String, Tensor> {
    let trace = block_on(device.run(recording, &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, kept)| (name.clone(), block_on(kept.read()).unwrap())).collect()
}

/// A file of this project.
fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What `tests/golden/max_pool.py` made.
fn golden() -> Weights {
    Weights::parse(read("tests/golden/max_pool.safetensors")).unwrap()
}

/// Whole numbers from -2 to 2: in most windows several are the largest.
fn whole(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-2.4, 2.4).round() as f32 + 0.0)
}

/// The cotangent of `x` behind a pool, given that of the pooled.
fn back<'g>(x: Var<'g>, dy: Var<'g>, size: usize, stride: usize) -> Var<'g> {
    x.graph().pull_back(max_pool(x, size, stride), dy, &[x])[0]
}

#[test]
fn the_first_of_equal_values_has_the_gradient_as_in_pytorch() {
    let golden = golden();
    for (size, stride) in [(2, 2), (3, 2), (3, 1), (2, 3)] {
        let of = |what: &str| golden.read(&format!("pool.{size}.{stride}.{what}")).unwrap();
        for mut device in [cpu(), gpu()] {
            let g = Graph::default();
            back(g.input(&of("x")), g.input(&of("dy")), size, stride).keep("dx");
            assert_eq!(
                run(&mut device, &g.finish())["dx"],
                of("dx"),
                "{size} x {size} windows, {stride} apart"
            );
        }
    }
}

/// A pool between functions that fuse with it, and its gradient.
fn behind_relu(x: &Tensor, size: usize, stride: usize) -> Recording {
    let g = Graph::default();
    let x = g.input(x);
    let y = max_pool(relu(x * 2.0 - 1.0), size, stride);
    let weights = Tensor::from_fn(&y.shape(), |at| 1.0 + at.iter().sum::<usize>() as f32);
    g.pull_back(y * 0.5, g.input(&weights), &[x])[0].keep("dx");
    y.keep("y");
    g.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whole numbers are exact, so that f32, f64 and loops agree bit for bit.
    #[test]
    fn pools_of_equal_values_equal_loops(h in 1usize..8, w in 1usize..8, c in 1usize..4, size in 1usize..4, stride in 1usize..4, seed in 0..1000_u64) {
        prop_assume!(size <= h.min(w));
        let x = whole(&[h, w, c], seed);
        let recording = behind_relu(&x, size, stride);
        let found = run(&mut cpu(), &recording);
        for (name, (_, wanted)) in reference::run(&recording) {
            let found: Vec<f64> = found[&name].data.iter().map(|it| f64::from(*it)).collect();
            prop_assert_eq!(found, wanted, "{}", name);
        }
        prop_assert_eq!(&found["dx"], &by_loops(&x, size, stride));
    }
}

/// The same, window by window.
fn by_loops(x: &Tensor, size: usize, stride: usize) -> Tensor {
    let [h, w, c] = x.shape[..] else { unreachable!() };
    let y = |at: [usize; 3]| (x.at(&at) * 2.0 - 1.0).max(0.0);
    let mut dx = vec![0.0; h * w * c];
    for i in 0..=(h - size) / stride {
        for j in 0..=(w - size) / stride {
            for k in 0..c {
                let places = || (0..size * size).map(|p| [i * stride + p / size, j * stride + p % size, k]);
                let most = places().map(y).fold(0.0, f32::max);
                let first = places().find(|at| y(*at) == most).unwrap();
                // The pool's weight, halved, through the factor 2 where the ReLU lets it pass.
                let passed = if most > 0.0 { (1 + i + j + k) as f32 } else { 0.0 };
                dx[(first[0] * w + first[1]) * c + k] += passed;
            }
        }
    }
    Tensor::new(&x.shape, dx)
}

#[test]
fn the_gpu_gives_it_to_the_first_too() {
    for (size, stride, seed) in [(2, 2, 1), (3, 2, 2), (3, 1, 3), (2, 3, 4)] {
        let x = whole(&[9, 7, 5], seed);
        let found = run(&mut gpu(), &behind_relu(&x, size, stride)).remove("dx").unwrap();
        assert_eq!(found, by_loops(&x, size, stride), "{size} x {size}, {stride} apart");
    }
}

/// A picture with flat ground and a trained network: PyTorch in f64 has the same maps at every layer, before and after a
/// pool.
#[test]
fn maps_on_flat_ground_are_pytorchs() {
    let golden = golden();
    let file = |name: &str| read(&format!("assets/models/collage-cnn/{name}"));
    let model =
        AnyConfig::parse(&file("config.json")).unwrap().load(None, file("model.safetensors")).unwrap();
    let model: &dyn Vision = model.vision().unwrap();
    let of = |what: &str| golden.read(&format!("flat.{what}")).unwrap();
    let pixels: Vec<u8> = of("picture").data.iter().map(|it| *it as u8).collect();
    let image = model.preprocessing().tensor(&pixels, 56);
    let class = of("class").data[0] as usize;
    for mut device in [cpu(), gpu()] {
        let g = Graph::default();
        let p = Params::new(&g, model.weights());
        let probe = probe(model, g.input(&image), &p, |logits| Wanted::Class(class).one_hot(logits));
        probe.logits.keep("logits");
        probe.image.1.reshape(&[56, 56]).keep("image");
        for (layer, x, dx) in &probe.layers {
            Method::NormGrad.at(*x, *dx).keep(layer.tap.trim_end_matches(".post"));
        }
        drop((p, probe));
        let found = run(&mut device, &g.finish());
        assert_eq!(found.len(), 8, "six layers");
        for (name, found) in found {
            // 5e-6 of the largest: f32 sums of some hundred terms through six layers; 3e-7 were measured. With derivatives
            // that equal values share, the layers before a pool differ by up to 0.9.
            let wanted = of(&name);
            let scale = wanted.data.iter().fold(0.0f32, |most, it| most.max(it.abs()));
            let difference = found.max_abs_diff(&wanted);
            assert!(difference <= 5e-6 * scale, "{name} differs by {difference} of {scale}");
        }
    }
}
