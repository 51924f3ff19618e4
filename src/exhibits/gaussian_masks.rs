//! Masks that are mixtures of Gaussians of the distance between patches.
//!
//! `A = softmax(M o Q K^T / sqrt d) V`, `M_h(i, j) = sum_k alpha_kh exp(-d_ij^2 / (2 (sigma_kh^2 + 1e-5)))` (Li & Zhang 2023,
//! arXiv 2309.05375, and its authors' code): `d_ij` is the distance on the grid of patches. By hand, queries and keys are
//! the patches of the picture themselves, freed of their mean and of length `sharp`; the masks of a trained model, and those that
//! come closest to a head of another, are shown too.

mod around;
mod claims;
mod fit;
mod learnt;
mod picture;
mod reaction;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::fit::Fit;
use self::learnt::Learnt;
use super::looking::Looking;
use super::recorded::recorded;
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::data::{Image, Random};
use crate::focus::Spot;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::Places;
use crate::mechanisms::gaussian_mask::{masked, mixture};
use crate::models::{Kind, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "gaussian-masks",
    title: "Gaussian mixture masks",
    claim: "A few Gaussians of the distance tell each head how far to listen, and shrinking them does not make it local.",
    formula: r"A = \mathrm{softmax}\!\left(M \odot \frac{QK^{\top}}{\sqrt{d}}\right), \quad M = \sum_k \alpha_k\, e^{-d^2 / 2\sigma_k^2}",
    paper: "Li & Zhang, RetNet Viewed through Convolution",
    year: 2023,
    reference: "2309.05375",
    family: "Fields of distance",
    more: "The circles around the patch and the curve are the mask of one head over the distance between two patches: a sum of \
           Gaussians, each with a weight α and a width σ. Drag a rim for σ, a handle of the curve sideways for σ, up and down \
           for α. A head needs two numbers for each Gaussian, where a free mask needs one for every pair of patches.\n\n\
           The mask multiplies the scores before the softmax. A score that is multiplied by nearly 0 becomes 0, and a key \
           whose score is 0 still has weight e⁰: it is a key like any other, not an absent one. So narrow Gaussians do not make \
           attention local; all other patches become equal. Press “σ → 0” to see it. Where M is negative, what is alike is \
           avoided. By hand, queries and keys are the patches of the picture, 7 x 7 pixels each, freed of their mean and \
           scaled to one length. Click a patch to see what it looks at.\n\n\
           “Learnt masks” are those of a small transformer that tells clothes apart, five Gaussians in each of twelve heads: \
           drag one, and the evidence reacts. A model like it, trained for 1500 steps with three seeds, had 79.1 ± 0.1 % of the \
           test pictures right, one without masks 80.8 ± 0.7 %: there mixtures won nothing. They begin with attention four \
           times too sharp and of random sign, and hardly move: after 10,000 steps a width here had moved by a quarter of a \
           patch in the mean.\n\n\
           “Fitted to a head” asks how much of a transformer without masks is distance. Expectation maximisation finds the \
           mixture of Gaussians around every patch that comes closest to the head's weights: each weight is shared out among \
           the Gaussians, each Gaussian takes the width of what it got, and again. Then the head gets that mixture instead of \
           its own attention, which no longer sees what is in the picture, and the bars say what that costs.",
};

/// Patches along a side of the picture.
const SIDE: usize = 8;

/// Pixels along a side of a patch.
const PATCH: usize = 7;

/// Heads.
const HEADS: usize = 4;

/// Gaussians of a head.
const COMPONENTS: usize = 2;

/// What one head multiplies its scores by: weight and width of every Gaussian.
type Mixture = [[f32; 2]; COMPONENTS];

/// The exhibit's state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GaussianMasks {
    /// `alpha` and `sigma` of every Gaussian of every head.
    pub mixtures: [Mixture; HEADS],
    /// How much scores differ, in tenths.
    pub sharp: u32,
    /// The picture with the map over it.
    pub looking: Looking,
    /// Which map that is.
    pub over: Over,
    /// Whose masks are shown.
    pub source: Source,
    /// The masks that a model learnt.
    pub learnt: Learnt,
    /// A head of a model without masks, and the mixture that comes closest to it.
    pub fit: Fit,
}

/// Where masks come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Whoever drags them.
    #[default]
    Hand,
    /// The training of a transformer that has masks.
    Learnt,
    /// They come closest to a head of one that has none.
    Fit,
}

/// What lies over the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Over {
    /// What the scores of the patch are multiplied by.
    #[default]
    Mask,
    /// What the patch looks at.
    Attention,
}

const USUAL: [Mixture; HEADS] = [
    [[1.0, 1.0], [0.0, 3.0]],
    [[0.6, 1.2], [0.5, 5.0]],
    [[1.5, 3.0], [-0.8, 1.0]],
    [[0.2, 2.0], [0.8, 10.0]],
];

impl Default for GaussianMasks {
    fn default() -> Self {
        Self {
            mixtures: USUAL,
            sharp: 25,
            looking: Looking::default(),
            over: Over::Mask,
            source: Source::Hand,
            learnt: Learnt::default(),
            fit: Fit::default(),
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<GaussianMasks> }
}

/// The grid of patches.
const PLACES: Places = Places { height: SIDE, width: SIDE };

/// Number `what` of every Gaussian, `[component, head]`.
fn parameters<'g>(g: &'g Graph, mixtures: &[Mixture; HEADS], what: usize) -> Var<'g> {
    g.input(&Tensor::from_fn(&[COMPONENTS, HEADS], |at| mixtures[at[1]][at[0]][what]))
}

/// The patches of a picture, `[1, patch, pixel]`: freed of their mean, and so long that equal ones have the score `sharp`.
fn patches<'g>(g: &'g Graph, picture: &Image, sharp: f32) -> Option<Var<'g>> {
    let (side, area) = (SIDE * PATCH, PATCH * PATCH);
    let pixels = picture.pixels(side, 1)?;
    let mut data = vec![];
    for patch in 0..SIDE * SIDE {
        let corner = [patch / SIDE * PATCH, patch % SIDE * PATCH];
        let pixel = |i: usize| f32::from(pixels[(corner[0] + i / PATCH) * side + corner[1] + i % PATCH]);
        let mean = (0..area).map(pixel).sum::<f32>() / area as f32;
        let free: Vec<f32> = (0..area).map(|i| pixel(i) - mean).collect();
        let length = free.iter().map(|it| it * it).sum::<f32>().sqrt().max(1e-3);
        // Scores are divided by the root of the number of channels.
        let scale = (sharp * (area as f32).sqrt()).sqrt() / length;
        data.extend(free.iter().map(|it| it * scale));
    }
    Some(g.input(&Tensor::new(&[1, SIDE * SIDE, area], data)))
}

/// Weight and width of a Gaussian whose handle is at a place of the chart: it sits at `d = sigma`, where a Gaussian has fallen
/// to `1 / sqrt e` of its top.
fn dragged([sigma, height]: [f32; 2]) -> [f32; 2] {
    [height * 0.5_f32.exp(), sigma.max(0.01)]
}

impl GaussianMasks {
    /// The head that is shown large.
    fn head(&self, spot: Spot) -> usize {
        if self.source == Source::Learnt { self.learnt.head } else { picture::head(spot) }
    }

    /// The mask of a head.
    fn mixture(&self, h: usize, trace: &Trace) -> Option<Vec<[f32; 2]>> {
        if self.source == Source::Learnt { self.learnt.now(trace) } else { Some(self.mixtures[h].to_vec()) }
    }

    /// Whose masks are shown. The models know single pieces of clothing, no collages of them.
    fn whose(&mut self, k: &mut Knobs<'_, '_>) {
        let before = self.source;
        let words = [
            (Source::Hand, "masks by hand"),
            (Source::Learnt, "learnt masks"),
            (Source::Fit, "fitted to a head"),
        ];
        k.choice("", &mut self.source, &words);
        let picture = &mut k.scene.inputs.picture;
        if self.source != before && matches!(picture, Image::Collage(_)) {
            *picture = Image::Clothes(32);
        }
    }

    /// Mixtures that show something.
    fn presets(&mut self, k: &mut Knobs<'_, '_>) {
        let each = |state: &mut Self, f: &mut dyn FnMut(&mut [f32; 2])| {
            state.mixtures.iter_mut().flatten().for_each(f);
        };
        if k.button("σ → 0", "Gaussians that reach no other patch.", true) {
            each(self, &mut |it| it[1] = 0.01);
        }
        if k.button("σ → ∞", "Gaussians that are the same everywhere.", true) {
            each(self, &mut |it| it[1] = 1000.0);
        }
    }

    /// Mixtures to begin with.
    fn more(&mut self, k: &mut Knobs<'_, '_>) {
        if k.button("As it opened", "The mixtures that one sees first.", true) {
            self.mixtures = USUAL;
        }
        if k.button(
            "As training begins",
            "α of 2 N(0, 1), σ of 10 + 10 N(0, 1), as in the authors' code.",
            true,
        ) {
            let mut chance = Random::new(0);
            let draw = |it: &mut [f32; 2]| *it = [2.0, 10.0].map(|spread| (spread * chance.normal()) as f32);
            self.mixtures.iter_mut().flatten().for_each(draw);
            self.mixtures.iter_mut().flatten().for_each(|it| it[1] += 10.0);
        }
    }
}

impl Exhibit for GaussianMasks {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        match self.source {
            Source::Hand => "",
            Source::Learnt => learnt::MODEL,
            Source::Fit => fit::MODEL,
        }
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        match self.source {
            Source::Hand => {}
            Source::Learnt => return self.learnt.record(inputs, zoo),
            Source::Fit => return self.fit.record(inputs, zoo),
        }
        let g = Graph::default();
        let x = patches(&g, &inputs.picture, self.sharp as f32 * 0.1)?;
        g.label("image", vec![(SIDE * PATCH).to_string(), "1".to_owned()]);
        let mask = mixture(parameters(&g, &self.mixtures, 0), parameters(&g, &self.mixtures, 1), PLACES);
        let shape = [HEADS, SIDE * SIDE, PATCH * PATCH];
        let heads = x.broadcast(&shape);
        let attended = masked(mask, heads, heads, heads);
        let plain = Attention::scaled(PATCH * PATCH).record(x, x, x, untapped);
        mask.keep("mask");
        plain.scores.keep("scores");
        attended.pattern.keep("pattern");
        plain.pattern.keep("plain");
        (attended.pattern.sum(-1) - 1.0).abs().flat().max(0).keep("rows.error");
        Some(g)
    }

    fn refusal(&self, inputs: &Inputs) -> String {
        Looking::refusal(inputs)
    }

    fn recorded(&self, inputs: &Inputs) -> Option<Arc<Trace>> {
        let plain = Self { looking: Looking::default(), over: Over::Mask, ..self.clone() } == Self::default();
        recorded(CARD.id).filter(|_| plain && inputs.picture == Inputs::default().picture)
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| {
            self.whose(k);
            match self.source {
                Source::Hand => self.presets(k),
                Source::Learnt => self.learnt.knobs(k),
                Source::Fit => self.fit.knobs(k),
            }
        });
        k.row(|k| match self.source {
            Source::Hand => self.more(k),
            Source::Learnt => self.learnt.more(k),
            Source::Fit => self.fit.more(k),
        });
        k.row(|k| {
            k.choice(
                "over the picture",
                &mut self.over,
                &[(Over::Mask, "the mask"), (Over::Attention, "attention")],
            );
            k.only_if(self.source == Source::Hand, |k| {
                k.slide("largest score, in tenths", &mut self.sharp, 0..=200, |it| it);
            });
        });
        k.row(|k| self.looking.knobs(k));
        k.row(|k| self.looking.overlay_knobs(k));
    }

    fn heed(&mut self, _ui: &egui::Ui, scene: &mut Scene<'_>) {
        if self.source == Source::Hand {
            scene.focus.shown = Spot { head: Some(picture::head(scene.focus.locked)), ..Spot::default() };
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        match self.source {
            Source::Hand => picture::page(self, scene),
            Source::Learnt => learnt::page(self, scene),
            Source::Fit => fit::page(self, scene),
        }
    }

    fn touched(&mut self, panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        match (self.source, touch) {
            (Source::Learnt, _) => self.learnt.touched(panel, touch, scene),
            (Source::Fit, _) => self.fit.touched(touch, scene),
            (Source::Hand, Touch::Dragged(k, at)) if k < COMPONENTS => {
                self.mixtures[picture::head(scene.focus.spot())][k] = dragged(at);
            }
            (Source::Hand, Touch::Clicked(h)) if panel == "heads" => {
                scene.focus.lock(Spot { head: Some(h), ..Spot::default() });
            }
            _ => {}
        }
    }

    fn draw(&mut self, _panel: &str, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
        if self.source == Source::Fit {
            return fit::seen(self, ui, scene);
        }
        let Some((k, width)) = picture::seen(self, ui, scene) else { return };
        if self.source == Source::Learnt {
            return self.learnt.turn(k, scene.trace, |it| it[1] = width.max(0.01));
        }
        self.mixtures[picture::head(scene.focus.spot())][k][1] = width.max(0.01);
    }

    fn figure(&self, _panel: &str, scene: &Scene<'_>) -> Option<crate::ui::Body> {
        let map = if self.source == Source::Fit {
            fit::looks(self, scene)
        } else {
            picture::Masked::of(self, scene)?.looks(self.over)
        };
        super::looking::table(&map?).map(crate::ui::Body::Table)
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
