//! Models, each after its paper in a file of its own and a line of `families`, and where their files come from.

mod any;
pub mod bert;
mod beside;
mod checkpoint;
pub mod cnn;
pub mod config;
pub mod efficientnet;
mod families;
pub mod fetch;
pub mod gpt;
mod kept;
mod pixels;
pub mod regressor;
pub mod retnet;
pub mod sampling;
pub mod source;
mod vision;
pub mod vit;
pub mod zoo;

pub use any::{AnyModel, Kind, Language, Loaded, Sizes};
pub use bert::Bert;
pub use beside::{Beside, Found, awaited};
pub use checkpoint::LoadError;
pub use cnn::Cnn;
pub use efficientnet::EfficientNet;
pub use families::AnyConfig;
pub use gpt::Gpt;
pub use kept::Kept;
pub use pixels::Pixels;
pub use regressor::Regressor;
pub use retnet::Retnet;
pub use source::{Files, Place, SourceError, place_of_link};
pub use vision::{Layer, Vision};
pub use vit::Vit;
pub use zoo::{FULL, Model, Status, Zoo};
