//! Files of models that somebody damaged, or made to do harm: each is a model or an error in words, never a panic, and no number in
//! them makes the program ask for memory that the file does not fill.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use vitrine::data::Tokenizer;
use vitrine::models::{AnyConfig, Files};
use vitrine::platform::block_on;
use vitrine::weights::Weights;

/// Remembers the largest piece of memory that anybody asked for.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that hands on to the system's what it is asked for")]
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// The files here are below 1 MB; the names of 2^20 classes, the most that a config may ask for, are a list of 24 MB that grew.
const MEMORY: usize = 64 << 20;

/// Whether words fit a tile: one line, that says something.
fn is_said(words: &str) -> Result<(), TestCaseError> {
    prop_assert!(
        (10..400).contains(&words.chars().count()) && !words.contains('\n'),
        "{} letters: {:.900}",
        words.len(),
        words
    );
    Ok(())
}

fn is_modest() -> Result<(), TestCaseError> {
    let most = LARGEST.load(Ordering::Relaxed);
    prop_assert!(most <= MEMORY, "somebody asked for {most} bytes at once");
    Ok(())
}

/// What a safetensors file can do: be read, with as many elements as it has bytes for, or say why not.
fn weights_are_read(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let length = bytes.len();
    let whole = Weights::verify(&bytes).is_ok();
    match Weights::parse(bytes) {
        Ok(weights) => prop_assert!(whole && weights.parameters() <= length / 2),
        Err(fault) => {
            prop_assert!(!whole);
            is_said(&fault.to_string())?;
        }
    }
    is_modest()
}

/// What the files of a model can do, and what is known of its sizes before it is loaded.
fn model_is_read(files: Vec<(String, Vec<u8>)>) -> Result<(), TestCaseError> {
    let config = files.iter().find(|it| it.0 == "config.json").map(|it| it.1.clone()).unwrap_or_default();
    match AnyConfig::parse(&config) {
        Ok(it) => prop_assert!(it.memory() > 0),
        Err(fault) => is_said(&fault.to_string())?,
    }
    let model = Files::pick(files).map_err(|it| it.to_string());
    match model.and_then(|it| block_on(it.load()).map_err(|it| it.to_string())) {
        Ok(model) => prop_assert!(model.weights().parameters() > 0),
        Err(words) => is_said(&words)?,
    }
    is_modest()
}

/// The files of a model of each kind.
fn models() -> Vec<Vec<(String, Vec<u8>)>> {
    let read = |folder: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let names = ["config.json", "tokenizer.json", "model.safetensors"];
        names.iter().filter_map(|it| Some(((*it).to_owned(), std::fs::read(folder.join(it)).ok()?))).collect()
    };
    let folders = ["tests/golden/vit", "tests/golden/deit", "tests/golden/gpt2", "assets/models/fashion-cnn"];
    let mut models: Vec<Vec<_>> = folders.map(read).into();
    models.push(tiny::files(&tiny::checkpoint()));
    let mut lite = models[3].clone(); // No weights of it are small; its config is looked at alone.
    lite[0].1 = json!({ "model_type": "efficientnet-lite0", "image_size": 224, "num_labels": 10 })
        .to_string()
        .into_bytes();
    models.push(lite);
    assert!(models.iter().all(|it| it.len() >= 2), "all files are there");
    models
}

/// Values that no field of a config expects.
fn hostile() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(7),
        json!(-1),
        json!(0.5),
        json!(1e-300),
        json!(1e300),
        json!(4096),
        json!(1 << 20),
        json!(1 << 24),
        json!(1_u64 << 53),
        json!(1_u64 << 60),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("gelu"),
        json!("gpt2"),
        json!("vit_base_patch16_224"),
        json!("vit_huge_patch0_4096"),
        json!("x".repeat(5000)),
        json!([]),
        json!([0]),
        json!([0.5, 0.5, 0.5]),
        json!([1e39]),
        json!([4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096]),
        json!({}),
        json!({ "0": "a", "2": "b" }),
        json!({ "0": "a", "1": 2 }),
    ])
}

/// Where the values of a JSON text are, but for the words of a vocabulary, which are many and alike.
fn places(json: &Value, here: String, found: &mut Vec<String>) {
    let within = |name: &str| format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
    match json {
        _ if here.ends_with("/vocab") || here.ends_with("/merges") => {}
        Value::Array(items) => {
            for (i, it) in items.iter().enumerate() {
                places(it, within(&i.to_string()), found);
            }
        }
        Value::Object(fields) => {
            for (name, it) in fields {
                places(it, within(name), found);
            }
        }
        _ => {}
    }
    found.push(here);
}

/// What is done to bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    /// The first eight bytes, which say how long a header is.
    Length(u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let lengths = prop_oneof![
        any::<u64>(),
        0_u64..2000,
        (0_u32..64).prop_map(|it| 1 << it),
        select(vec![u64::MAX, u64::MAX - 8, i64::MAX as u64, 99_999_999, 100_000_000])
    ];
    prop_oneof![
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, by)| Damage::Flip(at, by)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => lengths.prop_map(Damage::Length),
    ]
}

/// Damage in the first bytes, where headers are, as often as elsewhere.
fn damaged(mut bytes: Vec<u8>, damage: &[(Damage, bool)]) -> Vec<u8> {
    for (what, early) in damage {
        let reach = if *early { bytes.len().min(200) } else { bytes.len() };
        match what {
            Damage::Flip(at, by) if reach > 0 => bytes[at.index(reach)] ^= by,
            Damage::Cut(at) if reach > 0 => bytes.truncate(at.index(reach)),
            Damage::Insert(at, more) => {
                let at = at.index(reach + 1);
                drop(bytes.splice(at..at, more.iter().copied()));
            }
            Damage::Length(length) if bytes.len() >= 8 => bytes[..8].copy_from_slice(&length.to_le_bytes()),
            _ => {}
        }
    }
    bytes
}

/// A header of a few tensors, with numbers that may be anything, and some bytes of elements.
fn safetensors() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![4 => 0_u64..40, 1 => select(vec![1 << 31, 1 << 32, 1 << 60, 1 << 62, u64::MAX / 4, u64::MAX])];
    let dtype = select(vec!["F32", "F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "F4", "x"]);
    let tensor = (dtype, vec(number(), 0..4), number(), number());
    let fields = tensor.prop_map(
        |(dtype, shape, from, to)| json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, to] }),
    );
    let value = prop_oneof![6 => fields, 1 => hostile()];
    (vec(("[a-c]|__metadata__", value), 0..4), 0_usize..80).prop_map(|(tensors, elements)| {
        let header = Value::Object(tensors.into_iter().collect()).to_string();
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; elements][..]].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_weights_or_an_error(bytes in vec(any::<u8>(), 0..300), length in 0_u64..300) {
        weights_are_read(bytes.clone())?;
        weights_are_read([&length.to_le_bytes()[..], b"{", &bytes].concat())?;
    }

    #[test]
    fn any_header_is_weights_or_an_error(bytes in safetensors(), damage in vec((damage(), any::<bool>()), 0..3)) {
        weights_are_read(damaged(bytes, &damage))?;
    }

    #[test]
    fn damaged_weights_are_weights_or_an_error(damage in vec((damage(), any::<bool>()), 1..4)) {
        weights_are_read(damaged(tiny::files(&tiny::checkpoint()).remove(2).1, &damage))?;
    }

    #[test]
    fn damaged_configs_are_models_or_an_error(
        kind in 0_usize..6,
        fields in vec((any::<Index>(), hostile()), 1..4),
        damage in vec((damage(), any::<bool>()), 0..2),
        alone in prop::bool::weighted(0.05),
    ) {
        let mut files = MODELS.with(|it| it[kind].clone());
        let mut config: Value = serde_json::from_slice(&files[0].1).unwrap();
        let names: Vec<String> = config.as_object().unwrap().keys().cloned().collect();
        let more = ["id2label", "num_labels", "num_channels", "image_mean", "image_std", "architecture", "n_inner"];
        let names: Vec<&str> = names.iter().map(String::as_str).chain(more).collect();
        for (at, value) in fields {
            config[names[at.index(names.len())]] = value;
        }
        let config = if alone { config["hidden_size"].clone() } else { config };
        files[0].1 = damaged(config.to_string().into_bytes(), &damage);
        model_is_read(files)?;
    }

    #[test]
    fn damaged_tokenizers_are_models_or_an_error(
        values in vec((any::<Index>(), hostile()), 0..3),
        damage in vec((damage(), any::<bool>()), 0..3),
    ) {
        let mut files = tiny::files(&tiny::checkpoint());
        let mut json: Value = serde_json::from_slice(&files[1].1).unwrap();
        for (at, value) in values {
            let mut paths = vec![];
            places(&json, String::new(), &mut paths);
            *json.pointer_mut(&paths[at.index(paths.len())]).unwrap() = value;
        }
        files[1].1 = damaged(json.to_string().into_bytes(), &damage);
        model_is_read(files)?;
    }
}

thread_local! {
    static MODELS: Vec<Vec<(String, Vec<u8>)>> = models();
}

/// The library that reads tokenizers panics where a template names what it does not define.
#[test]
fn templates_define_their_tokens() {
    let fault = |spoil: fn(&mut Value)| {
        let mut it = tiny::checkpoint();
        spoil(&mut it.tokenizer["post_processor"]);
        block_on(Files::pick(tiny::files(&it)).unwrap().load()).err().unwrap().to_string()
    };
    for words in [
        fault(|it| it["special_tokens"] = json!({})),
        fault(|it| it["special_tokens"]["[SEP]"]["tokens"] = json!([])),
        fault(|it| it["single"][1] = json!({ "Sequence": { "id": "B", "type_id": 0 } })),
        fault(
            |it| *it = json!({ "type": "Sequence", "processors": [{ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "x", "type_id": 0 } }], "pair": [], "special_tokens": {} }] }),
        ),
    ] {
        assert!(words.starts_with("tokenizer.json: this is not a tokenizer: "), "{words}");
    }
}

/// And where what stands for a decoder is nested more deeply than it reads.
#[test]
fn a_deep_decoder_is_an_error() {
    let nested = format!(r#"{{"model": {{}}, "decoder": {}{}}}"#, "[".repeat(200), "]".repeat(200));
    let fault = Tokenizer::parse(nested.as_bytes(), 8).err().unwrap().to_string();
    assert!(fault.starts_with("this is not a tokenizer: recursion limit"), "{fault}");
}

/// A header that claims more than there is on earth.
#[test]
fn what_a_header_claims_is_not_believed() {
    let claim = |shape: Value, end: u64| {
        let header = json!({ "a": { "dtype": "F32", "shape": shape, "data_offsets": [0, end] } }).to_string();
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8][..]].concat();
        Weights::parse(bytes).err().unwrap().to_string()
    };
    assert_eq!(claim(json!([1_u64 << 58]), 1 << 60), "the file stops after 0.0 of 1152921504606.8 MB");
    assert!(
        claim(json!([1_u64 << 62]), 1 << 60).starts_with("the file stops"),
        "{}",
        claim(json!([1_u64 << 62]), 1 << 60)
    );
    let length = [&(1_u64 << 60).to_le_bytes()[..], b"{\"a\":1}"].concat();
    assert_eq!(
        Weights::parse(length).err().unwrap().to_string(),
        "this is not a safetensors file: header too large"
    );
    is_modest().unwrap();
}
