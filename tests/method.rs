//! Methods that explain, and what puts them to the test, against definitions written out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::models::{Cnn, Pixels, Vision, Vit, cnn, vit};
use vitrine::nn::{Activation, Params};
use vitrine::platform::block_on;
use vitrine::saliency::gradient::Walked;
use vitrine::saliency::masking::{STEPS, deletion, insertion, order};
use vitrine::saliency::meta::{rank_correlation, spearman};
use vitrine::saliency::method::{Look, Method};
use vitrine::saliency::normgrad::{Aggregate, of_layer};
use vitrine::saliency::pointing::quarters;
use vitrine::saliency::probe::{Wanted, probe};
use vitrine::tensor::Tensor;

/// Numbers from -1 to 1; with few `levels` many are equal.
fn random(shape: &[usize], seed: u64, levels: f64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| ((random.between(-1.0, 1.0) * levels).round() / levels + 0.0) as f32)
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

fn classes() -> Vec<String> {
    ["bag", "boot", "coat"].map(str::to_owned).to_vec()
}

fn convolutions() -> Cnn {
    let (widths, pixels) = (vec![4, 6], Pixels::signed(1));
    let config = cnn::Config { image: 8, channels: 1, widths, depth: 1, classes: classes(), pixels };
    let weights = config.untrained(3);
    Cnn::new(config, &weights).unwrap()
}

fn transformer(pool: vit::Pool) -> Vit {
    let config = vit::Config {
        image: 8,
        patch: 2,
        channels: 1,
        d_model: 8,
        layers: 2,
        heads: 2,
        d_mlp: 12,
        eps: 1e-5,
        activation: Activation::Gelu,
        pool,
        field: vit::Field::None,
        distilled: false,
        teacher: false,
        classes: classes(),
        pixels: Pixels::signed(1),
    };
    // A head of zeros, with which training begins, would have no gradient.
    let zeros = config.untrained(5);
    let tensors = zeros.names().map(|name| {
        let it = zeros.read(name).unwrap();
        let drawn = random(&it.shape, 7, 1e6);
        (name.to_owned(), if name == "head.weight" { drawn } else { it })
    });
    let weights = vitrine::weights::Weights::from_tensors(&tensors.collect());
    Vit::new(config, &weights).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn recorded_rank_correlation_is_spearmans(n in 2usize..40, seed: u64, levels in 1.0..50f64) {
        let (a, b) = (random(&[n], seed, levels), random(&[n], !seed, levels));
        let [rho] = run(|g| [rank_correlation(g.input(&a), g.input(&b))]);
        // The recorded one is 0 where a map is constant. 1e-5: f32 sums of 40 products of ranks.
        let wanted = spearman(&a.data, &b.data).unwrap_or(0.0) as f32;
        prop_assert!((rho.data[0] - wanted).abs() < 1e-5, "{} is not {wanted}", rho.data[0]);
    }

    #[test]
    fn the_order_is_that_of_a_stable_sort(h in 1usize..7, w in 1usize..7, seed: u64, levels in 1.0..9f64) {
        let map = random(&[h, w], seed, levels);
        let [ranks] = run(|g| [order(g.input(&map))]);
        let mut wanted: Vec<usize> = (0..h * w).collect();
        wanted.sort_by(|a, b| map.data[*b].total_cmp(&map.data[*a]));
        for (rank, place) in wanted.into_iter().enumerate() {
            prop_assert_eq!(ranks.data[place], rank as f32);
        }
    }

    #[test]
    fn pointing_looks_for_the_largest_value(h in 1usize..5, w in 1usize..5, seed: u64, levels in 1.0..9f64) {
        let maps = random(&[3, 2 * h, 2 * w], seed, levels);
        let asked = [0, 3, 2];
        let [hits] = run(|g| [quarters(g.input(&maps), &asked)]);
        for (i, map) in maps.data.chunks(4 * h * w).enumerate() {
            let most = map.iter().copied().fold(f32::MIN, f32::max);
            let quarter = |place: usize| place / (2 * w) / h * 2 + place % (2 * w) / w;
            let mut best: Vec<usize> = (0..map.len()).filter(|it| map[*it] == most).map(quarter).collect();
            best.sort_unstable();
            best.dedup();
            let wanted = if best.contains(&asked[i]) { 1.0 / best.len() as f32 } else { 0.0 };
            prop_assert_eq!(hits.data[i], wanted);
        }
    }
}

#[test]
fn a_layers_own_contribution_is_that_of_its_weights() {
    // y = x W for 5 places: dz/dW = sum of x_u^T g_u, so the norm of a place is that of its outer product.
    let (x, g) = (random(&[5, 3], 1, 1e6), random(&[5, 4], 2, 1e6));
    let [map] = run(|graph| [of_layer(graph.input(&x), graph.input(&g), Aggregate::Norm)]);
    for place in 0..5 {
        let entries = (0..12).map(|i| f64::from(x.at(&[place, i / 4]) * g.at(&[place, i % 4])));
        let norm = entries.map(|it| it * it).sum::<f64>().sqrt();
        assert!((f64::from(map.data[place]) - norm).abs() < 1e-6, "f32 sums of seven squares");
    }
}

#[test]
fn masking_begins_and_ends_with_the_picture_and_with_black() {
    let model = convolutions();
    let model: &dyn Vision = &model;
    let (image, map) = (random(&[8, 8, 1], 1, 1e6), random(&[4, 4], 2, 1e6));
    let black = model.preprocessing().tensor(&[0; 64], 8);
    let [del, ins, whole, none] = run(|g| {
        let p = Params::new(g, model.weights());
        let x = g.input(&image);
        let logits = model.record(x, &p);
        let one_hot = Wanted::Class(1).one_hot(logits);
        let far = g.scope("black", || model.record(g.input(&black), &p));
        let map = g.input(&map);
        [deletion(model, &p, x, map, one_hot), insertion(model, &p, x, map, one_hot), logits, far]
    });
    let close = |a: f32, b: f32| {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}: f32 sums of a batch in another order");
    };
    close(del.data[0], whole.data[1]);
    close(ins.data[STEPS], whole.data[1]);
    close(del.data[STEPS], none.data[1]);
    close(ins.data[0], none.data[1]);
    assert!(del.data.windows(2).any(|it| it[0] != it[1]), "masking changes something");
}

#[test]
fn every_method_draws_a_map_of_every_model_that_has_what_it_needs() {
    let (cnn, token, mean) = (convolutions(), transformer(vit::Pool::Token), transformer(vit::Pool::Mean));
    let image = random(&[8, 8, 1], 4, 1e6);
    for model in [&cnn as &dyn Vision, &token, &mean] {
        for method in Method::ALL {
            let g = Graph::default();
            let p = Params::new(&g, model.weights());
            let probe = probe(model, g.input(&image), &p, |logits| Wanted::Likeliest.one_hot(logits));
            let look = Look { layer: 0, path: Walked::nothing(probe.image.0) };
            let Some(map) = method.map(model, &p, &probe, look) else {
                assert!(method.attends() && model.patterns().is_empty(), "{}", method.name());
                continue;
            };
            map.keep("map");
            let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
            let map = block_on(trace.get("map").unwrap().read()).unwrap();
            let side = if method.has_layer() || method.attends() {
                if model.patterns().is_empty() { 8 } else { 4 }
            } else {
                8
            };
            assert_eq!(map.shape, [side, side], "{}", method.name());
            assert!(map.data.iter().all(|it| it.is_finite()), "{}", method.name());
            let some = map.data.iter().any(|it| *it != 0.0) || method == Method::GradCam;
            assert!(some, "{} of {} layers says nothing", method.name(), model.layers().len());
        }
    }
}

#[test]
fn a_batch_has_each_pictures_own_gradient() {
    let model = convolutions();
    let model: &dyn Vision = &model;
    let images = random(&[3, 8, 8, 1], 6, 1e6);
    let [all, one] = run(|g| {
        let p = Params::new(g, model.weights());
        let each = probe(model, g.input(&images), &p, |z| Wanted::Each(vec![2, 0, 1]).one_hot(z));
        let second = Tensor::new(&[8, 8, 1], images.data[64..128].to_vec());
        let alone = g.scope("alone", || probe(model, g.input(&second), &p, |z| Wanted::Class(0).one_hot(z)));
        [each.image.1, alone.image.1]
    });
    let difference = all.data[64..128].iter().zip(&*one.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-6, "f32 sums in another order: {difference}");
}
