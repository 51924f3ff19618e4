//! A BERT small enough to make up: two layers, two heads, sixteen dimensions, random weights.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};
use vitrine::tensor::Tensor;

/// The parts of a checkpoint, to be spoilt or written down.
pub(crate) struct Checkpoint {
    pub(crate) config: Value,
    pub(crate) tokenizer: Value,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

/// The words that it knows, in the order of their ids.
const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "##s", "."];

pub(crate) fn checkpoint() -> Checkpoint {
    let config = json!({
        "model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute",
        "vocab_size": WORDS.len(), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 24, "max_position_embeddings": 10, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    });
    let mut random = random_numbers();
    let mut tensors = BTreeMap::new();
    let mut put = |name: &str, shape: &[usize]| {
        let offset = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        tensors.insert(name.to_owned(), Tensor::from_fn(shape, |_| offset + 0.4 * random()));
    };
    put("embeddings.word_embeddings.weight", &[WORDS.len(), 16]);
    put("embeddings.position_embeddings.weight", &[10, 16]);
    put("embeddings.token_type_embeddings.weight", &[2, 16]);
    let mut layer = |name: &str, weight: &[usize]| {
        put(&format!("{name}.weight"), weight);
        put(&format!("{name}.bias"), &weight[..1]);
    };
    layer("embeddings.LayerNorm", &[16]);
    for at in ["encoder.layer.0", "encoder.layer.1"] {
        for square in ["self.query", "self.key", "self.value", "output.dense"] {
            layer(&format!("{at}.attention.{square}"), &[16, 16]);
        }
        layer(&format!("{at}.intermediate.dense"), &[24, 16]);
        layer(&format!("{at}.output.dense"), &[16, 24]);
        layer(&format!("{at}.attention.output.LayerNorm"), &[16]);
        layer(&format!("{at}.output.LayerNorm"), &[16]);
    }
    Checkpoint { config, tokenizer: tokenizer(), tensors }
}

/// The files of a checkpoint, by name.
pub(crate) fn files(it: &Checkpoint) -> Vec<(String, Vec<u8>)> {
    vec![
        ("config.json".to_owned(), it.config.to_string().into_bytes()),
        ("tokenizer.json".to_owned(), it.tokenizer.to_string().into_bytes()),
        ("model.safetensors".to_owned(), safetensors(&it.tensors)),
    ]
}

fn safetensors(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let bytes = |it: &Tensor| it.data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let data: Vec<(&str, &[usize], Vec<u8>)> =
        tensors.iter().map(|(name, it)| (name.as_str(), &it.shape[..], bytes(it))).collect();
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
    serialize(data.iter().map(|(name, shape, bytes)| (*name, view(shape, bytes))), None).unwrap()
}

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<_, _> =
        WORDS.iter().zip(0..).map(|(w, i)| ((*w).to_owned(), json!(i))).collect();
    let special = |id: usize| {
        json!({ "id": id, "content": WORDS[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let ends = |word: &str| json!({ "SpecialToken": { "id": word, "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": (0..5).map(special).collect::<Vec<_>>(),
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                        "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [ends("[CLS]"), text, ends("[SEP]")],
            "pair": [ends("[CLS]"), text, ends("[SEP]")],
            "special_tokens": {
                "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] },
                "[SEP]": { "id": "[SEP]", "ids": [3], "tokens": ["[SEP]"] },
            },
        },
        "decoder": null,
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": vocabulary },
    })
}

/// Numbers from -1 to 1 that are the same at every run (Knuth's generator).
fn random_numbers() -> impl FnMut() -> f32 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
