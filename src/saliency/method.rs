//! Methods that explain a decision of a model of images, by name: from a [`Probe`] to a map.

use serde::{Deserialize, Serialize};

use super::gradient::{Walked, grad_cam, gradient, linear_approximation};
use super::normgrad::{Aggregate, Identity, normgrad};
use super::probe::Probe;
use super::relevance::{attention_gradient, relevance};
use super::rollout::rollout;
use crate::graph::Var;
use crate::models::Vision;
use crate::nn::Params;
use crate::nn::loss::total;

/// Where a method looks.
#[derive(Clone, Copy)]
pub struct Look<'g> {
    /// The layer, for methods that look at one.
    pub layer: usize,
    /// The path of integrated gradients before: one stretch more is looked at.
    pub path: Walked<'g>,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `|x| |g|` at a layer.
    NormGrad,
    /// `|max(0, x o g)|` at a layer, as its authors' code has it.
    Selective,
    /// Grad-CAM at a layer.
    GradCam,
    /// `sum_c x g` at a layer.
    Linear,
    /// `max_c |g|` at a layer.
    LayerGradient,
    /// `max_c |g|` at the image.
    Gradient,
    /// `|sum_c x g|` at the image.
    GradientInput,
    /// Integrated gradients from black, absolute values.
    Integrated,
    /// Attention rollout.
    Rollout,
    /// Attention times its gradient, in a block.
    AttentionGradient,
    /// The same followed through all blocks (Chefer et al. 2021).
    Relevance,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 11] = [
        Self::NormGrad,
        Self::Selective,
        Self::GradCam,
        Self::Linear,
        Self::LayerGradient,
        Self::Gradient,
        Self::GradientInput,
        Self::Integrated,
        Self::Rollout,
        Self::AttentionGradient,
        Self::Relevance,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NormGrad => "NormGrad",
            Self::Selective => "selective",
            Self::GradCam => "Grad-CAM",
            Self::Linear => "linear",
            Self::LayerGradient => "gradient",
            Self::Gradient => "input grad.",
            Self::GradientInput => "grad. × input",
            Self::Integrated => "integrated",
            Self::Rollout => "rollout",
            Self::AttentionGradient => "attn. × grad.",
            Self::Relevance => "relevance",
        }
    }

    /// Which of the hues it has, the same in every picture.
    pub fn hue(self) -> usize {
        Self::ALL.iter().position(|it| *it == self).unwrap_or(0)
    }

    /// Whether it needs attention.
    pub fn attends(self) -> bool {
        matches!(self, Self::Rollout | Self::AttentionGradient | Self::Relevance)
    }

    /// Whether the map depends on the layer that is chosen.
    pub fn has_layer(self) -> bool {
        matches!(
            self,
            Self::NormGrad
                | Self::Selective
                | Self::GradCam
                | Self::Linear
                | Self::LayerGradient
                | Self::AttentionGradient
        )
    }

    /// The map of one image, `[row, col]`. `None`: the model has no attention.
    pub fn map<'g>(
        self,
        model: &dyn Vision,
        p: &Params<'_, 'g>,
        probe: &Probe<'g>,
        Look { layer, path }: Look<'g>,
    ) -> Option<Var<'g>> {
        let (image, d_image) = probe.image;
        Some(match self {
            Self::Gradient => gradient(d_image),
            Self::GradientInput => linear_approximation(image, d_image).abs(),
            Self::Integrated => {
                let parts = from_black(model, p, probe, path).parts;
                let shape = parts.shape();
                parts.sum(-1).reshape(&shape[..2]).abs()
            }
            Self::Rollout => {
                let patterns: Vec<_> = probe.patterns.iter().map(|it| it.0).collect();
                looked_at(model, *rollout(&patterns).last()?)
            }
            Self::AttentionGradient => {
                let (a, g) = *probe.patterns.get(layer)?;
                looked_at(model, attention_gradient(a, g))
            }
            Self::Relevance => looked_at(model, *relevance(&probe.patterns).last()?),
            _ => {
                let (_, x, g) = probe.layers.get(layer)?;
                self.at(*x, *g)
            }
        })
    }

    /// The map at a layer, `[.., row, col]`, from its activation and gradient `[.., row, col, channel]`.
    pub fn at<'g>(self, x: Var<'g>, g: Var<'g>) -> Var<'g> {
        match self {
            Self::Selective => normgrad(x, g, Identity::Scaling, Aggregate::Selective),
            Self::GradCam => grad_cam(x, g),
            Self::Linear => linear_approximation(x, g),
            Self::LayerGradient => gradient(g),
            _ => normgrad(x, g, Identity::Conv1x1, Aggregate::Norm),
        }
    }
}

/// Integrated gradients of an image from black.
#[derive(Clone, Copy)]
pub struct FromBlack<'g> {
    /// The path as far as it was looked at.
    pub path: Walked<'g>,
    /// The parts of the answer, `[row, col, channel]`.
    pub parts: Var<'g>,
    /// What the parts should sum to: the logit of the image less that of black.
    pub whole: Var<'g>,
}

/// Integrated gradients of an image from black, one stretch of the path after `before`.
pub fn from_black<'g>(
    model: &dyn Vision,
    p: &Params<'_, 'g>,
    probe: &Probe<'g>,
    before: Walked<'g>,
) -> FromBlack<'g> {
    let (g, image) = (p.graph(), probe.image.0);
    let pixels = vec![0; image.shape().iter().product()];
    let black = g.input(&model.preprocessing().tensor(&pixels, model.side()));
    let path = before.on(image, black, |images| {
        let logits = g.scope("path", || model.record(images, p));
        total(logits * probe.one_hot.broadcast(&logits.shape()))
    });
    let far = g.scope("black", || model.record(black, p));
    let whole = total((probe.logits - far) * probe.one_hot);
    FromBlack { path, parts: path.integrated(image, black), whole }
}

/// What the answer was read from looked at: the row of the class token, or the mean of all rows where there is none, as a
/// map of the patches `[row, col]`, from `[query, key]`.
fn looked_at<'g>(model: &dyn Vision, tokens: Var<'g>) -> Var<'g> {
    let special = model.special();
    let row = if special > 0 { tokens.slice(0, 0, 1) } else { tokens.mean(0) };
    let patches = row.dim(-1) - special;
    let side = patches.isqrt();
    row.slice(-1, special, patches).reshape(&[side, side])
}
