//! Who looks where: all heads as thumbnails, and one of them large.

use super::reading::visible;
use super::{NextCharacter, figure};
use crate::exhibits::Scene;
use crate::focus::Spot;
use crate::page::{Page, Room, panel};
use crate::trace::{Kept, Trace};
use crate::ui::{Axes, Divided, Figure, HeadGrid, Legend, Maps, Mark, Range, Scale, number};

/// The head that is shown before anybody chose one: from every character it looks at the space before the word.
const FIRST: (usize, usize) = (1, 0);

/// What the colours say.
const LEGEND: Legend<'_> = Legend {
    scale: Scale::Sequential,
    range: Range::UNIT,
    divided: Divided::Not,
    caption: "attention weight",
    missing: None,
};

/// The attention patterns `[head, query, key]` of all layers; none in a picture that was recorded.
fn patterns(trace: &Trace) -> Vec<&Kept> {
    (0..1000).map_while(|l| trace.get(&format!("blocks.{l}.attn.pattern"))).collect()
}

fn maps(tensor: &Kept) -> Maps<'_> {
    let n = tensor.shape[tensor.shape.len() - 1];
    Maps { tensor, rows: n, cols: n, peak: None, range: Range::UNIT, scale: Scale::Sequential }
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
    let (maps, n) = (maps(layers[l]), maps(layers[l]).rows);
    let values = maps.tensor.window(h * n * n..(h + 1) * n * n)?;
    values.get(at * n..(at + 1) * n).map(<[f32]>::to_vec)
}

/// The two panels of attention; none in a recorded picture, which has no patterns.
pub(super) fn panels(scene: &Scene<'_>) -> Option<[Page; 2]> {
    let layers = patterns(scene.trace);
    let (l, h) = chosen(&layers, scene.focus.spot())?;
    let shape = [layers[0].shape[0], layers.len()].map(|it| it as f32);
    let [wide, high] = shape.map(|it| 96.0 * it + 21.0);
    let room = Room::shaped(shape[0] / shape[1], shape.map(|it| (12.0 * it).max(96.0) + 21.0), [21.0, 21.0]);
    let all = panel("all heads", 3, room.at_most_wide(wide).at_most_high(high + 59.0));
    let one = panel("head map", 4, Room::shaped(1.0, [150.0, 150.0], [24.0, 100.0]));
    Some([all.titled("Who looks where").into(), one.titled(format!("Layer {l}, head {h}")).into()])
}

/// All heads as thumbnails; a click shows one, or switches it.
pub(super) fn all(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let layers = patterns(scene.trace);
    let Some(shown) = chosen(&layers, scene.focus.spot()) else { return };
    let style = scene.style;
    let marks = |l, h| Mark { off: state.off.contains(&(l, h)), ..Mark::default() };
    let name = |l, h| named((l, h));
    let grid = HeadGrid {
        layers: layers.iter().map(|it| maps(it)).collect(),
        heads: layers[0].shape[0],
        spot: spot(shown),
        marks: &marks,
        name: &name,
    };
    let mut picked = None;
    LEGEND.below(ui, style, style.grid(24.0), |ui, height| {
        picked = Some(grid.show(ui, style, egui::vec2(ui.available_width(), height)));
    });
    let Some(picked) = picked else { return };
    if let Some(place) = picked.hover {
        let off = if state.off.contains(&place) { " · it is off" } else { "" };
        scene.focus.readout = format!("{}{off}", named(place));
        scene.focus.hover(spot(place));
    }
    if let Some(place) = picked.secondary.or(picked.clicked.filter(|_| state.switches)) {
        match state.off.iter().position(|it| *it == place) {
            Some(i) => drop(state.off.remove(i)),
            None => state.off.push(place),
        }
    } else if let Some(place) = picked.clicked {
        scene.focus.lock(spot(place));
    }
}

/// The map of the lit head with its characters.
pub(super) fn one(ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let layers = patterns(scene.trace);
    let Some((l, h)) = chosen(&layers, scene.focus.spot()) else { return };
    let (style, maps, name) = (scene.style, maps(layers[l]), named((l, h)));
    let tokens: Vec<String> = scene.trace.words("tokens").iter().map(|it| visible(it)).collect();
    if tokens.len() != maps.rows {
        return;
    }
    let lit = Spot { layer: None, head: None, at: None, ..scene.focus.spot() };
    let axes = Axes { maps, map: h, queries: &tokens, keys: &tokens, spot: lit, name: &name };
    let mut hit = None;
    LEGEND.below(ui, style, style.grid(15.0), |ui, height| hit = Some(axes.show(ui, style, height)));
    let Some(hit) = hit else { return };
    if let (Some(q), Some(k)) = (hit.query, hit.key) {
        let area = maps.rows * maps.cols;
        let weight = maps.tensor.window(h * area..(h + 1) * area).map(|it| it[q * maps.cols + k]);
        let words = match weight {
            _ if k > q => "what comes later cannot be seen".to_owned(),
            Some(it) => number(it),
            None => String::new(),
        };
        scene.focus.readout =
            format!("{name} · “{}” ({q}) looks at “{}” ({k}): {words}", tokens[q], tokens[k]);
        hit.response.clone().on_hover_text_at_pointer(words);
    }
    hit.link(scene.focus, spot((l, h)));
}

/// All maps beside and below each other, or the lit one alone, for papers.
pub(super) fn figure_of(all: bool, scene: &Scene<'_>) -> Option<Figure> {
    let layers = patterns(scene.trace);
    let (l, h) = chosen(&layers, scene.focus.spot())?;
    let (n, heads) = (maps(layers[l]).rows, layers[l].shape[0]);
    let tokens: Vec<String> = scene.trace.words("tokens").iter().map(|it| visible(it)).collect();
    if !all {
        let values = layers[l].window(h * n * n..(h + 1) * n * n)?;
        let words = format!("Attention of layer {l}, head {h}");
        return Some(figure(&words, ["key", "query"], [tokens.clone(), tokens], values.to_vec()));
    }
    // Asked for together, so that all come at once.
    let values: Vec<_> = layers.iter().map(|it| it.window(0..heads * n * n)).collect();
    let values: Vec<_> = values.into_iter().collect::<Option<_>>()?;
    let line = |it: &[f32], q: usize| -> Vec<f32> {
        it.chunks(n * n).flat_map(|map| &map[q * n..(q + 1) * n]).copied().collect()
    };
    let cells = values.iter().flat_map(|it| (0..n).flat_map(|q| line(it, q))).collect();
    let labels = |of: usize| (0..of).flat_map(|i| tokens.iter().map(move |it| format!("{i} {it}"))).collect();
    let axes = ["head and key", "layer and query"];
    Some(figure("Attention of all heads", axes, [labels(heads), labels(layers.len())], cells))
}
