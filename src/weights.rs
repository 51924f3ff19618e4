//! Weight files: safetensors with f32, f16, bf16 or f64 elements, or rows of 8 bits, checked once when they are loaded and
//! held as f32, or as the 8 or 16 bits that they are.
//!
//! A matrix of 8 bits has a number for each row beside it, `NAME_scale`, by which the row is multiplied, as in the files of
//! compressed-tensors. `assets/models/shrink.py` makes such files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};

use crate::tensor::{Tensor, size};

/// The tensors of one weight file, in host memory once: [`Self::read`] copies only what is held in fewer bits than f32.
pub struct Weights {
    id: u64,
    tensors: BTreeMap<String, Held>,
    /// Bits of an element of the largest tensor, in the file.
    bits: usize,
    /// Element types of the tensors that cannot be read, such as position ids.
    others: BTreeMap<String, Dtype>,
}

/// A tensor as memory holds it.
#[derive(Clone)]
pub(crate) enum Held {
    /// Its numbers.
    F32(Tensor),
    /// Its shape, and its numbers in 16 bits: half of the memory.
    Halves(Vec<usize>, Arc<[f16]>),
    /// A matrix of 8 bits, `[row, column]`, and what each row is multiplied by: a quarter of the memory.
    Rows(Arc<[u8]>, Arc<[f32]>),
}

impl Held {
    /// Its axes.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::F32(it) => it.shape.clone(),
            Self::Halves(shape, _) => shape.clone(),
            Self::Rows(bytes, scales) => vec![scales.len(), bytes.len() / scales.len().max(1)],
        }
    }

    /// What 16 bits a number say.
    fn halves(shape: &[usize], bytes: &[u8]) -> Self {
        let number = |it: &[u8]| f16::from_le_bytes([it[0], it[1]]);
        Self::Halves(shape.to_vec(), bytes.chunks_exact(2).map(number).collect())
    }

    /// Tensors on top of each other, in fewer bits if all of them are.
    fn stack(parts: &[Self]) -> Self {
        let shapes: Vec<Vec<usize>> = parts.iter().map(Self::shape).collect();
        let shape = [&[shapes.iter().map(|it| it[0]).sum()], &shapes[0][1..]].concat();
        let (mut bytes, mut scales, mut halves) = (vec![], vec![], vec![]);
        for part in parts {
            match part {
                Self::F32(_) => {}
                Self::Halves(_, it) => halves.extend_from_slice(it),
                Self::Rows(these, of) => {
                    bytes.extend_from_slice(these);
                    scales.extend_from_slice(of);
                }
            }
        }
        if !bytes.is_empty() && bytes.len() == size(&shape) {
            Self::Rows(bytes.into(), scales.into())
        } else if !halves.is_empty() && halves.len() == size(&shape) {
            Self::Halves(shape, halves.into())
        } else {
            let numbers = parts.iter().flat_map(|it| it.tensor().data.to_vec());
            Self::F32(Tensor::new(&shape, numbers.collect::<Vec<f32>>()))
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(it) => size_of_val(&*it.data),
            Self::Halves(_, halves) => size_of_val(&**halves),
            Self::Rows(bytes, scales) => bytes.len() + size_of_val(&**scales),
        }
    }

    fn tensor(&self) -> Tensor {
        match self {
            Self::F32(it) => it.clone(),
            Self::Halves(shape, halves) => {
                Tensor::new(shape, halves.iter().map(|it| it.to_f32()).collect::<Arc<[f32]>>())
            }
            Self::Rows(bytes, scales) => Tensor::new(&self.shape(), scaled(bytes, scales)),
        }
    }
}

/// Why a weight file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not safetensors.
    #[error("this is not a safetensors file: {:.200}", .0.to_string())]
    Malformed(SafeTensorError),
    /// Git's stand-in for a large file.
    #[error("this is a Git LFS pointer, not the weights that it points to; `git lfs pull` fetches them")]
    Pointer,
    /// The file ends before its last tensor does.
    #[error("the file stops after {:.1} of {:.1} MB", *.have as f64 / 1e6, *.need as f64 / 1e6)]
    Truncated {
        /// Bytes that are there.
        have: u64,
        /// Bytes that the header promises.
        need: u64,
    },
    /// A tensor that the model needs is not in the file.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor that the model needs has elements that the engine does not read.
    #[error("tensor {name} holds {dtype}; F32, F16, BF16, F64 and I8 with a scale for each row can be read")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: Dtype,
    },
    /// A tensor has another shape than the model's configuration says.
    #[error("tensor {name} has shape {found:?}; config.json asks for {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that follows from the configuration.
        wanted: Vec<usize>,
    },
}

impl Weights {
    /// Reads a safetensors file. What has no real numbers (position ids and the like) is left out.
    ///
    /// Tensors are taken off the end of the file, which shrinks meanwhile: memory holds the weights once, not twice.
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let (header, metadata) = read_metadata(&bytes)?;
        let mut weights = Self::new(BTreeMap::new());
        let scales = scales(&bytes[header..], &metadata);
        let mut largest = 0;
        for name in metadata.offset_keys().into_iter().rev() {
            let Some(info) = metadata.info(&name) else { continue };
            if name.strip_suffix(SCALE).is_some_and(|it| scales.contains_key(it)) {
                continue;
            }
            let (start, end) = info.data_offsets;
            let elements = &bytes[header + start..header + end];
            if size(&info.shape) > largest {
                (largest, weights.bits) = (size(&info.shape), info.dtype.bitsize());
            }
            let held = match scales.get(&name) {
                Some(scales) => Some(Held::Rows(elements.into(), Arc::clone(scales))),
                None if info.dtype == Dtype::F16 => Some(Held::halves(&info.shape, elements)),
                None => widen(elements, info.dtype).map(|it| Held::F32(Tensor::new(&info.shape, it))),
            };
            match held {
                Some(held) => weights.tensors.insert(name, held).is_some(),
                None => weights.others.insert(name, info.dtype).is_some(),
            };
            bytes.truncate(header + start);
            if bytes.capacity() - bytes.len() > 8 << 20 {
                bytes.shrink_to_fit();
            }
        }
        Ok(weights)
    }

    /// Whether `bytes` are a whole safetensors file, without reading its tensors.
    pub fn verify(bytes: &[u8]) -> Result<(), WeightsError> {
        read_metadata(bytes).map(|_| ())
    }

    /// Weights from tensors made in memory.
    pub fn from_tensors(tensors: &BTreeMap<String, Tensor>) -> Self {
        Self::new(tensors.iter().map(|(name, it)| (name.clone(), Held::F32(it.clone()))).collect())
    }

    fn new(tensors: BTreeMap<String, Held>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), tensors, bits: 32, others: BTreeMap::new() }
    }

    /// The same with the bits of another file, which it was made of.
    #[must_use]
    pub(crate) fn made_of(self, file: &Self) -> Self {
        Self { bits: file.bits, ..self }
    }

    /// Bits of an element of the largest tensor, as the file had it: a model of 8 bits is an approximation.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The same as a file of 8 bits would give them: every row of a matrix on 255 steps, as wide as its largest element
    /// allows; vectors as they are.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let each = self.tensors.iter().map(|(name, it)| (name.clone(), Held::F32(rounded(&it.tensor()))));
        Self { bits: 8, ..Self::new(each.collect()) }
    }

    /// Gives every tensor the name that `canonical` makes of its own: files of different origin, one set of names.
    #[must_use]
    pub fn rename(mut self, canonical: impl Fn(&str) -> String) -> Self {
        self.tensors = self.tensors.into_iter().map(|(name, it)| (canonical(&name), it)).collect();
        self.others = self.others.into_iter().map(|(name, it)| (canonical(&name), it)).collect();
        self
    }

    /// Puts tensors on top of each other, as one of this `name` in their stead: matrices that are multiplied with the same, in one
    /// product.
    #[must_use]
    pub fn stack(mut self, name: &str, parts: &[String]) -> Self {
        let parts: Vec<Held> = parts.iter().filter_map(|it| self.tensors.remove(it)).collect();
        self.tensors.insert(name.to_owned(), Held::stack(&parts));
        self
    }

    /// Whether the file holds tensor `name` in the shape that a model needs.
    pub fn check(&self, name: &str, wanted: &[usize]) -> Result<(), WeightsError> {
        let name = name.to_owned();
        if let Some(&dtype) = self.others.get(&name) {
            return Err(WeightsError::Dtype { name, dtype });
        }
        match self.shape(&name) {
            None => Err(WeightsError::Missing(name)),
            Some(found) if found != wanted => {
                Err(WeightsError::Shape { name, found, wanted: wanted.to_vec() })
            }
            Some(_) => Ok(()),
        }
    }

    /// Differs between any two files loaded by this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor, if the file holds it.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(Held::shape)
    }

    /// A tensor as memory holds it, if the file does.
    pub(crate) fn held(&self, name: &str) -> Option<&Held> {
        self.tensors.get(name)
    }

    /// A tensor, if the file holds it. It shares the memory of the file, or is made of its 8 or 16 bits.
    pub fn read(&self, name: &str) -> Option<Tensor> {
        self.tensors.get(name).map(Held::tensor)
    }

    /// Rows `[id, column]` of a matrix that the file holds, written to `out`; ids beyond it are clamped to its last row. Of
    /// 8 or 16 bits only these rows are made.
    pub fn look_up(&self, name: &str, ids: &[f32], out: &mut [f32]) {
        let Some(held) = self.tensors.get(name) else { return };
        let [rows, columns] = held.shape()[..] else { return };
        if columns == 0 {
            return;
        }
        for (out, id) in out.chunks_exact_mut(columns).zip(ids) {
            let row = (*id as usize).min(rows.saturating_sub(1));
            let row_of = row * columns..(row + 1) * columns;
            match held {
                Held::F32(it) => out.copy_from_slice(&it.data[row_of]),
                Held::Halves(_, halves) => {
                    out.iter_mut().zip(&halves[row_of]).for_each(|(y, x)| *y = x.to_f32());
                }
                Held::Rows(bytes, scales) => {
                    let numbers = bytes[row_of].iter().map(|it| f32::from(it.cast_signed()) * scales[row]);
                    out.iter_mut().zip(numbers).for_each(|(y, x)| *y = x);
                }
            }
        }
    }

    /// Why the first of the tensors that cannot be read cannot; none if all can.
    pub fn unread(&self) -> Option<WeightsError> {
        let (name, dtype) = self.others.first_key_value()?;
        Some(WeightsError::Dtype { name: name.clone(), dtype: *dtype })
    }

    /// Memory that they take as they are held.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(Held::bytes).sum()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|it| size(&it.shape())).sum()
    }
}

/// What is added to the name of a matrix of 8 bits for the numbers of its rows.
const SCALE: &str = "_scale";

/// The numbers of the rows of every matrix of 8 bits that has them, by the matrix's name.
fn scales(data: &[u8], metadata: &safetensors::tensor::Metadata) -> BTreeMap<String, Arc<[f32]>> {
    let of = |name: String| {
        let (matrix, rows) = (metadata.info(&name)?, metadata.info(&format!("{name}{SCALE}"))?);
        let fits =
            matrix.dtype == Dtype::I8 && matrix.shape.len() == 2 && size(&rows.shape) == matrix.shape[0];
        let numbers = widen(&data[rows.data_offsets.0..rows.data_offsets.1], rows.dtype)?;
        fits.then_some((name, numbers))
    };
    metadata.offset_keys().into_iter().filter_map(of).collect()
}

/// Rows of 8 bits as f32.
fn scaled(bytes: &[u8], scales: &[f32]) -> Arc<[f32]> {
    let columns = bytes.len() / scales.len().max(1);
    let number = |(i, it): (usize, &u8)| f32::from(it.cast_signed()) * scales[i / columns];
    bytes.iter().enumerate().map(number).collect()
}

/// A matrix whose rows went through 8 bits.
fn rounded(it: &Tensor) -> Tensor {
    let [_, columns] = it.shape[..] else { return it.clone() };
    let row = |row: &[f32]| {
        let scale = row.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 127.0;
        // A row of zeros has no scale, and stays what it is.
        let step = if scale > 0.0 { scale } else { 1.0 };
        row.iter().map(|x| (x / step).round_ties_even() * scale).collect::<Vec<f32>>()
    };
    Tensor::new(&it.shape, it.data.chunks_exact(columns.max(1)).flat_map(row).collect::<Vec<f32>>())
}

/// The elements as f32; `None` for types that are not real numbers of 16 bits or more.
fn widen(bytes: &[u8], dtype: Dtype) -> Option<Arc<[f32]>> {
    let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    match dtype {
        Dtype::F32 => {
            Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        }
        Dtype::F64 => {
            let eights = bytes.chunks_exact(8).filter_map(|b| b.first_chunk());
            Some(eights.map(|b| f64::from_le_bytes(*b) as f32).collect())
        }
        Dtype::F16 => Some(pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect()),
        Dtype::BF16 => Some(pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect()),
        _ => None,
    }
}

/// Where the elements begin, and what lies where.
fn read_metadata(bytes: &[u8]) -> Result<(usize, safetensors::tensor::Metadata), WeightsError> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(WeightsError::Pointer);
    }
    match SafeTensors::read_metadata(bytes) {
        Ok((header, metadata)) => Ok((header + 8, metadata)),
        Err(fault) => Err(match promised(bytes) {
            Some(need) if need > bytes.len() as u64 => {
                WeightsError::Truncated { have: bytes.len() as u64, need }
            }
            _ => WeightsError::Malformed(fault),
        }),
    }
}

/// The length of the whole file according to its header, where there is one: its own length in 8 bytes, then JSON.
fn promised(bytes: &[u8]) -> Option<u64> {
    let header = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let looks_right = bytes.get(8) == Some(&b'{') && header < 100_000_000;
    let end = usize::try_from(header).ok().filter(|_| looks_right)?.checked_add(8)?;
    let Some(header) = bytes.get(8..end) else { return Some(end as u64) };
    let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let ends = header.values().filter_map(|it| it["data_offsets"][1].as_u64());
    ends.max()?.checked_add(end as u64)
}
