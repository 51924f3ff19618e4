//! Learning, live: a small network is trained before your eyes.
//!
//! A step of `AdamW` (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2):
//! `theta <- theta - eta (m / (sqrt v + eps) + lambda theta)`, with `m` and `v` running means of the gradient and of its
//! square, freed of their start at zero. A frame takes several steps in one run; every run starts from the tensors that
//! the last one left on the device, so the run after any step can be gone back to.

mod claims;
mod picture;

use serde::{Deserialize, Serialize};

use super::live::{Live, Watched};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::graph::Graph;
use crate::models::{Kind, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page};
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::train::spirals::{Spirals, logits};

/// The label on the wall.
pub static CARD: Card = Card {
    id: "learning",
    title: "Learning, live",
    claim: "Every step moves each weight a little downhill, and after some hundred steps a shape appears.",
    formula: r"\theta \leftarrow \theta - \eta \left( \frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda \theta \right)",
    paper: "Loshchilov & Hutter, Decoupled Weight Decay Regularization",
    year: 2019,
    reference: "1711.05101",
    family: "Learning",
    more: "Two spirals wind around each other, and a network of two hidden layers has to say for any place which one it \
           belongs to. The large field is its answer everywhere: blue is the one, red the other. The small fields are \
           neurons of its hidden layers: the first can only draw straight edges, the second bends them.\n\n\
           The points are drawn anew in every step, so what is learnt is not learnt by heart. The same seed on the same \
           device gives the same curve, number by number. Drag the step back: the network is what it was then, and from \
           there it may go on.",
};

/// The exhibit's state.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Learning {
    /// What chance begins with.
    pub seed: u64,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// The largest learning rate, in thousandths.
    pub rate: u32,
    /// Whether it begins by itself.
    pub plays: bool,
    /// Its run.
    #[serde(skip)]
    run: Watched,
}

impl Default for Learning {
    fn default() -> Self {
        Self { seed: 0, hidden: 24, rate: 10, plays: true, run: Watched::default() }
    }
}

/// Steps of the whole run.
const STEPS: u32 = 1500;

/// Steps in one run of the device while it plays.
const AT_ONCE: u32 = 10;

/// Width and height of a field.
const FIELD: usize = 48;

/// Width and height of the field of a neuron.
const NEURON: usize = 24;

/// The field reaches from minus this to this.
const EDGE: f32 = 1.2;

/// How many neurons of a layer are shown.
const NEURONS: usize = 8;

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<Learning> }
}

impl Learning {
    fn recipe(&self) -> Spirals {
        Spirals { steps: STEPS, hidden: self.hidden.clamp(NEURONS, 256), rate: self.rate as f32 * 1e-3 }
    }

    /// The run of this seed, width and rate.
    fn live<T>(&self, f: impl FnOnce(&mut Live) -> T) -> T {
        let new = |key| Live::new(key, Box::new(self.recipe()), self.seed, AT_ONCE, self.plays);
        self.run.of(&(self.seed, self.hidden, self.rate), new, f)
    }
}

/// Keeps the network's answer at every place of the field, and on a coarser one that of some neurons.
fn field<'g>(g: &'g Graph, p: &Params<'_, 'g>) {
    let answer = logits(g.input(&places(FIELD)), p).softmax(); // [place, class]
    let side = |i: usize| answer.slice(-1, i, 1);
    (side(1) - side(0)).reshape(&[FIELD, FIELD]).keep("field");
    g.scope("coarse", || {
        logits(g.input(&places(NEURON)), p);
        for layer in ["first", "second"] {
            let Some(it) = g.at(layer) else { continue }; // [place, hidden]
            let it = it.slice(-1, 0, NEURONS).t().reshape(&[NEURONS, NEURON, NEURON]);
            it.keep(&format!("neurons.{layer}"));
        }
    });
}

/// The places of a field of so many rows and columns, `[place, 2]`: from top left, in rows.
fn places(side: usize) -> Tensor {
    Tensor::from_fn(&[side * side, 2], |at| {
        let place = |i: usize| EDGE * (2.0 * (i as f32 + 0.5) / side as f32 - 1.0);
        if at[1] == 0 { place(at[0] % side) } else { -place(at[0] / side) }
    })
}

impl Exhibit for Learning {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn progress(&self) -> Option<u64> {
        Some(self.live(|it| it.turn()))
    }

    fn record(&self, _inputs: &Inputs, _zoo: &Zoo) -> Option<Graph> {
        let g = Graph::default();
        self.live(|it| {
            g.input(&it.curve(STEPS)).keep("curve");
            let parameters = it.record(&g);
            field(&g, &Params::recorded(&g, &parameters));
        });
        Some(g)
    }

    fn is_new(&self) -> bool {
        self.live(|it| it.is_new())
    }

    fn looks(&self) -> &'static [&'static str] {
        &["plays"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        picture::knobs(self, k);
    }

    fn go_on(&mut self, trace: &Trace) -> bool {
        self.live(|it| it.take(trace))
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene)
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
