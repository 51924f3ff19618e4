//! Retention (Sun et al. 2023, "Retentive Network", arXiv 2307.08621): attention without a softmax, whose scores fade with
//! distance. It can be computed like attention, like a recurrent network, or in pieces, with the same result.
//!
//! As in its authors' code, the scores have no scale per channel besides: the decay of the head stands for it.

mod signature;

pub use signature::MECHANISM;

use super::attention::{Attention, untapped};
use super::field::{Places, causal, decay};
use super::recurrence::{Carried, carried};
use crate::graph::Var;
use crate::tensor::Tensor;

/// How it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `(Q K^T o D) V` (eq. 5)
    Parallel,
    /// `S_n = gamma S_{n-1} + k_n^T v_n`, `o_n = q_n S_n` (eq. 6)
    Recurrent,
    /// In pieces of so many tokens: parallel within, recurrent between (eq. 7).
    Chunkwise(usize),
}

/// What a layer of heads retains.
///
/// ```
/// # use vitrine::engine::{Cancel, cpu::Cpu};
/// # use vitrine::graph::Graph;
/// # use vitrine::platform::block_on;
/// # use vitrine::tensor::Tensor;
/// use vitrine::mechanisms::retention::{Form, Retention};
///
/// let g = Graph::default();
/// let ones = g.input(&Tensor::new(&[1, 3, 1], [1.0; 3])); // [head, pos, d]: every token is worth 1
/// let gamma = g.input(&Tensor::new(&[1], [0.5])); // half of it is left a token later
/// for form in [Form::Parallel, Form::Recurrent, Form::Chunkwise(2)] {
///     Retention { gamma, form }.record(ones, ones, ones, None).z.keep(&format!("{form:?}"));
/// }
/// let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default()))?;
/// for z in trace.tensors.values() {
///     let expected = Tensor::new(&[1, 3, 1], [1.0, 1.5, 1.75]);
///     assert!(block_on(z.read())?.max_abs_diff(&expected) < 1e-6);
/// }
/// # Ok::<(), vitrine::engine::EngineError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Retention<'g> {
    /// What a step away is worth, `[head]`, from 0 to 1. 1 is causal linear attention.
    pub gamma: Var<'g>,
    /// How it is computed.
    pub form: Form,
}

/// `gamma_h = 1 - 2^(-5-h)` for `heads` heads (eq. 8).
pub fn gammas(heads: usize) -> Vec<f64> {
    gammas_from(5.0, heads)
}

/// `gamma_h = 1 - 2^(-first-h)` for `heads` heads: faster decays where `first` is below the paper's 5.
pub fn gammas_from(first: f64, heads: usize) -> Vec<f64> {
    (0..heads).map(|h| 1.0 - (-first - h as f64).exp2()).collect()
}

/// After how many tokens `gamma` has halved what was retained.
pub fn half_life(gamma: f64) -> f64 {
    0.5_f64.ln() / gamma.ln()
}

impl<'g> Retention<'g> {
    /// Retention of `q`, `k` `[head, pos, d_head]` and `v` `[head, pos, d_value]`, going on from `state`
    /// `[head, d_head, d_value]` if there was something before.
    pub fn record(&self, q: Var<'g>, k: Var<'g>, v: Var<'g>, state: Option<Var<'g>>) -> Carried<'g> {
        let pos = q.dim(-2);
        let chunk = match self.form {
            Form::Parallel => return self.parallel([q, k, v], state),
            Form::Recurrent => 1,
            Form::Chunkwise(chunk) => chunk,
        };
        let empty = q.graph().constant(0.0).broadcast(&[q.dim(-3), q.dim(-1), v.dim(-1)]);
        carried(pos, chunk, state.unwrap_or(empty), |at, state| {
            let part = [q, k, v].map(|x| x.slice(-2, at.start, at.len()));
            if self.form == Form::Recurrent {
                self.step(part, state)
            } else {
                self.parallel(part, Some(state))
            }
        })
    }

    /// `D` of `pos` tokens, `[head, query, key]`: `gamma^(query - key)`, 0 for later keys (eq. 5).
    pub fn decay(&self, pos: usize) -> Var<'g> {
        let (g, places) = (self.gamma.graph(), Places::line(pos));
        let by_distance = decay(self.column(), places.distances(g, Places::manhattan).reshape(&[1, pos]));
        places.spread(by_distance) * places.mask(g, causal)
    }

    /// All tokens at once, with what is left of the state before them.
    fn parallel(&self, [q, k, v]: [Var<'g>; 3], state: Option<Var<'g>>) -> Carried<'g> {
        let pos = q.dim(-2);
        let attention = Attention { multiply: Some(self.decay(pos)), ..Attention::linear(1.0) };
        let within = attention.record(q, k, v, untapped).z;
        let left = self.powers((0..pos).rev()); // gamma^(pos - 1 - i) for token i
        let retained = (k * left).t().matmul(v);
        let Some(state) = state else { return Carried { z: within, state: retained } };
        let before = (q * self.powers(1..=pos)).matmul(state);
        let faded = state * self.powers(std::iter::once(pos));
        Carried { z: within + before, state: faded + retained }
    }

    /// One token, `[head, 1, ..]`.
    fn step(&self, [q, k, v]: [Var<'g>; 3], state: Var<'g>) -> Carried<'g> {
        let gamma = self.column().reshape(&[self.gamma.dim(0), 1, 1]);
        let state = state * gamma + k.t().matmul(v);
        Carried { z: q.matmul(state), state }
    }

    /// `gamma^n` for every `n`, `[head, n, 1]`.
    fn powers(&self, exponents: impl Iterator<Item = usize>) -> Var<'g> {
        let exponents: Vec<f32> = exponents.map(|n| n as f32).collect();
        let n = exponents.len();
        let exponents = self.gamma.graph().input(&Tensor::new(&[1, n], exponents));
        decay(self.column(), exponents).reshape(&[self.gamma.dim(0), n, 1])
    }

    /// `gamma` as `[head, 1]`.
    fn column(&self) -> Var<'g> {
        self.gamma.reshape(&[self.gamma.dim(0), 1])
    }
}

/// By how much each pair of channels turns a step: `10000^(-m / (d_head/2 - 1))` for `m` from 0, so that the last one is
/// `1/10000`. (Rotary embeddings have `d_head/2` in its place, and never get there.)
pub fn thetas(d_head: usize) -> Vec<f64> {
    let pairs = d_head / 2;
    let slowest = pairs.saturating_sub(1).max(1) as f64;
    (0..pairs).map(|m| 10000_f64.powf(-(m as f64) / slowest)).collect()
}

/// Neighbouring channels as pairs, turned by `theta` times the position (section 2.1): `x` is `[.., pos, d_head]`, its first
/// token at position `first`. A product of two that were turned depends on how far apart they are only.
pub fn rotate(x: Var<'_>, first: usize) -> Var<'_> {
    let shape = x.shape();
    let [lead @ .., pos, d] = &shape[..] else { panic!("tokens are [.., pos, d_head], not {shape:?}") };
    let (thetas, half) = (thetas(*d), d / 2);
    let table = |f: fn(f64) -> f64| {
        let angle = |at: &[usize]| f((first + at[0]) as f64 * thetas[at[1]]) as f32;
        x.graph().input(&Tensor::from_fn(&[*pos, half], angle))
    };
    let (cos, sin) = (table(f64::cos), table(f64::sin));
    let [a, b] = [0, 1].map(|i| x.strided(-1, i, half, 2));
    let pair = [lead, &[*pos, half, 1]].concat();
    let turned = [a * cos - b * sin, b * cos + a * sin].map(|it| it.reshape(&pair));
    Var::concat(&turned, -1).reshape(&shape)
}

/// `x / sqrt(mean x^2 + eps)` over the last axis: the norm of each head (RMSNorm, Zhang & Sennrich 2019, arXiv 1910.07467).
/// The authors' code has it where the paper says GroupNorm; neither minds how a row was scaled.
pub fn rms_norm(x: Var<'_>, eps: f32) -> Var<'_> {
    x / ((x * x).mean(-1) + eps).sqrt()
}
