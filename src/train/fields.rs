//! Clothes told apart by small transformers whose attention is bent by different fields of distance, and by one whose is not
//! (Li & Zhang 2023, arXiv 2309.05375; Fan et al. 2024, arXiv 2309.11523): the same model, data and steps, so that only the
//! field differs. All read the mean of their patches, as a class token would have no place in a field.
//!
//! The last 5000 training pictures are for choices; what is published is measured on the test pictures once.

use super::images::{Architecture, Images, open};
use super::{NamedRecipe, Opened};
use crate::models::vit::{Field, LEARNT, Pool};

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 6] = [
    NamedRecipe {
        name: "fashion-plain",
        about: "clothes, by a small transformer with plain attention",
        open: |steps| arm("fashion-plain", Field::None, &LEARNT, steps),
    },
    NamedRecipe {
        name: "fashion-gmm",
        about: "the same with Gaussian mixture masks",
        open: |steps| arm("fashion-gmm", Field::Gaussian { components: 5 }, &LEARNT, steps),
    },
    NamedRecipe {
        name: "fashion-gmm-decayed",
        about: "the same with Gaussian mixture masks that weight decay shrinks, too",
        open: |steps| arm("fashion-gmm-decayed", Field::Gaussian { components: 5 }, &[], steps),
    },
    NamedRecipe {
        name: "fashion-elm",
        about: "the same with an element-wise mask",
        open: |steps| arm("fashion-elm", Field::Elementwise, &LEARNT, steps),
    },
    NamedRecipe {
        name: "fashion-rmt",
        about: "the same with the Manhattan decay of RMT",
        open: |steps| arm("fashion-rmt", Field::Manhattan { decomposed: false }, &LEARNT, steps),
    },
    NamedRecipe {
        name: "fashion-rmt-decomposed",
        about: "the same with the Manhattan decay of RMT, along rows, then columns",
        open: |steps| arm("fashion-rmt-decomposed", Field::Manhattan { decomposed: true }, &LEARNT, steps),
    },
];

/// The model without its data; weight decay leaves the parameters alone whose names end with one of `exempt`.
pub fn model(name: &'static str, field: Field, exempt: &'static [&'static str]) -> Images {
    let mut images = Images::vit(name, Pool::Mean);
    images.exempt = exempt;
    if let Architecture::Vit(config) = &mut images.model {
        (config.d_model, config.layers, config.d_mlp, config.field) = (48, 3, 96, field);
    }
    images
}

fn arm(name: &'static str, field: Field, exempt: &'static [&'static str], steps: Option<u32>) -> Opened {
    let mut images = model(name, field, exempt);
    (images.steps, images.batch, images.validation) = (steps.unwrap_or(1500), 32, 5000);
    open(images)
}
