//! EfficientNet-Lite0: EfficientNet (Tan & Le 2019, arXiv 1905.11946) without squeeze-and-excitation and with ReLU6, as
//! its authors published it for small devices.
//!
//! Inverted bottlenecks (Sandler et al. 2018, arXiv 1801.04381, table 1): a 1 x 1 convolution widens, a depthwise one
//! looks around, a 1 x 1 one narrows; where nothing changes its shape the input is added. Batch normalisation is folded
//! into the kernels and biases when a checkpoint is converted (`assets/models/convert_efficientnet.py`).

use std::sync::Arc;

use super::any::{AnyModel, Kind, Loaded, Sizes};
use super::checkpoint::{LoadError, collect};
use super::config::{ConfigError, ConfigFile};
use super::{Layer, Pixels, Vision};
use crate::graph::{Graph, Var};
use crate::nn::{Params, classify, conv, depthwise_conv, global_avg_pool, layer, relu6, tap};
use crate::weights::Weights;

/// What its `config.json` calls it.
pub const MODEL_TYPE: &str = "efficientnet-lite0";

/// The stages (arXiv 1905.11946, table 1): blocks, kernel, stride of the first block, widening, channels.
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 1, 16],
    [2, 3, 2, 6, 24],
    [2, 5, 2, 6, 40],
    [3, 3, 2, 6, 80],
    [3, 5, 1, 6, 112],
    [4, 5, 2, 6, 192],
    [1, 3, 1, 6, 320],
];
/// Channels of the stem.
const STEM: usize = 32;
/// Channels of the head.
const HEAD: usize = 1280;

/// A model that can be recorded: its weights were checked against its configuration.
pub struct EfficientNet {
    /// The parameters.
    pub weights: Arc<Weights>,
    /// What is not the same for every Lite0.
    pub config: Config,
}

/// What is not the same for every Lite0.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Width and height of the image: `image_size`.
    pub image: usize,
    /// What the classes are called: `id2label`.
    pub classes: Vec<String>,
    /// What pixels become: `image_mean`, `image_std`.
    pub pixels: Pixels,
}

/// One inverted bottleneck.
#[derive(Clone, Copy)]
struct Bottleneck {
    kernel: usize,
    stride: usize,
    inputs: usize,
    widened: usize,
    outputs: usize,
}

/// All of them, in order.
fn bottlenecks() -> impl Iterator<Item = Bottleneck> {
    let mut inputs = STEM;
    let blocks = STAGES.into_iter().flat_map(|stage| (0..stage[0]).map(move |i| (i, stage)));
    blocks.map(move |(i, [_, kernel, stride, widening, outputs])| {
        let stride = if i == 0 { stride } else { 1 };
        let block = Bottleneck { kernel, stride, inputs, widened: inputs * widening, outputs };
        inputs = outputs;
        block
    })
}

impl EfficientNet {
    /// A model from its parts, checked against each other.
    pub fn new(config: Config, weights: &Weights) -> Result<Self, LoadError> {
        let weights = collect(weights, config.parameters(), |name| name.to_owned().into())?;
        Ok(Self { weights: Arc::new(weights), config })
    }

    /// Records the model on `images`, see [`record`].
    pub fn record<'g>(&self, g: &'g Graph, images: Var<'g>) -> Var<'g> {
        record(images, &Params::new(g, &self.weights))
    }
}

/// Records a model on `images`, `[row, col, channel]` or `[batch, row, col, channel]`; gives `[.., class]`. Taps: `stem`,
/// `blocks.I.expand`, `.depthwise`, `.project` and `.out`, `head`, `pooled`, `logits`.
pub fn record<'g>(images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let map = |x, name: &str| tap(x, name, "row col channel");
    let mut x = map(relu6(conv(images, &p.at("stem"), 2)), "stem");
    for (i, block) in bottlenecks().enumerate() {
        x = block.record(x, &format!("blocks.{i}"), p);
    }
    let x = map(relu6(conv(x, &p.at("head"), 1)), "head");
    let pooled = tap(global_avg_pool(x), "pooled", "channel");
    tap(classify(pooled, &p.at("classifier")), "logits", "class")
}

/// The taps where its stages end, and that of the head.
pub fn stages() -> Vec<String> {
    let ends = STAGES.iter().scan(0, |blocks, stage| {
        *blocks += stage[0];
        Some(format!("blocks.{}.out", *blocks - 1))
    });
    ends.chain(["head".to_owned()]).collect()
}

impl Bottleneck {
    fn record<'g>(self, x: Var<'g>, at: &str, p: &Params<'_, 'g>) -> Var<'g> {
        let p = p.at(at);
        let map = |x, name: &str| tap(x, &format!("{at}.{name}"), "row col channel");
        let widens = self.widened != self.inputs;
        let wide = if widens { map(relu6(conv(x, &p.at("expand"), 1)), "expand") } else { x };
        let seen = map(relu6(depthwise_conv(wide, &p.at("depthwise"), self.stride)), "depthwise");
        let narrow = map(conv(seen, &p.at("project"), 1), "project");
        let skips = self.stride == 1 && self.inputs == self.outputs;
        map(if skips { x + narrow } else { narrow }, "out")
    }

    /// Name and shape of its parameters.
    fn parameters(self, i: usize) -> impl Iterator<Item = (String, Vec<usize>)> {
        let Self { kernel, inputs, widened, outputs, .. } = self;
        let expand = (widened != inputs).then(|| kernel_of("expand", vec![1, 1, inputs, widened]));
        let depthwise = kernel_of("depthwise", vec![kernel, kernel, widened]);
        let project = kernel_of("project", vec![1, 1, widened, outputs]);
        let all = expand.into_iter().flatten().chain(depthwise).chain(project);
        all.map(move |(name, shape)| (format!("blocks.{i}.{name}"), shape))
    }
}

/// Name and shape of a kernel and its bias, one for each of the last axis.
fn kernel_of(name: &str, shape: Vec<usize>) -> [(String, Vec<usize>); 2] {
    let bias = shape[shape.len() - 1..].to_vec();
    [(format!("{name}.weight"), shape), (format!("{name}.bias"), bias)]
}

impl Config {
    /// Reads a `config.json`.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", MODEL_TYPE)?;
        Ok(Self {
            image: it.count("image_size", 1 << 12)?,
            classes: it.classes()?,
            pixels: Pixels::of(&it, 3)?,
        })
    }

    /// Name and shape of every tensor that the model needs.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let last = STAGES[STAGES.len() - 1][4];
        kernel_of("stem", vec![3, 3, 3, STEM])
            .into_iter()
            .chain(bottlenecks().enumerate().flat_map(|(i, it)| it.parameters(i)))
            .chain(kernel_of("head", vec![1, 1, last, HEAD]))
            .chain(layer("classifier", vec![self.classes.len(), HEAD]))
    }
}

impl Loaded for EfficientNet {
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

impl Vision for EfficientNet {
    fn side(&self) -> usize {
        self.config.image
    }

    fn channels(&self) -> usize {
        3
    }

    fn classes(&self) -> &[String] {
        &self.config.classes
    }

    fn preprocessing(&self) -> &Pixels {
        &self.config.pixels
    }

    fn record<'g>(&self, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        record(images, p)
    }

    fn layers(&self) -> Vec<Layer> {
        stages().into_iter().map(Layer::map).collect()
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
        Some((&mut self.pixels, 3))
    }

    fn load(self: Box<Self>, _tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        Ok(Arc::new(EfficientNet::new(*self, &Weights::parse(weights)?)?))
    }
}
