//! How the maps of NormGrad look: the picture, two factors and their product, and all layers below.

use egui::{RichText, vec2};

use super::{CARD, Identity, NormGrad};
use crate::exhibits::Scene;
use crate::exhibits::looking::{self, value};
use crate::trace::Trace;
use crate::ui::{Figure, Maps, Peak, Range, Scale, Square, Style, number};

/// Number of layers in the trace.
fn layers(trace: &Trace) -> usize {
    trace.words("layers").len()
}

/// The layer that is shown large: the number of layers stands for all of them combined.
pub(super) fn layer(state: &NormGrad, trace: &Trace) -> usize {
    let n = layers(trace);
    state.layer.map_or(n.saturating_sub(2), |it| it.min(n))
}

/// A map of the trace, its colours relative to its largest value.
fn map<'a>(trace: &'a Trace, name: &str, signed: bool) -> Option<Maps<'a>> {
    let tensor = trace.get(name)?;
    let [rows, cols] = tensor.shape[..] else { return None };
    let peak = trace.get(&format!("{name}.peak")).map(|tensor| Peak { tensor, per_row: false });
    let (range, scale) =
        if signed { (Range::signed(1.0), Scale::Diverging) } else { (Range::UNIT, Scale::Sequential) };
    Some(Maps { tensor, rows, cols, peak, range, scale })
}

/// The map that lies over the picture.
fn overlay(trace: &Trace, layer: usize) -> Option<Maps<'_>> {
    let name = if layer == layers(trace) { "combined".to_owned() } else { format!("layers.{layer}.map") };
    Some(Maps { scale: Scale::Saliency, ..map(trace, &name, false)? })
}

/// The whole picture.
pub(super) fn view(state: &mut NormGrad, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    scene.trace.get("combined")?;
    let (trace, style) = (scene.trace, scene.style);
    let layer = layer(state, trace);
    let size = ui.available_size();
    if size.x > 620.0 * style.scale {
        let left = (size.x * 0.33).min(size.y - style.grid(8.0)).max(style.grid(18.0));
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(3.0);
            ui.vertical(|ui| {
                ui.set_width(left);
                state.looking.show(ui, scene, overlay(trace, layer));
            });
            ui.vertical(|ui| right(state, ui, scene, layer, vec2(ui.available_width(), size.y)));
        });
    } else {
        state.looking.show(ui, scene, overlay(trace, layer));
        right(state, ui, scene, layer, vec2(size.x, f32::INFINITY));
    }
    if scene.focus.readout.is_empty() {
        read_out(state, scene, layer);
    }
    Some(())
}

/// Factors and product above, all layers below.
fn right(state: &mut NormGrad, ui: &mut egui::Ui, scene: &mut Scene<'_>, layer: usize, size: egui::Vec2) {
    let style = scene.style;
    let n = layers(scene.trace);
    let gap = style.grid(1.0);
    let across = if size.x > 500.0 * style.scale { n + 1 } else { n.div_ceil(2) + 1 };
    // A point less, so that rounding wraps none.
    let small = ((size.x + gap) / across as f32 - gap - 1.0).min(style.grid(14.0)).min(0.3 * size.y);
    let title = 1.6 * style.body;
    let beside = if size.x > 560.0 * style.scale { style.grid(30.0) } else { 0.0 };
    let large = ((size.x - beside - style.grid(8.0)) / 3.0)
        .min(size.y - small - 2.0 * title - 2.5 * Square::caption_height(style) - style.grid(3.0));
    if beside > 0.0 {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(3.0);
            ui.vertical(|ui| factors(state, ui, scene, layer, large));
            let most = ((large + title) / (1.75 * style.caption)) as usize;
            let width = ui.available_width();
            ui.vertical(|ui| state.looking.classes(ui, scene));
        });
    } else {
        factors(state, ui, scene, layer, large);
        state.looking.classes(ui, scene);
    }
    ui.add_space(style.grid(1.0));
    let heading = |ui: &mut egui::Ui, words: &str| {
        ui.label(RichText::new(words).font(style.semibold(style.body)).color(style.text));
    };
    heading(ui, "All layers, from the picture to the answer");
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        for i in 0..=n {
            let name = if i == n { "combined".to_owned() } else { format!("layers.{i}.map") };
            let caption = scene.trace.words("layers").get(i).map_or("combined", String::as_str);
            let maps = map(scene.trace, &name, state.is_signed() && i < n);
            let square = Square { maps, caption, note: "", lit: i == layer };
            if square.show(ui, style, scene.focus, small).clicked() {
                state.layer = Some(i);
            }
        }
    });
}

/// `|x| x |g| = map`, or what takes their place.
fn factors(state: &NormGrad, ui: &mut egui::Ui, scene: &mut Scene<'_>, layer: usize, side: f32) {
    let (style, trace) = (scene.style, scene.trace);
    let name = trace.words("layers").get(layer).cloned();
    let words = name.as_ref().map_or_else(
        || "All layers combined".to_owned(),
        |name| format!("Layer {name}: {}", identity(state.identity)),
    );
    ui.set_max_width(3.0 * side + style.grid(8.0));
    let words = RichText::new(words).font(style.semibold(style.body)).color(style.text);
    ui.add(egui::Label::new(words).truncate());
    if name.is_none() {
        let maps = map(trace, "combined", false);
        Square { maps, caption: "every map scaled to 0..1, then combined", note: "", lit: false }.show(
            ui,
            style,
            scene.focus,
            side,
        );
        return;
    }
    let [left, sign, right] = match state.identity {
        Identity::Bias => ["", "", "|g|  gradient"],
        Identity::Scaling | Identity::Depthwise3x3 => ["|x|  activation", "∘", "|g|  gradient"],
        Identity::Conv1x1 => ["|x|  activation", "×", "|g|  gradient"],
        Identity::Conv3x3 => ["|x|  of 3 x 3 places", "×", "|g|  gradient"],
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        if !left.is_empty() {
            let maps = map(trace, &format!("layers.{layer}.activation"), false);
            Square { maps, caption: left, note: "", lit: false }.show(ui, style, scene.focus, side);
            operator(ui, style, sign, side);
        }
        let maps = map(trace, &format!("layers.{layer}.gradient"), false);
        Square { maps, caption: right, note: "", lit: false }.show(ui, style, scene.focus, side);
        operator(ui, style, "=", side);
        let maps = map(trace, &format!("layers.{layer}.map"), state.is_signed());
        Square { maps, caption: "NormGrad", note: "", lit: false }.show(ui, style, scene.focus, side);
    });
}

/// What the virtual identity is, in words.
fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Bias => "as if “+ 0” followed in every channel",
        Identity::Scaling => "as if “times 1” followed in every channel",
        Identity::Conv1x1 => "as if a 1 x 1 identity convolution followed",
        Identity::Conv3x3 => "as if a 3 x 3 identity convolution followed",
        Identity::Depthwise3x3 => "as if a 3 x 3 identity kernel followed in every channel",
    }
}

fn operator(ui: &mut egui::Ui, style: &Style, sign: &str, side: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(style.grid(4.0), side), egui::Sense::hover());
    let font = style.regular(style.page);
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, sign, font, style.secondary);
}

/// The place under the cursor in words.
fn read_out(state: &NormGrad, scene: &mut Scene<'_>, layer: usize) {
    let Some(at) = scene.focus.spot().at else { return };
    let trace = scene.trace;
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

/// The map that is shown large, for papers.
pub(super) fn figure(state: &NormGrad, scene: &Scene<'_>) -> Option<Figure> {
    let trace = scene.trace;
    let layer = layer(state, trace);
    let (name, words) = match trace.words("layers").get(layer) {
        Some(words) => (format!("layers.{layer}.map"), format!("layer {words}")),
        None => ("combined".to_owned(), "all layers combined".to_owned()),
    };
    let signed = state.is_signed() && layer < layers(trace);
    looking::figure(&CARD, &words, trace.get(&name)?, signed)
}
