//! Weight files: safetensors with f32, f16 or bf16 elements, checked once when they are loaded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors};

use crate::tensor::{Tensor, size};

/// Why a weight file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not safetensors.
    #[error("this is not a safetensors file: {0}")]
    Malformed(#[from] safetensors::SafeTensorError),
    /// A tensor has elements that the engine does not read.
    #[error("tensor {name} holds {dtype:?}; F32, F16 and BF16 can be read")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: Dtype,
    },
}

/// The tensors of one weight file, in memory as they lie on disk.
pub struct Weights {
    id: u64,
    bytes: Vec<u8>,
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl Weights {
    /// Reads a safetensors file. Integer tensors (position ids and the like) are left out.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let mut entries = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
            let name = name.to_owned();
            match view.dtype() {
                Dtype::F32 | Dtype::F16 | Dtype::BF16 => {
                    let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
                    let range = start..start + view.data().len();
                    entries.insert(name, Entry { dtype: view.dtype(), shape: view.shape().to_vec(), range });
                }
                Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => {}
                dtype => return Err(WeightsError::Dtype { name, dtype }),
            }
        }
        Ok(Self { id: next_id(), bytes, entries })
    }

    /// Weights from tensors made in memory.
    pub fn from_tensors(tensors: &BTreeMap<String, Tensor>) -> Self {
        let mut bytes = vec![];
        let entries = tensors.iter().map(|(name, tensor)| {
            let start = bytes.len();
            bytes.extend_from_slice(bytemuck::cast_slice(&tensor.data));
            let entry = Entry { dtype: Dtype::F32, shape: tensor.shape.clone(), range: start..bytes.len() };
            (name.clone(), entry)
        });
        let entries = entries.collect();
        Self { id: next_id(), bytes, entries }
    }

    /// Differs between any two files loaded by this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Shape of a tensor, if the file holds it.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.entries.get(name).map(|it| it.shape.clone())
    }

    /// A tensor as f32.
    pub fn read(&self, name: &str) -> Option<Tensor> {
        let Entry { dtype, shape, range } = self.entries.get(name)?;
        let bytes = &self.bytes[range.clone()];
        let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        let data: Vec<f32> = match dtype {
            Dtype::F16 => pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
            _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        };
        Some(Tensor::new(shape, data))
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.entries.values().map(|it| size(&it.shape)).sum()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
