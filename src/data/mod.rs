//! What goes into models: text as tokens.

mod tokenizer;

pub use tokenizer::{Encoding, Tokenizer, TokenizerError};
