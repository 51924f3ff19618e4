//! GPT-2 against Hugging Face's transformers and tokenizers, and against its own equations.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden;

use std::collections::BTreeMap;
use std::sync::Arc;

use golden::{checkpoint, close, cpu, gpu, part, run};
use serde_json::Value;
use vitrine::data::{Tokenizer, text::Vocabulary};
use vitrine::engine::Device;
use vitrine::graph::{Edit, Graph, How};
use vitrine::models::gpt::{self, Config};
use vitrine::models::{AnyConfig, Gpt, LoadError};
use vitrine::nn::{Activation, Params};
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// A few f32 products of some dozen terms.
const F32: f32 = 1e-5;

fn golden_gpt(name: &str) -> Arc<Gpt> {
    // The vocabulary of the second is too small for the tokenizer of the first.
    let few = Vocabulary::of("abc").tokenizer().to_string().into_bytes();
    let tokenizer = if name == "gpt2" { golden::read("gpt2/tokenizer.json") } else { few };
    checkpoint(name, Some(&tokenizer)).share().unwrap_or_else(|| panic!("{name} is a GPT"))
}

/// Every tap on tokens `[pos]` or `[batch, pos]`, and the logit lens on every residual stream.
fn taps(device: &mut Device, gpt: &Gpt, tokens: &Tensor, edits: &[Edit]) -> BTreeMap<String, Tensor> {
    let g = Graph::new(&["*"], edits);
    gpt::record(&gpt.config, g.input(tokens), &Params::new(&g, &gpt.weights));
    for l in 0..gpt.config.layers {
        gpt.lens(g.at(&format!("blocks.{l}.resid_pre")).unwrap()).keep(&format!("lens.{l}"));
    }
    run(device, g)
}

/// The token ids of the golden, which are whole numbers of another type there.
fn tokens(name: &str) -> Tensor {
    let bytes = golden::read(&format!("{name}/expected.safetensors"));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ids = file.tensor("tokens").unwrap();
    let value = |it: &[u8]| f32::from_le_bytes(it.try_into().unwrap());
    Tensor::new(ids.shape(), ids.data().chunks_exact(4).map(value).collect::<Vec<_>>())
}

#[track_caller]
fn equals_transformers(device: &mut Device, name: &str) {
    let (gpt, wanted) = (golden_gpt(name), golden::tensors(&format!("{name}/expected.safetensors")));
    let get = |name: &str| wanted.read(name).unwrap();
    let pairs = [
        ("hidden.0", "blocks.0.resid_pre"),
        ("hidden.1", "blocks.1.resid_pre"),
        ("last", "ln_final"),
        ("pattern.0", "blocks.0.attn.pattern"),
        ("pattern.1", "blocks.1.attn.pattern"),
        ("lens.0", "lens.0"),
        ("lens.1", "lens.1"),
        ("logits", "logits"),
    ];
    let batch = taps(device, &gpt, &tokens(name), &[]);
    let alone = [0, 1].map(|i| taps(device, &gpt, &part(&tokens(name), i), &[]));
    for (theirs, ours) in pairs {
        close(ours, &batch[ours], &get(theirs), F32);
        for (i, alone) in alone.iter().enumerate() {
            close(ours, &alone[ours], &part(&get(theirs), i), F32);
        }
    }
}

#[test]
fn gpt2_equals_transformers() {
    equals_transformers(&mut cpu(), "gpt2");
    equals_transformers(&mut gpu(), "gpt2");
}

#[test]
fn gpt2_with_a_table_of_its_own_to_read_out_equals_transformers() {
    let config = &golden_gpt("gpt2-untied").config;
    assert!(!config.tied && config.d_mlp == 40 && config.activation == Activation::Gelu, "{config:?}");
    equals_transformers(&mut cpu(), "gpt2-untied");
    equals_transformers(&mut gpu(), "gpt2-untied");
}

/// The first files of GPT-2 have no prefix, and masks among the weights.
#[test]
fn names_without_prefix_load_too() {
    let file = golden::tensors("gpt2/model.safetensors");
    let bare = |name: &str| name.trim_start_matches("transformer.").to_owned();
    let mut tensors: BTreeMap<String, Tensor> =
        file.names().map(|it| (bare(it), file.read(it).unwrap())).collect();
    tensors.insert("h.0.attn.bias".to_owned(), Tensor::scalar(1.0));
    let whole = golden_gpt("gpt2");
    let tokenizer = Tokenizer::parse(&golden::read("gpt2/tokenizer.json"), 16).unwrap();
    let it = Gpt::new(whole.config.clone(), tokenizer, &Weights::from_tensors(&tensors)).unwrap();
    let ids = part(&tokens("gpt2"), 0);
    close(
        "logits",
        &taps(&mut cpu(), &it, &ids, &[])["logits"],
        &taps(&mut cpu(), &whole, &ids, &[])["logits"],
        0.0,
    );
    tensors.remove("h.1.mlp.c_proj.weight");
    let tokenizer = Tokenizer::parse(&golden::read("gpt2/tokenizer.json"), 16).unwrap();
    let fault = Gpt::new(whole.config.clone(), tokenizer, &Weights::from_tensors(&tensors)).err().unwrap();
    assert_eq!(fault.to_string(), "model.safetensors: tensor h.1.mlp.c_proj.weight is missing");
}

#[test]
fn byte_level_tokens_equal_hugging_faces() {
    let tokenizer = Tokenizer::parse(&golden::read("gpt2/tokenizer.json"), 512).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&golden::read("gpt2/tokens.json")).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let found = tokenizer.encode(text);
        let ids: Vec<u32> =
            case["ids"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap() as u32).collect();
        assert_eq!(found.ids, ids, "{}", case["name"]);
        let pieces: Vec<&str> =
            case["pieces"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(found.tokens, pieces, "{}", case["name"]);
        if case["name"] != "special" {
            assert_eq!(tokenizer.decode(&ids), text, "there and back");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let config = AnyConfig::parse(&golden::read("gpt2-untied/config.json")).unwrap();
    let tokenizer = golden::read("gpt2/tokenizer.json");
    let fault = config.load(Some(&tokenizer), golden::read("gpt2-untied/model.safetensors")).err().unwrap();
    assert!(matches!(fault, LoadError::Vocabulary { last: 319, vocabulary: 64 }), "{fault}");
    let config = AnyConfig::parse(&golden::read("gpt2/config.json")).unwrap();
    let fault = config.load(None, golden::read("gpt2/model.safetensors")).err().unwrap();
    assert!(fault.to_string().contains("tokenizer.json is missing"), "{fault}");
    let llama = AnyConfig::parse(br#"{"model_type": "llama"}"#).err().unwrap().to_string();
    assert!(llama.contains("model_type is \"llama\"") && llama.contains("gpt2"), "{llama}");
}

/// A model of characters, as it will be trained here.
fn characters() -> Gpt {
    let vocabulary = Vocabulary::of("abcdefgh \n");
    let tokenizer = Tokenizer::parse(vocabulary.tokenizer().to_string().as_bytes(), 16).unwrap();
    let config = Config {
        vocabulary: vocabulary.len(),
        positions: 16,
        d_model: 24,
        layers: 3,
        heads: 2,
        d_mlp: 96,
        activation: Activation::Gelu,
        eps: 1e-5,
        tied: true,
    };
    let weights = config.untrained(1);
    Gpt::new(config, tokenizer, &weights).unwrap()
}

#[test]
fn an_untrained_model_guesses() {
    let gpt = characters();
    assert_eq!(Config::parse(gpt.config.to_json().to_string().as_bytes()).unwrap(), gpt.config);
    let g = Graph::new(&["logits"], &[]);
    gpt.record(&g, &gpt.tokenizer.encode("a bad cab").ids).logits.softmax().keep("p");
    let p = &run(&mut cpu(), g)["p"];
    assert_eq!(p.shape, [9, 10]);
    // Logits have deviation 0.02 sqrt(24) = 0.1, and that of the token just read is some 0.35 higher, for the table that
    // embeds also reads out: a tenth each, times at most e^(0.35 + 4 * 0.1) or e^(-4 * 0.1).
    assert!(p.data.iter().all(|p| (0.06..0.22).contains(p)), "{p:?}");
}

/// 576 draws and more: the deviation of a variance is at most 6 % of it; four of them.
#[test]
fn what_is_added_to_the_residual_stream_begins_smaller() {
    let weights = characters().weights;
    for (name, deviation) in [
        ("blocks.2.mlp.fc1.weight", 0.02),
        ("blocks.2.mlp.fc2.weight", 0.02 / 6f64.sqrt()),
        ("blocks.0.attn.qkv.weight", 0.02),
        ("blocks.0.attn.proj.weight", 0.02 / 6f64.sqrt()),
    ] {
        let it = weights.read(name).unwrap();
        let variance = it.data.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / it.data.len() as f64;
        assert!((variance / deviation.powi(2) - 1.0).abs() < 0.24, "{name}: {}", variance.sqrt());
    }
    assert!(weights.read("ln_f.weight").unwrap().data.iter().all(|it| *it == 1.0));
}

#[test]
fn nothing_looks_ahead() {
    let gpt = golden_gpt("gpt2");
    let ids = part(&tokens("gpt2"), 0);
    let n = ids.data.len();
    let mut other = ids.data.to_vec();
    other[n - 3] = (other[n - 3] + 1.0) % 320.0;
    let [a, b] =
        [ids.clone(), Tensor::new(&[n], other)].map(|it| taps(&mut cpu(), &gpt, &it, &[])["logits"].clone());
    for pos in 0..n {
        let same = part(&a, pos) == part(&b, pos);
        assert_eq!(same, pos < n - 3, "position {pos}");
    }
}

/// `lens` at the last residual stream is what the model says; a head switched off changes that.
#[test]
fn the_lens_ends_at_the_logits_and_edits_reach_them() {
    let (gpt, ids) = (golden_gpt("gpt2"), part(&tokens("gpt2"), 1));
    let g = Graph::new(&["logits"], &[]);
    gpt::record(&gpt.config, g.input(&ids), &Params::new(&g, &gpt.weights));
    gpt.lens(g.at("blocks.1.resid_post").unwrap()).keep("lens");
    let plain = run(&mut cpu(), g);
    close("lens", &plain["lens"], &plain["logits"], 0.0);
    let edit =
        Edit { at: "blocks.0.attn.z".to_owned(), select: vec![("head".to_owned(), 1)], how: How::Zero };
    let without = taps(&mut cpu(), &gpt, &ids, &[edit]);
    assert!(without["logits"].max_abs_diff(&plain["logits"]) > 1e-2, "the head mattered");
}

#[test]
fn taps_have_the_names_of_transformer_lens() {
    let g = Graph::default();
    characters().record(&g, &[1, 2, 3]);
    let taps: Vec<String> = g.finish().taps.iter().map(|it| format!("{} ({})", it.name, it.axes)).collect();
    let block = "resid_pre (pos d_model), ln1 (pos d_model), attn.q (head pos d_head), attn.k (head pos d_head), \
                 attn.v (head pos d_head), attn.scores (head query key), attn.pattern (head query key), \
                 attn.z (head pos d_head), attn_out (pos d_model), resid_mid (pos d_model), ln2 (pos d_model), \
                 mlp.pre (pos d_mlp), mlp.post (pos d_mlp), mlp_out (pos d_model), resid_post (pos d_model)";
    let mut expected = vec!["embed (pos d_model)".to_owned(), "pos_embed (pos d_model)".to_owned()];
    for l in 0..3 {
        expected.extend(block.split(", ").map(|it| format!("blocks.{l}.{it}")));
    }
    expected.extend(["ln_final (pos d_model)".to_owned(), "logits (pos d_vocab)".to_owned()]);
    assert_eq!(taps, expected);
}
