//! Meta-saliency and class sensitivity (NormGrad, sections 3.5 and 4.3): what would matter if the model had learnt a little
//! more of this one example, and whether a map depends on the class at all.

use std::collections::BTreeMap;

use super::without_last;
use crate::graph::Var;

/// `theta - epsilon dloss/dtheta` for all parameters: one step of gradient descent, recorded beside the model. To be first
/// order, as the paper's is, the step itself is not differentiated. The parameters themselves stay as they are, so there
/// is nothing to restore; with `epsilon` 0 the step gives them back bit for bit.
pub fn inner_step<'g>(
    parameters: &BTreeMap<String, Var<'g>>,
    loss: Var<'g>,
    epsilon: f32,
) -> BTreeMap<String, Var<'g>> {
    let vars: Vec<Var<'g>> = parameters.values().copied().collect();
    let gradients = loss.graph().grad(loss, &vars);
    let step = |(it, gradient): (Var<'g>, Var<'g>)| it - gradient.detach() * epsilon;
    parameters.keys().cloned().zip(vars.into_iter().zip(gradients).map(step)).collect()
}

/// Spearman's rank correlation of maps `[.., place]`, one for every pair, `[..]`; equal values share the mean of their
/// ranks, and where a map is constant it is 0.
pub fn rank_correlation<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    let (a, b) = (centred_ranks(a), centred_ranks(b));
    let scale = ((a * a).sum(-1) * (b * b).sum(-1)).sqrt();
    without_last((a * b).sum(-1) / scale.max_with(a.graph().constant(f32::MIN_POSITIVE)))
}

/// How many values are smaller than each, minus how many are larger: twice its rank from the middle, `[.., place]`.
fn centred_ranks(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    let all = [&shape[..], &shape[shape.len() - 1..]].concat();
    let row = x.reshape(&[&shape[..], &[1]].concat()).broadcast(&all);
    let column =
        x.reshape(&[&shape[..shape.len() - 1], &[1], &shape[shape.len() - 1..]].concat()).broadcast(&all);
    without_last((column.less(row) - row.less(column)).sum(-1))
}

/// Spearman's rank correlation of two maps; equal values share the mean of their ranks. `None` if one is constant.
pub fn spearman(a: &[f32], b: &[f32]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "maps of one size");
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum() };
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    (scale > 0.0).then(|| product(&a, &b) / scale)
}

/// Ranks from 0.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|i, j| values[*i] == values[*j]) {
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        for i in equal {
            ranks[*i] = rank;
        }
        first += equal.len();
    }
    ranks
}
