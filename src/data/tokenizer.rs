//! Text to tokens, as `tokenizer.json` says (Hugging Face's `tokenizers`), but cut where the model ends.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokenizers::DecoderWrapper;

/// The last texts are remembered: the interface asks for the same ones at every frame.
const REMEMBERED: usize = 8;

/// A letter that no vocabulary has. A tokenizer that has an answer to it has one to every text.
const UNKNOWN: &str = "\u{a66e}";

/// Turns text into token ids.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    limit: usize,
    memory: Mutex<Vec<(String, Arc<Encoding>)>>,
}

/// A text as a model sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    /// Rows of the embedding table.
    pub ids: Vec<u32>,
    /// The tokens as they are displayed: `un`, `##glue`, `[SEP]`; those of GPT-2 as the letters that their bytes spell.
    pub tokens: Vec<String>,
    /// Which tokens stand for no word: `[CLS]`, `[SEP]`, `[MASK]`.
    pub special: Vec<bool>,
    /// Which characters of the text each token covers; `(0, 0)` for those that the model adds.
    pub offsets: Vec<(usize, usize)>,
    /// How many tokens the whole text has.
    pub total: usize,
}

/// Why a `tokenizer.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Not the format, or a part of it that is not known.
    #[error("this is not a tokenizer: {0:.200}")]
    Malformed(String),
    /// Some text has no tokens.
    #[error("the tokenizer fails on characters that it does not know: {0}")]
    Unknown(String),
    /// BERT needs at least one token.
    #[error("the tokenizer makes no token of an empty text; BERT expects [CLS] and [SEP]")]
    NoSpecials,
}

impl Encoding {
    /// Whether the text was longer than the model's limit.
    pub fn truncated(&self) -> bool {
        self.total > self.ids.len()
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, for a model that takes up to `limit` tokens.
    ///
    /// The file's own padding and truncation are switched off: sentence-transformers ships 128 of each.
    pub fn parse(json: &[u8], limit: usize) -> Result<Self, TokenizerError> {
        // The library panics where what it holds for a decoder is no JSON.
        serde_json::from_slice::<Value>(json).map_err(|it| TokenizerError::Malformed(it.to_string()))?;
        let malformed = |it: tokenizers::Error| TokenizerError::Malformed(it.to_string());
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(malformed)?;
        inner.with_truncation(None).map_err(malformed)?.with_padding(None);
        let processor = serde_json::to_value(inner.get_post_processor());
        if !processor.is_ok_and(|it| is_complete(&it)) {
            return Err(TokenizerError::Malformed(
                "post_processor names a token that it does not define".to_owned(),
            ));
        }
        let it = Self { inner, limit, memory: Mutex::default() };
        it.compute(UNKNOWN).map_err(TokenizerError::Unknown)?;
        Ok(it)
    }

    /// The same if even an empty text has tokens, as BERT needs them.
    pub fn with_specials(self) -> Result<Self, TokenizerError> {
        let empty = self.compute("").map_err(TokenizerError::Unknown)?;
        if empty.ids.is_empty() { Err(TokenizerError::NoSpecials) } else { Ok(self) }
    }

    /// The tokens of `text`, at most `limit`; what ends every text (`[SEP]`) also ends a text that was cut.
    pub fn encode(&self, text: &str) -> Arc<Encoding> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = memory.iter().find(|(it, _)| it == text) {
            return Arc::clone(known);
        }
        let encoding = self.compute(text).unwrap_or_else(|fault| {
            log::error!("no tokens for {text:?}: {fault}");
            Encoding::default()
        });
        let encoding = Arc::new(encoding);
        if memory.len() == REMEMBERED {
            memory.remove(0);
        }
        memory.push((text.to_owned(), Arc::clone(&encoding)));
        encoding
    }

    /// The token of an id as it is displayed.
    pub fn token(&self, id: u32) -> String {
        // GPT-2 writes bytes as letters, a space as U+0120: its decoder reads them.
        let bytes = matches!(self.inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let spelt = if bytes { self.inner.decode(&[id], false).ok() } else { self.inner.id_to_token(id) };
        spelt.filter(|it| !it.is_empty()).unwrap_or_else(|| format!("#{id}"))
    }

    /// The text of `ids`, without the tokens that stand for no word.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    /// One more than the largest id: how many rows an embedding table must have.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    fn compute(&self, text: &str) -> Result<Encoding, String> {
        let whole = self.inner.encode_char_offsets(text, true).map_err(|it| it.to_string())?;
        let total = whole.len();
        let added = whole.get_special_tokens_mask();
        let tail = added.iter().rev().take_while(|it| **it == 1).count().min(self.limit);
        let kept: Vec<usize> = if total > self.limit {
            (0..self.limit - tail).chain(total - tail..total).collect()
        } else {
            (0..total).collect()
        };
        let (ids, tokens, offsets) = (whole.get_ids(), whole.get_tokens(), whole.get_offsets());
        let known = self.inner.get_added_vocabulary();
        Ok(Encoding {
            ids: kept.iter().map(|&i| ids[i]).collect(),
            tokens: kept.iter().map(|&i| self.token(ids[i])).collect(),
            special: kept.iter().map(|&i| added[i] == 1 || known.is_special_token(&tokens[i])).collect(),
            offsets: kept.iter().map(|&i| offsets[i]).collect(),
            total,
        })
    }
}

/// Whether the templates that put tokens such as `[CLS]` around a text define all of them, and ask for one text only: the library
/// looks at neither and would panic.
fn is_complete(processor: &Value) -> bool {
    if let Some(several) = processor["processors"].as_array() {
        return several.iter().all(is_complete);
    }
    let length = |token: &Value, list: &str| token[list].as_array().map_or(0, Vec::len);
    processor["single"].as_array().is_none_or(|pieces| {
        pieces.iter().all(|piece| match piece["SpecialToken"]["id"].as_str() {
            Some(id) => {
                let token = &processor["special_tokens"][id];
                length(token, "ids") > 0 && length(token, "ids") == length(token, "tokens")
            }
            None => piece["Sequence"]["id"] == "A",
        })
    })
}
