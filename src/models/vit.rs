//! ViT: an image is worth 16x16 words (Dosovitskiy et al. 2020, arXiv 2010.11929), and DeiT (Touvron et al. 2020,
//! arXiv 2012.12877).
//!
//! Patches of an image become tokens, a class token goes before them, and pre-norm blocks transform them. Checkpoints
//! load by the names of Hugging Face (`vit`, `deit`) and of timm; in memory the names are timm's. Attention may be bent by a
//! [`Field`] of the distance between patches.

mod config;
mod field;

use std::sync::Arc;

pub use config::{Config, MODEL_TYPE, Pool};
pub use field::{Field, LEARNT};

use super::any::{AnyModel, Kind, Loaded, Sizes};
use super::checkpoint::{LoadError, Source, collect};
use super::{Layer, Pixels, Vision};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::Attention;
use crate::nn::{Block, Params, classify, layer_norm, patch_embed, tap};
use crate::weights::Weights;

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Vit {
    /// The parameters, by timm's names.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
}

/// What a recorded ViT ends with.
#[derive(Clone, Copy)]
pub struct Seen<'g> {
    /// Every token after the last norm, `[.., pos, d_model]`.
    pub tokens: Var<'g>,
    /// One number for each class, `[.., class]`.
    pub logits: Var<'g>,
}

impl Vit {
    /// A model from its parts, checked against each other.
    pub fn new(mut config: Config, weights: &Weights) -> Result<Self, LoadError> {
        let own = weights.shape("patch_embed.proj.weight").is_some();
        let named =
            |name: &str| weights.names().any(|it| it.starts_with(name) || it.contains(&format!(".{name}")));
        config.teacher = config.distilled && (named("head_dist.") || named("distillation_classifier."));
        let prefix =
            ["vit.", "deit."].into_iter().find(|it| weights.names().any(|name| name.starts_with(it)));
        let source = |name: &str| {
            if own { name.to_owned().into() } else { hugging_face(name, prefix, config.teacher) }
        };
        let weights = collect(weights, config.parameters(), source)?;
        Ok(Self { weights: Arc::new(weights), config })
    }

    /// Records the model on `images`, see [`record`].
    pub fn record<'g>(&self, g: &'g Graph, images: Var<'g>) -> Seen<'g> {
        record(&self.config, images, &Params::new(g, &self.weights))
    }
}

/// Records a model on `images`, `[row, col, channel]` or `[batch, row, col, channel]`, with a tap at every tensor that the
/// paper's equations name; those of a batch begin with the axis `batch`.
pub fn record<'g>(c: &Config, images: Var<'g>, p: &Params<'_, 'g>) -> Seen<'g> {
    let mut x = embed(c, images, p); // [.., pos, d_model]
    let plain = Attention::scaled(c.d_model / c.heads);
    for l in 0..c.layers {
        let p = p.at(&format!("blocks.{l}"));
        let attends = c.field.attends(l, c.heads, c.places(), plain, &p.at("attn"));
        let block = Block { heads: c.heads, eps: c.eps, activation: c.activation, attends };
        x = block.record(l, x, &p);
    }
    let tokens = tap(layer_norm(x, &p.at("norm"), c.eps), "ln_final", "pos d_model"); // eq. 4
    let pooled = match c.pool {
        Pool::Token => tokens.slice(-2, 0, 1),
        Pool::Mean => tokens.mean(-2),
    };
    let pooled = tap(without(pooled), "pooled", "d_model"); // [.., d_model]
    let mut logits = classify(pooled, &p.at("head"));
    if c.teacher {
        let distilled = without(tokens.slice(-2, 1, 1)); // the token that learnt from the teacher
        logits = (logits + classify(distilled, &p.at("head_dist"))) * 0.5;
    }
    Seen { tokens, logits: tap(logits, "logits", "class") }
}

/// `[x_class; x_1 E; ..; x_N E] + E_pos` (eq. 1).
fn embed<'g>(c: &Config, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let n = c.patches();
    let patches = patch_embed(images, &p.at("patch_embed.proj")); // [.., patch, d_model]
    assert_eq!(patches.dim(-2), n, "an image of side {}", c.image);
    let special: Vec<Var<'g>> = c.special().iter().map(|name| p.get(name).reshape(&[1, c.d_model])).collect();
    let first = special.len();
    let mut x = patches.pad(-2, first, 0, 0.0);
    for (i, token) in special.into_iter().enumerate() {
        x = x + token.pad(0, i, first + n - i - 1, 0.0); // [pos, d_model]
    }
    let x = tap(x, "embed", "pos d_model");
    let positions = p.get("pos_embed").reshape(&[first + n, c.d_model]).tap("pos_embed", "pos d_model");
    x + positions
}

/// `[.., 1, d] -> [.., d]`
fn without(x: Var<'_>) -> Var<'_> {
    let mut shape = x.shape();
    shape.remove(shape.len() - 2);
    x.reshape(&shape)
}

/// Where Hugging Face's `ViTForImageClassification` and `DeiTForImageClassification` (`WithTeacher`) keep `name`.
fn hugging_face(name: &str, prefix: Option<&str>, teacher: bool) -> Source {
    const NAMES: [(&str, &str); 11] = [
        ("cls_token", "embeddings.cls_token"),
        ("dist_token", "embeddings.distillation_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        ("blocks.", "encoder.layer."),
        ("norm1", "layernorm_before"),
        ("norm2", "layernorm_after"),
        ("attn.proj", "attention.output.dense"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
        ("norm.", "layernorm."),
    ];
    if let Some(rest) = name.strip_prefix("head_dist.") {
        return format!("distillation_classifier.{rest}").into();
    }
    if let Some(rest) = name.strip_prefix("head.") {
        return format!("{}.{rest}", if teacher { "cls_classifier" } else { "classifier" }).into();
    }
    let inner = NAMES.iter().fold(name.to_owned(), |it, (own, theirs)| it.replace(own, theirs));
    let name = format!("{}{inner}", prefix.unwrap_or_default());
    match name.split_once("attn.qkv") {
        Some((before, after)) => Source {
            names: ["query", "key", "value"]
                .map(|it| format!("{before}attention.attention.{it}{after}"))
                .to_vec(),
            transposed: false,
        },
        None => name.into(),
    }
}

impl Loaded for Vit {
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

impl Vision for Vit {
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
        record(&self.config, images, p).logits
    }

    fn layers(&self) -> Vec<Layer> {
        let special = Some(self.special());
        let tap = |l| Layer { tap: format!("blocks.{l}.resid_pre"), special };
        (0..self.config.layers).map(tap).collect()
    }

    fn patterns(&self) -> Vec<String> {
        // Rows and columns by themselves have no pattern of all patches.
        let whole = self.config.field != Field::Manhattan { decomposed: true };
        (0..if whole { self.config.layers } else { 0 }).map(|l| format!("blocks.{l}.attn.pattern")).collect()
    }

    fn special(&self) -> usize {
        self.config.special().len()
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
        Ok(Arc::new(Vit::new(*self, &Weights::parse(weights)?)?))
    }
}
