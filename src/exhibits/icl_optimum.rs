//! What a layer of linear attention learns from linear regression, and where it goes on working.
//!
//! Trained on prompts with inputs from `N(0, Lambda)`, gradient flow on `f(E) = E + W^PV E (E^T W^KQ E) / N` ends where the
//! layer predicts `x_q^T Gamma^-1 (1/M sum_i y_i x_i)`, `Gamma = (1 + 1/N) Lambda + tr(Lambda)/N I` (Zhang, Frei & Bartlett
//! 2023, arXiv 2306.09927, theorem 4.1). Left both covariances as ellipses to drag, beside them the matrix that is being
//! learnt and the one that is proven; right what another scale of tasks, query or inputs does, by formula and measured.

mod claims;
mod ellipse;
mod measure;
mod picture;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::RefCell;

use super::live::{Live, Watched};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, opened};
use crate::graph::Graph;
use crate::models::{Kind, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page, Touch};
use crate::regression::Shift;
use crate::tensor::Tensor;
use crate::train::merged_attention::{NormalInputs, layer};
use ellipse::Ellipse;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "icl-optimum",
    title: "What attention ends up with",
    claim: "A trained layer is one matrix: it carries over to new tasks and new queries, and fails on new inputs.",
    formula: r"\hat{y} = x_q^{\top}\, \Gamma^{-1}\, \frac{1}{M} \sum_{i} y_i x_i, \quad \Gamma = \left(1 + \tfrac{1}{N}\right) \Lambda + \tfrac{\mathrm{tr}\,\Lambda}{N}\, I",
    paper: "Zhang, Frei & Bartlett, Trained Transformers Learn Linear Models In-Context",
    year: 2023,
    reference: "2306.09927",
    family: "In-context learning",
    more: "A prompt is N examples, inputs with an answer each, and a query. Inputs are normal: the orange ellipse is one standard \
           deviation of them. The answers are those of a linear function that is drawn anew for every prompt. A layer of linear \
           attention is trained on such prompts, and the paper proves where that ends: of all its weights one matrix matters, \
           and it is Γ⁻¹. It knows the inputs of the training by heart, and nothing of those in the prompt.\n\n\
           The blue ellipse is the test. Ask for larger weights, or for queries from elsewhere: the error grows as the answers \
           do, the layer still solves the task. Scale all inputs by c, and its predictions grow with the cube of c where the \
           answers grow with c. Least squares, which looks at the inputs in the prompt, does not care. Lines and grey bars are \
           closed forms with Γ⁻¹; dots and the measured bar are the layer as it is at this step.\n\n\
           The paper follows infinitely small steps on the mean over all prompts; here 600 steps of AdamW on batches of 512, \
           from the paper's beginning. What is narrow is learnt last, so that a long ellipse needs more steps than there are. \
           With ten inputs the ellipse is that of the first two, and all others have variance 1.",
};

/// What the test takes from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Elsewhere {
    /// The inputs of examples and query.
    #[default]
    Inputs,
    /// The query alone.
    Query,
    /// The weights of tasks.
    Tasks,
}

/// The exhibit's state.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct IclOptimum {
    /// What chance begins with.
    pub seed: u64,
    /// Coordinates of an input.
    pub d: usize,
    /// Examples of a prompt in training.
    pub n: usize,
    /// Examples of a prompt in the test.
    pub m: usize,
    /// The covariance of the inputs in training.
    pub train: Ellipse,
    /// That of the test.
    pub test: Ellipse,
    /// What it is the covariance of.
    pub elsewhere: Elsewhere,
    /// Whether it learns by itself.
    pub plays: bool,
    /// Its run.
    #[serde(skip)]
    run: Watched,
    /// The numbers that test prompts are made of, once they were drawn.
    #[serde(skip)]
    drawn: RefCell<Vec<Tensor>>,
}

impl Default for IclOptimum {
    fn default() -> Self {
        Self {
            seed: 0,
            d: 2,
            n: 20,
            m: 20,
            train: Ellipse::new(1.4, 0.5, 0.7),
            test: Ellipse::new(1.7, 2.2, 0.9),
            elsewhere: Elsewhere::Inputs,
            plays: true,
            run: Watched::default(),
            drawn: RefCell::default(),
        }
    }
}

/// Most examples of a prompt.
const MOST: usize = 40;

/// Steps in one run of the device while it plays.
const AT_ONCE: u32 = 5;

/// What is measured while it learns.
const MEASURES: &[&str] = &["distance"];

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<IclOptimum> }
}

impl IclOptimum {
    /// Coordinates of an input, whatever a link says.
    fn width(&self) -> usize {
        self.d.clamp(2, 10)
    }

    fn recipe(&self) -> NormalInputs {
        NormalInputs::new(self.train.covariance(self.width()), self.n.clamp(1, MOST))
    }

    /// Prompts as in training, with so many examples.
    fn trained_on(&self, m: usize) -> Shift {
        Shift::none(&self.train.covariance(self.width()), m.clamp(1, MOST))
    }

    /// The prompts of the test.
    fn tested_on(&self) -> Shift {
        let (usual, other) = (self.trained_on(self.m), self.test.covariance(self.width()));
        match self.elsewhere {
            Elsewhere::Inputs => Shift { examples: other.clone(), query: other, ..usual },
            Elsewhere::Query => Shift { query: other, ..usual },
            Elsewhere::Tasks => Shift { weights: other, ..usual },
        }
    }

    /// The run of this seed and these inputs.
    fn live<T>(&self, f: impl FnOnce(&mut Live) -> T) -> T {
        let recipe = || Box::new(self.recipe());
        let new = |key| Live::new(key, recipe(), self.seed, AT_ONCE, self.plays).measured(MEASURES);
        self.run.of(&(self.seed, self.width(), self.n, self.train), new, f)
    }
}

impl Exhibit for IclOptimum {
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
            let parameters = it.record(&g);
            self.measure(&layer(&Params::recorded(&g, &parameters)));
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
        k.row(|k| {
            let kinds = [
                (Elsewhere::Inputs, "all inputs"),
                (Elsewhere::Query, "the query"),
                (Elsewhere::Tasks, "the weights"),
            ];
            k.choice("blue is the test of", &mut self.elsewhere, &kinds);
            k.slider("examples in the test, M", &mut self.m, 1..=MOST);
        });
        k.row(|k| {
            if self.live(|it| it.knobs(k)) {
                self.run.start_over();
            }
        });
        k.row(|k| {
            k.slider("examples in training, N", &mut self.n, 1..=MOST);
            k.choice("inputs", &mut self.d, &[(2, "2"), (5, "5"), (10, "10")]);
            k.slider("seed", &mut self.seed, 0..=99);
            let (usual, circle) = (Self::default(), Ellipse::new(1.0, 0.0, 1.0));
            if k.button(
                "Circles",
                "Both ellipses become circles",
                self.train != circle || self.test != circle,
            ) {
                (self.train, self.test) = (circle, circle);
            }
            if k.button(
                "As drawn",
                "Undoes what was dragged",
                self.train != usual.train || self.test != usual.test,
            ) {
                (self.train, self.test) = (usual.train, usual.test);
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
        let Touch::Dragged(handle, to) = touch else { return };
        if panel == "ellipses" {
            let ellipse = if handle < 2 { &mut self.train } else { &mut self.test };
            *ellipse = ellipse.moved(handle % 2, to);
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> Value {
        super::differing(self)
    }
}
