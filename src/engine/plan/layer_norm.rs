//! A layer norm takes along the residual sum that it reads, and writes it behind its result where others read that too.

use super::{Compiler, Fill, Kernel};
use crate::engine::layout::Operand;
use crate::graph::{ALIGN, Binary, Def, Op};
use crate::tensor::size;

impl Compiler<'_> {
    /// Finds the sums that layer norms take along.
    pub(super) fn find_layer_norms(&mut self) {
        for norm in 0..self.nodes.len() {
            let Op::Def(Def::LayerNorm { .. }) = self.nodes[norm].op else { continue };
            let sum = self.nodes[norm].inputs[0];
            let is_sum = self.nodes[sum].op == Op::Binary(Binary::Add) && !self.products.contains_key(&sum);
            if self.uses[norm] > 0
                && is_sum
                && !self.absorbed[sum]
                && (self.reader[sum] == Some(norm) || self.leads(norm, sum))
            {
                self.absorbed[sum] = true;
                self.sums.insert(norm, sum);
            }
        }
    }

    /// Whether `norm` is the first who reads `sum`, both parts of which lie somewhere; nobody keeps it.
    fn leads(&self, norm: usize, sum: usize) -> bool {
        let lies = |id: &usize| {
            let node = &self.nodes[*id];
            let elementwise = matches!(node.op, Op::Unary(_) | Op::Binary(_));
            // What only the sum reads is elementwise with it.
            self.products.contains_key(id)
                || !matches!(node.op, Op::View(_)) && (self.uses[*id] > 1 || !elementwise)
        };
        let reads = |id: usize| self.nodes[id].inputs.iter().filter(|it| **it == sum).count();
        let readers = (sum..self.nodes.len()).filter(|id| self.uses[*id] > 0 && reads(*id) > 0);
        let readers: Vec<usize> = readers.collect();
        let count: usize = readers.iter().map(|id| reads(*id)).sum();
        readers.first() == Some(&norm) && count == self.uses[sum] && self.nodes[sum].inputs.iter().all(lies)
    }

    /// Emits the layer norm at `id`.
    pub(super) fn layer_norm(&mut self, id: usize, eps: f32) {
        let [x, gamma, beta] = self.nodes[id].inputs[..] else { unreachable!("layer norm has three inputs") };
        let kernel = Kernel::LayerNorm { eps };
        let Some(&sum) = self.sums.get(&id) else {
            let inputs = [x, gamma, beta].map(|it| self.rows(it));
            return self.emit(id, kernel, inputs.to_vec());
        };
        let [x, residual] = self.nodes[sum].inputs[..] else { unreachable!("a sum has two parts") };
        let inputs = [x, gamma, beta, residual].map(|it| self.rows(it)).to_vec();
        if self.reader[sum] == Some(id) {
            self.emit(id, kernel, inputs);
        } else {
            let output = self.pair(id, sum);
            self.step(kernel, inputs, output);
        }
    }

    /// One slot for the results of `first` and, behind it, of `second`, as a new axis of two before the others. What of them is
    /// packed is copied from there.
    pub(super) fn pair(&mut self, first: usize, second: usize) -> Operand {
        (self.homes[first], self.homes[second]) = (None, None);
        let shape = &self.nodes[first].shape;
        let each = size(shape).next_multiple_of(ALIGN);
        let slot = self.slot(2 * each, Fill::Scratch);
        let it = Operand::rows(slot, shape);
        let (shape, strides) = ([&[2], &shape[..]].concat(), [&[each], &it.strides[..]].concat());
        self.operands[second] = Some(Operand { offset: each, ..it.clone() });
        self.operands[first] = Some(it);
        Operand { slot, offset: 0, shape, strides }
    }
}
