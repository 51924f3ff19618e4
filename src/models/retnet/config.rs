//! The sizes of a RetNet.

use serde_json::{Value, json};

use crate::mechanisms::retention::gammas_from;
use crate::models::config::{ConfigError, ConfigFile, EXACT};
use crate::nn::init;
use crate::weights::Weights;

/// What its `config.json` calls it: no library has settled on names for its parameters.
pub const MODEL_TYPE: &str = "vitrine-retnet";

/// The sizes of a RetNet, as `config.json` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tokens in the vocabulary: `vocab_size`.
    pub vocabulary: usize,
    /// Answers at every token, each a number: `num_outputs`, or as many as there are tokens.
    pub outputs: usize,
    /// Tokens that it was trained on at once. It can be recorded on more: `max_position_embeddings`.
    pub positions: usize,
    /// Width of the residual stream: `hidden_size`.
    pub d_model: usize,
    /// Width of the values of all heads together: `value_size`.
    pub d_value: usize,
    /// `num_hidden_layers`
    pub layers: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// Width of the hidden layer of each MLP: `intermediate_size`.
    pub d_mlp: usize,
    /// What norms add to the mean of squares: `rms_norm_eps`.
    pub eps: f32,
    /// `gamma_h = 1 - 2^(-first-h)`; the paper has 5: `first_decay`.
    pub first_decay: f32,
}

impl Config {
    /// Reads a `config.json`.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        it.expect("model_type", MODEL_TYPE)?;
        let vocabulary = it.count("vocab_size", EXACT)?;
        let config = Self {
            vocabulary,
            outputs: it.count_or("num_outputs", EXACT, vocabulary)?,
            positions: it.count("max_position_embeddings", EXACT)?,
            d_model: it.count("hidden_size", EXACT)?,
            d_value: it.count("value_size", EXACT)?,
            layers: it.count("num_hidden_layers", 1000)?,
            heads: it.count("num_attention_heads", EXACT)?,
            d_mlp: it.count("intermediate_size", EXACT)?,
            eps: it.positive("rms_norm_eps")?,
            first_decay: it.positive("first_decay")?,
        };
        // Channels of queries and keys are rotated in pairs.
        if !config.d_model.is_multiple_of(2 * config.heads) || !config.d_value.is_multiple_of(config.heads) {
            let wanted = format!(
                "twice it must divide hidden_size {}, it must divide value_size {}",
                config.d_model, config.d_value
            );
            return Err(it.wrong("num_attention_heads", &wanted));
        }
        Ok(config)
    }

    /// The same as a `config.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "model_type": MODEL_TYPE, "vocab_size": self.vocabulary, "num_outputs": self.outputs,
            "max_position_embeddings": self.positions, "hidden_size": self.d_model, "value_size": self.d_value,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "intermediate_size": self.d_mlp, "rms_norm_eps": self.eps, "first_decay": self.first_decay,
        })
    }

    /// What a token earlier is worth to every head.
    pub fn gammas(&self) -> Vec<f64> {
        gammas_from(f64::from(self.first_decay), self.heads)
    }

    /// Weights that have learnt nothing yet: Xavier's uniform of gain `2^-2.5` for what retention projects to and `2^-1` for
    /// what it gives back, as in the authors' code, of gain 1 for other matrices; tables of deviation 0.02.
    pub fn untrained(&self, seed: u64) -> Weights {
        init::weights(self.parameters(), seed, |name, shape, random| match name {
            "embed.weight" | "head.weight" => init::normal(shape, 0.02, random),
            _ if name.contains("norm") => init::constant(shape, 1.0),
            _ => {
                // The square of the gain divides what counts inputs and outputs.
                let fan = shape[0] + shape[1];
                let fan = match name {
                    _ if name.ends_with("attn.proj.weight") => 4 * fan,
                    _ if name.contains("attn.") => 32 * fan,
                    _ => fan,
                };
                init::xavier_uniform(shape, fan, random)
            }
        })
    }

    /// Name and shape of every tensor that the model needs.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let Self { d_model: d, d_value, d_mlp, vocabulary, outputs, .. } = *self;
        let block = move |l: usize| {
            let parts = [
                ("norm1", vec![d]),
                ("attn.q", vec![d, d]),
                ("attn.k", vec![d, d]),
                ("attn.v", vec![d_value, d]),
                ("attn.gate", vec![d_value, d]),
                ("attn.proj", vec![d, d_value]),
                ("norm2", vec![d]),
                ("mlp.gate", vec![d_mlp, d]),
                ("mlp.fc1", vec![d_mlp, d]),
                ("mlp.fc2", vec![d, d_mlp]),
            ];
            parts.map(|(name, shape)| (format!("blocks.{l}.{name}.weight"), shape))
        };
        let own = |name: &str, shape: Vec<usize>| (format!("{name}.weight"), shape);
        std::iter::once(own("embed", vec![vocabulary, d]))
            .chain((0..self.layers).flat_map(block))
            .chain([own("norm", vec![d]), own("head", vec![outputs, d])])
    }
}
