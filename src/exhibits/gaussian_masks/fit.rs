//! How much of a trained head is mere distance: the mixture of Gaussians that comes closest to its attention, and what becomes of
//! the prediction when the head has nothing but that.

mod picture;

use std::cell::Cell;

use serde::{Deserialize, Serialize};

pub(super) use self::picture::{looks, page, seen};
use super::{Inputs, reaction};
use crate::graph::{Graph, Var};
use crate::mechanisms::field::Places;
use crate::mechanisms::gaussian_fit::{Mixture, divergence};
use crate::models::{Vision, Vit, Zoo};
use crate::page::{Knobs, Scene, Touch};
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The model whose heads are fitted.
pub(super) const MODEL: &str = "fashion-vit-mean";

/// How often weights are shared out among the Gaussians: later steps change no digit that is shown.
const STEPS: usize = 24;

/// A head of the trained model and its mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fit {
    /// The layer.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// Gaussians of the mixture.
    pub components: usize,
    /// Share and width of every Gaussian, where somebody moved them; empty: as they were fitted.
    pub moved: Vec<[f32; 2]>,
}

impl Default for Fit {
    fn default() -> Self {
        Self { layer: 0, head: 0, components: 2, moved: vec![] }
    }
}

/// What the pattern of a head is exchanged for.
type Instead<'a, 'g> = &'a dyn Fn(Var<'g>) -> Var<'g>;

impl Fit {
    fn components(&self) -> usize {
        self.components.clamp(1, 3)
    }

    /// The mixture that the head is given: the fitted one, or what somebody made of it.
    fn given<'g>(&self, fitted: Mixture<'g>) -> Mixture<'g> {
        let (g, components) = (fitted.share.graph(), self.components());
        let own = self.moved.len() == components;
        let number = |what: usize| {
            Tensor::from_fn(&[components, 1], |at| if own { self.moved[at[0]][what] } else { 0.0 })
        };
        // As numbers, so that dragging compiles nothing.
        let keep = g.input(&Tensor::scalar(f32::from(u8::from(!own))));
        let [share, sigma] = [0, 1].map(|it| g.input(&number(it)));
        Mixture { share: fitted.share * keep + share, sigma: fitted.sigma * keep + sigma }
    }

    /// Records the model as it was trained, the fit, and the model with the mixture in the head's place.
    pub(super) fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let model = zoo.model::<Vit>(MODEL)?;
        let (image, side) = (model.image(&inputs.picture)?, model.config.image / model.config.patch);
        let g = Graph::new(&["blocks.*.attn.pattern"], &[]);
        g.label("classes", model.classes().to_vec());
        g.label("image", vec![model.side().to_string(), "1".to_owned()]);
        let weights = Cell::new(None);
        let [before, after] = self.exchanged(&g, model, g.input(&image), &|pattern| {
            let it = self.fit(pattern, Places::grid(side, side));
            weights.set(Some(it));
            it
        })?;
        let weights = weights.get()?;
        let [images, labels] = reaction::pictures(&g, model)?;
        let all = g.scope("all", || self.exchanged(&g, model, images, &|_| weights))?;
        reaction::keep([before, after], all, labels);
        Some(g)
    }

    /// The mixture of the head of `pattern`, `[head, query, key]`, as weights `[1, query, key]`; keeps how well it fits.
    fn fit<'g>(&self, pattern: Var<'g>, places: Places) -> Var<'g> {
        let own = pattern.slice(0, self.head.min(pattern.dim(0) - 1), 1).keep("own");
        let fitted = Mixture::fitted(own, places, self.components(), STEPS);
        let given = self.given(fitted);
        given.share.keep("share");
        given.sigma.keep("sigma");
        let weights = given.weights(places).keep("fitted");
        (weights.sum(-1) - 1.0).abs().flat().max(0).keep("rows.error");
        let flat = pattern.graph().constant(1.0 / places.count() as f32).broadcast(&own.shape());
        let residuals = [flat, fitted.weights(places), weights].map(|it| divergence(own, it));
        Var::concat(&residuals, 0).keep("residual");
        weights
    }

    /// The logits as the model was trained, and with other weights in the head's place.
    fn exchanged<'g>(
        &self,
        g: &'g Graph,
        model: &Vit,
        images: Var<'g>,
        instead: Instead<'_, 'g>,
    ) -> Option<[Var<'g>; 2]> {
        let tap = format!("blocks.{}.attn.pattern", self.layer.min(model.config.layers - 1));
        let before = model.record(g, images).logits;
        let (pattern, heads) = (g.at(&tap)?, model.config.heads);
        let chosen = |at: &[usize]| f32::from(u8::from(at[0] == self.head.min(heads - 1)));
        let head = g.input(&Tensor::from_fn(&[heads, 1, 1], chosen));
        let exchanged = pattern * (head * -1.0 + 1.0) + instead(pattern) * head;
        let after = g.scope("exchanged", || {
            g.put(&tap, exchanged);
            model.record(g, images).logits
        });
        Some([before, after])
    }

    /// Which head, and what is put in its place.
    pub(super) fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let before = (self.layer, self.head);
        k.choice("layer", &mut self.layer, &[(0, "0"), (1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")]);
        k.choice("head", &mut self.head, &[(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
        if before != (self.layer, self.head) {
            self.moved.clear();
        }
    }

    /// How the mixture comes about.
    pub(super) fn more(&mut self, k: &mut Knobs<'_, '_>) {
        let before = self.components;
        k.choice("Gaussians", &mut self.components, &[(1, "1"), (2, "2"), (3, "3")]);
        let again = k.button("Fit again", "The mixture that comes closest.", !self.moved.is_empty());
        if again || before != self.components {
            self.moved.clear();
        }
    }

    /// Share and width of every Gaussian as they are now.
    fn now(&self, trace: &Trace) -> Option<Vec<[f32; 2]>> {
        if self.moved.len() == self.components() {
            return Some(self.moved.clone());
        }
        let read = |name: &str| trace.get(name).and_then(|it| it.window(0..it.size()));
        let (share, sigma) = (read("share")?, read("sigma")?);
        let total = share.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        Some(share.iter().zip(&*sigma).map(|(share, sigma)| [share / total, *sigma]).collect())
    }

    /// Moves a Gaussian.
    fn turn(&mut self, k: usize, trace: &Trace, change: impl FnOnce(&mut [f32; 2])) {
        let Some(mut now) = self.now(trace) else { return };
        if let Some(it) = now.get_mut(k) {
            change(it);
            *it = [it[0].clamp(0.0, 20.0), it[1].clamp(0.1, 40.0)];
            self.moved = now;
        }
    }

    /// Takes a handle that was dragged, or another head.
    pub(super) fn touched(&mut self, touch: Touch, scene: &Scene<'_>) {
        match touch {
            Touch::Dragged(k, [sigma, height]) => {
                let side = picture::side(scene.trace);
                let least = |sigma: f32| picture::height(side, sigma.clamp(0.1, 40.0)).max(1e-6);
                self.turn(k, scene.trace, |it| *it = [height / least(sigma), sigma]);
            }
            Touch::Head([layer, head], _) => {
                (self.layer, self.head) = (layer, head);
                self.moved.clear();
            }
            Touch::Clicked(_) => {}
        }
    }
}
