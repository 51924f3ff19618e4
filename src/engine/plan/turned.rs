//! Products that are written in the order in which they are read, so that heads are joined without a copy.

use super::Compiler;
use crate::engine::layout::Operand;
use crate::graph::{Op, View};
use crate::tensor::size;

impl Compiler<'_> {
    /// Where a batch of products is written whose only reader exchanges its axes and then sees them as rows: such that these are
    /// rows. `None` where that is not so. The two axes of matrices that `inputs` have, all but a bias, become those of the result.
    pub(super) fn turned(&mut self, id: usize, inputs: &mut [Operand]) -> Option<Operand> {
        let mut then = self.reader[id].filter(|_| self.homes[id].is_none())?;
        let shape = &self.nodes[id].shape;
        let mut order: Vec<usize> = (0..shape.len()).collect();
        while let Op::View(View::Permute(next)) = &self.nodes[then].op {
            order = next.iter().map(|axis| order[*axis]).collect();
            then = self.reader[then]?;
        }
        let rows_stay = order.last() == Some(&(shape.len() - 1));
        if order.is_sorted()
            || self.nodes[then].op != Op::View(View::Reshape)
            || !rows_stay
            || size(shape) == 0
        {
            return None;
        }
        let matrices = match shape[..] {
            [_, _, _] => [1, shape[0]],
            [outer, inner, _, _] if outer * inner > 1 => [outer, inner],
            _ => return None,
        };
        // Matrices that are multiplied with one and the same are the rows of a single one.
        if inputs[0].shape[..2].iter().product::<usize>() != matrices[0] * matrices[1] {
            return None;
        }
        let with = |it: &Operand| [&matrices[..], &it.shape[2..]].concat();
        let batches = inputs.iter().filter(|it| it.shape.len() == 4).count();
        let merged: Vec<Operand> =
            inputs[..batches].iter().map(|it| it.reshape(&with(it))).collect::<Option<_>>()?;
        let read: Vec<usize> = order.iter().map(|axis| shape[*axis]).collect();
        let place = self.beside_others(then, &read);
        let mut seen = Operand { shape: shape.clone(), ..place.clone() };
        for (axis, stride) in order.iter().zip(&place.strides) {
            seen.strides[*axis] = *stride;
        }
        let written = seen.reshape(&[&matrices[..], &shape[shape.len() - 2..]].concat());
        inputs[..batches].clone_from_slice(&merged);
        self.operands[id] = Some(seen);
        Some(written.unwrap_or_else(|| unreachable!("one axis more takes any strides")))
    }
}
