//! The CPU device: the judge of every GPU number, and what computes where there is no GPU.

mod matmul;
mod places;
mod pointwise;
mod rows;

use std::sync::Arc;

use web_time::{Duration, Instant};

use super::plan::{Fill, Kernel, Plan, Slot, Step};
use super::{Cancel, EngineError, Operand};
use crate::graph::Recording;
use crate::platform;
use crate::tensor::size;
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

/// A plan with its storage.
struct Compiled {
    plan: Plan,
    buffers: Vec<Buffer>,
}

/// Storage of one slot.
enum Buffer {
    Own(Vec<f32>),
    Shared(Arc<[f32]>),
}

impl Buffer {
    fn data(&self) -> &[f32] {
        match self {
            Self::Own(data) => data,
            Self::Shared(data) => data,
        }
    }
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
        let mut states = vec![];
        for state in &recording.states {
            states.push(state.on_host().await?);
        }
        let Compiled { plan, buffers } = self.compiled(recording);
        for (slot, buffer) in plan.slots.iter().zip(buffers.iter_mut()) {
            match slot.fill {
                Fill::Input(input) => *buffer = Buffer::Shared(Arc::clone(&recording.inputs[input].data)),
                Fill::State(state) => *buffer = Buffer::Shared(Arc::clone(&states[state])),
                _ => {}
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
            let data = &buffers[operand.slot].data()[..size(&operand.shape)];
            (name.clone(), Kept::new(&operand.shape, Storage::Host(data.into())))
        };
        let tensors = plan.keeps.iter().map(keep).collect();
        // What came from outside goes when its owner lets it go.
        for (slot, buffer) in plan.slots.iter().zip(buffers.iter_mut()) {
            if matches!(slot.fill, Fill::Input(_) | Fill::State(_)) {
                *buffer = Buffer::Own(vec![]);
            }
        }
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
            let plan = Plan::compile(recording);
            let buffers = plan.slots.iter().map(|slot| fill(slot, recording)).collect();
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

fn fill(slot: &Slot, recording: &Recording) -> Buffer {
    match &slot.fill {
        Fill::Scratch => Buffer::Own(vec![0.0; slot.len]),
        // Every run brings its own.
        Fill::State(_) => Buffer::Own(vec![]),
        Fill::Const(value) => Buffer::Own(vec![*value]),
        Fill::Input(input) => Buffer::Shared(Arc::clone(&recording.inputs[*input].data)),
        Fill::Weight { set, name } => {
            let tensor = recording.weights[*set].read(name);
            Buffer::Shared(
                tensor.unwrap_or_else(|| unreachable!("{name} was there when it was recorded")).data,
            )
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
fn run(step: &Step, buffers: &mut [Buffer]) {
    let Buffer::Own(mut storage) = std::mem::replace(&mut buffers[step.output.slot], Buffer::Own(vec![]))
    else {
        unreachable!("steps write scratch slots")
    };
    let out = &mut storage[..size(&step.output.shape)];
    let input = |i: usize| {
        let Operand { slot, offset, shape, strides } = &step.inputs[i];
        Strided { data: &buffers[*slot].data()[*offset..], shape, strides }
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
        Kernel::SoftmaxGrad => rows::softmax_grad(out, input(0), input(1)),
        Kernel::LayerNormGrad { eps } => {
            rows::layer_norm_grad(out, input(0), input(1).rows(), input(2), *eps);
        }
        Kernel::GeluGrad => pointwise::zip(out, input(0), input(1), pointwise::gelu_grad),
        Kernel::ScatterAdd => places::scatter_add(out, input(0), input(1).rows()),
        Kernel::Fold { axis, stride } => places::fold(out, &step.output.shape, input(0), *axis, *stride),
        Kernel::Gather => places::gather(out, input(0), input(1).rows()),
        Kernel::Pad { axis, before, value } => {
            places::pad(out, &step.output.shape, input(0), *axis, *before, *value);
        }
    }
    buffers[step.output.slot] = Buffer::Own(storage);
}
