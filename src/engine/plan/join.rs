//! Padded parts that add up to one tensor are written beside each other by the products that compute them: the gradients of
//! queries, keys and values are the rows of their joint gradient without a copy.

use super::{Compiler, Fill};
use crate::engine::layout::Operand;
use crate::graph::{ALIGN, Binary, Op, View};
use crate::tensor::size;

/// A sum of parts that fill its last axis.
#[derive(Default)]
pub(super) struct Join {
    /// Where it lies, once a part is there.
    slot: Option<usize>,
    /// How many parts are not there.
    missing: usize,
}

impl Compiler<'_> {
    /// Finds the sums of parts that lie beside each other.
    pub(super) fn find_joins(&mut self) {
        for sum in 0..self.nodes.len() {
            let is_own =
                !self.absorbed[sum] && !self.products.contains_key(&sum) && self.homes[sum].is_none();
            if self.uses[sum] > 0
                && is_own
                && self.nodes[sum].op == Op::Binary(Binary::Add)
                && let Some(parts) = self.beside(sum)
            {
                self.joins.insert(sum, Join { slot: None, missing: parts.len() });
                self.joined.extend(parts.into_iter().map(|part| (part, sum)));
            }
        }
    }

    /// The pads that `sum` adds up, if each begins on the last axis where another ends.
    fn beside(&self, sum: usize) -> Option<Vec<usize>> {
        let (mut open, mut parts) = (self.nodes[sum].inputs.clone(), vec![]);
        while let Some(id) = open.pop() {
            let node = &self.nodes[id];
            match &node.op {
                _ if self.uses[id] != 1 => return None,
                Op::Binary(Binary::Add) => open.extend(&node.inputs),
                Op::View(View::Pad { axis, before, value })
                    if axis + 1 == node.shape.len() && value.get() == 0.0 =>
                {
                    parts.push((*before, id));
                }
                _ => return None,
            }
        }
        parts.sort_unstable();
        let mut end = 0;
        for &(before, id) in &parts {
            let len = self.nodes[self.nodes[id].inputs[0]].shape.last()?;
            if before != end {
                return None;
            }
            end += len;
        }
        (self.nodes[sum].shape.last() == Some(&end)).then(|| parts.into_iter().map(|it| it.1).collect())
    }

    /// Where a result of axes `shape` is written that view `id` shows as rows: in a new slot, or beside the other parts of a sum.
    pub(super) fn beside_others(&mut self, id: usize, shape: &[usize]) -> Operand {
        let mut place = Operand::rows(usize::MAX, shape);
        if let Some((sum, before)) = self.part(id) {
            let wide = |it: usize| self.nodes[it].shape.last().copied().unwrap_or(1);
            let (own, all) = (wide(id), wide(sum));
            let is_row = |stride: usize| stride.is_multiple_of(own);
            // Rows of the view are whole axes of what is written.
            if place.strides.iter().zip(shape).all(|(stride, len)| is_row(*stride) || stride * len <= own) {
                place.strides.iter_mut().filter(|it| is_row(**it)).for_each(|it| *it = *it / own * all);
                return Operand { slot: self.joint(sum), offset: before, ..place };
            }
        }
        Operand { slot: self.slot(size(shape), Fill::Scratch), ..place }
    }

    /// The sum that `id` is a part of, and where it begins there, if a GPU can begin to bind a buffer at that place.
    fn part(&self, id: usize) -> Option<(usize, usize)> {
        let pad = self.reader[id]?;
        let sum = *self.joined.get(&pad)?;
        let Op::View(View::Pad { before, .. }) = self.nodes[pad].op else { return None };
        before.is_multiple_of(ALIGN).then_some((sum, before))
    }

    /// The slot of a sum for one more of its parts.
    fn joint(&mut self, sum: usize) -> usize {
        let known = self.joins.get(&sum).and_then(|it| it.slot);
        let slot = known.unwrap_or_else(|| self.slot(size(&self.nodes[sum].shape), Fill::Scratch));
        let join = self.joins.entry(sum).or_default();
        (join.slot, join.missing) = (Some(slot), join.missing - 1);
        slot
    }

    /// The sum at `id` where its parts were written, if all of them were.
    pub(super) fn join(&self, id: usize) -> Option<Operand> {
        let join = self.joins.get(&id).filter(|it| it.missing == 0)?;
        Some(Operand::rows(join.slot?, &self.nodes[id].shape))
    }
}
