//! The sizes of a ViT, as Hugging Face's or timm's `config.json` gives them.

use serde_json::{Value, json};

use super::field::{self, Field};
use crate::mechanisms::field::Places;
use crate::models::Pixels;
use crate::models::config::{ConfigError, ConfigFile, EXACT, id2label};
use crate::nn::{Activation, block_parameters, init, layer};
use crate::tensor::size;
use crate::weights::Weights;

/// What the class is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// A token of its own, which stands first.
    Token,
    /// The mean of all patches; there is no class token.
    Mean,
}

/// What `config.json` calls a ViT whose attention is bent: nobody else's programs read it.
pub const MODEL_TYPE: &str = "vitrine-field-vit";

/// The sizes of a ViT.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Width and height of the image: `image_size`.
    pub image: usize,
    /// Width and height of a patch: `patch_size`.
    pub patch: usize,
    /// Colours of a pixel: `num_channels`.
    pub channels: usize,
    /// Width of the residual stream: `hidden_size`.
    pub d_model: usize,
    /// `num_hidden_layers`
    pub layers: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// Width of the hidden layer of each MLP: `intermediate_size`.
    pub d_mlp: usize,
    /// What layer norms add to the variance: `layer_norm_eps`.
    pub eps: f32,
    /// `hidden_act`
    pub activation: Activation,
    /// What the class is read from: `global_pool`, `token` or `avg`, as timm has it.
    pub pool: Pool,
    /// By what its attention is bent: `attention_field`. A field covers patches only, so it needs [`Pool::Mean`].
    pub field: Field,
    /// Whether a second token stands for DeiT's teacher.
    pub distilled: bool,
    /// Whether that token has a head of its own, which the weights decide.
    pub teacher: bool,
    /// What the classes are called: `id2label`.
    pub classes: Vec<String>,
    /// What pixels become: `image_mean`, `image_std`.
    pub pixels: Pixels,
}

impl Config {
    /// Reads a `config.json`, and insists on what this module computes.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let it = ConfigFile::parse(json)?;
        let architecture = it.word_or("architecture", "")?;
        let config =
            if architecture.is_empty() { Self::hugging_face(&it)? } else { Self::timm(&it, architecture)? };
        if !config.d_model.is_multiple_of(config.heads) {
            let wanted = format!("it must divide hidden_size {}", config.d_model);
            return Err(it.wrong("num_attention_heads", &wanted));
        }
        if !config.image.is_multiple_of(config.patch) {
            return Err(it.wrong("patch_size", &format!("it must divide image_size {}", config.image)));
        }
        Ok(config)
    }

    fn hugging_face(it: &ConfigFile) -> Result<Self, ConfigError> {
        it.expect("qkv_bias", true)?;
        let field = Field::parse(it)?;
        let pool = match it.word_or("global_pool", "token")? {
            "token" => Pool::Token,
            "avg" => Pool::Mean,
            _ => return Err(it.wrong("global_pool", "token and avg are supported")),
        };
        if field != Field::None && pool == Pool::Token {
            return Err(it.wrong("global_pool", "a field of attention needs avg"));
        }
        Ok(Self {
            image: it.count("image_size", 1 << 12)?,
            patch: it.count("patch_size", 1 << 12)?,
            channels: it.count_or("num_channels", 1 << 10, 3)?,
            d_model: it.count("hidden_size", EXACT)?,
            layers: it.count("num_hidden_layers", 1000)?,
            heads: it.count("num_attention_heads", EXACT)?,
            d_mlp: it.count("intermediate_size", EXACT)?,
            eps: it.positive("layer_norm_eps")?,
            activation: it.activation("hidden_act")?,
            pool,
            field,
            distilled: it.word_or("model_type", "vit")? == "deit",
            teacher: false,
            classes: it.classes()?,
            pixels: Pixels::of(it, it.count_or("num_channels", 1 << 10, 3)?)?,
        })
    }

    /// timm's file names the architecture, and the name has the sizes: `vit_base_patch16_224`,
    /// `deit_tiny_distilled_patch16_224`.
    fn timm(it: &ConfigFile, architecture: &str) -> Result<Self, ConfigError> {
        let wrong = || {
            it.wrong(
                "architecture",
                "vit and deit of size tiny to huge are supported, as in vit_base_patch16_224",
            )
        };
        let words: Vec<&str> = architecture.split('_').filter(|it| *it != "distilled").collect();
        let ["vit" | "deit", name, patch, image] = words[..] else { return Err(wrong()) };
        let (d_model, layers, heads) = match name {
            "tiny" => (192, 12, 3),
            "small" => (384, 12, 6),
            "base" => (768, 12, 12),
            "large" => (1024, 24, 16),
            "huge" => (1280, 32, 16),
            _ => return Err(wrong()),
        };
        let number = |text: &str| text.parse().ok().filter(|n| (1..=1 << 12).contains(n)).ok_or_else(wrong);
        it.expect("global_pool", "token")?;
        let trained = it.inner("pretrained_cfg");
        let classes = it.count_or("num_classes", 1 << 20, 1000)?;
        Ok(Self {
            image: number(image)?,
            patch: number(patch.strip_prefix("patch").ok_or_else(wrong)?)?,
            channels: 3,
            d_model,
            layers,
            heads,
            d_mlp: 4 * d_model,
            eps: 1e-6,
            activation: Activation::Gelu,
            pool: Pool::Token,
            field: Field::None,
            distilled: architecture.contains("_distilled_"),
            teacher: false,
            classes: (0..classes).map(|id| format!("class {id}")).collect(),
            pixels: Pixels::named(&trained, "mean", "std", 3)?,
        })
    }

    /// The same as a `config.json` by Hugging Face's names.
    pub fn to_json(&self) -> Value {
        let model_type = match self.field {
            Field::None if self.distilled => "deit",
            Field::None => "vit",
            _ => MODEL_TYPE,
        };
        let mut it = json!({
            "model_type": model_type,
            "image_size": self.image, "patch_size": self.patch, "num_channels": self.channels,
            "hidden_size": self.d_model, "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "intermediate_size": self.d_mlp, "layer_norm_eps": self.eps, "hidden_act": self.activation.name(),
            "global_pool": if self.pool == Pool::Token { "token" } else { "avg" },
            "id2label": id2label(&self.classes), "image_mean": self.pixels.mean, "image_std": self.pixels.std,
        });
        self.field.write(&mut it);
        it
    }

    /// Patches of an image.
    pub fn patches(&self) -> usize {
        (self.image / self.patch).pow(2)
    }

    /// Where the patches are.
    pub fn places(&self) -> Places {
        Places::grid(self.image / self.patch, self.image / self.patch)
    }

    /// Names of the tokens that stand before the patches.
    pub fn special(&self) -> &'static [&'static str] {
        match (self.pool, self.distilled) {
            (Pool::Mean, _) => &[],
            (Pool::Token, false) => &["cls_token"],
            (Pool::Token, true) => &["cls_token", "dist_token"],
        }
    }

    /// Weights that have learnt nothing yet: Xavier's uniform for every matrix, positions of deviation 0.02, and a head of
    /// zeros (as the authors' code has it).
    pub fn untrained(&self, seed: u64) -> Weights {
        init::weights(self.parameters(), seed, |name, shape, random| match name {
            "pos_embed" | "dist_token" => init::normal(shape, 0.02, random),
            "cls_token" | "head.weight" => init::constant(shape, 0.0),
            _ if field::LEARNT.iter().any(|it| name.ends_with(it)) => field::untrained(name, shape, random),
            _ if name.ends_with("bias") => init::constant(shape, 0.0),
            _ if name.contains("norm") => init::constant(shape, 1.0),
            // Query, key and value are three matrices that lie together.
            _ if name.contains("qkv") => init::xavier_uniform(shape, 2 * self.d_model, random),
            _ => init::xavier_uniform(shape, shape[0] + size(&shape[1..]), random),
        })
    }

    /// Name and shape of every tensor that the model needs. Those of the field come last, so that the others begin the same
    /// with any.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let Self { d_model: d, d_mlp, patch: p, channels: c, .. } = *self;
        let special = self.special().iter().map(move |it| ((*it).to_owned(), vec![1, 1, d]));
        let positions = ("pos_embed".to_owned(), vec![1, self.special().len() + self.patches(), d]);
        let blocks = (0..self.layers).flat_map(move |l| block_parameters(l, d, d_mlp));
        let heads = ["head", "head_dist"].into_iter().take(1 + usize::from(self.teacher));
        let classes = self.classes.len();
        special
            .chain([positions])
            .chain(layer("patch_embed.proj", vec![d, c, p, p]))
            .chain(blocks)
            .chain(layer("norm", vec![d]))
            .chain(heads.flat_map(move |it| layer(it, vec![classes, d])))
            .chain((0..self.layers).flat_map(|l| self.field.parameters(l, self.heads, self.patches())))
    }
}
