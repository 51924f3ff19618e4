//! The layers that models share, and where they find their parameters.

pub mod init;
pub mod loss;
pub mod optim;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Weights;
use crate::graph::{Graph, Var};

/// Parameters under a dotted path, by the names that `torch.nn` gives them: of a weight file, or in training.
pub struct Params<'w, 'g> {
    graph: &'g Graph,
    source: Source<'w, 'g>,
    path: String,
}

#[derive(Clone, Copy)]
enum Source<'w, 'g> {
    File(&'w Arc<Weights>),
    Recorded(&'w BTreeMap<String, Var<'g>>),
}

impl<'w, 'g> Params<'w, 'g> {
    /// All parameters of a file.
    pub fn new(graph: &'g Graph, weights: &'w Arc<Weights>) -> Self {
        Self { graph, source: Source::File(weights), path: String::new() }
    }

    /// Parameters that are recorded already, by name.
    pub fn recorded(graph: &'g Graph, vars: &'w BTreeMap<String, Var<'g>>) -> Self {
        Self { graph, source: Source::Recorded(vars), path: String::new() }
    }

    /// The recording that they belong to.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The parameters under `name`.
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        Self { path: format!("{}{name}.", self.path), ..*self }
    }

    /// The parameter `name` itself.
    pub fn get(&self, name: &str) -> Var<'g> {
        let name = format!("{}{name}", self.path);
        match self.source {
            Source::File(weights) => self.graph.weight(weights, &name),
            Source::Recorded(vars) => *vars.get(&name).unwrap_or_else(|| panic!("no parameter named {name}")),
        }
    }
}

/// `y = x W^T + b`: `[.., in] -> [.., out]`. `torch.nn` keeps `W` as `[out, in]`.
pub fn linear<'g>(x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    x.matmul(p.get("weight").t()) + p.get("bias")
}

/// Layer normalisation of the last axis (Ba et al. 2016, arXiv 1607.06450, eq. 4), with gain and bias.
pub fn layer_norm<'g>(x: Var<'g>, p: &Params<'_, 'g>, eps: f32) -> Var<'g> {
    x.layer_norm(p.get("weight"), p.get("bias"), eps)
}

/// `x / |x|` over the last axis; a vector of zeros stays one.
pub fn l2_normalise(x: Var<'_>) -> Var<'_> {
    let norm = (x * x).sum(-1).sqrt();
    x / norm.max_with(x.graph().constant(1e-12))
}

/// Each head its own columns: `[pos, head * d_head] -> [head, pos, d_head]`.
pub fn split_heads(x: Var<'_>, heads: usize) -> Var<'_> {
    let [pos, d] = [x.dim(0), x.dim(1)];
    x.reshape(&[pos, heads, d / heads]).permute(&[1, 0, 2])
}

/// The heads side by side again: `[head, pos, d_head] -> [pos, head * d_head]`.
pub fn join_heads(z: Var<'_>) -> Var<'_> {
    let [heads, pos, d_head] = [z.dim(0), z.dim(1), z.dim(2)];
    z.permute(&[1, 0, 2]).reshape(&[pos, heads * d_head])
}
