//! The layers that models share, and where they find their parameters.

mod activation;
mod block;
mod conv;
pub mod init;
pub mod loss;
pub mod optim;
mod patch;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use activation::{Activation, relu, relu6};
pub use block::{Attends, Block, parameters as block_parameters};
pub use conv::{
    avg_pool, conv, conv2d, depthwise_conv, depthwise_conv2d, global_avg_pool, max_pool, pad_same,
};
pub use patch::patch_embed;

use crate::graph::{Graph, Var};
pub use crate::mechanisms::attention::l2_normalise;
pub use crate::mechanisms::gelu::gelu_tanh;
use crate::tensor::size;
use crate::weights::Weights;

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

/// One number for each class: `[.., d] -> [.., class]`, also where `x` is a single vector.
pub fn classify<'g>(x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let shape = x.shape();
    let [lead @ .., d] = &shape[..] else { panic!("a vector is classified, not {shape:?}") };
    let y = linear(x.reshape(&[size(lead), *d]), p);
    y.reshape(&[lead, &[y.dim(-1)]].concat())
}

/// Layer normalisation of the last axis (Ba et al. 2016, arXiv 1607.06450, eq. 4), with gain and bias.
pub fn layer_norm<'g>(x: Var<'g>, p: &Params<'_, 'g>, eps: f32) -> Var<'g> {
    x.layer_norm(p.get("weight"), p.get("bias"), eps)
}

/// Each head its own columns: `[.., pos, head * d_head] -> [.., head, pos, d_head]`.
pub fn split_heads(x: Var<'_>, heads: usize) -> Var<'_> {
    let shape = x.shape();
    let [lead @ .., pos, d] = &shape[..] else { panic!("heads of {shape:?}") };
    exchange(x.reshape(&[lead, &[*pos, heads, d / heads]].concat()))
}

/// The heads side by side again: `[.., head, pos, d_head] -> [.., pos, head * d_head]`.
pub fn join_heads(z: Var<'_>) -> Var<'_> {
    let shape = z.shape();
    let [lead @ .., heads, pos, d_head] = &shape[..] else { panic!("no heads in {shape:?}") };
    exchange(z).reshape(&[lead, &[*pos, heads * d_head]].concat())
}

/// The two axes before the last exchanged.
fn exchange(x: Var<'_>) -> Var<'_> {
    let rank = x.shape().len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 3, rank - 2);
    x.permute(&order)
}

/// Names `x`; an axis more than `axes` names is a batch. Models take one input without a batch axis or a batch of them,
/// and their taps follow.
pub fn tap<'g>(x: Var<'g>, name: &str, axes: &str) -> Var<'g> {
    let batched = x.shape().len() > axes.split(' ').count();
    if batched { x.tap(name, &format!("batch {axes}")) } else { x.tap(name, axes) }
}

/// Name and shape of a layer's parameters: its weight, and a bias for each of the weight's outputs, its first axis.
pub fn layer(name: &str, weight: Vec<usize>) -> [(String, Vec<usize>); 2] {
    let bias = vec![weight[0]];
    [(format!("{name}.weight"), weight), (format!("{name}.bias"), bias)]
}
