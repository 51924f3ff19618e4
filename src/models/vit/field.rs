//! By which field of distance a ViT's attention is bent, and the parameters that this takes in every block.

use serde_json::{Value, json};

use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::Attention;
use crate::mechanisms::field::Places;
use crate::mechanisms::gaussian_mask::mixture;
use crate::mechanisms::rmt::{Form, Manhattan, gammas};
use crate::models::config::{ConfigError, ConfigFile};
use crate::nn::{Attends, Params, init};
use crate::tensor::Tensor;

/// A field over the patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// None: plain attention.
    None,
    /// `softmax(M o S)`, where `M` is a mixture of Gaussians of the distance, learnt for every block and head (Li & Zhang
    /// 2023, arXiv 2309.05375): `attn.alpha`, `attn.sigma` `[component, head]`.
    Gaussian {
        /// Gaussians of a head.
        components: usize,
    },
    /// `softmax(M o S)` with a number for every pair of patches, learnt for every block and shared by its heads (the same):
    /// `attn.mask` `[query, key]`.
    Elementwise,
    /// `softmax(S + d log gamma)` with the Manhattan distance and decays that are not learnt (Fan et al. 2024, arXiv
    /// 2309.11523, and its authors' code).
    Manhattan {
        /// Whether rows come first, then columns, instead of all patches at once.
        decomposed: bool,
    },
}

/// Last parts of the names of what is learnt in a field.
pub const LEARNT: [&str; 3] = ["attn.alpha", "attn.sigma", "attn.mask"];

/// The slowest decay of a head, as a power of two beyond the fastest: that of the first stages of RMT-T and RMT-S.
const RANGE: f64 = 4.0;

impl Field {
    /// Reads `attention_field` and `attention_components`.
    pub(super) fn parse(it: &ConfigFile) -> Result<Self, ConfigError> {
        match it.word_or("attention_field", "none")? {
            "none" => Ok(Self::None),
            "gaussian" => Ok(Self::Gaussian { components: it.count("attention_components", 1 << 10)? }),
            "elementwise" => Ok(Self::Elementwise),
            "manhattan" => Ok(Self::Manhattan { decomposed: false }),
            "manhattan-decomposed" => Ok(Self::Manhattan { decomposed: true }),
            _ => {
                let known = "none, gaussian, elementwise, manhattan and manhattan-decomposed are supported";
                Err(it.wrong("attention_field", known))
            }
        }
    }

    /// Writes what [`Self::parse`] reads; of no field nothing.
    pub(super) fn write(self, it: &mut Value) {
        let name = match self {
            Self::None => return,
            Self::Gaussian { .. } => "gaussian",
            Self::Elementwise => "elementwise",
            Self::Manhattan { decomposed: false } => "manhattan",
            Self::Manhattan { decomposed: true } => "manhattan-decomposed",
        };
        it["attention_field"] = json!(name);
        if let Self::Gaussian { components } = self {
            it["attention_components"] = json!(components);
        }
    }

    /// How block `l` attends, with the field as the tap `blocks.l.attn.mask`.
    pub(super) fn attends<'g>(
        self,
        l: usize,
        heads: usize,
        places: Places,
        plain: Attention<'g>,
        p: &Params<'_, 'g>,
    ) -> Attends<'g> {
        let mask = |x: Var<'g>, axes| x.tap(&format!("blocks.{l}.attn.mask"), axes);
        let manhattan = || Manhattan { gamma: decays(p.graph(), heads), places, form: Form::Code };
        Attends::AtOnce(match self {
            Self::None => plain,
            Self::Gaussian { .. } => {
                let field = mixture(p.get("alpha"), p.get("sigma"), places);
                Attention { multiply: Some(mask(field, "head query key")), ..plain }
            }
            Self::Elementwise => Attention { multiply: Some(mask(p.get("mask"), "query key")), ..plain },
            Self::Manhattan { decomposed: false } => {
                Attention { add: Some(mask(manhattan().mask(), "head query key")), ..plain }
            }
            Self::Manhattan { decomposed: true } => return Attends::ByRowsAndColumns(manhattan()),
        })
    }

    /// Name and shape of what block `l` learns of its field.
    pub(super) fn parameters(self, l: usize, heads: usize, places: usize) -> Vec<(String, Vec<usize>)> {
        let name = |part: &str| format!("blocks.{l}.attn.{part}");
        match self {
            Self::None | Self::Manhattan { .. } => vec![],
            Self::Gaussian { components } => {
                ["alpha", "sigma"].map(|it| (name(it), vec![components, heads])).to_vec()
            }
            Self::Elementwise => vec![(name("mask"), vec![places; 2])],
        }
    }
}

/// What a parameter of a field is before training, as the authors' code has it: `sigma` is `10 + 10 N(0, 1)`, `alpha`
/// `2 N(0, 1)`, and an element-wise mask 0, so that attention begins uniform.
pub(super) fn untrained(name: &str, shape: &[usize], random: &mut Random) -> Tensor {
    if name.ends_with("alpha") {
        init::normal(shape, 2.0, random)
    } else if name.ends_with("sigma") {
        Tensor::from_fn(shape, |_| (10.0 + 10.0 * random.normal()) as f32)
    } else {
        init::constant(shape, 0.0)
    }
}

/// What a step away is worth to every head.
fn decays(g: &Graph, heads: usize) -> Var<'_> {
    let gammas = gammas(heads, 2.0, RANGE);
    g.input(&Tensor::from_fn(&[heads], |at| gammas[at[0]] as f32))
}
