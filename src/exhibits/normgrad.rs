//! NormGrad: where the gradient meets the activation.
//!
//! Put a layer behind an activation `x` that changes nothing, and ask how its weights would learn: the gradient of a
//! 1 x 1 convolution is `sum_u x_u g_u^T`, one term a place `u`, and a term's norm `|x_u| |g_u|` is the saliency of its
//! place (Rebuffi, Fong, Ji & Vedaldi 2020, arXiv 2004.02866, sections 3.1 to 3.3). Layers are combined (section 3.4), and
//! a step of learning before makes the map depend more on the class (section 3.5). All layers take one pass forward and
//! one back.

mod claims;
mod glyph;
mod measure;
mod picture;

use serde::{Deserialize, Serialize};

use super::looking::Looking;
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened};
use crate::graph::{Graph, Var};
use crate::models::{Kind, Vision, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page, Touch};
use crate::saliency::combine::{Combination, combined, normalised, resized};
use crate::saliency::meta::{Stepped, rank_correlation};
use crate::saliency::normgrad::{Aggregate, Identity, normgrad, remainder, unfold};
use crate::saliency::probe::probe;
use crate::tensor::Tensor;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "normgrad",
    title: "NormGrad",
    claim: "A place matters where the model sees much and where changing it would change the answer.",
    formula: r"m_u = \lVert x_u\, g_u^{\top} \rVert_F = \lVert x_u \rVert\, \lVert g_u \rVert",
    paper: "Rebuffi et al., There and Back Again: Revisiting Backpropagation Saliency Methods",
    year: 2020,
    reference: "2004.02866",
    family: "Saliency",
    more: "The left factor is how strongly a layer responds at a place, the right one how much the logit of the class would \
           change with the response. Their product is the norm of what that place would teach a layer that does nothing \
           yet: a virtual identity. Other identities have other contributions: a bias sees only the gradient, a scaling \
           multiplies channel by channel, a 3 x 3 convolution also sees the neighbours.\n\n\
           The collages hold four pieces of clothing, so one knows which quarter a map should point at. Ask for a class \
           by clicking it. A map that barely changes with the class tells you what is salient, not what speaks for the \
           class; one step of learning on this picture, from which the parameters return, makes the map depend more on it.",
};

/// The exhibit's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NormGrad {
    /// Model, class, picture.
    #[serde(flatten)]
    pub looking: Looking,
    /// What is shown.
    pub what: What,
    /// The layer whose map is shown large, the last but one if none is chosen; beyond the last: all combined.
    pub layer: Option<usize>,
    /// The layer that is thought to be there.
    pub identity: Identity,
    /// From contribution to number.
    pub aggregate: Aggregate,
    /// How layers are combined.
    pub combination: Combination,
    /// The length of the step of learning, in ten-thousandths; 0: none.
    pub epsilon: u16,
}

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The maps of the picture.
    #[default]
    Maps,
    /// Which layers and methods point at the right quarter, over many collages.
    Pointing,
}

/// The identities in words.
const IDENTITIES: [(Identity, &str); 5] = [
    (Identity::Bias, "bias"),
    (Identity::Scaling, "scaling"),
    (Identity::Conv1x1, "1 x 1"),
    (Identity::Conv3x3, "3 x 3"),
    (Identity::Depthwise3x3, "depthwise 3 x 3"),
];

/// The ways from contribution to number, in words.
const AGGREGATES: [(Aggregate, &str); 4] = [
    (Aggregate::Norm, "norm"),
    (Aggregate::Selective, "positive part (selective)"),
    (Aggregate::Sum, "sum"),
    (Aggregate::Max, "largest entry"),
];

/// How layers are combined, in words.
const COMBINATIONS: [(Combination, &str); 3] = [
    (Combination::GeometricMean, "geometric mean"),
    (Combination::Mean, "mean"),
    (Combination::Product, "product"),
];

/// Steps of learning, in ten-thousandths.
const STEPS: [(u16, &str); 5] = [(0, "none"), (1, "0.0001"), (25, "0.0025"), (100, "0.01"), (1000, "0.1")];

/// Of contributions that cancel to less than this part, what is left is rounding: where nothing should be left at most 1e-6 was
/// measured (channel by channel before the last layer norm, which also takes the scale; else 6e-8), elsewhere at least 2e-3.
const NOISE: f32 = 1e-5;

/// Width and height of the combined map.
const COMBINED: usize = 56;

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<NormGrad> }
}

impl NormGrad {
    /// The map of a layer `[row, col]`, from its activation and gradient; zeros where it would be rounding noise.
    fn map<'g>(&self, x: Var<'g>, g: Var<'g>) -> Var<'g> {
        let map = normgrad(x, g, self.identity, self.aggregate);
        match self.remainder(x, g) {
            Some(remainder) => map * (x.graph().constant(1.0) - remainder.less(x.graph().constant(NOISE))),
            None => map,
        }
    }

    /// What is left of contributions that are summed up, of what they are without their signs.
    fn remainder<'g>(&self, x: Var<'g>, g: Var<'g>) -> Option<Var<'g>> {
        (self.aggregate == Aggregate::Sum).then(|| remainder(x, g, self.identity))
    }

    /// Whether maps may be negative.
    fn is_signed(&self) -> bool {
        matches!(self.aggregate, Aggregate::Sum | Aggregate::Max)
    }

    /// Records the maps of one picture.
    fn maps(&self, g: &Graph, model: &dyn Vision, image: &Tensor) {
        let images = g.input(image);
        let p = Params::new(g, model.weights());
        let plain = probe(model, images, &p, |logits| self.looking.wanted(model).one_hot(logits));
        let stepped = (self.epsilon > 0).then(|| {
            let stepped = Stepped::learn(model, &p, &plain, f32::from(self.epsilon) * 1e-4);
            stepped.share().keep("step");
            stepped.probe(model, &plain)
        });
        let shown = stepped.as_ref().unwrap_or(&plain);
        let mut maps = vec![];
        for (i, (_, x, dx)) in shown.layers.iter().enumerate() {
            self.factors(*x, *dx, i);
            let map = self.map(*x, *dx).keep(&format!("layers.{i}.map"));
            largest(map).keep(&format!("layers.{i}.map.peak"));
            if let Some(it) = self.remainder(*x, *dx) {
                it.keep(&format!("layers.{i}.remainder"));
            }
            maps.push(map);
        }
        if stepped.is_some() {
            let before = plain.layers.iter().map(|(_, x, dx)| self.map(*x, *dx));
            for (i, (now, before)) in maps.iter().zip(before).enumerate() {
                rank_correlation(now.flat(), before.flat()).keep(&format!("layers.{i}.correlation"));
            }
        }
        // What speaks against the class is no saliency.
        let maps = maps.into_iter().map(|it| it.max_with(g.constant(0.0)));
        let maps: Vec<_> = maps.map(|it| (resized(it, [COMBINED; 2]), 1.0)).collect();
        normalised(combined(&maps, self.combination)).keep("combined");
    }

    /// Keeps how strong activation and gradient are at every place of layer `i`.
    fn factors(&self, x: Var<'_>, dx: Var<'_>, i: usize) {
        let x = if self.identity == Identity::Conv3x3 {
            let near = unfold(x);
            let shape = near.shape();
            near.reshape(&[shape[0], shape[1], shape[2..].iter().product()])
        } else {
            x
        };
        for (it, name) in [(x, "activation"), (dx, "gradient")] {
            let shape = it.shape();
            let norm = (it * it).sum(-1).sqrt().reshape(&shape[..2]).keep(&format!("layers.{i}.{name}"));
            largest(norm).keep(&format!("layers.{i}.{name}.peak"));
        }
    }
}

impl Exhibit for NormGrad {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Vision)
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        &self.looking.model
    }

    fn choose(&mut self, id: &str) {
        id.clone_into(&mut self.looking.model);
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let (model, image) = self.looking.sees(inputs, zoo)?;
        let g = Graph::new(&["logits"], &[]);
        Looking::label(&g, model);
        match self.what {
            What::Maps => self.maps(&g, model, &image),
            What::Pointing => measure::record(&g, model)?,
        }
        Some(g)
    }

    fn refusal(&self, inputs: &Inputs) -> String {
        match self.what {
            What::Maps => Looking::refusal(inputs),
            What::Pointing => measure::REFUSAL.to_owned(),
        }
    }

    fn looks(&self) -> &'static [&'static str] {
        &["layer", "opacity", "contour"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let (maps, layers) = (self.what == What::Maps, k.scene.trace.words("layers").to_vec());
        k.row(|k| {
            k.choice("", &mut self.what, &[(What::Maps, "maps"), (What::Pointing, "who points right?")]);
            k.only_if(maps, |k| {
                k.choice("identity", &mut self.identity, &IDENTITIES);
                // A layer that the model lacks, since a link may have been made with another, is all of them.
                self.layer = self.layer.map(|it| if layers.is_empty() { it } else { it.min(layers.len()) });
                let words = [&layers[..], &["all combined".to_owned()]].concat();
                k.pick("layer", &mut self.layer, &words, "last but one");
            });
        });
        k.row(|k| {
            k.model(Kind::Vision, &mut self.looking.model);
            k.only_if(maps, |k| self.looking.knobs(k));
        });
        k.row(|k| {
            k.only_if(maps, |k| k.choice("a contribution counts by its", &mut self.aggregate, &AGGREGATES));
        });
        k.row(|k| {
            k.only_if(maps, |k| k.choice("layers are combined by", &mut self.combination, &COMBINATIONS));
        });
        k.row(|k| {
            k.only_if(maps, |k| k.choice("a step of learning first, of length", &mut self.epsilon, &STEPS));
        });
        k.row(|k| k.only_if(maps, |k| self.looking.overlay_knobs(k)));
    }

    fn heed(&mut self, _ui: &egui::Ui, scene: &mut Scene<'_>) {
        if self.what == What::Maps && scene.focus.readout.is_empty() {
            scene.focus.readout = picture::said(self, scene);
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        match self.what {
            What::Maps => picture::page(self, scene),
            What::Pointing => measure::page(scene.trace),
        }
    }

    fn touched(&mut self, panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        match (panel, touch) {
            ("classes", Touch::Clicked(i)) => self.looking.ask(i, scene.trace),
            ("all layers", Touch::Clicked(i)) => self.layer = Some(i),
            _ => {}
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
