//! `vitrine trace`: what a model computes, as a file.

use std::collections::HashMap;
use std::path::PathBuf;

use safetensors::tensor::{Dtype, SafeTensorError, TensorView, serialize};
use vitrine::engine::Cancel;
use vitrine::graph::{Graph, Recording, matches};
use vitrine::models::Zoo;
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;

use super::{Choice, device, load_bert, write};

/// What is asked for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// A model of the zoo (minilm), or a folder with config.json, tokenizer.json and model.safetensors
    #[arg(long, default_value = "minilm")]
    model: String,
    /// The text
    #[arg(long)]
    text: String,
    /// Tensors to write, by name; `*` stands for any run of characters [default: blocks.*.attn.pattern and final]
    #[arg(long, value_name = "PATTERN")]
    keep: Vec<String>,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    device: Choice,
    /// The file to write: f32 tensors by name, the token ids as `tokens` (I64)
    #[arg(long)]
    out: PathBuf,
}

/// Runs the model and writes the file.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let bert = load_bert(&mut Zoo::default(), &options.model)?;
    let tokens = bert.tokenizer.encode(&options.text);
    if tokens.truncated() {
        eprintln!("vitrine: the first {} of {} tokens are used", tokens.ids.len(), tokens.total);
    }
    let patterns: Vec<&str> = match &options.keep[..] {
        [] => vec!["blocks.*.attn.pattern", "final"],
        keep => keep.iter().map(String::as_str).collect(),
    };
    let g = Graph::new(&patterns, &[]);
    bert.record(&g, &tokens.ids);
    let recording = g.finish();
    expect_matches(&patterns, &recording)?;

    let mut device = device(options.device)?;
    let trace = block_on(device.run(&recording, &Cancel::default())).map_err(|it| it.to_string())?;
    let mut tensors = vec![];
    for (name, kept) in &trace.tensors {
        tensors.push((name.as_str(), block_on(kept.read()).map_err(|it| it.to_string())?));
    }
    let about = [
        ("model", &options.model),
        ("text", &options.text),
        ("device", &trace.stats.device),
        ("vitrine", &env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let about = about.map(|(key, value)| (key.to_owned(), value.clone())).into();
    let bytes = to_safetensors(&tensors, &tokens.ids, about).map_err(|it| it.to_string())?;
    write(&options.out, &bytes)
}

/// A pattern that names nothing is a slip of the pen: say what there is.
fn expect_matches(patterns: &[&str], recording: &Recording) -> Result<(), String> {
    let taps = || recording.taps.iter().map(|it| it.name.as_str());
    let Some(idle) = patterns.iter().find(|pattern| !taps().any(|name| matches(pattern, name))) else {
        return Ok(());
    };
    let first = taps().filter(|name| !name.starts_with("blocks.") || name.starts_with("blocks.0."));
    let names: Vec<String> = first.map(|name| name.replace("blocks.0.", "blocks.*.")).collect();
    Err(format!("no tensor is named {idle}; there are {}", names.join(", ")))
}

fn to_safetensors(
    tensors: &[(&str, Tensor)],
    tokens: &[u32],
    about: HashMap<String, String>,
) -> Result<Vec<u8>, SafeTensorError> {
    let ids: Vec<u8> = tokens.iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect();
    let data: Vec<Vec<u8>> =
        tensors.iter().map(|(_, it)| it.data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let mut views = vec![("tokens", TensorView::new(Dtype::I64, vec![tokens.len()], &ids)?)];
    for ((name, tensor), data) in tensors.iter().zip(&data) {
        views.push((name, TensorView::new(Dtype::F32, tensor.shape.clone(), data)?));
    }
    serialize(views, Some(about))
}
