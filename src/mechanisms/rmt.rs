//! Manhattan self-attention (Fan et al. 2024, "RMT: Retentive Networks Meet Vision Transformers", arXiv 2309.11523): the
//! decay of retention in all directions of a picture, by steps along rows and columns.
//!
//! The paper multiplies what softmax gave by the decay; the authors' code adds its logarithm before, which is the same but
//! for rows that sum to 1 again.

use super::Given;
use super::attention::{Attended, Attention, untapped};
use super::field::{Places, decay, log_decay};
use super::gaussian_mask::places;
use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::Var;

/// The decay by itself, or the attention that it shapes.
pub const MECHANISM: Mechanism = Mechanism {
    id: "rmt-decay",
    formula: "softmax(Q K^T + d log gamma) V with d = |r_n - r_m| + |c_n - c_m|",
    inputs: &[
        Port::new("gamma", "head").within(Within::SHARE),
        Port::new("q", "head pos d_head").optional(),
        Port::new("k", "head pos d_head").with("q"),
        Port::new("v", "head pos d_value").with("q"),
    ],
    parameters: &[
        Parameter::count("height", Unset::Refused, "rows of places"),
        Parameter::count("width", Unset::Refused, "places in a row"),
        Parameter::choice(
            "form",
            &["code", "paper"],
            "softmax(Q K^T + d log gamma), or softmax(Q K^T) o gamma^d",
        ),
        Parameter::switch("decomposed", "z by rows, then by columns, instead of all places at once"),
    ],
    outputs: &[
        Port::new("mask", "head query key").about("d log gamma of the code, gamma^d of the paper"),
        Port::new("pattern", "head query key")
            .with("q")
            .about("of the full form, also where z is decomposed"),
        Port::new("z", "head pos d_value").with("q"),
    ],
    lengths: &[("pos", &["height", "width"])],
    source: "Fan et al. 2024, arXiv 2309.11523, and its authors' code",
    record: |it| {
        record(it);
        Ok(())
    },
};

/// Where the decay enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `softmax(Q K^T + d log gamma)`: rows sum to 1.
    #[default]
    Code,
    /// `softmax(Q K^T) o gamma^d`: rows sum to less than 1.
    Paper,
}

/// Attention that fades with the distance on a grid.
#[derive(Clone, Copy)]
pub struct Manhattan<'g> {
    /// What a step away is worth, `[head]`, from 0 to 1.
    pub gamma: Var<'g>,
    /// The grid.
    pub places: Places,
    /// Where the decay enters.
    pub form: Form,
}

/// `gamma_h = 1 - 2^-(initial + range h / heads)`, as the authors' code sets it: `initial` is 2 for all models.
pub fn gammas(heads: usize, initial: f64, range: f64) -> Vec<f64> {
    (0..heads).map(|h| 1.0 - (-(initial + range * h as f64 / heads as f64)).exp2()).collect()
}

impl<'g> Manhattan<'g> {
    /// What is added to the scores (code) or multiplies the weights (paper), `[head, query, key]`.
    pub fn mask(&self) -> Var<'g> {
        self.mask_of(self.places)
    }

    fn mask_of(&self, places: Places) -> Var<'g> {
        let (g, heads) = (self.gamma.graph(), self.gamma.dim(0));
        let (gamma, distance) = (self.gamma.reshape(&[heads, 1]), places.distances(g, Places::manhattan));
        let field = match self.form {
            Form::Code => log_decay(gamma, distance),
            Form::Paper => decay(gamma, distance),
        };
        places.spread(field)
    }

    /// All places at once: `q`, `k` `[head, pos, d_head]`, as they are, and `v` `[head, pos, d_value]`.
    pub fn full(&self, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Attended<'g> {
        self.attention(self.mask()).record(q, k, v, untapped)
    }

    /// Every row by itself, then with what came of it every column by itself: `[.., head, pos, d_value]`. It costs
    /// `HW (H + W)` scores instead of `(HW)^2`, and is the full form only where queries and keys do not matter.
    pub fn decomposed(&self, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Var<'g> {
        self.rows_then_columns(q, k, v, untapped)
    }

    /// The same, with `tap` for the tensors of both steps (`rows.pattern` `[.., head, row, query, key]`, `columns.pattern`) and
    /// for what comes of them, as in [`Attention::record`].
    pub fn rows_then_columns(
        &self,
        q: Var<'g>,
        k: Var<'g>,
        v: Var<'g>,
        tap: impl Fn(Var<'g>, &str, &str) -> Var<'g>,
    ) -> Var<'g> {
        let Places { height, width } = self.places;
        let rows = |x: Var<'g>| in_rows(x, height, width);
        let columns = |x: Var<'g>| exchanged(rows(x)); // [.., head, column, row, ..]
        let along = |len, line, [q, k, v]: [Var<'g>; 3]| {
            let mask = self.mask_of(Places::line(len)).reshape(&[self.gamma.dim(0), 1, len, len]);
            let tap = |x, name: &str, axes: &str| {
                tap(x, &format!("{line}s.{name}"), &axes.replacen("head", &format!("head {line}"), 1))
            };
            self.attention(mask).record(q, k, v, tap).z
        };
        let v = along(width, "row", [rows(q), rows(k), rows(v)]);
        let z = exchanged(along(height, "column", [columns(q), columns(k), exchanged(v)]));
        tap(z.reshape(&[&q.shape()[..q.shape().len() - 1], &[z.dim(-1)]].concat()), "z", "head pos d_head")
    }

    fn attention(&self, mask: Var<'g>) -> Attention<'g> {
        let plain = Attention::softmax(1.0);
        match self.form {
            Form::Code => Attention { add: Some(mask), ..plain },
            Form::Paper => Attention { weigh: Some(mask), ..plain },
        }
    }
}

/// `[.., height * width, d] -> [.., height, width, d]`
fn in_rows(x: Var<'_>, height: usize, width: usize) -> Var<'_> {
    let shape = x.shape();
    let [lead @ .., _, d] = &shape[..] else { panic!("places are [.., pos, d], not {shape:?}") };
    x.reshape(&[lead, &[height, width, *d]].concat())
}

/// Rows and columns exchanged: `[.., row, column, d] -> [.., column, row, d]`.
fn exchanged(x: Var<'_>) -> Var<'_> {
    let rank = x.shape().len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 3, rank - 2);
    x.permute(&order)
}

fn record(it: &Given<'_>) {
    let form = if it.choice("form") == "paper" { Form::Paper } else { Form::Code };
    let manhattan = Manhattan { gamma: it.tensor("gamma"), places: places(it), form };
    manhattan.mask().keep("mask");
    if let Some(q) = it.maybe("q") {
        let (k, v) = (it.tensor("k"), it.tensor("v"));
        let full = manhattan.full(q, k, v);
        full.pattern.keep("pattern");
        let z = if it.is("decomposed") { manhattan.decomposed(q, k, v) } else { full.z };
        z.keep("z");
    }
}
