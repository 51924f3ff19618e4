//! The pointing game (Zhang et al. 2016, arXiv 1608.00507): does the largest value of a map lie where the thing is?

use super::method::Method;
use super::probe::{Wanted, probe};
use crate::data::fashion::CLASSES;
use crate::data::{Collage, collage, image};
use crate::graph::{Graph, Var};
use crate::models::Vision;
use crate::nn::Params;
use crate::tensor::Tensor;

/// Seed of the collages: none that is offered for looking at.
const SEED: u64 = 2;

/// Collages in one batch: what is kept of all layers for one of 64 would take 700 MB.
const AT_ONCE: usize = 8;

/// The first `n` collages that are pointed at.
pub fn collages(n: usize) -> Vec<Collage> {
    let clothes = image::clothes();
    (0..n).map(|i| Collage::new(&clothes, SEED, i as u64)).collect()
}

/// The share of `n` collages in which each method points at the quarter of the class that is asked for, by method and layer.
/// `None`: the model was not trained on collages.
pub fn shares<'g>(
    g: &'g Graph,
    model: &dyn Vision,
    methods: &[Method],
    n: usize,
) -> Option<Vec<Vec<Var<'g>>>> {
    let (all, p) = (collages(n), Params::new(g, model.weights()));
    let side = collage::batch(all.get(..1)?, CLASSES.len()).0.shape[1];
    if model.side() != side || model.channels() != 1 || model.classes().len() != CLASSES.len() {
        return None;
    }
    let hits = |part: &[Collage]| -> Vec<Vec<Var<'g>>> {
        let (images, _) = collage::batch(part, CLASSES.len());
        let wanted = Wanted::Each(part.iter().map(|it| usize::from(it.label())).collect());
        let asked: Vec<usize> = part.iter().map(|it| it.asked).collect();
        let probe =
            g.scope("pointing", || probe(model, g.input(&images), &p, |logits| wanted.one_hot(logits)));
        let hits = |method: Method, x, dx| quarters(method.at(x, dx), &asked).sum(0);
        let of = |method: &Method| probe.layers.iter().map(|(_, x, dx)| hits(*method, *x, *dx)).collect();
        methods.iter().map(of).collect()
    };
    let sum = |a: Vec<Vec<Var<'g>>>, b: Vec<Vec<Var<'g>>>| {
        let both = |(a, b): (Vec<Var<'g>>, Vec<Var<'g>>)| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
        a.into_iter().zip(b).map(both).collect()
    };
    let all = all.chunks(AT_ONCE).map(hits).reduce(sum)?;
    Some(all.into_iter().map(|layers| layers.into_iter().map(|it| it / n as f32).collect()).collect())
}

/// For maps `[n, row, col]` of collages of four pictures, and the quarters `[n]` that were asked for: 1 where the largest
/// value lies in it, 0 where it does not, `[n]`. Where several quarters share the largest value, as in a map of zeros, it
/// is the chance of drawing the right one.
pub fn quarters<'g>(maps: Var<'g>, asked: &[usize]) -> Var<'g> {
    let [n, h, w] = maps.shape()[..] else { panic!("maps are [n, row, col], not {:?}", maps.shape()) };
    assert!(
        n == asked.len() && h.is_multiple_of(2) && w.is_multiple_of(2),
        "{n} maps of {h} x {w} in quarters"
    );
    let peaks = maps.reshape(&[n, 2, h / 2, 2, w / 2]).max(-1).max(2).reshape(&[n, 4]);
    let best = peaks.max(-1).broadcast(&[n, 4]);
    let largest = peaks.less(best) * -1.0 + 1.0; // 1 for every quarter that attains it
    let right = Tensor::from_fn(&[n, 4], |at| f32::from(u8::from(asked[at[0]] == at[1])));
    let hits = (largest * maps.graph().input(&right)).sum(-1) / largest.sum(-1);
    hits.reshape(&[n])
}
