//! `vitrine trace`: what a model computes, as a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensorError, TensorView, serialize};
use serde_json::json;
use vitrine::data::Image;
use vitrine::engine::Cancel;
use vitrine::graph::{Graph, Recording, matches};
use vitrine::models::{AnyModel, Kind, Zoo};
use vitrine::nn::Params;
use vitrine::platform::{block_on, decode_photo};
use vitrine::tensor::Tensor;

use super::{Choice, device, load, tiles, write};

/// What is asked for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// A permalink, or its part from `#v1;` on: writes what its tiles compute and keep, `1/` before the names of the first
    pub(super) link: Option<String>,
    /// A model of the zoo, or a folder with config.json, model.safetensors and, if it reads text, tokenizer.json
    /// [default: minilm for a text, efficientnet-lite0 for an image]
    #[arg(long, conflicts_with = "link")]
    model: Option<String>,
    /// The text
    #[arg(long, required_unless_present_any = ["image", "link"], conflicts_with = "link")]
    text: Option<String>,
    /// The image: a JPEG, PNG or WebP file; with a link, the photograph that its tiles look at
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(super) image: Option<PathBuf>,
    /// Tensors to write, by name; `*` stands for any run of characters [default: all of a link, blocks.*.attn.pattern and
    /// final (of a GPT, logits) of a text, logits of an image]
    #[arg(long, value_name = "PATTERN")]
    pub(super) keep: Vec<String>,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    pub(super) device: Choice,
    /// The file to write: f32 tensors by name, the token ids of a text as `tokens` (I64), words in the header
    #[arg(long)]
    pub(super) out: PathBuf,
}

/// Runs the model, or the tiles of a link, and writes the file.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut zoo = Zoo::default();
    let (text, name) = match (&options.link, &options.image, &options.text) {
        (Some(link), _, _) => return tiles::run(link, options),
        (_, Some(_), _) => (None, options.model.as_deref().unwrap_or("efficientnet-lite0")),
        (_, _, Some(text)) => (Some(text), options.model.as_deref().unwrap_or("minilm")),
        (None, None, None) => return Err("a link, a text or an image is needed".to_owned()),
    };
    // An image that cannot be read is found out before a model is loaded.
    let picture = options.image.as_deref().map(picture).transpose()?;
    let model = load(&mut zoo, name)?;
    let patterns = patterns(options, &model);
    let g = Graph::new(&patterns, &[]);
    let (input, tokens) = match (&picture, text) {
        (Some(picture), _) => {
            image(name, picture, &model, &g)?;
            (("image", picture.name()), None)
        }
        (None, text) => {
            let text = text.map_or("", String::as_str);
            (("text", text.to_owned()), Some(sentence(name, text, &model, &g)?))
        }
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
        ("model", name.to_owned()),
        input,
        ("device", trace.stats.device.clone()),
        ("vitrine", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let words = trace.labels.iter().map(|(name, words)| (name.clone(), json!(words).to_string()));
    let about = about.map(|(key, value)| (key.to_owned(), value)).into_iter().chain(words).collect();
    let bytes = to_safetensors(&tensors, tokens.as_deref(), about).map_err(|it| it.to_string())?;
    write(&options.out, &bytes)
}

/// The names of what is written.
fn patterns<'a>(options: &'a Options, model: &AnyModel) -> Vec<&'a str> {
    if !options.keep.is_empty() {
        return options.keep.iter().map(String::as_str).collect();
    }
    match model.sizes().kind() {
        Kind::Encoder => vec!["blocks.*.attn.pattern", "final"],
        Kind::Decoder | Kind::Recurrent => vec!["blocks.*.attn.pattern", "logits"],
        Kind::Vision => vec!["logits"],
        Kind::Regressor => vec![],
    }
}

/// Records a model on a text; returns the ids of its tokens.
fn sentence(name: &str, text: &str, model: &AnyModel, g: &Graph) -> Result<Vec<u32>, String> {
    let model = model.language().ok_or_else(|| format!("{name} reads no text: give it an --image"))?;
    let tokens = model.tokenizer().encode(text);
    if tokens.ids.is_empty() {
        return Err(format!("{name} knows nothing of this text"));
    }
    if tokens.truncated() {
        eprintln!("vitrine: the first {} of {} tokens are used", tokens.ids.len(), tokens.total);
    }
    model.record(g, &tokens.ids);
    Ok(tokens.ids.clone())
}

/// The photograph in a file.
pub(super) fn picture(path: &Path) -> Result<Image, String> {
    let fault = |it: &dyn std::fmt::Display| format!("{}: {it}", path.display());
    let bytes = std::fs::read(path).map_err(|it| fault(&it))?;
    let photo = block_on(decode_photo(bytes)).map_err(|it| fault(&it))?;
    Ok(Image::Photo { name: path.display().to_string(), photo: Some(Arc::new(photo)) })
}

/// Records a model of images on a photograph.
fn image(name: &str, picture: &Image, model: &AnyModel, g: &Graph) -> Result<(), String> {
    let model = model.vision().ok_or_else(|| format!("{name} looks at no image"))?;
    let image = model.image(picture).ok_or_else(|| format!("{}: it is empty", picture.name()))?;
    model.record(g.input(&image), &Params::new(g, model.weights()));
    Ok(())
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

/// The tensors by name as safetensors, and what is told about them.
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
