//! How the maps of NormGrad look: the picture, two factors and their product, and all layers.

use egui::{Sense, Ui, Vec2, vec2};

use super::{NOISE, NormGrad, glyph};
use crate::exhibits::looking::{self, Looking, value};
use crate::page::{Field, Fields, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::saliency::normgrad::Identity;
use crate::trace::Trace;
use crate::ui::{Body, Divided, Legend, Range, Scale, Square, Style, number};

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
fn map(state: &NormGrad, trace: &Trace, name: &str) -> Option<Map> {
    let (range, scale) = colours(state);
    Some(Map::of(trace.get(name)?, 0)?.to(range, scale).over(trace.get(&format!("{name}.peak")), false))
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
                    .shows(state.looking.classes(trace).unwrap_or_default())
                    .into(),
            ]),
            panel("all layers", 2, all)
                .titled("All layers, from the picture to the answer")
                .read("Each map is divided by its largest value.")
                .shows(Picture::Fields(layers_of(state, trace, layer)))
                .into(),
        ]),
    ]))
}

/// All maps; a click shows one large.
fn layers_of(state: &NormGrad, trace: &Trace, shown: usize) -> Fields {
    let field = |i: usize| {
        let caption = trace.words("layers").get(i).map_or("combined", String::as_str);
        let factor = |name: &str, what: &str| {
            Some((name.to_owned(), map(state, trace, &format!("layers.{i}.{what}"))?))
        };
        let also = [factor("|x|", "activation"), factor("|g|", "gradient")].into_iter().flatten().collect();
        Field { lit: i == shown, also, ..Field::new(map(state, trace, &map_of(i, trace)), caption) }
    };
    let fields = (0..=layers(trace)).map(field).collect();
    Fields { fields, value: "saliency", linked: true, click: "A click shows it large.", ..Fields::default() }
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

/// Draws the picture, or the factors.
pub(super) fn draw(state: &mut NormGrad, panel: &str, ui: &mut Ui, scene: &mut Scene<'_>) {
    let layer = layer(state, scene.trace);
    if panel == "picture" {
        let overlay = map(state, scene.trace, &map_of(layer, scene.trace));
        let overlay = overlay.map(|it| it.to(Range::UNIT, Scale::Saliency));
        state.looking.show(ui, scene, overlay.as_ref().map(Map::maps));
    } else {
        factors(state, ui, scene, layer);
    }
}

/// A square map; the number under the pointer stands beside it.
fn square(state: &NormGrad, ui: &mut Ui, scene: &mut Scene<'_>, name: &str, caption: &str, side: f32) {
    let map = map(state, scene.trace, name);
    let maps = map.as_ref().map(|it| (it.maps(), 0));
    let square = Square { maps, caption, words: caption, note: "", lit: false, linked: true };
    let (response, _) = square.show(ui, scene.style, scene.focus, side);
    if let Some((x, ..)) = scene.focus.spot().at.and_then(|at| value(scene.trace, name, at)) {
        response.on_hover_text_at_pointer(number(x));
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
            square(state, ui, scene, "combined", "all layers", side);
            return;
        }
        let name = |what: &str| format!("layers.{layer}.{what}");
        if !left.is_empty() {
            square(state, ui, scene, &name("activation"), left, side);
        }
        operator(ui, style, between, side, Some(state.identity));
        square(state, ui, scene, &name("gradient"), right, side);
        operator(ui, style, "=", side, None);
        square(state, ui, scene, &name("map"), "NormGrad", side);
    });
    if legend > 0.0 {
        ui.add_space(style.grid(1.0));
        let (range, scale) = colours(state);
        Legend { scale, range, divided: Divided::Map, caption: "" }.show(ui, style);
    }
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

/// The picture or the factors, for papers.
pub(super) fn table(state: &NormGrad, panel: &str, trace: &Trace) -> Option<Body> {
    let layer = layer(state, trace);
    let known = layer < layers(trace);
    if panel == "factors" && known {
        let parts = [("|x|", "activation"), ("|g|", "gradient"), ("map", "map")];
        let first = usize::from(state.identity == Identity::Bias);
        let field = |(name, what): &(&str, &str)| {
            Field::new(map(state, trace, &format!("layers.{layer}.{what}")), *name)
        };
        let fields = parts[first..].iter().map(field).collect();
        return Picture::Fields(Fields { fields, ..Fields::default() }).body();
    }
    let mut map = map(state, trace, &map_of(layer, trace))?;
    if !known {
        // What is combined was scaled to 0..1, whatever the layers' signs.
        map = map.to(Range::UNIT, Scale::Sequential);
    }
    looking::table(&map).map(Body::Table)
}
