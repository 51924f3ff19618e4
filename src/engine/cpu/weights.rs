//! Weights as plans read them, once for all plans: sentences of other lengths are other plans with the same weights.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use half::slice::HalfFloatSliceExt;
use vitrine_loops::Matrix;
use vitrine_loops::panels::{self, Small};

use crate::engine::Operand;
use crate::engine::plan::{Fill, Kernel, Plan, Slot, Step};
use crate::tensor::size;
use crate::weights::{Held, Weights};

/// What plans hold of weights, by file, name and, if it was turned, how it was seen.
#[derive(Default)]
pub(super) struct Shared {
    numbers: BTreeMap<(u64, String, Option<Operand>), Weak<[f32]>>,
    small: BTreeMap<(u64, String), Weak<Small>>,
}

impl Shared {
    /// A tensor of the file; with `turned` in the order in which products read what they see of it so.
    pub(super) fn get(&mut self, file: &Weights, name: &str, turned: Option<&Operand>) -> Arc<[f32]> {
        let seen = turned.map(|it| Operand { slot: 0, ..it.clone() });
        let key = (file.id(), name.to_owned(), seen);
        if let Some(known) = self.numbers.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let tensor = file.read(name);
        let data = tensor.unwrap_or_else(|| unreachable!("{name} was there when it was recorded")).data;
        let data = turned.map_or_else(|| Arc::clone(&data), |it| arranged(&data, it));
        self.numbers.insert(key, Arc::downgrade(&data));
        data
    }

    /// A matrix of the file that has fewer bits there, as products read it whose right side is `turned`; `None` if it has not, they
    /// see its columns, or there are halves in it that are not finite.
    pub(super) fn small(&mut self, file: &Weights, name: &str, turned: &Operand) -> Option<Arc<Small>> {
        let key = (file.id(), name.to_owned());
        if let Some(known) = self.small.get(&key).and_then(Weak::upgrade) {
            return Some(known);
        }
        let shape @ [k, n] = [turned.shape[2], turned.shape[3]];
        let held = file.held(name)?;
        if turned.strides[2..] != [1, k] || held.shape() != [n, k] {
            return None;
        }
        let small = Arc::new(match held {
            Held::Rows(bytes, scales) => Small::of_bytes(bytemuck::cast_slice(bytes), scales, shape),
            Held::Halves(_, it) if it.iter().all(|it| it.is_finite()) => {
                Small::of_halves(it.reinterpret_cast(), shape)
            }
            Held::Halves(..) | Held::F32(_) => return None,
        });
        self.small.insert(key, Arc::downgrade(&small));
        Some(small)
    }

    /// Memory that all take, beside the files.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.numbers.values().filter_map(Weak::upgrade).map(|it| size_of_val(&*it));
        let small = self.small.values().filter_map(Weak::upgrade).map(|it| it.bytes());
        numbers.chain(small).sum()
    }

    /// Lets go of what no plan holds any more.
    pub(super) fn tidy(&mut self) {
        self.numbers.retain(|_, it| it.strong_count() > 0);
        self.small.retain(|_, it| it.strong_count() > 0);
    }
}

fn arranged(data: &[f32], Operand { shape, strides, .. }: &Operand) -> Arc<[f32]> {
    panels::pack(Matrix { data, strides: [strides[2], strides[3]] }, [shape[2], shape[3]]).into()
}

/// Finds weights that are only ever the right side of products, as in `x W^T`: these are cut into panels, once for all runs. The plan
/// reads them as rows from now on; returns how each was seen, by slot.
pub(super) fn turn(plan: &mut Plan) -> Vec<Option<Operand>> {
    let mut readers = vec![vec![]; plan.slots.len()];
    for (s, step) in plan.steps.iter().enumerate() {
        for (i, input) in step.inputs.iter().enumerate() {
            readers[input.slot].push((s, i));
        }
    }
    let turned: Vec<_> = (0..readers.len()).map(|slot| right_side(plan, slot, &readers[slot])).collect();
    for (slot, readers) in readers.iter().enumerate() {
        let Some(matrix) = &turned[slot] else { continue };
        for &(s, _) in readers {
            plan.steps[s].inputs[1] = Operand::rows(slot, &matrix.shape);
        }
    }
    turned
}

/// How all `readers` of a weight see it, if it is the right side of a product to each.
fn right_side(plan: &Plan, slot: usize, readers: &[(usize, usize)]) -> Option<Operand> {
    let Slot { len, fill } = &plan.slots[slot];
    let &(first, _) = readers.first()?;
    let matrix = plan.steps[first].inputs.get(1).filter(|it| size(&it.shape) == *len)?;
    let right = |(s, i): &(usize, usize)| {
        let Step { kernel, inputs, .. } = &plan.steps[*s];
        matches!(kernel, Kernel::Matmul { .. })
            && *i == 1
            && inputs[1] == *matrix
            && matrix.shape[..2] == [1, 1]
    };
    let kept = plan.keeps.iter().any(|(_, it)| it.slot == slot);
    let turns = matches!(fill, Fill::Weight { .. }) && *len > 0 && !kept && readers.iter().all(right);
    turns.then(|| matrix.clone())
}

/// Which slots are matrices of which rows are looked up and nothing else, as embeddings are: these stay in the form of the file.
pub(super) fn tables(plan: &Plan, files: &[Arc<Weights>]) -> Vec<bool> {
    let table = |(slot, it): (usize, &Slot)| {
        let Fill::Weight { set, name } = &it.fill else { return false };
        let shape = files[*set].shape(name);
        let looks_up = |step: &Step| {
            let [table, ids] = &step.inputs[..] else { return false };
            let whole = table.is_rows() && shape.as_ref() == Some(&table.shape);
            matches!(step.kernel, Kernel::Gather) && whole && ids.slot != slot
        };
        let reads = |step: &&Step| step.inputs.iter().any(|it| it.slot == slot);
        let kept = plan.keeps.iter().any(|(_, it)| it.slot == slot);
        !kept && plan.steps.iter().filter(reads).all(looks_up)
    };
    plan.slots.iter().enumerate().map(table).collect()
}
