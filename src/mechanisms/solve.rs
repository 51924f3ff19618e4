//! Systems of linear equations in primitives, for matrices that are symmetric and have no negative eigenvalue.

use crate::graph::{Graph, Var};
use crate::tensor::Tensor;

/// A pivot below this share of its diagonal entry is what f32 rounds: its equation depends on those before it.
const DEPENDS: f32 = 1e-6;

/// `A^-1 b` for `a` `[.., n, n]` and `b` `[.., n, m]`, by Gauss and Jordan without pivoting, which symmetric matrices without
/// negative eigenvalues do not need. Where an equation depends on those before it, its unknown is 0.
pub fn solve<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    let n = a.dim(-1);
    let mut rows = Var::concat(&[a, b], -1); // [.., n, n - k + m]: columns leave when they are unit vectors
    for k in 0..n {
        let row = rows.slice(-2, k, 1);
        let pivot = row.slice(-1, 0, 1);
        let least = a.slice(-2, k, 1).slice(-1, k, 1) * DEPENDS;
        let stands = least.less(pivot);
        let scaled = row * (stands / (pivot * stands + (stands * -1.0 + 1.0)));
        let unit = unit(a.graph(), n, k);
        let others = rows.slice(-1, 0, 1) - unit; // [.., n, 1]
        let eliminated = rows - others * scaled - unit * (row - row * stands);
        rows = eliminated.slice(-1, 1, eliminated.dim(-1) - 1);
    }
    rows
}

/// The unit vector `[n, 1]` along `k`.
fn unit(g: &Graph, n: usize, k: usize) -> Var<'_> {
    g.input(&Tensor::from_fn(&[n, 1], |at| f32::from(u8::from(at[0] == k))))
}

/// The unit matrix `[n, n]`.
pub fn identity(g: &Graph, n: usize) -> Var<'_> {
    // Of rows that are one longer than a square's, the first elements lie on its diagonal.
    let rows = g.constant(1.0).broadcast(&[n, 1]).pad(1, 0, n, 0.0);
    rows.reshape(&[n * (n + 1)]).slice(0, 0, n * n).reshape(&[n, n])
}
