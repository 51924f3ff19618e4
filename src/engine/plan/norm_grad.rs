//! The derivative of a layer norm takes along what would read the same rows again: the residual stream's own derivative, which
//! is added to its result, and what the gradient of the gain sums up.

use super::{Compiler, Kernel};
use crate::graph::{Binary, Def, Op};

/// `residual? + dx`, and `dy u` behind it, as found in the recording.
#[derive(Clone, Copy)]
pub(super) struct NormGrad {
    /// The node of `dx` itself.
    root: usize,
    residual: Option<usize>,
    /// The node of `dy u`, where `u` is the layer norm without gain and bias.
    gain: Option<usize>,
}

impl Compiler<'_> {
    /// Finds what the derivatives of layer norms can take along.
    pub(super) fn find_norm_grads(&mut self) {
        for root in 0..self.nodes.len() {
            let Op::Def(Def::LayerNormGrad { .. }) = self.nodes[root].op else { continue };
            if self.uses[root] == 0 {
                continue;
            }
            let (mut end, mut residual) = (root, None);
            if let Some((sum, other)) = self.residual(root) {
                self.absorbed[root] = true;
                (end, residual) = (sum, Some(other));
            }
            let gain = self.gain(root).filter(|(product, _)| *product > end);
            if let Some((product, unit)) = gain {
                self.absorbed[product] = true;
                self.absorbed[unit] = true;
            }
            self.norm_grads.insert(end, NormGrad { root, residual, gain: gain.map(|it| it.0) });
        }
    }

    /// The sum that is the only reader of `id`, and its other side, if that is computed before, for others too.
    fn residual(&self, id: usize) -> Option<(usize, usize)> {
        let sum = self.reader[id].filter(|it| self.nodes[*it].op == Op::Binary(Binary::Add))?;
        let other = *self.nodes[sum].inputs.iter().find(|it| **it != id)?;
        let taken =
            self.absorbed[sum] || self.products.contains_key(&sum) || self.norm_grads.contains_key(&sum);
        // What only the sum reads is elementwise with it.
        let apart = self.uses[other] > 1 && !matches!(self.nodes[other].op, Op::View(_));
        (apart && !taken).then_some((sum, other))
    }

    /// `dy u` and `u` of the same rows as the derivative `root`.
    fn gain(&self, root: usize) -> Option<(usize, usize)> {
        let Op::Def(Def::LayerNormGrad { eps }) = self.nodes[root].op else { return None };
        let [x, _, dy] = self.nodes[root].inputs[..] else { return None };
        let is_number =
            |id: usize, number: f32| self.scalar(id).is_some_and(|it| it.to_bits() == number.to_bits());
        let unit = (root..self.nodes.len()).find(|id| {
            let node = &self.nodes[*id];
            let same =
                node.op == Op::Def(Def::LayerNorm { eps }) && node.inputs[0] == x && self.uses[*id] == 1;
            same && is_number(node.inputs[1], 1.0) && is_number(node.inputs[2], 0.0)
        })?;
        let product = self.reader[unit].filter(|it| self.nodes[*it].op == Op::Binary(Binary::Mul))?;
        (self.nodes[product].inputs.contains(&dy) && !self.absorbed[product]).then_some((product, unit))
    }

    /// Emits the step of the derivative that ends at `id`.
    pub(super) fn norm_grad(&mut self, id: usize, NormGrad { root, residual, gain }: NormGrad) {
        let nodes = self.nodes;
        let Op::Def(Def::LayerNormGrad { eps }) = nodes[root].op else {
            unreachable!("the root is a derivative")
        };
        let inputs = nodes[root].inputs.iter().copied().chain(residual).map(|it| self.rows(it)).collect();
        let kernel = Kernel::LayerNormGrad { eps: eps.get() };
        let Some(gain) = gain else { return self.emit(id, kernel, inputs) };
        let output = self.pair(id, gain);
        self.step(kernel, inputs, output);
    }
}
