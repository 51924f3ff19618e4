//! Text to tokens, as `tokenizer.json` says (Hugging Face's `tokenizers`), but cut where the model ends.
//!
//! The library is a sixth of the program, and the first picture needs none of it: a page has it in a wasm of its own
//! (`module.rs`), which [`load`] fetches and [`Tokens`] calls there.

#[cfg(any(not(target_arch = "wasm32"), feature = "module"))]
mod library;
#[cfg(not(any(not(target_arch = "wasm32"), feature = "module")))]
mod page;

#[cfg(any(not(target_arch = "wasm32"), feature = "module"))]
pub use library::{Tokens, load};
#[cfg(not(any(not(target_arch = "wasm32"), feature = "module")))]
pub use page::{Tokens, load};

/// A text as a model sees it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
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

impl Encoding {
    /// Whether the text was longer than the model's limit.
    pub fn truncated(&self) -> bool {
        self.total > self.ids.len()
    }
}
