//! BERT: pre-training of deep bidirectional transformers (Devlin et al. 2018, arXiv 1810.04805).
//!
//! The encoder of "Attention is all you need" (Vaswani et al. 2017, arXiv 1706.03762) with GELU and learned positions.
//! Each sub-layer is `LayerNorm(x + f(x))`: the norm comes after the sum. Any checkpoint of this form loads, whatever
//! its sizes: a `config.json`, a `tokenizer.json` and safetensors by Hugging Face's names.

use std::sync::Arc;

use super::any::{AnyModel, Kind, Language, Loaded, Sizes};
use super::checkpoint::{LoadError, expect_rows, tokens};
use super::config::{ConfigError, ConfigFile, EXACT};
use crate::data::Tokenizer;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::Attention;
use crate::nn::{Params, join_heads, l2_normalise, layer, layer_norm, linear, split_heads};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Bert {
    /// The parameters, by Hugging Face's names without the prefix `bert.`; those of queries, keys and values are one,
    /// `self.query_key_value`.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
    /// From text to tokens.
    pub tokenizer: Arc<Tokenizer>,
}

/// The sizes of a BERT, as `config.json` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tokens in the vocabulary: `vocab_size`.
    pub vocabulary: usize,
    /// Width of the residual stream: `hidden_size`.
    pub d_model: usize,
    /// `num_hidden_layers`
    pub layers: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// Width of the hidden layer of each MLP: `intermediate_size`.
    pub d_mlp: usize,
    /// Learned positions: `max_position_embeddings`.
    pub positions: usize,
    /// Token types, of which type 0 is used: `type_vocab_size`.
    pub types: usize,
    /// What layer norms add to the variance: `layer_norm_eps`.
    pub eps: f32,
}

/// What a recorded BERT ends with.
#[derive(Clone, Copy)]
pub struct Encoded<'g> {
    /// The last hidden states, `[pos, d_model]`.
    pub hidden: Var<'g>,
    /// The sentence: the mean of the hidden states, of length 1, `[d_model]` (Reimers & Gurevych 2019, section 3).
    pub pooled: Var<'g>,
}

impl Bert {
    /// A model from the contents of its three files. Every tensor that it needs is checked here, none later.
    pub fn load(config: &[u8], tokenizer: &[u8], weights: Vec<u8>) -> Result<Self, LoadError> {
        let config = Config::parse(config)?;
        let tokenizer = tokens(Some(tokenizer), config.positions)?.with_specials()?;
        Self::new(config, tokenizer, Weights::parse(weights)?)
    }

    /// A model from its parts, checked against each other.
    pub fn new(config: Config, tokenizer: Tokenizer, weights: Weights) -> Result<Self, LoadError> {
        expect_rows(&tokenizer, config.vocabulary)?;
        let weights = weights.rename(canonical);
        config.parameters().try_for_each(|(name, shape)| weights.check(&name, &shape))?;
        let weights = (0..config.layers).fold(weights, one_product);
        Ok(Self { weights: Arc::new(weights), config, tokenizer: Arc::new(tokenizer) })
    }

    /// The same with weights of 8 bits, see [`Weights::rounded`].
    #[must_use]
    pub fn rounded(&self) -> Self {
        let (config, tokenizer) = (self.config.clone(), Arc::clone(&self.tokenizer));
        Self { weights: Arc::new(self.weights.rounded()), config, tokenizer }
    }

    /// Records the encoder on `tokens`, with a tap at every tensor that the paper's equations name.
    pub fn record<'g>(&self, g: &'g Graph, tokens: &[u32]) -> Encoded<'g> {
        let p = Params::new(g, &self.weights);
        g.label("tokens", tokens.iter().map(|id| self.tokenizer.token(*id)).collect());
        let mut x = self.embed(g, tokens, &p.at("embeddings")); // [pos, d_model]
        for l in 0..self.config.layers {
            x = self.block(l, x, &p.at(&format!("encoder.layer.{l}")));
        }
        let hidden = x.tap("final", "pos d_model");
        let mean = hidden.mean(0).reshape(&[self.config.d_model]); // [d_model]
        let pooled = l2_normalise(mean).tap("pooled", "d_model");
        Encoded { hidden, pooled }
    }

    /// The sum of word, token type and position (figure 2), then a layer norm.
    fn embed<'g>(&self, g: &'g Graph, tokens: &[u32], p: &Params<'_, 'g>) -> Var<'g> {
        let (t, limit) = (tokens.len(), self.config.positions);
        assert!((1..=limit).contains(&t), "{t} tokens; this model takes 1 to {limit}");
        let ids = g.input(&Tensor::new(&[t], tokens.iter().map(|id| *id as f32).collect::<Vec<_>>()));
        let word = p.get("word_embeddings.weight").gather(ids); // [pos] -> [pos, d_model]
        let kind = p.get("token_type_embeddings.weight").slice(0, 0, 1); // [1, d_model]
        let position = p.get("position_embeddings.weight").slice(0, 0, t); // [pos, d_model]
        let x = (word + kind + position).tap("embed", "pos d_model");
        layer_norm(x, &p.at("LayerNorm"), self.config.eps)
    }

    /// One layer of the encoder (Vaswani et al. 2017, section 3.1): two sub-layers, each `LayerNorm(x + f(x))`.
    fn block<'g>(&self, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        let tap = |x: Var<'g>, name: &str| x.tap(&format!("blocks.{l}.{name}"), "pos d_model");
        let eps = self.config.eps;

        let x = tap(x, "resid_pre");
        let a = tap(self.attention(l, x, &p.at("attention")), "attn_out");
        let x = tap(x + a, "resid_mid");
        let x = tap(layer_norm(x, &p.at("attention.output.LayerNorm"), eps), "normalized_resid_mid");

        let m = tap(mlp(l, x, p), "mlp_out");
        let x = tap(x + m, "resid_post");
        tap(layer_norm(x, &p.at("output.LayerNorm"), eps), "normalized_resid_post")
    }

    /// Multi-head attention: [`Attention`] (eq. 1) once per head, joined and projected by `W^O` (section 3.2.2).
    fn attention<'g>(&self, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        let tap = |x: Var<'g>, name: &str, axes: &str| x.tap(&format!("blocks.{l}.attn.{name}"), axes);
        let d = self.config.d_model;
        let all = linear(x, &p.at("self.query_key_value")); // [pos, 3 d_model]
        let heads = |i: usize| split_heads(all.slice(1, i * d, d), self.config.heads);

        let q = tap(heads(0), "q", "head pos d_head");
        let k = tap(heads(1), "k", "head pos d_head");
        let v = tap(heads(2), "v", "head pos d_head");
        let attended = Attention::scaled(q.dim(-1)).record(q, k, v, tap);
        linear(join_heads(attended.z), &p.at("output.dense")) // [pos, d_model]
    }
}

/// `GELU(x W_1 + b_1) W_2 + b_2` (Vaswani et al. 2017, eq. 2, with GELU for `max(0, x)`).
fn mlp<'g>(l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let tap = |x: Var<'g>, name: &str| x.tap(&format!("blocks.{l}.mlp.{name}"), "pos d_mlp");
    let pre = tap(linear(x, &p.at("intermediate.dense")), "pre"); // [pos, d_mlp]
    let post = tap(pre.gelu(), "post");
    linear(post, &p.at("output.dense")) // [pos, d_model]
}

impl Config {
    /// Reads a `config.json`, and insists on what this module computes: BERT, GELU with erf, learned positions.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", "bert")?;
        it.expect("hidden_act", "gelu")?;
        it.expect("position_embedding_type", "absolute")?;
        it.expect("is_decoder", false)?;
        let config = Self {
            vocabulary: it.count("vocab_size", EXACT)?,
            d_model: it.count("hidden_size", EXACT)?,
            layers: it.count("num_hidden_layers", 1000)?,
            heads: it.count("num_attention_heads", EXACT)?,
            d_mlp: it.count("intermediate_size", EXACT)?,
            positions: it.count("max_position_embeddings", EXACT)?,
            types: it.count("type_vocab_size", EXACT)?,
            eps: it.positive("layer_norm_eps")?,
        };
        if !config.d_model.is_multiple_of(config.heads) {
            return Err(
                it.wrong("num_attention_heads", &format!("it must divide hidden_size {}", config.d_model))
            );
        }
        Ok(config)
    }

    /// Name and shape of every tensor that the model needs.
    fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let Self { d_model: d, d_mlp: m, .. } = *self;
        let tables = [("word", self.vocabulary), ("position", self.positions), ("token_type", self.types)];
        let tables = tables.map(|(it, n)| (format!("embeddings.{it}_embeddings.weight"), vec![n, d]));
        let layers = (0..self.layers).flat_map(move |l| {
            let at = |name: &str| format!("encoder.layer.{l}.{name}");
            let square = ["self.query", "self.key", "self.value", "output.dense"];
            let square = square.map(|it| dense(&at(&format!("attention.{it}")), d, d));
            let mlp = [dense(&at("intermediate.dense"), m, d), dense(&at("output.dense"), d, m)];
            let norms = [norm(&at("attention.output.LayerNorm"), d), norm(&at("output.LayerNorm"), d)];
            square.into_iter().chain(mlp).chain(norms).flatten()
        });
        tables.into_iter().chain(norm("embeddings.LayerNorm", d)).chain(layers)
    }
}

/// The matrices of a layer's queries, keys and values on top of each other: they multiply the same.
fn one_product(weights: Weights, layer: usize) -> Weights {
    let at = |name: &str| format!("encoder.layer.{layer}.attention.self.{name}");
    ["weight", "bias"].into_iter().fold(weights, |weights, what| {
        let parts = ["query", "key", "value"].map(|it| at(&format!("{it}.{what}")));
        weights.stack(&at(&format!("query_key_value.{what}")), &parts)
    })
}

fn dense(at: &str, rows: usize, columns: usize) -> [(String, Vec<usize>); 2] {
    layer(at, vec![rows, columns])
}

fn norm(at: &str, d: usize) -> [(String, Vec<usize>); 2] {
    layer(at, vec![d])
}

/// One name for each tensor: some files say `bert.encoder`, and those converted from TensorFlow `gamma` and `beta`.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
}

impl Loaded for Bert {
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

impl Language for Bert {
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn record(&self, g: &Graph, tokens: &[u32]) {
        self.record(g, tokens);
    }
}

impl Sizes for Config {
    fn kind(&self) -> Kind {
        Kind::Encoder
    }

    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.parameters().collect()
    }

    fn load(self: Box<Self>, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        let tokenizer = tokens(tokenizer, self.positions)?.with_specials()?;
        Ok(Arc::new(Bert::new(*self, tokenizer, Weights::parse(weights)?)?))
    }
}
