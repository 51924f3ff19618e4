//! How the maps of NormGrad look: the picture, two factors and their product, and all layers.

use super::{NOISE, NormGrad, glyph};
use crate::exhibits::looking::Looking;
use crate::page::{Field, Fields, Map, Page, Picture, Room, Scene, Sign, column, panel, row};
use crate::saliency::normgrad::Identity;
use crate::trace::Trace;
use crate::ui::{Range, Scale, number};

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
pub(super) fn page(state: &NormGrad, scene: &Scene<'_>) -> Option<Page> {
    let trace = scene.trace;
    trace.get("combined")?;
    let layer = layer(state, trace);
    let (mut shown, equation) = match trace.words("layers").get(layer) {
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
    let over = map(state, trace, &map_of(layer, trace)).map(|it| it.to(Range::UNIT, Scale::Saliency));
    Some(row([
        panel("picture", 0, Looking::ROOM)
            .titled(format!("{shown}: {}", state.looking.asked(trace)))
            .shows(Picture::Seen(state.looking.seen(trace, over)))
            .into(),
        column([
            row([
                panel("factors", 1, Room::fill(270.0, 110.0))
                    .titled(equation)
                    .noted(learnt(trace, layer))
                    .shows(Picture::Fields(factors(state, trace, layer, said(state, scene))))
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
    let mut shown = if layer == n { 0..n } else { layer..layer + 1 };
    shown.all(|l| trace.number(&format!("layers.{l}.remainder")).is_some_and(|it| it < NOISE))
}

/// That nothing is left of a sum, or what the step of learning did, in words.
fn learnt(trace: &Trace, layer: usize) -> String {
    if cancels(trace, layer) {
        return "The entries cancel: what is left of their sum is rounding, and the map is 0".to_owned();
    }
    let Some(far) = trace.number("step") else { return String::new() };
    let ranks = trace.number(&format!("layers.{layer}.correlation"));
    let ranks = ranks.map(|rho| format!("; the map's ranks correlate by {} with those before", number(rho)));
    format!("The step went {} of the parameters' length{}", number(far), ranks.unwrap_or_default())
}

/// `|x| x |g| = map`, or what takes their place.
fn factors(state: &NormGrad, trace: &Trace, layer: usize, said: String) -> Fields {
    let field = |what: &str, name: &str, sign: Option<Sign>| {
        let map = map(state, trace, &format!("layers.{layer}.{what}"));
        Field { sign, ..Field::new(map, name) }
    };
    let activation = match state.identity {
        Identity::Bias => None,
        Identity::Conv3x3 => Some(field("activation", "|x| of 3 x 3 places", None)),
        _ => Some(field("activation", "|x| activation", None)),
    };
    let equals = Sign { symbol: "=", ..Sign::default() };
    let fields = if layer == layers(trace) {
        vec![Field::new(map(state, trace, "combined"), "all layers")]
    } else {
        let gradient = field("gradient", "|g| gradient", Some(glyph::sign(state.identity)));
        activation.into_iter().chain([gradient, field("map", "NormGrad", Some(equals))]).collect()
    };
    let legend = Some(String::new());
    Fields { fields, value: "saliency", linked: true, legend, said: Some(said), ..Fields::default() }
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

/// What is at the place under the cursor, in words; nothing where there is none.
pub(super) fn said(state: &NormGrad, scene: &Scene<'_>) -> String {
    let (trace, layer) = (scene.trace, layer(state, scene.trace));
    let name = trace.words("layers").get(layer);
    let words = scene.focus.spot().at.and_then(|at| {
        let map = |what: &str| Map::of(trace.get(what)?, 0);
        let read = |what: &str| map(&format!("layers.{layer}.{what}"))?.at(at).map(number);
        let [row, col] = map(&map_of(layer, trace))?.cell(at);
        let Some(name) = name else {
            let all = number(map("combined")?.at(at)?);
            return Some(format!("all layers combined, row {row}, column {col}: {all}"));
        };
        let [x, g, it] = [read("activation")?, read("gradient")?, read("map")?];
        let times = if glyph::multiplies(state.identity) { " times" } else { "," };
        Some(format!("layer {name}, row {row}, column {col}: |x| {x}{times} |g| {g}; map {it}"))
    });
    words.unwrap_or_default()
}
