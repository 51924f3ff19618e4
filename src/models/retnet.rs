//! RetNet: a retentive network (Sun et al. 2023, arXiv 2307.08621), after the paper and its authors' code.
//!
//! A stack of pre-norm blocks in which retention stands where attention would, multi-scale by one decay a head. Positions come
//! from the rotation of queries and keys alone. Recorded in the parallel form, which
//! [`retention`](crate::mechanisms::retention) shows to be the recurrent one.

mod config;

use std::sync::Arc;

pub use config::{Config, MODEL_TYPE};

use super::any::{AnyModel, Kind, Language, Loaded, Sizes};
use super::checkpoint::{LoadError, collect, expect_rows, tokens};
use crate::data::Tokenizer;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::Attention;
use crate::mechanisms::retention::{Form, Retention, rms_norm, rotate};
use crate::nn::{Params, join_heads, split_heads, tap};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Retnet {
    /// The parameters.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
    /// From text to tokens.
    pub tokenizer: Tokenizer,
}

/// What a recorded RetNet ends with.
#[derive(Clone, Copy)]
pub struct Said<'g> {
    /// The residual stream after the last norm, `[.., pos, d_model]`.
    pub hidden: Var<'g>,
    /// One number for each answer, `[.., pos, d_out]`: of a language model for each token that could come next.
    pub logits: Var<'g>,
}

impl Retnet {
    /// A model from its parts, checked against each other.
    pub fn new(config: Config, tokenizer: Tokenizer, weights: &Weights) -> Result<Self, LoadError> {
        expect_rows(&tokenizer, config.vocabulary)?;
        let weights = collect(weights, config.parameters(), |name| name.to_owned().into())?;
        Ok(Self { weights: Arc::new(weights), config, tokenizer })
    }

    /// Records the model on the tokens of one text.
    pub fn record<'g>(&self, g: &'g Graph, tokens: &[u32]) -> Said<'g> {
        g.label("tokens", tokens.iter().map(|id| self.tokenizer.token(*id)).collect());
        let ids = tokens.iter().map(|id| *id as f32).collect::<Vec<_>>();
        record(&self.config, g.input(&Tensor::new(&[tokens.len()], ids)), &Params::new(g, &self.weights))
    }
}

/// Records a model on `ids`, `[pos]` or `[batch, pos]`, with a tap at every tensor of its equations; those of a batch begin
/// with the axis `batch`. What the scores are multiplied by is the tap `blocks.L.attn.mask`, `[head, query, key]`.
pub fn record<'g>(c: &Config, ids: Var<'g>, p: &Params<'_, 'g>) -> Said<'g> {
    let mut x = tap(p.get("embed.weight").gather(ids), "embed", "pos d_model"); // [.., pos, d_model]
    for l in 0..c.layers {
        x = block(c, l, x, &p.at(&format!("blocks.{l}")));
    }
    let hidden = tap(norm(x, &p.at("norm"), c.eps), "ln_final", "pos d_model");
    let logits = tap(hidden.matmul(p.get("head.weight").t()), "logits", "pos d_out");
    Said { hidden, logits }
}

/// Block `l` on the residual stream `x`, `[.., pos, d_model]`: `y = x + MSR(norm(x))`, then `y + FFN(norm(y))` (eq. 9).
fn block<'g>(c: &Config, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let tap = |x, name: &str, axes: &str| tap(x, &format!("blocks.{l}.{name}"), axes);
    let stream = |x, name: &str| tap(x, name, "pos d_model");

    let x = stream(x, "resid_pre");
    let normed = stream(norm(x, &p.at("norm1"), c.eps), "ln1");
    let retained = multi_scale_retention(c, normed, &p.at("attn"), |x, name, axes| {
        tap(x, &format!("attn.{name}"), axes)
    });
    let y = stream(x + stream(retained, "attn_out"), "resid_mid");

    let normed = stream(norm(y, &p.at("norm2"), c.eps), "ln2");
    let gate = tap(swish(linear(normed, p, "mlp.gate")), "mlp.gate", "pos d_mlp");
    let post = tap(gate * linear(normed, p, "mlp.fc1"), "mlp.post", "pos d_mlp");
    stream(y + stream(linear(post, p, "mlp.fc2"), "mlp_out"), "resid_post")
}

/// `(swish(X W_G) o Y) W_O`, where `Y` holds the retention of every head, normed by itself (eq. 8).
fn multi_scale_retention<'g>(
    c: &Config,
    x: Var<'g>,
    p: &Params<'_, 'g>,
    tap: impl Fn(Var<'g>, &str, &str) -> Var<'g>,
) -> Var<'g> {
    let (g, heads) = (x.graph(), c.heads);
    let part = |name: &str| split_heads(linear(x, p, name), heads);
    let turned = |name: &str| tap(rotate(part(name), 0), name, "head pos d_head");
    let (q, k, v) = (turned("q"), turned("k"), tap(part("v"), "v", "head pos d_head"));

    let gammas = c.gammas();
    let gamma = g.input(&Tensor::from_fn(&[heads], |at| gammas[at[0]] as f32));
    let decay = Retention { gamma, form: Form::Parallel }.decay(x.dim(-2));
    let mask = tap(decay, "mask", "head query key"); // D
    let retention = Attention { multiply: Some(mask), ..Attention::linear(1.0 / (q.dim(-1) as f32).sqrt()) };
    let retained = retention.record(q, k, v, &tap);
    let y = tap(rms_norm(retained.z, c.eps), "normed", "head pos d_head");
    let gate = tap(swish(linear(x, p, "gate")), "gate", "pos d_hidden");
    linear(gate * join_heads(y), p, "proj")
}

/// `x W^T`: the authors' layers have no biases.
fn linear<'g>(x: Var<'g>, p: &Params<'_, 'g>, name: &str) -> Var<'g> {
    x.matmul(p.get(&format!("{name}.weight")).t())
}

/// `g o x / sqrt(mean x^2 + eps)`
fn norm<'g>(x: Var<'g>, p: &Params<'_, 'g>, eps: f32) -> Var<'g> {
    rms_norm(x, eps) * p.get("weight")
}

/// `x sigmoid(x)` (Ramachandran et al. 2017, arXiv 1710.05941), by `sigmoid(x) = (1 + tanh(x/2)) / 2`, which overflows
/// nowhere.
fn swish(x: Var<'_>) -> Var<'_> {
    x * ((x * 0.5).tanh() + 1.0) * 0.5
}

impl Loaded for Retnet {
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

impl Language for Retnet {
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn record(&self, g: &Graph, tokens: &[u32]) {
        self.record(g, tokens);
    }
}

impl Sizes for Config {
    fn kind(&self) -> Kind {
        Kind::Recurrent
    }

    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.parameters().collect()
    }

    fn load(self: Box<Self>, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        let tokenizer = tokens(tokenizer, self.positions)?;
        Ok(Arc::new(Retnet::new(*self, tokenizer, &Weights::parse(weights)?)?))
    }
}
