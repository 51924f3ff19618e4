//! Attention: scores, field and softmax are one step, and where nobody looks at the pattern the mix of values is in it too, so that
//! no matrix of all queries and keys is written.

use super::fuse::{Factor, Product};
use super::{Compiler, Kernel};
use crate::graph::{Binary, Def, Op};

/// `softmax(alpha * (q x k) + field?)`, as found in the recording.
#[derive(Clone, Copy)]
pub(super) struct Pattern {
    /// `q` and `k`.
    factors: [Factor; 2],
    alpha: f32,
    /// Of the shape of the scores.
    field: Option<Factor>,
}

/// A pattern that nobody looks at, times `v`.
#[derive(Clone, Copy)]
pub(super) struct Attention {
    pattern: Pattern,
    v: Factor,
}

impl Compiler<'_> {
    /// Finds the softmaxes that can compute their scores on the way, and the products that can compute such a softmax.
    pub(super) fn find_attention(&mut self) {
        for id in 0..self.nodes.len() {
            if let Some((pattern, within)) = self.pattern(id) {
                for id in within {
                    self.absorbed[id] = true;
                }
                self.patterns.insert(id, pattern);
            }
        }
        let ends: Vec<usize> = self.products.keys().copied().collect();
        for end in ends {
            if let Some((attention, pattern)) = self.attention(end) {
                self.absorbed[pattern] = true;
                self.attentions.insert(end, attention);
            }
        }
    }

    /// What the softmax at `id` is of, and the nodes that are computed within it.
    fn pattern(&self, id: usize) -> Option<(Pattern, [usize; 2])> {
        let softmax = &self.nodes[id];
        if softmax.op != Op::Def(Def::Softmax) || self.uses[id] == 0 || softmax.shape.last() == Some(&0) {
            return None;
        }
        let logits = softmax.inputs[0];
        let (scores, field) = match self.nodes[logits].inputs[..] {
            _ if self.products.contains_key(&logits) => (logits, None),
            [a, b] if self.nodes[logits].op == Op::Binary(Binary::Add) => {
                let of = |x: usize| self.alone(x) && self.plain(x).is_some();
                if of(a) { (a, Some(b)) } else { (b, Some(a).filter(|_| of(b))) }
            }
            _ => return None,
        };
        let product = self.plain(scores).filter(|_| self.alone(scores) && self.alone(logits))?;
        let found = self.of_matrices(id, &product.factors) && (scores == logits || field.is_some());
        let field = field.map(|id| Factor { id, swapped: false });
        let pattern = Pattern { factors: product.factors, alpha: product.alpha, field };
        found.then_some((pattern, [scores, logits]))
    }

    /// What the product that ends at `end` is, and the pattern that is computed within it.
    fn attention(&self, end: usize) -> Option<(Attention, usize)> {
        // As the scores of another pattern it is computed there, from this pattern.
        let mix =
            self.plain(end).filter(|it| it.alpha.to_bits() == 1.0_f32.to_bits() && !self.absorbed[end])?;
        let [Factor { id, swapped }, v] = mix.factors;
        let pattern = *self.patterns.get(&id).filter(|_| !swapped && self.alone(id))?;
        self.of_matrices(id, &[v]).then_some((Attention { pattern, v }, id))
    }

    /// Whether `factors` are as many matrices as there are patterns at `id`. One matrix for a whole batch is recorded as one of all
    /// rows: that is another shape.
    fn of_matrices(&self, id: usize, factors: &[Factor]) -> bool {
        let lead = |id: usize| self.nodes[id].shape.split_last_chunk::<2>().map(|it| it.0);
        lead(id).is_some() && factors.iter().all(|it| lead(it.id) == lead(id))
    }

    /// Whether only one step reads `id`, and none has it in itself yet.
    fn alone(&self, id: usize) -> bool {
        self.uses[id] == 1 && !self.absorbed[id]
    }

    /// The product that ends at `id`, if nothing follows it.
    fn plain(&self, id: usize) -> Option<Product> {
        let scales = |it: &Product| self.nodes[it.root].op == Op::Matmul;
        self.products.get(&id).copied().filter(|it| scales(it) && it.bias.is_none() && it.act.is_none())
    }

    /// Emits the step of the softmax at `id` and its scores.
    pub(super) fn soften(&mut self, id: usize, Pattern { factors: [q, k], alpha, field }: Pattern) {
        let factors: Vec<Factor> = [q, k].into_iter().chain(field).collect();
        let inputs = self.matrices(&factors);
        self.emit(id, Kernel::Pattern { alpha }, inputs);
    }

    /// Emits the step of the attention that ends at `id`.
    pub(super) fn attend(&mut self, id: usize, Attention { pattern, v }: Attention) {
        let Pattern { factors: [q, k], alpha, field } = pattern;
        let factors: Vec<Factor> = [q, k, v].into_iter().chain(field).collect();
        let mut inputs = self.matrices(&factors);
        match self.turned(id, &mut inputs) {
            Some(output) => self.step(Kernel::Attention { alpha }, inputs, output),
            None => self.emit(id, Kernel::Attention { alpha }, inputs),
        }
    }
}
