//! The operators that models are written in.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{ALIGN, Binary, Def, F32, Graph, Op, Reduce, Unary, View};
use crate::tensor::size;

/// A tensor of a recording. Cheap to copy; lives as long as its graph.
///
/// Shapes broadcast and are known while it is recorded, and so are derivatives:
///
/// ```
/// # use vitrine::engine::{Cancel, cpu::Cpu};
/// # use vitrine::graph::Graph;
/// # use vitrine::platform::block_on;
/// # use vitrine::tensor::Tensor;
/// let g = Graph::default();
/// let x = g.input(&Tensor::new(&[2, 1], [1.0, 2.0]));
/// let w = g.input(&Tensor::new(&[3], [1.0, 2.0, 3.0]));
/// let y = x * w;
/// assert_eq!(y.shape(), [2, 3]);
///
/// let z = (y * y).flat().sum(0); // d/dx of x^2 (w . w) is 2 x (w . w), and w . w is 14
/// let [dx] = g.grad(z, &[x])[..] else { unreachable!() };
/// dx.keep("dx");
/// let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default()))?;
/// assert_eq!(*block_on(trace.tensors["dx"].read())?.data, [28.0, 56.0]);
/// # Ok::<(), vitrine::engine::EngineError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Var<'g> {
    pub(super) graph: &'g Graph,
    pub(super) id: usize,
}

impl<'g> Var<'g> {
    /// The recording that it belongs to.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// Its shape.
    pub fn shape(self) -> Vec<usize> {
        self.graph.inner.borrow().nodes[self.id].shape.clone()
    }

    /// Length of `axis`; negative axes count from the end.
    pub fn dim(self, axis: isize) -> usize {
        let shape = self.shape();
        shape[resolve(axis, shape.len())]
    }

    /// Names the tensor, see [`Graph`]; returns what the model goes on with.
    #[must_use]
    pub fn tap(self, name: &str, axes: &str) -> Self {
        self.graph.tap(self, name, axes)
    }

    /// Returns the tensor in the trace under `name`, whatever patterns were asked for.
    pub fn keep(self, name: &str) -> Self {
        let name = format!("{}{name}", self.graph.scope.borrow());
        self.graph.keep_as(self, &name);
        self
    }

    pub(super) fn push(self, op: Op, others: &[Self], shape: Vec<usize>) -> Self {
        let inputs: Vec<Self> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.graph.push(op, &inputs, shape)
    }

    fn unary(self, f: Unary) -> Self {
        self.push(Op::Unary(f), &[], self.shape())
    }

    /// `|x|`
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }
    /// `cos x`
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }
    /// `erf x`
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }
    /// `e^x`
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }
    /// `log x`, natural
    pub fn log(self) -> Self {
        self.unary(Unary::Log)
    }
    /// `1/x`
    pub fn recip(self) -> Self {
        self.unary(Unary::Recip)
    }
    /// -1, 0 or 1
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }
    /// `sin x`
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }
    /// `sqrt x`
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }
    /// `tanh x`
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    fn binary(self, f: Binary, other: Self) -> Self {
        let shape = broadcast_shape(&self.shape(), &other.shape());
        self.broadcast(&shape).push(Op::Binary(f), &[other.broadcast(&shape)], shape)
    }

    /// The larger of two, elementwise. Where they are equal each has half of the derivative, unless one is a number.
    pub fn max_with(self, other: Self) -> Self {
        self.binary(Binary::Max, other)
    }
    /// This, or `other` where that is larger: where they are equal this has all of the derivative.
    pub fn or_larger(self, other: Self) -> Self {
        self.binary(Binary::OrLarger, other)
    }
    /// The smaller of two, elementwise. Where they are equal each has half of the derivative, unless one is a number.
    pub fn min_with(self, other: Self) -> Self {
        self.binary(Binary::Min, other)
    }
    /// 1 where `self < other`, else 0.
    pub fn less(self, other: Self) -> Self {
        self.binary(Binary::Less, other)
    }

    fn reduce(self, f: Reduce, axis: isize) -> Self {
        let mut shape = self.shape();
        let axis = resolve(axis, shape.len());
        shape[axis] = 1;
        self.push(Op::Reduce(f, axis), &[], shape)
    }

    /// Sum over `axis`, which stays with length 1.
    pub fn sum(self, axis: isize) -> Self {
        self.reduce(Reduce::Sum, axis)
    }
    /// Maximum over `axis`, which stays with length 1.
    pub fn max(self, axis: isize) -> Self {
        self.reduce(Reduce::Max, axis)
    }
    /// Mean over `axis`, which stays with length 1.
    pub fn mean(self, axis: isize) -> Self {
        self.sum(axis) / self.dim(axis) as f32
    }

    /// `[.., m, k] x [.., k, n] -> [.., m, n]`; leading axes broadcast.
    pub fn matmul(self, other: Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        assert!(a.len() >= 2 && b.len() >= 2, "matmul of {a:?} and {b:?}: both need two axes");
        let ([batch_a @ .., m, k], [batch_b @ .., k_b, n]) = (&a[..], &b[..]) else { unreachable!() };
        assert_eq!(k, k_b, "matmul of {a:?} and {b:?}: inner axes differ");
        if size(batch_b) == 1 && batch_b.len() <= batch_a.len() && !batch_a.is_empty() {
            // One matrix for the whole batch is one product of all rows, which is faster than many small ones.
            let rows = self.reshape(&[size(batch_a) * m, *k]).matmul(other.reshape(&[*k, *n]));
            return rows.reshape(&[batch_a, &[*m, *n]].concat());
        }
        let batch = broadcast_shape(batch_a, batch_b);
        let with = |tail: [usize; 2]| [&batch[..], &tail[..]].concat();
        self.broadcast(&with([*m, *k])).push(Op::Matmul, &[other.broadcast(&with([*k, *n]))], with([*m, *n]))
    }

    /// Rows of this table `[v, d]` by `ids` `[..]`, giving `[.., d]`.
    pub fn gather(self, ids: Self) -> Self {
        let table = self.shape();
        assert_eq!(table.len(), 2, "gather needs a table [v, d], not {table:?}");
        let shape = [&ids.shape()[..], &table[1..]].concat();
        self.push(Op::Gather, &[ids], shape)
    }

    /// The adjoint of [`Self::gather`]: the rows `[.., d]` of this added up by `ids` `[..]` into a table `[v, d]`.
    pub fn scatter_add(self, ids: Self, v: usize) -> Self {
        let (rows, counted) = (self.shape(), ids.shape());
        let Some((d, leading)) = rows.split_last() else { panic!("scatter_add needs rows [.., d]") };
        assert!(leading == counted && v > 0, "scatter_add of {rows:?} by ids {counted:?} into {v} rows");
        self.push(Op::ScatterAdd, &[ids], vec![v, *d])
    }

    /// The adjoint of [`Self::window`]: windows (counted by `axis`, their elements the last axis) added up where they
    /// overlap, giving `axis` the length `len`.
    pub fn fold(self, axis: isize, stride: usize, len: usize) -> Self {
        let mut shape = self.shape();
        let size = shape.pop().unwrap_or(0);
        let axis = resolve(axis, shape.len());
        let fits = size >= 1 && stride >= 1 && size <= len && shape[axis] == (len - size) / stride + 1;
        assert!(fits, "fold of {:?} along {axis} into {len}, {stride} apart", self.shape());
        shape[axis] = len;
        self.push(Op::Fold { axis, stride }, &[], shape)
    }

    /// The same tensor, taken for a constant: no derivative goes through.
    pub fn detach(self) -> Self {
        self.view(View::Detach, self.shape())
    }

    fn view(self, view: View, shape: Vec<usize>) -> Self {
        self.push(Op::View(view), &[], shape)
    }

    /// The same elements, row-major, as `shape`.
    pub fn reshape(self, shape: &[usize]) -> Self {
        let own = self.shape();
        assert_eq!(size(&own), size(shape), "reshape {own:?} to {shape:?}");
        if own == shape { self } else { self.view(View::Reshape, shape.to_vec()) }
    }

    /// All elements on one axis.
    pub fn flat(self) -> Self {
        self.reshape(&[size(&self.shape())])
    }

    /// Axis `i` of the result is axis `order[i]` of this.
    pub fn permute(self, order: &[usize]) -> Self {
        let own = self.shape();
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..own.len()), "permute {own:?} by {order:?}");
        if sorted == order {
            return self;
        }
        self.view(View::Permute(order.to_vec()), order.iter().map(|&i| own[i]).collect())
    }

    /// The last two axes swapped.
    pub fn t(self) -> Self {
        let rank = self.shape().len();
        assert!(rank >= 2, "transpose needs two axes");
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.permute(&order)
    }

    /// `len` elements of `axis` from `start`.
    pub fn slice(self, axis: isize, start: usize, len: usize) -> Self {
        self.strided(axis, start, len, 1)
    }

    /// `len` elements of `axis` from `start`, `step` apart.
    pub fn strided(self, axis: isize, start: usize, len: usize, step: usize) -> Self {
        let mut shape = self.shape();
        let axis = resolve(axis, shape.len());
        let last = start + len.saturating_sub(1) * step;
        assert!(len == 0 || last < shape[axis], "slice {start}..={last} of axis {axis} of {shape:?}");
        if len == shape[axis] && step == 1 {
            return self;
        }
        shape[axis] = len;
        self.view(View::Slice { axis, start, step }, shape)
    }

    /// `value` before and after the elements of `axis`.
    pub fn pad(self, axis: isize, before: usize, after: usize, value: f32) -> Self {
        let mut shape = self.shape();
        let axis = resolve(axis, shape.len());
        if before + after == 0 {
            return self;
        }
        shape[axis] += before + after;
        self.view(View::Pad { axis, before, value: F32::from(value) }, shape)
    }

    /// `parts` one after the other along `axis`; there is at least one. Each is padded to the length of both, and they are
    /// added, in pairs of pairs: of `n` parts every element is copied `log n` times.
    pub fn concat(parts: &[Self], axis: isize) -> Self {
        match parts {
            [] => panic!("nothing to put together"),
            [part] => *part,
            _ => {
                let (first, second) = parts.split_at(parts.len() / 2);
                let [first, second] = [first, second].map(|it| Self::concat(it, axis));
                first.pad(axis, 0, second.dim(axis), 0.0) + second.pad(axis, first.dim(axis), 0, 0.0)
            }
        }
    }

    /// The elements of all `parts` in one vector, each tensor's from the next multiple of [`ALIGN`] on, zeros between. Who
    /// computes a part writes it there, so that nothing is copied.
    pub fn pack(parts: &[Self]) -> Self {
        let [first, others @ ..] = parts else { panic!("nothing to put together") };
        let len = parts.iter().map(|it| size(&it.shape()).next_multiple_of(ALIGN)).sum();
        first.push(Op::Pack, others, vec![len])
    }

    /// Repeats axes of length 1 (or missing leading axes) up to `shape`.
    pub fn broadcast(self, shape: &[usize]) -> Self {
        let own = self.shape();
        if own == shape {
            return self;
        }
        let aligned = [&vec![1; shape.len() - own.len()][..], &own[..]].concat();
        let fits = aligned.iter().zip(shape).all(|(a, s)| a == s || *a == 1);
        assert!(fits, "broadcast {own:?} to {shape:?}");
        let x = self.reshape(&aligned);
        if aligned == shape { x } else { x.view(View::Broadcast, shape.to_vec()) }
    }

    /// Windows of `size` elements of `axis`, `stride` apart, on a new last axis. Those of one element do not overlap: their
    /// derivative adds nothing up.
    pub fn window(self, axis: isize, size: usize, stride: usize) -> Self {
        let mut shape = self.shape();
        let axis = resolve(axis, shape.len());
        assert!(size >= 1 && stride >= 1 && size <= shape[axis], "window {size} of axis {axis} of {shape:?}");
        shape[axis] = (shape[axis] - size) / stride + 1;
        let places = shape[axis];
        shape.push(size);
        if size == 1 {
            return self.strided(axis as isize, 0, places, stride).reshape(&shape);
        }
        self.view(View::Window { axis, size, stride }, shape)
    }

    pub(super) fn define(self, def: Def, others: &[Self]) -> Self {
        let shapes: Vec<Vec<usize>> = others.iter().map(|it| it.shape()).collect();
        self.push(Op::Def(def), others, def.shape(self.shape(), &shapes))
    }
}

pub(super) fn resolve(axis: isize, rank: usize) -> usize {
    let resolved = if axis < 0 { axis + rank as isize } else { axis };
    assert!((0..rank as isize).contains(&resolved), "axis {axis} of a tensor with {rank} axes");
    resolved as usize
}

/// The shape that two shapes broadcast to.
fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => panic!("shapes {a:?} and {b:?} do not broadcast"),
        })
        .collect()
}

macro_rules! operator {
    ($trait:ident, $method:ident, $f:expr) => {
        impl<'g> $trait for Var<'g> {
            type Output = Var<'g>;
            fn $method(self, other: Self) -> Self {
                self.binary($f, other)
            }
        }
        impl<'g> $trait<f32> for Var<'g> {
            type Output = Var<'g>;
            fn $method(self, other: f32) -> Self {
                self.binary($f, self.graph.constant(other))
            }
        }
    };
}
operator!(Add, add, Binary::Add);
operator!(Sub, sub, Binary::Sub);
operator!(Mul, mul, Binary::Mul);
operator!(Div, div, Binary::Div);

impl Neg for Var<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}
