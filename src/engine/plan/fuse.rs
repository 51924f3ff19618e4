//! What steps take along: a product its scale, bias and GELU, a layer norm its residual sum, where nobody looks between.

use super::Compiler;
use crate::graph::{Binary, Def, Op, View};

/// `gelu?(alpha * (root) + bias?)`, as found in the recording.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) root: usize,
    pub(super) alpha: f32,
    pub(super) bias: Option<usize>,
    pub(super) gelu: bool,
}

impl Compiler<'_> {
    /// Finds what products and layer norms can take along.
    pub(super) fn fuse(&mut self) {
        for root in 0..self.nodes.len() {
            if self.uses[root] == 0 {
                continue;
            }
            if self.nodes[root].op == Op::Matmul {
                self.fuse_product(root);
            }
            if let Op::Def(Def::LayerNorm { .. }) = self.nodes[root].op {
                let sum = self.nodes[root].inputs[0];
                let is_sum = self.nodes[sum].op == Op::Binary(Binary::Add);
                self.absorbed[sum] =
                    is_sum && self.reader[sum] == Some(root) && !self.products.contains_key(&sum);
            }
        }
    }

    fn fuse_product(&mut self, root: usize) {
        let mut it = Product { root, alpha: 1.0, bias: None, gelu: false };
        let mut end = root;
        while let Some(next) = self.reader[end] {
            let node = &self.nodes[next];
            let other = node.inputs.iter().copied().find(|input| *input != end);
            match (&node.op, other) {
                (Op::Binary(Binary::Mul), Some(other)) if it.bias.is_none() && !it.gelu => {
                    let Some(factor) = self.scalar(other) else { break };
                    it.alpha *= factor;
                }
                (Op::Binary(Binary::Div), Some(other))
                    if it.bias.is_none() && !it.gelu && node.inputs[0] == end =>
                {
                    let Some(divisor) = self.scalar(other) else { break };
                    it.alpha /= divisor;
                }
                (Op::Binary(Binary::Add), Some(other)) if it.bias.is_none() && !it.gelu => {
                    let Some(bias) = self.row_vector(other) else { break };
                    it.bias = Some(bias);
                }
                (Op::Def(Def::Gelu), None) if !it.gelu => it.gelu = true,
                // Many matrices times one are recorded as one product of all rows, in the batch's shape again.
                (Op::View(View::Reshape), None) if node.shape.last() == self.nodes[end].shape.last() => {}
                _ => break,
            }
            self.absorbed[end] = true;
            end = next;
        }
        self.products.insert(end, it);
    }

    /// The number that `id` repeats everywhere, if it is a constant behind views.
    fn scalar(&self, id: usize) -> Option<f32> {
        match &self.nodes[id].op {
            Op::Const(value) => Some(value.get()),
            Op::View(View::Reshape | View::Broadcast) => self.scalar(self.nodes[id].inputs[0]),
            _ => None,
        }
    }

    /// The vector that `id` repeats along every axis but the last, if it is one weight or input behind views.
    fn row_vector(&self, id: usize) -> Option<usize> {
        let node = &self.nodes[id];
        match &node.op {
            Op::Weight { .. } | Op::State { .. } | Op::Input { .. } if node.shape.len() == 1 => Some(id),
            Op::View(View::Reshape | View::Broadcast) => {
                let vector = self.row_vector(node.inputs[0])?;
                let last = *node.shape.last()?;
                (self.nodes[vector].shape[0] == last).then_some(vector)
            }
            _ => None,
        }
    }
}
