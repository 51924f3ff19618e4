//! The CPU device: the judge of every GPU number, and what computes where there is no GPU.

mod matmul;
mod pointwise;
mod rows;

use std::sync::Arc;

use web_time::{Duration, Instant};

use super::plan::{Fill, Kernel, Plan, Slot, Step};
use super::{Cancel, EngineError, Operand};
use crate::graph::Recording;
use crate::platform;
use crate::tensor::{advance, size};
use crate::trace::{Kept, Stats, Storage, Trace};

/// Plans are kept for this many structures: sentences of different lengths, with and without an ablation.
const PLANS: usize = 8;

/// In a browser a run gives way to the interface after this long.
const SLICE: Duration = Duration::from_millis(8);

/// The processor as a device.
#[derive(Default)]
pub struct Cpu {
    plans: Vec<(u64, Compiled)>,
    compiles: usize,
}

/// A plan with its storage, one buffer a slot. What a trace still holds is not written again: the step that writes there
/// takes new memory, otherwise the old is used again.
struct Compiled {
    plan: Plan,
    buffers: Vec<Arc<[f32]>>,
}

impl Cpu {
    /// The processor.
    pub fn new() -> Self {
        Self::default()
    }

    /// For the badge.
    pub fn name(&self) -> String {
        platform::cpu_name()
    }

    /// How many plans were compiled so far.
    pub fn compiles(&self) -> usize {
        self.compiles
    }

    /// Runs `recording`.
    pub async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        let start = Instant::now();
        let name = self.name();
        let Compiled { plan, buffers } = self.compiled(recording);
        for (slot, buffer) in plan.slots.iter().zip(buffers.iter_mut()) {
            if let Fill::Input(input) = slot.fill {
                *buffer = Arc::clone(&recording.inputs[input].data);
            }
        }
        let mut slice = Instant::now();
        for step in &plan.steps {
            if slice.elapsed() > SLICE {
                platform::breathe().await;
                slice = Instant::now();
            }
            cancel.check()?;
            run(step, buffers);
        }
        let keep = |(name, operand): &(String, Operand)| {
            let (data, len) = (&buffers[operand.slot], size(&operand.shape));
            let data = if data.len() == len { Arc::clone(data) } else { data[..len].into() };
            (name.clone(), Kept::new(&operand.shape, Storage::Host(data)))
        };
        let tensors = plan.keeps.iter().map(keep).collect();
        let stats =
            Stats { device: name, dispatches: plan.steps.len(), seconds: start.elapsed().as_secs_f64() };
        Ok(Trace { tensors, labels: recording.labels.clone(), stats })
    }

    /// The plan of this structure, compiled if it is new; the most recently used stand last.
    fn compiled(&mut self, recording: &Recording) -> &mut Compiled {
        let key = recording.structure();
        let compiled = if let Some(i) = self.plans.iter().position(|(known, _)| *known == key) {
            self.plans.remove(i).1
        } else {
            self.compiles += 1;
            let mut plan = Plan::compile(recording);
            let mut buffers: Vec<Arc<[f32]>> = plan.slots.iter().map(|slot| fill(slot, recording)).collect();
            transpose_weights(&mut plan, &mut buffers);
            Compiled { plan, buffers }
        };
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        self.plans.push((key, compiled));
        let last = self.plans.len() - 1;
        &mut self.plans[last].1
    }
}

fn fill(slot: &Slot, recording: &Recording) -> Arc<[f32]> {
    match &slot.fill {
        Fill::Scratch => zeros(slot.len),
        Fill::Const(value) => [*value].into(),
        Fill::Input(input) => Arc::clone(&recording.inputs[*input].data),
        Fill::Weight { set, name } => {
            let tensor = recording.weights[*set].read(name);
            tensor.unwrap_or_else(|| unreachable!("{name} was there when it was recorded")).data
        }
    }
}

fn zeros(len: usize) -> Arc<[f32]> {
    std::iter::repeat_n(0.0, len).collect()
}

/// Stores a matrix that products only ever read as its transpose, as `x W^T` does, in the order in which they read it:
/// otherwise every run would turn it anew.
fn transpose_weights(plan: &mut Plan, buffers: &mut [Arc<[f32]>]) {
    let mut readers = vec![vec![]; plan.slots.len()];
    for (s, step) in plan.steps.iter().enumerate() {
        for (i, input) in step.inputs.iter().enumerate() {
            readers[input.slot].push((s, i));
        }
    }
    for (slot, readers) in readers.iter().enumerate() {
        let Slot { len, fill } = &plan.slots[slot];
        let kept = plan.keeps.iter().any(|(_, it)| it.slot == slot);
        let turned = |(s, i): &(usize, usize)| {
            let Step { kernel, inputs, .. } = &plan.steps[*s];
            let [1, k, n] = inputs[*i].shape[..] else { return false };
            matches!(kernel, Kernel::Matmul { .. })
                && *i == 1
                && k * n == *len
                && inputs[1].strides[1..] == [1, k]
        };
        let weight = matches!(fill, Fill::Weight { .. }) && !kept && readers.iter().all(turned);
        let Some(&(first, _)) = readers.first().filter(|_| weight) else { continue };
        let Operand { shape, strides, .. } = plan.steps[first].inputs[1].clone();
        let mut data = vec![0.0; *len];
        pointwise::map(&mut data, Strided { data: &buffers[slot], shape: &shape, strides: &strides }, |x| x);
        buffers[slot] = data.into();
        for &(s, _) in readers {
            plan.steps[s].inputs[1] = Operand::rows(slot, &shape);
        }
    }
}

/// An operand with its data.
#[derive(Clone, Copy)]
struct Strided<'a> {
    data: &'a [f32],
    shape: &'a [usize],
    strides: &'a [usize],
}

impl<'a> Strided<'a> {
    /// The elements as a slice, for operands that lie row-major.
    fn rows(self) -> &'a [f32] {
        &self.data[..size(self.shape)]
    }

    /// Position of the `i`-th element in row-major order.
    fn position(self, mut i: usize) -> usize {
        let mut position = 0;
        for (len, stride) in self.shape.iter().zip(self.strides).rev() {
            position += i % len.max(&1) * stride;
            i /= len.max(&1);
        }
        position
    }
}

/// Runs one step. Its output never shares a slot with its inputs.
fn run(step: &Step, buffers: &mut [Arc<[f32]>]) {
    let mut storage = std::mem::take(&mut buffers[step.output.slot]);
    if Arc::get_mut(&mut storage).is_none() {
        storage = zeros(storage.len());
    }
    let Some(out) = Arc::get_mut(&mut storage) else { unreachable!("new memory has one owner") };
    let out = &mut out[..size(&step.output.shape)];
    let input = |i: usize| {
        let Operand { slot, offset, shape, strides } = &step.inputs[i];
        Strided { data: &buffers[*slot][*offset..], shape, strides }
    };
    match &step.kernel {
        Kernel::Copy => pointwise::map(out, input(0), |x| x),
        Kernel::Unary(f) => pointwise::unary(*f, out, input(0)),
        Kernel::Gelu => pointwise::map(out, input(0), pointwise::gelu),
        Kernel::Binary(f) => pointwise::binary(*f, out, input(0), input(1)),
        Kernel::Reduce(f) => rows::reduce(*f, out, input(0)),
        Kernel::Softmax => rows::softmax(out, input(0)),
        Kernel::LayerNorm { eps } => {
            let residual = (step.inputs.len() == 4).then(|| input(3).rows());
            rows::layer_norm(out, input(0), input(1).rows(), input(2).rows(), residual, *eps);
        }
        Kernel::Matmul { alpha, gelu } => {
            let bias = (step.inputs.len() == 3).then(|| input(2).rows());
            matmul::matmul(out, input(0), input(1), bias, *alpha);
            if *gelu {
                pointwise::in_place(out, pointwise::gelu);
            }
        }
        Kernel::Gather => gather(out, input(0), input(1).rows()),
        Kernel::Pad { axis, before, value } => pad(out, &step.output.shape, input(0), *axis, *before, *value),
    }
    buffers[step.output.slot] = storage;
}

/// Rows of a table `[v, d]`; ids outside it are clamped to it.
fn gather(out: &mut [f32], table: Strided<'_>, ids: &[f32]) {
    let (&[v, d], &[row, column]) = (table.shape, table.strides) else {
        unreachable!("a table has two axes")
    };
    for (out, id) in out.chunks_mut(d).zip(ids) {
        let start = (*id as usize).min(v - 1) * row;
        for (j, y) in out.iter_mut().enumerate() {
            *y = table.data[start + j * column];
        }
    }
}

fn pad(out: &mut [f32], shape: &[usize], x: Strided<'_>, axis: usize, before: usize, value: f32) {
    let mut index = vec![0; shape.len()];
    for y in out {
        let inside = (before..before + x.shape[axis]).contains(&index[axis]);
        *y = if inside {
            let position: usize = index.iter().zip(x.strides).map(|(i, s)| i * s).sum();
            x.data[position - before * x.strides[axis]]
        } else {
            value
        };
        advance(&mut index, shape);
    }
}
