//! The masks that a transformer learnt (`fashion-gmm`), on a picture: what each head multiplies its scores by, how wide its
//! Gaussians became, and how the decision reacts when somebody drags one.

mod picture;

use serde::{Deserialize, Serialize};

pub(super) use self::picture::page;
use super::{Inputs, reaction};
use crate::graph::{Graph, Var};
use crate::mechanisms::field::{Places, effective_radius};
use crate::mechanisms::gaussian_mask::mixture;
use crate::models::{Vision, Vit, Zoo};
use crate::page::{Knobs, Scene, Touch};
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::train::{Recipe, fields};
use crate::weights::Weights;

/// The model whose masks are shown.
pub(super) const MODEL: &str = "fashion-gmm";

/// The seed of its training (`assets/models/README.md`): from it follows how its Gaussians began.
pub(super) const SEED: u64 = 0;

/// A head of the model, and what somebody made of its mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// The layer.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// Weight and width of every Gaussian of the head, where somebody moved them; empty: as they were learnt.
    pub moved: Vec<[f32; 2]>,
}

impl Default for Learnt {
    /// A head that is drawn to its own patch, and away from those around it.
    fn default() -> Self {
        Self { layer: 1, head: 1, moved: vec![] }
    }
}

impl Learnt {
    /// The layer and head that `model` has.
    fn at(&self, model: &Vit) -> [usize; 2] {
        [self.layer.min(model.config.layers - 1), self.head.min(model.config.heads - 1)]
    }

    /// `alpha` or `sigma` of a layer, `[component, head]`, with what was moved.
    fn given(&self, model: &Vit, what: usize) -> Option<Tensor> {
        let [layer, head] = self.at(model);
        let learnt = parameter(&model.weights, layer, what)?;
        let moved = self.moved.len() == learnt.shape[0];
        Some(Tensor::from_fn(&learnt.shape, |at| {
            if moved && at[1] == head { self.moved[at[0]][what] } else { learnt.at(at) }
        }))
    }

    /// Records the model as it was trained, and with what somebody made of the mask of one head.
    pub(super) fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let model = zoo.model::<Vit>(MODEL)?;
        let (image, side) = (model.image(&inputs.picture)?, model.config.image / model.config.patch);
        let (g, [layer, _], places) = (Graph::default(), self.at(model), Places::grid(side, side));
        g.label("classes", model.classes().to_vec());
        g.label("image", vec![model.side().to_string(), "1".to_owned()]);
        let tap = |name: &str| format!("blocks.{layer}.attn.{name}");
        // As numbers, so that dragging compiles nothing.
        let [alpha, sigma] = [self.given(model, 0)?, self.given(model, 1)?].map(|it| g.input(&it));
        let mask = mixture(alpha, sigma, places);
        let both = |images| {
            let before = model.record(&g, images).logits;
            let after = g.scope("moved", || {
                g.put(&tap("mask"), mask);
                model.record(&g, images).logits
            });
            [before, after]
        };
        let [images, labels] = reaction::pictures(&g, model)?;
        let all = g.scope("all", || both(images));
        reaction::keep(both(g.input(&image)), all, labels);
        let [scores, pattern] = ["scores", "pattern"].map(|it| g.at(&format!("moved/{}", tap(it))));
        mask.keep("mask");
        scores?.keep("scores");
        scores?.softmax().keep("plain");
        let pattern = pattern?.keep("pattern");
        (pattern.sum(-1) - 1.0).abs().flat().max(0).keep("rows.error");
        keep_all(&g, model, places)?;
        Some(g)
    }

    /// Which head.
    pub(super) fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let before = (self.layer, self.head);
        k.choice("layer", &mut self.layer, &[(0, "0"), (1, "1"), (2, "2")]);
        k.choice("head", &mut self.head, &[(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
        if before != (self.layer, self.head) {
            self.moved.clear();
        }
    }

    /// What is done to its mask.
    pub(super) fn more(&mut self, k: &mut Knobs<'_, '_>) {
        if k.button("As it was learnt", "The mask that training came to.", !self.moved.is_empty()) {
            self.moved.clear();
        }
        if k.button("No mask here", "α of one Gaussian that is the same everywhere, so that M is 1.", true) {
            let components = k.scene.trace.get("sigma").map_or(0, |it| it.shape[1]);
            self.moved = (0..components).map(|it| [f32::from(u8::from(it == 0)), 1000.0]).collect();
        }
    }

    /// The Gaussians of the head as they are now.
    pub(super) fn now(&self, trace: &Trace) -> Option<Vec<[f32; 2]>> {
        let read =
            |name: &str| trace.get(name).and_then(|it| Some((&it.shape[..], it.window(0..it.size())?)));
        let ((shape, alpha), (_, sigma)) = (read("alpha")?, read("sigma")?);
        let [layers, components, heads] = *shape else { return None };
        if self.moved.len() == components {
            return Some(self.moved.clone());
        }
        let [layer, head] = [self.layer.min(layers - 1), self.head.min(heads - 1)];
        let at = |k: usize| (layer * components + k) * heads + head;
        Some((0..components).map(|k| [alpha[at(k)], sigma[at(k)]]).collect())
    }

    /// Moves a Gaussian.
    pub(super) fn turn(&mut self, k: usize, trace: &Trace, change: impl FnOnce(&mut [f32; 2])) {
        let Some(mut now) = self.now(trace) else { return };
        if let Some(it) = now.get_mut(k) {
            change(it);
            self.moved = now;
        }
    }

    /// Takes a handle that was dragged, or another head.
    pub(super) fn touched(&mut self, panel: &str, touch: Touch, scene: &Scene<'_>) {
        match touch {
            Touch::Dragged(k, at) => self.turn(k, scene.trace, |it| *it = super::dragged(at)),
            Touch::Clicked(h) if panel == "heads" => {
                self.head = h;
                self.moved.clear();
            }
            _ => {}
        }
    }
}

/// `alpha` or `sigma` of a layer, `[component, head]`.
fn parameter(weights: &Weights, layer: usize, what: usize) -> Option<Tensor> {
    weights.read(&format!("blocks.{layer}.attn.{}", ["alpha", "sigma"][what]))
}

/// The same of all layers, `[layer, component, head]`.
fn parameters(weights: &Weights, layers: usize, what: usize) -> Option<Tensor> {
    let each = (0..layers).map(|l| parameter(weights, l, what)).collect::<Option<Vec<_>>>()?;
    let shape = [&[layers], &each.first()?.shape[..]].concat();
    Some(Tensor::new(&shape, each.iter().flat_map(|it| it.data.iter().copied()).collect::<Vec<_>>()))
}

/// Keeps what all heads learnt and how wide their Gaussians began, `[layer, component, head]`, and how far each mask reaches
/// from the corner of the picture, `[layer, head]`.
fn keep_all(g: &Graph, model: &Vit, places: Places) -> Option<()> {
    let layers = model.config.layers;
    let began = fields::model(MODEL, model.config.field, &[]).untrained(SEED);
    for (name, weights, what) in
        [("alpha", &*model.weights, 0), ("sigma", &*model.weights, 1), ("sigma.began", &began, 1)]
    {
        g.input(&parameters(weights, layers, what)?).keep(name);
    }
    let far = g.input(&places.table(|i, j| places.squared(i, j).sqrt()));
    let reach = |l: usize| {
        let mask = g.at(&format!("blocks.{l}.attn.mask"))?;
        Some(effective_radius(mask, far).slice(-1, 0, 1).reshape(&[1, mask.dim(0)]))
    };
    Var::concat(&(0..layers).map(reach).collect::<Option<Vec<_>>>()?, 0).keep("reach");
    Some(())
}
