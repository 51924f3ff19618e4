//! How the maps of NormGrad look: the picture, two factors and their product, and all layers.

use egui::{Response, ScrollArea, Sense, Ui, Vec2, vec2};

use super::{CARD, NOISE, NormGrad, glyph};
use crate::exhibits::Scene;
use crate::exhibits::looking::{self, Looking, value};
use crate::page::{Page, Room, column, panel, row};
use crate::saliency::normgrad::Identity;
use crate::trace::Trace;
use crate::ui::{Divided, Figure, Legend, Maps, Peak, Range, Scale, Square, Style, number};

/// Number of layers in the trace.
fn layers(trace: &Trace) -> usize {
    trace.words("layers").len()
}

/// The layer that is shown large: the number of layers stands for all of them combined.
fn layer(state: &NormGrad, trace: &Trace) -> usize {
    let n = layers(trace);
    state.layer.map_or(n.saturating_sub(2), |it| it.min(n))
}

/// The name of the map of a layer, or of all combined.
fn map_of(layer: usize, trace: &Trace) -> String {
    if layer == layers(trace) { "combined".to_owned() } else { format!("layers.{layer}.map") }
}

/// A map of the trace, its colours relative to its largest value.
fn map<'a>(state: &NormGrad, trace: &'a Trace, name: &str) -> Option<Maps<'a>> {
    let tensor = trace.get(name)?;
    let [rows, cols] = tensor.shape[..] else { return None };
    let peak = trace.get(&format!("{name}.peak")).map(|tensor| Peak { tensor, per_row: false });
    let (range, scale) = colours(state);
    Some(Maps { tensor, rows, cols, peak, range, scale })
}

/// The colours that all maps share.
fn colours(state: &NormGrad) -> (Range, Scale) {
    if state.is_signed() { (Range::signed(1.0), Scale::Diverging) } else { (Range::UNIT, Scale::Sequential) }
}

/// The panels.
pub(super) fn page(state: &NormGrad, trace: &Trace) -> Option<Page> {
    trace.get("combined")?;
    let layer = layer(state, trace);
    let (mut shown, factors) = match trace.words("layers").get(layer) {
        Some(name) => (format!("Layer {name}"), identity(state.identity)),
        None => ("All layers".to_owned(), "Every map scaled to 0..1, then combined"),
    };
    if cancels(trace, layer) {
        shown += ", of which nothing is left";
    }
    // Many layers stand in two rows.
    let n = layers(trace) + 1;
    let rows = n.div_ceil(8);
    let all = Room::shaped(n.div_ceil(rows) as f32 / rows as f32, [220.0, 90.0], [0.0, 34.0 * rows as f32]);
    Some(row([
        panel("picture", 0, Looking::ROOM).titled(format!("{shown}: {}", state.looking.asked(trace))).into(),
        column([
            row([
                panel("factors", 1, Room::fill(270.0, 110.0))
                    .titled(factors)
                    .noted(learnt(trace, layer))
                    .into(),
                panel("classes", 3, Room::fill(170.0, 100.0).at_most_wide(320.0))
                    .titled("Evidence (logits)")
                    .into(),
            ]),
            panel("all layers", 2, all).titled("All layers, from the picture to the answer").into(),
        ]),
    ]))
}

/// Whether nothing but rounding is left of the sums at a layer, or at all of them.
fn cancels(trace: &Trace, layer: usize) -> bool {
    let n = layers(trace);
    let left = |l: usize| Some(trace.get(&format!("layers.{l}.remainder"))?.window(0..1)?[0]);
    let mut shown = if layer == n { 0..n } else { layer..layer + 1 };
    shown.all(|l| left(l).is_some_and(|it| it < NOISE))
}

/// That nothing is left of a sum, or what the step of learning did, in words.
fn learnt(trace: &Trace, layer: usize) -> String {
    let read = |name: &str| Some(trace.get(name)?.window(0..1)?[0]);
    if cancels(trace, layer) {
        return "The entries cancel: what is left of their sum is rounding, and the map is 0".to_owned();
    }
    let Some(far) = read("step") else { return String::new() };
    let ranks = read(&format!("layers.{layer}.correlation")).map_or_else(String::new, |rho| {
        format!("; the map's ranks correlate by {} with those before", number(rho))
    });
    format!("The step went {} of the parameters' length{ranks}", number(far))
}

/// Draws a panel.
pub(super) fn draw(state: &mut NormGrad, panel: &str, ui: &mut Ui, scene: &mut Scene<'_>) {
    let (trace, layer) = (scene.trace, layer(state, scene.trace));
    match panel {
        "picture" => {
            let overlay = map(state, trace, &map_of(layer, trace));
            let overlay = overlay.map(|it| Maps { range: Range::UNIT, scale: Scale::Saliency, ..it });
            state.looking.show(ui, scene, overlay);
        }
        "factors" => factors(state, ui, scene, layer),
        "classes" => state.looking.classes(ui, scene),
        _ => all(state, ui, scene, layer),
    }
}

/// A square map; the number under the pointer stands beside it.
fn square(
    state: &NormGrad,
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    name: &str,
    (caption, lit): (&str, bool),
    side: f32,
) -> Response {
    let maps = map(state, scene.trace, name);
    let response = Square { maps, caption, note: "", lit }.show(ui, scene.style, scene.focus, side);
    let there = scene.focus.spot().at.and_then(|at| value(scene.trace, name, at));
    match there {
        Some((x, ..)) => response.on_hover_text_at_pointer(number(x)),
        None => response,
    }
}

/// `|x| x |g| = map`, or what takes their place, and what the colours of all maps say.
fn factors(state: &NormGrad, ui: &mut Ui, scene: &mut Scene<'_>, layer: usize) {
    let (style, room) = (scene.style, ui.available_size());
    let (sign, caption, legend) = (style.grid(4.0), Square::caption_height(style), style.grid(7.0));
    let wide = (room.x - 2.0 * sign) / 3.0 - 1.0;
    // Where the squares would suffer, the legend leaves.
    let legend = if room.y - caption - legend > style.grid(9.0) { legend } else { 0.0 };
    let side = wide.min(room.y - caption - legend).max(style.grid(4.0));
    let [left, between, right] = match state.identity {
        Identity::Bias => ["", "", "|g| gradient"],
        Identity::Scaling | Identity::Depthwise3x3 => ["|x| activation", "∘", "|g| gradient"],
        Identity::Conv1x1 => ["|x| activation", "×", "|g| gradient"],
        Identity::Conv3x3 => ["|x| of 3 x 3 places", "×", "|g| gradient"],
    };
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        if layer == layers(scene.trace) {
            square(state, ui, scene, "combined", ("all layers", false), side);
            return;
        }
        let name = |what: &str| format!("layers.{layer}.{what}");
        if !left.is_empty() {
            square(state, ui, scene, &name("activation"), (left, false), side);
        }
        operator(ui, style, between, side, Some(state.identity));
        square(state, ui, scene, &name("gradient"), (right, false), side);
        operator(ui, style, "=", side, None);
        square(state, ui, scene, &name("map"), ("NormGrad", false), side);
    });
    if legend > 0.0 {
        ui.add_space(style.grid(1.0));
        let (range, scale) = colours(state);
        Legend { scale, range, divided: Divided::Map, caption: "", missing: None }.show(ui, style);
    }
}

/// All maps as squares; a click shows one large.
fn all(state: &mut NormGrad, ui: &mut Ui, scene: &mut Scene<'_>, layer: usize) {
    let (n, gap, room) = (layers(scene.trace), scene.style.grid(1.0), ui.available_size());
    let below = Square::caption_height(scene.style) + gap;
    let fit = |columns: usize| {
        let rows = (n + 1).div_ceil(columns) as f32;
        // A point less, so that rounding wraps none.
        ((room.x + gap) / columns as f32 - gap - 1.0).min((room.y + 0.5 * gap) / rows - below)
    };
    let side = (1..=n + 1).map(fit).fold(scene.style.grid(5.0), f32::max);
    ScrollArea::vertical().id_salt("all layers").auto_shrink(false).show(ui, |ui| {
        // The edge of the chosen one needs room.
        ui.add_space(0.5 * gap);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(gap);
            for i in 0..=n {
                let caption = scene.trace.words("layers").get(i).map_or("combined", String::as_str);
                let name = map_of(i, scene.trace);
                if square(state, ui, scene, &name, (caption, i == layer), side).clicked() {
                    state.layer = Some(i);
                }
            }
        });
    });
}

/// What the virtual identity is, in words.
fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Bias => "As if “+ 0” followed in every channel",
        Identity::Scaling => "As if “times 1” followed in every channel",
        Identity::Conv1x1 => "As if a 1 x 1 identity convolution followed",
        Identity::Conv3x3 => "As if a 3 x 3 identity convolution followed",
        Identity::Depthwise3x3 => "As if a 3 x 3 identity kernel followed in every channel",
    }
}

/// A sign between squares, over it the weights of the layer that is thought to be there.
fn operator(ui: &mut Ui, style: &Style, sign: &str, side: f32, identity: Option<Identity>) {
    let (rect, response) = ui.allocate_exact_size(vec2(style.grid(4.0), side), Sense::hover());
    let font = style.regular(style.page);
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, sign, font, style.secondary);
    if let Some(identity) = identity {
        let at = rect.center() - vec2(0.0, if sign.is_empty() { 0.0 } else { style.grid(3.5) });
        glyph::paint(ui, style, identity, egui::Rect::from_center_size(at, Vec2::splat(style.grid(2.5))));
        response.on_hover_text(glyph::words(identity));
    }
}

/// Says what is at the place under the cursor.
pub(super) fn read_out(state: &NormGrad, scene: &mut Scene<'_>) {
    let Some(at) = scene.focus.spot().at else { return };
    let (trace, layer) = (scene.trace, layer(state, scene.trace));
    let read = |name: &str| value(trace, &format!("layers.{layer}.{name}"), at);
    let all = (trace.words("layers").get(layer), read("activation"), read("gradient"), read("map"));
    let words = if let (Some(name), Some((x, row, col)), Some((g, ..)), Some((map, ..))) = all {
        let times =
            if matches!(state.identity, Identity::Conv1x1 | Identity::Conv3x3) { " times" } else { "," };
        let factors = format!("|x| {}{times} |g| {}", number(x), number(g));
        format!("layer {name}, row {row}, column {col}: {factors}; map {}", number(map))
    } else {
        let say = |(it, row, col)| format!("all layers combined, row {row}, column {col}: {}", number(it));
        value(trace, "combined", at).map_or_else(String::new, say)
    };
    scene.focus.readout = words;
}

/// A panel for papers.
pub(super) fn figure(state: &NormGrad, panel: &str, trace: &Trace) -> Option<Figure> {
    let layer = layer(state, trace);
    let name = trace.words("layers").get(layer);
    let words = name.map_or("all layers combined".to_owned(), |it| format!("layer {it}"));
    let part = |what: &str, words: &str| (format!("layers.{layer}.{what}"), words.to_owned());
    match (panel, name) {
        ("classes", _) => Looking::evidence(&CARD, trace),
        ("factors", Some(_)) => {
            let parts = [part("activation", "|x|"), part("gradient", "|g|"), part("map", "map")];
            let first = usize::from(state.identity == Identity::Bias);
            beside(state, trace, &words, &parts[first..])
        }
        ("all layers", _) => {
            let named = |i: usize| trace.words("layers").get(i).map_or("combined", String::as_str).to_owned();
            let parts: Vec<_> = (0..=layers(trace)).map(|i| (map_of(i, trace), named(i))).collect();
            beside(state, trace, "all layers", &parts)
        }
        _ => {
            let signed = state.is_signed() && name.is_some();
            looking::figure(&CARD, &words, trace.get(&map_of(layer, trace))?, signed)
        }
    }
}

/// Maps beside each other, as high as the highest, each divided by its largest value, an empty column between them.
fn beside(state: &NormGrad, trace: &Trace, words: &str, parts: &[(String, String)]) -> Option<Figure> {
    let maps: Option<Vec<Figure>> =
        parts.iter().map(|it| looking::figure(&CARD, "", trace.get(&it.0)?, false)).collect();
    let maps = maps?;
    let side = maps.iter().map(|it| it.y_tokens.len()).max()?;
    let place = |i: usize, n: usize| i * n / side;
    let cell = |row: usize, col: usize| {
        let (it, col) = (&maps[col / (side + 1)], col % (side + 1));
        let [rows, cols] = [it.y_tokens.len(), it.x_tokens.len()];
        let x = || it.values[place(row, rows) * cols + place(col, cols)] / it.range.max;
        if col == side { f32::NAN } else { x() }
    };
    let width = maps.len() * (side + 1) - 1;
    let (range, scale) = colours(state);
    Some(Figure {
        title: format!("{}: {words}", CARD.title),
        caption: format!("{} Each map is divided by its largest value.", maps[0].caption),
        x_tokens: (0..width).map(|j| format!("{} {}", parts[j / (side + 1)].1, j % (side + 1))).collect(),
        y_tokens: (0..side).map(|i| i.to_string()).collect(),
        values: (0..side * width).map(|i| cell(i / width, i % width)).collect(),
        range,
        scale,
        ..maps[0].clone()
    })
}
