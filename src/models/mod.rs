//! Models, each after its paper, and where their files come from.

pub mod bert;
pub mod checkpoint;
pub mod cnn;
pub mod config;
pub mod efficientnet;
pub mod fetch;
pub mod gpt;
mod kept;
mod pixels;
pub mod sampling;
pub mod source;
mod vision;
pub mod vit;
pub mod zoo;

pub use bert::Bert;
pub use checkpoint::{AnyConfig, AnyModel, LoadError};
pub use cnn::Cnn;
pub use efficientnet::EfficientNet;
pub use gpt::Gpt;
pub use kept::Kept;
pub use pixels::Pixels;
pub use source::{Files, Place, SourceError, place_of_link};
pub use vision::{Layer, Vision};
pub use vit::Vit;
pub use zoo::{Kind, Model, Status, Zoo};
