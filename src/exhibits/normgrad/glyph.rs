//! The virtual identities as pictures: the weights of a layer that changes nothing, filled where they are 1.

use crate::page::{Glyph, Sign};
use crate::saliency::normgrad::Identity;

/// Channels in the pictures.
const CHANNELS: usize = 4;

/// What stands between activation and gradient, over it the weights of the layer that is thought to be there.
pub(super) fn sign(identity: Identity) -> Sign {
    let symbol = match identity {
        Identity::Bias => "",
        it if multiplies(it) => "×",
        _ => "∘",
    };
    Sign { symbol, glyph: weights(identity), about: words(identity) }
}

/// Whether the norm of its gradient is a product of norms.
pub(super) fn multiplies(identity: Identity) -> bool {
    matches!(identity, Identity::Conv1x1 | Identity::Conv3x3)
}

/// What an identity does, and what its gradient is.
fn words(identity: Identity) -> &'static str {
    match identity {
        Identity::Bias => "A number is added to every channel, and it is 0. Its gradient at a place is g.",
        Identity::Scaling => {
            "Every channel is multiplied by a number, and it is 1. Its gradient at a place is x ∘ g."
        }
        Identity::Conv1x1 => {
            "Every channel becomes a mixture of all, and the mixture is the identity matrix. Its gradient at a place is x gᵀ."
        }
        Identity::Conv3x3 => {
            "A mixture of all channels at nine places: the identity matrix in the middle, zeros around. Its gradient is \
             that of nine x, one a place, with g."
        }
        Identity::Depthwise3x3 => {
            "Every channel by itself looks at nine places: 1 in the middle, zeros around."
        }
    }
}

/// The weights of an identity, framed by channel, and by place where these are nine.
fn weights(identity: Identity) -> Glyph {
    let diagonal = |from: usize| (from..from + CHANNELS).map(|i| [i, i]).collect();
    let (cells, filled, frames) = match identity {
        Identity::Bias => ([1, CHANNELS], vec![], [1, CHANNELS]),
        Identity::Scaling => ([1, CHANNELS], (0..CHANNELS).map(|i| [0, i]).collect(), [1, CHANNELS]),
        Identity::Conv1x1 => ([CHANNELS; 2], diagonal(0), [CHANNELS; 2]),
        Identity::Conv3x3 => ([3 * CHANNELS; 2], diagonal(CHANNELS), [3, 3]),
        Identity::Depthwise3x3 => ([3, 3], vec![[1, 1]], [3, 3]),
    };
    Glyph { cells, filled, frames }
}
