//! What learns beside the two paths: a linear layer, the same twice, one with a softmax, or two layers that read inputs and
//! answers as tokens of their own.

use serde::{Deserialize, Serialize};

use super::floors::{Floors, TWICE};
use super::{MEASURES, beyond};
use crate::graph::{Graph, Var};
use crate::mechanisms::linear_attention::{LinearAttention, Step};
use crate::nn::Params;
use crate::page::{Field, Fields, Map};
use crate::regression::{PlusPlus, Tasks, one_step};
use crate::trace::Trace;
use crate::train::Recipe;
use crate::train::linear_attention::{
    D, Distance, Form, InContext, RANGE, descended, distance, heads, layer, predict, predict_by, tasks,
};
use crate::train::separate_tokens::{self, SeparateTokens, TOKENS, read};
use crate::ui::number;

/// What is shown of a linear layer.
const PRODUCTS: &str = "KQ is W_K^T W_Q, PV is P W_V, each over its largest entry; the last row and column belong to the answer.";

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learner {
    /// A layer of linear attention, of which gradient descent is proven to be one setting.
    #[default]
    Linear,
    /// The same layer twice: of GD++ it is proven to be one setting.
    Twice,
    /// A layer with a softmax and one head.
    Softmax,
    /// The same with two heads.
    Heads,
    /// Two layers; inputs and answers are tokens of their own.
    Tokens,
}

impl Learner {
    /// The learners in words.
    pub(super) const WORDS: [(Self, &str); 5] = [
        (Self::Linear, "a linear layer"),
        (Self::Twice, "the same layer twice"),
        (Self::Softmax, "softmax, one head"),
        (Self::Heads, "softmax, two heads"),
        (Self::Tokens, "x and y apart, two layers"),
    ];

    /// The learning rates to choose from, in thousandths of what [`Self::recipe`] takes, as they are.
    pub(super) fn rates(self) -> [(u32, &'static str); 4] {
        match self {
            Self::Tokens => [(3, "0.0003"), (10, "0.001"), (30, "0.003"), (60, "0.006")],
            _ => [(3, "0.003"), (10, "0.01"), (30, "0.03"), (60, "0.06")],
        }
    }

    /// Its recipe; 30 is the usual rate.
    pub(super) fn recipe(self, rate: u32) -> Box<dyn Recipe> {
        let rate = rate as f32 * 1e-3;
        match self.form() {
            None => Box::new(SeparateTokens { rate: 0.1 * rate, ..SeparateTokens::default() }),
            Some(form) => Box::new(InContext { rate, ..InContext::of(form) }),
        }
    }

    /// The tasks that it learns.
    pub(super) fn tasks(self) -> Tasks {
        if self == Self::Tokens { separate_tokens::tasks() } else { tasks() }
    }

    /// What attends, where a token is an example; `None` where inputs and answers are tokens of their own.
    pub(super) fn form(self) -> Option<Form> {
        match self {
            Self::Linear => Some(Form::Linear(1)),
            Self::Twice => Some(Form::Linear(TWICE)),
            Self::Softmax => Some(Form::Softmax(1)),
            Self::Heads => Some(Form::Softmax(2)),
            Self::Tokens => None,
        }
    }

    /// What it predicts.
    pub(super) fn says<'g>(self, p: &Params<'_, 'g>, prompts: [Var<'g>; 3]) -> Var<'g> {
        let [x, y, query] = prompts;
        self.form().map_or_else(|| read(p, x, y, query).prediction, |form| predict(p, form, prompts))
    }

    /// What it is held against predicts: one step of gradient descent, or the best steps of GD++.
    fn held_against(self, best: PlusPlus, prompts: [Var<'_>; 3]) -> Var<'_> {
        match self {
            Self::Twice => predict_by(&[self.built(prompts[0].graph(), best); TWICE], prompts),
            _ => descended(prompts, None, 1),
        }
    }

    /// The linear layer that is built by hand for what it is held against.
    pub(super) fn built(self, g: &Graph, best: PlusPlus) -> LinearAttention<'_> {
        let step = match self {
            Self::Twice => Step { eta: best.eta as f32, gamma: best.gamma as f32 / D as f32, n: D },
            _ => Step { eta: one_step(D, D, RANGE).0 as f32, gamma: 0.0, n: D },
        };
        LinearAttention::descent(g.constant(0.0).broadcast(&[D]), step)
    }

    /// How far it is from what it is held against.
    pub(super) fn distance<'g>(self, p: &Params<'_, 'g>, best: PlusPlus) -> Distance<'g> {
        let said = |prompts| self.says(p, prompts);
        distance(p.graph(), &self.tasks(), said, |prompts| self.held_against(best, prompts))
    }

    /// Keeps what it is measured by, how it does beyond its tasks, and of its weights what is shown.
    pub(super) fn measure(self, p: &Params<'_, '_>, floors: &Floors) {
        let (g, best) = (p.graph(), floors.plus_plus);
        let it = self.distance(p, best);
        for (name, measure) in MEASURES.iter().zip([it.loss, it.cosine, it.predictions, it.models]) {
            measure.keep(name);
        }
        let prompts = beyond::prompts(g, &self.tasks());
        let who: [&dyn Fn(_) -> _; 2] = [&|it| self.says(p, it), &|it| self.held_against(best, it)];
        beyond::keep_others(prompts, &self.tasks(), who);
        match self.form() {
            Some(Form::Linear(times)) => {
                let (layer, built) = (layer(p), self.built(g, best));
                products(&layer, "learned");
                products(&built, "construction");
                beyond::step(&layer).keep("step");
                beyond::keep_between(prompts, [&layer, &built], times);
            }
            None => {
                let pattern = read(p, prompts[0], prompts[1], prompts[2]).pattern;
                pattern.mean(0).reshape(&[TOKENS, TOKENS]).keep("pattern");
            }
            Some(Form::Softmax(count)) => {
                for (i, head) in heads(p, count).iter().enumerate() {
                    products(head, &format!("head.{i}"));
                }
            }
        }
    }

    /// The title and the note of what [`Self::weights`] shows.
    pub(super) fn about_weights(self, trace: &Trace, best: PlusPlus) -> (String, &'static str) {
        let learnt = trace.get("step").and_then(|it| Some(it.window(0..2)?.to_vec()));
        let [eta, gamma] = learnt.map_or([0.0; 2], |it| [it[0], it[1]]).map(number);
        let (title, about) = match self {
            Self::Linear => {
                let built = number(one_step(D, D, RANGE).0 as f32);
                return (format!("Learnt: η {eta}; built: η {built}"), PRODUCTS);
            }
            Self::Twice => {
                let [rate, bent] = [best.eta, best.gamma].map(|it| number(it as f32));
                return (format!("Learnt: γ {gamma}, η {eta}; best: γ {bent}, η {rate}"), PRODUCTS);
            }
            Self::Softmax | Self::Heads => (
                "What its heads ask and give",
                "KQ is W_K^T W_Q, PV is P W_V, each over its largest entry. Two heads with opposite signs undo the softmax.",
            ),
            Self::Tokens => (
                "The first layer copies",
                "Who looks at whom in the first layer, on average: x_1, y_1, x_2, .., what is asked. An input looks at the token behind it, its answer.",
            ),
        };
        (title.to_owned(), about)
    }

    /// Its weights, or what they do.
    pub(super) fn weights(self, trace: &Trace) -> Fields {
        let signed = |name: String, words: String| {
            let kept = trace.get(&name).zip(trace.get(&format!("{name}.peak")));
            let map = kept.and_then(|(it, peak)| Some(Map::of(it, 0)?.signed(1.0).over(Some(peak), false)));
            Field::new(map, words)
        };
        let pair = |of: &str, words: &str| {
            ["asks", "gives"].map(|part| {
                let name = if part == "asks" { "KQ" } else { "PV" };
                signed(format!("{of}.{part}"), format!("{name}{words}"))
            })
        };
        let fields = match self {
            Self::Linear | Self::Twice => {
                let [[a, b], [c, d]] = [pair("learned", ""), pair("construction", " built")];
                vec![a, c, b, d]
            }
            Self::Softmax => pair("head.0", "").into(),
            Self::Heads => [pair("head.0", " 1"), pair("head.1", " 2")].concat(),
            Self::Tokens => {
                let pattern = trace.get("pattern").and_then(|it| Map::of(it, 0));
                return Fields {
                    fields: vec![Field::new(pattern, "")],
                    value: "attention",
                    legend: Some("attention".to_owned()),
                    ..Fields::default()
                };
            }
        };
        Fields { fields, value: "weight over the largest", ..Fields::default() }
    }
}

/// Keeps `W_K^T W_Q` and `P W_V`, between which a factor may wander, each over its largest entry; the sign of both may be
/// turned without effect.
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
    super::super::largest(x).max_with(x.graph().constant(1e-12))
}
