//! Random recordings: what nobody wrote down by hand must be the same on both devices, expanded into primitives, and in f64; and its
//! gradient must be the difference.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests compare the devices with each other only")]
mod pair;
mod program;
mod reference;
mod shader;

use std::collections::BTreeMap;

use pair::{Pair, numbers, values};
use program::{Program, program};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shader::wgsl;
use vitrine::engine::plan::{Kernel, Plan};
use vitrine::engine::{Cancel, cpu::Cpu, gpu};
use vitrine::graph::{Graph, Op, Recording, Var};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};

/// Every step magnifies an error by 4 at most (bounds and slopes below are chosen for that), and seldom by more than 1; that of one
/// f32 operation is 6e-8.
const TOLERANCE: f64 = 2e-4;

/// Asserts that what a device kept is what f64 says, relative to the largest element of each tensor where that is above 1.
fn agree(
    what: &str,
    found: &BTreeMap<String, Tensor>,
    expected: &[(String, reference::Array)],
    recording: &Recording,
) -> Result<(), TestCaseError> {
    for (name, (shape, expected)) in expected {
        let found = &found[name];
        prop_assert_eq!(&found.shape, shape, "shape of {} on {}", name, what);
        let scale = expected.iter().fold(1.0, |most: f64, it| most.max(it.abs()));
        for (i, (f, e)) in found.data.iter().zip(expected).enumerate() {
            let far = (f64::from(*f) - e).abs();
            prop_assert!(
                far <= TOLERANCE * scale,
                "{name}[{i}] is {f}, not {e}, {what}: {:#?}",
                recording.nodes
            );
        }
    }
    Ok(())
}

/// What is computed in one step must be what its operations give one by one: on the CPU to the last bit. On a GPU, whose compiler
/// may round a product and a sum once, both are held against f64; here only that its text is valid.
fn fused(recording: &Recording) -> Result<(), TestCaseError> {
    let run = |mut cpu: Cpu| values(&block_on(cpu.run(recording, &Cancel::default())).unwrap());
    let (together, apart) = (run(Cpu::new()), run(Cpu::new().unfused()));
    for (name, expected) in &apart {
        let pairs = together[name].data.iter().zip(expected.data.iter());
        for (i, (found, expected)) in pairs.enumerate() {
            let same = found.to_bits() == expected.to_bits();
            prop_assert!(same, "{name}[{i}] is {found}, not {expected}: {:#?}", recording.nodes);
        }
    }
    for step in &Plan::compile(recording).steps {
        if let Some(text) = gpu::source(step) {
            wgsl(&text).map_err(|e| TestCaseError::fail(format!("{e} in {text}")))?;
        }
    }
    Ok(())
}

/// Both devices, the recording and its expansion, against f64.
fn devices(pair: Option<&Pair>, recording: &Recording) -> Result<(), TestCaseError> {
    let expected = reference::run(recording);
    fused(recording)?;
    fused(&recording.expanded())?;
    let Some(pair) = pair else { return Ok(()) };
    for (what, recording) in [("as it is", recording), ("expanded", &recording.expanded())] {
        let on_cpu = block_on(pair.cpu.borrow_mut().run(recording, &Cancel::default())).unwrap();
        agree(&format!("{what} on the CPU"), &values(&on_cpu), &expected, recording)?;
        let in_pieces = block_on(Cpu::new().in_pieces(1).run(recording, &Cancel::default())).unwrap();
        agree(&format!("{what} in pieces"), &values(&in_pieces), &expected, recording)?;
        let on_gpu = block_on(pair.gpu.borrow_mut().run(recording, &Cancel::default())).unwrap();
        agree(&format!("{what} on the GPU"), &values(&on_gpu), &expected, recording)?;
    }
    Ok(())
}

/// A recording of the program that keeps the last tensor, and others by the bits of `keeps`: what is kept is not fused.
fn kept(program: &Program, keeps: u16) -> Recording {
    let g = Graph::default();
    let all = program.record(&g, true);
    for (i, it) in all.iter().enumerate() {
        if i + 1 == all.len() || keeps >> (i % 16) & 1 == 1 {
            it.x.keep(&format!("t{i}"));
        }
    }
    drop(all);
    g.finish()
}

/// A smooth recording of `z = sum w y` for the last tensor `y`, and of its gradients.
fn differentiated(program: &Program) -> Recording {
    let g = Graph::default();
    let all = program.record(&g, false);
    let y = all[all.len() - 1].x;
    let n = size(&y.shape());
    let z =
        (y * g.input(&numbers(&y.shape(), program.seed ^ 0x00c0_ffee, 1.0))).flat().sum(0) * (1.0 / n as f32);
    z.keep("z");
    let leaves: Vec<Var<'_>> = all[..program.leaves.len()].iter().map(|it| it.x).collect();
    for (i, dx) in g.grad(z.reshape(&[1]), &leaves).into_iter().enumerate() {
        dx.keep(&format!("grad.{i}"));
    }
    drop((all, leaves));
    g.finish()
}

/// Half the distance of the inner pair of a difference of fourth order. Its error is `h^4 / 30` of a fifth derivative, 1e-8 of one as
/// large as 1e9, and about 1e-16 / h from rounding.
const H: f64 = 1e-4;

/// Whether the gradients are derivatives along a random direction. Recordings have no kinks here: across one a difference is the
/// derivative of neither side. `tests/grad.rs` holds those beside them.
fn derivatives(program: &Program, recording: &Recording) -> Result<(), TestCaseError> {
    let values = reference::run(recording);
    let value = |name: &str| &values.iter().find(|it| it.0 == name).unwrap().1.1;
    for (i, leaf) in program.numbers().iter().enumerate() {
        let direction = numbers(&leaf.shape, 77 + i as u32, 1.0);
        let z = |h: f64| {
            let pairs = leaf.data.iter().zip(direction.data.iter());
            let at: Vec<f64> = pairs.map(|(x, v)| f64::from(*x) + h * f64::from(*v)).collect();
            let here = |op: &Op| (*op == Op::Input { slot: i }).then(|| at.clone());
            reference::run_at(recording, &here).iter().find(|it| it.0 == "z").unwrap().1.1[0]
        };
        let difference = (8.0 * (z(H) - z(-H)) - (z(2.0 * H) - z(-2.0 * H))) / (12.0 * H);
        let gradient = value(&format!("grad.{i}"));
        let terms = || gradient.iter().zip(direction.data.iter()).map(|(g, v)| g * f64::from(*v));
        let (dot, scale) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
        let close = (dot - difference).abs() <= 1e-6 * scale.max(1.0);
        prop_assert!(close, "leaf {i}: {dot} is not {difference} in {:#?}", recording.nodes);
    }
    Ok(())
}

/// Tries many programs on devices that keep what they compiled.
fn try_all<P: std::fmt::Debug>(
    programs: &impl Strategy<Value = P>,
    holds: impl Fn(Option<&Pair>, &P) -> Result<(), TestCaseError>,
) {
    let pair = Pair::new();
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(programs, |it| holds(pair.as_ref(), &it));
    result.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn recordings_are_the_same_everywhere() {
    try_all(&(program(), any::<u16>()), |pair, (program, keeps)| devices(pair, &kept(program, *keeps)));
}

#[test]
fn gradients_are_differences() {
    try_all(&program(), |pair, program| {
        let recording = differentiated(program);
        derivatives(program, &recording)?;
        devices(pair, &recording)
    });
}

/// A block of a transformer with its gradients in one vector, as a training records it.
fn block(g: &Graph, [batch, pos, heads, d_head]: [usize; 4]) {
    let d_model = heads * d_head;
    let leaf = |shape: &[usize], seed| g.input(&numbers(shape, seed, 1.0));
    let vectors = [1, 2, 3, 4, 5].map(|seed| leaf(&[d_model], seed));
    let matrices = [leaf(&[d_model, 3 * d_model], 6), leaf(&[d_model, d_model], 7)];
    let ([gain, bias, out, next_gain, next_bias], [qkv, w]) = (vectors, matrices);
    let x = leaf(&[batch, pos, d_model], 8);
    let before = x * x;
    let together = before.layer_norm(gain, bias, 1e-2).matmul(qkv);
    let [q, k, v] = [0, 1, 2].map(|i| {
        let own = together.slice(2, i * d_model, d_model);
        own.reshape(&[batch, pos, heads, d_head]).permute(&[0, 2, 1, 3])
    });
    let z = (q.matmul(k.t()) * 0.1).softmax().matmul(v).permute(&[0, 2, 1, 3]);
    let after = before + (z.reshape(&[batch, pos, d_model]).matmul(w) + out);
    let y = (after.layer_norm(next_gain, next_bias, 1e-2) + after).keep("y");
    let gradients = g.pull_back(y, leaf(&[batch, pos, d_model], 9), &[out, gain, next_gain, bias, w, qkv, x]);
    Var::pack(&gradients).keep("gradients");
}

#[test]
fn a_block_takes_along_what_lies_beside() {
    let pair = Pair::new();
    // Of 15 numbers a GPU cannot begin to bind a buffer at the second row, of 64 it can; of 7 rows sums are taken one by one.
    for (shape, along) in [([2, 7, 3, 5], false), ([2, 7, 4, 16], true), ([2, 150, 2, 32], true)] {
        let g = Graph::default();
        block(&g, shape);
        let recording = g.finish();
        let steps = Plan::compile(&recording).steps;
        let sums = steps.iter().any(|it| matches!(it.kernel, Kernel::Reduce(_)) && !it.output.is_rows());
        let norms = steps.iter().any(|it| {
            matches!(it.kernel, Kernel::LayerNorm { .. }) && it.output.shape.len() > it.inputs[0].shape.len()
        });
        let beside =
            steps.iter().any(|it| matches!(it.kernel, Kernel::Matmul { .. }) && it.output.offset == 64);
        assert_eq!((sums, norms, beside), (true, true, along), "{shape:?}");
        devices(pair.as_ref(), &recording).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
