//! What all loaders share: a checkpoint's tensors under one set of names, its tokenizer, and what may be wrong with it.

use std::collections::BTreeMap;

use super::config::ConfigError;
use crate::data::{Tokenizer, TokenizerError};
use crate::tensor::Tensor;
use crate::weights::{Weights, WeightsError};

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its sizes.
    #[error("config.json: {0}")]
    Config(#[from] ConfigError),
    /// What it makes of pixels.
    #[error("preprocessor_config.json: {0}")]
    Pixels(ConfigError),
    /// Its tokens.
    #[error("tokenizer.json: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// Its weights.
    #[error("model.safetensors: {0}")]
    Weights(#[from] WeightsError),
    /// Two of its files contradict each other.
    #[error("tokenizer.json has ids up to {last}, but config.json says vocab_size {vocabulary}")]
    Vocabulary {
        /// The largest id.
        last: usize,
        /// Rows of the embedding table.
        vocabulary: usize,
    },
    /// A model of text without its tokenizer.
    #[error("tokenizer.json is missing: this model reads text")]
    NoTokenizer,
}

/// The most tokens that are taken, even where a model has more positions: attention maps are square.
const MAX_TOKENS: usize = 512;

/// The tokenizer of a model with so many positions.
pub(super) fn tokens(json: Option<&[u8]>, positions: usize) -> Result<Tokenizer, LoadError> {
    Ok(Tokenizer::parse(json.ok_or(LoadError::NoTokenizer)?, positions.min(MAX_TOKENS))?)
}

/// An error if `tokenizer` has ids for which a table of `vocabulary` rows has none.
pub(super) fn expect_rows(tokenizer: &Tokenizer, vocabulary: usize) -> Result<(), LoadError> {
    let needed = tokenizer.vocabulary();
    if needed > vocabulary { Err(LoadError::Vocabulary { last: needed - 1, vocabulary }) } else { Ok(()) }
}

/// Where a file keeps a tensor.
pub(super) struct Source {
    /// Its name in the file; several names are parts of it, one below the other.
    pub(super) names: Vec<String>,
    /// Whether the file keeps it as `[in, out]`.
    pub(super) transposed: bool,
}

impl From<String> for Source {
    fn from(name: String) -> Self {
        Self { names: vec![name], transposed: false }
    }
}

/// The tensors that a model needs by its own names, from a file that keeps them where `source` says.
pub(super) fn collect(
    file: &Weights,
    needed: impl Iterator<Item = (String, Vec<usize>)>,
    source: impl Fn(&str) -> Source,
) -> Result<Weights, WeightsError> {
    let mut tensors = BTreeMap::new();
    for (name, shape) in needed {
        let Source { names, transposed } = source(&name);
        let mut part = shape.clone();
        part[0] /= names.len();
        if transposed {
            part.reverse();
        }
        names.iter().try_for_each(|it| file.check(it, &part))?;
        let parts: Vec<Tensor> = names.iter().filter_map(|it| file.read(it)).collect();
        let tensor = match &parts[..] {
            [one] if transposed => Tensor::new(&shape, transpose(&one.data, shape[0])),
            [one] => one.clone(),
            _ => Tensor::new(&shape, parts.iter().map(|it| &*it.data).collect::<Vec<_>>().concat()),
        };
        tensors.insert(name, tensor);
    }
    Ok(Weights::from_tensors(&tensors).made_of(file))
}

/// `[n, rows]` as `[rows, n]`.
fn transpose(data: &[f32], rows: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| data[row..].iter().step_by(rows)).copied().collect()
}
