//! Sums of rows that lie in one slot become one step where both results belong to one pack: the gradient of a gain and that of the
//! bias before it, whose rows one derivative of a layer norm has written.

use super::{Kernel, Plan, Step};
use crate::engine::layout::Operand;
use crate::graph::Reduce;

/// How many steps apart two sums may be.
const NEAR: usize = 4;

impl Plan {
    /// Joins neighbouring sums, before slots are shared.
    pub(super) fn join_sums(&mut self) {
        let mut i = 0;
        while i < self.steps.len() {
            let near = self.steps.len().min(i + 1 + NEAR);
            let other = (i + 1..near).find_map(|j| Some((j, joined(&self.steps[i], &self.steps[j])?)));
            if let Some((j, both)) = other {
                let read = both.inputs[0].slot;
                // What the second reads is there when the first runs.
                if self.steps[i..j].iter().all(|it| it.output.slot != read) {
                    self.steps.remove(j);
                    self.steps[i] = both;
                }
            }
            i += 1;
        }
    }
}

/// Both sums in one step: as a new axis of two before the others.
fn joined(one: &Step, other: &Step) -> Option<Step> {
    let sum = Kernel::Reduce(Reduce::Sum);
    if one.kernel != sum || other.kernel != sum || !one.output.is_rows() {
        return None;
    }
    let input = pair(&one.inputs[0], &other.inputs[0])?;
    let output = pair(&one.output, &other.output)?;
    // In the same order; and results that touch would be rows like any other.
    let same = (input.offset == one.inputs[0].offset) == (output.offset == one.output.offset);
    (same && !output.is_rows()).then(|| Step { kernel: sum, inputs: vec![input], output })
}

/// Two operands that differ only in where they begin, as one.
fn pair(one: &Operand, other: &Operand) -> Option<Operand> {
    let (first, second) = if one.offset < other.offset { (one, other) } else { (other, one) };
    let alike = first.slot == second.slot && first.shape == second.shape && first.strides == second.strides;
    (alike && first.offset != second.offset).then(|| Operand {
        shape: [&[2], &first.shape[..]].concat(),
        strides: [&[second.offset - first.offset], &first.strides[..]].concat(),
        ..first.clone()
    })
}
