//! The CPU device: the judge of every GPU number, and what computes where there is no GPU.

mod attention;
mod pieces;
mod spare;
mod weights;

use std::collections::BTreeMap;
use std::sync::Arc;

use vitrine_loops::attention::{self as mixing, Attention};
use vitrine_loops::panels::{self, Side, Small, Then};
use vitrine_loops::tape::{self, Place, Reel};
use vitrine_loops::{Matrix, Strided, conv, depthwise, matmul, places, pointwise, rows};
use web_time::{Duration, Instant};

use self::spare::Spare;
use self::weights::Shared;
use super::plan::{Act, Fill, Kernel, Plan, Slot, Step};
use super::{Cancel, EngineError, Operand};
use crate::graph::{Recording, Reduce};
use crate::platform;
use crate::tensor::size;
use crate::trace::{Kept, Stats, Storage, Trace};
use crate::weights::Weights;

/// Plans are kept for this many structures: sentences of different lengths, with and without an ablation.
const PLANS: usize = 8;

/// Elements of scratch that plans keep which were not run last: 64 MB.
const WAITING: usize = 16 << 20;

/// In a browser a run gives way to the interface after this long.
const SLICE: Duration = Duration::from_millis(8);

/// The processor as a device.
pub struct Cpu {
    plans: Vec<(u64, Compiled)>,
    weights: Shared,
    spare: Spare,
    compiles: usize,
    unfused: bool,
    /// Most work of a step; more is done in pieces.
    piece: Option<usize>,
}

/// A plan with its storage, one buffer a slot, of scratch an empty one until a step writes there. What a trace was given is not
/// written again.
struct Compiled {
    plan: Plan,
    /// Steps before long ones were cut.
    dispatches: usize,
    buffers: Vec<Arc<[f32]>>,
    /// Which weights are matrices that only stand on the right of products, and how these see them.
    turned: Vec<Option<Operand>>,
    /// Those of them that have fewer bits; they have no buffer.
    small: Vec<Option<Arc<Small>>>,
    /// Which weights are tables of which only rows are looked up.
    tables: Vec<bool>,
    /// At which steps two begin that are done together.
    attention: Vec<bool>,
}

impl Default for Cpu {
    fn default() -> Self {
        let piece = platform::PAGE.then_some(pieces::PIECE);
        let (weights, spare) = Default::default();
        Self { plans: vec![], weights, spare, compiles: 0, unfused: false, piece }
    }
}

impl Cpu {
    /// The processor.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with steps of more than `most` floating-point operations done in pieces, as a page does.
    #[must_use]
    pub fn in_pieces(self, most: usize) -> Self {
        Self { piece: Some(most), ..self }
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

    /// Memory of the weights that plans hold, beside the files.
    pub fn bytes_of_weights(&self) -> usize {
        self.weights.bytes()
    }

    /// Runs `recording`.
    pub async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        // What the frame that asked for it has drawn is shown first.
        platform::breathe().await;
        let start = Instant::now();
        let name = self.name();
        let mut states = vec![];
        for state in &recording.states {
            states.push(state.on_host().await?);
        }
        self.plan(recording)?;
        let (weights, spare, files) = (&mut self.weights, &mut self.spare, &recording.weights);
        let Some((_, compiled)) = self.plans.last_mut() else { unreachable!("there is a plan") };
        for (slot, buffer) in compiled.plan.slots.iter().zip(compiled.buffers.iter_mut()) {
            match slot.fill {
                Fill::Input(input) => *buffer = Arc::clone(&recording.inputs[input].data),
                Fill::State(state) => *buffer = Arc::clone(&states[state]),
                _ => {}
            }
        }
        let mut slice = Instant::now();
        let mut i = 0;
        while i < compiled.plan.steps.len() {
            if slice.elapsed() > SLICE {
                platform::breathe().await;
                slice = Instant::now();
            }
            cancel.check()?;
            compiled.bring(i, files, weights);
            if !platform::PAGE && compiled.attention[i] {
                compiled.bring(i + 1, files, weights);
                compiled.attend(i, spare);
                i += 2;
            } else {
                compiled.run(i, files, spare);
                i += 1;
            }
        }
        let tensors = compiled.keeps(files, weights, spare);
        weights.tidy();
        let dispatches = compiled.dispatches;
        self.let_go();
        let stats = Stats { device: name, dispatches, seconds: start.elapsed().as_secs_f64() };
        Ok(Trace { tensors, labels: recording.labels.clone(), stats })
    }

    /// Puts the plan of this structure behind the others, compiled if it is new.
    fn plan(&mut self, recording: &Recording) -> Result<(), EngineError> {
        let key = recording.structure();
        let compiled = if let Some(i) = self.plans.iter().position(|(known, _)| *known == key) {
            self.plans.remove(i).1
        } else {
            let plan = if self.unfused { Plan::unfused(recording) } else { Plan::compile(recording) };
            plan.fits()?;
            self.compiles += 1;
            Compiled::new(plan, &recording.weights, self.piece)
        };
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        self.plans.push((key, compiled));
        Ok(())
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

impl Compiled {
    fn new(mut plan: Plan, files: &[Arc<Weights>], piece: Option<usize>) -> Self {
        let turned = weights::turn(&mut plan);
        let tables = weights::tables(&plan, files);
        let dispatches = plan.steps.len();
        if let Some(most) = piece {
            plan.steps = pieces::cut(plan.steps, most);
        }
        let fill =
            |slot: &Slot| if let Fill::Const(value) = slot.fill { [value].into() } else { Arc::default() };
        let buffers = plan.slots.iter().map(fill).collect();
        let packed = |it: &Step| it.inputs.get(1).is_some_and(|it| turned[it.slot].is_some());
        // In a page the pieces of long steps are done one by one.
        let attention = if platform::PAGE { vec![] } else { attention::find(&plan, packed) };
        let small = vec![None; turned.len()];
        Self { plan, dispatches, buffers, turned, small, tables, attention }
    }

    /// Brings the weights that step `i` reads. Each comes when it is first needed: to arrange all of a model takes longer than a
    /// frame.
    fn bring(&mut self, i: usize, files: &[Arc<Weights>], weights: &mut Shared) {
        for at in 0..self.plan.steps[i].inputs.len() {
            self.bring_slot(self.plan.steps[i].inputs[at].slot, files, weights);
        }
    }

    fn bring_slot(&mut self, slot: usize, files: &[Arc<Weights>], weights: &mut Shared) {
        if let Fill::Weight { set, name } = &self.plan.slots[slot].fill
            && self.buffers[slot].is_empty()
            && self.small[slot].is_none()
            && !self.tables[slot]
        {
            let (file, turned) = (&files[*set], self.turned[slot].as_ref());
            self.small[slot] = turned.and_then(|it| weights.small(file, name, it));
            if self.small[slot].is_none() {
                self.buffers[slot] = weights.get(file, name, turned);
            }
        }
    }

    /// What the trace is given, and so is not written again.
    fn keeps(
        &mut self,
        files: &[Arc<Weights>],
        weights: &mut Shared,
        spare: &mut Spare,
    ) -> BTreeMap<String, Kept> {
        for at in 0..self.plan.keeps.len() {
            self.bring_slot(self.plan.keeps[at].1.slot, files, weights);
        }
        let keep = |(name, operand): &(String, Operand)| {
            let (data, len) = (&self.buffers[operand.slot], size(&operand.shape));
            let data =
                if data.len() == len { Arc::clone(data) } else { data[operand.offset..][..len].into() };
            (name.clone(), Kept::new(&operand.shape, Storage::Host(data)))
        };
        let kept = self.plan.keeps.iter().map(keep).collect();
        // What came from outside goes when its owner lets it go.
        for (slot, buffer) in self.plan.slots.iter().zip(self.buffers.iter_mut()) {
            if slot.fill.written() && Arc::strong_count(buffer) > 1 {
                spare.give(std::mem::take(buffer));
            } else if matches!(slot.fill, Fill::Input(_) | Fill::State(_)) {
                *buffer = Arc::default();
            }
        }
        kept
    }

    /// The memory that step `i` writes to, out of its slot.
    fn room(&mut self, i: usize, spare: &mut Spare) -> Arc<[f32]> {
        let slot = self.plan.steps[i].output.slot;
        let Slot { len, fill } = &self.plan.slots[slot];
        let mut storage = std::mem::take(&mut self.buffers[slot]);
        if storage.len() != *len || Arc::get_mut(&mut storage).is_none() {
            storage = if *fill == Fill::Zeros { spare::zeros(*len) } else { spare.take(*len) };
        }
        storage
    }

    /// Runs step `i`, whose inputs do not share the slot of its output.
    fn run(&mut self, i: usize, files: &[Arc<Weights>], spare: &mut Spare) {
        let mut storage = self.room(i, spare);
        let step = &self.plan.steps[i];
        let Some(whole) = Arc::get_mut(&mut storage) else { unreachable!("new memory has one owner") };
        let out = &mut whole[step.output.offset..][..step.output.span()];
        if let Some(table) = step.inputs.first().filter(|it| self.tables[it.slot])
            && let Fill::Weight { set, name } = &self.plan.slots[table.slot].fill
        {
            let ids = &step.inputs[1];
            files[*set].look_up(name, &self.buffers[ids.slot][ids.offset..][..size(&ids.shape)], out);
        } else {
            let right = step.inputs.get(1).map(|it| it.slot).filter(|it| self.turned[*it].is_some());
            let panels = right.map(|it| match &self.small[it] {
                Some(small) => Side::Small(small),
                None => Side::F32(&self.buffers[it]),
            });
            run(step, out, &self.buffers, panels);
        }
        self.buffers[step.output.slot] = storage;
    }
}

/// Runs one step; a product by `panels`, if they are what stands on its right.
fn run(step: &Step, out: &mut [f32], buffers: &[Arc<[f32]>], panels: Option<Side<'_>>) {
    let input = |i: usize| strided(&step.inputs[i], buffers);
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
        Kernel::Reduce(f) => reduce(step, *f, out, buffers),
        Kernel::Softmax => rows::softmax(out, input(0)),
        Kernel::LayerNorm { eps } => {
            let residual = (step.inputs.len() == 4).then(|| input(3).rows());
            let results = results(step, out);
            rows::layer_norm(results, input(0), input(1).rows(), input(2).rows(), residual, *eps);
        }
        Kernel::Conv { taps, act } => {
            let bias = (step.inputs.len() == 3).then(|| input(2).rows());
            let each = step.inputs[1].shape.len() == 3;
            let convolve = if each { depthwise::convolve } else { conv::convolve };
            convolve(out, &step.output.shape, input(0), input(1), bias, *taps);
            follow(*act, out);
        }
        Kernel::Matmul { alpha, act } => {
            let bias = (step.inputs.len() == 3).then(|| input(2).rows());
            let a = input(0);
            if let Some(b) = panels {
                let (a, gelu) = (Matrix::of(a, [0, 0], 0), *act == Some(Act::Gelu));
                let shape = [2, 3].map(|axis| step.inputs[1].shape[axis]);
                panels::multiply(out, a, b, shape, Then { alpha: *alpha, bias, gelu });
                follow(act.filter(|it| *it != Act::Gelu), out);
            } else {
                matmul::matmul(out, step.product_strides(), a, input(1), bias, *alpha);
                follow(*act, out);
            }
        }
        Kernel::Pattern { alpha } => {
            let field = (step.inputs.len() == 3).then(|| input(2));
            mixing::pattern(out, [0, 1].map(input), field, *alpha);
        }
        Kernel::Attention { alpha } => {
            let (of, field) = ([0, 1, 2].map(input), (step.inputs.len() == 4).then(|| input(3)));
            Attention { of, field, alpha: *alpha, beta: 1.0, places: step.product_strides() }.attend(out);
        }
        Kernel::SoftmaxGrad => rows::softmax_grad(out, input(0), input(1)),
        Kernel::LayerNormGrad { eps } => {
            let residual = (step.inputs.len() == 4).then(|| input(3).rows());
            rows::layer_norm_grad(results(step, out), input(0), input(1).rows(), input(2), residual, *eps);
        }
        Kernel::ScatterAdd => places::scatter_add(out, input(0), input(1).rows()),
        Kernel::Fold { axis, stride } => places::fold(out, &step.output.shape, input(0), *axis, *stride),
        Kernel::Gather => places::gather(out, input(0), input(1).rows()),
    }
}

fn strided<'a>(x: &'a Operand, buffers: &'a [Arc<[f32]>]) -> Strided<'a> {
    Strided { data: &buffers[x.slot][x.offset..], shape: &x.shape, strides: &x.strides }
}

/// Reduces the last axis, to rows or to two results that are packed apart from each other.
fn reduce(step: &Step, f: Reduce, out: &mut [f32], buffers: &[Arc<[f32]>]) {
    let x = &step.inputs[0];
    if step.output.is_rows() {
        return rows::reduce(f, out, strided(x, buffers));
    }
    let len = size(&step.output.shape) / 2;
    for (i, out) in out.chunks_mut(step.output.strides[0]).enumerate() {
        rows::reduce(f, &mut out[..len], strided(&x.slice(0, i, 1, 1), buffers));
    }
}

/// The result of a step, and what it writes behind it.
fn results<'o>(step: &Step, out: &'o mut [f32]) -> [&'o mut [f32]; 2] {
    let len = size(&step.inputs[0].shape);
    let behind = out.len() - len;
    let (first, rest) = out.split_at_mut(len);
    [first, &mut rest[behind.saturating_sub(len)..]]
}

/// What follows a product.
fn follow(act: Option<Act>, out: &mut [f32]) {
    match act {
        None => {}
        Some(Act::Gelu) => pointwise::gelu_in_place(out),
        Some(Act::Clamp(low, high)) => pointwise::clamp_in_place(out, low, high),
    }
}

fn place(x: &Operand) -> Place<'_> {
    Place { offset: x.offset, strides: &x.strides }
}
