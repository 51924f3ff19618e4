//! Attention in one pass: a pattern that somebody looks at, and what it mixes, are done together, some rows at a time.

use std::sync::Arc;

use vitrine_loops::attention::Attention;
use vitrine_loops::spread;

use super::{Compiled, Spare, strided};
use crate::engine::plan::{Fill, Kernel, Plan, Step};
use crate::tensor::size;

/// At which steps attention begins: a pattern, and a product with it.
pub(super) fn find(plan: &Plan, packed: impl Fn(&Step) -> bool) -> Vec<bool> {
    let begins = |i: usize| {
        let Some([pattern, mixed]) = plan.steps.get(i..i + 2) else { return false };
        let plain = matches!(mixed.kernel, Kernel::Matmul { act: None, .. }) && mixed.inputs.len() == 2;
        if !matches!(pattern.kernel, Kernel::Pattern { .. }) || !plain || packed(mixed) {
            return false;
        }
        let read = &mixed.inputs[0];
        let sees = [&pattern.inputs[0].shape[..3], &pattern.inputs[1].shape[3..]].concat();
        let others = pattern.inputs.iter().chain([&mixed.inputs[1], &mixed.output]);
        // Each core takes matrices of its own.
        sees[0] * sees[1] >= spread::cores()
            && [pattern, mixed].iter().all(|it| plan.slots[it.output.slot].fill == Fill::Scratch)
            && (read.slot, read.offset) == (pattern.output.slot, pattern.output.offset)
            && read.is_rows()
            && read.shape == sees
            && others.into_iter().all(|it| it.slot != pattern.output.slot)
    };
    (0..plan.steps.len()).map(begins).collect()
}

impl Compiled {
    /// Runs the two steps from `i` on. What they mix goes to memory of its own where the plan has its place where queries lie.
    pub(super) fn attend(&mut self, i: usize, spare: &mut Spare) {
        let mixes = self.plan.steps[i + 1].output.slot;
        let over = self.plan.steps[i].inputs.iter().any(|it| it.slot == mixes);
        let mut pattern = self.room(i, spare);
        let mut out = if over { spare.take(self.plan.slots[mixes].len) } else { self.room(i + 1, spare) };
        let [weighed, mixed] = &self.plan.steps[i..i + 2] else { unreachable!("there are two steps") };
        let (Kernel::Pattern { alpha }, Kernel::Matmul { alpha: beta, .. }) =
            (&weighed.kernel, &mixed.kernel)
        else {
            unreachable!("attention is a pattern and a product")
        };
        let (Some(whole), Some(result)) = (Arc::get_mut(&mut pattern), Arc::get_mut(&mut out)) else {
            unreachable!("new memory has one owner")
        };
        let seen = |it| strided(it, &self.buffers);
        let of = [&weighed.inputs[0], &weighed.inputs[1], &mixed.inputs[1]].map(seen);
        let field = weighed.inputs.get(2).map(seen);
        Attention { of, field, alpha: *alpha, beta: *beta, places: mixed.product_strides() }.attend_and_keep(
            &mut whole[weighed.output.offset..][..size(&weighed.output.shape)],
            &mut result[mixed.output.offset..],
        );
        self.buffers[weighed.output.slot] = pattern;
        let before = std::mem::replace(&mut self.buffers[mixes], out);
        spare.give(before);
    }
}
