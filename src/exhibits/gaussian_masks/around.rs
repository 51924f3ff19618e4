//! What lies around a patch: its row of a tensor as a map of the picture, and circles over that.

use crate::focus::Focus;
use crate::page::{Map, Scene};
use crate::tensor::Tensor;
use crate::trace::{Kept, Trace};
use crate::ui::{Circle, Circles};

/// The patch of `side` a side that was clicked; the bag's clasp if none was. Circles around the pointer could not be grasped.
pub(super) fn patch(focus: &Focus, side: usize) -> usize {
    let [row, col] = focus.locked.at.unwrap_or([280, 280]).map(|it| usize::from(it) * side / 1000);
    row * side + col
}

/// Patches along a side of the picture, of a tensor `[head, query, key]`.
pub(super) fn side(trace: &Trace, name: &str) -> usize {
    trace.get(name).map_or(1, |it| it.shape[1].isqrt()).max(1)
}

/// What patch `at` has in head `h` of a tensor `[head, query, key]`, as a map of the picture.
pub(super) fn of_patch(trace: &Trace, name: &str, h: usize, at: usize) -> Option<Map> {
    let (kept, side) = (trace.get(name)?, side(trace, name));
    let index = h.min(kept.shape[0] - 1) * side * side + at;
    Some(Map { rows: side, cols: side, index, ..Map::of(kept, 0)? })
}

/// The largest value of a map, signs dropped.
pub(super) fn most(map: &Map) -> f32 {
    map.values().iter().flat_map(|it| it.iter()).fold(1e-6, |most, it| most.max(it.abs()))
}

/// A map of the picture as a tensor of its own.
pub(super) fn own(side: usize, values: impl IntoIterator<Item = f32>) -> Option<Map> {
    let values: Vec<f32> = values.into_iter().collect();
    Map::of(&Kept::from(Tensor::new(&[side, side], values)), 0)
}

/// How far two patches lie apart, in patches.
pub(super) fn apart(side: usize, i: usize, j: usize) -> f32 {
    let [rows, cols] = [(i / side, j / side), (i % side, j % side)].map(|(a, b)| a.abs_diff(b) as f32);
    rows.hypot(cols)
}

/// Circles around a patch, of so many a side, of the picture at `rect`; which was dragged, and its radius in sides.
pub(super) fn circled(
    brush: Option<bool>,
    rect: egui::Rect,
    [at, side]: [usize; 2],
    circles: &[Circle],
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
) -> Option<(usize, f32)> {
    let centre = [at % side, at / side].map(|it| (it as f32 + 0.5) / side as f32);
    // A hand that draws is not to drag.
    let circles = Circles { rect, centre, circles, drags: brush.is_none() };
    let moved = circles.show(ui, scene.style);
    if let Some(words) = moved.words {
        scene.focus.readout = words;
    }
    moved.dragged
}
