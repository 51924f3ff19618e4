//! From a recording to a plan: a list of kernel steps over numbered slots, the same for every device.
//!
//! Views cost nothing: an [`Operand`] is a slot seen through strides, and only where a kernel needs contiguous rows is
//! a copy made. Nodes that nothing kept depends on are left out. Where nobody looks at the tensors in between, a
//! product takes its scale, bias and activation along, a layer norm its residual sum, and elementwise operations become one step.

mod attention;
mod fuse;
mod join;
mod layer_norm;
mod norm_grad;
mod pack;
mod pointwise;
mod product;
mod scratch;
mod step;
mod sums;
mod turned;

use std::collections::BTreeMap;

use self::attention::{Attention, Pattern};
use self::fuse::Product;
use self::join::Join;
use self::norm_grad::NormGrad;
pub use self::pointwise::Bound;
pub use self::step::{Act, Kernel, Step};
use super::EngineError;
use super::layout::{Operand, collapse};
use crate::graph::{Def, Node, Op, Recording, View};
use crate::platform;
use crate::tensor::size;

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
        compiler.find_joins();
        compiler.seat(recording.keeps.iter().map(|(_, id)| *id));
        compiler.plan(recording)
    }

    /// An error if a run takes more memory than this machine has.
    pub(super) fn fits(&self) -> Result<(), EngineError> {
        let needed = self.elements();
        let fault = EngineError::Memory { needed: needed.div_ceil(1 << 18) };
        if platform::holds(needed) { Ok(()) } else { Err(fault) }
    }

    /// Numbers that a run holds beside the weights, which all plans share.
    pub fn elements(&self) -> usize {
        let own = self.slots.iter().filter(|it| !matches!(it.fill, Fill::Weight { .. }));
        own.map(|it| it.len).fold(0, usize::saturating_add)
    }

    /// The same with a step for every elementwise operation: what fused ones are held against.
    pub fn unfused(recording: &Recording) -> Self {
        Compiler::new(recording).plan(recording)
    }
}

struct Compiler<'r> {
    nodes: &'r [Node],
    /// How often a node is read by live nodes, keeps included.
    uses: Vec<usize>,
    /// The only reader of a node, if it has one and nobody keeps it.
    reader: Vec<Option<usize>>,
    /// Products that end at a node.
    products: BTreeMap<usize, Product>,
    /// Softmaxes that compute their scores on the way.
    patterns: BTreeMap<usize, Pattern>,
    /// Products that compute such a softmax on the way.
    attentions: BTreeMap<usize, Attention>,
    /// Derivatives of layer norms that end at a node.
    norm_grads: BTreeMap<usize, NormGrad>,
    /// The sums that layer norms take along.
    sums: BTreeMap<usize, usize>,
    /// Sums of parts that are written beside each other, and to which of them a part belongs.
    joins: BTreeMap<usize, Join>,
    joined: BTreeMap<usize, usize>,
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
            patterns: BTreeMap::new(),
            attentions: BTreeMap::new(),
            norm_grads: BTreeMap::new(),
            sums: BTreeMap::new(),
            joins: BTreeMap::new(),
            joined: BTreeMap::new(),
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
        plan.join_sums();
        plan.share_scratch();
        plan
    }

    /// Emits what `id` needs, and remembers where its result lies.
    fn node(&mut self, id: usize) {
        if self.absorbed[id] || self.seated[id] {
            return;
        }
        if let Some(attention) = self.attentions.get(&id).copied() {
            return self.attend(id, attention);
        }
        if let Some(pattern) = self.patterns.get(&id).copied() {
            return self.soften(id, pattern);
        }
        if let Some(product) = self.products.get(&id).copied() {
            return self.product(id, product);
        }
        if let Some(grad) = self.norm_grads.get(&id).copied() {
            return self.norm_grad(id, grad);
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
            Op::Pack => self.pack(id),
            Op::Matmul | Op::Def(Def::Conv(_) | Def::ConvGrad { .. } | Def::LayerNormGrad { .. }) => {
                unreachable!("what takes others along was found before")
            }
        }
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
