//! An interpreter of recordings in f64, as plain as can be: the judge of the CPU device, which judges the GPU.

use vitrine::graph::{Binary, Node, Op, Recording, Reduce, Unary, View};
use vitrine::tensor::{advance, contiguous, size};

/// Row-major f64 tensor.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

/// Every kept tensor, by name, computed in f64. Definitions are expanded first.
#[allow(dead_code, reason = "not every test that judges by it needs it")]
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
        Op::ScatterAdd => {
            let (v, d) = (node.shape[0], node.shape[1]);
            let mut table = vec![0.0; v * d];
            for (i, id) in x(1).iter().enumerate() {
                let row = (*id as usize).min(v - 1) * d;
                (0..d).for_each(|j| table[row + j] += x(0)[i * d + j]);
            }
            table
        }
        Op::Fold { axis, stride } => {
            let mut sums = vec![0.0; size(&node.shape)];
            let mut at = vec![0; shape_of(0).len()];
            for value in x(0) {
                let (within, target) = at.split_last().unwrap();
                let mut target = target.to_vec();
                target[*axis] = target[*axis] * stride + within;
                sums[flat(&target, &node.shape)] += value;
                advance(&mut at, shape_of(0));
            }
            sums
        }
        Op::View(view) => each(&node.shape, |at| see(view, at, shape_of(0), &node.shape, x(0))),
        Op::Def(def) => unreachable!("{def:?} was expanded"),
    }
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
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
        Binary::Less => f64::from(u8::from(a < b)),
    }
}
