//! An interpreter of recordings in f64, as plain as can be: the judge of the CPU device, which judges the GPU.

use vitrine::graph::{ALIGN, Binary, Node, Op, Recording, Reduce, Unary, View};
use vitrine::platform::block_on;
use vitrine::tensor::{advance, contiguous, size};

/// Row-major f64 tensor.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

/// Every kept tensor, by name, computed in f64. Definitions are expanded first.
pub(crate) fn run(recording: &Recording) -> Vec<(String, Array)> {
    run_at(recording, &|_| None)
}

/// The same where `leaf` may put other values in the place of an input or a weight.
pub(crate) fn run_at(recording: &Recording, leaf: &dyn Fn(&Op) -> Option<Vec<f64>>) -> Vec<(String, Array)> {
    let recording = recording.expanded();
    let mut values: Vec<Vec<f64>> = vec![];
    for node in &recording.nodes {
        let value = leaf(&node.op).unwrap_or_else(|| evaluate(&recording, node, &values));
        assert_eq!(value.len(), size(&node.shape), "{node:?}");
        values.push(value);
    }
    let keep = |(name, id): &(String, usize)| {
        (name.clone(), (recording.nodes[*id].shape.clone(), values[*id].clone()))
    };
    recording.keeps.iter().map(keep).collect()
}

fn evaluate(recording: &Recording, node: &Node, values: &[Vec<f64>]) -> Vec<f64> {
    let x = |i: usize| &values[node.inputs[i]][..];
    let shape_of = |i: usize| &recording.nodes[node.inputs[i]].shape[..];
    match &node.op {
        Op::Input { slot } => recording.inputs[*slot].data.iter().map(|x| f64::from(*x)).collect(),
        Op::Weight { set, name } => {
            let weight = recording.weights[*set].read(name).unwrap();
            weight.data.iter().map(|x| f64::from(*x)).collect()
        }
        Op::State { slot } => {
            let state = block_on(recording.states[*slot].on_host()).unwrap();
            state.iter().map(|x| f64::from(*x)).collect()
        }
        Op::Const(value) => vec![f64::from(value.get())],
        Op::Unary(f) => x(0).iter().map(|x| unary(*f, *x)).collect(),
        Op::Binary(f) => x(0).iter().zip(x(1)).map(|(a, b)| binary(*f, *a, *b)).collect(),
        Op::Reduce(f, axis) => each(&node.shape, |at| {
            let row = (0..shape_of(0)[*axis]).map(|j| {
                let mut at = at.to_vec();
                at[*axis] = j;
                x(0)[flat(&at, shape_of(0))]
            });
            match f {
                Reduce::Sum => row.sum(),
                Reduce::Max => row.fold(f64::NEG_INFINITY, f64::max),
            }
        }),
        Op::Matmul => each(&node.shape, |at| {
            let [batch @ .., i, j] = at else { unreachable!() };
            let k = *shape_of(0).last().unwrap();
            let term = |l: usize| {
                let a = flat(&[batch, &[*i, l]].concat(), shape_of(0));
                let b = flat(&[batch, &[l, *j]].concat(), shape_of(1));
                x(0)[a] * x(1)[b]
            };
            (0..k).map(term).sum()
        }),
        Op::Gather => {
            let (v, d) = (shape_of(0)[0], shape_of(0)[1]);
            let row = |id: &f64| (*id as usize).min(v - 1) * d;
            x(1).iter().flat_map(|id| x(0)[row(id)..][..d].to_vec()).collect()
        }
        Op::ScatterAdd => add_up(&node.shape, shape_of(0), x(0), |at| {
            let [row @ .., j] = at else { unreachable!() };
            vec![(x(1)[flat(row, shape_of(1))] as usize).min(node.shape[0] - 1), *j]
        }),
        Op::Fold { axis, stride } => add_up(&node.shape, shape_of(0), x(0), |at| {
            let mut at = at.to_vec();
            let within = at.pop().unwrap();
            at[*axis] = at[*axis] * stride + within;
            at
        }),
        Op::Pack => (0..node.inputs.len()).flat_map(|i| padded(x(i))).collect(),
        Op::View(view) => each(&node.shape, |at| see(view, at, shape_of(0), &node.shape, x(0))),
        Op::Def(def) => unreachable!("{def:?} was expanded"),
    }
}

/// A part of a pack, which goes on to where the next one begins.
fn padded(part: &[f64]) -> Vec<f64> {
    let mut part = part.to_vec();
    part.resize(part.len().next_multiple_of(ALIGN), 0.0);
    part
}

fn see(view: &View, at: &[usize], from: &[usize], shape: &[usize], x: &[f64]) -> f64 {
    let mut source = at.to_vec();
    match view {
        View::Reshape => return x[flat(at, shape)],
        View::Detach => {}
        View::Permute(order) => order.iter().zip(at).for_each(|(axis, i)| source[*axis] = *i),
        View::Slice { axis, start, step } => source[*axis] = start + at[*axis] * step,
        View::Broadcast => source.iter_mut().zip(from).filter(|(_, n)| **n == 1).for_each(|(i, _)| *i = 0),
        View::Pad { axis, before, value } => {
            if !(*before..before + from[*axis]).contains(&at[*axis]) {
                return f64::from(value.get());
            }
            source[*axis] -= before;
        }
        View::Window { axis, stride, .. } => {
            let within = source.pop().unwrap();
            source[*axis] = source[*axis] * stride + within;
        }
    }
    x[flat(&source, from)]
}

/// Every element of `x` added to the element of the result that `place` makes of its index.
fn add_up(shape: &[usize], from: &[usize], x: &[f64], place: impl Fn(&[usize]) -> Vec<usize>) -> Vec<f64> {
    let mut sums = vec![0.0; size(shape)];
    let mut at = vec![0; from.len()];
    for value in x {
        sums[flat(&place(&at), shape)] += value;
        advance(&mut at, from);
    }
    sums
}

fn each(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let mut at = vec![0; shape.len()];
    let next = |_| {
        let value = f(&at);
        advance(&mut at, shape);
        value
    };
    (0..size(shape)).map(next).collect()
}

fn flat(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(contiguous(shape)).map(|(i, s)| i * s).sum()
}

fn unary(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Abs => x.abs(),
        Unary::Cos => x.cos(),
        Unary::Erf => libm::erf(x),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Neg => -x,
        Unary::Recip => x.recip(),
        Unary::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        Unary::Sin => x.sin(),
        Unary::Sqrt => x.sqrt(),
        Unary::Tanh => x.tanh(),
    }
}

fn binary(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max | Binary::OrLarger => a.max(b),
        Binary::Min => a.min(b),
        Binary::Less => f64::from(u8::from(a < b)),
    }
}
