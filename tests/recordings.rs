//! Random recordings: what nobody wrote down by hand must be the same on both devices, expanded into primitives, and in f64; and its
//! gradient must be the difference.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests compare the devices with each other only")]
mod pair;
mod reference;
mod shader;

use std::collections::BTreeMap;

use pair::{Pair, numbers, values};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shader::wgsl;
use vitrine::engine::plan::{Kernel, Plan};
use vitrine::engine::{Cancel, cpu::Cpu, gpu};
use vitrine::graph::{Graph, Op, Recording, Slide, Var};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};

/// Larger results are left out, so that a case takes milliseconds.
const MOST: usize = 800;

/// Every step magnifies an error by 4 at most (bounds and slopes below are chosen for that), and seldom by more than 1; that of one
/// f32 operation is 6e-8.
const TOLERANCE: f64 = 2e-4;

/// A tensor whose elements are at most `bound` from 0: no step grows without end.
#[derive(Clone, Copy)]
struct Bounded<'g> {
    x: Var<'g>,
    bound: f32,
}

/// One operation: which, on what, how.
type Step = [u16; 4];

/// What is recorded: shapes of the leaves, steps on what is there so far, and a seed for the numbers.
#[derive(Clone, Debug)]
struct Program {
    leaves: Vec<Vec<usize>>,
    steps: Vec<Step>,
    seed: u32,
}

fn program() -> impl Strategy<Value = Program> {
    let odd = prop_oneof![Just(1), Just(2), Just(3), Just(5), Just(7), Just(8), Just(13), Just(17)];
    let leaves = vec(vec(odd, 1..4), 1..4);
    (leaves, vec(any::<Step>(), 1..10), any::<u32>()).prop_map(|(leaves, steps, seed)| Program {
        leaves: leaves.into_iter().filter(|it| size(it) <= MOST).chain([vec![3]]).collect(),
        steps,
        seed,
    })
}

impl Program {
    /// The numbers of its leaves, from -1 to 1.
    fn numbers(&self) -> Vec<Tensor> {
        self.leaves.iter().zip(0..).map(|(shape, i)| numbers(shape, self.seed.wrapping_add(i), 1.0)).collect()
    }

    /// Records it, with kinks or without; all that there is in the end, leaves first.
    fn record<'g>(&self, g: &'g Graph, kinks: bool) -> Vec<Bounded<'g>> {
        let mut known: Vec<_> =
            self.numbers().iter().map(|it| Bounded { x: g.input(it), bound: 1.0 }).collect();
        let leaves = known.len();
        for step in &self.steps {
            let next = next(&known, leaves, *step, kinks);
            if size(&next.x.shape()) <= MOST && next.x.shape().len() <= 4 {
                // Beyond 4 products would grow and exponentials of them explode.
                let tame = next.bound > 4.0;
                known.push(if tame { Bounded { x: next.x.tanh(), bound: 1.0 } } else { next });
            }
        }
        known
    }
}

fn next<'g>(known: &[Bounded<'g>], leaves: usize, [kind, a, b, c]: Step, kinks: bool) -> Bounded<'g> {
    let pick = |i: u16| known[usize::from(i) % known.len()];
    let (x, y, how) = (pick(a), pick(b), usize::from(c));
    match kind % 8 {
        0 if kinks => kinked(x, y, [a, b].map(|i| known[usize::from(i) % leaves]), how),
        0 | 1 => function(x, how),
        2 => of_two(x, y, how),
        3 => reduction(x, usize::from(b), how),
        4 => view(x, usize::from(b), how),
        5 => product(x, y),
        6 => definition(x, y, how),
        _ => table(x, how),
    }
}

fn bounded(x: Var<'_>, bound: f32) -> Bounded<'_> {
    Bounded { x, bound }
}

fn positive(x: Var<'_>) -> Var<'_> {
    x * x + 0.5
}

fn function(Bounded { x, bound }: Bounded<'_>, how: usize) -> Bounded<'_> {
    match how % 9 {
        0 => bounded(x.sin(), 1.0),
        1 => bounded(x.cos(), 1.0),
        2 => bounded(x.tanh(), 1.0),
        3 => bounded(x.erf(), 1.0),
        4 => bounded(-x, bound),
        5 => bounded(x.sin().exp(), 2.8),
        6 => bounded(positive(x).log(), 2.9),
        7 => bounded(positive(x).recip(), 2.0),
        _ => bounded(positive(x).sqrt(), bound + 0.8),
    }
}

/// `y` with the mean over every axis that does not fit `x`: then the two broadcast.
fn fitted<'g>(x: Var<'g>, y: Var<'g>) -> Var<'g> {
    let (mut y, own) = (y, x.shape());
    for back in 1..=own.len().min(y.shape().len()) {
        let (n, m) = (own[own.len() - back], y.dim(-(back as isize)));
        if n != m && n != 1 && m != 1 {
            y = y.mean(-(back as isize));
        }
    }
    y
}

fn of_two<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let (a, b) = (x.x, fitted(x.x, y.x));
    match how % 4 {
        0 => bounded(a + b, x.bound + y.bound),
        1 => bounded(a - b, x.bound + y.bound),
        2 => bounded(a * b, x.bound * y.bound),
        _ => bounded(a / positive(b), 2.0 * x.bound),
    }
}

/// What has no derivative everywhere. What jumps is given the leaves, which are the same numbers in f32 and f64.
fn kinked<'g>(x: Bounded<'g>, y: Bounded<'g>, leaves: [Bounded<'g>; 2], how: usize) -> Bounded<'g> {
    let (a, b, bound) = (x.x, fitted(x.x, y.x), x.bound.max(y.bound));
    let [p, q] = leaves.map(|it| it.x);
    match how % 10 {
        0 => bounded(a.abs(), bound),
        9 => bounded(a.clamp(-0.25, f32::INFINITY), bound),
        7 => bounded(a.clamp(-0.25, 0.5), 0.5),
        8 => bounded(slid(x, y, how / 9).x.clamp(0.0, 0.5), 0.5),
        1 => bounded(a.max_with(b), bound),
        2 => bounded(a.min_with(b), bound),
        3 => bounded(a.or_larger(b), bound),
        4 => bounded(a.max((how / 7 % a.shape().len()) as isize), bound),
        5 => bounded(p.sign(), 1.0),
        _ => bounded(p.less(if p.shape() == q.shape() { q } else { p.graph().constant(0.1) }), 1.0),
    }
}

fn reduction(Bounded { x, bound }: Bounded<'_>, axis: usize, how: usize) -> Bounded<'_> {
    let axis = (axis % x.shape().len()) as isize;
    let n = x.dim(axis) as f32;
    match how % 2 {
        0 => bounded(x.mean(axis), bound),
        _ => bounded(x.sum(axis), bound * n),
    }
}

fn view(Bounded { x, bound }: Bounded<'_>, axis: usize, how: usize) -> Bounded<'_> {
    let shape = x.shape();
    let rank = shape.len();
    let (axis, n) = ((axis % rank) as isize, shape[axis % rank]);
    let mut turned: Vec<usize> = (0..rank).collect();
    turned.rotate_left(1);
    let backwards: Vec<usize> = (0..rank).rev().collect();
    let x = match how % 12 {
        0 => x.permute(&turned),
        1 => x.permute(&backwards),
        2 => x.slice(axis, n / 3, n - n / 3),
        3 => x.strided(axis, 0, n.div_ceil(2), 2),
        4 => x.pad(axis, 1, 2, 0.5),
        5 => x.window(axis, n.min(2), 1),
        6 => x.flat(),
        7 => x.broadcast(&[&[2], &shape[..]].concat()),
        8 => x.reshape(&backwards.iter().map(|it| shape[*it]).collect::<Vec<_>>()),
        9 => Var::concat(&[x, x.sin(), x], axis),
        10 => Var::pack(&[x, x.cos(), x]).slice(0, n / 2, size(&shape) + 64),
        _ => return bounded(x.window(axis, n.min(3), 2).fold(axis, 2, n), 2.0 * bound),
    };
    bounded(x, bound)
}

/// At least two axes.
fn matrix(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    if shape.len() < 2 { x.reshape(&[1, shape[0]]) } else { x }
}

/// A product, over the number of its terms.
fn product<'g>(x: Bounded<'g>, y: Bounded<'g>) -> Bounded<'g> {
    let (a, b) = (matrix(x.x), matrix(y.x));
    let k = a.dim(-1);
    let leading = |it: Var<'_>| it.shape()[..it.shape().len() - 2].to_vec();
    let fits = leading(b).is_empty() || leading(a) == leading(b);
    let (product, bound) = match () {
        () if fits && b.dim(-2) == k => (a.matmul(b), y.bound),
        () if fits && b.dim(-1) == k => (a.matmul(b.t()), y.bound),
        () if size(&b.shape()).is_multiple_of(k) => {
            (a.matmul(b.reshape(&[k, size(&b.shape()) / k])), y.bound)
        }
        () => (a.matmul(a.t()), x.bound),
    };
    bounded(product * (1.0 / k as f32), x.bound * bound)
}

fn definition<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let n = x.x.dim(-1);
    match how % 7 {
        0 => bounded(x.x.softmax(), 1.0),
        4 => slid(x, y, how / 6),
        5 => bounded(slid(x, y, how / 6).x.gelu(), x.bound * y.bound),
        1 => bounded(x.x.gelu(), x.bound),
        2 => {
            let a = matrix(x.x);
            bounded((a.matmul(a.t()) * (1.0 / n as f32)).softmax(), 1.0)
        }
        3 => {
            let a = matrix(x.x);
            let logits = a.matmul(a.t()) * (1.0 / n as f32) + a.mean(-1);
            bounded(logits.softmax().matmul(a), x.bound)
        }
        _ => {
            let flat = y.x.flat();
            let enough = flat.dim(0) >= n;
            let gamma = if enough { flat.slice(0, 0, n) } else { flat.mean(0).broadcast(&[n]) };
            // 1/sqrt(variance + eps) magnifies by 1.4 at most.
            bounded(x.x.layer_norm(gamma, gamma * 0.5, 0.5), 3.0 * x.bound * y.bound + y.bound)
        }
    }
}

/// A convolution, over the number of its terms, with a bias or without: of all channels, or of each on its own.
fn slid<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let shape = x.x.shape();
    let image = x.x.reshape(&[&vec![1; 3_usize.saturating_sub(shape.len())][..], &shape].concat());
    let [h, w, c] = [-3, -2, -1].map(|axis| image.dim(axis));
    let [kh, kw, stride] = [1 + how % 3, 1 + how / 3 % 3, 1 + how / 9 % 3];
    let [down, right] = [how / 27, how / 81].map(|it| [it % 2, it % 3]);
    let around = [(h, kh, down), (w, kw, right)].map(|(n, k, [before, after])| {
        let before = before.min(k - 1);
        [before, after.max(k.saturating_sub(n + before))]
    });
    let flat = y.x.flat();
    let taps = |n: usize| if flat.dim(0) < n { flat.mean(0).broadcast(&[n]) } else { flat.slice(0, 0, n) };
    let shape =
        if (how / 486).is_multiple_of(2) { vec![kh, kw, c] } else { vec![kh, kw, c, 1 + how / 972 % 5] };
    let terms = if shape.len() == 3 { kh * kw } else { kh * kw * c };
    let kernel = taps(size(&shape)).reshape(&shape) * (1.0 / terms as f32);
    let sums = image.conv(kernel, Slide { stride, around });
    if (how / 243).is_multiple_of(2) {
        bounded(sums, x.bound * y.bound)
    } else {
        let bias = x.x.graph().input(&numbers(&shape[shape.len() - 1..], how as u32, 1.0));
        bounded(sums + bias, x.bound * y.bound + 1.0)
    }
}

/// Rows by ids, of which some are beyond the table, or rows added up by ids.
fn table(Bounded { x, bound }: Bounded<'_>, how: usize) -> Bounded<'_> {
    let d = x.dim(-1);
    let rows = x.reshape(&[size(&x.shape()) / d, d]);
    let (v, m) = (rows.dim(0), 1 + how % 7);
    let ids = |n: usize| x.graph().input(&Tensor::from_fn(&[n], |at| ((how + 3 * at[0]) % (v + 2)) as f32));
    match how % 2 {
        0 => bounded(rows.gather(ids(m)), bound),
        _ => bounded(rows.scatter_add(ids(v), 1 + how % 4) * (1.0 / v as f32), bound),
    }
}

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
