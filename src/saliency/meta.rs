//! Meta-saliency and class sensitivity (NormGrad, sections 3.5 and 4.3): what would matter if the model had learnt a little
//! more of this one example, and whether a map depends on the class at all.

use std::collections::BTreeMap;

use super::method::Method;
use super::probe::{Probe, Wanted, probe};
use super::without_last;
use crate::graph::Var;
use crate::models::Vision;
use crate::nn::Params;
use crate::nn::loss::{log_softmax, total};

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

/// The model after a step of learning one image as an example of the class that a probe explains: its parameters before and
/// after, by name.
pub struct Stepped<'g> {
    /// All parameters as they are.
    pub before: BTreeMap<String, Var<'g>>,
    /// What they are after the step.
    pub after: BTreeMap<String, Var<'g>>,
}

impl<'g> Stepped<'g> {
    /// A step of length `epsilon` down the cross-entropy of the class (section 3.5).
    pub fn learn(model: &dyn Vision, p: &Params<'_, 'g>, plain: &Probe<'g>, epsilon: f32) -> Self {
        let names = model.sizes().parameters().into_iter().map(|(name, _)| name);
        let before: BTreeMap<_, _> = names.map(|name| (name.clone(), p.get(&name))).collect();
        let loss = -total(log_softmax(plain.logits) * plain.one_hot);
        let after = inner_step(&before, loss, epsilon);
        Self { before, after }
    }

    /// How far the step went, squared, without axes.
    pub fn squared(&self) -> Var<'g> {
        sum_of_squares(self.before.iter().map(|(name, it)| self.after[name] - *it))
    }

    /// How far it went, as a part of the parameters' length, without axes.
    pub fn share(&self) -> Var<'g> {
        (self.squared() / sum_of_squares(self.before.values().copied())).sqrt()
    }

    /// The model after the step, probed for the same class.
    pub fn probe(&self, model: &dyn Vision, plain: &Probe<'g>) -> Probe<'g> {
        let g = plain.logits.graph();
        let p = Params::recorded(g, &self.after);
        g.scope("stepped", || probe(model, plain.image.0, &p, |_| plain.one_hot))
    }
}

fn sum_of_squares<'g>(tensors: impl Iterator<Item = Var<'g>>) -> Var<'g> {
    let sum = tensors.map(|it| total(it * it)).reduce(|a, b| a + b);
    sum.unwrap_or_else(|| unreachable!("a model has parameters"))
}

/// Maps are compared in this size.
const GRID: usize = 14;

/// By layer: the rank correlation of `NormGrad`'s maps for the likeliest and the least likely class, mean of `images`
/// `[n, row, col, channel]`; as the model is, and after a step of `epsilon` of learning each class.
pub fn sensitivity<'g>(model: &dyn Vision, images: Var<'g>, epsilon: f32) -> Vec<[Var<'g>; 2]> {
    let (g, shape) = (images.graph(), images.shape());
    let p = Params::new(g, model.weights());
    let each = (0..shape[0]).map(|i| {
        let image = images.slice(0, i, 1).reshape(&shape[1..]);
        let [most, least] = [Wanted::Likeliest, Wanted::Unlikeliest].map(|wanted| {
            let plain = g.scope("class", || probe(model, image, &p, |logits| wanted.one_hot(logits)));
            let stepped =
                g.scope("class", || Stepped::learn(model, &p, &plain, epsilon).probe(model, &plain));
            [plain, stepped].map(|it| small_maps(&it))
        });
        let agree = |k: usize, l: usize| rank_correlation(most[k][l], least[k][l]);
        (0..model.layers().len()).map(|l| [agree(0, l), agree(1, l)]).collect::<Vec<_>>()
    });
    let add = |sum: Vec<[Var<'g>; 2]>, it: Vec<[Var<'g>; 2]>| {
        sum.into_iter().zip(it).map(|(a, b)| [a[0] + b[0], a[1] + b[1]]).collect()
    };
    let sums = each.reduce(add).unwrap_or_default();
    sums.into_iter().map(|it| it.map(|sum| sum / shape[0] as f32)).collect()
}

/// The maps of `NormGrad` at every layer, brought to one size, `[place]`.
fn small_maps<'g>(probe: &Probe<'g>) -> Vec<Var<'g>> {
    let small = |x: Var<'g>, dx: Var<'g>| {
        let map = Method::NormGrad.at(x, dx);
        let [h, w] = [map.dim(0) / GRID, map.dim(1) / GRID];
        let map = map.slice(0, 0, h * GRID).slice(1, 0, w * GRID);
        map.reshape(&[GRID, h, GRID, w]).mean(-1).mean(1).reshape(&[GRID * GRID])
    };
    probe.layers.iter().map(|(_, x, dx)| small(*x, *dx)).collect()
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
