//! What training makes small.

use crate::graph::Var;
use crate::tensor::{Tensor, size};

/// `log softmax(x)` over the last axis, without the detour through numbers that underflow.
pub fn log_softmax(x: Var<'_>) -> Var<'_> {
    let centred = x - x.max(-1).detach();
    centred - centred.exp().sum(-1).log()
}

/// `[.., classes]`: 1 where the class is that of `labels` `[..]`, whole numbers, else 0.
pub fn one_hot(labels: Var<'_>, classes: usize) -> Var<'_> {
    let g = labels.graph();
    let numbers = g.input(&Tensor::from_fn(&[classes], |at| at[0] as f32));
    let labels = labels.reshape(&[&labels.shape()[..], &[1]].concat());
    (labels - numbers).abs().less(g.constant(0.5))
}

/// The mean over `labels` `[..]` of `-log softmax(logits)[label]`, with `logits` `[.., classes]`: nats.
pub fn cross_entropy<'g>(logits: Var<'g>, labels: Var<'g>) -> Var<'g> {
    let picked = log_softmax(logits) * one_hot(labels, logits.dim(-1));
    -total(picked) / size(&labels.shape()) as f32
}

/// `-log p` of every token but the first, given those before it: `[pos - 1]`, in nats, of `logits` `[pos, vocab]`.
pub fn surprise<'g>(logits: Var<'g>, ids: &[u32]) -> Var<'g> {
    let following: Vec<f32> = ids.iter().skip(1).map(|id| *id as f32).collect();
    let n = following.len();
    let following = one_hot(logits.graph().input(&Tensor::new(&[n], following)), logits.dim(-1));
    (-(log_softmax(logits.slice(0, 0, n)) * following).sum(-1)).reshape(&[n])
}

/// The share of `labels` `[..]` whose logit is the largest of `logits` `[.., classes]`, 0 to 1. Of equal largest ones all
/// count.
pub fn accuracy<'g>(logits: Var<'g>, labels: Var<'g>) -> Var<'g> {
    let wrong = (logits * one_hot(labels, logits.dim(-1))).sum(-1).less(logits.max(-1));
    total(wrong) / -(size(&labels.shape()) as f32) + 1.0
}

/// The sum of all elements, without axes.
pub fn total(x: Var<'_>) -> Var<'_> {
    x.flat().sum(0).reshape(&[])
}
