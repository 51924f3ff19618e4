//! Files of models: every fault is an error that names it, and nothing panics.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::Graph;
use vitrine::models::{Bert, Sizes};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// Loads the three files, in the order in which `tiny::files` gives them.
fn load(files: Vec<(String, Vec<u8>)>) -> Result<Bert, String> {
    let [config, tokenizer, weights] = files.try_into().unwrap();
    Bert::load(&config.1, &tokenizer.1, weights.1).map_err(|it| it.to_string())
}

/// The error of a checkpoint that `spoil` changed.
#[track_caller]
fn fault(spoil: impl FnOnce(&mut tiny::Checkpoint)) -> String {
    let mut it = tiny::checkpoint();
    spoil(&mut it);
    load(tiny::files(&it)).err().expect("an error")
}

/// The error of a weight file made of these bytes.
#[track_caller]
fn weights_fault(bytes: Vec<u8>) -> String {
    Weights::parse(bytes).err().expect("an error").to_string()
}

fn weights() -> Vec<u8> {
    tiny::files(&tiny::checkpoint()).remove(2).1
}

/// A safetensors file with this header and so many bytes of elements.
fn file(header: &Value, elements: usize) -> Vec<u8> {
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; elements][..]].concat()
}

#[test]
fn malformed_weight_files_are_errors() {
    let two = |a: [usize; 2], b: [usize; 2]| {
        json!({ "a": { "dtype": "F32", "shape": [2], "data_offsets": a },
                "b": { "dtype": "F32", "shape": [2], "data_offsets": b } })
    };
    let shape = json!({ "a": { "dtype": "F32", "shape": [3], "data_offsets": [0, 8] } });
    let huge = json!({ "a": { "dtype": "F32", "shape": [u64::MAX, 8], "data_offsets": [0, 8] } });
    for (what, bytes, words) in [
        ("nothing", vec![], "header too small"),
        ("a page", b"<!doctype html><html>not found</html>".to_vec(), "header too large"),
        ("noise", (0..200u8).map(|i| i.wrapping_mul(97)).collect(), "header too large"),
        (
            "a short header",
            file(&two([0, 8], [8, 16]), 16)[..40].to_vec(),
            "the file stops after 0.0 of 0.0 MB",
        ),
        ("a header that is no JSON", [&4u64.to_le_bytes()[..], b"{a:}"].concat(), "invalid JSON in header"),
        ("overlapping tensors", file(&two([0, 8], [4, 12]), 16), "invalid offset for tensor `b`"),
        ("a gap", file(&two([0, 8], [12, 20]), 20), "invalid offset for tensor `b`"),
        ("a backward tensor", file(&two([0, 8], [8, 0]), 16), "invalid offset for tensor"),
        ("a size that is not the shape's", file(&shape, 8), "invalid shape"),
        ("a shape beyond numbers", file(&huge, 8), "overflow"),
        ("bytes after the end", file(&two([0, 8], [8, 16]), 20), "not fully covered"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "Git LFS"),
    ] {
        let fault = weights_fault(bytes);
        assert!(fault.contains(words), "{what}: {fault}");
    }
}

#[test]
fn a_header_length_beyond_the_file_is_an_error() {
    for length in [u64::MAX, u64::MAX - 7, 1 << 40, 100_000_001, 99_999_999] {
        let mut bytes = weights();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        weights_fault(bytes);
    }
}

#[test]
fn a_truncated_weight_file_says_how_much_is_there() {
    let whole = json!({ "a": { "dtype": "F32", "shape": [1_000_000], "data_offsets": [0, 4_000_000] } });
    let fault = weights_fault(file(&whole, 1_500_000));
    assert_eq!(fault, "the file stops after 1.5 of 4.0 MB");
    // Wherever it is cut, it is an error.
    let bytes = weights();
    for end in (0..bytes.len()).step_by(97) {
        weights_fault(bytes[..end].to_vec());
    }
}

#[test]
fn a_weight_file_must_fit_its_config() {
    let name = "encoder.layer.1.attention.self.key.weight";
    let missing = fault(|it| drop(it.tensors.remove(name)));
    assert_eq!(missing, format!("model.safetensors: tensor {name} is missing"));
    let shape = fault(|it| drop(it.tensors.insert(name.to_owned(), Tensor::from_fn(&[16, 15], |_| 0.0))));
    let words = "has shape [16, 15]; config.json asks for [16, 16]";
    assert_eq!(shape, format!("model.safetensors: tensor {name} {words}"));
    let deeper = fault(|it| it.config["num_hidden_layers"] = json!(3));
    assert_eq!(deeper, "model.safetensors: tensor encoder.layer.2.attention.self.query.weight is missing");
    let empty = fault(|it| it.tensors.clear());
    assert_eq!(empty, "model.safetensors: tensor embeddings.word_embeddings.weight is missing");
}

#[test]
fn elements_that_are_no_real_numbers_are_an_error_where_they_are_needed() {
    let mut checkpoint = tiny::checkpoint();
    let name = "encoder.layer.0.output.dense.bias";
    checkpoint.tensors.remove(name);
    let mut files = tiny::files(&checkpoint);
    files[2].1 = with_others(&checkpoint.tensors, &[("position_ids", Dtype::I64, 8), (name, Dtype::I64, 8)]);
    let fault = load(files).err().unwrap();
    assert_eq!(
        fault,
        format!(
            "model.safetensors: tensor {name} holds I64; F32, F16, BF16, F64 and I8 with a scale for each row can be read"
        )
    );
}

#[test]
fn rows_of_8_bits_need_a_scale_each() {
    let name = "embeddings.token_type_embeddings.weight";
    let with = |scales: Option<usize>| {
        let mut it = tiny::checkpoint();
        let shape = it.tensors.remove(name).unwrap().shape;
        let rows: Vec<u8> =
            (0..shape.iter().product::<usize>()).map(|i| (i as i8 - 5).cast_unsigned()).collect();
        let numbers = vec![0.5f32; scales.unwrap_or(0)];
        let mut files = tiny::files(&it);
        let weights = SafeTensors::deserialize(&files[2].1).unwrap();
        let scale = format!("{name}_scale");
        let mut views = weights.tensors();
        views.push((name.to_owned(), TensorView::new(Dtype::I8, shape, &rows).unwrap()));
        if let Some(n) = scales {
            let view = TensorView::new(Dtype::F32, vec![n], bytemuck::cast_slice(&numbers)).unwrap();
            views.push((scale, view));
        }
        files[2].1 = serialize(views, None).unwrap();
        load(files)
    };
    let rows = tiny::checkpoint().tensors[name].shape[0];
    let read = with(Some(rows)).unwrap().weights.read(name).unwrap();
    assert_eq!(read.data[..3], [-2.5, -2.0, -1.5]);
    let words = format!(
        "model.safetensors: tensor {name} holds I8; F32, F16, BF16, F64 and I8 with a scale for each row can be read"
    );
    for scales in [None, Some(rows + 1), Some(0)] {
        assert_eq!(with(scales).err().unwrap(), words);
    }
}

/// `tensors` in f32, and sixteen elements of zero under each of the other names.
fn with_others(tensors: &BTreeMap<String, Tensor>, others: &[(&str, Dtype, usize)]) -> Vec<u8> {
    let rows: Vec<_> = tensors.iter().map(|(name, it)| (name, it, bytemuck::cast_slice(&it.data))).collect();
    let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    let known = rows.iter().map(|(name, it, bytes)| (name.as_str(), view(Dtype::F32, &it.shape, bytes)));
    let zeros = [0; 128];
    let more = others.iter().map(|(name, dtype, size)| (*name, view(*dtype, &[16], &zeros[..16 * size])));
    serialize(known.chain(more), None).unwrap()
}

#[test]
fn every_field_of_a_config_is_checked() {
    let counts = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
    ];
    for field in counts.into_iter().chain(["layer_norm_eps"]) {
        let missing = fault(|it| drop(it.config.as_object_mut().unwrap().remove(field)));
        assert_eq!(missing, format!("config.json: field {field} is missing"));
        for wrong in [json!("many"), json!(-1), json!(0), json!(null), json!([4]), json!(1e300)] {
            let fault = fault(|it| it.config[field] = wrong.clone());
            assert!(fault.starts_with(&format!("config.json: field {field} is {wrong}; a ")), "{fault}");
        }
    }
    for field in counts {
        let fault = fault(|it| it.config[field] = json!(2.5));
        assert!(fault.contains("whole number"), "{fault}");
        self::fault(|it| it.config[field] = json!(u64::MAX));
    }
    for (field, wrong, right) in [
        ("model_type", json!("gpt2"), "\"bert\""),
        ("hidden_act", json!("relu"), "\"gelu\""),
        ("position_embedding_type", json!("relative_key"), "\"absolute\""),
        ("is_decoder", json!(true), "false"),
    ] {
        let fault = fault(|it| it.config[field] = wrong.clone());
        assert_eq!(fault, format!("config.json: field {field} is {wrong}; only {right} is supported"));
    }
    let uneven = fault(|it| it.config["num_attention_heads"] = json!(3));
    assert_eq!(uneven, "config.json: field num_attention_heads is 3; it must divide hidden_size 16");
}

#[test]
fn files_that_are_something_else_are_errors() {
    let picture = [&b"\x89PNG\r\n\x1a\n"[..], &[0xff; 64]].concat();
    for (i, name) in ["config.json", "tokenizer.json", "model.safetensors"].into_iter().enumerate() {
        for garbage in [&picture[..], b"", b"hello", b"[]", b"{}", b"null"] {
            let mut files = tiny::files(&tiny::checkpoint());
            files[i].1 = garbage.to_vec();
            let fault = load(files).err().unwrap();
            assert!(fault.starts_with(&format!("{name}: ")), "{fault}");
        }
    }
}

#[test]
fn a_tokenizer_must_fit_the_model() {
    let larger = fault(|it| it.tokenizer["model"]["vocab"]["dog"] = json!(12));
    assert_eq!(larger, "tokenizer.json has ids up to 12, but config.json says vocab_size 12");
    let unknown = fault(|it| it.tokenizer["model"]["unk_token"] = json!("[NOTHING]"));
    assert!(unknown.starts_with("tokenizer.json: the tokenizer fails on characters"), "{unknown}");
    let bare = fault(|it| it.tokenizer["post_processor"] = json!(null));
    assert!(bare.contains("BERT expects [CLS] and [SEP]"), "{bare}");
}

fn last_states(bert: &Bert) -> Tensor {
    let g = Graph::new(&["final"], &[]);
    bert.record(&g, &[2, 5, 6, 7, 3]);
    let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
    block_on(trace.get("final").unwrap().read()).unwrap()
}

#[test]
fn half_floats_load_and_agree_with_floats() {
    let checkpoint = tiny::checkpoint();
    let exact = last_states(&load(tiny::files(&checkpoint)).unwrap());
    let half = |x: &f32| f16::from_f32(*x).to_le_bytes();
    let brain = |x: &f32| bf16::from_f32(*x).to_le_bytes();
    // f16 keeps 11 bits of a number, bf16 8; four sub-layers add their errors up.
    for (dtype, to_bytes, tolerance) in
        [(Dtype::F16, &half as &dyn Fn(&f32) -> [u8; 2], 4.0 / 2048.0), (Dtype::BF16, &brain, 4.0 / 256.0)]
    {
        let rows: Vec<(&String, &Tensor, Vec<u8>)> = checkpoint
            .tensors
            .iter()
            .map(|(name, it)| (name, it, it.data.iter().flat_map(to_bytes).collect()))
            .collect();
        let views = rows.iter().map(|(name, it, bytes)| {
            (name.as_str(), TensorView::new(dtype, it.shape.clone(), bytes).unwrap())
        });
        let mut files = tiny::files(&checkpoint);
        files[2].1 = serialize(views, None).unwrap();
        let difference = last_states(&load(files).unwrap()).max_abs_diff(&exact);
        assert!(difference > 0.0 && difference < tolerance, "{dtype}: {difference}");
    }
}

#[test]
fn names_of_other_origin_are_understood() {
    let exact = last_states(&load(tiny::files(&tiny::checkpoint())).unwrap());
    let mut checkpoint = tiny::checkpoint();
    let rename = |name: String| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        format!("bert.{name}")
    };
    checkpoint.tensors = checkpoint.tensors.into_iter().map(|(name, it)| (rename(name), it)).collect();
    assert_eq!(last_states(&load(tiny::files(&checkpoint)).unwrap()), exact);
}

#[test]
fn memory_is_known_from_the_config() {
    let bert = load(tiny::files(&tiny::checkpoint())).unwrap();
    assert_eq!(bert.config.memory(), 4 * bert.weights.parameters() as u64);
}

/// HF's own ids, tokens and offsets on text that trips tokenizers up.
#[test]
fn tokens_are_hugging_faces() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/minilm/tokenizer.json");
    let bytes =
        std::fs::read(folder).expect("models/minilm is missing: run `./run test`, which fetches the weights");
    let tokenizer = vitrine::data::Tokenizer::parse(&bytes, 512).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(include_bytes!("golden/tokens.json")).unwrap();
    assert!(cases.len() > 30, "{} cases", cases.len());
    for case in cases {
        let encoding = tokenizer.encode(case["text"].as_str().unwrap());
        assert_eq!(json!(encoding.ids), case["ids"], "{}", case["name"]);
        assert_eq!(json!(encoding.tokens), case["tokens"], "{}", case["name"]);
        assert_eq!(json!(encoding.offsets), case["offsets"], "{}", case["name"]);
        assert_eq!(encoding.special.len(), encoding.ids.len(), "{}", case["name"]);
    }
}

#[test]
fn long_texts_are_cut_and_say_so() {
    let bert = load(tiny::files(&tiny::checkpoint())).unwrap();
    let fits = bert.tokenizer.encode("the cat sat on the mats.");
    assert_eq!(fits.tokens, ["[CLS]", "the", "cat", "sat", "on", "the", "mat", "##s", ".", "[SEP]"]);
    assert!(!fits.truncated(), "10 tokens fit");
    let long = bert.tokenizer.encode("the cat sat on the mat on the cat on the mat.");
    assert_eq!(long.tokens, ["[CLS]", "the", "cat", "sat", "on", "the", "mat", "on", "the", "[SEP]"]);
    assert_eq!((long.total, long.truncated()), (15, true));
    assert_eq!(long.special.iter().filter(|it| **it).count(), 2);
    assert!(bert.tokenizer.encode("a [MASK]").special[2], "special tokens in the text are special");
}
