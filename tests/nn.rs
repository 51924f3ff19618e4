//! Layers against loops in f64 that say the same in another way, over odd shapes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::{Graph, Var};
use vitrine::mechanisms::attention::Attention;
use vitrine::mechanisms::field::{self, Places};
use vitrine::nn::{self, Activation, Attends, Block, Params, init};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};
use vitrine::weights::Weights;

fn run(device: &mut Device, g: Graph) -> BTreeMap<String, Tensor> {
    let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, kept)| (name.clone(), block_on(kept.read()).unwrap())).collect()
}

fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

/// Numbers from -1 to 1.
fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

/// `f` of `xs` on a device.
fn compute(device: &mut Device, xs: &[&Tensor], f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) -> Tensor {
    let g = Graph::default();
    let vars: Vec<Var<'_>> = xs.iter().map(|it| g.input(it)).collect();
    f(&vars).keep("y");
    drop(vars);
    run(device, g)["y"].clone()
}

/// Tolerance: an f32 sum of up to 25 * 17 products of numbers below 1.
#[track_caller]
fn close(found: &Tensor, wanted: &Tensor) {
    let difference = found.max_abs_diff(wanted);
    assert!(difference <= 4e-5, "differs by {difference}");
}

/// `y[n, i, j, o] = b[o] + sum w[u, v, c, o] x[n, s i + u - before, s j + v - before, c]`, written as loops; with `depthwise`
/// kernels `[kh, kw, c]` and `o = c`.
fn direct(x: &Tensor, w: &Tensor, b: &Tensor, s: usize, same: bool, depthwise: bool) -> Tensor {
    let ([n, h, width, c], k) = (<[usize; 4]>::try_from(&x.shape[..]).unwrap(), w.shape[0]);
    let places = |n: usize| if same { n.div_ceil(s) } else { (n - k) / s + 1 };
    let before = |n: usize| if same { ((places(n) - 1) * s + k).saturating_sub(n) / 2 } else { 0 };
    let out = b.shape[0];
    Tensor::from_fn(&[n, places(h), places(width), out], |at| {
        let mut sum = f64::from(b.data[at[3]]);
        for u in 0..k {
            for v in 0..w.shape[1] {
                let row = (at[1] * s + u).wrapping_sub(before(h));
                let col = (at[2] * s + v).wrapping_sub(before(width));
                if row >= h || col >= width {
                    continue;
                }
                let channels = if depthwise { at[3]..at[3] + 1 } else { 0..c };
                for channel in channels {
                    let weight =
                        if depthwise { w.at(&[u, v, channel]) } else { w.at(&[u, v, channel, at[3]]) };
                    sum += f64::from(weight) * f64::from(x.at(&[at[0], row, col, channel]));
                }
            }
        }
        sum as f32
    })
}

fn params(tensors: &[(&str, &Tensor)]) -> Arc<Weights> {
    let tensors = tensors.iter().map(|(name, it)| ((*name).to_owned(), (*it).clone())).collect();
    Arc::new(Weights::from_tensors(&tensors))
}

/// Both convolutions, with and without padding, on one shape.
fn convolutions(device: &mut Device, [n, h, w]: [usize; 3], [c, out, k, s]: [usize; 4], seed: u64) {
    let x = random(&[n, h, w, c], seed);
    let (kernel, bias) = (random(&[k, k, c, out], seed + 1), random(&[out], seed + 2));
    let (own, own_bias) = (random(&[k, k, c], seed + 3), random(&[c], seed + 4));
    if k <= h.min(w) {
        let y = compute(device, &[&x, &kernel, &bias], |v| nn::conv2d(v[0], v[1], v[2], s));
        close(&y, &direct(&x, &kernel, &bias, s, false, false));
        let y = compute(device, &[&x, &own, &own_bias], |v| nn::depthwise_conv2d(v[0], v[1], v[2], s));
        close(&y, &direct(&x, &own, &own_bias, s, false, true));
    }
    let padded = |weight: &Tensor, bias: &Tensor, depthwise: bool, device: &mut Device| {
        let weights = params(&[("weight", weight), ("bias", bias)]);
        let g = Graph::default();
        let p = Params::new(&g, &weights);
        let x = g.input(&x);
        let y = if depthwise { nn::depthwise_conv(x, &p, s) } else { nn::conv(x, &p, s) };
        y.keep("y");
        drop(p);
        run(device, g)["y"].clone()
    };
    close(&padded(&kernel, &bias, false, device), &direct(&x, &kernel, &bias, s, true, false));
    close(&padded(&own, &own_bias, true, device), &direct(&x, &own, &own_bias, s, true, true));
}

/// Lengths that are not multiples of any tile.
fn odd() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(2), Just(3), Just(5), Just(7), Just(13)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn convolutions_equal_loops(
        n in 1usize..3, h in odd(), w in odd(), c in prop_oneof![odd(), Just(17)], out in odd(),
        k in prop_oneof![Just(1), Just(2), Just(3), Just(5)], s in 1usize..4, seed in 0u64..1000,
    ) {
        convolutions(&mut cpu(), [n, h, w], [c, out, k, s], seed);
    }

    #[test]
    fn pools_equal_loops(n in 1usize..3, h in odd(), w in odd(), c in odd(), k in 1usize..4, s in 1usize..4, seed in 0u64..1000) {
        prop_assume!(k <= h.min(w));
        let x = random(&[n, h, w, c], seed);
        let window = |at: &[usize], f: fn(f32, f32) -> f32, from: f32| {
            let places = (0..k * k).map(|i| x.at(&[at[0], at[1] * s + i / k, at[2] * s + i % k, at[3]]));
            places.fold(from, f)
        };
        let shape = [n, (h - k) / s + 1, (w - k) / s + 1, c];
        let most = Tensor::from_fn(&shape, |at| window(at, f32::max, f32::NEG_INFINITY));
        let mean = Tensor::from_fn(&shape, |at| window(at, |a, b| a + b, 0.0) / (k * k) as f32);
        close(&compute(&mut cpu(), &[&x], |v| nn::max_pool(v[0], k, s)), &most);
        close(&compute(&mut cpu(), &[&x], |v| nn::avg_pool(v[0], k, s)), &mean);
        let all = Tensor::from_fn(&[n, c], |at| {
            let places = (0..h * w).map(|i| f64::from(x.at(&[at[0], i / w, i % w, at[1]])));
            (places.sum::<f64>() / (h * w) as f64) as f32
        });
        close(&compute(&mut cpu(), &[&x], |v| nn::global_avg_pool(v[0])), &all);
    }

    #[test]
    fn patches_equal_loops(n in 1usize..3, h in 1usize..4, w in 1usize..4, c in odd(), d in odd(), p in 1usize..5, seed in 0u64..1000) {
        let x = random(&[n, h * p, w * p, c], seed);
        let (kernel, bias) = (random(&[d, c, p, p], seed + 1), random(&[d], seed + 2));
        let weights = params(&[("weight", &kernel), ("bias", &bias)]);
        let g = Graph::default();
        nn::patch_embed(g.input(&x), &Params::new(&g, &weights)).keep("y");
        let wanted = Tensor::from_fn(&[n, h * w, d], |at| {
            let mut sum = f64::from(bias.data[at[2]]);
            for i in 0..p * p * c {
                let (channel, u, v) = (i / (p * p), i / p % p, i % p);
                let pixel = x.at(&[at[0], at[1] / w * p + u, at[1] % w * p + v, channel]);
                sum += f64::from(pixel) * f64::from(kernel.at(&[at[2], channel, u, v]));
            }
            sum as f32
        });
        close(&run(&mut cpu(), g)["y"], &wanted);
    }

    #[test]
    fn activations_equal_their_formulas(n in odd(), seed in 0u64..1000) {
        let x = compute(&mut cpu(), &[&random(&[n, 9], seed)], |v| v[0] * 8.0);
        let of = |f: fn(f64) -> f64| Tensor::from_fn(&[n, 9], |at| f(f64::from(x.at(at))) as f32);
        close(&compute(&mut cpu(), &[&x], |v| nn::relu(v[0])), &of(|x| x.max(0.0)));
        close(&compute(&mut cpu(), &[&x], |v| nn::relu6(v[0])), &of(|x| x.clamp(0.0, 6.0)));
        let tanh = of(|x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()));
        close(&compute(&mut cpu(), &[&x], |v| nn::gelu_tanh(v[0])), &tanh);
    }

    /// A batch gives what its members give alone, at every tap.
    #[test]
    fn a_batch_is_its_members(n in 2usize..4, pos in odd(), heads in 1usize..4, causal: bool, seed in 0u64..1000) {
        let d = 6 * heads;
        let (x, weights) = (random(&[n, pos, d], seed), block_weights(d, 10, seed));
        let batch = block(&mut cpu(), &x, heads, causal, &weights);
        for i in 0..n {
            let one = Tensor::new(&[pos, d], &x.data[i * pos * d..][..pos * d]);
            let alone = block(&mut cpu(), &one, heads, causal, &weights);
            prop_assert_eq!(alone.keys().collect::<Vec<_>>(), batch.keys().collect::<Vec<_>>());
            for (name, one) in &alone {
                let all = &batch[name];
                prop_assert_eq!(&all.shape, &[&[n], &one.shape[..]].concat(), "{}", name);
                let own = Tensor::new(&one.shape, &all.data[i * size(&one.shape)..][..size(&one.shape)]);
                // The products are the same; only their order in memory differs.
                prop_assert!(own.max_abs_diff(one) <= 1e-5, "{} differs by {}", name, own.max_abs_diff(one));
            }
        }
    }
}

fn block_weights(d: usize, d_mlp: usize, seed: u64) -> Arc<Weights> {
    let own = |_: &str, shape: &[usize], random: &mut Random| init::normal(shape, 0.3, random);
    Arc::new(init::weights(nn::block_parameters(3, d, d_mlp), seed, own))
}

/// Every tap of block 3.
fn block(
    device: &mut Device,
    x: &Tensor,
    heads: usize,
    causal: bool,
    weights: &Arc<Weights>,
) -> BTreeMap<String, Tensor> {
    let g = Graph::new(&["*"], &[]);
    let x = g.input(x);
    let mask = causal.then(|| Places::line(x.dim(-2)).mask(x.graph(), field::causal));
    let attends = Attends::AtOnce(Attention { mask, ..Attention::scaled(x.dim(-1) / heads) });
    let block = Block { heads, eps: 1e-5, activation: Activation::GeluTanh, attends };
    block.record(3, x, &Params::new(&g, weights).at("blocks.3"));
    run(device, g)
}

#[test]
fn a_causal_block_never_looks_ahead() {
    let weights = block_weights(8, 12, 5);
    let x = random(&[6, 8], 1);
    let taps = block(&mut cpu(), &x, 2, true, &weights);
    let pattern = &taps["blocks.3.attn.pattern"];
    for at in 0..2 * 6 * 6 {
        let (head, query, key) = (at / 36, at / 6 % 6, at % 6);
        let a = pattern.at(&[head, query, key]);
        assert!(if key > query { a == 0.0 } else { a > 0.0 }, "[{head}, {query}, {key}] is {a}");
    }
    let later = Tensor::from_fn(&[6, 8], |at| if at[0] < 4 { x.at(at) } else { -x.at(at) });
    let other = block(&mut cpu(), &later, 2, true, &weights);
    let name = "blocks.3.resid_post";
    let changed: Vec<bool> =
        (0..6).map(|pos| (0..8).any(|i| taps[name].at(&[pos, i]) != other[name].at(&[pos, i]))).collect();
    assert_eq!(changed, [false, false, false, false, true, true], "only what comes after a change changes");
    let free = block(&mut cpu(), &x, 2, false, &weights);
    assert!(free["blocks.3.attn.pattern"].data.iter().all(|a| *a > 0.0), "without a mask everything is seen");
}

#[test]
fn layers_equal_their_loops_on_the_gpu() {
    let mut gpu = Device::Gpu(block_on(Gpu::new()).unwrap());
    convolutions(&mut gpu, [2, 7, 5], [3, 5, 3, 2], 1);
    convolutions(&mut gpu, [1, 6, 9], [8, 4, 5, 1], 2);
    convolutions(&mut gpu, [3, 4, 4], [7, 9, 1, 1], 3);
    let (x, weights) = (random(&[2, 9, 12], 1), block_weights(12, 10, 7));
    for causal in [false, true] {
        let found = block(&mut gpu, &x, 3, causal, &weights);
        for (name, wanted) in block(&mut cpu(), &x, 3, causal, &weights) {
            let difference = found[&name].max_abs_diff(&wanted);
            // A few f32 products of a dozen terms below 4.
            assert!(difference <= 4e-5, "{name} differs by {difference}");
        }
    }
    let image = random(&[2, 6, 4, 3], 4);
    for f in [|x| nn::max_pool(x, 2, 2), |x| nn::avg_pool(x, 3, 1), |x| nn::gelu_tanh(nn::relu6(x))]
        as [for<'g> fn(Var<'g>) -> Var<'g>; 3]
    {
        let [found, wanted] = [&mut gpu, &mut cpu()].map(|it| compute(it, &[&image], |v| f(v[0])));
        close(&found, &wanted);
    }
}

#[test]
fn parameters_begin_with_the_variance_of_their_paper() {
    let variance = |it: &Tensor| it.data.iter().map(|x| f64::from(x * x)).sum::<f64>() / it.data.len() as f64;
    let mut random = Random::new(1);
    // 12,800 draws: the deviation of a normal's variance is 1.25 % of it, of a uniform's less; four of them.
    for (it, wanted) in [
        (init::normal(&[64, 200], 0.02, &mut random), 0.0004),
        (init::xavier_uniform(&[64, 200], 264, &mut random), 2.0 / 264.0),
        (init::he_normal(&[5, 5, 16, 32], &mut random), 2.0 / 400.0),
    ] {
        assert!((variance(&it) / wanted - 1.0).abs() < 0.05, "{} instead of {wanted}", variance(&it));
    }
}
