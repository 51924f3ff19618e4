//! Models of images: ViT and DeiT against Hugging Face's transformers, EfficientNet-Lite0 against PyTorch.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use golden::{checkpoint, close, cpu, gpu, part, run};
use vitrine::data::Random;
use vitrine::engine::{Device, plan::Plan};
use vitrine::graph::{Edit, Graph, How};
use vitrine::models::efficientnet::{self, EfficientNet};
use vitrine::models::vit::{self, Pool};
use vitrine::models::{AnyConfig, Cnn, Kind, Pixels, Sizes, Vit, Zoo, cnn};
use vitrine::nn::{Activation, init};
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// A few f32 products of some dozen terms.
const F32: f32 = 1e-5;

fn golden_vit(name: &str) -> Arc<Vit> {
    checkpoint(name, None).share().unwrap_or_else(|| panic!("{name} is a ViT"))
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

fn see(device: &mut Device, vit: &Vit, images: &Tensor, edits: &[Edit]) -> BTreeMap<String, Tensor> {
    let g = Graph::new(&["*"], edits);
    vit.record(&g, g.input(images));
    run(device, g)
}

/// A batch of two, and each of the two alone, at every hidden state and pattern that transformers gives.
#[track_caller]
fn equals_transformers(device: &mut Device, name: &str) {
    let (vit, wanted) = (golden_vit(name), golden::tensors(&format!("{name}/expected.safetensors")));
    let get = |name: &str| wanted.read(name).unwrap();
    let pairs = [
        ("hidden.0", "blocks.0.resid_pre"),
        ("hidden.1", "blocks.1.resid_pre"),
        ("hidden.2", "blocks.1.resid_post"),
        ("pattern.0", "blocks.0.attn.pattern"),
        ("pattern.1", "blocks.1.attn.pattern"),
        ("logits", "logits"),
    ];
    let batch = see(device, &vit, &get("images"), &[]);
    let alone = [0, 1].map(|i| see(device, &vit, &part(&get("images"), i), &[]));
    for (theirs, ours) in pairs {
        close(ours, &batch[ours], &get(theirs), F32);
        for (i, alone) in alone.iter().enumerate() {
            close(ours, &alone[ours], &part(&get(theirs), i), F32);
        }
    }
}

#[test]
fn vit_equals_transformers() {
    equals_transformers(&mut cpu(), "vit");
    equals_transformers(&mut gpu(), "vit");
}

#[test]
fn deit_with_its_teacher_equals_transformers() {
    assert!(golden_vit("deit").config.teacher, "two heads");
    equals_transformers(&mut cpu(), "deit");
    equals_transformers(&mut gpu(), "deit");
}

/// Without the second head the first alone reads out, as `DeiTForImageClassification` does.
#[test]
fn deit_without_its_teacher_reads_the_class_token() {
    let (file, whole) = (golden::tensors("deit/model.safetensors"), golden_vit("deit"));
    let rename = |name: &str| name.replace("cls_classifier", "classifier");
    let kept = file.names().filter(|it| !it.starts_with("distillation"));
    let tensors = kept.map(|name| (rename(name), file.read(name).unwrap())).collect();
    let config = vit::Config::parse(&golden::read("deit/config.json")).unwrap();
    let bare = Vit::new(config, &Weights::from_tensors(&tensors)).unwrap();
    assert!(!bare.config.teacher, "one head");
    let images = random(&[12, 12, 3], 1);
    let [bare, whole] = [&bare, &whole].map(|it| see(&mut cpu(), it, &images, &[]));
    close("pooled", &bare["pooled"], &whole["pooled"], 0.0);
    assert!(bare["logits"].max_abs_diff(&whole["logits"]) > 0.1, "the teacher's head counted");
}

/// timm's names and its `config.json`, made of Hugging Face's: three matrices become one.
#[test]
fn timms_checkpoints_load() {
    let vit = golden_vit("vit");
    let names: Vec<&str> = vit.weights.names().collect();
    for name in [
        "cls_token",
        "pos_embed",
        "patch_embed.proj.weight",
        "blocks.1.attn.qkv.bias",
        "norm.weight",
        "head.bias",
    ] {
        assert!(names.contains(&name), "{name} is timm's");
    }
    let again = Vit::new(vit.config.clone(), &vit.weights).unwrap();
    let images = random(&[2, 12, 12, 3], 1);
    let [a, b] = [&vit, &again].map(|it| see(&mut cpu(), it, &images, &[]));
    close("logits", &a["logits"], &b["logits"], 0.0);

    let config =
        br#"{"architecture": "deit_small_distilled_patch16_224", "num_classes": 1000, "global_pool": "token",
        "pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#;
    let it = vit::Config::parse(config).unwrap();
    assert_eq!((it.d_model, it.layers, it.heads, it.d_mlp, it.patch, it.image), (384, 12, 6, 1536, 16, 224));
    assert_eq!((it.special().len(), it.patches(), it.classes.len(), it.eps), (2, 196, 1000, 1e-6));
    assert_eq!(it.pixels.mean, [0.485, 0.456, 0.406]);
    // DeiT-S, table 1 of its paper: 22 million parameters.
    assert!((21.5e6..22.5e6).contains(&(it.memory() as f64 / 4.0)), "{} bytes", it.memory());
    let unknown = vit::Config::parse(br#"{"architecture": "swin_tiny_patch4_window7_224"}"#).unwrap_err();
    assert!(unknown.to_string().contains("vit_base_patch16_224"), "{unknown}");
}

#[test]
fn a_checkpoint_that_lacks_something_names_it() {
    let file = golden::tensors("vit/model.safetensors");
    let config = vit::Config::parse(&golden::read("vit/config.json")).unwrap();
    let name = "vit.encoder.layer.1.attention.attention.key.weight";
    let without = file.names().filter(|it| *it != name).map(|it| (it.to_owned(), file.read(it).unwrap()));
    let fault = Vit::new(config.clone(), &Weights::from_tensors(&without.collect())).err().unwrap();
    assert_eq!(fault.to_string(), format!("model.safetensors: tensor {name} is missing"));
    let wide = vit::Config { d_mlp: 48, ..config };
    let fault = Vit::new(wide, &file).err().unwrap().to_string();
    assert!(
        fault.contains("intermediate.dense.weight has shape [40, 24]; config.json asks for [48, 24]"),
        "{fault}"
    );
    for (field, words) in [
        (r#""hidden_act": "swish""#, "gelu_pytorch_tanh"),
        (r#""num_attention_heads": 5"#, "it must divide hidden_size 24"),
        (r#""patch_size": 5"#, "it must divide image_size 12"),
        (r#""qkv_bias": false"#, "only true is supported"),
        (r#""image_mean": [0.5]"#, "3 numbers are needed"),
    ] {
        let whole = String::from_utf8(golden::read("vit/config.json")).unwrap();
        let name = field.split('"').nth(1).unwrap();
        let lines = whole.lines().filter(|it| !it.trim_start().starts_with(&format!("\"{name}\"")));
        let spoilt = lines.collect::<Vec<_>>().join("\n").replacen('{', &format!("{{ {field}, "), 1);
        let fault = vit::Config::parse(spoilt.as_bytes()).unwrap_err().to_string();
        assert!(fault.contains(name) && fault.contains(words), "{fault}");
    }
}

/// The Fashion-MNIST shape: patches of 4 on 28 x 28.
fn small(pool: Pool) -> vit::Config {
    vit::Config {
        image: 28,
        patch: 4,
        channels: 1,
        d_model: 32,
        layers: 2,
        heads: 4,
        d_mlp: 64,
        eps: 1e-6,
        activation: Activation::Gelu,
        pool,
        field: vit::Field::None,
        distilled: false,
        teacher: false,
        classes: (0..10).map(|it| it.to_string()).collect(),
        pixels: Pixels::signed(1),
    }
}

fn untrained(pool: Pool, seed: u64) -> Vit {
    Vit::new(small(pool), &small(pool).untrained(seed)).unwrap()
}

#[test]
fn configs_survive_their_json() {
    for config in [small(Pool::Mean), vit::Config { distilled: true, ..small(Pool::Token) }] {
        assert_eq!(vit::Config::parse(config.to_json().to_string().as_bytes()).unwrap(), config);
    }
    let config = small_cnn();
    assert_eq!(cnn::Config::parse(config.to_json().to_string().as_bytes()).unwrap(), config);
}

#[test]
fn an_untrained_vit_knows_nothing_and_mean_pooling_is_a_mean() {
    let images = random(&[3, 28, 28, 1], 2);
    for (pool, pos) in [(Pool::Token, 50), (Pool::Mean, 49)] {
        let vit = untrained(pool, 7);
        let taps = see(&mut cpu(), &vit, &images, &[]);
        assert_eq!(taps["blocks.1.attn.pattern"].shape, [3, 4, pos, pos]);
        assert!(taps["logits"].data.iter().all(|it| *it == 0.0), "a head of zeros");
        assert_eq!(taps["logits"].shape, [3, 10]);
        let last = &taps["ln_final"];
        let pooled = Tensor::from_fn(&[3, 32], |at| match pool {
            Pool::Token => last.at(&[at[0], 0, at[1]]),
            Pool::Mean => (0..49).map(|i| last.at(&[at[0], i, at[1]])).sum::<f32>() / 49.0,
        });
        close("pooled", &taps["pooled"], &pooled, F32);
        let again = see(&mut cpu(), &untrained(pool, 7), &images, &[]);
        assert_eq!(again["pooled"], taps["pooled"], "the same seed, the same model");
        let other = see(&mut cpu(), &untrained(pool, 8), &images, &[]);
        assert_ne!(other["pooled"], taps["pooled"], "another seed, another model");
    }
}

/// An edit of one image of a batch leaves the others alone.
#[test]
fn a_head_can_be_switched_off_in_one_image_of_a_batch() {
    let (vit, images) = (golden_vit("vit"), random(&[2, 12, 12, 3], 3));
    let edit = |select: &[(&str, usize)]| Edit {
        at: "blocks.1.attn.z".to_owned(),
        select: select.iter().map(|(axis, i)| ((*axis).to_owned(), *i)).collect(),
        how: How::Zero,
    };
    let plain = see(&mut cpu(), &vit, &images, &[])["logits"].clone();
    let both = see(&mut cpu(), &vit, &images, &[edit(&[("head", 2)])])["logits"].clone();
    let second = see(&mut cpu(), &vit, &images, &[edit(&[("batch", 1), ("head", 2)])])["logits"].clone();
    close("first", &part(&second, 0), &part(&plain, 0), 0.0);
    close("second", &part(&second, 1), &part(&both, 1), 0.0);
    assert!(part(&plain, 1).max_abs_diff(&part(&second, 1)) > 1e-3, "the head mattered");
}

/// Without positions patches are a bag: exchanging two exchanges their tokens.
#[test]
fn order_comes_from_positions_alone() {
    let vit = golden_vit("vit");
    let tensors = vit.weights.names().map(|name| {
        let it = vit.weights.read(name).unwrap();
        (name.to_owned(), if name == "pos_embed" { init::constant(&it.shape, 0.0) } else { it })
    });
    let blind = Vit::new(vit.config.clone(), &Weights::from_tensors(&tensors.collect())).unwrap();
    let image = random(&[12, 12, 3], 4);
    // Patches 0 and 5 of 3 x 3 exchanged.
    let exchanged = Tensor::from_fn(&[12, 12, 3], |at| {
        let (row, col) = match (at[0] / 4, at[1] / 4) {
            (0, 0) => (at[0] + 4, at[1] + 8),
            (1, 2) => (at[0] - 4, at[1] - 8),
            _ => (at[0], at[1]),
        };
        image.at(&[row, col, at[2]])
    });
    let difference = |vit: &Vit| {
        let [a, b] = [&image, &exchanged].map(|it| see(&mut cpu(), vit, it, &[])["logits"].clone());
        a.max_abs_diff(&b)
    };
    assert!(difference(&blind) < 1e-5, "without positions: {}", difference(&blind));
    assert!(difference(&vit) > 1e-2, "with positions: {}", difference(&vit));
}

fn small_cnn() -> cnn::Config {
    cnn::Config {
        image: 14,
        channels: 1,
        widths: vec![4, 6],
        depth: 2,
        classes: (0..10).map(|it| it.to_string()).collect(),
        pixels: Pixels::signed(1),
    }
}

#[test]
fn the_cnn_is_its_equations() {
    let cnn = Cnn::new(small_cnn(), &small_cnn().untrained(3)).unwrap();
    let images = random(&[2, 14, 14, 1], 5);
    let record = |device: &mut Device, images: &Tensor| {
        let g = Graph::new(&["*"], &[]);
        cnn.record(&g, g.input(images));
        run(device, g)
    };
    let taps = record(&mut cpu(), &images);
    assert_eq!(taps["stages.0.1.post"].shape, [2, 14, 14, 4]);
    assert_eq!(taps["stages.1.0.pre"].shape, [2, 7, 7, 6], "half the places");
    for (pre, post) in taps["stages.1.1.pre"].data.iter().zip(taps["stages.1.1.post"].data.iter()) {
        assert_eq!(pre.max(0.0), *post);
    }
    // Read out by a mean over places and a product, in f64.
    let (last, head, bias) = (
        &taps["stages.1.1.post"],
        cnn.weights.read("head.weight").unwrap(),
        cnn.weights.read("head.bias").unwrap(),
    );
    let logits = Tensor::from_fn(&[2, 10], |at| {
        let mean =
            |c: usize| (0..49).map(|i| f64::from(last.at(&[at[0], i / 7, i % 7, c]))).sum::<f64>() / 49.0;
        let sum: f64 = (0..6).map(|c| mean(c) * f64::from(head.at(&[at[1], c]))).sum();
        (sum + f64::from(bias.data[at[1]])) as f32
    });
    close("logits", &taps["logits"], &logits, F32);
    close("alone", &record(&mut cpu(), &part(&images, 1))["logits"], &part(&logits, 1), F32);
    close("on the GPU", &record(&mut gpu(), &images)["logits"], &logits, F32);
}

/// The photograph of the golden, its pixels.
fn photograph() -> Vec<u8> {
    let decoder = png::Decoder::new(std::io::Cursor::new(golden::read("efficientnet.png")));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height, pixels.len()), (224, 224, 224 * 224 * 3));
    pixels
}

/// The real weights, which the repository does not hold.
fn lite0() -> EfficientNet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/efficientnet-lite0");
    let read = |file: &str| {
        let fault = |it| {
            panic!("{} is missing ({it}): run `./run test`, which fetches the weights", folder.display())
        };
        std::fs::read(folder.join(file)).unwrap_or_else(fault)
    };
    let config = efficientnet::Config::parse(&read("config.json")).unwrap();
    EfficientNet::new(config, &Weights::parse(read("model.safetensors")).unwrap()).unwrap()
}

#[test]
fn efficientnet_equals_pytorch_on_a_photograph() {
    let (net, wanted) = (lite0(), golden::tensors("efficientnet.safetensors"));
    let g = Graph::new(&["stem", "blocks.*.out", "head", "logits"], &[]);
    net.record(&g, g.input(&net.config.pixels.tensor(&photograph(), 224)));
    let taps = run(&mut cpu(), g);
    for name in wanted.names().filter(|it| !matches!(*it, "published" | "folded")) {
        let x = &taps[name];
        let [rows, cols, channels] = x.shape[..] else { panic!("{name} is a map") };
        let mean =
            |c: usize| (0..rows * cols).map(|i| f64::from(x.at(&[i / cols, i % cols, c]))).sum::<f64>();
        let mean = Tensor::from_fn(&[channels], |at| (mean(at[0]) / (rows * cols) as f64) as f32);
        close(name, &mean, &wanted.read(name).unwrap(), 2e-5);
    }
    let logits = &taps["logits"];
    // The same kernels: 49 layers of f32 sums in another order.
    close("logits of the same kernels", logits, &wanted.read("folded").unwrap(), 5e-5);
    // The published kernels before they became f16 (11 bits): PyTorch itself differs by 0.0168 of 11.1.
    close("logits as published", logits, &wanted.read("published").unwrap(), 2e-3);
    let best = (0..1000).max_by(|a, b| logits.data[*a].total_cmp(&logits.data[*b])).unwrap();
    assert_eq!(net.config.classes[best], "espresso");
}

#[test]
fn the_zoo_knows_efficientnets_memory_before_it_is_loaded() {
    let zoo = Zoo::default();
    let it = zoo.get("efficientnet-lite0").unwrap();
    assert_eq!(it.memory, Some(lite0().config.memory()));
    assert!(zoo.of_kind(Kind::Vision).any(|other| other.id == it.id), "it is listed");
    assert!(zoo.of_kind(Kind::Encoder).all(|other| other.id != it.id), "but not where text is read");
}

/// All layers of the real architecture, on an image so small that a software GPU does it in a moment.
#[test]
fn efficientnet_is_the_same_on_both_devices() {
    let config =
        efficientnet::Config { image: 32, classes: vec![String::new(); 7], pixels: Pixels::signed(3) };
    let own = |name: &str, shape: &[usize], random: &mut Random| match name {
        _ if name.ends_with("bias") => init::normal(shape, 0.1, random),
        _ if name.contains("depthwise") => init::normal(shape, 0.4, random),
        _ => init::he_normal(shape, random),
    };
    let weights = init::weights(config.parameters(), 5, own);
    let net = EfficientNet::new(config, &weights).unwrap();
    let image = random(&[2, 32, 32, 3], 6);
    let [on_cpu, on_gpu] = [cpu(), gpu()].map(|mut device| {
        let g = Graph::new(&["blocks.*.out", "logits"], &[]);
        net.record(&g, g.input(&image));
        run(&mut device, g)
    });
    assert_eq!(on_cpu["blocks.15.out"].shape, [2, 1, 1, 320]);
    for (name, wanted) in &on_cpu {
        close(name, &on_gpu[name], wanted, 5e-5);
    }
    let alone = Graph::default();
    net.record(&alone, alone.input(&part(&image, 1))).keep("logits");
    close("alone", &run(&mut cpu(), alone)["logits"], &part(&on_cpu["logits"], 1), 5e-5);
}

/// Norm, queries with keys and values, pattern, z with its heads joined, projection, norm of the sum, two layers of the MLP, sum.
#[test]
fn a_layer_takes_nine_kernels_alone_and_in_a_batch() {
    let vit = golden_vit("vit");
    let steps = |shape: &[usize], keep: &[&str]| {
        let g = Graph::new(keep, &[]);
        vit.record(&g, g.input(&random(shape, 1)));
        Plan::compile(&g.finish()).steps.len()
    };
    for shape in [&[12, 12, 3][..], &[2, 12, 12, 3]] {
        let first = steps(shape, &["blocks.0.attn.pattern", "blocks.0.resid_post"]);
        let both = steps(shape, &["blocks.*.attn.pattern", "blocks.*.resid_post"]);
        assert_eq!(both - first, 9, "images of {shape:?}");
    }
}

/// Whatever stands in a `config.json`, it is read or refused.
#[test]
fn no_config_brings_the_loader_down() {
    let hostile = [
        "0",
        "-1",
        "1",
        "4096",
        "16777216",
        "1e300",
        "null",
        "true",
        "\"x\"",
        "[]",
        "[0, 1]",
        "{}",
        "{\"1\": \"a\"}",
    ];
    let mut read = 0;
    for name in ["vit", "deit", "gpt2"] {
        let whole: serde_json::Map<_, _> =
            serde_json::from_slice(&golden::read(&format!("{name}/config.json"))).unwrap();
        for field in whole.keys() {
            for value in hostile {
                let mut spoilt = whole.clone();
                spoilt.insert(field.clone(), serde_json::from_str(value).unwrap());
                if let Ok(config) = AnyConfig::parse(&serde_json::to_vec(&spoilt).unwrap()) {
                    assert!(config.memory() > 0, "{name} with {field} {value}");
                    read += 1;
                }
            }
        }
    }
    assert!(read > 100, "fields that do not matter may hold anything; {read} were read");
}
