//! Weights on the device, once for all programs: in the form of their file where all steps that read them know it, which is half
//! or a quarter of the memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::context::{Checks, Context, Lease};
use super::tiles::neighbours;
use crate::engine::EngineError;
use crate::engine::plan::{Fill, Kernel, Plan, Step};
use crate::graph::Recording;
use crate::tensor::size;
use crate::weights::{Held, Weights};

/// How numbers lie in the buffer of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One a word.
    F32,
    /// Two of 16 bits a word.
    Halves,
    /// Four of 8 bits a word, and in another slot what each row is multiplied by.
    Rows {
        /// That slot.
        scales: usize,
    },
}

impl Form {
    /// What kernels call it.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::Halves => 1,
            Self::Rows { .. } => 2,
        }
    }
}

/// Weights by file, name and whether they are in the form of the file, for as long as a program uses them.
#[derive(Default)]
pub(super) struct Uploads(BTreeMap<(u64, String, bool), Upload>);

struct Upload {
    /// Its numbers, and its scales if it has some.
    buffers: Vec<Weak<Lease>>,
    bytes: usize,
}

impl Uploads {
    /// Lets go of what no program holds any more.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|_, it| it.buffers.iter().all(|it| it.strong_count() > 0));
    }

    /// Bytes of those that programs hold.
    pub(super) fn bytes(&self) -> usize {
        self.0.values().map(|it| it.bytes).sum()
    }

    /// Forgets all: after a refusal some may be unusable.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The buffers of weight `name`, its scales after it if it has some, and how many bytes were uploaded for them.
    pub(super) fn get(
        &mut self,
        context: &Arc<Context>,
        (file, name): (&Weights, &str),
        small: bool,
        checks: &mut Checks,
    ) -> Result<(Vec<Arc<Lease>>, usize), EngineError> {
        let key = (file.id(), name.to_owned(), small);
        let known = self.0.get(&key).map(|it| it.buffers.iter().map(Weak::upgrade));
        if let Some(known) = known.and_then(Iterator::collect) {
            return Ok((known, 0));
        }
        let expanded = if small { None } else { file.read(name) };
        let parts: Vec<&[u8]> = match (&expanded, file.held(name)) {
            (Some(tensor), _) => vec![bytemuck::cast_slice(&tensor.data)],
            (None, Some(Held::Rows(bytes, scales))) => vec![&**bytes, bytemuck::cast_slice(scales)],
            (None, Some(Held::Halves(_, halves))) => vec![bytemuck::cast_slice(halves)],
            _ => panic!("recorded weight {name} is gone"),
        };
        let leases = parts.iter().map(|bytes| {
            let lease = context.lease(&format!("weight {name}"), bytes.len() / 4, checks)?;
            context.queue.write_buffer(&lease.buffer, 0, bytes);
            Ok(Arc::new(lease))
        });
        let leases: Vec<Arc<Lease>> = leases.collect::<Result<_, _>>()?;
        let bytes = parts.iter().map(|it| it.len()).sum();
        self.0.insert(key, Upload { buffers: leases.iter().map(Arc::downgrade).collect(), bytes });
        Ok((leases, bytes))
    }
}

/// Which slots are weights of fewer bits that all who read them know how to read: products that have them whole on their right, as
/// in `x W^T`, and look-ups of their rows.
pub(super) fn small(plan: &Plan, recording: &Recording) -> Vec<bool> {
    let mut small: Vec<bool> = plan
        .slots
        .iter()
        .map(|slot| {
            let Fill::Weight { set, name } = &slot.fill else { return false };
            let held = recording.weights[*set].held(name);
            let narrow = matches!(held, Some(Held::Rows(..) | Held::Halves(..)));
            narrow && held.is_some_and(|it| it.shape().last().is_some_and(|it| it.is_multiple_of(4)))
        })
        .collect();
    for step in &plan.steps {
        for (i, input) in step.inputs.iter().enumerate() {
            small[input.slot] &= knows(step, i) && size(&input.shape) == plan.slots[input.slot].len;
        }
    }
    for (_, kept) in &plan.keeps {
        small[kept.slot] = false;
    }
    small
}

/// Whether input `i` of a step can be a matrix of fewer bits.
fn knows(step: &Step, i: usize) -> bool {
    match step.kernel {
        Kernel::Gather => i == 0 && step.inputs[0].is_rows(),
        Kernel::Matmul { .. } => {
            let w = &step.inputs[1];
            i == 1 && neighbours(step)[1] == 2 && w.shape[..2] == [1, 1] && w.strides[3] == w.shape[2]
        }
        _ => false,
    }
}
