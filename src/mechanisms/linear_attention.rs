//! Linear self-attention, and the weights with which a layer of it is a step of gradient descent (von Oswald et al. 2022,
//! arXiv 2212.07677).
//!
//! An example is a token `e = (x, y)`, what is asked the token `(x, -W_0 x)`. Only examples are keys and values: the query
//! attends to them and is attended to by nobody. After every layer the `y` of a query is minus the prediction.

use super::gradient_descent::{ETA, PROMPT, Prompt};
use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::graph::{Graph, Var};
use crate::tensor::Tensor;

/// Layers with the weights of proposition 1, or of GD++ where gamma is not 0.
pub const MECHANISM: Mechanism = Mechanism {
    id: "lsa-step",
    formula: "e_i + sum_j P W_V e_j (W_K e_j)^T (W_Q e_i)",
    inputs: PROMPT,
    parameters: &[
        ETA,
        Parameter::count("layers", Unset::Is("1"), "how many layers, all with the same weights"),
        Parameter::number(
            "gamma",
            Unset::Is("0"),
            Within::REAL,
            "of GD++: every layer also makes (I - gamma X X^T) x of each x; 0 is plain",
        ),
    ],
    outputs: &[Port::new("prediction", "task"), Port::new("y_after", "task layer pos")],
    lengths: &[("layer", &["layers"])],
    source: "von Oswald et al. 2022, arXiv 2212.07677, section 2 with proposition 1, and its GD++",
    record: |it| {
        let Prompt { x, y, query, w0 } = Prompt::of(it);
        let [tasks, n, d] = [x.dim(0), x.dim(1), x.dim(2)];
        let [eta, gamma] = ["eta", "gamma"].map(|name| it.number(name).unwrap_or_default());
        let layer = LinearAttention::descent(w0, Step { eta, gamma, n });
        let tokens = asked(query.reshape(&[tasks, 1, d]), w0);
        let layers = vec![layer; it.count("layers").unwrap_or(1)];
        let read = run(&layers, examples(x, y), tokens);
        if let Some(last) = read.last() {
            prediction(last.queries).reshape(&[tasks]).keep("prediction");
        }
        let after: Vec<Var<'_>> =
            read.iter().map(|it| it.examples.slice(-1, d, 1).reshape(&[tasks, 1, n])).collect();
        Var::concat(&after, 1).keep("y_after");
        Ok(())
    },
};

/// The matrices of a layer, each `[d + 1, d + 1]`.
#[derive(Clone, Copy)]
pub struct LinearAttention<'g> {
    /// `W_Q`
    pub w_q: Var<'g>,
    /// `W_K`
    pub w_k: Var<'g>,
    /// `W_V`
    pub w_v: Var<'g>,
    /// `P`
    pub p: Var<'g>,
}

/// The step that a layer is to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The learning rate.
    pub eta: f32,
    /// `gamma` of GD++; 0 is plain.
    pub gamma: f32,
    /// Number of examples.
    pub n: usize,
}

impl<'g> LinearAttention<'g> {
    /// The weights of proposition 1: `W_Q = W_K = [[I, 0], [0, 0]]`, `W_V = [[0, 0], [w0, -1]]`, of `P = eta/N I` the part
    /// that has an effect. For GD++ `W_V` gets an `I` and `P` a `-gamma I` where the `x` are. `w0` is `[d]`.
    pub fn descent(w0: Var<'g>, Step { eta, gamma, n }: Step) -> Self {
        let (g, d) = (w0.graph(), w0.dim(0));
        let moved = f32::from(u8::from(gamma != 0.0));
        let below = w0.reshape(&[1, d]).pad(0, d, 0, 0.0).pad(1, 0, 1, 0.0);
        let chosen = diagonal(g, d, 1.0, 0.0);
        Self {
            w_q: chosen,
            w_k: chosen,
            w_v: diagonal(g, d, moved, -1.0) + below,
            p: diagonal(g, d, -gamma, eta / n as f32),
        }
    }

    /// What becomes of `tokens` `[.., query, d + 1]` that attend to `examples` `[.., pos, d + 1]`.
    pub fn layer(&self, tokens: Var<'g>, examples: Var<'g>) -> Var<'g> {
        tokens + self.scores(tokens, examples).matmul(self.values(examples))
    }

    /// `(W_K e_j)^T (W_Q e_i)`, `[.., query, pos]`.
    fn scores(&self, tokens: Var<'g>, examples: Var<'g>) -> Var<'g> {
        tokens.matmul(self.w_q.t()).matmul(examples.matmul(self.w_k.t()).t())
    }

    /// `P W_V e_j`, `[.., pos, d + 1]`.
    fn values(&self, examples: Var<'g>) -> Var<'g> {
        examples.matmul(self.w_v.t()).matmul(self.p.t())
    }
}

/// The layer with a softmax over the examples and some heads: what becomes of `tokens` `[.., query, d + 1]` that attend to
/// `examples` `[.., pos, d + 1]`. As in the paper scores are not divided by the root of their width.
pub fn softmax_layer<'g>(heads: &[LinearAttention<'g>], tokens: Var<'g>, examples: Var<'g>) -> Var<'g> {
    let head = |it: &LinearAttention<'g>| it.scores(tokens, examples).softmax().matmul(it.values(examples));
    heads.iter().fold(tokens, |sum, it| sum + head(it))
}

/// A diagonal matrix `[d + 1, d + 1]`: `x` in the first `d` places, `y` in the last. An input, so that other numbers make the
/// same plan.
fn diagonal(g: &Graph, d: usize, x: f32, y: f32) -> Var<'_> {
    let entry = |i: usize| if i < d { x } else { y };
    g.input(&Tensor::from_fn(&[d + 1, d + 1], |at| if at[0] == at[1] { entry(at[0]) } else { 0.0 }))
}

/// Examples as tokens `(x, y)`: `[.., pos, d]` and `[.., pos]` give `[.., pos, d + 1]`.
pub fn examples<'g>(x: Var<'g>, y: Var<'g>) -> Var<'g> {
    let y = y.reshape(&[&y.shape()[..], &[1]].concat());
    Var::concat(&[x, y], -1)
}

/// What is asked as tokens `(x, -w0 x)`: `[.., query, d]` and `[d]` give `[.., query, d + 1]`.
pub fn asked<'g>(query: Var<'g>, w0: Var<'g>) -> Var<'g> {
    let begins = query.matmul(w0.reshape(&[w0.dim(0), 1]));
    Var::concat(&[query, -begins], -1)
}

/// The predictions `[.., query]` that tokens `[.., query, d + 1]` hold.
pub fn prediction(tokens: Var<'_>) -> Var<'_> {
    let shape = tokens.shape();
    let [lead @ .., width] = &shape[..] else { panic!("tokens are [.., d + 1], not {shape:?}") };
    -tokens.slice(-1, width - 1, 1).reshape(lead)
}

/// The tokens after a layer.
#[derive(Clone, Copy)]
pub struct Read<'g> {
    /// The examples `[.., pos, d + 1]`.
    pub examples: Var<'g>,
    /// What is asked `[.., query, d + 1]`.
    pub queries: Var<'g>,
}

/// The tokens after each of `layers`.
pub fn run<'g>(layers: &[LinearAttention<'g>], examples: Var<'g>, queries: Var<'g>) -> Vec<Read<'g>> {
    let mut now = Read { examples, queries };
    let next = |layer: &LinearAttention<'g>| {
        let [examples, queries] = [now.examples, now.queries].map(|it| layer.layer(it, now.examples));
        now = Read { examples, queries };
        now
    };
    layers.iter().map(next).collect()
}
