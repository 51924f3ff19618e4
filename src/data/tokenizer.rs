//! Text to tokens, with the last ones remembered. What makes them is a crate of its own (`tokens/`), which a page loads by itself.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use vitrine_tokens::Tokens;

pub use vitrine_tokens::Encoding;

/// The last texts are remembered: the interface asks for the same ones at every frame.
const REMEMBERED: usize = 8;

/// Turns text into token ids.
pub struct Tokenizer {
    tokens: Tokens,
    memory: Mutex<Vec<(String, Arc<Encoding>)>>,
}

/// Why there is no tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is not of the format, or some text would have no tokens.
    #[error("{0}")]
    Unusable(String),
    /// BERT needs at least one token.
    #[error("the tokenizer makes no token of an empty text; BERT expects [CLS] and [SEP]")]
    NoSpecials,
}

impl Tokenizer {
    /// Sees to it that [`Self::parse`] can be called, which a page cannot from the beginning: starts at once, not when it is awaited.
    pub fn prepare() -> impl Future<Output = Result<(), TokenizerError>> + 'static {
        let coming = vitrine_tokens::load();
        async { coming.await.map_err(TokenizerError::Unusable) }
    }

    /// Reads a `tokenizer.json`, for a model that takes up to `limit` tokens.
    pub fn parse(json: &[u8], limit: usize) -> Result<Self, TokenizerError> {
        let tokens = Tokens::parse(json, limit).map_err(TokenizerError::Unusable)?;
        Ok(Self { tokens, memory: Mutex::default() })
    }

    /// The same if even an empty text has tokens, as BERT needs them.
    pub fn with_specials(self) -> Result<Self, TokenizerError> {
        let empty = self.tokens.encode("").map_err(TokenizerError::Unusable)?;
        if empty.ids.is_empty() { Err(TokenizerError::NoSpecials) } else { Ok(self) }
    }

    /// The tokens of `text`, at most as many as the model takes; what ends every text (`[SEP]`) also ends a text that was cut.
    pub fn encode(&self, text: &str) -> Arc<Encoding> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = memory.iter().find(|(it, _)| it == text) {
            return Arc::clone(known);
        }
        let encoding = self.tokens.encode(text).unwrap_or_else(|fault| {
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
        self.tokens.token(id)
    }

    /// The text of `ids`, without the tokens that stand for no word.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokens.decode(ids)
    }

    /// One more than the largest id: how many rows an embedding table must have.
    pub fn vocabulary(&self) -> usize {
        self.tokens.vocabulary()
    }
}
