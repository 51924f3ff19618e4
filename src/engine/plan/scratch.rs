//! Which steps write to the same memory.

use std::collections::BTreeMap;

use super::{Fill, Plan, Slot};

impl Plan {
    /// Lets steps reuse scratch slots whose contents nobody reads any more.
    pub(super) fn share_scratch(&mut self) {
        let mut last_use = vec![0; self.slots.len()];
        for (i, step) in self.steps.iter().enumerate() {
            for operand in step.inputs.iter().chain([&step.output]) {
                last_use[operand.slot] = i;
            }
        }
        for (_, operand) in &self.keeps {
            last_use[operand.slot] = usize::MAX;
        }
        let mut slots: Vec<Slot> = vec![];
        let mut place: BTreeMap<usize, usize> = BTreeMap::new();
        let mut free: Vec<usize> = vec![];
        let mut settle = |slot: usize, slots: &mut Vec<Slot>, free: &mut Vec<usize>| {
            *place.entry(slot).or_insert_with(|| {
                let Slot { len, fill } = &self.slots[slot];
                // What is kept gets a slot of its own length, so that it can be given away without a copy.
                let kept = last_use[slot] == usize::MAX;
                let fits = |it: &usize| slots[*it].len == *len || slots[*it].len > *len && !kept;
                let best = free.iter().copied().filter(fits).min_by_key(|it| slots[*it].len);
                if let Some(reused) = best.filter(|_| *fill == Fill::Scratch) {
                    free.retain(|it| *it != reused);
                    reused
                } else {
                    slots.push(Slot { len: *len, fill: fill.clone() });
                    slots.len() - 1
                }
            })
        };
        for (i, step) in self.steps.iter_mut().enumerate() {
            let mut dying = vec![];
            for operand in step.inputs.iter_mut().chain([&mut step.output]) {
                let slot = operand.slot;
                operand.slot = settle(slot, &mut slots, &mut free);
                if last_use[slot] == i && self.slots[slot].fill == Fill::Scratch {
                    dying.push(operand.slot);
                }
            }
            dying.sort_unstable();
            dying.dedup();
            free.extend(dying);
        }
        for (_, operand) in &mut self.keeps {
            operand.slot = settle(operand.slot, &mut slots, &mut free);
        }
        self.slots = slots;
    }
}
