//! Derivatives against central differences in f64, of every operation, every definition and a whole model; and what a
//! backward pass costs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod reference;
mod tiny;

use std::collections::BTreeMap;

use proptest::prelude::*;
use vitrine::data::Tokenizer;
use vitrine::engine::plan::{Kernel, Plan};
use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::{Def, Edit, Graph, How, Op, Recording, Slide, Var};
use vitrine::models::{Bert, bert};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};
use vitrine::weights::Weights;

/// Half the distance of a central difference. In f64 its error is about `h^2` times the third derivative, 1e-11 here, and
/// about 1e-16 / h, 1e-10, from rounding; both are far below the tolerance.
const H: f64 = 1e-6;
const TOLERANCE: f64 = 1e-7;

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

/// Numbers in -2..2 of which no two are closer than a central difference is wide, and none is that close to 0: what has a
/// kink is differentiated beside it.
fn spread(shape: &[usize], seed: u64) -> Tensor {
    let it = random(shape, seed);
    let mut order: Vec<usize> = (0..it.data.len()).collect();
    order.sort_by(|a, b| it.data[*a].total_cmp(&it.data[*b]));
    let mut data = vec![0.0; order.len()];
    for (rank, i) in order.iter().enumerate() {
        data[*i] = (rank as f32 + 0.3) / order.len() as f32 * 4.0 - 2.0;
    }
    Tensor::new(shape, data)
}

/// `sum_i w_i x_i` with weights that are all different.
fn weighted(x: Var<'_>, seed: u64) -> Var<'_> {
    let n = size(&x.shape());
    let w = x.graph().input(&random(&x.shape(), seed ^ 0xc0_ffee));
    (x * w).reshape(&[n]).sum(0)
}

/// The value of the kept tensor `name`.
fn kept(values: &[(String, reference::Array)], name: &str) -> Vec<f64> {
    values.iter().find(|(it, _)| it == name).unwrap().1.1.clone()
}

/// Whether `grad` is the derivative of the kept number `z` with respect to `leaf`, along two directions.
#[track_caller]
fn is_derivative(recording: &Recording, leaf: &Op, value: &Tensor, grad: &[f64]) {
    assert_eq!(grad.len(), value.data.len(), "a gradient has the shape of its tensor");
    for seed in 0..2 {
        let direction = random(&value.shape, 77 + seed);
        let z = |h: f64| {
            let at = value.data.iter().zip(direction.data.iter());
            let at: Vec<f64> = at.map(|(x, v)| f64::from(*x) + h * f64::from(*v)).collect();
            kept(&reference::run_at(recording, &|op| (op == leaf).then(|| at.clone())), "z")[0]
        };
        let difference = (z(H) - z(-H)) / (2.0 * H);
        let terms = || grad.iter().zip(direction.data.iter()).map(|(g, v)| g * f64::from(*v));
        let (dot, scale) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
        let close = (dot - difference).abs() <= TOLERANCE * scale.max(1.0);
        assert!(close, "{leaf:?}: {dot} is not {difference} in {:#?}", recording.nodes);
    }
}

/// The recording of `z = sum w f(xs)`, of the sum of its terms without their signs, and of `dz/dx` for all `xs`.
fn differentiated(xs: &[Tensor], f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) -> Recording {
    let g = Graph::default();
    let vars: Vec<Var<'_>> = xs.iter().map(|x| g.input(x)).collect();
    let y = f(&vars);
    let z = weighted(y, 5).keep("z");
    let w = g.input(&random(&y.shape(), 5 ^ 0xc0_ffee));
    (y * w).abs().flat().sum(0).keep("terms of z");
    for (i, dx) in g.grad(z, &vars).into_iter().enumerate() {
        assert_eq!(dx.shape(), xs[i].shape, "a gradient has the shape of its tensor");
        dx.keep(&format!("grad.{i}"));
    }
    drop(vars);
    g.finish()
}

/// Checks the derivatives of `f` at `xs` against differences, and the CPU's against f64 to `tolerance`.
#[track_caller]
fn check(xs: &[Tensor], tolerance: f64, f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) {
    let recording = differentiated(xs, f);
    let values = reference::run(&recording);
    for (i, x) in xs.iter().enumerate() {
        is_derivative(&recording, &Op::Input { slot: i }, x, &kept(&values, &format!("grad.{i}")));
    }
    let found = run(&mut Device::Cpu(Cpu::new()), &recording);
    for (name, (shape, expected)) in &values {
        let found = &found[name];
        assert_eq!(found.shape, *shape, "shape of {name}");
        // A sum is as exact as its terms, which may cancel: of a thousand terms of 2 little can be left.
        let scale = if name == "z" { kept(&values, "terms of z")[0].max(1.0) } else { 1.0 };
        let scale = expected.iter().fold(scale, |s: f64, x| s.max(x.abs()));
        for (f, e) in found.data.iter().zip(expected) {
            assert!((f64::from(*f) - e).abs() <= tolerance * scale, "{name}: {f}, not {e}, of {scale}");
        }
    }
}

/// Sums of some hundred f32 terms below the largest.
const SUM: f64 = 1e-5;

fn run(device: &mut Device, recording: &Recording) -> BTreeMap<String, Tensor> {
    let trace = block_on(device.run(recording, &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, it)| (name.clone(), block_on(it.read()).unwrap())).collect()
}

fn smooth(shapes: &[&[usize]], seed: u64, f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) {
    let xs: Vec<Tensor> = shapes.iter().zip(seed..).map(|(shape, seed)| random(shape, seed)).collect();
    check(&xs, SUM, f);
}

fn kinked(shapes: &[&[usize]], seed: u64, f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) {
    let xs: Vec<Tensor> = shapes.iter().zip(seed..).map(|(shape, seed)| spread(shape, seed)).collect();
    check(&xs, SUM, f);
}

fn odd() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(2), Just(3), Just(5), Just(7), Just(8), Just(13)]
}

fn positive(x: Var<'_>) -> Var<'_> {
    x * x + 0.5
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn functions_of_one_tensor(a in odd(), b in odd(), seed in 0..1000_u64) {
        kinked(&[&[a, b]], seed, |x| x[0].abs());
        kinked(&[&[a, b]], seed, |x| x[0].sign() * x[0]);
        let smooths: [for<'g> fn(Var<'g>) -> Var<'g>; 9] = [
            |x| x.cos(),
            |x| x.erf(),
            |x| x.exp(),
            |x| -x,
            |x| x.sin(),
            |x| x.tanh(),
            |x| positive(x).log(),
            |x| positive(x).recip(),
            |x| positive(x).sqrt(),
        ];
        for f in smooths {
            smooth(&[&[a, b]], seed, |x| f(x[0]));
        }
    }

    #[test]
    fn functions_of_two_tensors(a in odd(), b in odd(), c in odd(), seed in 0..1000_u64) {
        smooth(&[&[a, b, c], &[a, b, c]], seed, |x| x[0] + x[1]);
        smooth(&[&[a, b, c], &[b, 1]], seed, |x| x[0] - x[1]);
        smooth(&[&[a, 1, c], &[b, c]], seed, |x| x[0] * x[1]);
        smooth(&[&[c], &[a, b, c]], seed, |x| x[0] / positive(x[1]));
        smooth(&[&[a, b]], seed, |x| x[0] * x[0] * 3.0 + 1.0);
        let pair = spread(&[2, a, b], seed);
        let half = |i: usize| Tensor::from_fn(&[a, b], |at| pair.at(&[i, at[0], at[1]]));
        check(&[half(0), half(1)], SUM, |x| x[0].max_with(x[1]));
        check(&[half(0), half(1)], SUM, |x| x[0].or_larger(x[1]));
        check(&[half(0), half(1)], SUM, |x| x[0].min_with(x[1]));
        check(&[half(0), half(1)], SUM, |x| x[0].less(x[1]) * x[1] + x[0]);
        kinked(&[&[a, b]], seed, |x| x[0].max_with(x[0].graph().constant(0.0)));
    }

    #[test]
    fn reductions(a in odd(), b in odd(), c in odd(), seed in 0..1000_u64) {
        for axis in 0..3 {
            smooth(&[&[a, b, c]], seed, |x| x[0].sum(axis));
            smooth(&[&[a, b, c]], seed, |x| x[0].permute(&[2, 0, 1]).mean(axis));
            kinked(&[&[a, b, c]], seed, |x| x[0].max(axis));
        }
    }

    #[test]
    fn products(b in odd(), m in odd(), k in odd(), n in odd(), seed in 0..1000_u64) {
        smooth(&[&[m, k], &[k, n]], seed, |x| x[0].matmul(x[1]));
        smooth(&[&[m, k], &[n, k], &[n]], seed, |x| (x[0].matmul(x[1].t()) * 0.25 + x[2]).gelu());
        smooth(&[&[b, m, k], &[k, n], &[n]], seed, |x| x[0].matmul(x[1]) + x[2]);
        smooth(&[&[m, k], &[b, k, n]], seed, |x| x[0].matmul(x[1]));
        smooth(&[&[2, m, 3, k], &[2, n, 3, k]], seed, |x| {
            x[0].permute(&[0, 2, 1, 3]).matmul(x[1].permute(&[0, 2, 3, 1]))
        });
    }

    #[test]
    fn views(a in odd(), b in odd(), c in odd(), seed in 0..1000_u64) {
        smooth(&[&[a, b, c]], seed, |x| x[0].reshape(&[b, c * a]));
        smooth(&[&[a, b, c]], seed, |x| x[0].permute(&[1, 2, 0]));
        smooth(&[&[a, b + 2, c]], seed, |x| x[0].slice(1, 1, b));
        smooth(&[&[a, b * 3, c]], seed, |x| x[0].strided(1, 1, b, 3));
        smooth(&[&[a, b * 3 + 2]], seed, |x| x[0].strided(1, 0, b, 3));
        smooth(&[&[1, b, 1]], seed, |x| x[0].broadcast(&[a, c, b, a]));
        smooth(&[&[a, b, c]], seed, |x| x[0].pad(1, 2, 1, 3.0).pad(-1, 0, 2, -1.0));
        smooth(&[&[a, b + 2, c]], seed, |x| x[0].window(1, 3, 1));
        smooth(&[&[b + 4, a]], seed, |x| x[0].window(0, 2, 3));
        smooth(&[&[a, b + 3]], seed, |x| x[0].window(1, 2, 2));
        smooth(&[&[a, b, c]], seed, |x| x[0].fold(1, 2, (b - 1) * 2 + c + 1));
        smooth(&[&[a, b, c]], seed, |x| x[0].fold(0, 1, a - 1 + c));
    }

    #[test]
    fn tables(v in odd(), d in odd(), n in odd(), seed in 0..1000_u64) {
        let ids = Tensor::from_fn(&[n], |at| ((seed as usize + at[0] * 7) % (v + 2)) as f32);
        smooth(&[&[v, d]], seed, |x| x[0].gather(x[0].graph().input(&ids)));
        smooth(&[&[n, d]], seed, |x| x[0].scatter_add(x[0].graph().input(&ids), v));
        smooth(&[&[d, v]], seed, |x| x[0].t().gather(x[0].graph().input(&ids).reshape(&[1, n])));
    }

    #[test]
    fn definitions(a in odd(), b in odd(), n in odd(), seed in 0..1000_u64) {
        let shape: &[usize] = &[a, b, n + 1];
        let row: &[usize] = &[n + 1];
        smooth(&[shape], seed, |x| x[0].softmax());
        smooth(&[shape], seed, |x| x[0].gelu());
        // With two elements in a row and a small eps the third derivative is too large for a difference.
        smooth(&[shape, row, row], seed, |x| x[0].layer_norm(x[1], x[2], 0.1));
        smooth(&[shape, row], seed, |x| (x[0] + x[0].exp()).layer_norm(x[1], x[1], 0.1));
        let within = Slide::within(1);
        let around = Slide { stride: 2, around: [[1, 1], [0, 2]] };
        smooth(&[&[a + 1, b + 1, n], &[2, 2, n]], seed, move |x| x[0].conv(x[1], within).tanh());
        smooth(&[&[2, a, b, n], &[3, 1, n]], seed, move |x| x[0].conv(x[1], around));
        smooth(&[&[a, b, 2], &[3, 1, 2, n]], seed, move |x| x[0].conv(x[1], around));
        smooth(&[&[2, a, 2, 5], &[2, 2, 5, 3]], seed, move |x| x[0].conv(x[1], around).tanh());
    }

    /// What a definition carries is the derivative of its expansion.
    #[test]
    fn shorter_derivatives_equal_those_of_the_expansion(a in odd(), n in odd(), seed in 0..1000_u64) {
        let eps = 1e-5.into();
        // The last zero on the right is in no window where `n` is even.
        let slide = Slide { stride: 2, around: [[1, 0], [1, 1]] };
        for (def, shapes) in [
            (Def::Softmax, vec![vec![a, n]]),
            (Def::Gelu, vec![vec![a, n]]),
            (Def::LayerNorm { eps }, vec![vec![a, n + 1], vec![n + 1], vec![n + 1]]),
            (Def::Clamp { low: (-0.5).into(), high: 0.5.into() }, vec![vec![a, n]]),
            (Def::Conv(slide), vec![vec![2, a, n, 3], vec![2, 3, 3]]),
            (Def::Conv(slide), vec![vec![2, a, n, 4], vec![2, 3, 4, 3]]),
            (Def::ConvGrad { slide, places: [a, n] }, vec![vec![2, a.div_ceil(2), n.div_ceil(2), 3], vec![2, 3, 3]]),
            (Def::ConvGrad { slide, places: [a, n] }, vec![vec![2, a.div_ceil(2), n.div_ceil(2), 3], vec![2, 3, 4, 3]]),
        ] {
            let xs: Vec<Tensor> = shapes.iter().zip(seed..).map(|(it, seed)| random(it, seed)).collect();
            let short = differentiated(&xs, |x| match def {
                Def::Softmax => x[0].softmax(),
                Def::Gelu => x[0].gelu(),
                Def::Clamp { .. } => x[0].clamp(-0.5, 0.5),
                Def::Conv(slide) => x[0].conv(x[1], slide),
                // The derivative of a sum of products, as nobody records it otherwise.
                Def::ConvGrad { places: [h, w], .. } => {
                    let g = x[0].graph();
                    let image = g.constant(0.0).broadcast(&[2, h, w, x[1].dim(2)]);
                    g.pull_back(image.conv(x[1], slide), x[0], &[image])[0]
                }
                _ => x[0].layer_norm(x[1], x[2], 1e-5),
            });
            let long = differentiated(&xs, |x| def.expand(x[0], &x[1..]));
            let (short, long) = (reference::run(&short), reference::run(&long));
            for ((name, (_, s)), (_, (_, l))) in short.iter().zip(&long) {
                let scale = l.iter().fold(1.0, |scale: f64, x| scale.max(x.abs()));
                // 1e-7: numbers in a recording are f32, so that f64 sees the same factor written in two ways differ.
                let close = s.iter().zip(l).all(|(s, l)| (s - l).abs() <= 1e-7 * scale);
                prop_assert!(close, "{def:?} {name}: {s:?} {l:?}");
            }
        }
    }

    /// The derivative of a derivative: checked as the derivative of what `grad` recorded.
    #[test]
    fn derivatives_are_differentiated_again(a in odd(), n in odd(), seed in 0..1000_u64) {
        let second = |shapes: &[&[usize]], f: for<'g> fn(&[Var<'g>]) -> Var<'g>| {
            let xs: Vec<Tensor> = shapes.iter().zip(seed..).map(|(shape, seed)| random(shape, seed)).collect();
            // 1e-3: terms that cancel are some hundred times what is left of them.
            check(&xs, 1e-3, |x| {
                let z = weighted(f(x), 9);
                x[0].graph().grad(z, &x[..1])[0]
            });
        };
        second(&[&[a, n]], |x| x[0].softmax());
        second(&[&[a, n]], |x| x[0].gelu());
        second(&[&[a, n]], |x| x[0].tanh() * x[0].exp());
        second(&[&[a, n + 1], &[n + 1]], |x| x[0].layer_norm(x[1], x[1], 0.1));
        second(&[&[a, n], &[n, a]], |x| x[0].matmul(x[1]).tanh());
        second(&[&[a, n], &[n, 3]], |x| (x[0].matmul(x[1]) / positive(x[0].sum(1))).softmax());
        second(&[&[a, n + 2]], |x| x[0].window(1, 3, 1).sin());
        second(&[&[a, n, 2], &[3, 2, 2]], |x| {
            x[0].conv(x[1], Slide { stride: 2, around: [[2, 1], [1, 1]] }).tanh()
        });
        second(&[&[a, 3, 5], &[3, 2, 5, 2]], |x| {
            x[0].conv(x[1], Slide { stride: 2, around: [[2, 1], [1, 1]] }).tanh()
        });
    }
}

#[test]
fn equal_tensors_share_a_derivative_and_a_number_keeps_it() {
    let g = Graph::default();
    let a = g.input(&Tensor::new(&[3], [1.0, 2.0, 0.0]));
    let b = g.input(&Tensor::new(&[3], [1.0, 1.0, 3.0]));
    let [da, db] = g.grad(a.max_with(b).sum(0), &[a, b])[..] else { unreachable!() };
    da.keep("a of max");
    db.keep("b of max");
    let [da, db] = g.grad(a.or_larger(b).sum(0), &[a, b])[..] else { unreachable!() };
    da.keep("a or larger");
    db.keep("b where larger");
    g.grad(a.max_with(g.constant(0.0)).sum(0), &[a])[0].keep("relu");
    let row = g.input(&Tensor::new(&[4], [2.0, 5.0, 5.0, 1.0]));
    g.grad(row.max(0), &[row])[0].keep("max of a row");
    let found = run(&mut Device::Cpu(Cpu::new()), &g.finish());
    assert_eq!(*found["a of max"].data, [0.5, 1.0, 0.0], "as jax.grad(jnp.maximum) has it");
    assert_eq!(*found["b of max"].data, [0.5, 0.0, 1.0], "as jax.grad(jnp.maximum) has it");
    assert_eq!(*found["a or larger"].data, [1.0, 1.0, 0.0], "the first has it");
    assert_eq!(*found["b where larger"].data, [0.0, 0.0, 1.0], "the first has it");
    assert_eq!(*found["relu"].data, [1.0, 1.0, 0.0], "as jax.nn.relu has it");
    assert_eq!(*found["max of a row"].data, [0.0, 0.5, 0.5, 0.0], "as jax.grad(jnp.max) has it");
}

#[test]
fn nothing_goes_through_what_is_detached_or_does_not_matter() {
    let g = Graph::default();
    let [x, other] = [1, 2].map(|seed| g.input(&random(&[3], seed)));
    let gradients = g.grad((x * x.detach()).sum(0), &[x, other]);
    x.keep("x");
    gradients[0].keep("half");
    gradients[1].keep("none");
    let found = run(&mut Device::Cpu(Cpu::new()), &g.finish());
    assert_eq!(found["half"], found["x"]);
    assert_eq!(*found["none"].data, [0.0; 3]);
}

/// `d/dx (dz/dx . v)` is the Hessian's product with `v`: of `z = x A x^T` that is `v (A + A^T)`.
#[test]
fn hessian_vector_products_are_gradients_of_gradients() {
    let (x, a, v) = (random(&[1, 6], 1), random(&[6, 6], 2), random(&[1, 6], 3));
    let g = Graph::default();
    let [x, a, v] = [&x, &a, &v].map(|it| g.input(it));
    let dz = g.grad(x.matmul(a).matmul(x.t()), &[x])[0];
    g.grad((dz * v).sum(1), &[x])[0].keep("product");
    v.matmul(a + a.t()).keep("expected");
    let found = run(&mut Device::Cpu(Cpu::new()), &g.finish());
    // 1e-5: sums of six f32 terms of size 8.
    assert!(found["product"].max_abs_diff(&found["expected"]) < 1e-5);
}

/// The gradients of a sum over independent samples are those of each sample by itself.
#[test]
fn gradients_of_a_batch_are_per_sample() {
    let (xs, w) = (random(&[5, 4], 1), random(&[4, 3], 2));
    let gradient = |x: &Tensor| {
        let g = Graph::default();
        let hidden = g.input(x).matmul(g.input(&w));
        let z = hidden.softmax().log().slice(1, 1, 1).sum(0);
        g.grad(z, &[hidden])[0].keep("dh");
        run(&mut Device::Cpu(Cpu::new()), &g.finish()).remove("dh").unwrap()
    };
    let together = gradient(&xs);
    for i in 0..5 {
        let alone = gradient(&Tensor::from_fn(&[1, 4], |at| xs.at(&[i, at[1]])));
        for j in 0..3 {
            // 1e-6: products of four terms, in another order for another number of rows.
            assert!((together.at(&[i, j]) - alone.at(&[0, j])).abs() < 1e-6, "sample {i}");
        }
    }
}

fn tiny_bert() -> Bert {
    let [config, tokenizer, weights] = tiny::files(&tiny::checkpoint()).try_into().unwrap();
    Bert::load(&config.1, &tokenizer.1, weights.1).unwrap()
}

/// A number that depends on everything in `bert`, and its gradients, recorded with `edits`.
fn bert_gradients(bert: &Bert, edits: &[Edit], parameters: &[&str]) -> Recording {
    let g = Graph::new(&["grad.*"], edits);
    let encoded = bert.record(&g, &[2, 5, 6, 3]);
    let z = (weighted(encoded.hidden, 1) + weighted(encoded.pooled, 2)).keep("z");
    g.grad_at(z, "*");
    let weights: Vec<Var<'_>> = parameters.iter().map(|it| g.weight(&bert.weights, it)).collect();
    for (dw, name) in g.grad(z, &weights).into_iter().zip(parameters) {
        dw.keep(&format!("grad of {name}"));
    }
    drop(weights);
    g.finish()
}

#[test]
fn bert_with_respect_to_every_parameter() {
    let bert = tiny_bert();
    let names: Vec<&str> = bert.weights.names().collect();
    let recording = bert_gradients(&bert, &[], &names);
    let values = reference::run(&recording);
    for name in names {
        let leaf = Op::Weight { set: 0, name: name.to_owned() };
        let value = bert.weights.read(name).unwrap();
        is_derivative(&recording, &leaf, &value, &kept(&values, &format!("grad of {name}")));
    }
}

/// The derivative with respect to an intermediate is that with respect to a tensor added there.
#[test]
fn bert_with_respect_to_every_tap_through_edits() {
    let bert = tiny_bert();
    let ablated =
        Edit { at: "blocks.0.attn.z".to_owned(), select: vec![("head".to_owned(), 1)], how: How::Zero };
    let g = Graph::default();
    bert.record(&g, &[2, 5, 6, 3]);
    let taps = g.finish().taps;
    assert_eq!(taps.len(), 33, "two layers");
    for tap in taps {
        // Not of the tap's shape, which is not known here: of one that broadcasts to it.
        let shift = random(&[4; 1], 3);
        let last = tap.axes.split(' ').next_back().unwrap();
        let shift = if matches!(last, "key") { shift } else { Tensor::new(&[1], [0.25]) };
        let moved = Edit { at: tap.name.clone(), select: vec![], how: How::Add(shift.clone()) };
        let recording = bert_gradients(&bert, &[ablated.clone(), moved], &[]);
        let slot = recording.inputs.iter().position(|it| *it == shift).unwrap();
        let values = reference::run(&recording);
        let gradient = kept(&values, &format!("grad.{}", tap.name));
        // What was added everywhere along the other axes counts everywhere.
        let n = shift.data.len();
        let sums: Vec<f64> = (0..n).map(|i| gradient.iter().skip(i).step_by(n).sum()).collect();
        is_derivative(&recording, &Op::Input { slot }, &shift, &sums);
    }
}

#[test]
fn gradients_are_taps_like_any_other() {
    let bert = tiny_bert();
    let g = Graph::new(&["b/grad.blocks.*.attn.pattern"], &[]);
    let (hidden, first) = g.scope("b", || {
        let hidden = bert.record(&g, &[2, 5, 3]).hidden;
        let all = g.grad_at(hidden.reshape(&[48]).sum(0), "blocks.*.attn.pattern");
        assert_eq!(all.len(), 2, "one a layer");
        (hidden, g.at("grad.blocks.0.attn.pattern").unwrap().shape())
    });
    assert_eq!(hidden.shape(), [3, 16]);
    assert_eq!(first, [2, 3, 3]);
    let recording = g.finish();
    let kept: Vec<&str> = recording.keeps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["b/grad.blocks.0.attn.pattern", "b/grad.blocks.1.attn.pattern"]);
    let axes = recording.taps.iter().find(|it| it.name == kept[0]).map(|it| it.axes.as_str());
    assert_eq!(axes, Some("head query key"), "a gradient has the axes of its tensor");
}

/// A BERT of `MiniLM`'s shapes, without its vocabulary.
fn minilm_shapes() -> Bert {
    let (d, d_mlp, layers) = (384, 1536, 6);
    let it = tiny::checkpoint();
    let wide = |n: &usize| match n {
        16 => d,
        24 => d_mlp,
        n => *n,
    };
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &it.tensors {
        let shape: Vec<usize> = tensor.shape.iter().map(wide).collect();
        for l in 0..layers {
            let name = name.replace("layer.0", &format!("layer.{l}"));
            tensors.insert(name, Tensor::new(&shape, vec![0.01; size(&shape)]));
        }
    }
    let config = bert::Config {
        vocabulary: 12,
        d_model: d,
        layers,
        heads: 12,
        d_mlp,
        positions: 10,
        types: 2,
        eps: 1e-12,
    };
    let tokenizer = Tokenizer::parse(it.tokenizer.to_string().as_bytes(), 10).unwrap();
    Bert::new(config, tokenizer, Weights::from_tensors(&tensors)).unwrap()
}

/// All patterns' gradients take one forward and one backward pass, whatever the number of layers.
#[test]
fn the_gradients_of_all_patterns_take_one_backward_pass() {
    let bert = minilm_shapes();
    let recorded = |backward: bool| {
        let g = Graph::new(&["blocks.*.attn.pattern", "grad.*"], &[]);
        let z = bert.record(&g, &[2, 5, 6, 7, 8, 9, 3]).pooled.slice(0, 7, 1).keep("z");
        if backward {
            g.grad_at(z, "blocks.*.attn.pattern");
        }
        let recording = g.finish();
        let plan = Plan::compile(&recording);
        let count = |f: &dyn Fn(&Kernel) -> bool| plan.steps.iter().filter(|it| f(&it.kernel)).count();
        let products = count(&|it| matches!(it, Kernel::Matmul { .. }));
        let copies = count(&|it| *it == Kernel::copy());
        let patterns = count(&|it| matches!(it, Kernel::Pattern { .. }));
        assert_eq!(patterns, 6, "the forward pass is recorded once");
        assert_eq!(recording.keeps.len(), if backward { 13 } else { 7 });
        (recording.nodes.len(), plan.steps.len(), products, copies)
    };
    let (forward, both) = (recorded(false), recorded(true));
    println!(
        "forward: {} nodes, {} dispatches, {} products, {} copies",
        forward.0, forward.1, forward.2, forward.3
    );
    println!("both:    {} nodes, {} dispatches, {} products, {} copies", both.0, both.1, both.2, both.3);
    assert_eq!(
        forward.2,
        5 * 6,
        "five products a layer beside the scores, which are computed with their pattern"
    );
    // Of the last layer only what follows its pattern; of the first nothing before its pattern. Each product has one
    // backwards for its input, scores and what heads read two.
    assert!(both.2 <= 2 * (forward.2 + 6) + 6, "{} products", both.2);
    assert!(both.1 - forward.1 <= 3 * forward.1, "{} dispatches backwards", both.1 - forward.1);
}

#[test]
fn the_gpu_equals_the_cpu_on_backward_graphs() {
    if std::env::var("NO_GPU").is_ok_and(|it| it == "1") {
        return;
    }
    let bert = tiny_bert();
    let names: Vec<&str> = bert.weights.names().collect();
    let ids = Tensor::new(&[6], [0.0, 3.0, 3.0, 9.0, 2.0, 0.0]);
    let recordings = [
        bert_gradients(&bert, &[], &names),
        differentiated(&[random(&[5, 7], 1)], |x| x[0].gather(x[0].graph().input(&ids))),
        differentiated(&[random(&[3, 13, 4], 2)], |x| x[0].window(1, 3, 2)),
        differentiated(&[random(&[3, 4, 13], 2)], |x| x[0].t().window(1, 4, 3).window(2, 2, 1)),
        differentiated(&[random(&[2, 9, 3, 8], 1), random(&[2, 5, 3, 8], 2)], |x| {
            x[0].permute(&[0, 2, 1, 3]).matmul(x[1].permute(&[0, 2, 3, 1])).softmax()
        }),
        differentiated(&[random(&[3, 200], 1), random(&[200], 2)], |x| x[0].layer_norm(x[1], x[1], 1e-5)),
        differentiated(&[random(&[3, 200], 1)], |x| x[0].softmax()),
        differentiated(&[random(&[700, 3], 1)], |x| x[0].gelu().max(1)),
        differentiated(&[random(&[2, 1, 5], 1)], |x| x[0].broadcast(&[2, 400, 5]).exp()),
    ];
    let (mut cpu, mut gpu) = (Device::Cpu(Cpu::new()), Device::Gpu(block_on(Gpu::new()).unwrap()));
    for recording in recordings {
        let (expected, found) = (run(&mut cpu, &recording), run(&mut gpu, &recording));
        for (name, expected) in expected {
            let scale = expected.data.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
            let difference = found[&name].max_abs_diff(&expected);
            if name.ends_with("key.bias") {
                // Softmax does not see what all keys have in common: nothing but rounding is left.
                assert!(scale < 1e-6 && difference < 1e-6, "{name}: {scale}, and differs by {difference}");
                continue;
            }
            // 1e-5: sums of some hundred f32 terms below the largest, in another order.
            assert!(difference <= 1e-5 * scale, "{name} differs by {difference} of {scale}");
        }
    }
}
