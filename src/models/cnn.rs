//! A small convolutional network, to compare with the transformers: stages of 3 x 3 convolutions with ReLU (Simonyan &
//! Zisserman 2014, arXiv 1409.1556), halved by max pooling, read out by the mean over all places (Lin et al. 2013,
//! arXiv 1312.4400), so that every layer is a map that can be laid over the image.

use std::sync::Arc;

use serde_json::{Value, json};

use super::any::{AnyModel, Kind, Loaded, Sizes};
use super::checkpoint::{LoadError, collect};
use super::config::{ConfigError, ConfigFile, id2label};
use super::{Layer, Pixels, Vision};
use crate::graph::{Graph, Var};
use crate::nn::{Params, classify, conv, global_avg_pool, init, layer, max_pool, relu, tap};
use crate::weights::Weights;

/// What its `config.json` calls it.
pub const MODEL_TYPE: &str = "vitrine-cnn";

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Cnn {
    /// The parameters.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
}

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Width and height of the image: `image_size`.
    pub image: usize,
    /// Colours of a pixel: `num_channels`.
    pub channels: usize,
    /// Channels of each stage: `hidden_sizes`.
    pub widths: Vec<usize>,
    /// Convolutions of each stage: `depth`.
    pub depth: usize,
    /// What the classes are called: `id2label`.
    pub classes: Vec<String>,
    /// What pixels become: `image_mean`, `image_std`.
    pub pixels: Pixels,
}

impl Cnn {
    /// A model from its parts, checked against each other.
    pub fn new(config: Config, weights: &Weights) -> Result<Self, LoadError> {
        let weights = collect(weights, config.parameters(), |name| name.to_owned().into())?;
        Ok(Self { weights: Arc::new(weights), config })
    }

    /// Records the model on `images`, see [`record`].
    pub fn record<'g>(&self, g: &'g Graph, images: Var<'g>) -> Var<'g> {
        record(&self.config, images, &Params::new(g, &self.weights))
    }
}

/// Records a model on `images`, `[row, col, channel]` or `[batch, row, col, channel]`; gives `[.., class]`. Every
/// convolution is tapped before and after its ReLU: `stages.S.I.pre`, `stages.S.I.post`.
pub fn record<'g>(config: &Config, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let mut x = images;
    for s in 0..config.widths.len() {
        if s > 0 {
            x = max_pool(x, 2, 2);
        }
        for i in 0..config.depth {
            let at = format!("stages.{s}.{i}");
            let pre = tap(conv(x, &p.at(&at), 1), &format!("{at}.pre"), "row col channel");
            x = tap(relu(pre), &format!("{at}.post"), "row col channel");
        }
    }
    let pooled = tap(global_avg_pool(x), "pooled", "channel"); // [.., channel]
    tap(classify(pooled, &p.at("head")), "logits", "class")
}

impl Config {
    /// Reads a `config.json`.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", MODEL_TYPE)?;
        let image = it.count("image_size", 1 << 12)?;
        let channels = it.count("num_channels", 1 << 10)?;
        let widths = it.numbers("hidden_sizes")?;
        let halved = image >> widths.len().saturating_sub(1).min(31);
        let fits = widths.iter().all(|n| (1.0..=4096.0).contains(n) && n.fract() == 0.0);
        if widths.is_empty() || !fits || halved == 0 {
            return Err(
                it.wrong("hidden_sizes", "each stage needs some channels and half the places of the last")
            );
        }
        Ok(Self {
            image,
            channels,
            widths: widths.into_iter().map(|n| n as usize).collect(),
            depth: it.count("depth", 100)?,
            classes: it.classes()?,
            pixels: Pixels::of(&it, channels)?,
        })
    }

    /// The same as a `config.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "model_type": MODEL_TYPE, "image_size": self.image, "num_channels": self.channels,
            "hidden_sizes": self.widths, "depth": self.depth, "id2label": id2label(&self.classes),
            "image_mean": self.pixels.mean, "image_std": self.pixels.std,
        })
    }

    /// Weights that have learnt nothing yet: He's normal for every kernel, Xavier's uniform for the head, zeros elsewhere.
    pub fn untrained(&self, seed: u64) -> Weights {
        init::weights(self.parameters(), seed, |name, shape, random| match name {
            "head.weight" => init::xavier_uniform(shape, shape[0] + shape[1], random),
            _ if name.ends_with("weight") => init::he_normal(shape, random),
            _ => init::constant(shape, 0.0),
        })
    }

    /// Name and shape of every tensor that the model needs.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let before = std::iter::once(self.channels).chain(self.widths.iter().copied());
        let stages = before.zip(self.widths.iter().copied()).enumerate();
        let stages = stages.flat_map(move |(s, (before, width))| {
            let kernel = move |i: usize| {
                let inputs = if i == 0 { before } else { width };
                let at = format!("stages.{s}.{i}");
                [(format!("{at}.weight"), vec![3, 3, inputs, width]), (format!("{at}.bias"), vec![width])]
            };
            (0..self.depth).flat_map(kernel)
        });
        let last = self.widths.last().copied().unwrap_or(self.channels);
        stages.chain(layer("head", vec![self.classes.len(), last]))
    }
}

impl Loaded for Cnn {
    fn sizes(&self) -> &dyn Sizes {
        &self.config
    }

    fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    fn vision(&self) -> Option<&dyn Vision> {
        Some(self)
    }
}

impl Vision for Cnn {
    fn side(&self) -> usize {
        self.config.image
    }

    fn channels(&self) -> usize {
        self.config.channels
    }

    fn classes(&self) -> &[String] {
        &self.config.classes
    }

    fn preprocessing(&self) -> &Pixels {
        &self.config.pixels
    }

    fn record<'g>(&self, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        record(&self.config, images, p)
    }

    fn layers(&self) -> Vec<Layer> {
        let Config { widths, depth, .. } = &self.config;
        let taps = (0..widths.len()).flat_map(|s| (0..*depth).map(move |i| format!("stages.{s}.{i}.post")));
        taps.map(Layer::map).collect()
    }
}

impl Sizes for Config {
    fn kind(&self) -> Kind {
        Kind::Vision
    }

    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.parameters().collect()
    }

    fn pixels(&mut self) -> Option<(&mut Pixels, usize)> {
        Some((&mut self.pixels, self.channels))
    }

    fn load(self: Box<Self>, _tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        Ok(Arc::new(Cnn::new(*self, &Weights::parse(weights)?)?))
    }
}
