//! Every operation and every fusion of the CPU device against f64, over odd shapes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod reference;

use proptest::prelude::*;
use vitrine::engine::{Cancel, cpu::Cpu, plan::Kernel, plan::Plan};
use vitrine::graph::{Edit, Graph, How, Recording, Var};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};

/// Runs on the CPU and in f64; every kept tensor must agree to `tolerance`, relative to the largest element.
#[track_caller]
fn check(recording: &Recording, tolerance: f64) {
    let trace = block_on(Cpu::new().run(recording, &Cancel::default())).unwrap();
    for (name, (shape, expected)) in reference::run(recording) {
        let got = block_on(trace.get(&name).unwrap().read()).unwrap();
        assert_eq!(got.shape, shape, "shape of {name}");
        let scale = expected.iter().fold(1.0, |s: f64, x| if x.is_finite() { s.max(x.abs()) } else { s });
        for (i, (g, e)) in got.data.iter().zip(&expected).enumerate() {
            let close = (f64::from(*g) - e).abs() <= tolerance * scale || f64::from(*g) == *e;
            assert!(close, "{name}[{i}] is {g}, expected {e} in {:#?}", recording.nodes);
        }
    }
}

/// Records `f` on random tensors of `shapes` and checks it.
#[track_caller]
fn op(shapes: &[&[usize]], seed: u64, tolerance: f64, f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) {
    let g = Graph::default();
    let xs: Vec<Var<'_>> =
        shapes.iter().enumerate().map(|(i, s)| g.input(&random(s, seed + i as u64))).collect();
    f(&xs).keep("y");
    drop(xs);
    check(&g.finish(), tolerance);
}

/// Numbers in -2..2 from a seed (splitmix64).
fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Tensor::from_fn(shape, |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 40) as f32 / (1u64 << 22) as f32 - 2.0
    })
}

/// Lengths that are not multiples of any tile: one, primes, and their like.
fn odd() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(2), Just(3), Just(7), Just(8), Just(13), Just(17), Just(33)]
}

#[test]
fn what_does_not_fit_into_memory_is_refused_before_it_is_taken() {
    let g = Graph::default();
    let (n, m) = (1 << 21, 1 << 20);
    (g.input(&random(&[1, m], 1)).broadcast(&[n, m]) + 1.0).keep("y");
    let refused = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).err().unwrap();
    assert!(refused.to_string().starts_with("this takes 8388612 MB of memory"), "{refused}");
}

/// Records something of scores and values.
type Record = dyn for<'g> Fn(Var<'g>, Var<'g>);

#[test]
fn attention_is_one_step_unless_somebody_looks() {
    let kernels = |record: &Record| {
        let g = Graph::default();
        let x = g.input(&random(&[2, 5, 3], 1));
        record(x.matmul(x.t()) * 0.5, x);
        let plan = Plan::compile(&g.finish());
        plan.steps.into_iter().map(|it| it.kernel).collect::<Vec<_>>()
    };
    let one = [Kernel::Attention { alpha: 0.5 }];
    assert_eq!(kernels(&|scores, v| _ = scores.softmax().matmul(v).keep("z")), one);
    assert_eq!(kernels(&|scores, v| _ = (scores + v.sum(-1)).softmax().matmul(v).keep("z"))[1..], one);
    let product = |alpha| Kernel::Matmul { alpha, act: None };
    let looks = [Kernel::Pattern { alpha: 0.5 }, product(1.0)];
    assert_eq!(kernels(&|scores, v| _ = scores.softmax().keep("pattern").matmul(v).keep("z")), looks);
    assert_eq!(kernels(&|scores, v| _ = scores.softmax().t().matmul(v).keep("z")), looks);
    for looks in [
        (&|scores: Var<'_>, v: Var<'_>| _ = scores.keep("scores").softmax().matmul(v).keep("z")) as &Record,
        &|scores, v| _ = (scores.softmax().matmul(v) + scores.sum(-1)).keep("z"),
    ] {
        assert_eq!(kernels(looks)[..2], [product(0.5), Kernel::Softmax]);
    }
}

/// `q k^T / sqrt d` of the first two.
fn scores<'g>(x: &[Var<'g>]) -> Var<'g> {
    x[0].matmul(x[1].t()) / (x[0].dim(-1) as f32).sqrt()
}

/// A few units in the last place of an f32.
const EXACT: f64 = 1e-6;
/// Sums of up to some hundred f32 terms of size 4.
const SUM: f64 = 1e-5;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pointwise(a in odd(), b in odd(), c in odd(), seed: u64) {
        let unaries: [for<'g> fn(Var<'g>) -> Var<'g>; 10] = [
            |x| x.abs(),
            |x| x.cos(),
            |x| x.erf(),
            |x| x.exp(),
            |x| x.sign(),
            |x| x.sin(),
            |x| x.tanh(),
            |x| -x,
            |x| (x.abs() + 0.1).log(),
            |x| (x.abs() + 0.1).recip(),
        ];
        for f in unaries {
            op(&[&[a, b]], seed, EXACT, |x| f(x[0]));
        }
        op(&[&[a, b, c]], seed, EXACT, |x| x[0].abs().sqrt());
        op(&[&[a, b, c], &[b, 1]], seed, EXACT, |x| x[0] + x[1]);
        op(&[&[a, 1, c], &[b, 1]], seed, EXACT, |x| x[0] * x[1] - x[1]);
        op(&[&[c], &[a, b, 1]], seed, EXACT, |x| x[0] / (x[1].abs() + 0.5));
        op(&[&[a, b], &[a, b]], seed, EXACT, |x| x[0].max_with(x[1]) - x[0].min_with(x[1]) + x[0].less(x[1]));
        op(&[&[a, b]], seed, EXACT, |x| x[0].t() * 3.0 + 1.0);
    }

    #[test]
    fn views(a in odd(), b in odd(), c in odd(), seed: u64) {
        op(&[&[a, b, c]], seed, 0.0, |x| x[0].permute(&[2, 0, 1]));
        op(&[&[a, b, c]], seed, 0.0, |x| x[0].permute(&[1, 0, 2]).reshape(&[b, a * c]).t());
        op(&[&[a, b, c]], seed, 0.0, |x| x[0].slice(1, b / 2, b - b / 2).reshape(&[(b - b / 2) * a * c]));
        op(&[&[a, b]], seed, 0.0, |x| x[0].strided(1, 0, b.div_ceil(2), 2).abs());
        op(&[&[a, b]], seed, 0.0, |x| x[0].pad(1, 2, 1, -7.0).pad(0, 0, 3, 0.5));
        op(&[&[a, b]], seed, 0.0, |x| x[0].window(1, b.div_ceil(2), 1));
        op(&[&[a, b]], seed, SUM, |x| x[0].pad(0, 1, 1, 0.0).window(0, 2, 2).sum(-1));
        op(&[&[a, 1]], seed, 0.0, |x| x[0].broadcast(&[c, a, b]).permute(&[1, 2, 0]));
    }

    #[test]
    fn reductions(a in odd(), b in odd(), c in odd(), seed: u64) {
        for axis in 0..3 {
            op(&[&[a, b, c]], seed, SUM, |x| x[0].sum(axis));
            op(&[&[a, b, c]], seed, 0.0, |x| x[0].max(axis));
            op(&[&[a, b, c]], seed, SUM, |x| x[0].permute(&[2, 0, 1]).mean(axis));
        }
    }

    #[test]
    fn products(b in odd(), m in odd(), k in odd(), n in odd(), seed: u64) {
        op(&[&[m, k], &[k, n]], seed, SUM, |x| x[0].matmul(x[1]));
        op(&[&[m, k], &[n, k], &[n]], seed, SUM, |x| x[0].matmul(x[1].t()) + x[2]);
        op(&[&[m, k], &[n, k], &[n]], seed, SUM, |x| ((x[0].matmul(x[1].t()) * 0.25 + x[2]).gelu()) * 2.0);
        op(&[&[m, k], &[n, k], &[m, n]], seed, SUM, |x| x[0].matmul(x[1].t()) / 3.0 + x[2]);
        op(&[&[m, k], &[n, k]], seed, SUM, |x| (x[0].matmul(x[1].t()) * 0.5).keep("scaled").softmax());
        op(&[&[m, b, k], &[n, b, k]], seed, SUM, |x| {
            x[0].permute(&[1, 0, 2]).matmul(x[1].permute(&[1, 2, 0])) * 0.125
        });
        op(&[&[b, m, k], &[k, n]], seed, SUM, |x| x[0].matmul(x[1]).permute(&[1, 0, 2]).reshape(&[m, b * n]));
        op(&[&[2, 1, m, k], &[b, k, n]], seed, SUM, |x| x[0].matmul(x[1]));
    }

    #[test]
    fn attention(h in odd(), m in odd(), n in odd(), d in odd(), e in odd(), seed: u64) {
        let shapes: &[&[usize]] = &[&[h, m, d], &[h, n, d], &[h, n, e], &[m, n]];
        // Scores up to 4 sqrt d: their f32 sums move a weight by as much.
        op(shapes, seed, SUM, |x| scores(x).softmax().matmul(x[2]));
        op(shapes, seed, SUM, |x| (scores(x) + x[3]).softmax().matmul(x[2]));
        op(shapes, seed, SUM, |x| (x[3] + scores(x)).softmax().matmul(x[2]).permute(&[1, 0, 2]).reshape(&[m, h * e]));
        op(shapes, seed, SUM, |x| (scores(x) + (x[3].less(x[3] * 0.5) - 1.0) * 1e30).softmax().matmul(x[2]));
        op(shapes, seed, SUM, |x| scores(x).softmax().keep("pattern").matmul(x[2]));
        op(shapes, seed, SUM, |x| (scores(x) + x[3]).softmax().keep("pattern").matmul(x[2]));
        op(shapes, seed, SUM, |x| (x[3].t().softmax().t() + scores(x)).softmax());
    }

    #[test]
    fn definitions(a in odd(), b in odd(), n in odd(), seed: u64) {
        op(&[&[a, b, n]], seed, EXACT, |x| (x[0] * 8.0).softmax());
        op(&[&[n, b]], seed, EXACT, |x| x[0].t().softmax());
        op(&[&[a, b]], seed, EXACT, |x| (x[0] * 3.0).gelu());
        // Where a row's two elements are nearly equal, 1/sqrt(var + eps) magnifies the last bit: by 10 at most here.
        op(&[&[a, b, n + 1], &[n + 1], &[n + 1]], seed, SUM, |x| x[0].layer_norm(x[1], x[2], 1e-2));
        op(&[&[a, n + 1], &[a, n + 1], &[n + 1]], seed, SUM, |x| (x[0] + x[1]).layer_norm(x[2], x[2], 1e-2));
        op(&[&[a, n + 1], &[n + 1]], seed, SUM, |x| (x[0] + x[1]).keep("sum").layer_norm(x[1], x[1], 1e-2));
    }

    #[test]
    fn gathers(v in odd(), d in odd(), n in odd(), seed: u64) {
        let ids = Tensor::from_fn(&[n], |at| ((seed as usize).wrapping_add(at[0] * 7) % (v + 2)) as f32);
        let g = Graph::default();
        g.input(&random(&[v, d], seed)).gather(g.input(&ids)).keep("rows");
        g.input(&random(&[d, v], seed)).t().gather(g.input(&ids)).keep("columns");
        check(&g.finish(), 0.0);
    }

    #[test]
    fn edits(h in odd(), t in odd(), d in odd(), seed: u64) {
        let (head, pos) = (seed as usize % h, seed as usize % t);
        let replacement = random(&[h, t, d], seed + 9);
        for how in [How::Zero, How::Mean, How::Scale(0.5), How::Replace(replacement.clone()), How::Add(replacement)] {
            for select in [vec![], vec![("head".to_owned(), head)], vec![("head".into(), head), ("pos".into(), pos)]] {
                let edit = Edit { at: "z".to_owned(), select, how: how.clone() };
                let g = Graph::new(&["z"], &[edit]);
                let x = g.input(&random(&[h, t, d], seed)).tap("z", "head pos d_head");
                (x * 2.0).keep("y");
                check(&g.finish(), SUM);
            }
        }
    }
}

#[test]
fn an_edit_changes_what_it_selects_and_nothing_else() {
    let x = random(&[3, 4, 5], 1);
    let edit = Edit { at: "z".to_owned(), select: vec![("head".to_owned(), 1)], how: How::Zero };
    let g = Graph::new(&["z"], &[edit]);
    let _ = g.input(&x).tap("z", "head pos d_head");
    let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
    let z = block_on(trace.get("z").unwrap().read()).unwrap();
    let expected = Tensor::from_fn(&[3, 4, 5], |at| if at[0] == 1 { 0.0 } else { x.at(at) });
    assert_eq!(z, expected);
}

/// Patterns that are kept beside what they mix, which lies beside what others mix.
#[test]
fn mixes_are_written_beside_each_other() {
    let g = Graph::default();
    let [q, k, v] = [1, 2, 3].map(|seed| g.input(&random(&[2, 9, 32], seed)));
    let mix = |name, [one, other]: [_; 2]| {
        let pattern = (Var::matmul(one, Var::t(other)) * 0.1).softmax().keep(name);
        pattern.matmul(v).permute(&[1, 0, 2]).reshape(&[9, 64])
    };
    let (left, right) = (mix("left", [q, k]), mix("right", [k, q]));
    (left.pad(1, 0, 64, 0.0) + right.pad(1, 64, 0, 0.0)).keep("both");
    let recording = g.finish();
    let steps = Plan::compile(&recording).steps;
    assert_eq!(steps.len(), 4, "{steps:#?}");
    assert_eq!(steps[1].output.slot, steps[3].output.slot);
    check(&recording, SUM);
}

/// A product belongs to one step: as the scores of a pattern it cannot take the pattern before it along as well.
#[test]
fn a_mix_is_the_scores_of_the_next_pattern() {
    let shapes: [&[usize]; 3] = [&[2, 9, 32], &[2, 9, 32], &[2, 9, 5]];
    op(&shapes, 1, SUM, |x| (x[0].matmul(x[1].t()) * 0.1).softmax().matmul(x[2]).softmax());
}

#[test]
fn empty_tensors_give_empty_results() {
    op(&[&[0, 3]], 1, 0.0, |x| (x[0] + 1.0).softmax());
    op(&[&[4, 0], &[0, 3]], 1, 0.0, |x| x[0].matmul(x[1]));
    op(&[&[2, 0]], 1, 0.0, |x| x[0].sum(1));
}

#[test]
fn a_plan_fuses_what_nobody_looks_at() {
    let record = |keep: bool| {
        let g = Graph::new(if keep { &["pre"] } else { &[] }, &[]);
        let [x, w, b] = [random(&[5, 4], 1), random(&[3, 4], 2), random(&[3], 3)].map(|it| g.input(&it));
        let pre = (x.matmul(w.t()) + b).tap("pre", "pos d_mlp");
        pre.gelu().keep("y");
        Plan::compile(&g.finish()).steps.len()
    };
    assert_eq!(record(false), 1, "product, bias and GELU in one step");
    assert_eq!(record(true), 2, "what is kept is computed on its own");
}

/// Lines shorter and longer than the pieces in which several operations are computed together; padded, sliced and repeated.
fn together(g: &Graph, [a, b, n]: [usize; 3], seed: u64) {
    let x = g.input(&random(&[a, b, n], seed));
    let row = g.input(&random(&[n], seed + 1));
    let column = g.input(&random(&[a, b, 1], seed + 2));
    let around = (x * row + column).keep("scaled").pad(1, 1, 2, 0.5).pad(2, 2, 1, -1.0);
    let seen = |i: usize, j: usize| around.slice(1, i, b).slice(2, j, n) * row.slice(0, (i + j) % n, 1);
    let sum = seen(0, 0) + seen(1, 2) - seen(3, 3) * (column.abs() + 1.0).sqrt() + seen(2, 1);
    sum.max_with(g.constant(-0.5)).keep("around");
    (x.t() * column.reshape(&[a, 1, b])).tanh().keep("turned");
    (Var::concat(&[x, x * 2.0, -x], 2) + 1.0).keep("joined");
    (Var::concat(&[x, x * 2.0], 0).strided(1, 0, b.div_ceil(2), 2) * 0.5).keep("every other");
    ((column * 2.0 + 1.0) * x).gelu().keep("repeated");
}

#[test]
fn operations_in_one_step_are_those_one_by_one() {
    for (i, shape) in
        [[1, 1, 1], [2, 3, 5], [3, 2, 127], [2, 2, 128], [2, 3, 1025], [1, 2, 5000], [40, 37, 3], [9, 17, 64]]
            .into_iter()
            .enumerate()
    {
        let g = Graph::default();
        together(&g, shape, i as u64);
        let recording = g.finish();
        let run = |mut cpu: Cpu| block_on(cpu.run(&recording, &Cancel::default())).unwrap();
        let (fused, plain) = (run(Cpu::new()), run(Cpu::new().unfused()));
        assert!(fused.stats.dispatches * 3 < plain.stats.dispatches, "{} steps", fused.stats.dispatches);
        for (name, it) in &plain.tensors {
            let [found, expected] = [&fused.tensors[name], it].map(|it| block_on(it.read()).unwrap());
            assert_eq!(found, expected, "{name} of {shape:?}, to the last bit");
        }
        // A dozen operations after one another.
        check(&recording, 4.0 * EXACT);
    }
}

/// Products of two batches are written in the order in which they are read on, whatever the sizes.
#[test]
fn heads_are_joined_where_they_are_computed() {
    for (i, [b, h, m, k, n]) in
        [[1, 2, 3, 5, 7], [1, 12, 17, 4, 32], [2, 3, 1, 9, 8], [3, 1, 4, 1, 1], [2, 5, 70, 33, 12]]
            .into_iter()
            .enumerate()
    {
        let g = Graph::default();
        let x = g.input(&random(&[b, h, m, k], i as u64));
        let y = g.input(&random(&[b, h, k, n], i as u64 + 50));
        let bias = g.input(&random(&[n], i as u64 + 90));
        let z = x.matmul(y) + bias;
        // Also where a derivative exchanges them one after the other.
        let turned = if i % 2 == 0 { z.permute(&[0, 2, 1, 3]) } else { z.t().permute(&[0, 3, 1, 2]) };
        let joined = turned.reshape(&[b, m, h * n]);
        (joined * 2.0).keep("joined");
        let recording = g.finish();
        let products = Plan::compile(&recording).steps;
        assert_eq!(products.len(), 2, "a product and what is done with it");
        check(&recording, EXACT);
    }
}

#[test]
fn the_derivative_of_a_layer_norm_reads_its_rows_once() {
    // 35 numbers do not fill what a GPU can begin to bind, 192 do.
    for shape in [[5, 7], [3, 64]] {
        let g = Graph::default();
        let [x, dy] = [1, 2].map(|seed| g.input(&random(&shape, seed)));
        let [gamma, beta] = [3, 4].map(|seed| g.input(&random(&shape[1..], seed)));
        let y = x + x.layer_norm(gamma, beta, 1e-2);
        for (i, it) in g.pull_back(y, dy, &[x, gamma, beta]).into_iter().enumerate() {
            it.keep(&format!("derivative {i}"));
        }
        let recording = g.finish();
        let plan = Plan::compile(&recording);
        assert_eq!(plan.steps.len(), 3, "that of x with its residual, and two sums: {:#?}", plan.steps);
        check(&recording, SUM);
    }
}

#[test]
fn what_is_looked_at_is_written() {
    let steps = |keep: &[&str]| {
        let g = Graph::new(keep, &[]);
        let x = g.input(&random(&[5, 5], 1));
        let a = (x * 2.0 + 1.0).tap("a", "row col");
        let b = (a.abs() + a).tap("b", "row col");
        (b.sqrt() - b.t()).keep("y");
        Plan::compile(&g.finish()).steps.len()
    };
    assert_eq!(steps(&[]), 2, "b is seen in two ways, hence once on its own");
    assert_eq!(steps(&["a"]), 3, "a is kept");
    assert_eq!(steps(&["b"]), 2, "b was written anyway");
}

#[test]
fn parts_of_a_pack_are_written_to_their_places() {
    let g = Graph::default();
    let [x, w, b] = [random(&[70, 4], 1), random(&[3, 4], 2), random(&[4], 3)].map(|it| g.input(&it));
    let parts = [x.matmul(w.t()), x.sum(0), (x * 2.0 - 1.0).abs(), (w * 3.0).t(), b];
    let pack = Var::pack(&parts).keep("pack");
    // What lies between is nothing's: a second pack, and products that read parts as they lie.
    Var::pack(&[pack * 2.0, b * 0.5]).keep("packs");
    let start = 256 + 64 + 320 + 64;
    (w.matmul(pack.slice(0, 320, 280).reshape(&[70, 4]).t()) + x.sum(1).flat()).keep("matrix");
    (x.matmul(w.t()).matmul(w) + pack.slice(0, start, 4)).keep("bias");
    x.layer_norm(pack.slice(0, start, 4), pack.slice(0, 256, 4), 1e-2).keep("gain");
    let recording = g.finish();
    let plan = Plan::compile(&recording);
    // A product, also for others, a sum and two elementwise steps, two copies: of what is turned, of what is given. The second pack:
    // two steps. Product, sum and their addition; a product with its bias; layer norm.
    assert_eq!(plan.steps.len(), 13, "{:#?}", plan.steps);
    check(&recording, SUM);
}

/// Also where others read a view of it, or it is kept beside its pack.
#[test]
fn what_others_read_is_packed() {
    let g = Graph::default();
    let x = g.input(&random(&[70, 4], 1));
    let [seen, kept] = [x.sum(0).flat(), x.sum(1).flat().keep("kept")];
    Var::pack(&[seen, kept, (x * 2.0).keep("twice")]).keep("pack");
    (seen * 2.0).keep("read");
    check(&g.finish(), SUM);
}

#[test]
fn no_step_reads_the_pack_that_it_writes() {
    let g = Graph::default();
    let x = g.input(&random(&[70, 4], 1));
    let [sum, others] = [x.sum(0).flat(), x.sum(1).flat()];
    Var::pack(&[sum, sum * 2.0, sum.slice(0, 1, 2), others, others]).keep("pack");
    let recording = g.finish();
    for step in Plan::compile(&recording).steps {
        assert!(step.inputs.iter().all(|it| it.slot != step.output.slot), "{step:?}");
    }
    check(&recording, SUM);
}

#[test]
fn no_step_reads_more_buffers_than_a_gpu_binds() {
    let g = Graph::default();
    let many: Vec<Var<'_>> = (0..40).map(|i| g.input(&random(&[33], i))).collect();
    let left = many.iter().fold(g.constant(0.0).broadcast(&[33]), |sum, x| sum + x.sin());
    let right = many.iter().rev().fold(g.constant(1.0).broadcast(&[33]), |it, x| *x * 0.5 + it.cos());
    (left + right).keep("y");
    Var::concat(&many, 0).keep("joined");
    let recording = g.finish();
    let plan = Plan::compile(&recording);
    for step in &plan.steps {
        let slots: std::collections::BTreeSet<usize> = step.inputs.iter().map(|it| it.slot).collect();
        assert!(slots.len() <= 7, "{slots:?}");
    }
    assert!(plan.steps.len() <= 40, "{} steps for 280 operations", plan.steps.len());
    check(&recording, SUM);
}

#[test]
fn typing_compiles_nothing() {
    let mut cpu = Cpu::new();
    for value in 0..5 {
        let g = Graph::default();
        (g.input(&Tensor::new(&[2], [value as f32, 1.0])) * 2.0).keep("y");
        let trace = block_on(cpu.run(&g.finish(), &Cancel::default())).unwrap();
        let y = block_on(trace.get("y").unwrap().read()).unwrap();
        assert_eq!(*y.data, [2.0 * value as f32, 2.0], "the new value was used");
    }
    assert_eq!(cpu.compiles(), 1, "one structure, one plan");
}

#[test]
fn a_trace_stays_as_it_was_given() {
    let record = |seed| {
        let g = Graph::default();
        (g.input(&random(&[5, 7], seed)) * 2.0).keep("y");
        g.finish()
    };
    let mut cpu = Cpu::new();
    let mut y = |seed| {
        let trace = block_on(cpu.run(&record(seed), &Cancel::default())).unwrap();
        trace.get("y").unwrap().window(0..35).unwrap()
    };
    let (first, second) = (y(1), y(2));
    assert_ne!(first, second, "the second run wrote elsewhere");
    assert_eq!(first, y(1), "and gives the same for the same");
}

/// `x W^T` turns the weight once, when it is compiled; products of every shape are split over the cores.
#[test]
fn products_with_weights_of_any_size() {
    for (m, k, n) in [(1, 1, 1), (3, 5, 2), (129, 64, 33), (33, 64, 129), (2, 700, 300)] {
        let file = vitrine::weights::Weights::from_tensors(&[("w".to_owned(), random(&[n, k], 3))].into());
        let g = Graph::default();
        let w = g.weight(&std::sync::Arc::new(file), "w");
        let x = g.input(&random(&[m, k], 4));
        (x.matmul(w.t()) + g.input(&random(&[n], 5))).keep("turned");
        check(&g.finish(), 1e-5);
    }
}

#[test]
fn a_cancelled_run_gives_no_trace() {
    let g = Graph::default();
    (g.input(&random(&[2], 1)) * 2.0).keep("y");
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(block_on(Cpu::new().run(&g.finish(), &cancel)).is_err(), "cancelled");
}

#[test]
fn plans_reuse_scratch() {
    let g = Graph::default();
    let mut x = g.input(&random(&[64, 64], 1));
    for i in 0..20 {
        x = (x + i as f32).abs();
    }
    x.keep("y");
    let plan = Plan::compile(&g.finish());
    let scratch: usize = plan.slots.iter().map(|slot| slot.len).filter(|len| *len > 1).sum();
    assert!(scratch <= 4 * size(&[64, 64]), "{scratch} elements for a chain of equal tensors");
}
