//! What learns beside the two paths: a linear layer, one with a softmax, or two layers that read inputs and answers as tokens of
//! their own.

use serde::{Deserialize, Serialize};

use super::{MEASURES, beyond, claims};
use crate::graph::Var;
use crate::mechanisms::linear_attention::LinearAttention;
use crate::nn::Params;
use crate::page::{Field, Fields, Map};
use crate::regression::Tasks;
use crate::trace::Trace;
use crate::train::Recipe;
use crate::train::linear_attention::{D, InContext, distance, heads, layer, predict, tasks};
use crate::train::separate_tokens::{self, SeparateTokens, TOKENS, read};

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learner {
    /// A layer of linear attention, of which gradient descent is proven to be one setting.
    #[default]
    Linear,
    /// A layer with a softmax and one head.
    Softmax,
    /// The same with two heads.
    Heads,
    /// Two layers; inputs and answers are tokens of their own.
    Tokens,
}

impl Learner {
    /// The learners in words.
    pub(super) const WORDS: [(Self, &str); 4] = [
        (Self::Linear, "a linear layer"),
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
        match self {
            Self::Tokens => Box::new(SeparateTokens { rate: 0.1 * rate, ..SeparateTokens::default() }),
            Self::Linear => Box::new(InContext { rate, ..InContext::default() }),
            Self::Softmax => Box::new(InContext { rate, ..InContext::softmax(1) }),
            Self::Heads => Box::new(InContext { rate, ..InContext::softmax(2) }),
        }
    }

    /// The tasks that it learns.
    pub(super) fn tasks(self) -> Tasks {
        if self == Self::Tokens { separate_tokens::tasks() } else { tasks() }
    }

    fn softmax(self) -> Option<usize> {
        match self {
            Self::Linear | Self::Tokens => None,
            Self::Softmax => Some(1),
            Self::Heads => Some(2),
        }
    }

    /// Keeps what it is measured by, how it does beyond its tasks, and of its weights what is shown.
    pub(super) fn measure<'g>(self, p: &Params<'_, 'g>) {
        let g = p.graph();
        let said = |[x, y, query]: [Var<'g>; 3]| match self {
            Self::Tokens => read(p, x, y, query).prediction,
            _ => predict(p, self.softmax(), [x, y, query]),
        };
        let it = distance(g, &self.tasks(), said);
        for (name, measure) in MEASURES.iter().zip([it.loss, it.cosine, it.predictions, it.models]) {
            measure.keep(name);
        }
        let prompts = beyond::prompts(g, &self.tasks());
        beyond::keep_ranges(prompts, said);
        match self {
            Self::Linear => {
                let (layer, built) = (layer(p), claims::construction(g, D));
                products(&layer, "learned");
                products(&built, "construction");
                beyond::keep_between(prompts, [&layer, &built]);
            }
            Self::Tokens => {
                let pattern = read(p, prompts[0], prompts[1], prompts[2]).pattern;
                pattern.mean(0).reshape(&[TOKENS, TOKENS]).keep("pattern");
            }
            Self::Softmax | Self::Heads => {
                for (i, head) in heads(p, self.softmax().unwrap_or_default()).iter().enumerate() {
                    products(head, &format!("head.{i}"));
                }
            }
        }
    }

    /// The title and the note of what [`Self::weights`] shows.
    pub(super) fn about_weights(self) -> [&'static str; 2] {
        match self {
            Self::Linear => [
                "Learnt, and built by hand",
                "KQ is W_K^T W_Q, PV is P W_V, each over its largest entry; the last row and column belong to the answer.",
            ],
            Self::Softmax | Self::Heads => [
                "What its heads ask and give",
                "KQ is W_K^T W_Q, PV is P W_V, each over its largest entry. Two heads with opposite signs undo the softmax.",
            ],
            Self::Tokens => [
                "The first layer copies",
                "Who looks at whom in the first layer, on average: x_1, y_1, x_2, .., what is asked. An input looks at the token behind it, its answer.",
            ],
        }
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
            Self::Linear => {
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
