//! A GPT that reads examples: what transformers learn in their context (Garg et al. 2022, arXiv 2208.01066; Akyurek et al.
//! 2022, arXiv 2211.15661).
//!
//! Inputs and answers of one task alternate as tokens `[x, 0]` and `[0, y]`, and at every input the model says what its answer
//! will be. Beside them each token holds the deviation of the noise, so that one model can be asked at any noise; in the papers
//! a model knows one noise from its training. Queries are inputs more, each behind as many examples as it is asked after.

use std::sync::Arc;

use serde_json::{Value, json};

use super::any::{AnyModel, Kind, Loaded, Sizes};
use super::checkpoint::{LoadError, collect};
use super::config::{ConfigError, ConfigFile, EXACT};
use crate::graph::Var;
use crate::mechanisms::attention::Attention;
use crate::mechanisms::field::Places;
use crate::nn::{Activation, Attends, Block, Params, block_parameters, init, layer, layer_norm, linear, tap};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// What its `config.json` calls it.
pub const MODEL_TYPE: &str = "vitrine-regressor";

/// A model that can be recorded: its weights were checked against its configuration.
pub struct Regressor {
    /// The parameters: Garg et al.'s names for what reads and says, timm's for the blocks.
    pub weights: Arc<Weights>,
    /// Its sizes.
    pub config: Config,
}

/// The sizes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Coordinates of an input: `n_dims`.
    pub inputs: usize,
    /// Examples that it has positions for: `n_examples`.
    pub examples: usize,
    /// Width of the residual stream: `n_embd`.
    pub d_model: usize,
    /// `n_layer`
    pub layers: usize,
    /// `n_head`
    pub heads: usize,
    /// Width of the hidden layer of each MLP: `n_inner`.
    pub d_mlp: usize,
}

/// What a model reads.
#[derive(Clone, Copy)]
pub struct Prompt<'g> {
    /// Inputs of the examples, `[task, pos, d]`.
    pub x: Var<'g>,
    /// Their answers, `[task, pos]`.
    pub y: Var<'g>,
    /// Standard deviation of the noise, `[task]`.
    pub noise: Var<'g>,
}

/// Queries, each asked after some of the examples.
#[derive(Clone, Copy)]
pub struct Queries<'g, 'q> {
    /// `[task, query, d]`
    pub x: Var<'g>,
    /// After how many examples each is asked.
    pub after: &'q [usize],
}

/// What a model says.
#[derive(Clone, Copy)]
pub struct Said<'g> {
    /// Of every example's input, given those before it, `[task, pos]`.
    pub examples: Var<'g>,
    /// Of the queries, `[task, query]`; without queries what it says of the examples.
    pub queries: Var<'g>,
}

/// What layer norms add to the variance.
const EPS: f32 = 1e-5;

impl Regressor {
    /// A model from its parts, checked against each other.
    pub fn new(config: Config, weights: &Weights) -> Result<Self, LoadError> {
        let weights = collect(weights, config.parameters(), |name| name.to_owned().into())?;
        Ok(Self { weights: Arc::new(weights), config })
    }

    /// Records the model, see [`record`].
    pub fn record<'g>(&self, prompt: &Prompt<'g>, queries: Option<Queries<'g, '_>>) -> Said<'g> {
        record(&self.config, prompt, queries, &Params::new(prompt.x.graph(), &self.weights))
    }
}

/// Records a model, with a tap at every tensor of its equations.
pub fn record<'g>(
    config: &Config,
    prompt: &Prompt<'g>,
    queries: Option<Queries<'g, '_>>,
    p: &Params<'_, 'g>,
) -> Said<'g> {
    let (g, n) = (p.graph(), prompt.x.dim(1));
    let after = queries.map_or(&[][..], |it| it.after);
    let limit = config.examples;
    assert!(n <= limit && after.iter().all(|it| *it <= n), "{n} examples; this model takes up to {limit}");
    // Token i stands where it would, had it come next after the examples that it sees.
    let places: Vec<usize> = (0..2 * n).chain(after.iter().map(|it| 2 * it)).collect();
    let ids = Tensor::from_fn(&[places.len()], |at| places[at[0]] as f32);
    let read = linear(tokens(prompt, queries), &p.at("read_in")); // [task, token, d_model]
    let mut x = tap(read + p.get("wpe.weight").gather(g.input(&ids)), "embed", "pos d_model");
    let sees = |i: usize, j: usize| i == j || j < places[i] && j < 2 * n;
    let mask = Some(Places::line(places.len()).mask(g, sees));
    let attends = Attends::AtOnce(Attention { mask, ..Attention::scaled(config.d_model / config.heads) });
    let block = Block { heads: config.heads, eps: EPS, activation: Activation::GeluTanh, attends };
    for l in 0..config.layers {
        x = block.record(l, x, &p.at(&format!("blocks.{l}")));
    }
    let hidden = tap(layer_norm(x, &p.at("ln_f"), EPS), "ln_final", "pos d_model");
    let said = linear(hidden, &p.at("read_out")).reshape(&[x.dim(0), places.len()]); // [task, token]
    let examples = said.strided(-1, 0, n, 2);
    let queries = if after.is_empty() { examples } else { said.slice(-1, 2 * n, after.len()) };
    Said { examples, queries }
}

/// `[x, 0, noise]` and `[0, y, noise]` in turns, then the queries as inputs: `[task, token, d + 2]`.
fn tokens<'g>(prompt: &Prompt<'g>, queries: Option<Queries<'g, '_>>) -> Var<'g> {
    let [count, n, d] = [0, 1, 2].map(|axis| prompt.x.dim(axis));
    let noisy = |tokens: Var<'g>| {
        let noise = prompt.noise.reshape(&[count, 1, 1]).broadcast(&[count, tokens.dim(1), 1]);
        Var::concat(&[tokens, noise], -1)
    };
    let asks = |x: Var<'g>| noisy(x.pad(-1, 0, 1, 0.0));
    let pairs = [asks(prompt.x), noisy(prompt.y.reshape(&[count, n, 1]).pad(-1, d, 0, 0.0))];
    let pairs = Var::concat(&pairs.map(|it| it.reshape(&[count, n, 1, d + 2])), 2);
    let examples = pairs.reshape(&[count, 2 * n, d + 2]);
    queries.map_or(examples, |it| Var::concat(&[examples, asks(it.x)], 1))
}

impl Config {
    /// Reads a `config.json`.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", MODEL_TYPE)?;
        let config = Self {
            inputs: it.count("n_dims", EXACT)?,
            examples: it.count("n_examples", 1 << 12)?,
            d_model: it.count("n_embd", EXACT)?,
            layers: it.count("n_layer", 1000)?,
            heads: it.count("n_head", EXACT)?,
            d_mlp: it.count("n_inner", EXACT)?,
        };
        if !config.d_model.is_multiple_of(config.heads) {
            return Err(it.wrong("n_head", &format!("it must divide n_embd {}", config.d_model)));
        }
        Ok(config)
    }

    /// The same as a `config.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "model_type": MODEL_TYPE, "n_dims": self.inputs, "n_examples": self.examples,
            "n_embd": self.d_model, "n_layer": self.layers, "n_head": self.heads, "n_inner": self.d_mlp,
        })
    }

    /// Weights that have learnt nothing yet: what reads numbers as `torch.nn.Linear` begins, else normal with a variance of
    /// one over the width, and what is added to the residual stream smaller by the root of the number of additions.
    pub fn untrained(&self, seed: u64) -> Weights {
        let (std, additions) = ((1.0 / self.d_model as f64).sqrt(), 2.0 * self.layers as f64);
        init::weights(self.parameters(), seed, |name, shape, random| match name {
            "read_in.weight" => init::torch_linear(shape, shape[1], random),
            "wpe.weight" => init::normal(shape, 0.1, random),
            "read_out.weight" => init::normal(shape, 0.1 * std, random),
            _ if name.ends_with("bias") => init::constant(shape, 0.0),
            _ if name.contains("norm") || name.contains("ln_f") => init::constant(shape, 1.0),
            _ if name.ends_with("proj.weight") || name.ends_with("fc2.weight") => {
                init::normal(shape, std / additions.sqrt(), random)
            }
            _ => init::normal(shape, std, random),
        })
    }

    /// Name and shape of every tensor that the model needs.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let (d, d_mlp, channels) = (self.d_model, self.d_mlp, self.inputs + 2);
        let places = ("wpe.weight".to_owned(), vec![2 * self.examples + 1, d]);
        let blocks = (0..self.layers).flat_map(move |l| block_parameters(l, d, d_mlp));
        layer("read_in", vec![d, channels])
            .into_iter()
            .chain([places])
            .chain(blocks)
            .chain(layer("ln_f", vec![d]))
            .chain(layer("read_out", vec![1, d]))
    }
}

impl Loaded for Regressor {
    fn sizes(&self) -> &dyn Sizes {
        &self.config
    }

    fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }
}

impl Sizes for Config {
    fn kind(&self) -> Kind {
        Kind::Regressor
    }

    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        self.parameters().collect()
    }

    fn load(self: Box<Self>, _tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError> {
        Ok(Arc::new(Regressor::new(*self, &Weights::parse(weights)?)?))
    }
}
