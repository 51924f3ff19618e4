//! Gradient descent on the squared error of a linear model, step by step: what a stack of linear attention layers is held
//! against in von Oswald et al. 2022, arXiv 2212.07677, section 2.

use super::Given;
use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::Var;

/// Some steps from `w0`.
pub const MECHANISM: Mechanism = Mechanism {
    id: "gd",
    formula: "w - eta/N X^T (X w - y)",
    inputs: PROMPT,
    parameters: &[ETA, Parameter::count("steps", Unset::Is("1"), "how many steps")],
    outputs: &[Port::new("prediction", "task"), Port::new("w", "task step d")],
    lengths: &[("step", &["steps"])],
    source: "von Oswald et al. 2022, arXiv 2212.07677, section 2",
    record: |it| {
        let Prompt { x, y, query, w0 } = Prompt::of(it);
        let eta = it.graph().constant(it.number("eta").unwrap_or_default());
        let path = descend(x, y, w0, eta, it.count("steps").unwrap_or(1));
        let [tasks, d] = [x.dim(0), x.dim(-1)];
        if let Some(last) = path.last() {
            query.reshape(&[tasks, 1, d]).matmul(*last).reshape(&[tasks]).keep("prediction");
        }
        let path: Vec<Var<'_>> = path.iter().map(|w| w.reshape(&[tasks, 1, d])).collect();
        Var::concat(&path, 1).keep("w");
        Ok(())
    },
};

/// The examples of every task, what is asked, and where the weights begin.
pub(super) const PROMPT: &[Port] = &[
    Port::new("x", "task pos d"),
    Port::new("y", "task pos"),
    Port::new("query", "task d"),
    Port::new("w0", "d").optional(),
];

/// The learning rate.
pub(super) const ETA: Parameter = Parameter::number(
    "eta",
    Unset::Is("0.1"),
    Within::REAL,
    "the learning rate, of the mean over the examples",
);

/// What [`PROMPT`] declares; weights that are not given are zeros.
pub(super) struct Prompt<'g> {
    pub(super) x: Var<'g>,
    pub(super) y: Var<'g>,
    pub(super) query: Var<'g>,
    pub(super) w0: Var<'g>,
}

impl<'g> Prompt<'g> {
    pub(super) fn of(it: &Given<'g>) -> Self {
        let [x, y, query] = ["x", "y", "query"].map(|name| it.tensor(name));
        let zeros = || it.graph().constant(0.0).broadcast(&[x.dim(-1)]);
        Self { x, y, query, w0: it.maybe("w0").unwrap_or_else(zeros) }
    }
}

/// The weights `[.., d, 1]` after each of `steps` steps on `L(w) = 1/(2N) sum_j (w x_j - y_j)^2`, from `w0` `[d]`,
/// with examples `x` `[.., pos, d]`, `y` `[.., pos]` and the learning rate `eta`, without axes.
pub fn descend<'g>(x: Var<'g>, y: Var<'g>, w0: Var<'g>, eta: Var<'g>, steps: usize) -> Vec<Var<'g>> {
    let shape = x.shape();
    let [lead @ .., n, d] = &shape[..] else { panic!("examples are [.., pos, d], not {shape:?}") };
    let y = y.reshape(&[lead, &[*n, 1]].concat());
    let first = w0.reshape(&[*d, 1]).broadcast(&[lead, &[*d, 1]].concat());
    let next = |w: &Var<'g>| Some(*w - x.t().matmul(x.matmul(*w) - y) * (eta / *n as f32));
    std::iter::successors(Some(first), next).skip(1).take(steps).collect()
}
