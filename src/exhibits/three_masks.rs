//! Three masks that look alike and are not: where a field of distance enters attention decides what it does.
//!
//! The same scores `S = Q K^T / sqrt d_head` and the same width `w` go through a Gaussian mask that multiplies them before
//! the softmax (Li & Zhang 2023, arXiv 2309.05375), a decay whose logarithm is added there (Fan et al. 2024, arXiv
//! 2309.11523), one that multiplies them where no softmax follows (Sun et al. 2023, arXiv 2307.08621), a Gaussian in the
//! place of the decay, and softmax alone. At `w` tokens every field has fallen to `e^(-1/2)`.

mod claims;
mod picture;

use serde::{Deserialize, Serialize};

use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened, worst};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attended, Attention, untapped};
use crate::mechanisms::field::{Places, causal, effective_radius};
use crate::mechanisms::gaussian_mask::mixture;
use crate::mechanisms::retention::{self, Retention};
use crate::mechanisms::rmt::{self, Manhattan};
use crate::models::{Kind, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::tensor::Tensor;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "three-masks",
    title: "Three masks, one distance",
    claim: "The same falling curve makes far words vanish, or only makes them average: it matters where it enters.",
    formula: r"\mathrm{softmax}(M \circ S)\,V, \qquad \mathrm{softmax}(S + d \ln\gamma)\,V, \qquad (S \circ \gamma^{d})\,V",
    paper: "Li & Zhang, RetNet Viewed through Convolution; Fan et al., RMT; Sun et al., Retentive Network",
    year: 2023,
    reference: "2309.05375",
    family: "Fields of distance",
    more: "One query looks at every token. All five curves come from the same queries, keys and values, and every field has \
           fallen to 0.61 at the width that you choose; they differ in where it enters. A Gaussian mask (GMM) multiplies the \
           scores before the softmax: a far score becomes 0, which is an average score and no absence, so with a narrow mask \
           the weights are nearly uniform, and with negative scores the far tokens win. RMT adds the logarithm of its decay: \
           far tokens lose a constant factor a step. The same Gaussian in that place cuts off much faster. RetNet multiplies \
           the scores and no softmax follows: weights may be negative, rows sum to anything, later tokens count nothing.\n\n\
           At first all words are alike, and a curve is the field and nothing else. Where they repeat every eight tokens the \
           query agrees with itself and with the tokens eight and sixteen back: see who still finds them. Drag the \
           cursor along the curves, or point into the large map. Entropy and radius are of the absolute weights, divided by \
           their sum. The papers put GMM and RMT on a grid of patches; in a line it is the same formula with one axis.",
};

/// Tokens in the line.
const TOKENS: usize = 40;

/// Channels of queries, keys and values.
const D_HEAD: usize = 16;

/// After so many tokens the words are the same again.
const REPEAT: usize = 8;

/// What the tokens say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Words {
    /// The same word everywhere: all scores are equal.
    #[default]
    Alike,
    /// Every word again after `REPEAT` tokens.
    Repeat,
    /// Queries and keys by chance.
    Chance,
}

/// The exhibit's state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreeMasks {
    /// After so many tokens every field is `e^(-1/2)`.
    pub width: f32,
    /// Factor of the scores; negative: what agrees repels.
    pub scale: f32,
    /// What the tokens say.
    pub words: Words,
    /// Whether no mechanism looks ahead; RetNet never does.
    pub causal: bool,
    /// What chance begins with.
    pub seed: u64,
    /// The token that looks.
    pub query: usize,
    /// From the query to the cursor, in tokens.
    pub cursor: i32,
    /// Whether curves are the weights as they are, instead of shares of the row.
    pub raw: bool,
    /// The mechanism whose map is large.
    pub large: usize,
}

impl Default for ThreeMasks {
    fn default() -> Self {
        Self {
            width: 6.0,
            scale: 3.0,
            words: Words::Alike,
            causal: false,
            seed: 0,
            query: 20,
            cursor: -16,
            raw: false,
            large: 1,
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<ThreeMasks> }
}

/// The tokens in their line.
const PLACES: Places = Places::line(TOKENS);

impl ThreeMasks {
    /// What a step is worth, so that `w` steps are worth `e^(-1/2)`.
    fn gamma(&self) -> f32 {
        (-0.5 / self.width.max(0.1)).exp()
    }

    /// Queries, scaled as was asked for, keys and values, `[head, pos, d_head]` with one head.
    fn inputs<'g>(&self, g: &'g Graph) -> [Var<'g>; 3] {
        let mut chance = Random::stream(self.seed, 0);
        let mut normal =
            |rows: usize| -> Vec<f32> { (0..rows * D_HEAD).map(|_| chance.normal() as f32).collect() };
        let [a, b, v] = [(); 3].map(|()| normal(TOKENS));
        let word = |i: usize| match self.words {
            Words::Repeat => i % REPEAT,
            Words::Alike => 0,
            Words::Chance => i,
        };
        // A word has norm d_head^(1/4), so that its score with itself is the scale.
        let unit = |rows: &[f32], i: usize, c: usize| {
            let row = &rows[word(i) * D_HEAD..][..D_HEAD];
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row[c] / norm * (D_HEAD as f32).sqrt().sqrt()
        };
        let shape = [1, TOKENS, D_HEAD];
        let by_chance = self.words == Words::Chance;
        let q = Tensor::from_fn(&shape, |at| {
            if by_chance { a[at[1] * D_HEAD + at[2]] } else { unit(&a, at[1], at[2]) }
        });
        let k = Tensor::from_fn(&shape, |at| {
            if by_chance { b[at[1] * D_HEAD + at[2]] } else { unit(&a, at[1], at[2]) }
        });
        let [q, k, v] = [q, k, Tensor::new(&shape, v)].map(|it| g.input(&it));
        [q * g.input(&Tensor::scalar(self.scale)), k, v]
    }

    /// What the five mechanisms make of them, in the order of [`picture::MECHANISMS`].
    fn attend<'g>(&self, [q, k, v]: [Var<'g>; 3]) -> [Attended<'g>; 5] {
        let g = q.graph();
        let number = |x: f32, shape: &[usize]| g.input(&Tensor::new(shape, vec![x]));
        let width = self.width.max(0.1);
        let mask = mixture(number(1.0, &[1, 1]), number(width, &[1, 1]), PLACES);
        let gamma = number(self.gamma(), &[1]);
        let steps = Manhattan { gamma, places: PLACES, form: rmt::Form::Code }.mask();
        let gaussian =
            PLACES.spread(PLACES.distances(g, Places::squared) * number(-0.5 / (width * width), &[1]));
        let decay = Retention { gamma, form: retention::Form::Parallel }.decay(TOKENS);
        let seen = self.causal.then(|| PLACES.mask(g, causal));
        let softmax = Attention { mask: seen, ..Attention::scaled(D_HEAD) };
        [
            softmax,
            Attention { multiply: Some(mask), ..softmax },
            Attention { add: Some(steps), ..softmax },
            Attention { multiply: Some(decay), ..Attention::linear(1.0 / (D_HEAD as f32).sqrt()) },
            Attention { add: Some(gaussian), ..softmax },
        ]
        .map(|it| it.record(q, k, v, untapped))
    }

    /// Keeps weights and what is measured of every row.
    fn keep(&self, g: &Graph) -> Option<()> {
        let all = self.attend(self.inputs(g));
        all[0].scores.reshape(&[TOKENS, TOKENS]).keep("scores");
        let pattern = Var::concat(&all.map(|it| it.pattern), 0); // [mechanism, query, key]
        let rows = [all.len(), TOKENS];
        let sums = pattern.sum(-1).reshape(&rows);
        let share = pattern.abs() / pattern.abs().sum(-1).max_with(g.constant(f32::MIN_POSITIVE));
        let floored = share.max_with(g.constant(f32::MIN_POSITIVE)); // 0 log 0 is 0
        let distance = g.input(&PLACES.table(|i, j| PLACES.manhattan(i, j)));
        pattern.keep("pattern");
        pattern.abs().max(-1).reshape(&rows).keep("most");
        sums.keep("sum");
        (-(share * floored.log()).sum(-1)).reshape(&rows).keep("entropy");
        effective_radius(pattern, distance).keep("radius");
        let softmax = [0, 1, 2, 4].map(|i| sums.slice(0, i, 1) - 1.0);
        worst(softmax)?.reshape(&[]).keep("rows.error");
        Some(())
    }
}

impl Exhibit for ThreeMasks {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn record(&self, _inputs: &Inputs, _zoo: &Zoo) -> Option<Graph> {
        let g = Graph::default();
        self.keep(&g)?;
        Some(g)
    }

    fn looks(&self) -> &'static [&'static str] {
        &["query", "cursor", "raw", "large"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        picture::knobs(self, k);
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene)
    }

    fn touched(&mut self, panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        match (panel, touch) {
            ("curves", Touch::Dragged(_, [distance, _])) => {
                self.query = picture::query(self, scene);
                let [low, high] = [0, TOKENS - 1].map(|it| it as i32 - self.query as i32);
                self.cursor = (distance.round() as i32).clamp(low, high);
                (scene.focus.locked.query, scene.focus.locked.key) = (None, None);
            }
            ("all rows", Touch::Clicked(i)) => self.large = i,
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
