//! The Bayesian prism: what can be known of a function after some examples, and what a transformer says.
//!
//! With the prior a mixture of Gaussians over weights, the mean of the posterior is
//! `sum_k p(k | D) E[w | D, k]` with `p(k | D) ~ p(k) N(y; X mu_k, X Sigma_k X^T + noise^2 I)` (Panwar, Ahuja & Goyal 2023,
//! arXiv 2306.04891, section 3): no predictor has a smaller square error in the mean. A pool of functions is a mixture without
//! spread, a Gaussian a mixture of one. The transformer learnt lines of three kinds, and has that prior whatever is believed here.

mod bias;
mod claims;
mod errors;
mod knobs;
mod picture;
mod prior;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use self::prior::{Functions, Prior};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::graph::{Graph, Var};
use crate::mechanisms::bayes_mixture::Belief;
use crate::models::regressor::{Prompt, Queries};
use crate::models::{Kind, Regressor, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::regression::{Component, Examples, Features};
use crate::tensor::Tensor;
use crate::train::regression::{FUNCTIONS_NOISE, MOST};

/// The label on the wall.
pub static CARD: Card = Card {
    id: "icl-bayes",
    title: "The Bayesian prism",
    claim: "A transformer that has seen many tasks answers as Bayes would: what it saw is its prior, the prompt its data.",
    formula: r"\hat y = \sum_k p(k \mid D)\; \mathbb{E}[w \mid D, k]^{\top} \phi(x)",
    paper: "Panwar, Ahuja & Goyal, In-Context Learning through the Bayesian Prism",
    year: 2023,
    reference: "2306.04891",
    family: "In-context learning",
    more: "A function is a point in the plane of its two weights: a line is an intercept and a slope. Rings are what is believed \
           before any example, clouds what is left of it: each example is a strip of functions that come near it, and what lies \
           outside fades. Drag a centre of the prior, drag any example, and everything follows. Examples are drawn from the \
           prior as it is at first: who drags it believes something else than what is true.\n\n\
           The transformer has learnt lines of three kinds, with noise of 0.25, and has never heard of Bayes. Which line it has \
           in mind after some examples is read off its answers. Let the prior be another, and Bayes changes, not the \
           transformer: its prior is in its weights.\n\n\
           With a pool of functions, Bayes weighs each by how well it fits. Fourier series come in three bands: up to frequency \
           1, 2 or 3, each as likely, so that low frequencies are in all and high ones in few. Bayes then begins with what is \
           simple and turns to high frequencies as examples ask for them, and so does a transformer that learnt such series: its \
           preference is that of its prior, not its own. Believe in one band, all frequencies alike, and Bayes has no such \
           preference. The transformer is given the waves at a place, as with lines intercept and place; in the paper it has to \
           make them itself.\n\n\
           The paper trains 12 layers for 500,000 steps on ten dimensions, and on frequencies up to 10; here three layers learn \
           two dimensions in 6000 steps, and three frequencies in 12,000. Each was trained with one seed.",
};

/// The transformer that learnt lines.
const MODEL: &str = "lines-gpt";

/// That which learnt Fourier series.
const WAVES: &str = "fourier-gpt";

/// Places at which functions are drawn.
const GRID: usize = 41;

/// Tasks on which errors are measured.
const TASKS: usize = 128;

/// Seconds an example while it plays.
const PACE: f64 = 0.9;

/// The exhibit's state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IclBayes {
    /// What functions are made of.
    pub functions: Functions,
    /// What is believed of two weights.
    pub prior: Prior,
    /// How many examples have come.
    pub examples: usize,
    /// Standard deviation of the noise, in hundredths.
    pub noise: u32,
    /// How wide each kind is, in hundredths of what it is at first.
    pub spread: u32,
    /// The highest frequency that is believed in.
    pub band: usize,
    /// What chance begins with.
    pub seed: u64,
    /// Centres that were dragged, in hundredths.
    pub centres: Vec<(usize, [i32; 2])>,
    /// Examples that were dragged, in hundredths.
    pub moved: Vec<(usize, [i32; 2])>,
    /// When the next example comes, in seconds; it does not play if there is none.
    #[serde(skip)]
    next: Option<f64>,
}

impl Default for IclBayes {
    fn default() -> Self {
        Self {
            functions: Functions::Lines,
            prior: Prior::Mixture,
            examples: 2,
            noise: (100.0 * FUNCTIONS_NOISE) as u32,
            spread: 100,
            band: 3,
            seed: 0,
            centres: vec![],
            moved: vec![],
            next: None,
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<IclBayes> }
}

impl IclBayes {
    /// Lets the next example come, while it plays.
    fn play(&mut self, ui: &egui::Ui) {
        let Some(next) = self.next else { return };
        let now = ui.input(|it| it.time);
        if now >= next {
            self.examples += 1;
            self.next = (self.examples < MOST).then_some(now + PACE);
        }
        ui.ctx().request_repaint_after_secs(PACE as f32 / 8.0);
    }

    /// The transformer that learnt such functions.
    fn learnt(&self) -> Option<&'static str> {
        match self.functions {
            Functions::Lines => Some(MODEL),
            Functions::Fourier => Some(WAVES),
            Functions::Sines => None,
        }
    }
}

/// Keeps how likely every component is, its mean and its covariance: `posterior` `[after, component]`, `mean`
/// `[after, component, d]`, `covariance` `[after, component, d, d]`, from before the first example to after the last.
fn record_beliefs(g: &Graph, prior: &[Component], it: &Examples, noise: f32) {
    let ([n, d], k) = (shape(it), prior.len());
    let [mean, covariance, weight] = priors(g, prior);
    let (x, y) = tensors(g, it);
    let mut beliefs = vec![Belief::prior(mean, covariance, 1)];
    for j in 0..n.min(MOST) {
        beliefs.push(beliefs[j].seeing(x.slice(1, j, 1), y.slice(1, j, 1), noise));
    }
    let stacked = |part: Vec<Var<'_>>, name: &str| {
        Var::concat(&part, 0).keep(name);
    };
    stacked(beliefs.iter().map(|it| it.mean.reshape(&[1, k, d])).collect(), "mean");
    stacked(beliefs.iter().map(|it| it.covariance).collect(), "covariance");
    let posterior = Var::concat(&beliefs.iter().map(|it| it.posterior(weight)).collect::<Vec<_>>(), 0);
    posterior.keep("posterior");
}

/// Means `[component, d]`, covariances `[component, d, d]` and weights `[component]` of a prior.
fn priors<'g>(g: &'g Graph, prior: &[Component]) -> [Var<'g>; 3] {
    let (k, d) = (prior.len(), prior[0].mean.len());
    let mean = Tensor::from_fn(&[k, d], |at| prior[at[0]].mean[at[1]] as f32);
    let covariance = Tensor::from_fn(&[k, d, d], |at| prior[at[0]].covariance[(at[1], at[2])] as f32);
    let weight = Tensor::from_fn(&[k], |at| prior[at[0]].weight as f32);
    [mean, covariance, weight].map(|it| g.input(&it))
}

/// Number of examples and of weights.
fn shape(it: &Examples) -> [usize; 2] {
    [it.x.nrows(), it.x.ncols()]
}

/// Inputs `[1, pos, d]` and answers `[1, pos]`.
fn tensors<'g>(g: &'g Graph, it: &Examples) -> (Var<'g>, Var<'g>) {
    let [n, d] = shape(it);
    let x = Tensor::from_fn(&[1, n, d], |at| it.x[(at[1], at[2])] as f32);
    (g.input(&x), g.input(&Tensor::from_fn(&[1, n], |at| it.y[at[1]] as f32)))
}

/// Keeps what the transformer says at every place of the grid after each number of examples: `said` `[after, place]`.
fn record_answers(g: &Graph, model: &Regressor, it: &Examples, features: Features, noise: f32) {
    let (x, y) = tensors(g, it);
    let places: Vec<f64> = (0..GRID).map(|i| f64::from(place(i))).collect();
    let noise = g.input(&Tensor::new(&[1], [noise]));
    asked(model, x, y, &features.at(&places), noise).reshape(&[MOST + 1, GRID]).keep("said");
}

/// What the transformer says at `places` `[place, d]` after every number of examples `x` `[task, pos, d]`, `y` `[task, pos]`:
/// `[task, after, place]`. It knows the first of the features.
fn asked<'g>(model: &Regressor, x: Var<'g>, y: Var<'g>, places: &DMatrix<f64>, noise: Var<'g>) -> Var<'g> {
    let (g, [tasks, known]) = (x.graph(), [x.dim(0), model.config.inputs]);
    let count = places.nrows();
    let after: Vec<usize> = (0..=MOST).flat_map(|n| vec![n; count]).collect();
    let at = |at: &[usize]| places[(at[1] % count, at[2])] as f32;
    let queries = Queries { x: g.input(&Tensor::from_fn(&[tasks, after.len(), known], at)), after: &after };
    let prompt = Prompt { x: x.slice(-1, 0, known), y, noise };
    model.record(&prompt, Some(queries)).queries.reshape(&[tasks, MOST + 1, count])
}

/// Place `i` of the grid, from -1 to 1.
fn place(i: usize) -> f32 {
    2.0 * i as f32 / (GRID - 1) as f32 - 1.0
}

impl Exhibit for IclBayes {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Regressor)
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        self.learnt().unwrap_or_default()
    }

    fn record(&self, _inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let (g, task, noise) = (Graph::default(), self.task(), self.deviation() as f32);
        record_beliefs(&g, &self.believed(), &task.examples, noise);
        let model = match self.learnt() {
            Some(id) => Some(zoo.model::<Regressor>(id)?),
            None => None,
        };
        if let Some(model) = model {
            record_answers(&g, model, &task.examples, self.functions.features(), noise);
            if self.functions == Functions::Fourier {
                bias::record(&g, self, model);
            }
        }
        errors::record(&g, self, model);
        Some(g)
    }

    fn looks(&self) -> &'static [&'static str] {
        &["examples"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        knobs::visit(self, k);
    }

    fn heed(&mut self, ui: &egui::Ui, _scene: &mut Scene<'_>) {
        self.play(ui);
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene.trace)
    }

    fn touched(&mut self, panel: &str, touch: Touch, _scene: &mut Scene<'_>) {
        let Touch::Dragged(handle, at) = touch else { return };
        let at = at.map(|it| (100.0 * it).round() as i32);
        let moved = if panel == "functions" { &mut self.moved } else { &mut self.centres };
        moved.retain(|it| it.0 != handle);
        moved.push((handle, at));
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
