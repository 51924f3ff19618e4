//! The pointing game (Zhang et al. 2016, arXiv 1608.00507): does the largest value of a map lie where the thing is?

use crate::graph::Var;
use crate::tensor::Tensor;

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
