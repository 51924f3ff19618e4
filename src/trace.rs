//! What a run gave back: named tensors that never change.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{EngineError, gpu::DeviceTensor};
use crate::tensor::{Tensor, size};

/// The kept tensors of one run, by tap name.
#[derive(Default)]
pub struct Trace {
    /// The tensors.
    pub tensors: BTreeMap<String, Kept>,
    /// Words that go with them, such as the tokens along an axis.
    pub labels: BTreeMap<String, Vec<String>>,
    /// How the run went.
    pub stats: Stats,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// What computed; empty for a recorded trace.
    pub device: String,
    /// Kernel runs.
    pub dispatches: usize,
    /// Wall time.
    pub seconds: f64,
}

/// One tensor of a trace, on the device that computed it.
pub struct Kept {
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// Differs between any two tensors of this process: a key for what is drawn from it.
    pub id: u64,
    /// Where the elements are.
    pub storage: Storage,
}

/// Where the elements of a kept tensor are.
pub enum Storage {
    /// In host memory.
    Host(Arc<[f32]>),
    /// In a GPU buffer, row-major.
    Device(DeviceTensor),
}

impl Kept {
    /// A tensor of a trace.
    pub fn new(shape: &[usize], storage: Storage) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { shape: shape.to_vec(), id: NEXT.fetch_add(1, Ordering::Relaxed), storage }
    }

    /// Elements `range` of the flat tensor if they are at hand. On a GPU the first call asks for them, and a later frame
    /// finds them: nothing waits.
    pub fn window(&self, range: Range<usize>) -> Option<Arc<[f32]>> {
        assert!(range.end <= size(&self.shape), "window {range:?} of {:?}", self.shape);
        match &self.storage {
            Storage::Host(data) => Some(data[range].into()),
            Storage::Device(tensor) => tensor.window(range),
        }
    }

    /// The whole tensor, copied to the host.
    pub async fn read(&self) -> Result<Tensor, EngineError> {
        match &self.storage {
            Storage::Host(data) => Ok(Tensor::new(&self.shape, Arc::clone(data))),
            Storage::Device(tensor) => Ok(Tensor::new(&self.shape, tensor.read(0..size(&self.shape)).await?)),
        }
    }
}

impl From<Tensor> for Kept {
    fn from(tensor: Tensor) -> Self {
        Self::new(&tensor.shape, Storage::Host(tensor.data))
    }
}

impl Trace {
    /// A kept tensor.
    pub fn get(&self, name: &str) -> Option<&Kept> {
        self.tensors.get(name)
    }

    /// Words recorded under `name`; none if there are none.
    pub fn words(&self, name: &str) -> &[String] {
        self.labels.get(name).map_or(&[], Vec::as_slice)
    }
}
