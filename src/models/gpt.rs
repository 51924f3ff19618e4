//! GPT-2: language models are unsupervised multitask learners (Radford et al. 2019).
//!
//! A stack of pre-norm blocks in which nothing looks ahead, read out by the table that embeds. GPT-2's checkpoints load by
//! Hugging Face's names; so do models of characters that were trained here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::any::{AnyModel, Kind, Language, Loaded, Sizes};
use super::checkpoint::{LoadError, Source, collect, expect_rows, tokens};
use super::config::{ConfigError, ConfigFile, EXACT};
use crate::data::Tokenizer;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::Attention;
use crate::mechanisms::field::{Places, causal};
use crate::nn::{Activation, Attends, Block, Params, block_parameters, init, layer, layer_norm, tap};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Gpt {
    /// The parameters: GPT-2's names for the tables, timm's for the blocks.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
    /// From text to tokens.
    pub tokenizer: Tokenizer,
}

/// The sizes of a GPT-2, as `config.json` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tokens in the vocabulary: `vocab_size`.
    pub vocabulary: usize,
    /// Learned positions: `n_positions`.
    pub positions: usize,
    /// Width of the residual stream: `n_embd`.
    pub d_model: usize,
    /// `n_layer`
    pub layers: usize,
    /// `n_head`
    pub heads: usize,
    /// Width of the hidden layer of each MLP: `n_inner`, or four times the residual stream.
    pub d_mlp: usize,
    /// `activation_function`
    pub activation: Activation,
    /// What layer norms add to the variance: `layer_norm_epsilon`.
    pub eps: f32,
    /// Whether the table that embeds also reads out: `tie_word_embeddings`.
    pub tied: bool,
}

/// What a recorded GPT ends with.
#[derive(Clone, Copy)]
pub struct Written<'g> {
    /// The residual stream after the last norm, `[.., pos, d_model]`.
    pub hidden: Var<'g>,
    /// One number for each token that could come next, `[.., pos, d_vocab]`.
    pub logits: Var<'g>,
}

impl Gpt {
    /// A model from its parts, checked against each other.
    pub fn new(config: Config, tokenizer: Tokenizer, weights: &Weights) -> Result<Self, LoadError> {
        expect_rows(&tokenizer, config.vocabulary)?;
        let own = weights.shape("blocks.0.attn.qkv.weight").is_some();
        let prefix =
            if weights.names().any(|it| it.starts_with("transformer.")) { "transformer." } else { "" };
        let source = |name: &str| if own { name.to_owned().into() } else { hugging_face(name, prefix) };
        let weights = collect(weights, config.parameters(), source)?;
        Ok(Self { weights: Arc::new(weights), config, tokenizer })
    }

    /// Records the model on the tokens of one text.
    pub fn record<'g>(&self, g: &'g Graph, tokens: &[u32]) -> Written<'g> {
        g.label("tokens", tokens.iter().map(|id| self.tokenizer.token(*id)).collect());
        let ids = tokens.iter().map(|id| *id as f32).collect::<Vec<_>>();
        record(&self.config, g.input(&Tensor::new(&[tokens.len()], ids)), &Params::new(g, &self.weights))
    }

    /// What the model would say if it ended at `x`, the residual stream at any tap, `[.., pos, d_model]`: the logit lens
    /// (nostalgebraist 2020, "interpreting GPT").
    pub fn lens<'g>(&self, x: Var<'g>) -> Var<'g> {
        let p = Params::new(x.graph(), &self.weights);
        unembed(&self.config, layer_norm(x, &p.at("ln_f"), self.config.eps), &p)
    }

    /// Records the model with a read-out before every layer and after the last, each logits `[pos, d_vocab]`.
    pub fn stages<'g>(&self, g: &'g Graph, tokens: &[u32]) -> Vec<Var<'g>> {
        let written = self.record(g, tokens);
        let before = (0..self.config.layers).filter_map(|l| g.at(&format!("blocks.{l}.resid_pre")));
        before.map(|x| self.lens(x)).chain([written.logits]).collect()
    }
}

/// Records a model on `ids`, `[pos]` or `[batch, pos]`, with a tap at every tensor of its equations; those of a batch begin
/// with the axis `batch`.
pub fn record<'g>(config: &Config, ids: Var<'g>, p: &Params<'_, 'g>) -> Written<'g> {
    let (t, limit) = (ids.dim(-1), config.positions);
    assert!((1..=limit).contains(&t), "{t} tokens; this model takes 1 to {limit}");
    let word = tap(p.get("wte.weight").gather(ids), "embed", "pos d_model"); // [.., pos, d_model]
    let position = p.get("wpe.weight").slice(0, 0, t).tap("pos_embed", "pos d_model"); // [pos, d_model]
    let mut x = word + position;
    let mask = Some(Places::line(x.dim(-2)).mask(x.graph(), causal));
    let attends = Attends::AtOnce(Attention { mask, ..Attention::scaled(config.d_model / config.heads) });
    let block = Block { heads: config.heads, eps: config.eps, activation: config.activation, attends };
    for l in 0..config.layers {
        x = block.record(l, x, &p.at(&format!("blocks.{l}")));
    }
    let hidden = tap(layer_norm(x, &p.at("ln_f"), config.eps), "ln_final", "pos d_model");
    let logits = tap(unembed(config, hidden, p), "logits", "pos d_vocab");
    Written { hidden, logits }
}

/// `x W_E^T`: `[.., pos, d_model] -> [.., pos, d_vocab]`.
fn unembed<'g>(config: &Config, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    x.matmul(p.get(if config.tied { "wte.weight" } else { "lm_head.weight" }).t())
}

impl Config {
    /// Reads a `config.json`, and insists on what this module computes.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", "gpt2")?;
        it.expect("scale_attn_weights", true)?;
        it.expect("scale_attn_by_inverse_layer_idx", false)?;
        it.expect("add_cross_attention", false)?;
        let d_model = it.count("n_embd", EXACT)?;
        let config = Self {
            vocabulary: it.count("vocab_size", EXACT)?,
            positions: it.count("n_positions", EXACT)?,
            d_model,
            layers: it.count("n_layer", 1000)?,
            heads: it.count("n_head", EXACT)?,
            d_mlp: it.count_or("n_inner", EXACT, 4 * d_model)?,
            activation: it.activation("activation_function")?,
            eps: it.positive("layer_norm_epsilon")?,
            tied: it.flag_or("tie_word_embeddings", true)?,
        };
        if !d_model.is_multiple_of(config.heads) {
            return Err(it.wrong("n_head", &format!("it must divide n_embd {d_model}")));
        }
        Ok(config)
    }

    /// The same as a `config.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "model_type": "gpt2", "vocab_size": self.vocabulary, "n_positions": self.positions,
            "n_embd": self.d_model, "n_layer": self.layers, "n_head": self.heads, "n_inner": self.d_mlp,
            "activation_function": self.activation.name(), "layer_norm_epsilon": self.eps,
            "tie_word_embeddings": self.tied,
        })
    }

    /// Weights that have learnt nothing yet: normal of deviation 0.02, and what is added to the residual stream smaller by
    /// the root of the number of additions (section 2.3).
    pub fn untrained(&self, seed: u64) -> Weights {
        let additions = 2.0 * self.layers as f64;
        init::weights(self.parameters(), seed, |name, shape, random| match name {
            _ if name.ends_with("bias") => init::constant(shape, 0.0),
            _ if name.contains("norm") || name.contains("ln_f") => init::constant(shape, 1.0),
            _ if name.ends_with("proj.weight") || name.ends_with("fc2.weight") => {
                init::normal(shape, 0.02 / additions.sqrt(), random)
            }
            _ => init::normal(shape, 0.02, random),
        })
    }

    /// Name and shape of every tensor that the model needs.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let Self { d_model: d, d_mlp, vocabulary, positions, .. } = *self;
        let tables = [("wte", vocabulary), ("wpe", positions), ("lm_head", vocabulary)];
        let tables = tables.into_iter().take(if self.tied { 2 } else { 3 });
        let blocks = (0..self.layers).flat_map(move |l| block_parameters(l, d, d_mlp));
        tables
            .map(move |(name, n)| (format!("{name}.weight"), vec![n, d]))
            .chain(blocks)
            .chain(layer("ln_f", vec![d]))
    }
}

/// Where Hugging Face's `GPT2LMHeadModel` keeps `name`. Its layers are `[in, out]` (`Conv1D`).
fn hugging_face(name: &str, prefix: &str) -> Source {
    const NAMES: [(&str, &str); 7] = [
        ("blocks.", "h."),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
        ("attn.qkv", "attn.c_attn"),
        ("attn.proj", "attn.c_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    ];
    if name == "lm_head.weight" {
        return name.to_owned().into();
    }
    let theirs = NAMES.iter().fold(name.to_owned(), |it, (own, theirs)| it.replace(own, theirs));
    let transposed = theirs.contains(".c_") && theirs.ends_with("weight");
    Source { names: vec![format!("{prefix}{theirs}")], transposed }
}

impl Loaded for Gpt {
    fn sizes(&self) -> &dyn Sizes {
        &self.config
    }

    fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    fn language(&self) -> Option<&dyn Language> {
        Some(self)
    }
}

impl Language for Gpt {
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn record(&self, g: &Graph, tokens: &[u32]) {
        self.record(g, tokens);
    }
}

impl Sizes for Config {
    fn kind(&self) -> Kind {
        Kind::Decoder
    }

    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.parameters().collect()
    }

    fn load(self: Box<Self>, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        let tokenizer = tokens(tokenizer, self.positions)?;
        Ok(Arc::new(Gpt::new(*self, tokenizer, &Weights::parse(weights)?)?))
    }
}
