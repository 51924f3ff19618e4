//! What steps take along where nobody looks between: a product its scale, bias and activation, a convolution the last two.

use super::{Act, Compiler};
use crate::graph::{ALIGN, Binary, Def, Op, View};

/// What a product reads.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    pub(super) id: usize,
    /// Whether with its last two axes swapped.
    pub(super) swapped: bool,
}

/// `act?(alpha * (a x b) + bias?)`, as found in the recording, where `a x b` may be a convolution: then `alpha` is 1.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// The node of `a x b` itself.
    pub(super) root: usize,
    pub(super) factors: [Factor; 2],
    pub(super) alpha: f32,
    pub(super) bias: Option<usize>,
    pub(super) act: Option<Act>,
}

impl Compiler<'_> {
    /// Finds what steps can take along.
    pub(super) fn fuse(&mut self) {
        for root in 0..self.nodes.len() {
            if self.uses[root] == 0 {
                continue;
            }
            match self.nodes[root].op {
                Op::Matmul => {
                    let mut alpha = 1.0;
                    let factors = [0, 1].map(|i| self.unscaled(self.nodes[root].inputs[i], &mut alpha));
                    self.fuse_product(Product { root, factors, alpha, bias: None, act: None });
                }
                Op::Def(Def::Conv(_) | Def::ConvGrad { .. }) => {
                    let factors = [0, 1].map(|i| Factor { id: self.nodes[root].inputs[i], swapped: false });
                    self.fuse_product(Product { root, factors, alpha: 1.0, bias: None, act: None });
                }
                _ => {}
            }
        }
        self.find_layer_norms();
        self.find_attention();
        self.find_norm_grads();
    }

    fn fuse_product(&mut self, mut it: Product) {
        let mut end = it.root;
        let scales = self.nodes[end].op == Op::Matmul;
        while let Some(next) = self.reader[end].filter(|_| it.act.is_none()) {
            let node = &self.nodes[next];
            let other = node.inputs.iter().copied().find(|input| *input != end);
            match (&node.op, other) {
                (Op::Binary(Binary::Mul), Some(other)) if it.bias.is_none() && scales => {
                    let Some(factor) = self.scalar(other) else { break };
                    it.alpha *= factor;
                }
                (Op::Binary(Binary::Div), Some(other))
                    if it.bias.is_none() && scales && node.inputs[0] == end =>
                {
                    let Some(divisor) = self.scalar(other) else { break };
                    it.alpha /= divisor;
                }
                (Op::Binary(Binary::Add), Some(other)) if it.bias.is_none() => {
                    let Some(bias) = self.row_vector(other) else { break };
                    it.bias = Some(bias);
                }
                (Op::Def(Def::Gelu), None) if scales => it.act = Some(Act::Gelu),
                (Op::Def(Def::Clamp { low, high }), None) => it.act = Some(Act::Clamp(low.get(), high.get())),
                // Many matrices times one are recorded as one product of all rows, in the batch's shape again.
                (Op::View(View::Reshape), None)
                    if scales && node.shape.last() == self.nodes[end].shape.last() => {}
                _ => break,
            }
            self.absorbed[end] = true;
            end = next;
        }
        self.products.insert(end, it);
    }

    /// What a product reads in the place of `input`: where that is only scaled, or the transpose of what is, what was
    /// scaled, and `alpha` takes the number along. The scaling is left out if nobody else reads it.
    fn unscaled(&mut self, input: usize, alpha: &mut f32) -> Factor {
        let (mut id, mut swapped) = (input, false);
        if let Op::View(View::Permute(order)) = &self.nodes[input].op
            && self.uses[input] == 1
            && order[..order.len() - 2].is_sorted()
            && order.ends_with(&[order.len() - 1, order.len() - 2])
        {
            (id, swapped) = (self.nodes[input].inputs[0], true);
        }
        let as_it_is = Factor { id: input, swapped: false };
        let node = &self.nodes[id];
        let [x, number] = node.inputs[..] else { return as_it_is };
        let scale = match (&node.op, self.scalar(number)) {
            (Op::Binary(Binary::Mul), Some(factor)) => factor,
            (Op::Binary(Binary::Div), Some(divisor)) => 1.0 / divisor,
            _ => return as_it_is,
        };
        if self.products.contains_key(&id) || self.absorbed[id] || self.absorbed[x] {
            return as_it_is;
        }
        *alpha *= scale;
        self.uses[x] += 1;
        self.reader[x] = None;
        self.release(input);
        Factor { id: x, swapped }
    }

    /// One reader less; what nobody reads any more is not computed.
    fn release(&mut self, id: usize) {
        self.uses[id] -= 1;
        if self.uses[id] == 0 {
            for &input in &self.nodes[id].inputs {
                self.release(input);
            }
        }
    }

    /// The number that `id` repeats everywhere, if it is a constant behind views.
    pub(super) fn scalar(&self, id: usize) -> Option<f32> {
        match &self.nodes[id].op {
            Op::Const(value) => Some(value.get()),
            Op::View(View::Reshape | View::Broadcast) => self.scalar(self.nodes[id].inputs[0]),
            _ => None,
        }
    }

    /// The vector that `id` repeats along every axis but the last, if it is one weight, input or part of a pack behind views.
    fn row_vector(&self, id: usize) -> Option<usize> {
        let node = &self.nodes[id];
        match &node.op {
            Op::Weight { .. } | Op::State { .. } | Op::Input { .. } if node.shape.len() == 1 => Some(id),
            // A part of a pack.
            Op::View(View::Slice { start, step: 1, .. }) if node.shape.len() == 1 => {
                start.is_multiple_of(ALIGN).then_some(id)
            }
            Op::View(View::Reshape | View::Broadcast) => {
                let vector = self.row_vector(node.inputs[0])?;
                let last = *node.shape.last()?;
                (self.nodes[vector].shape[0] == last).then_some(vector)
            }
            _ => None,
        }
    }
}
