//! What is packed into one vector is written there by those who compute it.

use super::{Compiler, Fill, Kernel, see};
use crate::engine::layout::Operand;
use crate::graph::{ALIGN, Op, View};
use crate::tensor::size;

impl Compiler<'_> {
    /// Finds the results that a pack reads as they are: these are written into it.
    pub(super) fn find_homes(&mut self) {
        let nodes = self.nodes;
        let packs = |it: &usize| nodes[*it].op == Op::Pack && self.uses[*it] > 0;
        for pack in (0..nodes.len()).filter(packs).collect::<Vec<_>>() {
            let parts = self.parts(pack);
            for &(input, start) in &parts {
                let others = parts.iter().filter(|it| it.1 != start).map(|it| it.0);
                if let Some(writer) = self.writer(input)
                    && (self.uses[writer] == 1 || !self.is_read_for(writer, others))
                {
                    self.homes[writer] = Some((pack, start));
                }
            }
        }
    }

    /// Whether one of `others` depends on `id`: no step can read where it writes.
    fn is_read_for(&self, id: usize, mut others: impl Iterator<Item = usize>) -> bool {
        let mut depends = vec![false; self.nodes.len()];
        depends[id] = true;
        for later in id + 1..self.nodes.len() {
            depends[later] = self.nodes[later].inputs.iter().any(|it| depends[*it]);
        }
        others.any(|it| depends[it])
    }

    /// The inputs of a pack and where they begin.
    fn parts(&self, pack: usize) -> Vec<(usize, usize)> {
        let mut start = 0;
        let place = |input: &usize| {
            let here = start;
            start += size(&self.nodes[*input].shape).next_multiple_of(ALIGN);
            (*input, here)
        };
        self.nodes[pack].inputs.iter().map(place).collect()
    }

    /// The node that computes what `id` shows in the same order; `None` if there is none.
    fn writer(&self, id: usize) -> Option<usize> {
        let (mut it, mut views) = (id, vec![]);
        while !self.products.contains_key(&it) {
            match &self.nodes[it].op {
                Op::View(View::Pad { .. }) => break,
                Op::View(view) if self.uses[it] == 1 => {
                    views.push((view, &self.nodes[it].shape));
                    it = self.nodes[it].inputs[0];
                }
                // Nobody computes a leaf, nor a view by itself, which others read, too.
                Op::Input { .. } | Op::State { .. } | Op::Weight { .. } | Op::Const(_) | Op::View(_) => {
                    return None;
                }
                _ => break,
            }
        }
        let mut seen = Operand::rows(0, &self.nodes[it].shape);
        for (view, shape) in views.into_iter().rev() {
            seen = see(view, &seen, shape)?;
        }
        let whole = size(&seen.shape) == size(&self.nodes[it].shape);
        (whole && seen.is_rows()).then_some(it)
    }

    /// Where the result of `id` is to be written: in a new slot, or where it is packed.
    pub(super) fn home(&mut self, id: usize, fill: Fill) -> Operand {
        let shape = &self.nodes[id].shape;
        if let Some((pack, start)) = self.homes[id] {
            let whole = self.packed(pack);
            return Operand { offset: whole.offset + start, ..Operand::rows(whole.slot, shape) };
        }
        let slot = self.slot(size(shape), fill);
        Operand::rows(slot, shape)
    }

    /// The vector of a pack, which its first part asks for.
    fn packed(&mut self, pack: usize) -> Operand {
        let known = self.operands[pack].clone();
        let whole = known.unwrap_or_else(|| self.home(pack, Fill::Zeros));
        self.operands[pack] = Some(whole.clone());
        whole
    }

    /// Copies what is not written into `pack` already.
    pub(super) fn pack(&mut self, pack: usize) {
        let whole = self.packed(pack);
        for (input, start) in self.parts(pack) {
            let is_there = |writer: usize| self.homes[writer] == Some((pack, start));
            if !self.writer(input).is_some_and(is_there) {
                let x = self.operand(input);
                let output = Operand { offset: whole.offset + start, ..Operand::rows(whole.slot, &x.shape) };
                self.step(Kernel::copy(), vec![x], output);
            }
        }
    }
}
