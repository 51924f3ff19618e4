//! Which learning algorithm is in-context learning? A transformer beside the algorithms that it might be.
//!
//! Two algorithms are as far apart as their answers to a new query are, `SPD = E (A(D)(x) - B(D)(x))^2`, and as the weights that
//! explain the answers best are, `ILWD = E ||w_A(D) - w_B(D)||^2` with `w_A = argmin_w sum_x (A(D)(x) - w x)^2` (Akyurek et al.
//! 2022, arXiv 2211.15661, section 4.1). What its layers hold on the way is read out by linear probes (section 5), beside a
//! transformer that never had to learn from its examples.

mod claims;
mod distance;
mod knobs;
mod picture;
mod probes;
mod references;

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use self::references::{Question, References};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::graph::Graph;
use crate::models::{Kind, Regressor, Zoo};
use crate::page::{Knobs, Page};
use crate::regression::Learner;
use crate::train::regression::MOST;
use crate::ui::number;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "icl-algorithm",
    title: "Which algorithm is it?",
    claim: "A transformer that learns from a prompt comes close to one algorithm, and to which depends on noise and depth.",
    formula: r"\mathrm{SPD}(A, B) = \mathbb{E}_{D,\,x}\,\bigl(A(D)(x) - B(D)(x)\bigr)^2",
    paper: "Akyürek et al., What learning algorithm is in-context learning? Investigations with linear models",
    year: 2022,
    reference: "2211.15661",
    family: "In-context learning",
    more: "A prompt is a linear regression: points with three coordinates and an answer each, and a query. The transformer only \
           ever saw such prompts; what it does with them nobody told it. Beside it stand the algorithms that it might have \
           found. The distance of two is the mean square of how far their answers are apart, as a share of what an answer \
           varies; that of their weights compares the linear function behind the answers.\n\n\
           Without noise least squares is the best that can be done, with noise ridge regression with λ the variance of the \
           noise is: one that is right at every noise is Bayes. The phase picture says who is nearest at every noise and number \
           of examples; one layer is none of them: a point and its answer are two tokens, and to \
           bring them together takes a layer already.\n\n\
           Probes ask whether the sum of y x, from which gradient descent begins, and the weights of Bayes can be read from \
           what a layer holds. The control is a transformer whose training had the same weights in every prompt.\n\n\
           In the paper each transformer knows one noise, from its training; here it is told the noise of the prompt. Theirs has \
           16 layers on eight dimensions and 500,000 steps; ours up to four layers of width 48, three dimensions, 6000 steps. \
           Those of one and two layers and the control were trained with one seed, that of four with three, of which the first \
           is shown.",
};

/// The transformers, by their layers.
const MODELS: [(usize, &str); 3] = [(1, "regression-gpt-1"), (2, "regression-gpt-2"), (4, "regression-gpt")];

/// The transformer that claims are measured on.
const MODEL: &str = MODELS[2].1;

/// The transformer that never had to learn from examples.
const CONTROL: &str = "regression-gpt-fixed";

/// What algorithms may take of a frame, of the 16 ms that there are.
const SLICE: Duration = Duration::from_millis(8);

/// The exhibit's state.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct IclAlgorithm {
    /// Layers of the transformer.
    pub layers: usize,
    /// Standard deviation of the noise, in hundredths.
    pub noise: u32,
    /// `lambda` of ridge regression.
    pub lambda: f32,
    /// Steps of gradient descent.
    pub steps: usize,
    /// How many examples the titles speak of.
    pub examples: usize,
    /// Whether Bayes is among the algorithms of the phase picture.
    pub bayes: bool,
    /// Whether probes read at the input that is asked, rather than at the last answer.
    pub asked: bool,
    /// What chance begins with.
    pub seed: u64,
    /// Whether the control was there.
    #[serde(skip)]
    control: bool,
    /// What the algorithms say; while somebody watches, what they said last until there is something new.
    #[serde(skip)]
    known: RefCell<Option<Rc<References>>>,
    /// What they are to say, while it is on its way.
    #[serde(skip)]
    coming: Option<References>,
    /// Whether somebody watches, and how often they said something new.
    #[serde(skip)]
    watched: Option<u64>,
}

impl Default for IclAlgorithm {
    fn default() -> Self {
        Self {
            layers: 4,
            noise: 50,
            lambda: 1.0,
            steps: 10,
            examples: 6,
            bayes: false,
            asked: false,
            seed: 0,
            control: false,
            known: RefCell::default(),
            coming: None,
            watched: None,
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<IclAlgorithm> }
}

impl IclAlgorithm {
    /// The algorithms.
    fn learners(&self) -> [Learner; 7] {
        // What is no number is none above 0.
        let lambda = if self.lambda > 0.0 { f64::from(self.lambda.clamp(0.01, 100.0)) } else { 0.01 };
        [
            Learner::Bayes,
            Learner::LeastSquares,
            Learner::Ridge(lambda),
            Learner::Step,
            Learner::Descent(self.steps.clamp(2, 100)),
            Learner::OnePass,
            Learner::Nearest(3),
        ]
    }

    /// What they are called.
    fn names(&self) -> [String; 7] {
        let ridge = format!("ridge {}", number(self.lambda));
        let steps = format!("{} steps", self.steps);
        ["Bayes", "least squares", &ridge, "1 step", &steps, "one pass", "3 neighbours"].map(str::to_owned)
    }

    /// Layers and name of the transformer.
    fn shape(&self) -> (usize, &'static str) {
        MODELS.into_iter().find(|it| it.0 == self.layers).unwrap_or(MODELS[2])
    }

    fn deviation(&self) -> f64 {
        f64::from(self.noise.min(100)) / 100.0
    }

    fn question(&self) -> Question {
        Question { seed: self.seed, noise: self.deviation(), learners: self.learners() }
    }

    /// What the algorithms say. Where nobody watches it is worked out at once.
    fn references(&self) -> Rc<References> {
        let (mut known, question) = (self.known.borrow_mut(), self.question());
        let fits = known.take().filter(|it| self.watched.is_some() || it.question == question);
        let all = || Rc::new(References::begin(question).complete());
        known.insert(fits.unwrap_or_else(all)).clone()
    }

    /// Works out a little of what the algorithms say; whether there is more.
    fn work(&mut self) -> bool {
        let (question, start) = (self.question(), Instant::now());
        let turn = self.watched.get_or_insert(0);
        if self.known.borrow().as_ref().is_none_or(|it| it.question == question) {
            self.coming = None;
            return false;
        }
        let begun = self.coming.take().filter(|it| it.question == question);
        let mut it = begun.unwrap_or_else(|| References::begin(question));
        while !it.is_complete() && start.elapsed() < SLICE {
            it.advance();
        }
        if it.is_complete() {
            *turn += 1;
            *self.known.borrow_mut() = Some(Rc::new(it));
        } else {
            self.coming = Some(it);
        }
        true
    }

    /// How many examples the titles speak of.
    fn shown(&self) -> usize {
        self.examples.min(MOST)
    }
}

impl Exhibit for IclAlgorithm {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Regressor)
    }

    fn progress(&self) -> Option<u64> {
        Some(2 * self.watched.unwrap_or_default() + u64::from(self.control))
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        self.shape().1
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let model = zoo.model::<Regressor>(self.model(inputs))?;
        let g = Graph::default();
        let known = self.references();
        distance::record(&g, &known, model);
        distance::record_phase(&g, &known, model);
        let control = zoo.model::<Regressor>(CONTROL);
        probes::record(&g, &known, [Some(model), control].into_iter().flatten());
        Some(g)
    }

    fn looks(&self) -> &'static [&'static str] {
        &["examples", "bayes", "asked", "control"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        knobs::visit(self, k);
    }

    fn heed(&mut self, ui: &egui::Ui, scene: &mut Scene<'_>) {
        self.control = scene.zoo.ready(CONTROL).is_some();
        if self.work() {
            ui.ctx().request_repaint();
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene.trace)
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes frame by frame, while what was said last stays, is what comes at once.
    #[test]
    fn what_is_worked_out_between_frames_is_what_is_worked_out_at_once() {
        let mut it = IclAlgorithm::default();
        assert!(!it.work(), "nothing is known yet: the first recording works it out");
        let (before, progress) = (it.references(), it.progress());
        (it.noise, it.lambda) = (20, 3.0);
        assert!(it.references().question == before.question, "it says what it said until the new is there");
        let frames = (0..10_000).take_while(|_| it.work()).count();
        assert!(frames < 10_000 && it.progress() != progress, "{frames} frames");
        let at_once = IclAlgorithm { noise: 20, lambda: 3.0, ..IclAlgorithm::default() }.references();
        let now = it.references();
        assert!(now.question == it.question());
        let numbers = |it: &References| [it.answers(), it.next(), it.targets()].map(|it| it.data.to_vec());
        assert_eq!(numbers(&now), numbers(&at_once));
    }
}
