//! Saliency against its definitions: contributions made and added up, derivatives of layers really inserted, closed forms.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::models::{Pixels, cnn};
use vitrine::nn::{Params, conv2d, loss::cross_entropy, pad_same};
use vitrine::platform::block_on;
use vitrine::saliency::combine::{Combination, combined, normalised, resized};
use vitrine::saliency::gradient::{Walked, grad_cam, gradient, linear_approximation};
use vitrine::saliency::meta::{inner_step, spearman};
use vitrine::saliency::normgrad::{Aggregate, Identity, normgrad, remainder, unfold};
use vitrine::saliency::relevance::{attention_gradient, relevance};
use vitrine::tensor::Tensor;

/// Numbers from -1 to 1, so that sums of some hundred products keep six digits.
fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

/// What `f` records.
fn run<const N: usize>(f: impl for<'g> FnOnce(&'g Graph) -> [Var<'g>; N]) -> [Tensor; N] {
    let g = Graph::default();
    for (i, it) in f(&g).into_iter().enumerate() {
        it.keep(&i.to_string());
    }
    let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
    std::array::from_fn(|i| block_on(trace.get(&i.to_string()).unwrap().read()).unwrap())
}

fn map(x: &Tensor, g: &Tensor, identity: Identity, aggregate: Aggregate) -> Tensor {
    run(|graph| [normgrad(graph.input(x), graph.input(g), identity, aggregate)])[0].clone()
}

const IDENTITIES: [Identity; 5] =
    [Identity::Bias, Identity::Scaling, Identity::Conv1x1, Identity::Conv3x3, Identity::Depthwise3x3];
const AGGREGATES: [Aggregate; 4] = [Aggregate::Norm, Aggregate::Selective, Aggregate::Sum, Aggregate::Max];

/// Every entry of the contribution at a place, made one by one.
fn contribution(x: &Tensor, g: &Tensor, identity: Identity, row: usize, col: usize) -> Vec<f64> {
    let [h, w, c] = x.shape[..] else { panic!("an activation has rows, columns and channels") };
    let at = |t: &Tensor, row: i64, col: i64, c: usize| {
        let inside = (0..h as i64).contains(&row) && (0..w as i64).contains(&col);
        if inside { f64::from(t.at(&[row as usize, col as usize, c])) } else { 0.0 }
    };
    let (i, j) = (row as i64, col as i64);
    let near: Vec<(i64, i64)> = (-1..2).flat_map(|a| (-1..2).map(move |b| (i + a, j + b))).collect();
    let g: Vec<f64> = (0..c).map(|k| at(g, i, j, k)).collect();
    let x = |(row, col): (i64, i64), k| at(x, row, col, k);
    let channels = 0..c;
    match identity {
        Identity::Bias => g,
        Identity::Scaling => channels.map(|k| x((i, j), k) * g[k]).collect(),
        Identity::Conv1x1 => {
            channels.flat_map(|k| g.iter().map(move |g| (k, g))).map(|(k, g)| x((i, j), k) * g).collect()
        }
        Identity::Conv3x3 => {
            let read: Vec<f64> = near.iter().flat_map(|it| (0..c).map(|k| x(*it, k))).collect();
            read.iter().flat_map(|x| g.iter().map(move |g| x * g)).collect()
        }
        Identity::Depthwise3x3 => {
            near.iter().flat_map(|it| (0..c).map(|k| x(*it, k) * g[k]).collect::<Vec<_>>()).collect()
        }
    }
}

fn aggregated(entries: &[f64], aggregate: Aggregate) -> f64 {
    let squares = |f: fn(f64) -> f64| entries.iter().map(|x| f(*x) * f(*x)).sum::<f64>().sqrt();
    match aggregate {
        Aggregate::Norm => squares(|x| x),
        Aggregate::Selective => squares(|x| x.max(0.0)),
        Aggregate::Sum => entries.iter().sum(),
        Aggregate::Max => entries.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn maps_equal_their_definitions(h in 1_usize..5, w in 1_usize..6, c in 1_usize..5, seed in 0_u64..1000) {
        let (x, g) = (random(&[h, w, c], seed), random(&[h, w, c], seed + 1));
        for identity in IDENTITIES {
            for aggregate in AGGREGATES {
                let map = map(&x, &g, identity, aggregate);
                for row in 0..h {
                    for col in 0..w {
                        let expected = aggregated(&contribution(&x, &g, identity, row, col), aggregate);
                        let got = f64::from(map.at(&[row, col]));
                        // f32 sums of at most 9 * 4 * 4 products below 1.
                        prop_assert!((got - expected).abs() < 1e-5, "{identity:?} {aggregate:?}: {got}, not {expected}");
                    }
                }
            }
        }
    }

    /// What is left of sums, of the sums of magnitudes: by the entries themselves, and for gradients without a mean nothing.
    #[test]
    fn remainders_equal_their_definition(h in 1_usize..4, w in 1_usize..4, c in 2_usize..6, seed in 0_u64..1000) {
        let (x, g) = (random(&[h, w, c], seed), random(&[h, w, c], seed + 1));
        let centred = Tensor::from_fn(&[h, w, c], |at| {
            g.at(at) - (0..c).map(|k| g.at(&[at[0], at[1], k])).sum::<f32>() / c as f32
        });
        for identity in IDENTITIES {
            let places = || (0..h * w).map(|it| contribution(&x, &g, identity, it / w, it % w));
            let most = |f: fn(f64) -> f64| {
                places().map(|it| it.into_iter().map(f).sum::<f64>().abs()).fold(0.0, f64::max)
            };
            let [left, none] = run(|graph| {
                let (x, g, centred) = (graph.input(&x), graph.input(&g), graph.input(&centred));
                [remainder(x, g, identity), remainder(x, centred, identity)]
            });
            let expected = most(|it| it) / most(f64::abs);
            // f32 sums of at most 9 * 5 * 5 products below 1.
            prop_assert!((f64::from(left.data[0]) - expected).abs() < 1e-5, "{identity:?}: {left:?}, not {expected}");
            if matches!(identity, Identity::Bias | Identity::Conv1x1 | Identity::Conv3x3) {
                prop_assert!(none.data[0] < 1e-6, "{identity:?}: {none:?} is more than rounding");
            }
        }
    }

    /// Selective <= |x o g| <= |x| |g|, place by place, and with one channel scaling is the 1 x 1 convolution.
    #[test]
    fn maps_are_ordered(n in 1_usize..20, c in 1_usize..9, seed in 0_u64..1000) {
        let (x, g) = (random(&[n, c], seed), random(&[n, c], seed + 1));
        let of = |identity, aggregate| map(&x, &g, identity, aggregate);
        let (selective, scaling) = (of(Identity::Scaling, Aggregate::Selective), of(Identity::Scaling, Aggregate::Norm));
        let outer = of(Identity::Conv1x1, Aggregate::Norm);
        for i in 0..n {
            prop_assert!(selective.data[i] <= scaling.data[i] * 1.000_001);
            prop_assert!(scaling.data[i] <= outer.data[i] * 1.000_001);
        }
        if c == 1 {
            prop_assert!(scaling.max_abs_diff(&outer) < 1e-6);
        }
    }

    #[test]
    fn a_longer_gradient_scales_the_map(k in -4.0_f32..4.0, seed in 0_u64..100) {
        let (x, g) = (random(&[6, 3], seed), random(&[6, 3], seed + 1));
        let longer = Tensor::new(&g.shape, g.data.iter().map(|it| k * it).collect::<Vec<_>>());
        let [plain, scaled] = [&g, &longer].map(|g| map(&x, g, Identity::Conv1x1, Aggregate::Norm));
        for (plain, scaled) in plain.data.iter().zip(&scaled.data[..]) {
            prop_assert!((k.abs() * plain - scaled).abs() < 1e-5);
        }
    }
}

/// x = (3, -4), g = (1, 2): numbers worked out by hand.
#[test]
fn a_place_worked_out_by_hand() {
    let (x, g) = (Tensor::new(&[1, 2], [3.0, -4.0]), Tensor::new(&[1, 2], [1.0, 2.0]));
    for (identity, aggregate, expected) in [
        (Identity::Conv1x1, Aggregate::Norm, 11.18034),
        (Identity::Scaling, Aggregate::Norm, 8.544),
        (Identity::Scaling, Aggregate::Sum, -5.0),
        (Identity::Scaling, Aggregate::Selective, 3.0),
        (Identity::Conv1x1, Aggregate::Selective, 6.7082),
        (Identity::Conv1x1, Aggregate::Max, 6.0),
    ] {
        let got = map(&x, &g, identity, aggregate).data[0];
        assert!((got - expected).abs() < 1e-4, "{identity:?} {aggregate:?}: {got}, not {expected}");
    }
}

/// Some number that every element of `y` changes.
fn number(y: Var<'_>) -> Var<'_> {
    let n = y.shape().iter().product();
    ((y * 1.3).tanh() * y).reshape(&[n]).sum(0).reshape(&[])
}

/// Layers that are really there: the sum of contributions is the gradient of their weights.
#[test]
fn contributions_add_up_to_the_gradient_of_an_inserted_layer() {
    let (h, w, c) = (4, 5, 3);
    let x = random(&[h, w, c], 1);
    let identity = Tensor::from_fn(&[c, c], |at| f32::from(u8::from(at[0] == at[1])));
    let kernel =
        Tensor::from_fn(&[3, 3, c, c], |at| f32::from(u8::from(at[..2] == [1, 1] && at[2] == at[3])));
    let [by_1x1, of_1x1, by_3x3, of_3x3, by_scale, of_scale] = run(|graph| {
        let x = graph.input(&x);
        let g = {
            let y = x + 0.0;
            graph.grad(number(y), &[y])[0]
        };
        let (rows, gradients) = (x.reshape(&[h * w, c]), g.reshape(&[h * w, c]));
        let layer = graph.input(&identity);
        let by_1x1 = graph.grad(number(x.matmul(layer)), &[layer])[0];
        let kernel = graph.input(&kernel);
        let none = graph.constant(0.0).broadcast(&[c]);
        let by_3x3 = graph.grad(number(conv2d(pad_same(x, 3, 1), kernel, none, 1)), &[kernel])[0];
        let near = unfold(x).permute(&[3, 4, 2, 0, 1]).reshape(&[9 * c, h * w]); // [3 3 c, places]
        let gain = graph.constant(1.0).broadcast(&[c]) + graph.constant(0.0);
        let by_scale = graph.grad(number(x * gain), &[gain])[0];
        let of_scale = (rows * gradients).sum(0).reshape(&[c]);
        [
            by_1x1,
            rows.t().matmul(gradients),
            by_3x3.reshape(&[9 * c, c]),
            near.matmul(gradients),
            by_scale,
            of_scale,
        ]
    });
    // 20 places, f32, in another order.
    assert!(by_1x1.max_abs_diff(&of_1x1) < 1e-5);
    assert!(by_3x3.max_abs_diff(&of_3x3) < 1e-5);
    assert!(by_scale.max_abs_diff(&of_scale) < 1e-5);
}

fn network() -> (cnn::Config, std::sync::Arc<vitrine::weights::Weights>) {
    let classes = ["one", "other", "third"].map(str::to_owned).to_vec();
    let config = cnn::Config {
        image: 8,
        channels: 1,
        widths: vec![4, 6],
        depth: 1,
        classes,
        pixels: Pixels::signed(1),
    };
    let weights = config.untrained(3);
    (config, weights.into())
}

/// The parts of an integrated gradient sum to the difference of the answers.
#[test]
fn integrated_gradients_are_complete() {
    let (config, weights) = network();
    let image = random(&[8, 8, 1], 5);
    let [parts, at_image, at_nothing] = run(|graph| {
        let p = Params::new(graph, &weights);
        let answer = |images| cnn::record(&config, images, &p).slice(-1, 1, 1);
        let x = graph.input(&image);
        let nothing = graph.constant(0.0).broadcast(&[8, 8, 1]);
        let all = |images| {
            let z = answer(images);
            z.flat().sum(0).reshape(&[])
        };
        let path = (0..4).fold(Walked::nothing(x), |path, _| path.on(x, nothing, all));
        [path.integrated(x, nothing), answer(x), answer(nothing)]
    });
    let sum: f32 = parts.data.iter().sum();
    let difference = at_image.data[0] - at_nothing.data[0];
    // The midpoint rule with 64 steps on a path with kinks.
    assert!((sum - difference).abs() < 0.02 * difference.abs() + 1e-3, "{sum}, not {difference}");
}

/// Where a mean over all places follows, the gradient is the same everywhere, and Grad-CAM is the linear approximation.
#[test]
fn grad_cam_before_pooling_is_the_linear_approximation() {
    let (x, weights) = (random(&[3, 4, 5], 1), random(&[5], 2));
    let [cam, linear, plain] = run(|graph| {
        let (x, weights) = (graph.input(&x), graph.input(&weights));
        let pooled = x.reshape(&[12, 5]).mean(0).reshape(&[5]);
        let g = graph.grad((pooled * weights).sum(0).reshape(&[]), &[x])[0];
        [grad_cam(x, g), linear_approximation(x, g), gradient(g)]
    });
    let positive: Vec<f32> = linear.data.iter().map(|it| it.max(0.0)).collect();
    assert!(cam.max_abs_diff(&Tensor::new(&[3, 4], positive)) < 1e-6);
    assert!(plain.data.iter().all(|it| (it - plain.data[0]).abs() < 1e-7), "the gradient says nothing there");
}

#[test]
fn attention_that_no_answer_depends_on_moves_nothing() {
    let pattern = Tensor::from_fn(&[2, 4, 4], |_| 0.25);
    let [silent, one] = run(|graph| {
        let a = graph.input(&pattern);
        let nothing = graph.constant(0.0).broadcast(&[2, 4, 4]);
        let ones = graph.constant(1.0).broadcast(&[2, 4, 4]);
        [relevance(&[(a, nothing), (a, nothing)])[1], attention_gradient(a, ones)]
    });
    assert_eq!(silent, Tensor::from_fn(&[4, 4], |at| f32::from(u8::from(at[0] == at[1]))));
    assert!(
        one.data.iter().all(|it| (it - 0.25).abs() < 1e-7),
        "mean over heads of A where the gradient is 1"
    );
}

#[test]
fn one_layer_or_equal_layers_combine_to_themselves() {
    let layer = random(&[5, 5], 8);
    let flat = Tensor::new(&[2, 2], [3.0; 4]);
    let [alone, twice, mean, expected, constant] = run(|graph| {
        let it = graph.input(&layer);
        [
            combined(&[(it, 0.3)], Combination::GeometricMean),
            combined(&[(it, 0.3), (it, 2.0)], Combination::GeometricMean),
            combined(&[(it, 1.0), (it, 1.0)], Combination::Mean),
            normalised(it),
            normalised(graph.input(&flat)),
        ]
    });
    for it in [alone, twice, mean] {
        // The floor of 1e-6, and exp of log in f32.
        assert!(it.max_abs_diff(&expected) < 2e-6);
    }
    assert_eq!(constant.data[..], [0.0; 4], "a constant map is no reason for NaN");
}

/// As PyTorch's `interpolate(mode="bilinear", align_corners=False)` documents: (0, 1) becomes (0, 1/4, 3/4, 1).
#[test]
fn maps_are_resized_between_centres() {
    let small = Tensor::new(&[1, 2], [0.0, 1.0]);
    let [large] = run(|graph| [resized(graph.input(&small), [3, 4])]);
    assert_eq!(large, Tensor::from_fn(&[3, 4], |at| [0.0, 0.25, 0.75, 1.0][at[1]]));
}

/// A step of no length changes nothing, bit for bit; one of some length does, and the parameters stay.
#[test]
fn the_inner_step_leaves_the_parameters_alone() {
    let (config, weights) = network();
    let image = random(&[1, 8, 8, 1], 5);
    let saliency = |epsilon: Option<f32>| {
        let [map, parameter] = run(|graph| {
            let p: BTreeMap<String, Var<'_>> =
                weights.names().map(|it| (it.to_owned(), graph.weight(&weights, it))).collect();
            let x = graph.input(&image);
            let label = graph.input(&Tensor::new(&[1], [2.0]));
            let loss = cross_entropy(cnn::record(&config, x, &Params::recorded(graph, &p)), label);
            let stepped = epsilon.map_or_else(|| p.clone(), |epsilon| inner_step(&p, loss, epsilon));
            let logits = cnn::record(&config, x, &Params::recorded(graph, &stepped));
            let g = graph.grad(logits.slice(-1, 2, 1).reshape(&[]), &[x])[0];
            [normgrad(x, g, Identity::Conv1x1, Aggregate::Norm), p["head.weight"]]
        });
        assert_eq!(parameter, weights.read("head.weight").unwrap());
        map
    };
    let plain = saliency(None);
    assert_eq!(saliency(Some(0.0)), plain, "bit for bit");
    assert!(saliency(Some(0.1)).max_abs_diff(&plain) > 1e-4, "a real step shows");
}

#[test]
fn ranks_correlate() {
    assert_eq!(spearman(&[1.0, 5.0, 9.0], &[-1.0, 0.0, 100.0]), Some(1.0));
    assert_eq!(spearman(&[1.0, 5.0, 9.0], &[3.0, 2.0, 1.0]), Some(-1.0));
    assert_eq!(spearman(&[1.0, 1.0], &[3.0, 2.0]), None, "a constant map has no ranks");
    // Ranks (0, 1.5, 1.5, 3) and (0, 1, 2, 3): covariance 4.5, variances 4.5 and 5.
    let tied = spearman(&[1.0, 2.0, 2.0, 7.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert!((tied - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12, "{tied}");
}
