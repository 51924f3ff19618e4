//! What makes the tokens.

use std::borrow::Cow;
use std::future::{Future, ready};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{AddedToken, DecoderWrapper, Model as _, ModelWrapper, Tokenizer};

use super::Encoding;

/// A letter that no vocabulary has. A tokenizer that has an answer to it has one to every text.
const UNKNOWN: &str = "\u{a66e}";

/// What a `tokenizer.json` says, for a model that takes so many tokens.
pub struct Tokens {
    inner: Tokenizer,
    limit: usize,
}

/// Fetches what [`Tokens`] needs: natively nothing.
pub fn load() -> impl Future<Output = Result<(), String>> + Send + 'static {
    ready(Ok(()))
}

impl Tokens {
    /// Reads a `tokenizer.json`, for a model that takes up to `limit` tokens; or says what is wrong with it.
    ///
    /// The file's own padding and truncation are not read: sentence-transformers ships 128 of each.
    pub fn parse(json: &[u8], limit: usize) -> Result<Self, String> {
        let inner = tokenizer(json).map_err(|it| format!("this is not a tokenizer: {it:.200}"))?;
        let it = Self { inner, limit };
        match it.encode(UNKNOWN) {
            Ok(_) => Ok(it),
            Err(fault) => Err(format!("the tokenizer fails on characters that it does not know: {fault}")),
        }
    }

    /// The tokens of `text`, at most as many as the model takes; what ends every text (`[SEP]`) also ends a text that was cut.
    pub fn encode(&self, text: &str) -> Result<Encoding, String> {
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
        let model = self.inner.get_model();
        let count = model.get_vocab_size() as u32;
        // To list all tokens takes four times as long as to see that there are no gaps: then no id can be beyond their number.
        let own = if (0..count).all(|id| model.id_to_token(id).is_some()) {
            count
        } else {
            model.get_vocab().values().max().map_or(0, |id| id + 1)
        };
        let added = self.inner.get_added_vocabulary().get_vocab().values().max().map_or(0, |id| id + 1);
        own.max(added) as usize
    }
}

/// The parts of a `tokenizer.json`.
#[derive(Deserialize)]
struct Parts<'a> {
    version: Option<String>,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(borrow)]
    model: &'a RawValue,
}

/// The library would read the model, which is nearly all of the file, into two other forms before its own, and panic where what
/// stands for a decoder is no JSON. So it is handed each part, and the model as it is written.
fn tokenizer(json: &[u8]) -> Result<Tokenizer, String> {
    let it: Parts<'_> = serde_json::from_slice(json).map_err(|it| it.to_string())?;
    if let Some(version) = it.version.filter(|it| it != "1.0") {
        return Err(format!("version {version}, not 1.0"));
    }
    let mut inner = Tokenizer::new(model(it.model.get()).map_err(|it| it.to_string())?);
    inner
        .with_normalizer(part::<tokenizers::NormalizerWrapper>(it.normalizer)?)
        .with_pre_tokenizer(part::<tokenizers::PreTokenizerWrapper>(it.pre_tokenizer)?)
        .with_post_processor(part::<tokenizers::PostProcessorWrapper>(it.post_processor)?)
        .with_decoder(part::<DecoderWrapper>(it.decoder)?);
    inner.add_tokens(&it.added_tokens);
    let processor = serde_json::to_value(inner.get_post_processor());
    if !processor.is_ok_and(|it| is_complete(&it)) {
        return Err("post_processor names a token that it does not define".to_owned());
    }
    Ok(inner)
}

fn part<T: DeserializeOwned>(json: Value) -> Result<Option<T>, String> {
    serde_json::from_value(json).map_err(|it| it.to_string())
}

fn model(json: &str) -> serde_json::Result<ModelWrapper> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type", default)]
        name: Cow<'a, str>,
    }
    let kind: Kind<'_> = serde_json::from_str(json)?;
    match &*kind.name {
        "WordPiece" => serde_json::from_str::<WordPiece>(json).map(ModelWrapper::from),
        "BPE" => serde_json::from_str::<BPE>(json).map(ModelWrapper::from),
        _ => serde_json::from_str(json),
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
