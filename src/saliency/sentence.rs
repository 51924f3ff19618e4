//! The same methods for a sentence: which tokens made a decoder expect what it expects next.

use super::method::Method;
use super::probe::Wanted;
use super::relevance::{attention_gradient, relevance};
use super::rollout::rollout;
use crate::graph::Var;
use crate::models::{Gpt, gpt};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::tensor::Tensor;

/// Methods that a sentence has: those that need no picture.
pub const METHODS: [Method; 10] = [
    Method::NormGrad,
    Method::Selective,
    Method::GradCam,
    Method::Linear,
    Method::LayerGradient,
    Method::Gradient,
    Method::GradientInput,
    Method::Rollout,
    Method::AttentionGradient,
    Method::Relevance,
];

/// The maps of all [`METHODS`], `[pos]`, what speaks against dropped, of the logit of the token that `held` names (the
/// likeliest next one if there is none), and that token, `[d_vocab]`. Keeps its logits where it is not held.
pub fn maps<'g>(
    model: &Gpt,
    p: &Params<'_, 'g>,
    ids: &[u32],
    layer: usize,
    held: Option<Var<'g>>,
) -> (Vec<Var<'g>>, Var<'g>) {
    let (g, n) = (p.graph(), ids.len());
    let numbers: Vec<f32> = ids.iter().map(|id| *id as f32).collect();
    let logits = gpt::record(&model.config, g.input(&Tensor::new(&[n], numbers)), p).logits;
    let next = logits.slice(0, n - 1, 1).flat(); // [d_vocab]
    let one_hot = held.unwrap_or_else(|| Wanted::Likeliest.one_hot(next.keep("logits")));
    let z = total(next * one_hot);
    let at = |tap: &str| g.at(tap).unwrap_or_else(|| panic!("the model taps {tap}"));
    let mut vars = vec![at("embed"), at(&format!("blocks.{layer}.resid_pre"))];
    vars.extend((0..model.config.layers).map(|l| at(&format!("blocks.{l}.attn.pattern"))));
    let gradients = g.grad(z, &vars);
    let patterns: Vec<_> = vars.iter().copied().zip(gradients.iter().copied()).skip(2).collect();
    let last = |rows: Var<'g>| rows.slice(0, n - 1, 1).flat(); // what the last token looked at
    // A sentence is a picture of one row.
    let row = |it: Var<'g>| it.reshape(&[1, n, it.dim(-1)]);
    let place = |method: Method, i: usize| method.at(row(vars[i]), row(gradients[i])).flat();
    let map = |method: Method| match method {
        Method::Rollout => {
            last(rollout(&patterns.iter().map(|it| it.0).collect::<Vec<_>>())[patterns.len() - 1])
        }
        Method::AttentionGradient => last(attention_gradient(patterns[layer].0, patterns[layer].1)),
        Method::Relevance => last(relevance(&patterns)[patterns.len() - 1]),
        Method::Gradient => place(Method::LayerGradient, 0),
        Method::GradientInput => place(Method::Linear, 0).abs(),
        _ => place(method, 1),
    };
    (METHODS.into_iter().map(|it| map(it).max_with(g.constant(0.0))).collect(), one_hot)
}
