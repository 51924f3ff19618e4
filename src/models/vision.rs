//! Models that look at images, whatever their kind: what saliency needs to know of them.

use std::sync::Arc;

use super::{AnyModel, Cnn, EfficientNet, Pixels, Vit, cnn, efficientnet, vit};
use crate::data::Picture;
use crate::graph::Var;
use crate::nn::Params;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// A model that looks at images.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "each is the model of its name")]
pub enum Vision<'m> {
    Vit(&'m Vit),
    Cnn(&'m Cnn),
    EfficientNet(&'m EfficientNet),
}

/// A place in a model where its activation is a map of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The tap of the activation: `[.., row, col, channel]`, or `[.., pos, d_model]` where there are tokens.
    pub tap: String,
    /// How many tokens come before those of the patches; `None` where the activation has rows and columns.
    pub special: Option<usize>,
}

impl AnyModel {
    /// The model, if it looks at images.
    pub fn vision(&self) -> Option<Vision<'_>> {
        match self {
            Self::Vit(it) => Some(Vision::Vit(it)),
            Self::Cnn(it) => Some(Vision::Cnn(it)),
            Self::EfficientNet(it) => Some(Vision::EfficientNet(it)),
            Self::Bert(_) | Self::Gpt(_) => None,
        }
    }
}

impl Vision<'_> {
    /// Width and height of the image that it looks at.
    pub fn side(&self) -> usize {
        match self {
            Self::Vit(it) => it.config.image,
            Self::Cnn(it) => it.config.image,
            Self::EfficientNet(it) => it.config.image,
        }
    }

    /// Colours of a pixel.
    pub fn channels(&self) -> usize {
        match self {
            Self::Vit(it) => it.config.channels,
            Self::Cnn(it) => it.config.channels,
            Self::EfficientNet(_) => 3,
        }
    }

    /// What its classes are called.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Vit(it) => &it.config.classes,
            Self::Cnn(it) => &it.config.classes,
            Self::EfficientNet(it) => &it.config.classes,
        }
    }

    /// What it makes of pixels.
    pub fn preprocessing(&self) -> &Pixels {
        match self {
            Self::Vit(it) => &it.config.pixels,
            Self::Cnn(it) => &it.config.pixels,
            Self::EfficientNet(it) => &it.config.pixels,
        }
    }

    /// The parameters.
    pub fn weights(&self) -> &Arc<Weights> {
        match self {
            Self::Vit(it) => &it.weights,
            Self::Cnn(it) => &it.weights,
            Self::EfficientNet(it) => &it.weights,
        }
    }

    /// Names and shapes of its parameters, from the first layer to the last.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Vit(it) => it.config.parameters().collect(),
            Self::Cnn(it) => it.config.parameters().collect(),
            Self::EfficientNet(it) => it.config.parameters().collect(),
        }
    }

    /// The picture as it takes it, `[row, col, channel]`; `None` if the picture is not here.
    pub fn image(&self, picture: &Picture) -> Option<Tensor> {
        let pixels = picture.pixels(self.side(), self.channels())?;
        Some(self.preprocessing().tensor(&pixels, self.side()))
    }

    /// Records it on `images`, `[row, col, channel]` or `[batch, row, col, channel]`; gives its logits `[.., class]`.
    pub fn record<'g>(&self, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        match self {
            Self::Vit(it) => vit::record(&it.config, images, p).logits,
            Self::Cnn(it) => cnn::record(&it.config, images, p),
            Self::EfficientNet(_) => efficientnet::record(images, p),
        }
    }

    /// Its activations that are maps of the image, from the first to the last. Of a transformer these are the inputs of its
    /// blocks: behind the last one only what is read out has a gradient.
    pub fn layers(&self) -> Vec<Layer> {
        match self {
            Self::Vit(it) => {
                let tap = |l| Layer {
                    tap: format!("blocks.{l}.resid_pre"),
                    special: Some(it.config.special().len()),
                };
                (0..it.config.layers).map(tap).collect()
            }
            Self::Cnn(it) => {
                let stages = 0..it.config.widths.len();
                let taps =
                    stages.flat_map(|s| (0..it.config.depth).map(move |i| format!("stages.{s}.{i}.post")));
                taps.map(|tap| Layer { tap, special: None }).collect()
            }
            Self::EfficientNet(_) => {
                efficientnet::stages().into_iter().map(|tap| Layer { tap, special: None }).collect()
            }
        }
    }

    /// The taps of its attention patterns, none for convolutions.
    pub fn patterns(&self) -> Vec<String> {
        match self {
            Self::Vit(it) => (0..it.config.layers).map(|l| format!("blocks.{l}.attn.pattern")).collect(),
            Self::Cnn(_) | Self::EfficientNet(_) => vec![],
        }
    }
}

impl Layer {
    /// The activation (or its gradient) as a map: `[.., row, col, channel]`.
    pub fn grid<'g>(&self, x: Var<'g>) -> Var<'g> {
        let Some(special) = self.special else { return x };
        let shape = x.shape();
        let [lead @ .., pos, d] = &shape[..] else { panic!("tokens are [.., pos, d_model], not {shape:?}") };
        let side = (pos - special).isqrt();
        x.slice(-2, special, pos - special).reshape(&[lead, &[side, side, *d]].concat())
    }

    /// What it is called: its tap without the words that every layer has.
    pub fn name(&self) -> String {
        let name =
            [".resid_pre", ".post", ".out"].iter().fold(self.tap.clone(), |it, word| it.replace(word, ""));
        name.replace("stages.", "conv ").replace("blocks.", "block ")
    }
}
