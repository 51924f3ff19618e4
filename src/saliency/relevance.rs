//! Attention with its gradient: which tokens matter for one answer, not in general (Chefer, Gur & Wolf 2021, "Generic
//! Attention-model Explainability", arXiv 2103.15679, equations 5 and 6).

use super::identity;
use crate::graph::Var;

/// `mean_h max(0, A o dz/dA)`, `[query, key]`, of patterns and their gradients `[head, query, key]`.
pub fn attention_gradient<'g>(pattern: Var<'g>, gradient: Var<'g>) -> Var<'g> {
    let product = pattern * gradient;
    let n = pattern.dim(-1);
    product.max_with(product.graph().constant(0.0)).mean(0).reshape(&[n, n])
}

/// `R[0] = I`, `R[l+1] = R[l] + mean_h max(0, A o dz/dA) R[l]`, after every layer, from pairs of patterns and gradients.
pub fn relevance<'g>(layers: &[(Var<'g>, Var<'g>)]) -> Vec<Var<'g>> {
    let mut all: Vec<Var<'g>> = vec![];
    for (pattern, gradient) in layers {
        let n = pattern.dim(-1);
        let below = all.last().copied().unwrap_or_else(|| identity(pattern.graph(), n));
        all.push(below + attention_gradient(*pattern, *gradient).matmul(below));
    }
    all
}
