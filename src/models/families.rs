//! The families of models that can be loaded, one line each. Nothing else in the program lists them: what a model can do
//! stands beside it, as [`Sizes`] of its configuration and [`Loaded`](super::Loaded) of itself.

use super::any::{AnyModel, Kind, Sizes};
use super::checkpoint::LoadError;
use super::config::{ConfigError, ConfigFile};
use super::{Pixels, bert, cnn, efficientnet, gpt, regressor, retnet, vit};

/// By which `model_type` a `config.json` is known, and what reads it.
const FAMILIES: [(&[&str], Parse); 7] = [
    (&["bert"], |it| Ok(Box::new(bert::Config::parse(it)?))),
    (&["gpt2"], |it| Ok(Box::new(gpt::Config::parse(it)?))),
    (&[retnet::MODEL_TYPE], |it| Ok(Box::new(retnet::Config::parse(it)?))),
    (&["vit", "deit", vit::MODEL_TYPE], |it| Ok(Box::new(vit::Config::parse(it)?))),
    (&[cnn::MODEL_TYPE], |it| Ok(Box::new(cnn::Config::parse(it)?))),
    (&[regressor::MODEL_TYPE], |it| Ok(Box::new(regressor::Config::parse(it)?))),
    (&[efficientnet::MODEL_TYPE], |it| Ok(Box::new(efficientnet::Config::parse(it)?))),
];

type Parse = fn(&[u8]) -> Result<Box<dyn Sizes>, ConfigError>;

/// The sizes of a model of any family.
pub struct AnyConfig(Box<dyn Sizes>);

impl AnyConfig {
    /// Reads a `config.json` by its `model_type`; timm's have an `architecture` instead, and old BERTs neither.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        let timm = !it.word_or("architecture", "")?.is_empty();
        let found = it.word_or("model_type", if timm { "vit" } else { "bert" })?;
        let Some((_, parse)) = FAMILIES.iter().find(|(types, _)| types.contains(&found)) else {
            let known: Vec<&str> = FAMILIES.iter().flat_map(|it| it.0).copied().collect();
            return Err(it.wrong("model_type", &format!("{} are supported", known.join(", "))));
        };
        parse(json).map(Self)
    }

    /// Memory that the weights take, in bytes.
    pub fn memory(&self) -> u64 {
        self.0.memory()
    }

    /// What the model is for.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// Whether the model reads text, and so comes with a `tokenizer.json`.
    pub fn reads_text(&self) -> bool {
        !matches!(self.kind(), Kind::Vision | Kind::Regressor)
    }

    /// Lets a model of images make of pixels what its `preprocessor_config.json` says.
    pub fn set_pixels(&mut self, json: &[u8]) -> Result<(), ConfigError> {
        let it = ConfigFile::parse(json)?;
        if let Some((pixels, channels)) = self.0.pixels()
            && !it.absent("image_mean")
        {
            *pixels = Pixels::of(&it, channels)?;
        }
        Ok(())
    }

    /// The model, from its other files. Every tensor that it needs is checked here, none later.
    pub fn load(self, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        self.0.load(tokenizer, weights)
    }
}
