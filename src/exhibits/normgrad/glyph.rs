//! The virtual identities as pictures: the weights of a layer that changes nothing, filled where they are 1.

use egui::{Rect, StrokeKind, Vec2, pos2};

use crate::saliency::normgrad::Identity;
use crate::ui::Style;

/// Channels in the pictures.
const CHANNELS: usize = 4;

/// What an identity does, and what its gradient is.
pub(super) fn words(identity: Identity) -> &'static str {
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

/// Draws the weights of an identity into a square.
pub(super) fn paint(ui: &egui::Ui, style: &Style, identity: Identity, square: Rect) {
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
    // Every place of `rows` x `cols` in the square.
    let cells = |rows: usize, cols: usize| {
        let cell = square.width() / cols as f32;
        let corner = pos2(square.left(), square.center().y - 0.5 * cell * rows as f32);
        (0..rows * cols).map(move |i| {
            let at = Vec2::new((i % cols) as f32, (i / cols) as f32);
            (i / cols, i % cols, Rect::from_min_size(corner + cell * at, Vec2::splat(cell)))
        })
    };
    for (_, _, cell) in cells(rows, cols).filter(|it| one(it.0, it.1)) {
        ui.painter().rect_filled(cell, 0, style.secondary);
    }
    // The grid of places (and of channels, where they are few).
    let lines = if identity == Identity::Conv3x3 { 3 } else { cols };
    for (_, _, frame) in cells(if rows == 1 { 1 } else { lines }, lines) {
        ui.painter().rect_stroke(frame, 0, style.hair(), StrokeKind::Middle);
    }
}
