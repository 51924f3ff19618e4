//! All heads as thumbnails, and what kinds of heads there are.

use egui::{Rect, RichText, UiBuilder, vec2};

use super::picture::{figure, heads_of, label, layers, place, scope, shown};
use super::{Attention, Click, What};
use crate::exhibits::Scene;
use crate::focus::Spot;
use crate::page::{Panel, Room, panel};
use crate::saliency::heads::Kind;
use crate::ui::{Figure, HeadGrid, Maps, Mark, Picked, Style, number};

/// In a figure, the map of a head has at most so many rows and columns.
const MOST: usize = 16;

pub(super) fn heads_panel(state: &Attention, scene: &Scene<'_>, name: &'static str, rank: u8) -> Panel {
    let (across, down) = (heads_of(scene.trace) as f32, layers(scene.trace) as f32);
    let note = match &*state.search {
        "" => String::new(),
        words => {
            let at = |l| (0..heads_of(scene.trace)).map(move |h| (l, h));
            let found = (0..layers(scene.trace))
                .flat_map(at)
                .filter(|it| label(scene.trace, scope(name), *it).is_some_and(|it| matches(words, it.kind)));
            format!("“{words}”: {} found", found.count())
        }
    };
    let least = [(22.0 + 12.0 * across).max(160.0), (22.0 + 10.0 * down).max(60.0) + 40.0];
    let room = Room::shaped(across / down.max(1.0), least, [22.0, 66.0]);
    let title = if rank == 1 { "all heads" } else { "second · all heads" };
    panel(name, rank, room).titled(title).noted(note)
}

/// Whether a search for these words finds heads of this kind.
fn matches(search: &str, kind: Kind) -> bool {
    kind.name().contains(&search.to_lowercase())
}

/// All heads of a sentence, and under them how many there are of every kind.
pub(super) fn all_heads(state: &mut Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>, scope: &str) {
    let (columns, below) = columns(ui, scene.style);
    let trace = scene.trace;
    let row = |layer: usize| {
        let spot = Spot { layer: Some(layer), head: Some(0), ..Spot::default() };
        shown(What::Head, state.shows_change(), trace, scope, spot).map(|it| it.maps(state, trace))
    };
    let layers: Vec<Maps<'_>> = (0..layers(trace)).filter_map(row).collect();
    let marks = |l: usize, h: usize| {
        let kind = label(trace, scope, (l, h)).map(|it| it.kind);
        let found = kind.is_some_and(|it| matches(&state.search, it));
        Mark {
            hue: kind.map(|it| scene.style.hue(it as usize)),
            off: state.off.contains(&(l, h)),
            dim: !state.search.is_empty() && !found,
        }
    };
    let name = |l: usize, h: usize| {
        let label = label(trace, scope, (l, h));
        let label = label.map_or_else(String::new, |it| format!(", {} {}", it.kind.name(), number(it.score)));
        format!("layer {l}, head {h}{label}")
    };
    let (l, h) = place(trace, scene.focus.spot());
    let spot = Spot { layer: Some(l), head: (state.what == What::Head).then_some(h), ..Spot::default() };
    let grid = HeadGrid { layers, heads: heads_of(trace), spot, marks: &marks, name: &name };
    let room = ui.available_size() - vec2(0.0, below + scene.style.grid(0.75));
    ui.spacing_mut().item_spacing.y = scene.style.grid(0.75);
    let picked = grid.show(ui, scene.style, room);
    if let Some((l, h)) = picked.hover {
        scene.focus.readout = name(l, h);
    }
    follow(state, scene, &picked);
    kinds(state, ui, scene, scope, (columns, below));
}

/// In how many columns the kinds stand in this room, and how high they are.
fn columns(ui: &egui::Ui, style: &Style) -> (usize, f32) {
    let columns = (ui.available_width() / (10.4 * style.caption)) as usize;
    let columns = columns.clamp(1, Kind::ALL.len());
    // The heads come first: where there is little room the kinds scroll, at whole lines.
    let most = (0.3 * ui.available_height() / (1.7 * style.caption)).max(1.0) as usize;
    (columns, Kind::ALL.len().div_ceil(columns).min(most) as f32 * 1.7 * style.caption)
}

/// What the pointer did to the grid.
fn follow(state: &mut Attention, scene: &mut Scene<'_>, picked: &Picked) {
    let spot = |(l, h)| Spot { layer: Some(l), head: Some(h), ..Spot::default() };
    if let Some(place) = picked.hover {
        let tokens = scene.focus.spot();
        scene.focus.hover(Spot { query: tokens.query, key: tokens.key, ..spot(place) });
    }
    match (picked.clicked, picked.secondary, state.click) {
        (Some(place), _, Click::Look) => {
            scene.focus.lock(spot(place));
            state.what = What::Head;
        }
        (Some(place), _, Click::Switch) | (None, Some(place), _) => {
            match state.off.iter().position(|it| *it == place) {
                Some(i) => drop(state.off.remove(i)),
                None => state.off.push(place),
            }
        }
        (None, None, _) => {}
    }
}

/// How many heads of each kind there are, in columns that stay where they are; a click searches for them.
fn kinds(
    state: &mut Attention,
    ui: &mut egui::Ui,
    scene: &Scene<'_>,
    scope: &str,
    (columns, height): (usize, f32),
) {
    let (trace, style) = (scene.trace, scene.style);
    let mut counts = [0; Kind::ALL.len()];
    for (l, h) in (0..layers(trace)).flat_map(|l| (0..heads_of(trace)).map(move |h| (l, h))) {
        if let Some(label) = label(trace, scope, (l, h)) {
            counts[label.kind as usize] += 1;
        }
    }
    let scroll = egui::ScrollArea::vertical().id_salt("kinds").max_height(height).auto_shrink(false);
    scroll.show(ui, |ui| {
        let cell = vec2(ui.available_width() / columns as f32, 1.7 * style.caption);
        let rows = counts.len().div_ceil(columns) as f32;
        let (all, _) = ui.allocate_exact_size(cell * vec2(columns as f32, rows), egui::Sense::hover());
        for (i, (kind, count)) in Kind::ALL.into_iter().zip(counts).enumerate() {
            let at = all.min + vec2((i % columns) as f32, (i / columns) as f32) * cell;
            let found = !state.search.is_empty() && matches(&state.search, kind);
            let colour = if found { style.accent } else { style.hue(kind as usize) };
            let text = RichText::new(format!("— {} {count}", kind.name())).font(style.regular(style.caption));
            let place = Rect::from_min_size(at, cell);
            if !ui.is_rect_visible(place) {
                continue;
            }
            let mut ui = ui.new_child(UiBuilder::new().max_rect(place).id_salt(i));
            ui.spacing_mut().button_padding = vec2(0.0, 0.0);
            ui.spacing_mut().interact_size.y = cell.y;
            let label = egui::Button::selectable(found, text.color(colour));
            let response = ui.add(label.wrap_mode(egui::TextWrapMode::Extend));
            if response.on_hover_text("Light the heads that do this with this sentence.").clicked() {
                state.search = if found { String::new() } else { kind.name().to_owned() };
            }
        }
    });
}

/// All heads of a sentence as one map of maps, for papers. Where a head has many tokens, cells of its map are joined and
/// show the largest of theirs.
pub(super) fn heads_figure(state: &Attention, scene: &Scene<'_>, scope: &str) -> Option<Figure> {
    let (layers, heads) = (layers(scene.trace), heads_of(scene.trace));
    let at = |l| Spot { layer: Some(l), head: Some(0), ..Spot::default() };
    let shown = |l| shown(What::Head, state.shows_change(), scene.trace, scope, at(l));
    let first = shown(0)?;
    let n = first.n();
    let side = n.min(MOST);
    let span = |i: usize| i * n / side..(i + 1) * n / side;
    let mut values = vec![];
    for l in 0..layers {
        let kept = shown(l)?.kept;
        let all = kept.window(0..heads * n * n)?;
        for (i, h, j) in
            (0..side).flat_map(|i| (0..heads).flat_map(move |h| (0..side).map(move |j| (i, h, j))))
        {
            let cells = span(i).flat_map(|q| span(j).map(move |k| (h * n + q) * n + k)).map(|it| all[it]);
            values.push(cells.fold(0.0f32, |most, x| if x.abs() > most.abs() { x } else { most }));
        }
    }
    let token = |i: usize| first.tokens.get(span(i).start).map_or("", String::as_str);
    let tokens =
        |count: usize| (0..count * side).map(|i| format!("{}: {}", i / side, token(i % side))).collect();
    let words = if first.change { "all heads: change" } else { "all heads" };
    let axes = ["head: key", "layer: query"];
    Some(figure(state, scene, (words, first.change), axes, [tokens(heads), tokens(layers)], values))
}
