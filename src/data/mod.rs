//! What goes into models: text as tokens or characters, pictures with their classes, and chance from a seed.

pub mod collage;
mod dataset;
mod error;
pub mod fashion;
mod idx;
pub mod image;
mod inputs;
mod photo;
mod random;
pub mod shapes;
pub mod text;
mod tokenizer;

pub use collage::Collage;
pub use dataset::{Batches, Dataset, signed};
pub use error::{DataError, Fault};
pub use image::Image;
pub use inputs::Inputs;
pub use photo::Photo;
pub use random::Random;
pub use tokenizer::{Encoding, Tokenizer, TokenizerError};
