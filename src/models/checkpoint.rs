//! What a checkpoint's files hold: which model, of what sizes, and its tensors under one set of names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{ConfigError, Fields};
use super::{Bert, Cnn, EfficientNet, Gpt, Kind, Pixels, Vit, bert, cnn, efficientnet, gpt, vit};
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

/// A model that can be recorded.
#[derive(Clone)]
#[expect(missing_docs, reason = "each is the model of its name")]
pub enum AnyModel {
    Bert(Arc<Bert>),
    Vit(Arc<Vit>),
    Gpt(Arc<Gpt>),
    Cnn(Arc<Cnn>),
    EfficientNet(Arc<EfficientNet>),
}

impl AnyModel {
    /// What makes tokens of a text, if it reads one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match self {
            Self::Bert(it) => Some(&it.tokenizer),
            Self::Gpt(it) => Some(&it.tokenizer),
            Self::Vit(_) | Self::Cnn(_) | Self::EfficientNet(_) => None,
        }
    }

    /// The parameters.
    pub fn weights(&self) -> &Arc<Weights> {
        match self {
            Self::Bert(it) => &it.weights,
            Self::Vit(it) => &it.weights,
            Self::Gpt(it) => &it.weights,
            Self::Cnn(it) => &it.weights,
            Self::EfficientNet(it) => &it.weights,
        }
    }
}

/// The sizes of a model, as its `config.json` gives them.
#[expect(missing_docs, reason = "each is the model of its name")]
pub enum AnyConfig {
    Bert(bert::Config),
    Vit(vit::Config),
    Gpt(gpt::Config),
    Cnn(cnn::Config),
    EfficientNet(efficientnet::Config),
}

impl AnyConfig {
    /// Reads a `config.json` by its `model_type`; timm's have an `architecture` instead, and old BERTs neither.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = Fields::parse(json)?;
        let timm = !it.word_or("architecture", "")?.is_empty();
        match it.word_or("model_type", if timm { "vit" } else { "bert" })? {
            "bert" => bert::Config::parse(json).map(Self::Bert),
            "vit" | "deit" => vit::Config::parse(json).map(Self::Vit),
            "gpt2" => gpt::Config::parse(json).map(Self::Gpt),
            cnn::MODEL_TYPE => cnn::Config::parse(json).map(Self::Cnn),
            efficientnet::MODEL_TYPE => efficientnet::Config::parse(json).map(Self::EfficientNet),
            _ => Err(it.wrong("model_type", "bert, gpt2, vit and deit are supported")),
        }
    }

    /// Memory that the weights take, in bytes.
    pub fn memory(&self) -> u64 {
        match self {
            Self::Bert(it) => it.memory(),
            Self::Vit(it) => it.memory(),
            Self::Gpt(it) => it.memory(),
            Self::Cnn(it) => it.memory(),
            Self::EfficientNet(it) => it.memory(),
        }
    }

    /// Lets a model of images make of pixels what its `preprocessor_config.json` says.
    pub fn set_pixels(&mut self, json: &[u8]) -> Result<(), ConfigError> {
        let it = Fields::parse(json)?;
        let (pixels, channels) = match self {
            Self::Vit(config) => (&mut config.pixels, config.channels),
            Self::Cnn(config) => (&mut config.pixels, config.channels),
            Self::EfficientNet(config) => (&mut config.pixels, 3),
            Self::Bert(_) | Self::Gpt(_) => return Ok(()),
        };
        if !it.absent("image_mean") {
            *pixels = Pixels::of(&it, channels)?;
        }
        Ok(())
    }

    /// What the model is for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bert(_) => Kind::Encoder,
            Self::Gpt(_) => Kind::Decoder,
            Self::Vit(_) | Self::Cnn(_) | Self::EfficientNet(_) => Kind::Vision,
        }
    }

    /// Whether the model reads text, and so comes with a `tokenizer.json`.
    pub fn reads_text(&self) -> bool {
        self.kind() != Kind::Vision
    }

    /// The model, from its other files. Every tensor that it needs is checked here, none later.
    pub fn load(self, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        let tokens = |positions: usize| -> Result<Tokenizer, LoadError> {
            let json = tokenizer.ok_or(LoadError::NoTokenizer)?;
            Ok(Tokenizer::parse(json, positions.min(Bert::MAX_TOKENS))?)
        };
        Ok(match self {
            Self::Bert(it) => {
                let tokenizer = tokens(it.positions)?.with_specials()?;
                AnyModel::Bert(Arc::new(Bert::new(it, tokenizer, Weights::parse(weights)?)?))
            }
            Self::Gpt(it) => {
                let tokenizer = tokens(it.positions)?;
                AnyModel::Gpt(Arc::new(Gpt::new(it, tokenizer, &Weights::parse(weights)?)?))
            }
            Self::Vit(it) => AnyModel::Vit(Arc::new(Vit::new(it, &Weights::parse(weights)?)?)),
            Self::Cnn(it) => AnyModel::Cnn(Arc::new(Cnn::new(it, &Weights::parse(weights)?)?)),
            Self::EfficientNet(it) => {
                AnyModel::EfficientNet(Arc::new(EfficientNet::new(it, &Weights::parse(weights)?)?))
            }
        })
    }
}

impl AnyModel {
    /// Memory that its weights take, in bytes.
    pub fn memory(&self) -> u64 {
        match self {
            Self::Bert(it) => it.config.memory(),
            Self::Vit(it) => it.config.memory(),
            Self::Gpt(it) => it.config.memory(),
            Self::Cnn(it) => it.config.memory(),
            Self::EfficientNet(it) => it.config.memory(),
        }
    }
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
    Ok(Weights::from_tensors(&tensors))
}

/// `[n, rows]` as `[rows, n]`.
fn transpose(data: &[f32], rows: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| data[row..].iter().step_by(rows)).copied().collect()
}
