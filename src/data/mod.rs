//! What goes into models: text as tokens or characters, pictures with their classes, and chance from a seed.

pub mod collage;
mod dataset;
mod error;
pub mod fashion;
mod idx;
mod inputs;
mod photo;
pub mod picture;
mod random;
pub mod shapes;
pub mod text;
mod tokenizer;

pub use collage::Collage;
pub use dataset::{Batches, Dataset, signed};
pub use error::{DataError, Fault};
pub use inputs::Inputs;
pub use photo::Photo;
pub use picture::Picture;
pub use random::Random;
pub use tokenizer::{Encoding, Tokenizer, TokenizerError};
