//! Models that look at images, whatever their kind: what saliency needs to know of them.

use super::{Loaded, Pixels};
use crate::data::Image;
use crate::graph::Var;
use crate::nn::Params;
use crate::tensor::Tensor;

/// A model that looks at images.
pub trait Vision: Loaded {
    /// Width and height of the image that it looks at.
    fn side(&self) -> usize;

    /// Colours of a pixel.
    fn channels(&self) -> usize;

    /// What its classes are called.
    fn classes(&self) -> &[String];

    /// What it makes of pixels.
    fn preprocessing(&self) -> &Pixels;

    /// Records it on `images`, `[row, col, channel]` or `[batch, row, col, channel]`; gives its logits `[.., class]`.
    fn record<'g>(&self, images: Var<'g>, p: &Params<'_, 'g>) -> Var<'g>;

    /// Its activations that are maps of the image, from the first to the last. Of a transformer these are the inputs of its
    /// blocks: behind the last one only what is read out has a gradient.
    fn layers(&self) -> Vec<Layer>;

    /// The taps of its attention patterns, none for convolutions.
    fn patterns(&self) -> Vec<String> {
        vec![]
    }

    /// How many tokens of those patterns come before those of the patches.
    fn special(&self) -> usize {
        0
    }

    /// The picture as it takes it, `[row, col, channel]`; `None` if the picture is not here.
    fn image(&self, picture: &Image) -> Option<Tensor> {
        let pixels = picture.pixels(self.side(), self.channels())?;
        Some(self.preprocessing().tensor(&pixels, self.side()))
    }
}

/// A place in a model where its activation is a map of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The tap of the activation: `[.., row, col, channel]`, or `[.., pos, d_model]` where there are tokens.
    pub tap: String,
    /// How many tokens come before those of the patches; `None` where the activation has rows and columns.
    pub special: Option<usize>,
}

impl Layer {
    /// A place whose activation has rows and columns.
    pub(super) fn map(tap: String) -> Self {
        Self { tap, special: None }
    }

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
