//! In-context learning as gradient descent: two computations, one path.
//!
//! With `W_Q = W_K = [[I, 0], [0, 0]]`, `W_V = [[0, 0], [W_0, -1]]` and `P = eta/N I` a layer of linear self-attention,
//! `e_i <- e_i + P W_V sum_j e_j (W_K e_j)^T (W_Q e_i)`, changes the answers as a step of gradient descent on the mean squared
//! error does: `y_i <- y_i - dW x_i` (von Oswald et al. 2022, arXiv 2212.07677, proposition 1). Left both go their way on a
//! task of two weights; right a layer of random weights learns ten-dimensional tasks, and what it finds is such a step.

mod claims;
mod picture;
mod task;

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::live::Live;
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_attention::LinearAttention;
use crate::models::{Kind, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page, Touch};
use crate::train::linear_attention::{D, InContext, distance, layer};

/// The label on the wall.
pub static CARD: Card = Card {
    id: "icl-descent",
    title: "Learning without learning",
    claim: "A transformer that reads examples can do, layer by layer, what gradient descent does step by step.",
    formula: r"y_i \leftarrow y_i + \frac{\eta}{N} \sum_{j} (W_0 x_j - y_j)\, x_j^{\top} x_i",
    paper: "von Oswald et al., Transformers learn in-context by gradient descent",
    year: 2022,
    reference: "2212.07677",
    family: "In-context learning",
    more: "A task is a handful of examples, points with an answer each, and a query. Gradient descent looks for two weights that \
           fit the answers; each point of the surface is a pair of weights, each ring a height of the loss. Attention has no \
           such weights: its layers only move answers. Which weights it has in mind is read off its predictions for unit \
           vectors, and these lie on gradient descent's path. Drag the start, any example or the query, and both follow.\n\n\
           GD++ also bends the inputs in every layer, which evens out the valley: attention then leaves the path and is faster.\n\n\
           Beside it a layer begins with random weights and learns such tasks with ten weights and ten examples. Nobody tells it \
           of gradient descent. Its loss falls to the floor of one step with the best learning rate, as far as one layer can go, \
           and the paper's measures say that it is this step: the cosine of the sensitivities goes to 1, the distances to 0. \
           Dashed floors are those of more steps.\n\n\
           The paper trains with batches of 2048 at a constant rate of 0.001 for 5000 steps and clips gradients at 0.001; here \
           400 batches of 256 at a rate that falls from 0.03, without clipping. Of the first 24 seeds two, 14 and 17, stay at a \
           saddle: attention asks by answers, and a single direction is learnt; with lower rates more do. Inputs are uniform \
           between -0.5 and 0.5, as in the authors' code.",
};

/// The exhibit's state.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct IclDescent {
    /// What chance begins with, of the task and of the layer that learns.
    pub seed: u64,
    /// Steps, or layers, that are shown.
    pub steps: usize,
    /// The learning rate, in hundredths.
    pub eta: u32,
    /// `gamma` of GD++, in thousandths.
    pub gamma: u32,
    /// How many examples there are.
    pub examples: usize,
    /// Where the weights begin, in hundredths.
    pub start: [i32; 2],
    /// Points that were dragged, in hundredths; after all examples comes the query.
    pub moved: Vec<(usize, [i32; 2])>,
    /// The largest learning rate of the layer that learns, in thousandths.
    pub rate: u32,
    /// Whether it learns by itself.
    pub plays: bool,
    /// Its run, begun when it is first asked for.
    #[serde(skip)]
    live: RefCell<Option<Live>>,
    /// The floors of some steps, once they were computed.
    #[serde(skip)]
    floors: RefCell<Vec<(usize, f32)>>,
}

impl Default for IclDescent {
    fn default() -> Self {
        Self {
            // Whose valley is long, as valleys are, and whose layer learns.
            seed: 20,
            steps: 8,
            eta: 250,
            gamma: 0,
            examples: 6,
            start: [-150, 150],
            moved: vec![],
            rate: 30,
            plays: true,
            live: RefCell::default(),
            floors: RefCell::default(),
        }
    }
}

/// Most steps and layers.
const LAYERS: usize = 24;

/// Most examples in the plane.
const MOST: usize = 12;

/// Steps in one run of the device while it plays: few, so that what is dragged does not wait.
const AT_ONCE: u32 = 5;

/// What is measured while it learns.
const MEASURES: &[&str] = &["loss", "cosine", "predictions", "models"];

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<IclDescent> }
}

impl IclDescent {
    fn recipe(&self) -> InContext {
        InContext { rate: self.rate as f32 * 1e-3, ..InContext::default() }
    }

    /// What a run belongs to.
    fn key(&self) -> String {
        format!("{:?}", (self.seed, self.rate))
    }

    /// The run of this seed and rate.
    fn live<T>(&self, f: impl FnOnce(&mut Live) -> T) -> T {
        let mut live = self.live.borrow_mut();
        let key = self.key();
        let known = live.take().filter(|it| it.key == key);
        let new =
            || Live::new(key, Box::new(self.recipe()), self.seed, AT_ONCE, self.plays).measured(MEASURES);
        f(live.insert(known.unwrap_or_else(new)))
    }
}

/// Keeps what the layer that learns is measured by, and the products of its matrices.
fn learning(layer: &LinearAttention<'_>) {
    let it = distance(layer);
    for (name, measure) in MEASURES.iter().zip([it.loss, it.cosine, it.predictions, it.models]) {
        measure.keep(name);
    }
    products(layer, "learned");
}

/// Keeps `W_K^T W_Q` and `P W_V`, between which a factor may wander, each over its mean along the diagonal; the sign of both
/// may be turned without effect.
fn products(layer: &LinearAttention<'_>, name: &str) {
    let (asks, gives) = (layer.w_k.t().matmul(layer.w_q), layer.p.matmul(layer.w_v));
    let unit = crate::mechanisms::solve::identity(asks.graph(), D + 1);
    let sign = (asks * unit).flat().sum(0).sign();
    for (part, it) in [("asks", asks * sign), ("gives", gives * sign)] {
        it.keep(&format!("{name}.{part}"));
        largest(it).keep(&format!("{name}.{part}.peak"));
    }
}

fn largest(x: Var<'_>) -> Var<'_> {
    super::largest(x).max_with(x.graph().constant(1e-12))
}

impl Exhibit for IclDescent {
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
        self.record_paths(&g);
        self.live(|it| {
            let parameters = it.record(&g);
            learning(&layer(&Params::recorded(&g, &parameters)));
        });
        products(&claims::construction(&g, D), "construction");
        Some(g)
    }

    fn is_new(&self) -> bool {
        self.live(|it| it.is_new())
    }

    fn looks(&self) -> &'static [&'static str] {
        &["steps", "plays"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| {
            k.slider("steps, or layers", &mut self.steps, 0..=LAYERS);
            k.slide("learning rate η", &mut self.eta, 0..=600, |it| {
                it.custom_formatter(|it, _| format!("{:.2}", it / 100.0))
            });
        });
        k.row(|k| {
            if self.live(|it| it.knobs(k)) {
                *self.live.borrow_mut() = None;
            }
            let rates = [(3, "0.003"), (10, "0.01"), (30, "0.03"), (60, "0.06")];
            k.choice("its learning rate", &mut self.rate, &rates);
        });
        k.row(|k| {
            k.slide("γ of GD++", &mut self.gamma, 0..=300, |it| {
                it.custom_formatter(|it, _| format!("{:.3}", it / 1000.0))
            });
            k.slider("examples", &mut self.examples, 1..=MOST);
            k.slider("seed", &mut self.seed, 0..=99);
            let usual = Self::default().start;
            if k.button("As drawn", "Undoes what was dragged", !self.moved.is_empty() || self.start != usual)
            {
                self.moved.clear();
                self.start = usual;
            }
        });
    }

    fn heed(&mut self, ui: &egui::Ui, scene: &mut Scene<'_>) {
        if self.live(|it| it.take(scene.trace)) {
            ui.ctx().request_repaint();
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene.trace)
    }

    fn touched(&mut self, panel: &str, touch: Touch, _scene: &mut Scene<'_>) {
        let Touch::Dragged(handle, at) = touch else { return };
        let at = at.map(|it| (100.0 * it).round() as i32);
        match panel {
            "loss surface" => self.start = at,
            "examples" => {
                // The query is the last handle, but keeps its place when the number of examples changes.
                let point = if handle == self.examples { MOST } else { handle };
                self.moved.retain(|it| it.0 != point);
                self.moved.push((point, at));
            }
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
