//! Elementwise operations that nobody looks between become one step: a tape of instructions.
//!
//! A node is computed within the step of another, its root, if all who read it are, and see it in the same way: through
//! the same views, the node's *route* to the root. Views and pads on the way are applied to the operands at the end of it.

use std::collections::BTreeMap;

use vitrine_loops::tape::Instruction;

use super::{Compiler, Kernel, see};
use crate::engine::layout::Operand;
use crate::graph::{Binary, Def, Node, Op, View};

/// Slots that a step may read: with its result they are the eight buffers that a GPU binds by default.
const SLOTS: usize = 7;
/// Nodes that a step may compute.
const NODES: usize = 160;

/// A padded axis as elements of a result see it: inside are those whose place, modulo the largest `usize`, is less.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Counts along the axis, from its first element that is no padding.
    pub place: Operand,
    /// Length of the axis without padding.
    pub len: usize,
}

/// In which step a node is computed, and through which views that sees it, the last of them first.
#[derive(Clone, PartialEq)]
struct Seat {
    root: usize,
    route: Vec<usize>,
}

/// Who reads a node.
#[derive(Clone)]
enum Readers {
    Nobody,
    All(Seat),
    Others,
}

impl Compiler<'_> {
    /// Finds the nodes that are computed within the steps of others.
    pub(super) fn seat(&mut self, kept: impl Iterator<Item = usize>) {
        let mut readers = vec![Readers::Nobody; self.nodes.len()];
        let mut count = vec![1; self.nodes.len()];
        kept.for_each(|id| readers[id] = Readers::Others);
        for id in (0..self.nodes.len()).rev().filter(|id| self.uses[*id] > 0) {
            let seat = match std::mem::replace(&mut readers[id], Readers::Others) {
                Readers::All(seat) if count[seat.root] < NODES && self.takes(id, &seat) => Some(seat),
                _ => None,
            };
            if let Some(seat) = &seat {
                self.seated[id] = true;
                count[seat.root] += usize::from(self.is_pointwise(id));
            }
            let below = self.below(id, seat);
            for input in self.reads(id) {
                let known = std::mem::replace(&mut readers[input], Readers::Others);
                readers[input] = match (known, &below) {
                    (Readers::Nobody, Some(seat)) => Readers::All(seat.clone()),
                    (Readers::All(known), Some(seat)) if known == *seat => Readers::All(known),
                    _ => Readers::Others,
                };
            }
        }
    }

    /// What a live node reads, through what steps take along.
    fn reads(&self, id: usize) -> Vec<usize> {
        let mut reads = self.nodes[id].inputs.clone();
        if let Some(product) = self.products.get(&id) {
            reads.extend(product.factors.iter().map(|it| it.id).chain(product.bias));
        }
        reads
    }

    /// Where the inputs of `id` are seen from.
    fn below(&self, id: usize, seat: Option<Seat>) -> Option<Seat> {
        if self.is_end(id) {
            return None;
        }
        let is_view = matches!(self.nodes[id].op, Op::View(_));
        let mut seat = match seat {
            Some(seat) => seat,
            None if self.is_pointwise(id) => Seat { root: id, route: vec![] },
            None => return None,
        };
        seat.route.extend(is_view.then_some(id));
        Some(seat)
    }

    /// Whether `id` is computed by a step of another kind.
    fn is_end(&self, id: usize) -> bool {
        self.absorbed[id] || self.products.contains_key(&id) || self.norm_grads.contains_key(&id)
    }

    /// Whether `id` can be computed where `seat` says.
    fn takes(&self, id: usize, Seat { route, .. }: &Seat) -> bool {
        if self.is_end(id) {
            return false;
        }
        let node = &self.nodes[id];
        match &node.op {
            Op::View(View::Pad { .. }) => self.bound(id, route).is_some(),
            Op::View(_) => true,
            _ => self.is_pointwise(id) && route.iter().all(|view| !self.multiplies(*view)),
        }
    }

    /// Whether a view would have what it shows computed several times. Where it repeats one number along a whole row that
    /// is cheap.
    fn multiplies(&self, view: usize) -> bool {
        let Node { op, inputs, shape } = &self.nodes[view];
        match op {
            Op::View(View::Broadcast) => {
                self.nodes[inputs[0]].shape.last() != Some(&1) || shape.last() == Some(&1)
            }
            Op::View(View::Window { .. }) => true,
            _ => false,
        }
    }

    /// Whether a node is a step of its own unless it is seated elsewhere.
    fn is_pointwise(&self, id: usize) -> bool {
        matches!(
            self.nodes[id].op,
            Op::Unary(_)
                | Op::Binary(_)
                | Op::Def(Def::Gelu | Def::GeluGrad | Def::Clamp { .. })
                | Op::View(View::Pad { .. })
        )
    }

    /// The bound of pad `id` as it is seen through `route`; `None` where a view mixes the padded axis with others.
    fn bound(&self, id: usize, route: &[usize]) -> Option<Bound> {
        let Node { op: Op::View(View::Pad { axis, before, .. }), inputs, shape } = &self.nodes[id] else {
            return None;
        };
        let mut strides = vec![0; shape.len()];
        strides[*axis] = 1;
        let offset = 0_usize.wrapping_sub(*before);
        let mut place = Operand { slot: usize::MAX, offset, shape: shape.clone(), strides };
        for view in route.iter().rev() {
            place = self.through(*view, &place)?;
        }
        Some(Bound { place, len: self.nodes[inputs[0]].shape[*axis] })
    }

    /// `x` as view `id` shows it.
    fn through(&self, id: usize, x: &Operand) -> Option<Operand> {
        let Node { op: Op::View(view), shape, .. } = &self.nodes[id] else { return None };
        see(view, x, shape)
    }

    /// Emits the step of root `id`.
    pub(super) fn pointwise(&mut self, id: usize) {
        if let Some(parts) = self.join(id) {
            self.operands[id] = Some(parts);
            return;
        }
        let tree = loop {
            let mut tree = Tree::default();
            match tree.compute(self, id, &mut vec![], &[]) {
                Ok(_) => break tree,
                Err(part) => {
                    self.unseat(part);
                    self.rows(part);
                }
            }
        };
        self.emit(id, Kernel::Pointwise { tape: tree.tape, bounds: tree.bounds }, tree.inputs);
    }

    /// Computes on its own what had a seat.
    fn unseat(&mut self, id: usize) {
        if std::mem::take(&mut self.seated[id]) {
            if !self.is_pointwise(id) {
                self.unseat(self.nodes[id].inputs[0]);
            }
            self.node(id);
        }
    }
}

/// A step under construction. What it cannot take along is an error that names a part to be computed before, on its own.
#[derive(Default)]
struct Tree {
    tape: Vec<Instruction>,
    inputs: Vec<Operand>,
    bounds: Vec<Bound>,
    /// Nodes that are being computed, the root first.
    open: Vec<usize>,
    /// The instructions of those that are done, and how many slots each added.
    done: BTreeMap<usize, (usize, usize)>,
}

impl Tree {
    /// The instruction that gives `id`, seen through `route` within bounds.
    fn value(
        &mut self,
        compiler: &Compiler<'_>,
        id: usize,
        route: &mut Vec<usize>,
        within: &[usize],
    ) -> Result<usize, usize> {
        if let Some((instruction, _)) = self.done.get(&id) {
            Ok(*instruction)
        } else if let Some(number) = compiler.scalar(id) {
            Ok(self.number(number))
        } else if !compiler.seated[id] {
            self.load(compiler, id, route, within)
        } else if compiler.is_pointwise(id) {
            self.compute(compiler, id, route, within)
        } else {
            self.below(compiler, id, route, within)
        }
    }

    /// What view `id` shows.
    fn below(
        &mut self,
        compiler: &Compiler<'_>,
        id: usize,
        route: &mut Vec<usize>,
        within: &[usize],
    ) -> Result<usize, usize> {
        route.push(id);
        let x = self.value(compiler, compiler.nodes[id].inputs[0], route, within)?;
        route.pop();
        Ok(x)
    }

    fn compute(
        &mut self,
        compiler: &Compiler<'_>,
        id: usize,
        route: &mut Vec<usize>,
        within: &[usize],
    ) -> Result<usize, usize> {
        let known = self.slots();
        self.open.push(id);
        let Node { op, inputs, .. } = &compiler.nodes[id];
        let instruction = if let Op::View(View::Pad { value, .. }) = op {
            let bound = compiler.bound(id, route).ok_or(id)?;
            let (value, within) = (value.get(), self.within(within, bound));
            let x = self.below(compiler, id, route, &within)?;
            match &self.tape[x] {
                // What is padded twice with the same is padded once: the inner one knows the bounds of both.
                Instruction::Pad { value: known, .. } if known.to_bits() == value.to_bits() => x,
                _ => self.push(Instruction::Pad { x, within, value }),
            }
        } else {
            let x = inputs.iter().map(|input| self.value(compiler, *input, route, within));
            let x = x.collect::<Result<Vec<usize>, usize>>()?;
            if let Op::Def(Def::Clamp { low, high }) = op {
                self.clamp(x[0], low.get(), high.get())
            } else {
                self.push(instruction(op, &x))
            }
        };
        self.open.pop();
        self.done.insert(id, (instruction, self.slots() - known));
        Ok(instruction)
    }

    /// Reads the result of `id`, which lies somewhere, through `route`.
    fn load(
        &mut self,
        compiler: &Compiler<'_>,
        id: usize,
        route: &[usize],
        within: &[usize],
    ) -> Result<usize, usize> {
        let mut x = compiler.operand(id);
        for view in route.iter().rev() {
            x = compiler.through(*view, &x).ok_or(compiler.nodes[*view].inputs[0])?;
        }
        let operand = self.inputs.iter().position(|it| *it == x).unwrap_or(self.inputs.len());
        if operand == self.inputs.len() {
            self.inputs.push(x);
            if self.slots() > SLOTS {
                return Err(self.heaviest());
            }
        }
        let load = Instruction::Load { operand, within: within.to_vec() };
        Ok(self.tape.iter().position(|it| *it == load).unwrap_or_else(|| self.push(load)))
    }

    /// The part that reads most slots; if there is none yet, the one that is begun last.
    fn heaviest(&self) -> usize {
        let heaviest = self.done.iter().max_by_key(|(_, (_, slots))| *slots).filter(|it| it.1.1 > 1);
        let last = self.open.last().unwrap_or_else(|| unreachable!("a root is begun first"));
        heaviest.map_or(*last, |(id, _)| *id)
    }

    /// How many slots it reads.
    fn slots(&self) -> usize {
        let mut slots: Vec<usize> = self.inputs.iter().map(|it| it.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.len()
    }

    /// `known` bounds and one more.
    fn within(&mut self, known: &[usize], bound: Bound) -> Vec<usize> {
        let i = self.bounds.iter().position(|it| *it == bound).unwrap_or(self.bounds.len());
        if i == self.bounds.len() {
            self.bounds.push(bound);
        }
        [known, &[i]].concat()
    }

    fn number(&mut self, x: f32) -> usize {
        let same = |it: &Instruction| matches!(it, Instruction::Number(y) if y.to_bits() == x.to_bits());
        self.tape.iter().position(same).unwrap_or_else(|| self.push(Instruction::Number(x)))
    }

    fn clamp(&mut self, x: usize, low: f32, high: f32) -> usize {
        let least = self.number(low);
        let x = self.push(Instruction::Binary(Binary::Max, x, least));
        if high.is_finite() {
            let most = self.number(high);
            self.push(Instruction::Binary(Binary::Min, x, most))
        } else {
            x
        }
    }

    fn push(&mut self, instruction: Instruction) -> usize {
        self.tape.push(instruction);
        self.tape.len() - 1
    }
}

/// `op` on results.
fn instruction(op: &Op, x: &[usize]) -> Instruction {
    match (op, x) {
        (Op::Unary(f), [x]) => Instruction::Unary(*f, *x),
        // They differ in their derivative only.
        (Op::Binary(Binary::OrLarger), [a, b]) => Instruction::Binary(Binary::Max, *a, *b),
        (Op::Binary(f), [a, b]) => Instruction::Binary(*f, *a, *b),
        (Op::Def(Def::Gelu), [x]) => Instruction::Gelu(*x),
        (Op::Def(Def::GeluGrad), [x, dy]) => Instruction::GeluGrad(*x, *dy),
        _ => unreachable!("{op:?} of {} is not elementwise", x.len()),
    }
}
