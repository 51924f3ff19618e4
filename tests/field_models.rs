//! `ViT`s whose attention a field bends, and `RetNet`: against numpy, on both devices, against differences in f64, and against
//! what their equations imply.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests read checkpoints")]
mod golden;
mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;

use golden::{close, cpu, gpu, part, run};
use safetensors::SafeTensors;
use vitrine::data::{Random, text::Vocabulary};
use vitrine::engine::Device;
use vitrine::graph::{Graph, Op, Recording, Var};
use vitrine::models::retnet;
use vitrine::models::vit::{self, Field};
use vitrine::models::{AnyConfig, AnyModel, Retnet, Vit};
use vitrine::nn::{Params, loss::total};
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// A few f32 products of some dozen terms.
const F32: f32 = 1e-5;

const BENT: [&str; 4] = ["gaussian", "elementwise", "manhattan", "manhattan-decomposed"];

/// What numpy computed of a case: its config, its weights, what went in and what came out.
struct Case {
    config: String,
    weights: Weights,
    given: Tensor,
    out: BTreeMap<String, Tensor>,
}

fn case(name: &str) -> Case {
    let bytes = golden::read("field_models.safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let config = header.metadata().clone().unwrap()[name].clone();
    let file = Weights::parse(bytes).unwrap();
    let below = |prefix: &str| -> BTreeMap<String, Tensor> {
        let prefix = format!("{name}/{prefix}/");
        let names =
            file.names().filter_map(|it| Some((it.strip_prefix(&prefix)?.to_owned(), file.read(it)?)));
        names.collect()
    };
    let given = file.read(&format!("{name}/in")).unwrap();
    Case { config, weights: Weights::from_tensors(&below("weights")), given, out: below("out") }
}

fn bent(case: &Case) -> Vit {
    Vit::new(vit::Config::parse(case.config.as_bytes()).unwrap(), &case.weights).unwrap()
}

fn retentive(case: &Case) -> retnet::Config {
    retnet::Config::parse(case.config.as_bytes()).unwrap()
}

/// Two inputs together: what was given, and the same in another order.
fn two(x: &Tensor) -> Tensor {
    let mut reversed = x.data.to_vec();
    reversed.reverse();
    Tensor::new(&[&[2], &x.shape[..]].concat(), [&x.data[..], &reversed].concat())
}

/// Every tap of the model of `case` on `given`.
fn taps(device: &mut Device, name: &str, case: &Case, given: &Tensor) -> BTreeMap<String, Tensor> {
    let g = Graph::new(&["*"], &[]);
    let weights = Arc::new(Weights::from_tensors(
        &case.weights.names().map(|it| (it.to_owned(), case.weights.read(it).unwrap())).collect(),
    ));
    if name == "retnet" {
        retnet::record(&retentive(case), g.input(given), &Params::new(&g, &weights));
    } else {
        bent(case).record(&g, g.input(given));
    }
    run(device, g)
}

#[test]
fn they_equal_numpy_alone_and_in_a_batch_on_both_devices() {
    for name in BENT.into_iter().chain(["retnet"]) {
        let case = case(name);
        for mut device in [cpu(), gpu()] {
            let alone = taps(&mut device, name, &case, &case.given);
            let both = taps(&mut device, name, &case, &two(&case.given));
            for (tap, wanted) in &case.out {
                close(&format!("{name} {tap}"), &alone[tap], wanted, F32);
                let first = if tap.ends_with("mask") { both[tap].clone() } else { part(&both[tap], 0) };
                close(&format!("{name} {tap} of a batch"), &first, wanted, F32);
            }
        }
    }
}

#[test]
fn taps_are_named_as_elsewhere_and_so_are_fields() {
    let of = |name: &str| taps(&mut cpu(), name, &case(name), &case(name).given);
    let axes = |name: &str, l: usize| {
        let case = case(name);
        let g = Graph::default();
        bent(&case).record(&g, g.input(&case.given));
        let taps = g.finish().taps;
        let tap = taps.iter().find(|it| it.name == format!("blocks.{l}.attn.mask"));
        tap.map(|it| it.axes.clone())
    };
    assert_eq!(axes("gaussian", 1).as_deref(), Some("head query key"));
    assert_eq!(axes("elementwise", 0).as_deref(), Some("query key"));
    assert_eq!(axes("manhattan", 0).as_deref(), Some("head query key"));
    let decomposed = of("manhattan-decomposed");
    assert_eq!(decomposed["blocks.0.attn.rows.pattern"].shape, [3, 4, 4, 4]);
    assert_eq!(decomposed["blocks.1.attn.columns.scores"].shape, [3, 4, 4, 4]);
    assert_eq!(decomposed["blocks.1.attn.z"].shape, [3, 16, 4]);
    let retnet = of("retnet");
    for (tap, shape) in
        [("mask", [2, 11, 11]), ("pattern", [2, 11, 11]), ("q", [2, 11, 8]), ("v", [2, 11, 6])]
    {
        assert_eq!(retnet[&format!("blocks.1.attn.{tap}")].shape, shape, "{tap}");
    }
}

#[test]
fn configs_survive_their_json() {
    for name in BENT {
        let config = bent(&case(name)).config;
        assert_eq!(vit::Config::parse(config.to_json().to_string().as_bytes()).unwrap(), config);
        assert!(AnyConfig::parse(config.to_json().to_string().as_bytes()).is_ok(), "by its model_type");
    }
    let config = retentive(&case("retnet"));
    assert_eq!(retnet::Config::parse(config.to_json().to_string().as_bytes()).unwrap(), config);
    let refused = |text: &str, from: &str, to: &str| {
        let fault = AnyConfig::parse(text.replace(from, to).as_bytes()).err().unwrap();
        fault.to_string()
    };
    let text = case("gaussian").config;
    assert!(refused(&text, "\"avg\"", "\"token\"").contains("needs avg"));
    assert!(refused(&text, "\"gaussian\"", "\"axial\"").contains("elementwise"));
    assert!(
        refused(&text, "\"attention_components\": 3", "\"x\": 3").contains("attention_components is missing")
    );
    let text = case("retnet").config;
    assert!(
        refused(&text, "\"num_attention_heads\": 2", "\"num_attention_heads\": 3").contains("hidden_size 16")
    );
}

/// Weights of `case` with some put in their place.
fn with(case: &Case, own: impl Fn(&str, &Tensor) -> Option<Tensor>) -> Weights {
    let tensors = case.weights.names().map(|name| {
        let it = case.weights.read(name).unwrap();
        (name.to_owned(), own(name, &it).unwrap_or(it))
    });
    Weights::from_tensors(&tensors.collect())
}

fn filled(it: &Tensor, value: f32) -> Tensor {
    Tensor::new(&it.shape, vec![value; it.data.len()])
}

#[test]
fn a_field_of_ones_is_plain_attention_and_one_of_zeros_uniform() {
    let gaussian = case("gaussian");
    let flat = with(&gaussian, |name, it| match name {
        _ if name.ends_with("alpha") => Some(filled(it, 1.0 / 3.0)),
        _ if name.ends_with("sigma") => Some(filled(it, 1e5)),
        _ => None,
    });
    let config = bent(&gaussian).config;
    let plain = Vit::new(vit::Config { field: Field::None, ..config.clone() }, &flat).unwrap();
    let flat = Vit::new(config, &flat).unwrap();
    let logits = |vit: &Vit| {
        let g = Graph::default();
        vit.record(&g, g.input(&gaussian.given)).logits.keep("logits");
        run(&mut cpu(), g).remove("logits").unwrap()
    };
    close("logits", &logits(&flat), &logits(&plain), F32);

    let elementwise = case("elementwise");
    let zeros = with(&elementwise, |name, it| name.ends_with("mask").then(|| filled(it, 0.0)));
    let zeros = Case { weights: zeros, ..case("elementwise") };
    let pattern = taps(&mut cpu(), "elementwise", &zeros, &elementwise.given);
    let uniform = pattern["blocks.0.attn.pattern"].data.iter().all(|it| *it == 1.0 / 16.0);
    assert!(uniform, "1/16 of every patch, bit for bit");
}

/// What is learnt in a field begins as in the authors' code; whatever the field, all other weights begin the same.
#[test]
fn fields_begin_as_their_authors_have_it() {
    let config = vit::Config {
        heads: 2,
        field: Field::Gaussian { components: 400 },
        ..bent(&case("gaussian")).config
    };
    let weights = config.untrained(3);
    for (name, mean, deviation) in [("alpha", 0.0, 2.0), ("sigma", 10.0, 10.0)] {
        let it = weights.read(&format!("blocks.1.attn.{name}")).unwrap();
        let n = it.data.len() as f64;
        let found = it.data.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let spread = it.data.iter().map(|x| (f64::from(*x) - found).powi(2)).sum::<f64>() / n;
        // 800 draws: four standard errors of a mean, 4 / sqrt 800, and of a variance, 4 sqrt(2 / 800).
        assert!((found - mean).abs() < 0.15 * deviation, "{name}: mean {found}");
        assert!((spread / (deviation * deviation) - 1.0).abs() < 0.2, "{name}: variance {spread}");
    }
    let plain = vit::Config { field: Field::None, ..config }.untrained(3);
    for name in plain.names() {
        assert_eq!(plain.read(name), weights.read(name), "{name}");
    }
}

/// Changing a symbol leaves everything before it as it was, bit for bit, on both devices.
#[test]
fn retention_never_looks_ahead() {
    let case = case("retnet");
    let n = case.given.data.len();
    let changed = Tensor::from_fn(&[n], |at| {
        let id = case.given.data[at[0]];
        if at[0] == 6 { (id + 1.0) % 9.0 } else { id }
    });
    for mut device in [cpu(), gpu()] {
        let [a, b] =
            [&case.given, &changed].map(|it| taps(&mut device, "retnet", &case, it)["logits"].clone());
        for pos in 0..n {
            assert_eq!(part(&a, pos) == part(&b, pos), pos < 6, "position {pos}");
        }
    }
}

/// Half the distance of a central difference: its error is about its square, and rounding 1e-16 over it.
const H: f64 = 1e-6;

fn drawn(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

/// A number that depends on all logits, and its gradients with respect to all weights.
fn differentiated(name: &str, case: &Case, weights: &Arc<Weights>) -> Recording {
    let g = Graph::default();
    let p = Params::new(&g, weights);
    let logits = if name == "retnet" {
        retnet::record(&retentive(case), g.input(&case.given), &p).logits
    } else {
        vit::record(&bent(case).config, g.input(&case.given), &p).logits
    };
    let z = total(logits * g.input(&drawn(&logits.shape(), 5))).keep("z");
    let leaves: Vec<Var<'_>> = weights.names().map(|it| g.weight(weights, it)).collect();
    for (dw, name) in g.grad(z, &leaves).into_iter().zip(weights.names()) {
        dw.keep(&format!("grad of {name}"));
    }
    drop(leaves);
    g.finish()
}

#[test]
fn derivatives_are_those_of_differences_in_f64() {
    for name in BENT.into_iter().chain(["retnet"]) {
        let case = case(name);
        let weights = Arc::new(with(&case, |_, _| None));
        let recording = differentiated(name, &case, &weights);
        let values: BTreeMap<String, reference::Array> = reference::run(&recording).into_iter().collect();
        let found = run_on_cpu(&recording);
        for leaf in weights.names() {
            let (value, grad) = (weights.read(leaf).unwrap(), &values[&format!("grad of {leaf}")].1);
            let direction = drawn(&value.shape, 7);
            let z = |h: f64| {
                let moved =
                    value.data.iter().zip(&*direction.data).map(|(x, v)| f64::from(*x) + h * f64::from(*v));
                let moved: Vec<f64> = moved.collect();
                let at =
                    |op: &Op| matches!(op, Op::Weight { name, .. } if name == leaf).then(|| moved.clone());
                let values = reference::run_at(&recording, &at);
                values.into_iter().find(|it| it.0 == "z").unwrap().1.1[0]
            };
            let difference = (z(H) - z(-H)) / (2.0 * H);
            let terms = || grad.iter().zip(&*direction.data).map(|(g, v)| g * f64::from(*v));
            let (dot, scale) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
            // Differences are good to 1e-8 or so of numbers near 1; the third derivative of a small norm is larger.
            assert!(
                (dot - difference).abs() <= 1e-6 * scale.max(1.0),
                "{name} {leaf}: {dot}, not {difference}"
            );
            let most = grad.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
            let found = &found[&format!("grad of {leaf}")];
            for (f, w) in found.data.iter().zip(grad) {
                assert!((f64::from(*f) - w).abs() <= 1e-4 * most, "{name} {leaf}: {f} on the CPU, not {w}");
            }
        }
    }
}

fn run_on_cpu(recording: &Recording) -> BTreeMap<String, Tensor> {
    let mut device = vitrine::engine::cpu::Cpu::new();
    let cancel = vitrine::engine::Cancel::default();
    let trace = vitrine::platform::block_on(device.run(recording, &cancel)).unwrap();
    let read = |(name, it): (&String, &vitrine::trace::Kept)| {
        (name.clone(), vitrine::platform::block_on(it.read()).unwrap())
    };
    trace.tensors.iter().map(read).collect()
}

/// A RetNet of characters is a checkpoint like any other.
#[test]
fn a_retnet_loads_with_its_characters() {
    let vocabulary = Vocabulary::of("abcdefgh ");
    let tokenizer = vocabulary.tokenizer().to_string().into_bytes();
    let config = retnet::Config { vocabulary: vocabulary.len(), ..retentive(&case("retnet")) };
    let trained = safetensors_of(&config.untrained(1));
    let load = |tokenizer: Option<&[u8]>| {
        AnyConfig::parse(config.to_json().to_string().as_bytes()).unwrap().load(tokenizer, trained.clone())
    };
    let model: AnyModel = load(Some(&tokenizer)).unwrap();
    let retnet: &Retnet = model.get().unwrap();
    let g = Graph::new(&["logits"], &[]);
    let ids = retnet.tokenizer.encode("a bad cab").ids.clone();
    retnet.record(&g, &ids);
    assert_eq!(run(&mut cpu(), g)["logits"].shape, [9, 7]);
    assert!(load(None).err().unwrap().to_string().contains("tokenizer.json is missing"));
}

fn safetensors_of(weights: &Weights) -> Vec<u8> {
    let tensors: Vec<(String, Tensor)> =
        weights.names().map(|it| (it.to_owned(), weights.read(it).unwrap())).collect();
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, it)| it.data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, it), bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, it.shape.clone(), bytes);
        (name.as_str(), view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
