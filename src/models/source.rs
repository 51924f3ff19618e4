//! Where a model's files come from: a folder, an address, or a drop.

use std::path::{Path, PathBuf};

use super::Kept;
use super::any::{AnyModel, Kind};
use super::checkpoint::LoadError;
use super::config::ConfigFile;
use super::families::AnyConfig;
use super::fetch::{FetchError, Progress, fetch};
use crate::data::Tokenizer;
use crate::platform;
use crate::weights::Weights;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
/// What a model of images makes of pixels; those that have none take colours from -1 to 1.
const PIXELS: &str = "preprocessor_config.json";

/// Where a model's files may lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A folder. A browser has none: reading one fails there at once.
    Folder(PathBuf),
    /// The program itself, which has the model of this id in it. A page has none.
    Program(String),
    /// An address that ends in `/`. It may be relative to the page; without a page that fails at once.
    Url(String),
    /// An address whose files stay in a folder of this machine.
    Kept(Kept),
}

/// Why no model came from a place.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file of a folder.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which file.
        path: String,
        /// The system's words.
        reason: std::io::Error,
    },
    /// A download.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What the files hold.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file of the program.
    #[error("{0} does not come along with the program")]
    Program(String),
    /// Files that were not given.
    #[error(
        "{missing} is missing: a model is config.json, model.safetensors and, if it reads text, tokenizer.json together"
    )]
    Missing {
        /// Which.
        missing: String,
    },
    /// There was nowhere to look.
    #[error("there is no place to load this model from")]
    Nowhere,
    /// Not an address.
    #[error("{0:?} is no address of a model; it begins with https://")]
    Link(String),
}

/// The contents of a model's files.
pub struct Files {
    config: Vec<u8>,
    tokenizer: Option<Vec<u8>>,
    pixels: Option<Vec<u8>>,
    weights: Vec<u8>,
}

impl Files {
    /// Picks a model's files out of `files` (names, folders before them or not, and contents).
    pub fn pick(mut files: Vec<(String, Vec<u8>)>) -> Result<Self, SourceError> {
        let mut take = |wanted: fn(&str) -> bool| {
            let position = files.iter().position(|(name, _)| wanted(last_part(name)));
            position.map(|i| files.swap_remove(i).1)
        };
        let config = take(|name| name == CONFIG);
        let tokenizer = take(|name| name == TOKENIZER);
        let weights = take(|name| name == WEIGHTS).or_else(|| take(|name| has_ending(name, "safetensors")));
        let pixels = take(|name| name == PIXELS);
        let text =
            config.as_deref().and_then(|it| AnyConfig::parse(it).ok()).is_none_or(|it| it.reads_text());
        match (config, weights) {
            (Some(config), Some(weights)) if !text || tokenizer.is_some() => {
                Ok(Self { config, tokenizer, pixels, weights })
            }
            (config, weights) => {
                let there = [config.is_some(), !text || tokenizer.is_some(), weights.is_some()];
                let missing = [CONFIG, TOKENIZER, WEIGHTS].into_iter().zip(there).filter(|(_, there)| !there);
                let missing: Vec<&str> = missing.map(|(name, _)| name).collect();
                Err(SourceError::Missing { missing: missing.join(" and ") })
            }
        }
    }

    /// What the model is for, if its `config.json` says so.
    pub fn kind(&self) -> Option<Kind> {
        AnyConfig::parse(&self.config).ok().map(|it| it.kind())
    }

    /// The memory that the model needs, in bytes, if its `config.json` says so.
    pub fn memory(&self) -> Option<u64> {
        AnyConfig::parse(&self.config).ok().map(|it| it.memory())
    }

    /// The model that they are. Lets the browser draw before each of the two long steps.
    pub async fn load(self) -> Result<AnyModel, SourceError> {
        platform::breathe().await;
        if self.tokenizer.is_some() {
            Tokenizer::prepare().await.map_err(LoadError::from)?;
        }
        let mut config = AnyConfig::parse(&self.config).map_err(LoadError::from)?;
        if let Some(pixels) = &self.pixels {
            config.set_pixels(pixels).map_err(LoadError::Pixels)?;
        }
        Ok(config.load(self.tokenizer.as_deref(), self.weights)?)
    }
}

/// Loads the model from the first of `places` that has one.
pub async fn load(places: &[Place], progress: &Progress) -> Result<AnyModel, SourceError> {
    let (place, config) = find(places, progress).await?;
    let parsed = AnyConfig::parse(&config).map_err(LoadError::from)?; // Before the long download.
    let (mut tokenizer, mut pixels) = (None, None);
    let _beside_the_files = parsed.reads_text().then(Tokenizer::prepare); // `Files::load` waits for it.
    if parsed.reads_text() {
        tokenizer = Some(place.read(TOKENIZER, &progress.aside()).await?);
    } else if parsed.kind() == Kind::Vision
        && ConfigFile::parse(&config).is_ok_and(|it| it.absent("image_mean"))
    {
        let found = place.read(PIXELS, &progress.aside()).await.ok();
        pixels = found.filter(|it| it.trim_ascii_start().starts_with(b"{")); // some servers answer with a page
    }
    let weights = place.read(WEIGHTS, progress).await?;
    Weights::verify(&weights).map_err(LoadError::from)?;
    Files { config, tokenizer, pixels, weights }.load().await
}

/// The memory that the model in the first of `places` that has one needs, in bytes, from its `config.json` alone.
pub async fn memory(places: &[Place], progress: &Progress) -> Result<u64, SourceError> {
    let (_, config) = find(places, progress).await?;
    Ok(AnyConfig::parse(&config).map_err(LoadError::from)?.memory())
}

/// The first place with a `config.json`, and what that says. Some servers answer every address with a page: no JSON.
async fn find<'p>(places: &'p [Place], progress: &Progress) -> Result<(&'p Place, Vec<u8>), SourceError> {
    let mut fault = SourceError::Nowhere;
    for place in places {
        match place.read(CONFIG, &progress.aside()).await {
            Ok(config) if !config.trim_ascii_start().starts_with(b"<") => return Ok((place, config)),
            Ok(_) => {}
            Err(it @ SourceError::Fetch(FetchError::Cancelled)) => return Err(it),
            Err(it) => fault = it,
        }
    }
    Err(fault)
}

impl Place {
    async fn read(&self, file: &str, progress: &Progress) -> Result<Vec<u8>, SourceError> {
        match self {
            Self::Url(base) => Ok(fetch(&format!("{base}{file}"), progress).await?),
            Self::Kept(it) => Ok(it.read(file, progress).await?),
            Self::Program(id) => {
                let name = format!("models/{id}/{file}");
                let bytes = platform::embedded(&name).ok_or(SourceError::Program(name))?;
                Ok(bytes.to_vec())
            }
            Self::Folder(folder) => {
                let path = folder.join(file);
                let fault = |reason| SourceError::File { path: path.display().to_string(), reason };
                let bytes = std::fs::read(&path).map_err(fault)?;
                progress.set(bytes.len() as u64, bytes.len() as u64);
                Ok(bytes)
            }
        }
    }
}

/// Where the files of a link lie, and a name for the model. A repository of Hugging Face, a page that shows one of its
/// files (`blob`, `tree`), the file itself, or any folder of any server.
pub fn place_of_link(link: &str) -> Result<(Place, String), SourceError> {
    let link = link.trim().split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = link.split_once("://").ok_or_else(|| SourceError::Link(link.to_owned()))?;
    let mut parts: Vec<&str> = rest.split('/').filter(|it| !it.is_empty()).collect();
    if !matches!(scheme, "http" | "https") || parts.len() < 2 {
        return Err(SourceError::Link(link.to_owned()));
    }
    if parts.last().is_some_and(|it| has_ending(it, "json") || has_ending(it, "safetensors")) {
        parts.pop();
    }
    if !matches!(parts[0], "huggingface.co" | "www.huggingface.co" | "hf.co") {
        let name = parts[parts.len() - 1].to_owned();
        return Ok((Place::Url(format!("{scheme}://{}/", parts.join("/"))), name));
    }
    let revision = parts.iter().position(|it| matches!(*it, "blob" | "tree" | "resolve" | "raw"));
    let (repository, revision) = parts.split_at(revision.unwrap_or(parts.len()));
    let revision = if let [_, at @ ..] = revision { at.join("/") } else { "main".to_owned() };
    let name = repository[repository.len() - 1].to_owned();
    let repository = repository[1..].join("/");
    Ok((Place::Url(format!("https://huggingface.co/{repository}/resolve/{revision}/")), name))
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it.eq_ignore_ascii_case(ending))
}

fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The folder in which this user's system keeps what can be fetched again: `vitrine/models` in it. None in a browser.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let system = match std::env::consts::OS {
        "windows" => variable("LOCALAPPDATA"),
        "macos" => variable("HOME").map(|it| it.join("Library/Caches")),
        _ => variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|it| it.join(".cache"))),
    };
    system.map(|it| it.join("vitrine/models"))
}
