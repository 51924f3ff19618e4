//! Attention in one pass: where nobody looks at the scores, three steps of a plan are done together, some rows at a time.

use std::sync::Arc;

use vitrine_loops::attention::Attention;
use vitrine_loops::spread;

use super::{Compiled, Spare, Strided, strided};
use crate::engine::Operand;
use crate::engine::plan::{Fill, Kernel, Plan, Step};
use crate::tensor::size;

/// At which steps attention begins: scores that only a softmax reads, and a product with what it gives.
pub(super) fn find(plan: &Plan, packed: impl Fn(&Step) -> bool) -> Vec<bool> {
    let begins = |i: usize| {
        let Some([scores, softmax, mixed]) = plan.steps.get(i..i + 3) else { return false };
        let plain = |it: &Step| {
            matches!(it.kernel, Kernel::Matmul { act: None, .. }) && it.inputs.len() == 2 && !packed(it)
        };
        let scratch = |it: &Step| plan.slots[it.output.slot].fill == Fill::Scratch;
        if !plain(scores) || softmax.kernel != Kernel::Softmax || !plain(mixed) {
            return false;
        }
        let (pattern, read) = (&softmax.inputs[0], &mixed.inputs[0]);
        let sees = [&scores.inputs[0].shape[..3], &scores.inputs[1].shape[3..]].concat();
        let same = |x: &Operand, y: &Operand| (x.slot, x.offset) == (y.slot, y.offset);
        let fits = [scores, softmax, mixed].into_iter().all(scratch)
            // Each core takes matrices of its own.
            && sees[0] * sees[1] >= spread::cores()
            && scores.output.is_rows()
            && same(pattern, &scores.output)
            && pattern.shape.last() == sees.last()
            && size(&pattern.shape) == size(&sees)
            && read.is_rows()
            && read.shape == sees
            && same(read, &softmax.output);
        let others = [&scores.inputs[0], &scores.inputs[1], &mixed.inputs[1], &mixed.output];
        let apart = others.iter().all(|it| it.slot != softmax.output.slot);
        fits && apart && forgotten(plan, i)
    };
    (0..plan.steps.len()).map(begins).collect()
}

/// Whether nobody but the step after it reads what step `i` writes.
fn forgotten(plan: &Plan, i: usize) -> bool {
    let slot = plan.steps[i].output.slot;
    let later = &plan.steps[i + 2..];
    let reads = |it: &Step| it.inputs.iter().any(|it| it.slot == slot);
    let until = later.iter().position(|it| it.output.slot == slot).map_or(later.len(), |it| it + 1);
    !later[..until].iter().any(reads) && plan.keeps.iter().all(|(_, it)| it.slot != slot)
}

impl Compiled {
    /// Runs the three steps from `i` on. What it mixes goes to memory of its own, as the plan may have its place where queries lie.
    pub(super) fn attend(&mut self, i: usize, spare: &mut Spare) {
        let [scores, softmax, mixed] = &self.plan.steps[i..i + 3] else {
            unreachable!("there are three steps")
        };
        let (Kernel::Matmul { alpha, .. }, Kernel::Matmul { alpha: beta, .. }) =
            (&scores.kernel, &mixed.kernel)
        else {
            unreachable!("attention is two products and a softmax")
        };
        let len = |step: &Step| self.plan.slots[step.output.slot].len;
        let mut pattern = std::mem::take(&mut self.buffers[softmax.output.slot]);
        if pattern.len() != len(softmax) || Arc::get_mut(&mut pattern).is_none() {
            pattern = spare.take(len(softmax));
        }
        let mut out = spare.take(len(mixed));
        let (Some(whole), Some(result)) = (Arc::get_mut(&mut pattern), Arc::get_mut(&mut out)) else {
            unreachable!("new memory has one owner")
        };
        let of: [Strided<'_>; 3] =
            [&scores.inputs[0], &scores.inputs[1], &mixed.inputs[1]].map(|it| strided(it, &self.buffers));
        Attention { of, field: None, alpha: *alpha, beta: *beta, places: mixed.product_strides() }
            .attend_and_keep(
                &mut whole[softmax.output.offset..][..size(&softmax.output.shape)],
                &mut result[mixed.output.offset..],
            );
        self.buffers[softmax.output.slot] = pattern;
        let before = std::mem::replace(&mut self.buffers[mixed.output.slot], out);
        spare.give(before);
    }
}
