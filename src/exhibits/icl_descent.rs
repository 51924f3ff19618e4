//! In-context learning as gradient descent: two computations, one path.
//!
//! With `W_Q = W_K = [[I, 0], [0, 0]]`, `W_V = [[0, 0], [W_0, -1]]` and `P = eta/N I` a layer of linear self-attention,
//! `e_i <- e_i + P W_V sum_j e_j (W_K e_j)^T (W_Q e_i)`, changes the answers as a step of gradient descent on the mean squared
//! error does: `y_i <- y_i - dW x_i` (von Oswald et al. 2022, arXiv 2212.07677, proposition 1). Left both go their way on a
//! task of two weights; right a layer of random weights learns ten-dimensional tasks, and what it finds is such a step.

mod beyond;
mod claims;
mod curvature;
mod floors;
mod learner;
mod line;
mod picture;
mod task;

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::live::{Live, Watched};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::graph::Graph;
use crate::models::{Kind, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page, Touch};
use floors::Floors;
use learner::Learner;

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
           GD++ also bends the inputs in every layer, which evens out the valley: attention then leaves the path and is faster. \
           A layer that is gone through twice finds it by itself: after 1500 steps it leaves .112 to .115 (seeds 0 to 3 and 20, 512 \
           tasks), where two steps of gradient descent leave .158 and the best two of GD++ .111. Its γ, of the mean over the \
           examples, is then 1.39 to 1.51, on the way to 1.83.\n\n\
           Beside it a layer begins with random weights and learns such tasks with ten weights and ten examples. Nobody tells it \
           of gradient descent. Its loss falls to the floor of one step with the best learning rate, as far as one layer can go, \
           and the paper's measures say that it is this step: the cosine of the sensitivities goes to 1, the distances to 0. \
           Dashed floors are those of more steps. Mixtures of the layer that it found and the one built by hand are as good as \
           either; where inputs have a larger range, or are all above 0, both fail alike.\n\n\
           With a softmax a layer needs two heads, which undo it: after 600 steps they leave .212 to .216 (seeds 0, 1, 2 and 20, \
           512 tasks), where one step leaves .206. Where inputs and answers are tokens of their own, two layers learn five \
           weights from five examples; the first copies every answer into the token of its input. After 1500 steps they leave \
           .095 to .100 (seeds 1 to 4 and 20), where one step leaves .102; seed 0 is at .137.\n\n\
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
    /// Coordinates of an input, 1 or 2.
    pub inputs: usize,
    /// What learns.
    pub learner: Learner,
    /// The largest learning rate of what learns, in thousandths; of the two layers a tenth of that.
    pub rate: u32,
    /// Whether it learns by itself.
    pub plays: bool,
    /// Its run.
    #[serde(skip)]
    run: Watched,
    /// What is left of the loss, once it was computed.
    #[serde(skip)]
    floors: RefCell<Option<Floors>>,
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
            inputs: 2,
            learner: Learner::Linear,
            rate: 30,
            plays: true,
            run: Watched::default(),
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
    /// The run of this seed, rate and learner.
    fn live<T>(&self, f: impl FnOnce(&mut Live) -> T) -> T {
        let recipe = || self.learner.recipe(self.rate);
        let new = |key| Live::new(key, recipe(), self.seed, AT_ONCE, self.plays).measured(MEASURES);
        self.run.of(&(self.seed, self.rate, self.learner), new, f)
    }

    /// What is left of the loss of the tasks that are learnt.
    fn floors(&self) -> Floors {
        let (mut known, tasks) = (self.floors.borrow_mut(), self.learner.tasks());
        let fitting = known.take().filter(|it| it.d == tasks.d);
        known.insert(fitting.unwrap_or_else(|| Floors::of(&tasks))).clone()
    }
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
            self.learner.measure(&Params::recorded(&g, &parameters), &self.floors());
        });
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
                self.run.start_over();
            }
            k.choice("its learning rate", &mut self.rate, &self.learner.rates());
        });
        k.row(|k| {
            k.slide("γ of GD++", &mut self.gamma, 0..=300, |it| {
                it.custom_formatter(|it, _| format!("{:.3}", it / 1000.0))
            });
            let inputs = self.inputs;
            k.choice("coordinates", &mut self.inputs, &[(2, "2"), (1, "1")]);
            if self.inputs != inputs {
                self.moved.clear(); // a place in the plane is none on the line
            }
            k.slider("examples", &mut self.examples, 1..=MOST);
            k.slider("seed", &mut self.seed, 0..=99);
            k.choice("what learns", &mut self.learner, &Learner::WORDS);
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
            "loss surface" if self.inputs == 1 => self.start[0] = at[0],
            "loss surface" => self.start = at,
            "examples" => {
                // The query is the last handle, but keeps its place when the number of examples changes.
                let point = if handle == self.examples { MOST } else { handle };
                self.moved.retain(|it| it.0 != point);
                // On the line the query has no answer to be dragged to.
                let at = if self.inputs == 1 && point == MOST { [at[0], 0] } else { at };
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
