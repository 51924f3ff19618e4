//! Every WGSL file is valid as it lies on disk, and every kernel says what the CPU interpreter says, over odd shapes and
//! views. Without a GPU these tests fail, unless `NO_GPU=1` says that there is none.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod pair;
mod shader;

use std::path::PathBuf;

use pair::{Pair, SUM, numbers, recorded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shader::wgsl;

use vitrine::engine::gpu::Tile;
use vitrine::graph::{Graph, Slide, Var};
use vitrine::tensor::Tensor;

/// Cases of every property: each compiles a plan, so that a hundred of them take a second in software.
const CASES: u32 = 24;

#[test]
fn kernels_are_valid_wgsl_with_a_header() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/engine/kernels");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are kernels");
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let module = wgsl(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let entries: Vec<&str> = module.entry_points.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(entries, ["main"], "{name} has one entry point");
        assert!(text.starts_with(&format!("// {name}: ")), "{name} begins with its formula");
        assert!(text.contains("// Cost: ") || text.contains(" Cost: "), "{name} says what it costs");
        assert!(text.lines().count() <= 150, "{name} is short");
    }
}

/// The same cases every time: a failure that comes and goes helps nobody.
fn rng() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}

/// Compares `record` for a number of cases of `strategy`.
fn check_all<S: Strategy>(pair: &Pair, tolerance: f32, strategy: S, record: impl Fn(&Graph, &S::Value)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let run = |case: S::Value| {
        pair.compare(&recorded(|g| record(g, &case)), tolerance).map_err(TestCaseError::fail)
    };
    TestRunner::new_with_rng(config, rng()).run(&strategy, run).unwrap_or_else(|e| panic!("{e}"));
}

/// How an operand of some shape comes about: what strides a kernel is given.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Rows,
    Reversed,
    Swapped,
    Sliced { before: usize, step: usize },
    Repeated { axis: usize },
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        2 => Just(Seen::Rows),
        1 => Just(Seen::Reversed),
        2 => Just(Seen::Swapped),
        2 => (0..5_usize, 1..4_usize).prop_map(|(before, step)| Seen::Sliced { before, step }),
        1 => (0..4_usize).prop_map(|axis| Seen::Repeated { axis }),
    ]
}

/// An input of `shape`, seen through a view.
fn operand<'g>(g: &'g Graph, shape: &[usize], how: Seen, seed: u32, scale: f32) -> Var<'g> {
    let rank = shape.len();
    let permuted = |order: Vec<usize>| {
        let inner: Vec<usize> =
            (0..rank).map(|i| shape[order.iter().position(|it| *it == i).unwrap()]).collect();
        g.input(&numbers(&inner, seed, scale)).permute(&order)
    };
    match how {
        Seen::Rows => g.input(&numbers(shape, seed, scale)),
        Seen::Reversed => permuted((0..rank).rev().collect()),
        Seen::Swapped => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank.saturating_sub(2), rank - 1);
            permuted(order)
        }
        Seen::Sliced { before, step } => {
            let larger: Vec<usize> = shape.iter().map(|n| before + n * step).collect();
            let whole = g.input(&numbers(&larger, seed, scale));
            (0..rank).fold(whole, |x, axis| x.strided(axis as isize, before, shape[axis], step))
        }
        Seen::Repeated { axis } => {
            let mut inner = shape.to_vec();
            inner[axis % rank] = 1;
            g.input(&numbers(&inner, seed, scale)).broadcast(shape)
        }
    }
}

/// Lengths of an axis: 1, primes, multiples of four and of tiles, and their neighbours.
fn length() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 31, 32, 33, 36, 64, 65])
}

fn shape(max_axes: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop::sample::select(vec![1, 2, 3, 4, 5, 7, 13]), 1..=max_axes)
}

// Two units in the last place for what both devices round alike; the functions of WGSL may err by some more.
const ROUNDED: f32 = 2.5e-7;
const FUNCTION: f32 = 2e-6;

#[test]
fn functions_of_one_tensor() {
    let Some(pair) = Pair::new() else { return };
    check_all(&pair, FUNCTION, (shape(4), seen()), |g, (shape, how)| {
        let x = operand(g, shape, *how, 1, 4.0);
        let positive = x.abs() + 0.1;
        x.abs().keep("abs");
        x.cos().keep("cos");
        x.erf().keep("erf");
        x.exp().keep("exp");
        positive.log().keep("log");
        (-x).keep("neg");
        positive.recip().keep("recip");
        x.sign().keep("sign");
        x.sin().keep("sin");
        positive.sqrt().keep("sqrt");
        x.tanh().keep("tanh");
        x.gelu().keep("gelu");
        x.keep("copy");
    });
}

#[test]
fn functions_where_they_are_treacherous() {
    let Some(pair) = Pair::new() else { return };
    let x = [0.0, -0.0, 1e-30, -1e-4, 0.9, 4.0, -4.0, 15.5, -43.9, 50.0, -88.0, 89.0, 700.0, -1000.0, 3000.0];
    pair.check(FUNCTION, |g| {
        let x = g.input(&Tensor::new(&[x.len()], x));
        x.tanh().keep("tanh saturates");
        x.erf().keep("erf saturates");
        x.gelu().keep("gelu is finite");
        x.sin().keep("sin of many turns");
        x.cos().keep("cos of many turns");
        x.min_with(g.constant(80.0)).exp().keep("exp underflows to 0");
        x.sign().keep("sign of 0 is 0");
        let masked = x.less(g.constant(0.5)) * -3e38;
        (x * 1e-3 + masked).reshape(&[3, 5]).softmax().keep("softmax of what a mask makes");
    });
}

#[test]
fn functions_of_two_tensors() {
    let Some(pair) = Pair::new() else { return };
    check_all(&pair, ROUNDED, (shape(4), seen(), seen()), |g, (shape, a, b)| {
        let a = operand(g, shape, *a, 1, 2.0);
        let b = operand(g, shape, *b, 2, 2.0);
        (a + b).keep("add");
        (a - b).keep("sub");
        (a * b).keep("mul");
        (a / (b.abs() + 0.5)).keep("div");
        a.max_with(b).keep("max");
        a.min_with(b).keep("min");
        a.less(b).keep("less");
        (a * 2.0).keep("with a number");
    });
}

#[test]
fn reductions() {
    let Some(pair) = Pair::new() else { return };
    check_all(&pair, SUM, (shape(4), seen(), 0..4_usize), |g, (shape, how, axis)| {
        let x = operand(g, shape, *how, 1, 2.0);
        let axis = (axis % shape.len()) as isize;
        x.sum(axis).keep("sum");
        x.max(axis).keep("max");
        x.mean(axis).keep("mean");
    });
}

#[test]
fn long_rows_are_shared_by_a_workgroup() {
    let Some(pair) = Pair::new() else { return };
    for (rows, n) in [(1, 1024), (3, 1031), (63, 2048), (65, 1024), (130, 64)] {
        pair.check(SUM, |g| {
            let x = operand(g, &[rows, n], Seen::Swapped, 1, 2.0);
            let [gamma, beta] = [2, 3].map(|seed| g.input(&numbers(&[n], seed, 1.0)));
            x.sum(-1).keep("sum");
            x.max(-1).keep("max");
            // Its numbers are near 1/n: multiplied by n they are held as closely as all others.
            (x.softmax().keep("softmax") * n as f32).keep("softmax times n");
            x.layer_norm(gamma, beta, 1e-5).keep("layer_norm");
            (x + x.exp()).layer_norm(gamma, beta, 1e-5).keep("layer_norm with residual");
        });
    }
}

#[test]
fn softmax_and_layer_norm() {
    let Some(pair) = Pair::new() else { return };
    // A row of equal numbers has no variance: there eps decides, and must not be lost.
    check_all(&pair, SUM, (shape(3), seen(), 0..3_usize), |g, (shape, how, eps)| {
        let n = *shape.last().unwrap();
        let x = operand(g, shape, *how, 1, 3.0);
        let other = operand(g, shape, Seen::Rows, 4, 3.0);
        let [gamma, beta] = [2, 3].map(|seed| g.input(&numbers(&[n], seed, 1.0)));
        let eps = [1e-12, 1e-5, 1.0][*eps];
        let distinct = x + g.input(&Tensor::from_fn(&[n], |i| i[0] as f32));
        x.softmax().keep("softmax");
        if n > 1 {
            distinct.layer_norm(gamma, beta, eps).keep("layer_norm");
            (distinct + other).layer_norm(gamma, beta, eps).keep("layer_norm with residual");
        }
        let y = x.layer_norm(gamma, beta, 1.0).keep("layer_norm of anything");
        // The derivative of a residual block: what it takes along is read by two.
        let branch = (x + y).keep("branch");
        for (i, dx) in g.pull_back(branch, other.exp(), &[x, gamma, beta]).into_iter().enumerate() {
            dx.keep(&format!("derivative {i}"));
        }
    });
}

#[test]
fn convolutions() {
    let Some(pair) = Pair::new() else { return };
    let places = prop::sample::select(vec![1, 2, 3, 5, 7, 13]);
    let channels = prop::sample::select(vec![1, 3, 4, 8, 13, 32, 33]);
    // `None` for each channel on its own.
    let outputs = prop::option::of(channels.clone());
    let kernel = (1..6_usize, 1..4_usize);
    let around = (0..5_usize, 0..4_usize, 0..3_usize, 0..3_usize);
    let sizes = (0..3_usize, places.clone(), places, channels);
    let case = (sizes, outputs, kernel, 1..4_usize, around, any::<bool>());
    check_all(&pair, SUM, case, |g, ((n, h, w, c), out, (kh, kw), stride, around, more)| {
        let around =
            [(h, kh, around.0, around.1), (w, kw, around.2, around.3)].map(|(n, k, before, after)| {
                let before = before.min(k - 1);
                [before, after.max(k.saturating_sub(n + before))]
            });
        let x = operand(g, &[*n, *h, *w, *c], Seen::Swapped, 1, 1.0);
        let shape: Vec<usize> = [*kh, *kw, *c].into_iter().chain(*out).collect();
        let [kernel, bias] = [shape, vec![out.unwrap_or(*c)]].map(|it| g.input(&numbers(&it, 2, 1.0)));
        let y = x.conv(kernel, Slide { stride: *stride, around });
        let dy = g.input(&numbers(&y.shape(), 3, 1.0));
        let y = if *more { (y + bias).clamp(-0.5, 1.5) } else { y };
        y.keep("y");
        for (i, dx) in g.pull_back(y, dy, &[x, kernel]).into_iter().enumerate() {
            dx.keep(&format!("derivative {i}"));
        }
    });
}

/// What may follow a product.
#[derive(Clone, Copy, Debug)]
struct Epilogue {
    alpha: bool,
    bias: bool,
    act: usize,
}

fn product<'g>(a: Var<'g>, w: Var<'g>, after: Epilogue) -> Var<'g> {
    let mut y = a.matmul(w);
    if after.alpha {
        y = y * 0.125;
    }
    if after.bias {
        y = y + a.graph().input(&numbers(&[y.dim(-1)], 3, 1.0));
    }
    match after.act {
        0 => y,
        1 => y.gelu(),
        _ => y.clamp(-0.5, f32::INFINITY),
    }
}

/// Every way to multiply, and the one that is chosen unasked.
const TILES: [Option<Tile>; 5] =
    [None, Some(Tile::Narrow), Some(Tile::Wide), Some(Tile::Large), Some(Tile::Shared)];

#[test]
fn products() {
    for tile in TILES {
        let Some(pair) = Pair::by(|gpu| gpu.only(tile)) else { return };
        let sizes = (prop::sample::select(vec![1, 2, 3, 12]), length(), length(), length());
        let epilogue = (any::<bool>(), any::<bool>(), 0..3_usize);
        check_all(&pair, SUM, (sizes, seen(), seen(), epilogue), |g, ((batch, m, k, n), a, w, epilogue)| {
            let (alpha, bias, act) = *epilogue;
            let a = operand(g, &[*batch, *m, *k], *a, 1, 1.0);
            let w = operand(g, &[*batch, *k, *n], *w, 2, 1.0);
            product(a, w, Epilogue { alpha, bias, act }).keep("y");
            // One matrix for the whole batch, as in a linear layer.
            a.matmul(w.slice(0, 0, 1)).keep("one matrix");
        });
    }
}

/// Over the edge of a workgroup, with vec4s and without.
#[test]
fn products_by_every_variant() {
    for tile in TILES {
        let Some(pair) = Pair::by(|gpu| gpu.only(tile)) else { return };
        for (m, n) in [(9, 4), (12, 12), (68, 72)] {
            for a in [Seen::Rows, Seen::Swapped] {
                for w in [Seen::Sliced { before: 1, step: 1 }, Seen::Rows, Seen::Swapped] {
                    let after = Epilogue { alpha: true, bias: true, act: 2 };
                    pair.check(SUM, |g| {
                        let a = operand(g, &[2, m, 36], a, 1, 1.0);
                        let _ = product(a, operand(g, &[2, 36, n], w, 2, 1.0), after).keep("y");
                    });
                }
            }
        }
        let (name, made) = (pair.gpu.borrow().name(), pair.gpu.borrow().pipelines());
        // Numbers and vec4s along either axis of both sides, two of which no larger tile fits; a shared one only knows what is turned.
        let expected = match tile {
            Some(Tile::Shared) => 4,
            Some(Tile::Narrow) => 9,
            None if !name.ends_with("software") => 9,
            _ => 11,
        };
        assert_eq!(made, expected, "{name}");
    }
}

#[test]
fn attention_as_models_write_it() {
    let Some(pair) = Pair::new() else { return };
    for t in [1, 5, 13, 16] {
        pair.check(SUM, |g| {
            let (heads, d) = (3, 8);
            let x = g.input(&numbers(&[t, heads * d], 1, 1.0));
            let [q, k, v] = [2, 3, 4].map(|seed| {
                let w = g.input(&numbers(&[heads * d, heads * d], seed, 0.5));
                let b = g.input(&numbers(&[heads * d], seed + 10, 0.5));
                (x.matmul(w.t()) + b).reshape(&[t, heads, d]).permute(&[1, 0, 2])
            });
            let pattern = (q.matmul(k.t()) / (d as f32).sqrt()).keep("scores").softmax().keep("pattern");
            pattern.matmul(v).permute(&[1, 0, 2]).reshape(&[t, heads * d]).keep("z");
        });
    }
}

#[test]
fn attention_with_and_without_its_pattern() {
    let Some(pair) = Pair::new() else { return };
    let lengths = (1..4_usize, length(), length(), 1..40_usize, 1..70_usize);
    let flags = [any::<bool>(), any::<bool>()];
    check_all(&pair, SUM, (lengths, [seen(), seen(), seen(), seen()], flags), |g, case| {
        let ((heads, m, n, d, e), how, [fielded, kept]) = case;
        let x = |i: usize, shape: [usize; 3]| operand(g, &shape, how[i], 1 + i as u32, 1.0);
        let [q, k, v] = [x(0, [*heads, *m, *d]), x(1, [*heads, *n, *d]), x(2, [*heads, *n, *e])];
        let scores = q.matmul(k.t()) / (*d as f32).sqrt();
        let logits = if *fielded { scores + x(3, [*heads, *m, *n]) * 3.0 } else { scores };
        let pattern = logits.softmax();
        let pattern = if *kept { pattern.keep("pattern") } else { pattern };
        pattern.matmul(v).keep("z");
    });
}

#[test]
fn few_queries_of_many_keys_are_shared_by_threads() {
    let Some(pair) = Pair::new() else { return };
    for (m, n, d) in [(1, 1024, 8), (5, 1031, 3), (17, 1090, 16), (60, 2048, 4)] {
        pair.check(SUM, |g| {
            let [q, k] = [m, n].map(|it| g.input(&numbers(&[1, it, d], 1 + it as u32, 1.0)));
            let logits = q.matmul(k.t()) + operand(g, &[1, m, n], Seen::Swapped, 4, 2.0);
            // Its numbers are near 1/n: multiplied by n they are held as closely as all others.
            (logits.softmax().keep("pattern") * n as f32).keep("pattern times n");
        });
    }
}

#[test]
fn gather_clamps_ids() {
    let Some(pair) = Pair::new() else { return };
    let ids = prop::collection::vec(-3..12_i32, 1..9);
    check_all(&pair, 0.0, ((1..9_usize, 1..9_usize), seen(), ids), |g, ((v, d), how, ids)| {
        let table = operand(g, &[*v, *d], *how, 1, 1.0);
        let ids: Vec<f32> = ids.iter().map(|it| *it as f32).collect();
        let ids = g.input(&Tensor::new(&[ids.len()], ids));
        table.gather(ids).keep("rows");
        table.gather(ids.reshape(&[1, ids.dim(0)])).keep("more axes");
    });
}

#[test]
fn pads_windows_and_copies() {
    let Some(pair) = Pair::new() else { return };
    let pad = (0..4_usize, 0..3_usize, 0..3_usize);
    check_all(&pair, 0.0, (shape(4), seen(), pad), |g, (shape, how, (axis, before, after))| {
        let x = operand(g, shape, *how, 1, 1.0);
        let axis = (axis % shape.len()) as isize;
        let padded = x.pad(axis, *before, *after, -7.0);
        padded.keep("pad");
        let size = padded.dim(axis).min(3);
        padded.window(axis, size, 2).keep("window");
        x.keep("copy");
        x.reshape(&[shape.iter().product()]).keep("flat");
    });
}

#[test]
fn empty_tensors_are_no_work() {
    let Some(pair) = Pair::new() else { return };
    pair.check(SUM, |g| {
        let none = g.input(&Tensor::new(&[0, 4], vec![]));
        let some = g.input(&numbers(&[4, 3], 1, 1.0));
        none.matmul(some).keep("no rows");
        none.t().matmul(none).keep("a sum of nothing");
        some.matmul(none.slice(1, 0, 3).t()).softmax().matmul(none).keep("attention to nothing");
        none.sum(0).keep("another");
        none.pad(0, 1, 1, 5.0).keep("padding only");
    });
}
