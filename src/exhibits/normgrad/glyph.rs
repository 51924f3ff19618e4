//! The virtual identities as pictures: the weights of a layer that changes nothing, filled where they are 1.

use egui::{Rect, Sense, StrokeKind, Vec2, vec2};

use super::Identity;
use crate::ui::Style;

/// Channels in the pictures.
const CHANNELS: usize = 4;

/// The identities, with their names and what they are.
pub(super) const ALL: [(Identity, &str, &str); 5] = [
    (
        Identity::Bias,
        "bias",
        "A number is added to every channel, and it is 0. Its gradient at a place is g.",
    ),
    (
        Identity::Scaling,
        "scaling",
        "Every channel is multiplied by a number, and it is 1. Its gradient at a place is x ∘ g.",
    ),
    (
        Identity::Conv1x1,
        "1 x 1",
        "Every channel becomes a mixture of all, and the mixture is the identity matrix. Its gradient at a place is x gᵀ.",
    ),
    (
        Identity::Conv3x3,
        "3 x 3",
        "A mixture of all channels at nine places: the identity matrix in the middle, zeros around. Its gradient is that of \
         nine x, one a place, with g.",
    ),
    (
        Identity::Depthwise3x3,
        "depthwise 3 x 3",
        "Every channel by itself looks at nine places: 1 in the middle, zeros around.",
    ),
];

/// Draws the weights of an identity as a picture of `side` points.
pub(super) fn glyph(ui: &mut egui::Ui, style: &Style, identity: Identity, side: f32, lit: bool) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    let [rows, cols] = match identity {
        Identity::Bias | Identity::Scaling => [1, CHANNELS],
        Identity::Conv1x1 => [CHANNELS, CHANNELS],
        Identity::Conv3x3 => [3 * CHANNELS, 3 * CHANNELS],
        Identity::Depthwise3x3 => [3, 3],
    };
    let one = |row: usize, col: usize| match identity {
        Identity::Bias => false,
        Identity::Scaling => true,
        Identity::Conv1x1 => row == col,
        Identity::Conv3x3 => row == col && row / CHANNELS == 1,
        Identity::Depthwise3x3 => row == 1 && col == 1,
    };
    let cell = side / cols as f32;
    let top = rect.center().y - 0.5 * cell * rows as f32;
    let colour = if lit { style.accent } else { style.secondary };
    for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
        let at = egui::pos2(rect.left() + col as f32 * cell, top + row as f32 * cell);
        if one(row, col) {
            ui.painter().rect_filled(Rect::from_min_size(at, Vec2::splat(cell)), 0, colour);
        }
    }
    // The grid of places (and of channels, where they are few).
    let lines = if identity == Identity::Conv3x3 { 3 } else { cols };
    let step = side / lines as f32;
    let high = if rows == 1 { 1 } else { lines };
    for (row, col) in (0..high).flat_map(|row| (0..lines).map(move |col| (row, col))) {
        let at = egui::pos2(rect.left() + col as f32 * step, top + row as f32 * step);
        let frame = Rect::from_min_size(at, vec2(step, step));
        ui.painter().rect_stroke(frame, 0, style.hair(), StrokeKind::Middle);
    }
}

/// The choice among them.
pub(super) fn choice(ui: &mut egui::Ui, style: &Style, value: &mut Identity) {
    for (identity, name, words) in ALL {
        let lit = *value == identity;
        glyph(ui, style, identity, style.grid(2.5), lit);
        ui.selectable_value(value, identity, name).on_hover_text(words);
    }
}
