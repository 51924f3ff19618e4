//! The claims of the three masks as measurements.

use super::{D_HEAD, TOKENS, ThreeMasks, Words};
use crate::exhibits::{Check, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::field::decay;
use crate::mechanisms::retention::{Form, Retention};
use crate::models::Zoo;
use crate::tensor::Tensor;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::shown("rows sum to 1", "rows.error", usual::<ThreeMasks>)
            .says("how far the weights of any row are from a sum of 1, where there is a softmax: largest difference")
            .within(1e-5, ROUNDING),
        Check::of("a wide mask is none", wide)
            .says("weights under a Gaussian mask of width 10000, and under softmax alone: largest difference")
            .within(1e-4, "scores up to 10 times (40 / 10000)² / 2"),
        Check::of("narrow is not local", narrow)
            .says("under a Gaussian mask of width 0.1 every other token has the weight 1 / (e^s + N − 1): largest difference")
            .within(1e-6, ROUNDING),
        Check::of("RMT renormalises", renormalised)
            .says("the decay added as a logarithm gives the same weights as softmax times decay, every row divided by its sum: \
                   largest difference")
            .within(1e-5, "an f32 exponential of scores up to 20 below the largest"),
        Check::of("RetNet's sums are geometric", geometric)
            .says("the row sums where all words are alike and all scores are s, over s, and (1 − γ^(n+1)) / (1 − γ): largest difference")
            .within(1e-4, "f32 sums of up to 40 powers, which come to 12"),
        Check::of("weights = recurrence", recurrent)
            .says("RetNet's weights times the values, and its recurrent form token by token: largest difference")
            .within(1e-4, "f32 sums of up to 40 products in another order, which come to 30"),
        Check::of("nothing looks ahead", looks_ahead)
            .says("RetNet's outputs for the first half when keys and values of the second are exchanged: largest difference")
            .within(0.0, "bit for bit: they are multiplied by 0"),
        Check::devices(usual::<ThreeMasks>)
            .says("weights, sums, entropies and radii on the GPU and on the CPU: largest difference")
            .within(1e-3, "entropies and radii, up to 40, of f32 exponentials"),
    ]
}

const ROUNDING: &str = "f32 sums of 40 weights below 1";

/// Records the largest difference of what comes of `state`.
fn differs(state: &ThreeMasks, f: impl for<'g> Fn([Var<'g>; 5], [Var<'g>; 3]) -> Var<'g>) -> Option<Graph> {
    let g = Graph::default();
    let inputs = state.inputs(&g);
    let patterns = state.attend(inputs).map(|it| it.pattern);
    worst([f(patterns, inputs)])?.reshape(&[]).keep("error");
    Some(g)
}

fn wide(_zoo: &Zoo) -> Option<Graph> {
    let state = ThreeMasks { width: 1e4, words: Words::Chance, ..ThreeMasks::default() };
    differs(&state, |[softmax, mask, ..], _| mask - softmax)
}

fn narrow(_zoo: &Zoo) -> Option<Graph> {
    let state = ThreeMasks { width: 0.1, words: Words::Chance, ..ThreeMasks::default() };
    differs(&state, |[_, mask, ..], [q, k, _]| {
        let own = ((q * k).sum(-1) * (1.0 / (D_HEAD as f32).sqrt())).exp(); // [head, query, 1]
        let others = (own + (TOKENS - 1) as f32).recip();
        let far = super::PLACES.mask(q.graph(), |i, j| i != j);
        (mask - others) * far
    })
}

fn renormalised(_zoo: &Zoo) -> Option<Graph> {
    let state = ThreeMasks { words: Words::Chance, ..ThreeMasks::default() };
    differs(&state, |[softmax, _, rmt, ..], _| {
        let (g, places) = (softmax.graph(), super::PLACES);
        let fallen = g.input(&places.table(|i, j| decay(f64::from(state.gamma()), places.manhattan(i, j))));
        let paper = softmax * fallen;
        rmt - paper / paper.sum(-1)
    })
}

fn geometric(_zoo: &Zoo) -> Option<Graph> {
    let state = ThreeMasks { words: Words::Alike, ..ThreeMasks::default() };
    differs(&state, |[_, _, _, retention, _], _| {
        let gamma = f64::from(state.gamma());
        let sum = |at: &[usize]| ((1.0 - gamma.powi(at[1] as i32 + 1)) / (1.0 - gamma)) as f32;
        let closed = retention.graph().input(&Tensor::from_fn(&[1, TOKENS, 1], sum));
        retention.sum(-1) * (1.0 / state.scale) - closed
    })
}

fn recurrent(_zoo: &Zoo) -> Option<Graph> {
    let state = ThreeMasks { words: Words::Chance, ..ThreeMasks::default() };
    differs(&state, |[_, _, _, retention, _], [q, k, v]| {
        let gamma = q.graph().input(&Tensor::new(&[1], vec![state.gamma()]));
        let k = k * (1.0 / (D_HEAD as f32).sqrt());
        retention.matmul(v) - Retention { gamma, form: Form::Recurrent }.record(q, k, v, None).z
    })
}

fn looks_ahead(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let state = ThreeMasks { words: Words::Chance, ..ThreeMasks::default() };
    let [q, k, v] = state.inputs(&g);
    let half = TOKENS / 2;
    let other =
        |x: Var<'_>| -> Tensor { Tensor::from_fn(&x.shape(), |at| if at[1] < half { 1.0 } else { -2.0 }) };
    let exchanged = [q, k * g.input(&other(k)), v * g.input(&other(v))];
    let [a, b] = [[q, k, v], exchanged].map(|it| state.attend(it)[3].z.slice(-2, 0, half));
    worst([a - b])?.reshape(&[]).keep("error");
    Some(g)
}
