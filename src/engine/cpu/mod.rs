//! The CPU device: the judge of every GPU number, and what computes where there is no GPU.

mod weights;

use std::sync::Arc;

use vitrine_loops::tape::{self, Place, Reel};
use vitrine_loops::{Strided, matmul, panels, places, pointwise, rows, spread};
use web_time::{Duration, Instant};

use self::weights::Shared;
use super::plan::{Fill, Kernel, Plan, Slot, Step};
use super::{Cancel, EngineError, Operand};
use crate::graph::Recording;
use crate::platform;
use crate::tensor::size;
use crate::trace::{Kept, Stats, Storage, Trace};

/// Plans are kept for this many structures: sentences of different lengths, with and without an ablation.
const PLANS: usize = 8;

/// Elements of scratch that plans keep which were not run last: 64 MB.
const WAITING: usize = 16 << 20;

/// In a browser a run gives way to the interface after this long.
const SLICE: Duration = Duration::from_millis(8);

/// The processor as a device.
#[derive(Default)]
pub struct Cpu {
    plans: Vec<(u64, Compiled)>,
    weights: Shared,
    compiles: usize,
    unfused: bool,
}

/// A plan with its storage, one buffer a slot, of scratch an empty one until a step writes there. What a trace was given is not
/// written again.
struct Compiled {
    plan: Plan,
    buffers: Vec<Arc<[f32]>>,
    /// Which slots hold the panels of a matrix.
    packed: Vec<bool>,
}

impl Cpu {
    /// The processor.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a step for every elementwise operation: what fused ones are held against.
    #[must_use]
    pub fn unfused(self) -> Self {
        Self { unfused: true, ..self }
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
        let Compiled { plan, buffers, packed } = self.compiled(recording);
        for (slot, buffer) in plan.slots.iter().zip(buffers.iter_mut()) {
            match slot.fill {
                Fill::Input(input) => *buffer = Arc::clone(&recording.inputs[input].data),
                Fill::State(state) => *buffer = Arc::clone(&states[state]),
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
            run(step, plan.slots[step.output.slot].len, buffers, packed);
        }
        let keep = |(name, operand): &(String, Operand)| {
            let (data, len) = (&buffers[operand.slot], size(&operand.shape));
            let data =
                if data.len() == len { Arc::clone(data) } else { data[operand.offset..][..len].into() };
            (name.clone(), Kept::new(&operand.shape, Storage::Host(data)))
        };
        let tensors = plan.keeps.iter().map(keep).collect();
        // What came from outside goes when its owner lets it go, and so does what the trace was given.
        for (slot, buffer) in plan.slots.iter().zip(buffers.iter_mut()) {
            let given = slot.fill.written() && Arc::strong_count(buffer) > 1;
            if given || matches!(slot.fill, Fill::Input(_) | Fill::State(_)) {
                *buffer = Arc::default();
            }
        }
        let dispatches = plan.steps.len();
        self.let_go();
        let stats = Stats { device: name, dispatches, seconds: start.elapsed().as_secs_f64() };
        Ok(Trace { tensors, labels: recording.labels.clone(), stats })
    }

    /// The plan of this structure, compiled if it is new; the most recently used stand last.
    fn compiled(&mut self, recording: &Recording) -> &mut Compiled {
        let key = recording.structure();
        let compiled = if let Some(i) = self.plans.iter().position(|(known, _)| *known == key) {
            self.plans.remove(i).1
        } else {
            self.compiles += 1;
            let mut plan = if self.unfused { Plan::unfused(recording) } else { Plan::compile(recording) };
            let turned = weights::turn(&mut plan);
            let fill = |(slot, turned): (&Slot, &Option<Operand>)| match &slot.fill {
                Fill::Const(value) => [*value].into(),
                // Every run brings its own.
                Fill::Scratch | Fill::Zeros | Fill::Input(_) | Fill::State(_) => Arc::default(),
                Fill::Weight { set, name } => {
                    self.weights.get(&recording.weights[*set], name, turned.as_ref())
                }
            };
            let buffers = plan.slots.iter().zip(&turned).map(fill).collect();
            self.weights.tidy();
            let packed = turned.iter().map(|it| it.is_some() && spread::NARROW_VECTORS).collect();
            Compiled { plan, buffers, packed }
        };
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        self.plans.push((key, compiled));
        let last = self.plans.len() - 1;
        &mut self.plans[last].1
    }

    /// Plans of texts that were typed a while ago wait without their scratch: of 512 tokens it has some 100 MB.
    fn let_go(&mut self) {
        let mut held = 0;
        for (_, Compiled { plan, buffers, .. }) in self.plans.iter_mut().rev().skip(1) {
            for (_, buffer) in plan.slots.iter().zip(buffers).filter(|(slot, _)| slot.fill.written()) {
                held += buffer.len();
                if held > WAITING {
                    *buffer = Arc::default();
                }
            }
        }
    }
}

fn zeros(len: usize) -> Arc<[f32]> {
    std::iter::repeat_n(0.0, len).collect()
}

/// Runs one step, whose output lies in a slot of `len` elements, which its inputs do not share.
fn run(step: &Step, len: usize, buffers: &mut [Arc<[f32]>], packed: &[bool]) {
    let mut storage = std::mem::take(&mut buffers[step.output.slot]);
    if storage.len() != len || Arc::get_mut(&mut storage).is_none() {
        storage = zeros(len);
    }
    let Some(out) = Arc::get_mut(&mut storage) else { unreachable!("new memory has one owner") };
    let out = &mut out[step.output.offset..][..size(&step.output.shape)];
    let input = |i: usize| {
        let Operand { slot, offset, shape, strides } = &step.inputs[i];
        Strided { data: &buffers[*slot][*offset..], shape, strides }
    };
    match &step.kernel {
        Kernel::Pointwise { tape, bounds } => {
            tape::play(
                out,
                &Reel {
                    shape: &step.output.shape,
                    tape,
                    operands: step.inputs.iter().map(|it| (&*buffers[it.slot], place(it))).collect(),
                    bounds: bounds.iter().map(|it| (place(&it.place), it.len)).collect(),
                },
            );
        }
        Kernel::Reduce(f) => rows::reduce(*f, out, input(0)),
        Kernel::Softmax => rows::softmax(out, input(0)),
        Kernel::LayerNorm { eps } => {
            let residual = (step.inputs.len() == 4).then(|| input(3).rows());
            rows::layer_norm(out, input(0), input(1).rows(), input(2).rows(), residual, *eps);
        }
        Kernel::Matmul { alpha, gelu } => {
            let bias = (step.inputs.len() == 3).then(|| input(2).rows());
            if packed[step.inputs[1].slot] {
                let (a, b) = (input(0), input(1));
                let copy = if step.inputs[0].is_rows() { vec![] } else { a.to_rows() };
                let rows = if copy.is_empty() { a.rows() } else { &copy };
                panels::multiply(out, rows, b.data, [b.shape[2], b.shape[3]], bias, *alpha);
            } else {
                matmul::matmul(out, input(0), input(1), bias, *alpha);
            }
            if *gelu {
                pointwise::gelu_in_place(out);
            }
        }
        Kernel::SoftmaxGrad => rows::softmax_grad(out, input(0), input(1)),
        Kernel::LayerNormGrad { eps } => {
            rows::layer_norm_grad(out, input(0), input(1).rows(), input(2), *eps);
        }
        Kernel::ScatterAdd => places::scatter_add(out, input(0), input(1).rows()),
        Kernel::Fold { axis, stride } => places::fold(out, &step.output.shape, input(0), *axis, *stride),
        Kernel::Gather => places::gather(out, input(0), input(1).rows()),
    }
    buffers[step.output.slot] = storage;
}

fn place(x: &Operand) -> Place<'_> {
    Place { offset: x.offset, strides: &x.strides }
}
