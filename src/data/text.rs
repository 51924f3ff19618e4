//! Text as characters: a vocabulary, a part that is held out, and windows of the rest.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Random;
use super::error::{DataError, Fault};
use crate::tensor::Tensor;

/// The file that `./run data` fetches: Shakespeare's works in modern spelling, 5 MB.
pub const SHAKESPEARE: &str = "data/shakespeare.txt";

const ADVICE: &str = "`./run data` fetches it anew";

/// The characters that a model knows, by id.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// In ascending order.
    pub characters: Vec<char>,
}

/// A text in two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The characters of both parts.
    pub vocabulary: Vocabulary,
    /// Ids of the part to learn from.
    pub train: Vec<u32>,
    /// Ids of the part that is held out.
    pub held_out: Vec<u32>,
}

/// Windows of a text, and for each of their characters the one that follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// `[batch, pos]`
    pub tokens: Tensor,
    /// `[batch, pos]`
    pub next: Tensor,
}

/// Shakespeare, where `./run data` puts it; `VITRINE_SHAKESPEARE` names another file.
pub fn shakespeare() -> Result<Text, DataError> {
    let own = std::env::var_os("VITRINE_SHAKESPEARE").filter(|it| !it.is_empty());
    load(&own.map_or_else(|| PathBuf::from(SHAKESPEARE), PathBuf::from))
}

/// Reads a text file; its last tenth is held out.
pub fn load(path: &Path) -> Result<Text, DataError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|reason| match reason.kind() {
        std::io::ErrorKind::NotFound => {
            DataError::Absent { what: "the text", path: name.clone(), advice: ADVICE }
        }
        _ => DataError::File { path: name.clone(), reason },
    })?;
    let damaged = |fault| DataError::Damaged { name: name.clone(), fault, advice: ADVICE };
    let text =
        String::from_utf8(bytes).map_err(|it| damaged(Fault::Encoding(it.utf8_error().valid_up_to())))?;
    let have = text.chars().count();
    if have < 20 {
        return Err(damaged(Fault::Count { have, what: "characters", need: 20 }));
    }
    Ok(Text::new(&text))
}

impl Text {
    /// Splits `text`: its last tenth is held out, whole scenes that training never sees.
    pub fn new(text: &str) -> Self {
        let vocabulary = Vocabulary::of(text);
        let mut train = vocabulary.encode(text);
        let held_out = train.split_off(train.len() - train.len() / 10);
        Self { vocabulary, train, held_out }
    }
}

impl Vocabulary {
    /// The characters of `text`.
    pub fn of(text: &str) -> Self {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        Self { characters }
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The ids of `text`, without the characters that are not known.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let id = |it: char| self.characters.binary_search(&it).ok().map(|id| id as u32);
        text.chars().filter_map(id).collect()
    }

    /// The text of `ids`.
    pub fn decode(&self, ids: &[u32]) -> String {
        ids.iter().filter_map(|id| self.characters.get(*id as usize)).collect()
    }

    /// The same as a `tokenizer.json`, so that a model of characters is a checkpoint like any other: pairs of which none
    /// is ever merged.
    pub fn tokenizer(&self) -> Value {
        let ids: serde_json::Map<_, _> =
            self.characters.iter().zip(0..).map(|(it, id)| (it.to_string(), json!(id))).collect();
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": null, "post_processor": null, "decoder": { "type": "Fuse" },
            "model": { "type": "BPE", "vocab": ids, "merges": [] },
        })
    }
}

/// `batch` random windows of `pos` characters of `ids`: those that step `step` of a training with `seed` sees.
pub fn windows(ids: &[u32], batch: usize, pos: usize, seed: u64, step: usize) -> Windows {
    let mut random = Random::stream(seed, step as u64);
    let places = ids.len().saturating_sub(pos);
    assert!(places > 0, "a window of {pos} of {} characters, and the one that follows", ids.len());
    windows_at(ids, pos, &(0..batch).map(|_| random.below(places)).collect::<Vec<_>>())
}

/// The windows of `pos` characters that begin at `starts`.
pub fn windows_at(ids: &[u32], pos: usize, starts: &[usize]) -> Windows {
    let from = |shift: usize| {
        let windows = starts.iter().flat_map(|start| &ids[start + shift..][..pos]);
        Tensor::new(&[starts.len(), pos], windows.map(|id| *id as f32).collect::<Vec<_>>())
    };
    Windows { tokens: from(0), next: from(1) }
}
