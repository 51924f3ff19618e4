//! The same recording on both devices. Without a GPU the tests that ask for one fail, unless `NO_GPU=1` says that there is
//! none.

use std::cell::RefCell;
use std::collections::BTreeMap;

use vitrine::engine::{Cancel, cpu::Cpu, gpu::Gpu};
use vitrine::graph::{Graph, Recording};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;

/// Sums of up to some hundred products of numbers below 2, in another order.
pub(crate) const SUM: f32 = 1e-4;

/// Both devices.
pub(crate) struct Pair {
    pub(crate) cpu: RefCell<Cpu>,
    pub(crate) gpu: RefCell<Gpu>,
}

impl Pair {
    /// `None` if `NO_GPU=1`.
    pub(crate) fn new() -> Option<Self> {
        Self::by(|gpu| gpu)
    }

    /// The same with a GPU that is told how to go about things.
    pub(crate) fn by(how: impl FnOnce(Gpu) -> Gpu) -> Option<Self> {
        if std::env::var("NO_GPU").is_ok_and(|it| it == "1") {
            return None;
        }
        let gpu = how(block_on(Gpu::new()).expect("there is a GPU, or NO_GPU=1"));
        Some(Self { cpu: RefCell::new(Cpu::new()), gpu: RefCell::new(gpu) })
    }

    /// Whether the devices agree on all kept tensors, relative where numbers are above 1; if not, the first that differs.
    pub(crate) fn compare(&self, recording: &Recording, tolerance: f32) -> Result<(), String> {
        let expected = values(&block_on(self.cpu.borrow_mut().run(recording, &Cancel::default())).unwrap());
        let found = values(&block_on(self.gpu.borrow_mut().run(recording, &Cancel::default())).unwrap());
        assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "kept tensors");
        for (name, expected) in &expected {
            assert_eq!(expected.shape, found[name].shape, "shape of {name}");
            for (i, (e, f)) in expected.data.iter().zip(found[name].data.iter()).enumerate() {
                let close = e == f || (e - f).abs() <= tolerance * e.abs().max(1.0);
                if !close {
                    return Err(format!("{name} {:?} at {i}: expected {e}, found {f}", expected.shape));
                }
            }
        }
        Ok(())
    }

    /// Asserts that the devices agree to `tolerance`.
    #[track_caller]
    pub(crate) fn check(&self, tolerance: f32, record: impl Fn(&Graph)) {
        self.compare(&recorded(record), tolerance).unwrap_or_else(|e| panic!("{e}"));
    }
}

pub(crate) fn recorded(record: impl FnOnce(&Graph)) -> Recording {
    let g = Graph::default();
    record(&g);
    g.finish()
}

pub(crate) fn values(trace: &Trace) -> BTreeMap<String, Tensor> {
    let read = trace.tensors.iter().map(|(name, it)| (name.clone(), block_on(it.read()).unwrap()));
    read.collect()
}

/// Numbers between -`scale` and `scale` that look random.
pub(crate) fn numbers(shape: &[usize], seed: u32, scale: f32) -> Tensor {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    Tensor::from_fn(shape, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / 8_388_608.0 - 1.0) * scale
    })
}
