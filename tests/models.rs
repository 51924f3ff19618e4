//! BERT against ONNX Runtime on the real weights, and against its own definition on made-up ones.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::{Edit, Graph, How};
use vitrine::models::{Bert, Sizes};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

const GOLDEN: &[u8] = include_bytes!("golden/minilm.safetensors");

/// `MiniLM`'s real weights, which the repository does not hold.
fn minilm() -> Bert {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/minilm");
    let read = |file: &str| {
        let fault = |it| {
            panic!("{} is missing ({it}): run `./run test`, which fetches the weights", folder.display())
        };
        std::fs::read(folder.join(file)).unwrap_or_else(fault)
    };
    Bert::load(&read("config.json"), &read("tokenizer.json"), read("model.safetensors")).unwrap()
}

fn tiny(change: impl FnOnce(&mut tiny::Checkpoint)) -> Bert {
    let mut it = tiny::checkpoint();
    change(&mut it);
    let [config, tokenizer, weights] = tiny::files(&it).try_into().unwrap();
    Bert::load(&config.1, &tokenizer.1, weights.1).unwrap()
}

/// Every tap of `bert` on `tokens`.
fn taps(device: &mut Device, bert: &Bert, tokens: &[u32], edits: &[Edit]) -> BTreeMap<String, Tensor> {
    let g = Graph::new(&["*"], edits);
    bert.record(&g, tokens);
    let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, kept)| (name.clone(), block_on(kept.read()).unwrap())).collect()
}

fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

fn golden_tokens(sentence: &str) -> Vec<u32> {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let tokens = file.tensor(&format!("{sentence}/tokens")).unwrap();
    tokens.data().chunks_exact(8).map(|it| i64::from_le_bytes(it.try_into().unwrap()) as u32).collect()
}

/// Compares every tap of both sentences with what ONNX Runtime computed.
///
/// Tolerance: both sum in f32 but in another order. One product of 384 or 1536 terms differs by some 1e-6 of its largest
/// term, and six layers add up; relative to the largest element of a tensor, 2e-5 is a few times what was seen.
#[track_caller]
fn equals_onnx(device: &mut Device) {
    let bert = minilm();
    let golden = Weights::parse(GOLDEN.to_vec()).unwrap();
    for (sentence, count) in [("short", 6 * 15 + 3), ("long", 6 * 2 + 2)] {
        let taps = taps(device, &bert, &golden_tokens(sentence), &[]);
        let prefix = format!("{sentence}/");
        let names: Vec<&str> = golden.names().filter_map(|it| it.strip_prefix(&*prefix)).collect();
        assert_eq!(names.len(), count, "taps of the {sentence} sentence in the golden file");
        for name in names {
            let wanted = golden.read(&format!("{prefix}{name}")).unwrap();
            let found = &taps[name];
            let scale = wanted.data.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
            let difference = found.max_abs_diff(&wanted);
            assert!(difference <= 2e-5 * scale, "{sentence}/{name} differs by {difference} of {scale}");
        }
    }
}

#[test]
fn minilm_equals_onnx_runtime_at_every_tap_on_the_cpu() {
    equals_onnx(&mut cpu());
}

#[test]
fn minilm_equals_onnx_runtime_at_every_tap_on_the_gpu() {
    equals_onnx(&mut Device::Gpu(block_on(Gpu::new()).unwrap()));
}

#[test]
fn golden_sentences_have_the_tokens_that_the_model_was_run_on() {
    let bert = minilm();
    for (sentence, text) in
        [("short", "It was tired."), ("long", "The animal didn't cross the street because it was too tired.")]
    {
        assert_eq!(bert.tokenizer.encode(text).ids, golden_tokens(sentence), "{text}");
    }
}

#[test]
fn taps_have_the_names_of_transformer_lens() {
    let g = Graph::default();
    tiny(|_| {}).record(&g, &[2, 5, 3]);
    let taps: Vec<String> = g.finish().taps.iter().map(|it| format!("{} ({})", it.name, it.axes)).collect();
    let block = "resid_pre (pos d_model), attn.q (head pos d_head), attn.k (head pos d_head), \
                 attn.v (head pos d_head), attn.scores (head query key), attn.pattern (head query key), \
                 attn.z (head pos d_head), attn_out (pos d_model), resid_mid (pos d_model), \
                 normalized_resid_mid (pos d_model), mlp.pre (pos d_mlp), mlp.post (pos d_mlp), \
                 mlp_out (pos d_model), resid_post (pos d_model), normalized_resid_post (pos d_model)";
    let mut expected = vec!["embed (pos d_model)".to_owned()];
    for l in 0..2 {
        expected.extend(block.split(", ").map(|it| format!("blocks.{l}.{it}")));
    }
    expected.extend(["final (pos d_model)".to_owned(), "pooled (d_model)".to_owned()]);
    assert_eq!(taps, expected);
}

#[test]
fn equations_hold_between_taps() {
    let taps = taps(&mut cpu(), &tiny(|_| {}), &[2, 5, 6, 3], &[]);
    let sum = |a: &str, b: &str| Tensor::from_fn(&taps[a].shape, |at| taps[a].at(at) + taps[b].at(at));
    for l in 0..2 {
        let at = |name: &str| format!("blocks.{l}.{name}");
        let mid = sum(&at("resid_pre"), &at("attn_out"));
        assert!(mid.max_abs_diff(&taps[&at("resid_mid")]) < 1e-6, "resid_mid = resid_pre + attn_out");
        let post = sum(&at("normalized_resid_mid"), &at("mlp_out"));
        assert!(
            post.max_abs_diff(&taps[&at("resid_post")]) < 1e-6,
            "resid_post = normalized_resid_mid + mlp_out"
        );
        for row in taps[&at("attn.pattern")].data.chunks(4) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "a row of the pattern sums to {row:?}");
        }
    }
    let norm: f32 = taps["pooled"].data.iter().map(|x| x * x).sum();
    assert!((norm - 1.0).abs() < 1e-6, "the sentence has length {norm}");
}

/// `attn_out = sum_h z_h W_O[h] + b`: without `z_h`, its columns of `W_O` have nothing to add.
#[test]
fn a_head_without_z_is_a_head_without_its_slice_of_w_o() {
    let tokens = [2, 5, 6, 7, 3];
    for (l, head) in [(0, 0), (0, 1), (1, 1)] {
        let edit = Edit {
            at: format!("blocks.{l}.attn.z"),
            select: vec![("head".to_owned(), head)],
            how: How::Zero,
        };
        let edited = taps(&mut cpu(), &tiny(|_| {}), &tokens, &[edit]);
        let cut = tiny(|it| {
            let name = format!("encoder.layer.{l}.attention.output.dense.weight");
            let w_o = &it.tensors[&name];
            let without = Tensor::from_fn(&[16, 16], |at| if at[1] / 8 == head { 0.0 } else { w_o.at(at) });
            it.tensors.insert(name, without);
        });
        let cut = taps(&mut cpu(), &cut, &tokens, &[]);
        for name in ["blocks.0.attn_out", "blocks.1.attn_out", "final", "pooled"] {
            let difference = edited[name].max_abs_diff(&cut[name]);
            assert!(difference < 1e-5, "head {l}.{head}: {name} differs by {difference}");
        }
        let whole = taps(&mut cpu(), &tiny(|_| {}), &tokens, &[]);
        assert!(edited["final"].max_abs_diff(&whole["final"]) > 1e-3, "head {l}.{head} matters");
    }
}

/// Without positions BERT sees a bag of words: exchanging two tokens exchanges their rows, and nothing else.
#[test]
fn order_comes_from_positions_alone() {
    let blind = tiny(|it| {
        let name = "embeddings.position_embeddings.weight";
        it.tensors.insert(name.to_owned(), Tensor::from_fn(&[10, 16], |_| 0.0));
    });
    let (a, b) = ([2, 5, 6, 7, 3], [2, 6, 5, 7, 3]);
    let order = [0, 2, 1, 3, 4];
    let exchanged = |bert: &Bert| {
        let (a, b) = (taps(&mut cpu(), bert, &a, &[]), taps(&mut cpu(), bert, &b, &[]));
        let rows = Tensor::from_fn(&[5, 16], |at| a["final"].at(&[order[at[0]], at[1]]));
        let pattern = &a["blocks.1.attn.pattern"];
        let maps = Tensor::from_fn(&[2, 5, 5], |at| pattern.at(&[at[0], order[at[1]], order[at[2]]]));
        rows.max_abs_diff(&b["final"]).max(maps.max_abs_diff(&b["blocks.1.attn.pattern"]))
    };
    assert!(exchanged(&blind) < 1e-5, "without positions: {}", exchanged(&blind));
    assert!(exchanged(&tiny(|_| {})) > 1e-2, "with positions: {}", exchanged(&tiny(|_| {})));
}

#[test]
fn a_layer_takes_eight_kernels_with_its_pattern_kept() {
    let bert = tiny(|_| {});
    let dispatches = |keep: &[&str]| {
        let g = Graph::new(keep, &[]);
        bert.record(&g, &[2, 5, 6, 3]);
        block_on(cpu().run(&g.finish(), &Cancel::default())).unwrap().stats.dispatches
    };
    let layers = dispatches(&["blocks.*.attn.pattern", "final"]) - dispatches(&["blocks.0.resid_pre"]);
    assert_eq!(layers, 2 * 8);
}

#[test]
fn typing_a_letter_compiles_nothing() {
    let (bert, mut device) = (tiny(|_| {}), cpu());
    taps(&mut device, &bert, &[2, 5, 6, 3], &[]);
    taps(&mut device, &bert, &[2, 5, 7, 3], &[]);
    assert_eq!(device.compiles(), 1);
}

/// Rounding is defined once in Python, which makes the page's file, and once here, where a claim measures what it costs.
#[test]
fn the_file_of_8_bits_is_what_rounding_gives() {
    let bytes = |model: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model).join("model.safetensors");
        std::fs::read(file).expect("a model is missing: `./run weights` makes it")
    };
    assert!(bytes("minilm-8bit").len() < 23_500_000);
    let [small, full] = ["minilm-8bit", "minilm"].map(|it| Weights::parse(bytes(it)).unwrap());
    let rounded = full.rounded();
    assert_eq!([full.bits(), rounded.bits(), small.bits()], [32, 8, 8]);
    assert_eq!(small.parameters(), full.parameters());
    for name in rounded.names() {
        let [here, there, exact] = [&rounded, &small, &full].map(|it| it.read(name).unwrap());
        assert_eq!(here, there, "{name}");
        // Half a step of 127, and the rounding of f32.
        let most = exact.data.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(exact.max_abs_diff(&here) <= most / 253.9, "{name}");
        // Rows that are looked up are those of the whole.
        if let [rows, columns] = there.shape[..] {
            let ids = [0, rows / 2, rows - 1, rows + 7];
            let mut found = vec![f32::NAN; 4 * columns];
            small.look_up(name, &ids.map(|it| it as f32), &mut found);
            let expected = ids.map(|it| &there.data[it.min(rows - 1) * columns..][..columns]).concat();
            assert_eq!(found, expected, "rows of {name}");
        }
    }
}

#[test]
fn the_zoo_knows_minilms_memory_before_it_is_loaded() {
    let zoo = vitrine::models::Zoo::default();
    assert_eq!(zoo.get("minilm").unwrap().memory, Some(minilm().config.memory()));
}
