//! Who looks where: all heads as thumbnails, and one of them large.

use super::NextCharacter;
use super::reading::visible;
use crate::focus::Spot;
use crate::page::{Cells, Heads, Map, Page, Picture, Room, Scene, panel};
use crate::trace::{Kept, Trace};
use crate::ui::Mark;

/// The head that is shown before anybody chose one: from every character it looks at the space before the word.
const FIRST: (usize, usize) = (1, 0);

/// The attention patterns `[head, query, key]` of all layers; none in a picture that was recorded.
fn patterns(trace: &Trace) -> Vec<&Kept> {
    (0..1000).map_while(|l| trace.get(&format!("blocks.{l}.attn.pattern"))).collect()
}

/// Layer and head whose attention is shown.
fn chosen(layers: &[&Kept], spot: Spot) -> Option<(usize, usize)> {
    let heads = layers.first()?.shape[0];
    let (l, h) = (spot.layer.unwrap_or(FIRST.0), spot.head.unwrap_or(FIRST.1));
    Some((l.min(layers.len() - 1), h.min(heads - 1)))
}

fn named((l, h): (usize, usize)) -> String {
    format!("layer {l}, head {h}")
}

fn spot((l, h): (usize, usize)) -> Spot {
    Spot { layer: Some(l), head: Some(h), ..Spot::default() }
}

/// The layer and head that are shown.
pub(super) fn shown(scene: &Scene<'_>) -> Spot {
    chosen(&patterns(scene.trace), scene.focus.spot()).map_or_else(Spot::default, spot)
}

/// What the lit head looks at from position `at`, `[pos]`.
pub(super) fn looks(scene: &Scene<'_>, at: usize) -> Option<Vec<f32>> {
    let layers = patterns(scene.trace);
    let (l, h) = chosen(&layers, scene.focus.spot())?;
    let map = Map::of(layers[l], h)?;
    map.values()?.get(at * map.cols..(at + 1) * map.cols).map(<[f32]>::to_vec)
}

/// The two panels of attention; none in a recorded picture, which has no patterns.
pub(super) fn panels(state: &NextCharacter, scene: &Scene<'_>) -> Option<[Page; 2]> {
    let layers = patterns(scene.trace);
    let (l, h) = chosen(&layers, scene.focus.spot())?;
    let heads = layers[0].shape[0];
    let map = Map::of(layers[l], h)?;
    let tokens: Vec<String> = scene.trace.words("tokens").iter().map(|it| visible(it)).collect();
    if tokens.len() != map.rows {
        return None;
    }
    let each = || (0..layers.len() * heads).map(|i| (i / heads, i % heads));
    let off = |it: (usize, usize)| if state.off.contains(&it) { " · it is off" } else { "" };
    let all = Heads {
        layers: layers.iter().filter_map(|it| Map::of(it, 0)).collect(),
        heads,
        spot: spot((l, h)),
        marks: each().map(|it| Mark { off: state.off.contains(&it), ..Mark::default() }).collect(),
        names: each().map(|it| format!("{}{}", named(it), off(it))).collect(),
        tokens: tokens.clone(),
        legend: vec![],
    };
    let (words, value) = ([tokens.clone(), tokens], "attention weight".to_owned());
    let one =
        Cells { map, axes: ["query", "key"], words, value, also: vec![], spot: spot((l, h)), lines: None };
    let shape = [heads, layers.len()].map(|it| it as f32);
    let [wide, high] = shape.map(|it| 96.0 * it + 21.0);
    let room = Room::shaped(shape[0] / shape[1], shape.map(|it| (12.0 * it).max(96.0) + 21.0), [21.0, 21.0]);
    let room = room.at_most_wide(wide).at_most_high(high);
    Some([
        panel("all heads", 3, room).titled("Who looks where").shows(Picture::Heads(all)).into(),
        panel("head map", 4, Room::shaped(1.0, [150.0, 150.0], [24.0, 100.0]))
            .titled(format!("Layer {l}, head {h}"))
            .shows(Picture::Cells(Box::new(one)))
            .into(),
    ])
}

/// A head was clicked: it is shown, or switched.
pub(super) fn touched(state: &mut NextCharacter, head: (usize, usize), other: bool, scene: &mut Scene<'_>) {
    if !other && !state.switches {
        return scene.focus.lock(spot(head));
    }
    match state.off.iter().position(|it| *it == head) {
        Some(i) => drop(state.off.remove(i)),
        None => state.off.push(head),
    }
}
