//! Reverse mode as a graph rewrite: a derivative is recorded behind what it is the derivative of.
//!
//! [`Graph::grad`] appends the reverse pass to the same recording, one rule a primitive (`rules`) and a shorter one for
//! some definitions (`define`). So `dz/d(anything)` is a tensor like any other: it can be tapped, kept, edited, and
//! differentiated again. What the forward pass computed is used, not computed again, because equal operations are
//! recorded once. For the same reason two inputs of equal values are one tensor, with one gradient.

mod define;
mod rules;

use super::{Graph, Op, Var, matches};
use crate::tensor::size;

impl Graph {
    /// `dz/dv`, of the shape of `v`, for every `v` of `vars`; zeros where `z` does not depend on it. `z` has one element.
    ///
    /// A gradient with respect to an intermediate counts every path from it to `z`, and goes through edits as they were
    /// inserted. Where `z` is a sum over independent samples, the gradients are those of each sample.
    pub fn grad<'g>(&'g self, z: Var<'g>, vars: &[Var<'g>]) -> Vec<Var<'g>> {
        let shape = z.shape();
        assert_eq!(
            size(&shape),
            1,
            "the gradient of {shape:?}: only a number has one; sum it, or use pull_back"
        );
        self.pull_back(z, self.constant(1.0).broadcast(&shape), vars)
    }

    /// `sum_i dy_i dy[i]/dv` for every `v` of `vars`: the product of `dy`, of the shape of `y`, with the Jacobian.
    pub fn pull_back<'g>(&'g self, y: Var<'g>, dy: Var<'g>, vars: &[Var<'g>]) -> Vec<Var<'g>> {
        assert_eq!(y.shape(), dy.shape(), "a cotangent has the shape of its tensor");
        let found = pull(y, dy, vars, &[]);
        let zeros = |v: &Var<'g>| self.constant(0.0).broadcast(&v.shape());
        found.into_iter().zip(vars).map(|(it, v)| it.unwrap_or_else(|| zeros(v))).collect()
    }

    /// The gradients of `z` with respect to every tap of this scope that matches `pattern`, in the order of recording.
    /// That of `blocks.3.attn.pattern` is tapped as `grad.blocks.3.attn.pattern`: ask for that name to keep it.
    pub fn grad_at<'g>(&'g self, z: Var<'g>, pattern: &str) -> Vec<Var<'g>> {
        let scope = self.scope.borrow().clone();
        let own = |name: &str| name.strip_prefix(&scope).is_some_and(|it| matches(pattern, it));
        let taps = self.inner.borrow().taps.clone();
        let taps: Vec<_> = taps.into_iter().filter(|it| own(&it.name)).collect();
        let vars: Vec<Var<'g>> = taps.iter().map(|it| Var { graph: self, id: it.id }).collect();
        let gradients = self.grad(z, &vars).into_iter().zip(&taps);
        gradients.map(|(it, tap)| it.tap(&format!("grad.{}", &tap.name[scope.len()..]), &tap.axes)).collect()
    }
}

/// The cotangents of `wanted`, given that of `y`; `None` where `y` does not depend on it. What lies before `stops` is taken
/// for constant.
fn pull<'g>(y: Var<'g>, dy: Var<'g>, wanted: &[Var<'g>], stops: &[Var<'g>]) -> Vec<Option<Var<'g>>> {
    let graph = y.graph;
    // What was recorded before all that is wanted, such as earlier steps of a training, does not depend on it.
    let first = wanted.iter().map(|v| v.id).fold(y.id, usize::min);
    let depends = dependents(y, first, wanted, stops);
    let depends = |id: usize| id >= first && depends[id - first];
    let mut cotangents: Vec<Option<Var<'g>>> = vec![None; y.id + 1 - first];
    cotangents[y.id - first] = Some(dy);
    for id in (first..=y.id).rev().filter(|id| depends(*id)) {
        let Some(dy) = cotangents[id - first] else { continue };
        if stops.iter().any(|it| it.id == id) {
            continue;
        }
        let node = graph.inner.borrow().nodes[id].clone();
        let x: Vec<Var<'g>> = node.inputs.iter().map(|id| Var { graph, id: *id }).collect();
        for i in (0..x.len()).filter(|i| depends(x[*i].id)) {
            let y = Var { graph, id };
            let dx = match &node.op {
                Op::Def(def) => define::adjoint(*def, &x, y, dy, i),
                op => rules::adjoint(op, &x, y, dy, i),
            };
            let known = cotangents[x[i].id - first];
            cotangents[x[i].id - first] = known.map_or(dx, |known| Some(dx.map_or(known, |dx| known + dx)));
        }
    }
    wanted.iter().map(|v| cotangents.get(v.id - first).copied().flatten()).collect()
}

/// Which nodes from `first` up to `y` depend on one of `wanted`, itself included; none before `first` does.
fn dependents(y: Var<'_>, first: usize, wanted: &[Var<'_>], stops: &[Var<'_>]) -> Vec<bool> {
    let nodes = &y.graph.inner.borrow().nodes;
    let mut depends = vec![false; y.id + 1 - first];
    for v in wanted.iter().filter(|v| v.id <= y.id) {
        depends[v.id - first] = true;
    }
    for id in first..=y.id {
        let stopped = stops.iter().any(|it| it.id == id);
        let depend = |it: &usize| *it >= first && depends[*it - first];
        depends[id - first] |= !stopped && nodes[id].inputs.iter().any(depend);
    }
    depends
}
