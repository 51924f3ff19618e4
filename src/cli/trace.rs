//! `vitrine trace`: what a model computes, as a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensorError, TensorView, serialize};
use vitrine::data::Picture;
use vitrine::engine::Cancel;
use vitrine::graph::{Graph, Recording, matches};
use vitrine::models::Zoo;
use vitrine::nn::Params;
use vitrine::platform::{block_on, decode_photo};
use vitrine::tensor::Tensor;

use super::{Choice, device, load, load_bert, write};

/// What is asked for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// A model of the zoo, or a folder with config.json, model.safetensors and, if it reads text, tokenizer.json
    /// [default: minilm for a text, efficientnet-lite0 for an image]
    #[arg(long)]
    model: Option<String>,
    /// The text
    #[arg(long, required_unless_present = "image")]
    text: Option<String>,
    /// The image: a JPEG, PNG or WebP file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    image: Option<PathBuf>,
    /// Tensors to write, by name; `*` stands for any run of characters [default: blocks.*.attn.pattern and final of a text,
    /// logits of an image]
    #[arg(long, value_name = "PATTERN")]
    keep: Vec<String>,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    device: Choice,
    /// The file to write: f32 tensors by name, the token ids of a text as `tokens` (I64)
    #[arg(long)]
    out: PathBuf,
}

/// Runs the model and writes the file.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let usual: &[&str] =
        if options.image.is_some() { &["logits"] } else { &["blocks.*.attn.pattern", "final"] };
    let patterns: Vec<&str> = if options.keep.is_empty() {
        usual.to_vec()
    } else {
        options.keep.iter().map(String::as_str).collect()
    };
    let g = Graph::new(&patterns, &[]);
    let mut zoo = Zoo::default();
    let (model, input, tokens) = match (&options.image, &options.text) {
        (Some(path), _) => image(options, path, &mut zoo, &g)?,
        (None, Some(text)) => sentence(options, text, &mut zoo, &g)?,
        (None, None) => return Err("a text or an image is needed".to_owned()),
    };
    let recording = g.finish();
    expect_matches(&patterns, &recording)?;

    let mut device = device(options.device)?;
    let trace = block_on(device.run(&recording, &Cancel::default())).map_err(|it| it.to_string())?;
    let mut tensors = vec![];
    for (name, kept) in &trace.tensors {
        tensors.push((name.as_str(), block_on(kept.read()).map_err(|it| it.to_string())?));
    }
    let about = [
        ("model", model),
        input,
        ("device", trace.stats.device.clone()),
        ("vitrine", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let about = about.map(|(key, value)| (key.to_owned(), value)).into();
    let bytes = to_safetensors(&tensors, tokens.as_deref(), about).map_err(|it| it.to_string())?;
    write(&options.out, &bytes)
}

/// The model's name, what it was given, and the tokens of it.
type Given = (String, (&'static str, String), Option<Vec<u32>>);

/// Records a BERT on a text.
fn sentence(options: &Options, text: &str, zoo: &mut Zoo, g: &Graph) -> Result<Given, String> {
    let name = options.model.as_deref().unwrap_or("minilm");
    let bert = load_bert(zoo, name)?;
    let tokens = bert.tokenizer.encode(text);
    if tokens.truncated() {
        eprintln!("vitrine: the first {} of {} tokens are used", tokens.ids.len(), tokens.total);
    }
    bert.record(g, &tokens.ids);
    Ok((name.to_owned(), ("text", text.to_owned()), Some(tokens.ids.clone())))
}

/// Records a model of images on a photograph.
fn image(options: &Options, path: &Path, zoo: &mut Zoo, g: &Graph) -> Result<Given, String> {
    let name = options.model.as_deref().unwrap_or("efficientnet-lite0");
    let fault = |it: &dyn std::fmt::Display| format!("{}: {it}", path.display());
    let bytes = std::fs::read(path).map_err(|it| fault(&it))?;
    let photo = block_on(decode_photo(bytes)).map_err(|it| fault(&it))?;
    let model = load(zoo, name)?;
    let model = model.vision().ok_or_else(|| format!("{name} looks at no image"))?;
    let picture = Picture::Photo { name: path.display().to_string(), photo: Some(Arc::new(photo)) };
    let image = model.image(&picture).ok_or_else(|| fault(&"it is empty"))?;
    model.record(g.input(&image), &Params::new(g, model.weights()));
    Ok((name.to_owned(), ("image", path.display().to_string()), None))
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

/// The tensors by name, and what is told about them.
pub(super) fn to_safetensors(
    tensors: &[(&str, Tensor)],
    tokens: Option<&[u32]>,
    about: HashMap<String, String>,
) -> Result<Vec<u8>, SafeTensorError> {
    let ids: Option<Vec<u8>> =
        tokens.map(|it| it.iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect());
    let data: Vec<Vec<u8>> =
        tensors.iter().map(|(_, it)| it.data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let mut views = vec![];
    if let Some(ids) = &ids {
        views.push(("tokens", TensorView::new(Dtype::I64, vec![ids.len() / 8], ids)?));
    }
    for ((name, tensor), data) in tensors.iter().zip(&data) {
        views.push((name, TensorView::new(Dtype::F32, tensor.shape.clone(), data)?));
    }
    serialize(views, Some(about))
}
