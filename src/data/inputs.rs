//! What all tiles look at.

use serde::{Deserialize, Serialize};

use super::Image;

/// What all tiles look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// The sentence.
    pub text: String,
    /// Id of the model that reads it as a whole.
    pub model: String,
    /// What models of images look at.
    pub picture: Image,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            text: "The animal didn't cross the street because it was too tired.".to_owned(),
            model: "minilm".to_owned(),
            picture: Image::default(),
        }
    }
}
