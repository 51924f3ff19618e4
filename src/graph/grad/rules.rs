//! The derivative of every primitive. `dy` stands for `dz/dy`, and each rule gives `dz/dx_i`.

use std::f32::consts::FRAC_2_SQRT_PI;

use crate::graph::{ALIGN, Binary, Op, Reduce, Unary, Var, View};
use crate::tensor::size;

/// What `dy`, the cotangent of `y = op(x)`, adds to the cotangent of `x[i]`; `None` if `y` does not vary with it.
pub(super) fn adjoint<'g>(op: &Op, x: &[Var<'g>], y: Var<'g>, dy: Var<'g>, i: usize) -> Option<Var<'g>> {
    match op {
        Op::Input { .. } | Op::State { .. } | Op::Weight { .. } | Op::Const(_) => None,
        Op::Unary(f) => unary(*f, x[0], y, dy),
        Op::Binary(f) => binary(*f, x[0], x[1], y, dy, i),
        Op::Reduce(Reduce::Sum, _) => Some(dy.broadcast(&x[0].shape())),
        Op::Reduce(Reduce::Max, axis) => Some(max(x[0], y, dy, *axis as isize)),
        Op::Matmul => Some(product(x[0], x[1], dy, i)),
        Op::Gather => (i == 0).then(|| dy.scatter_add(x[1], x[0].dim(0))),
        Op::ScatterAdd => (i == 0).then(|| dy.gather(x[1])),
        Op::Fold { axis, stride } => Some(dy.window(*axis as isize, x[0].dim(-1), *stride)),
        Op::Pack => Some(unpack(x, dy, i)),
        Op::View(it) => view(it, &x[0].shape(), dy),
        Op::Def(def) => unreachable!("{def:?} is no primitive"),
    }
}

/// The part of `dy` that became of `x[i]`.
fn unpack<'g>(x: &[Var<'g>], dy: Var<'g>, i: usize) -> Var<'g> {
    let start = x[..i].iter().map(|it| size(&it.shape()).next_multiple_of(ALIGN)).sum();
    let shape = x[i].shape();
    dy.slice(0, start, size(&shape)).reshape(&shape)
}

fn unary<'g>(f: Unary, x: Var<'g>, y: Var<'g>, dy: Var<'g>) -> Option<Var<'g>> {
    Some(match f {
        Unary::Abs => dy * x.sign(),
        Unary::Cos => -(dy * x.sin()),
        Unary::Erf => dy * ((-(x * x)).exp() * FRAC_2_SQRT_PI),
        Unary::Exp => dy * y,
        Unary::Log => dy / x,
        Unary::Neg => -dy,
        Unary::Recip => -(dy * y * y),
        Unary::Sign => return None,
        Unary::Sin => dy * x.cos(),
        Unary::Sqrt => dy * 0.5 / y,
        Unary::Tanh => dy * (y.graph.constant(1.0) - y * y),
    })
}

fn binary<'g>(f: Binary, a: Var<'g>, b: Var<'g>, y: Var<'g>, dy: Var<'g>, i: usize) -> Option<Var<'g>> {
    Some(match (f, i) {
        (Binary::Add, _) | (Binary::Sub, 0) => dy,
        (Binary::Sub, _) => -dy,
        (Binary::Mul, 0) => dy * b,
        (Binary::Mul, _) => dy * a,
        (Binary::Div, 0) => dy / b,
        (Binary::Div, _) => -(dy * y / b),
        (Binary::Max, 0) | (Binary::Min, 1) => dy * above(a, b),
        (Binary::Max | Binary::Min, _) => dy * above(b, a),
        (Binary::OrLarger, 0) => dy * (y.graph.constant(1.0) - a.less(b)),
        (Binary::OrLarger, _) => dy * a.less(b),
        (Binary::Less, _) => return None,
    })
}

/// `dA = dY B^T` and `dB = A^T dY`. Where the matrix is the transpose of another, as the weight of a linear layer, the
/// gradient is computed as a transpose too, so that that of the other lies in rows.
fn product<'g>(a: Var<'g>, b: Var<'g>, dy: Var<'g>, i: usize) -> Var<'g> {
    match (i, is_transpose(if i == 0 { a } else { b })) {
        (0, false) => dy.matmul(b.t()),
        (0, true) => b.matmul(dy.t()).t(),
        (_, false) => a.t().matmul(dy),
        (_, true) => dy.t().matmul(a).t(),
    }
}

/// Whether `x` is another tensor with its last two axes swapped.
fn is_transpose(x: Var<'_>) -> bool {
    let nodes = &x.graph.inner.borrow().nodes;
    let Op::View(View::Permute(order)) = &nodes[x.id].op else { return false };
    matches!(order[..], [.., a, b] if a > b)
}

/// 1 where `a > b`, 0 where `a < b`. Two tensors that are equal share the derivative, as in JAX; a number keeps it to
/// itself, so that `max(x, 0)` has the derivative 0 at 0, as `ReLU` has everywhere.
fn above<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    if is_number(a) || is_number(b) { b.less(a) } else { (b.less(a) - a.less(b)) * 0.5 + 0.5 }
}

/// Whether `x` repeats one number known while recording.
fn is_number(x: Var<'_>) -> bool {
    let nodes = &x.graph.inner.borrow().nodes;
    let mut node = &nodes[x.id];
    while let Op::View(View::Reshape | View::Broadcast) = node.op {
        node = &nodes[node.inputs[0]];
    }
    matches!(node.op, Op::Const(_))
}

/// The largest of a row gets the derivative; several equal ones share it, as in JAX.
fn max<'g>(x: Var<'g>, y: Var<'g>, dy: Var<'g>, axis: isize) -> Var<'g> {
    let largest = x.graph.constant(1.0) - x.less(y);
    largest * (dy / largest.sum(axis))
}

/// The adjoint of a view is a view, or what adds up where a view shows an element several times.
fn view<'g>(view: &View, from: &[usize], dy: Var<'g>) -> Option<Var<'g>> {
    Some(match view {
        View::Reshape => dy.reshape(from),
        View::Detach => return None,
        View::Permute(order) => {
            let back = |axis| order.iter().position(|it| *it == axis);
            dy.permute(&(0..order.len()).filter_map(back).collect::<Vec<_>>())
        }
        View::Slice { axis, start, step } => unslice(dy, *axis, *start, *step, from[*axis]),
        View::Broadcast => unbroadcast(dy, from),
        View::Pad { axis, before, .. } => dy.slice(*axis as isize, *before, from[*axis]),
        View::Window { axis, stride, .. } => dy.fold(*axis as isize, *stride, from[*axis]),
    })
}

/// `dy` at every `step`-th of `len` elements from `start`, zeros between.
fn unslice(dy: Var<'_>, axis: usize, start: usize, step: usize, len: usize) -> Var<'_> {
    let mut shape = dy.shape();
    let count = shape[axis];
    let at = axis as isize;
    let mut spread = dy;
    if step > 1 {
        // A zero axis behind each element: [.., count, ..] -> [.., count, step, ..] -> [.., count * step, ..].
        shape.insert(axis + 1, 1);
        spread = spread.reshape(&shape).pad(at + 1, 0, step - 1, 0.0);
        shape.remove(axis + 1);
        shape[axis] = count * step;
        spread = spread.reshape(&shape);
    }
    let within = (count * step).min(len - start);
    spread.slice(at, 0, within).pad(at, start, len - start - within, 0.0)
}

/// `dy` summed over the axes along which `from` was repeated; neighbouring ones in one go.
fn unbroadcast<'g>(dy: Var<'g>, from: &[usize]) -> Var<'g> {
    let own = dy.shape();
    let mut merged: Vec<(bool, usize)> = vec![];
    for (n, m) in own.iter().zip(from) {
        let repeated = n != m;
        match merged.last_mut() {
            Some((known, len)) if *known == repeated || *n == 1 => *len *= n,
            _ => merged.push((repeated, *n)),
        }
    }
    let shape: Vec<usize> = merged.iter().map(|it| it.1).collect();
    debug_assert_eq!(size(&shape), size(&own), "the same elements");
    let mut sum = dy.reshape(&shape);
    for (axis, (repeated, _)) in merged.iter().enumerate() {
        if *repeated {
            sum = sum.sum(axis as isize);
        }
    }
    sum.reshape(from)
}
