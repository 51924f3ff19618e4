//! Models, each after its paper, and where their files come from.

pub mod bert;
pub mod config;
pub mod fetch;
pub mod source;
pub mod zoo;

pub use bert::Bert;
pub use source::{Files, Place, SourceError, place_of_link};
pub use zoo::{Model, Status, Zoo};
