//! Manhattan self-attention (Fan et al. 2024, "RMT: Retentive Networks Meet Vision Transformers", arXiv 2309.11523): the decay
//! of retention on a grid, `gamma^(|x_n - x_m| + |y_n - y_m|)`, around the patch of a picture that was clicked.
//!
//! The paper multiplies weights by it, the authors' code adds its logarithm to the scores; RetNet multiplies scores, in one
//! direction and without a softmax. Rows first, then columns, is cheaper and another attention.

mod claims;
mod picture;

use serde::{Deserialize, Serialize};

use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::Places;
use crate::mechanisms::retention::{self, Retention};
use crate::mechanisms::rmt::{self, Manhattan, gammas};
use crate::models::{Kind, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::tensor::Tensor;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "rmt-decay",
    title: "Manhattan decay",
    claim: "Each head sees a diamond around its patch: every step along rows or columns is worth a constant factor.",
    formula: r"\mathrm{softmax}\!\left(QK^{\top} + d \ln\gamma_h\right) V, \qquad d_{nm} = |x_n - x_m| + |y_n - y_m|",
    paper: "Fan et al., RMT: Retentive Networks Meet Vision Transformers",
    year: 2024,
    reference: "2309.11523",
    family: "Fields of distance",
    more: "Click a patch: the diamonds are what a step away from it is worth in each of four heads, and under each stands how \
           many steps away it has fallen to 1/e. The paper multiplies the weights by the decay, so a row sums to less than 1; \
           the authors' code adds its logarithm before the softmax, which is the same with every row divided by its sum. \
           RetNet's form reads the patches one after the other, multiplies the scores and has no softmax.\n\n\
           Rows first, then columns costs HW (H + W) scores instead of (HW)². Where all patches are alike (content 0) both \
           give the same weights; with content they do not, as a row is mixed before its column looks at it. Queries and keys \
           are the patch's pixels through a random matrix of each head: no training, and no rotation by position, which \
           RMT has besides.\n\n\
           In small models for clothes, trained for 1500 steps with three seeds, the decay won nothing: 80.8 ± 1.1 % of the \
           test pictures right, rows then columns 81.4 ± 0.5 %, without it 80.8 ± 0.7 %.",
};

/// Heads, as in the first stages of RMT-T and RMT-S.
const HEADS: usize = 4;

/// Width and height of the picture in pixels.
const PIXELS: usize = 56;

/// Channels of queries and keys.
const D_HEAD: usize = 16;

/// Where the decay enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Form {
    /// `softmax(Q K^T + d log gamma)`, as the authors' code has it.
    #[default]
    Code,
    /// `softmax(Q K^T) o gamma^d`, as the paper has it.
    Paper,
    /// `Q K^T o gamma^(n - m)` in reading order.
    Retention,
}

/// The exhibit's state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RmtDecay {
    /// Where the decay enters.
    pub form: Form,
    /// Patches along a side.
    pub side: usize,
    /// How far apart the heads are: `r` in `gamma_h = 1 - 2^-(2 + r h / heads)`.
    pub range: u8,
    /// Factor of the scores.
    pub content: f32,
    /// The patch, row and column in thousandths of the sides.
    pub at: [u16; 2],
    /// The head whose full and decomposed weights are compared.
    pub head: usize,
}

impl Default for RmtDecay {
    fn default() -> Self {
        Self { form: Form::Code, side: 14, range: 4, content: 4.0, at: [320, 250], head: 1 }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<RmtDecay> }
}

impl RmtDecay {
    fn places(&self) -> Places {
        let side = if [7, 14, 28].contains(&self.side) { self.side } else { 14 };
        Places::grid(side, side)
    }

    /// Row and column of the patch.
    fn patch(&self) -> [usize; 2] {
        self.at.map(|it| usize::from(it.min(999)) * self.places().width / 1000)
    }

    fn gammas(&self) -> Vec<f64> {
        gammas(HEADS, 2.0, f64::from(self.range))
    }

    /// The decay in the form of the code or of the paper.
    fn manhattan<'g>(&self, g: &'g Graph, form: rmt::Form) -> Manhattan<'g> {
        let gamma: Vec<f32> = self.gammas().into_iter().map(|it| it as f32).collect();
        Manhattan { gamma: g.input(&Tensor::new(&[HEADS], gamma)), places: self.places(), form }
    }

    /// Queries, scaled by the content, and keys, `[head, pos, d_head]`: the pixels of every patch through a matrix of each
    /// head. Patches of black, or of white, agree by 1.
    fn inputs<'g>(&self, g: &'g Graph, pixels: &[u8]) -> [Var<'g>; 2] {
        let (side, patch) = (self.places().width, PIXELS / self.places().width);
        let x = Tensor::from_fn(&[1, side * side, patch * patch], |at| {
            let [row, col] = [at[1] / side * patch + at[2] / patch, at[1] % side * patch + at[2] % patch];
            (2.0 * f32::from(pixels[row * PIXELS + col]) / 255.0 - 1.0) / patch as f32
        });
        let mut chance = Random::stream(0, 0);
        let spread = 1.0 / (D_HEAD as f64).sqrt();
        let matrix = Tensor::from_fn(&[HEADS, patch * patch, D_HEAD], |_| (spread * chance.normal()) as f32);
        let k = g.input(&x).matmul(g.input(&matrix));
        [k * g.input(&Tensor::scalar(self.content)), k]
    }

    /// The field and the weights, `[head, query, key]`, in the form that is shown.
    fn shown<'g>(&self, [q, k]: [Var<'g>; 2]) -> [Var<'g>; 2] {
        let manhattan = |form| self.manhattan(q.graph(), form);
        let field = manhattan(rmt::Form::Paper);
        match self.form {
            Form::Code => [field.mask(), manhattan(rmt::Form::Code).full(q, k, k).pattern],
            Form::Paper => [field.mask(), field.full(q, k, k).pattern],
            Form::Retention => {
                let retention = Retention { gamma: field.gamma, form: retention::Form::Parallel };
                let decay = retention.decay(self.places().count());
                let attention = Attention { multiply: Some(decay), ..Attention::linear(1.0) };
                [decay, attention.record(q, k, k, untapped).pattern]
            }
        }
    }

    /// The weights that rows and then columns come to, `[head, query, key]`: what values of a one at every place become.
    fn nested<'g>(&self, [q, k]: [Var<'g>; 2], form: rmt::Form) -> Var<'g> {
        let g = q.graph();
        let n = self.places().count();
        let ones =
            g.input(&self.places().table(|i, j| f64::from(u8::from(i == j)))).broadcast(&[HEADS, n, n]);
        self.manhattan(g, form).decomposed(q, k, ones)
    }

    /// Keeps what the patch sees, and the picture.
    fn keep(&self, g: &Graph, pixels: &[u8]) {
        let Places { height, width } = self.places();
        let [row, col] = self.patch();
        let of_patch = |x: Var<'_>, name: &str| {
            let it = x.slice(1, row * width + col, 1).reshape(&[HEADS, height, width]);
            it.keep(name);
            it.reshape(&[HEADS, height * width])
                .abs()
                .max(-1)
                .reshape(&[HEADS])
                .keep(&format!("{name}.most"));
        };
        g.input(&Tensor::from_fn(&[PIXELS; 2], |at| f32::from(pixels[at[0] * PIXELS + at[1]]) / 255.0))
            .keep("picture");
        let inputs = self.inputs(g, pixels);
        let [field, pattern] = self.shown(inputs);
        of_patch(field, "field");
        of_patch(pattern, "pattern");
        let form = if self.form == Form::Paper { rmt::Form::Paper } else { rmt::Form::Code };
        if self.form != Form::Retention {
            let nested = self.nested(inputs, form);
            of_patch(nested, "nested");
            of_patch(pattern - nested, "difference");
        }
        let [q, k] = inputs;
        let code = self.manhattan(g, rmt::Form::Code).full(q, k, k).pattern;
        largest(code.sum(-1) - 1.0).reshape(&[]).keep("rows.error");
    }
}

impl Exhibit for RmtDecay {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn sees(&self) -> bool {
        true
    }

    fn record(&self, inputs: &Inputs, _zoo: &Zoo) -> Option<Graph> {
        let g = Graph::default();
        self.keep(&g, &inputs.picture.pixels(PIXELS, 1)?);
        Some(g)
    }

    fn refusal(&self, _inputs: &Inputs) -> String {
        "The photograph is not part of the link. Choose another picture.".to_owned()
    }

    fn looks(&self) -> &'static [&'static str] {
        &["head"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        picture::knobs(self, k);
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene)
    }

    fn touched(&mut self, _panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        if let (Touch::Clicked(_), Some(at)) = (touch, scene.focus.hover.at) {
            self.at = at;
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
