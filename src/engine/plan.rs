//! From a recording to a plan: a list of kernel steps over numbered slots, the same for every device.
//!
//! Views cost nothing: an [`Operand`] is a slot seen through strides, and only where a kernel needs contiguous rows is
//! a copy made. Nodes that nothing kept depends on are left out. Where nobody looks at the tensors in between, a
//! product takes its scale, bias and activation along, a layer norm its residual sum, and elementwise operations become one step.

mod fuse;
mod pack;
mod pointwise;
mod product;
mod scratch;
mod turned;

use std::collections::BTreeMap;

use vitrine_loops::depthwise::Taps;
use vitrine_loops::tape::Instruction;

use self::fuse::Product;
pub use self::pointwise::Bound;
use super::layout::{Operand, collapse};
use crate::graph::{Def, Node, Op, Recording, Reduce, View};
use crate::tensor::size;

/// One kernel run: reads `inputs`, writes `output` (rows, but for products, which write rows anywhere).
#[derive(Clone, Debug)]
pub struct Step {
    /// What runs.
    pub kernel: Kernel,
    /// What it reads.
    pub inputs: Vec<Operand>,
    /// What it writes.
    pub output: Operand,
}

/// The kernels that a device has. Each input is strided; *rows* means contiguous, from a place where a GPU can begin to bind a
/// buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// Elementwise operations, padding among them, on inputs of the result's shape.
    Pointwise {
        /// What is computed.
        tape: Vec<Instruction>,
        /// What is inside of padded tensors.
        bounds: Vec<Bound>,
    },
    /// Reduces the last axis.
    Reduce(Reduce),
    /// `y[b] = act(alpha * a[b] x b[b] + bias)`: inputs `[b, m, k]`, `[b, k, n]` and, if there is one, bias `[n]` rows.
    /// The batch `b` is two axes, of whatever strides, also in the result.
    Matmul {
        /// Factor of the product.
        alpha: f32,
        /// What follows.
        act: Option<Act>,
    },
    /// `y = act(x * w + bias)`: rows `x` `[.., h, w, c]`, `w` `[kh, kw, c, o]` and, if there is one, bias `[o]` rows; gives
    /// `[.., rows, columns, o]`. Where `w` is `[kh, kw, c]` rows, each channel has its own.
    Conv {
        /// Which places meet which parts of the kernel.
        taps: Taps,
        /// What follows; no GELU.
        act: Option<Act>,
    },
    /// Inputs: table `[v, d]` and ids `[n]` rows.
    Gather,
    /// Inputs: rows `[n, d]` and ids `[n]` rows; a table `[v, d]` of sums.
    ScatterAdd,
    /// Windows `[.., windows, .., size]` added up where they overlap.
    Fold {
        /// Which axis counts the windows.
        axis: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// Softmax of rows.
    Softmax,
    /// Layer norm of rows: `x`, `gamma`, `beta` and, if there is a fourth, a residual that is added to `x` first.
    LayerNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// `dx` of softmax from rows `y` and `dy`.
    SoftmaxGrad,
    /// `dx` of layer norm from rows `x`, `gamma` and rows `dy`.
    LayerNormGrad {
        /// Added to the variance.
        eps: f32,
    },
}

/// What follows a product before it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// GELU.
    Gelu,
    /// The least and the most.
    Clamp(f32, f32),
}

impl Kernel {
    /// `y = x`
    pub fn copy() -> Self {
        Self::Pointwise { tape: vec![Instruction::Load { operand: 0, within: vec![] }], bounds: vec![] }
    }
}

/// What a slot holds when a run starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// Nothing: written by steps, reused when free.
    Scratch,
    /// Zeros, between which steps write; not reused.
    Zeros,
    /// Data of the recording's input.
    Input(usize),
    /// One of the recording's states.
    State(usize),
    /// A tensor of the recording's weights.
    Weight {
        /// Which file.
        set: usize,
        /// Which tensor.
        name: String,
    },
    /// A number.
    Const(f32),
}

impl Fill {
    /// Whether steps write what the slot holds.
    pub(super) fn written(&self) -> bool {
        matches!(self, Self::Scratch | Self::Zeros)
    }
}

/// Storage that steps read and write.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Number of f32 elements.
    pub len: usize,
    /// What it holds when a run starts.
    pub fill: Fill,
}

/// A compiled recording.
pub struct Plan {
    /// Storage.
    pub slots: Vec<Slot>,
    /// Kernel runs, in order.
    pub steps: Vec<Step>,
    /// What comes back: name and contiguous operand.
    pub keeps: Vec<(String, Operand)>,
}

impl Plan {
    /// Compiles `recording`.
    pub fn compile(recording: &Recording) -> Self {
        let mut compiler = Compiler::new(recording);
        compiler.seat(recording.keeps.iter().map(|(_, id)| *id));
        compiler.plan(recording)
    }

    /// The same with a step for every elementwise operation: what fused ones are held against.
    pub fn unfused(recording: &Recording) -> Self {
        Compiler::new(recording).plan(recording)
    }
}

impl Step {
    /// Where a product writes: the strides of its two axes of matrices and of rows.
    pub(super) fn product_strides(&self) -> [usize; 3] {
        let (a, n) = (&self.inputs[0].shape, self.inputs[1].shape[3]);
        match self.output.strides[..] {
            [outer, inner, row, _] if !self.output.is_rows() => [outer, inner, row],
            _ => [a[1] * a[2] * n, a[2] * n, n],
        }
    }

    /// Floating-point operations, roughly: what long runs are sliced by.
    pub fn flops(&self) -> usize {
        let len = size(&self.output.shape);
        match self.kernel {
            Kernel::Matmul { .. } => 2 * len * self.inputs[0].shape[3],
            Kernel::Conv { .. } => {
                let kernel = &self.inputs[1].shape;
                2 * len * size(kernel) / kernel[kernel.len() - 1]
            }
            Kernel::Reduce(_) | Kernel::Fold { .. } => size(&self.inputs[0].shape),
            Kernel::ScatterAdd => len * self.inputs[1].shape[0],
            Kernel::Softmax | Kernel::LayerNorm { .. } => 8 * len,
            Kernel::SoftmaxGrad | Kernel::LayerNormGrad { .. } => 12 * len,
            Kernel::Pointwise { ref tape, .. } => tape.iter().map(cost).sum::<usize>() * len,
            Kernel::Gather => len,
        }
    }
}

/// Floating-point operations of an instruction, roughly.
fn cost(instruction: &Instruction) -> usize {
    match instruction {
        Instruction::Number(_) | Instruction::Load { .. } | Instruction::Pad { .. } => 0,
        Instruction::Unary(..) | Instruction::Binary(..) => 1,
        Instruction::Gelu(_) => 8,
        Instruction::GeluGrad(..) => 12,
    }
}

struct Compiler<'r> {
    nodes: &'r [Node],
    /// How often a node is read by live nodes, keeps included.
    uses: Vec<usize>,
    /// The only reader of a node, if it has one and nobody keeps it.
    reader: Vec<Option<usize>>,
    /// Products that end at a node, and layer norms that swallow a sum.
    products: BTreeMap<usize, Product>,
    absorbed: Vec<bool>,
    /// Which nodes are computed within the step of another.
    seated: Vec<bool>,
    /// Which pack a result is written to, and where.
    homes: Vec<Option<(usize, usize)>>,
    operands: Vec<Option<Operand>>,
    slots: Vec<Slot>,
    steps: Vec<Step>,
}

impl<'r> Compiler<'r> {
    fn new(recording: &'r Recording) -> Self {
        let nodes = &recording.nodes[..];
        let mut uses = vec![0; nodes.len()];
        let mut reader = vec![None; nodes.len()];
        for (_, id) in &recording.keeps {
            uses[*id] += 2; // a kept tensor is never swallowed
        }
        for id in (0..nodes.len()).rev() {
            if uses[id] > 0 {
                for &input in &nodes[id].inputs {
                    uses[input] += 1;
                    reader[input] = Some(id);
                }
            }
        }
        for id in 0..nodes.len() {
            if uses[id] != 1 {
                reader[id] = None;
            }
        }
        let n = nodes.len();
        let mut it = Self {
            nodes,
            uses,
            reader,
            products: BTreeMap::new(),
            absorbed: vec![false; n],
            seated: vec![false; n],
            homes: vec![None; n],
            operands: vec![None; n],
            slots: vec![],
            steps: vec![],
        };
        it.fuse();
        it.find_homes();
        it
    }

    fn plan(mut self, recording: &Recording) -> Plan {
        for id in 0..self.nodes.len() {
            if self.uses[id] > 0 {
                self.node(id);
            }
        }
        let keeps = recording.keeps.iter();
        let keeps = keeps.map(|(name, id)| (name.clone(), self.rows(*id))).collect();
        let mut plan = Plan { slots: self.slots, steps: self.steps, keeps };
        plan.share_scratch();
        plan
    }

    /// Emits what `id` needs, and remembers where its result lies.
    fn node(&mut self, id: usize) {
        if self.absorbed[id] || self.seated[id] {
            return;
        }
        if let Some(product) = self.products.get(&id).copied() {
            return self.product(id, product);
        }
        let nodes = self.nodes;
        let Node { op, inputs, shape } = &nodes[id];
        match op {
            Op::Input { slot } => self.leaf(id, Fill::Input(*slot)),
            Op::State { slot } => self.leaf(id, Fill::State(*slot)),
            Op::Weight { set, name } => self.leaf(id, Fill::Weight { set: *set, name: name.clone() }),
            Op::Const(value) => self.leaf(id, Fill::Const(value.get())),
            Op::Unary(_)
            | Op::Binary(_)
            | Op::View(View::Pad { .. })
            | Op::Def(Def::Gelu | Def::GeluGrad | Def::Clamp { .. }) => {
                self.pointwise(id);
            }
            Op::View(view) => self.view(id, view, inputs[0], shape),
            Op::Reduce(f, axis) => {
                let x = self.operand(inputs[0]).last(*axis);
                self.emit(id, Kernel::Reduce(*f), vec![x]);
            }
            Op::Gather => {
                let table = self.operand(inputs[0]);
                let ids = self.rows(inputs[1]).flat();
                self.emit(id, Kernel::Gather, vec![table, ids]);
            }
            Op::ScatterAdd => {
                let inputs = vec![self.rows(inputs[0]), self.rows(inputs[1]).flat()];
                self.emit(id, Kernel::ScatterAdd, inputs);
            }
            Op::Fold { axis, stride } => {
                let x = self.operand(inputs[0]);
                self.emit(id, Kernel::Fold { axis: *axis, stride: *stride }, vec![x]);
            }
            Op::Def(Def::Softmax) => self.by_rows(id, Kernel::Softmax),
            Op::Def(Def::LayerNorm { eps }) => self.layer_norm(id, eps.get()),
            Op::Def(Def::SoftmaxGrad) => self.by_rows(id, Kernel::SoftmaxGrad),
            Op::Def(Def::LayerNormGrad { eps }) => self.by_rows(id, Kernel::LayerNormGrad { eps: eps.get() }),
            Op::Pack => self.pack(id),
            Op::Matmul | Op::Def(Def::Conv(_) | Def::ConvGrad { .. }) => {
                unreachable!("every product is in `products`")
            }
        }
    }

    fn layer_norm(&mut self, id: usize, eps: f32) {
        let [x, gamma, beta] = self.nodes[id].inputs[..] else { unreachable!("layer norm has three inputs") };
        let (x, residual) = if self.absorbed[x] {
            (self.nodes[x].inputs[0], Some(self.nodes[x].inputs[1]))
        } else {
            (x, None)
        };
        let mut inputs = vec![self.rows(x), self.rows(gamma), self.rows(beta)];
        inputs.extend(residual.map(|it| self.rows(it)));
        self.emit(id, Kernel::LayerNorm { eps }, inputs);
    }

    fn view(&mut self, id: usize, view: &View, input: usize, shape: &[usize]) {
        let seen = see(view, &self.operand(input), shape).unwrap_or_else(|| {
            let copy = self.rows(input);
            copy.reshape(shape).unwrap_or_else(|| unreachable!("contiguous rows take any shape"))
        });
        self.operands[id] = Some(seen);
    }

    fn by_rows(&mut self, id: usize, kernel: Kernel) {
        let nodes = self.nodes;
        let inputs = nodes[id].inputs.iter().map(|it| self.rows(*it)).collect();
        self.emit(id, kernel, inputs);
    }

    fn leaf(&mut self, id: usize, fill: Fill) {
        let shape = &self.nodes[id].shape;
        let slot = self.slot(size(shape), fill);
        self.operands[id] = Some(Operand::rows(slot, shape));
    }

    fn slot(&mut self, len: usize, fill: Fill) -> usize {
        self.slots.push(Slot { len, fill });
        self.slots.len() - 1
    }

    /// Where the result of `id` lies.
    fn operand(&self, id: usize) -> Operand {
        self.operands[id].clone().unwrap_or_else(|| unreachable!("node {id} is read before it is computed"))
    }

    /// The result of `id` as contiguous rows, copied if it is not.
    fn rows(&mut self, id: usize) -> Operand {
        let x = self.operand(id);
        if x.is_rows() {
            return x;
        }
        let rows = self.copy(x);
        self.operands[id] = Some(rows.clone());
        rows
    }

    fn copy(&mut self, x: Operand) -> Operand {
        let slot = self.slot(size(&x.shape), Fill::Scratch);
        let output = Operand::rows(slot, &x.shape);
        self.step(Kernel::copy(), vec![x], output.clone());
        output
    }

    fn emit(&mut self, id: usize, kernel: Kernel, inputs: Vec<Operand>) {
        let output = self.home(id, Fill::Scratch);
        self.operands[id] = Some(output.clone());
        self.step(kernel, inputs, output);
    }

    fn step(&mut self, mut kernel: Kernel, mut inputs: Vec<Operand>, mut output: Operand) {
        if size(&output.shape) == 0 {
            return;
        }
        if let Kernel::Pointwise { bounds, .. } = &mut kernel {
            let places = bounds.iter_mut().map(|it| &mut it.place);
            collapse(inputs.iter_mut().chain([&mut output]).chain(places));
        }
        self.steps.push(Step { kernel, inputs, output });
    }
}

/// `x` as a view of `shape` shows it; `None` where strides cannot express that. Beside what was padded lies nothing.
fn see(view: &View, x: &Operand, shape: &[usize]) -> Option<Operand> {
    match view {
        View::Reshape => x.reshape(shape),
        View::Detach => Some(x.clone()),
        View::Permute(order) => Some(x.permute(order)),
        View::Slice { axis, start, step } => Some(x.slice(*axis, *start, shape[*axis], *step)),
        View::Broadcast => Some(x.broadcast(shape)),
        View::Window { axis, size, stride } => Some(x.window(*axis, *size, *stride)),
        View::Pad { axis, before, .. } => Some(x.pad(*axis, *before, shape[*axis])),
    }
}
