//! What a run gave back: named tensors that never change.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::tensor::{Tensor, size};
use crate::weights::Weights;

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

/// One tensor of a trace, on the device that computed it. Cheap to clone.
#[derive(Clone)]
pub struct Kept {
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// Differs between any two tensors of this process: a key for what is drawn from it.
    pub id: u64,
    /// Where the elements are.
    pub storage: Storage,
}

/// Where the elements of a kept tensor are.
#[derive(Clone)]
pub enum Storage {
    /// In host memory.
    Host(Arc<[f32]>),
    /// In a buffer of the device that computed them, row-major.
    Device(Arc<dyn OnDevice>),
}

/// Elements that a device holds: what can be asked of them wherever they lie. Who knows the device finds its own type again.
pub trait OnDevice: Any + Send + Sync {
    /// Elements `range` if they are at hand. The first call asks for them, a call in a later frame finds them; nothing waits.
    fn window(&self, range: Range<usize>) -> Option<Arc<[f32]>>;

    /// All elements, waited for.
    fn read(&self) -> Pending<'_>;
}

/// Elements on their way to the host.
pub type Pending<'a> = Pin<Box<dyn Future<Output = Result<Vec<f32>, EngineError>> + Send + 'a>>;

/// Why a run gave no trace.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// A newer request took its place, or somebody pressed cancel.
    #[error("cancelled")]
    Cancelled,
    /// No adapter, or none that can compute.
    #[error("no GPU that can compute was found: {0}")]
    NoGpu(String),
    /// The driver refused a shader or a buffer: nothing was computed.
    #[error("the GPU refused {what}: {reason}")]
    Refused {
        /// Which kernel or buffer.
        what: String,
        /// The driver's words.
        reason: String,
    },
    /// The device went away.
    #[error("the GPU was lost: {0}")]
    Lost(String),
    /// A run takes more memory than there is.
    #[error(
        "this takes {needed} MB of memory, more than there is here: a shorter text or a smaller picture takes less"
    )]
    Memory {
        /// Megabytes needed, weights excluded.
        needed: usize,
    },
    /// A tensor does not fit.
    #[error("{what} needs {needed} MB in one buffer; this GPU allows {allowed} MB")]
    TooLarge {
        /// Which tensor.
        what: String,
        /// Megabytes needed.
        needed: usize,
        /// Megabytes allowed.
        allowed: usize,
    },
}

impl Kept {
    /// A tensor of a trace.
    pub fn new(shape: &[usize], storage: Storage) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { shape: shape.to_vec(), id: NEXT.fetch_add(1, Ordering::Relaxed), storage }
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        size(&self.shape)
    }

    /// Elements `range` of the flat tensor if they are at hand. On a GPU the first call asks for them, and a later frame
    /// finds them: nothing waits.
    pub fn window(&self, range: Range<usize>) -> Option<Arc<[f32]>> {
        assert!(range.end <= size(&self.shape), "window {range:?} of {:?}", self.shape);
        match &self.storage {
            Storage::Host(data) if range == (0..data.len()) => Some(Arc::clone(data)),
            Storage::Host(data) => Some(data[range].into()),
            Storage::Device(tensor) => tensor.window(range),
        }
    }

    /// All elements of the flat tensor if they are at hand, see [`Self::window`].
    pub fn values(&self) -> Option<Arc<[f32]>> {
        self.window(0..self.size())
    }

    /// The whole tensor, copied to the host.
    pub async fn read(&self) -> Result<Tensor, EngineError> {
        Ok(Tensor::new(&self.shape, self.on_host().await?))
    }

    /// The elements in host memory; they are copied only if they lie elsewhere.
    pub async fn on_host(&self) -> Result<Arc<[f32]>, EngineError> {
        match &self.storage {
            Storage::Host(data) => Ok(Arc::clone(data)),
            Storage::Device(tensor) => Ok(tensor.read().await?.into()),
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

    /// The first number of a kept tensor, once it is at hand: see [`Kept::window`].
    pub fn number(&self, name: &str) -> Option<f32> {
        Some(self.get(name)?.window(0..1)?[0])
    }

    /// The same trace with all its tensors in host memory.
    pub async fn on_host(mut self) -> Result<Self, EngineError> {
        for kept in self.tensors.values_mut() {
            *kept = Kept::new(&kept.shape, Storage::Host(kept.on_host().await?));
        }
        Ok(self)
    }

    /// Words recorded under `name`; none if there are none.
    pub fn words(&self, name: &str) -> &[String] {
        self.labels.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Why recorded bytes are no trace.
#[derive(Debug, thiserror::Error)]
#[error("not a recorded trace: {0}")]
pub struct TraceError(String);

impl Trace {
    /// Reads a trace from safetensors with f16 or f32 elements; the words are JSON in the metadata, under `labels`.
    pub fn parse(bytes: &[u8]) -> Result<Self, TraceError> {
        let fault = |it: &dyn std::fmt::Display| TraceError(it.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| fault(&e))?;
        let labels = metadata.metadata().as_ref().and_then(|it| it.get("labels"));
        let labels = labels.map_or(Ok(BTreeMap::new()), |it| serde_json::from_str(it));
        let labels = labels.map_err(|e| fault(&e))?;
        let weights = Weights::parse(bytes.to_vec()).map_err(|e| fault(&e))?;
        let kept = |name: &str| Some((name.to_owned(), Kept::from(weights.read(name)?)));
        Ok(Self { tensors: weights.names().filter_map(kept).collect(), labels, stats: Stats::default() })
    }

    /// The trace as safetensors in f16, which is what a first picture needs.
    pub async fn record(&self) -> Result<Vec<u8>, EngineError> {
        let mut halves = BTreeMap::new();
        for (name, kept) in &self.tensors {
            let tensor = kept.read().await?;
            let bytes: Vec<u8> =
                tensor.data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
            halves.insert(name, (kept.shape.clone(), bytes));
        }
        let views = halves.iter().filter_map(|(name, (shape, bytes))| {
            Some((name.as_str(), TensorView::new(Dtype::F16, shape.clone(), bytes).ok()?))
        });
        let words = serde_json::to_string(&self.labels).unwrap_or_default();
        let metadata = HashMap::from([("labels".to_owned(), words)]);
        // Serialising to memory fails only for tensors whose bytes do not fit their shape; these do.
        Ok(safetensors::serialize(views, Some(metadata)).unwrap_or_default())
    }
}
