//! Attention whose pattern nobody looks at is one step: no matrix of all queries and keys is written.

use super::fuse::{Factor, Product};
use super::{Compiler, Kernel};
use crate::graph::{Binary, Def, Op};

/// `softmax(alpha * (q x k) + field?) x v`, as found in the recording.
#[derive(Clone, Copy)]
pub(super) struct Attention {
    /// `q`, `k` and `v`.
    factors: [Factor; 3],
    alpha: f32,
    /// Of the shape of the scores.
    field: Option<usize>,
}

impl Compiler<'_> {
    /// Finds the products with a softmax on their left that can compute it on the way.
    pub(super) fn find_attention(&mut self) {
        let ends: Vec<usize> = self.products.keys().copied().collect();
        for end in ends {
            if let Some((attention, within)) = self.attention(end) {
                for id in within {
                    self.absorbed[id] = true;
                }
                self.attentions.insert(end, attention);
            }
        }
    }

    /// What the product that ends at `end` is, and the nodes that are computed within it.
    fn attention(&self, end: usize) -> Option<(Attention, Vec<usize>)> {
        let mix = self.plain(end).filter(|it| it.alpha.to_bits() == 1.0_f32.to_bits())?;
        let [pattern, v] = mix.factors;
        let softmax = &self.nodes[pattern.id];
        let alone = |id: usize| self.uses[id] == 1 && !self.absorbed[id];
        let keys = softmax.shape.last() != Some(&0);
        if softmax.op != Op::Def(Def::Softmax) || pattern.swapped || !alone(pattern.id) || !keys {
            return None;
        }
        let logits = softmax.inputs[0];
        let is_product = self.products.contains_key(&logits);
        let (scores, field) = match self.nodes[logits].inputs[..] {
            _ if is_product => (logits, None),
            [a, b] if self.nodes[logits].op == Op::Binary(Binary::Add) => {
                let of = |x: usize| alone(x) && self.plain(x).is_some();
                if of(a) { (a, Some(b)) } else { (b, Some(a).filter(|_| of(b))) }
            }
            _ => return None,
        };
        let product = self.plain(scores).filter(|_| alone(scores) && alone(logits))?;
        let (lead, [q, k]) = (&softmax.shape[..softmax.shape.len() - 2], product.factors);
        // One matrix for a whole batch is recorded as one of all rows: that is another shape.
        let batches = [q, k, v]
            .iter()
            .all(|it| self.nodes[it.id].shape.split_last_chunk::<2>().is_some_and(|it| it.0 == lead));
        let found = batches && (is_product || field.is_some());
        let attention = Attention { factors: [q, k, v], alpha: product.alpha, field };
        found.then(|| (attention, vec![scores, logits, pattern.id]))
    }

    /// The product that ends at `id`, if nothing follows it.
    fn plain(&self, id: usize) -> Option<Product> {
        let scales = |it: &Product| self.nodes[it.root].op == Op::Matmul;
        self.products.get(&id).copied().filter(|it| scales(it) && it.bias.is_none() && it.act.is_none())
    }

    /// Emits the step of the attention that ends at `id`.
    pub(super) fn attend(&mut self, id: usize, Attention { factors, alpha, field }: Attention) {
        let field = field.map(|id| Factor { id, swapped: false });
        let factors: Vec<Factor> = factors.into_iter().chain(field).collect();
        let mut inputs = self.matrices(&factors);
        match self.turned(id, &mut inputs) {
            Some(output) => self.step(Kernel::Attention { alpha }, inputs, output),
            None => self.emit(id, Kernel::Attention { alpha }, inputs),
        }
    }
}
