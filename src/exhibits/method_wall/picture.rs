//! How the method wall looks: the picture, all maps on one scale, and two of them put to the test.

use egui::{RichText, vec2};

use super::{CARD, GRID, MethodWall, Pair};
use crate::exhibits::Scene;
use crate::exhibits::looking::{self, value};
use crate::saliency::masking::STEPS;
use crate::saliency::method::Method;
use crate::trace::Trace;
use crate::ui::{Curve, Curves, Figure, Maps, Peak, Range, Scale, Square, Style, choice, number};

/// From this rank correlation on two maps are said to be the same.
const SAME: f32 = 0.5;

/// The methods of a trace, in its order.
pub(super) fn methods(trace: &Trace) -> Vec<Method> {
    let of = |name: &String| Method::ALL.into_iter().find(|it| it.name() == name);
    trace.words("methods").iter().filter_map(of).collect()
}

/// Map `i` of the trace.
fn map(trace: &Trace, i: usize, scale: Scale) -> Option<Maps<'_>> {
    let tensor = trace.get(&format!("maps.{i}"))?;
    let [rows, cols] = tensor.shape[..] else { return None };
    let peak = trace.get(&format!("maps.{i}.peak")).map(|tensor| Peak { tensor, per_row: false });
    Some(Maps { tensor, rows, cols, peak, range: Range::UNIT, scale })
}

pub(super) fn read(trace: &Trace, name: &str) -> Option<f32> {
    Some(trace.get(name)?.window(0..1)?[0])
}

/// The knobs.
pub(super) fn controls(state: &mut MethodWall, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        let before = state.reads;
        choice(ui, "", &mut state.reads, &[(false, "a picture"), (true, "a sentence")]);
        if state.reads != before {
            // The other model has other layers.
            (state.layer, state.forgotten) = (None, 0);
        }
        ui.separator();
        let groups = scene.trace.words("forget");
        let slider = egui::Slider::new(&mut state.forgotten, 0..=groups.len());
        ui.add(slider.text("layers that forgot what they learnt, from the answer down"));
        if state.forgotten > 0 {
            let last = groups.get(state.forgotten - 1).map_or("", String::as_str);
            ui.label(
                RichText::new(format!("to {last}")).size(scene.style.caption).color(scene.style.secondary),
            );
        }
    });
    ui.horizontal_wrapped(|ui| {
        let layers = scene.trace.words("layers");
        let layer = state.layer(layers.len());
        egui::ComboBox::from_label("layer")
            .selected_text(layers.get(layer).map_or("", String::as_str))
            .show_ui(ui, |ui| {
                for (i, name) in layers.iter().enumerate() {
                    ui.selectable_value(&mut state.layer, Some(i), name);
                }
            });
        if !state.reads {
            ui.separator();
        }
    });
    if state.reads {
        return;
    }
}

/// The whole picture.
pub(super) fn view(state: &mut MethodWall, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    let methods = methods(scene.trace);
    scene.trace.get("maps.0")?;
    let (style, size) = (scene.style, ui.available_size());
    let trace = scene.trace;
    let a = methods.iter().position(|it| *it == state.pair.a);
    let overlay = a.and_then(|i| map(trace, i, Scale::Saliency));
    if size.x > 620.0 * style.scale {
        let left = (size.x * 0.27).min(0.62 * size.y).max(style.grid(18.0));
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(3.0);
            ui.vertical(|ui| {
                ui.set_width(left);
                state.looking.show(ui, scene, overlay);
                let room = size.y - left - left / 6.0 - style.grid(4.0);
                let most = (room / (1.75 * style.caption)) as usize;
                state.looking.classes(ui, scene);
            });
            ui.vertical(|ui| right(state, ui, scene, &methods, vec2(ui.available_width(), size.y)));
        });
    } else {
        state.looking.show(ui, scene, overlay);
        state.looking.classes(ui, scene);
        right(state, ui, scene, &methods, vec2(size.x, f32::INFINITY));
    }
    if scene.focus.readout.is_empty() {
        read_out(scene, &methods);
    }
    Some(())
}

/// All maps, and below them the pair that is compared.
fn right(
    state: &mut MethodWall,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    methods: &[Method],
    size: egui::Vec2,
) {
    let style = scene.style;
    let wide = size.y.is_finite();
    let gap = style.grid(1.0);
    let caption = Square::caption_height(style) + gap;
    let fit = |rows: usize| (size.x + gap) / methods.len().div_ceil(rows) as f32 - gap;
    let least = style.grid(22.0); // what the pair needs
    let side = |rows: usize| fit(rows).min((size.y - least) / rows as f32 - caption);
    // Fewer rows leave more room to the curves.
    let worth = |rows: usize| side(rows) / (rows as f32).sqrt();
    let best = (1..4).max_by(|a, b| worth(*a).total_cmp(&worth(*b)));
    let rows = if wide { best.unwrap_or(1) } else { methods.len().div_ceil(3) };
    let side = side(rows).max(style.grid(6.0));
    let said = verdict(state, scene.trace, methods);
    let words = if said.is_some() { 3.2 * style.body } else { 0.0 };
    let below = if wide { size.y - rows as f32 * (side + caption) - words } else { style.grid(26.0) };
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    let all: Vec<(usize, Method)> = methods.iter().copied().enumerate().collect();
    for row in all.chunks(methods.len().div_ceil(rows)) {
        ui.horizontal(|ui| row.iter().for_each(|(i, method)| one(state, ui, scene, *method, *i, side)));
    }
    if let Some(said) = said {
        let colour = if said.1 { style.bad } else { style.good };
        let words = RichText::new(said.0).font(style.semibold(style.body)).color(colour);
        ui.add(egui::Label::new(words).wrap());
    }
    pair(state, ui, scene, vec2(size.x, below));
}

/// One map of the wall.
fn one(
    state: &mut MethodWall,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    method: Method,
    i: usize,
    side: f32,
) {
    let letter = match method {
        it if it == state.pair.a => "A  ",
        it if it == state.pair.b => "B  ",
        _ => "",
    };
    let sanity = read(scene.trace, &format!("sanity.{i}"));
    let note = sanity.map_or_else(String::new, |rho| format!("{rho:.2}"));
    let caption = format!("{letter}{}", method.name());
    let maps = map(scene.trace, i, Scale::Sequential);
    let square = Square { maps, caption: &caption, note: &note, lit: !letter.is_empty() };
    if square.show(ui, scene.style, scene.focus, side).clicked() {
        pick(state, method);
    }
}

/// The method becomes A, and what was A becomes B.
pub(super) fn pick(state: &mut MethodWall, method: Method) {
    if method != state.pair.a {
        state.pair = Pair { a: method, b: state.pair.a };
    }
}

/// Which methods do not care what the model knows, once it has forgotten everything; and whether there are any.
pub(super) fn verdict(state: &MethodWall, trace: &Trace, methods: &[Method]) -> Option<(String, bool)> {
    let all = trace.words("forget").len();
    if state.forgotten < all || all == 0 {
        return None;
    }
    let same = |i: &usize| read(trace, &format!("sanity.{i}")).is_some_and(|rho| rho > SAME);
    let accused: Vec<&str> = (0..methods.len()).filter(same).map(|i| methods[i].name()).collect();
    let words = match accused.len() {
        0 => "Nothing is left of what was learnt, and every map has changed.".to_owned(),
        _ => format!(
            "Nothing is left of what was learnt, and still the ranks of these maps correlate by more than {SAME}: {}. They show \
             what is looked at more than the model.",
            accused.join(", ")
        ),
    };
    Some((words, !accused.is_empty()))
}

/// A minus B, and what happens when the important places go or stay.
fn pair(state: &MethodWall, ui: &mut egui::Ui, scene: &mut Scene<'_>, size: egui::Vec2) {
    let (style, trace) = (scene.style, scene.trace);
    let Pair { a, b } = state.pair;
    let heading = |ui: &mut egui::Ui, words: String| {
        let words = RichText::new(words).font(style.semibold(style.body)).color(style.text);
        ui.add(egui::Label::new(words).truncate());
    };
    let side = (size.y - 4.2 * style.body).min(0.27 * size.x).max(style.grid(8.0));
    let wide = size.x > 560.0 * style.scale;
    let each = if wide { (size.x - side - style.grid(7.0)) / 2.0 } else { size.x };
    let layout = if wide { egui::Layout::left_to_right(egui::Align::Min) } else { *ui.layout() };
    ui.with_layout(layout, |ui| {
        ui.spacing_mut().item_spacing.x = style.grid(3.0);
        ui.vertical(|ui| {
            ui.set_width(if wide { side } else { each });
            heading(ui, "A − B".to_owned());
            let rho = read(trace, "agreement").map_or_else(String::new, |it| format!("rank corr. {it:.2}"));
            let maps = trace.get("difference").map(|tensor| Maps {
                tensor,
                rows: GRID,
                cols: GRID,
                peak: None,
                range: Range::signed(1.0),
                scale: Scale::Diverging,
            });
            Square { maps, caption: &rho, note: "", lit: false }.show(ui, style, scene.focus, side);
        });
        for (what, title) in
            [("deletion", "Take the important away"), ("insertion", "Show only the important")]
        {
            ui.vertical(|ui| {
                ui.set_width(each);
                heading(ui, title.to_owned());
                let room = vec2(each, (size.y - 2.6 * style.body).min(0.8 * each));
                if let Some(words) = tested(ui, style, trace, what, [a, b], room) {
                    scene.focus.readout = words;
                }
            });
        }
    });
}

/// The evidence while important places go (or come), for both methods.
fn tested(
    ui: &mut egui::Ui,
    style: &Style,
    trace: &Trace,
    what: &str,
    pair: [Method; 2],
    size: egui::Vec2,
) -> Option<String> {
    let names = ["a", "b"].map(|it| format!("{what}.{it}"));
    let values = names.map(|name| trace.get(&name).and_then(|it| it.window(0..STEPS + 1)));
    let points = |i: usize| -> Vec<[f32; 2]> {
        let values = values[i].iter().flat_map(|it| it.iter());
        values.enumerate().map(|(k, y)| [100.0 * k as f32 / STEPS as f32, *y]).collect()
    };
    let curves =
        [0, 1].map(|i| Curve { name: ["A", "B"][i], hue: pair[i].hue(), points: points(i), dashed: i == 1 });
    let all = ["deletion.a", "deletion.b", "insertion.a", "insertion.b"];
    let all = all.iter().filter_map(|it| trace.get(it)?.window(0..STEPS + 1));
    let (mut low, mut high) = (0.0f32, 1.0f32);
    for y in all.flat_map(|it| it.to_vec()) {
        (low, high) = (low.min(y), high.max(y));
    }
    let ticks = [0.0f32, 50.0, 100.0].map(|it| (it, format!("{it} %")));
    let x_label = if what == "deletion" { "of all places black" } else { "of all places shown" };
    let y = Range::round(low, high);
    Curves { curves: &curves, ticks: &ticks, x_label, y_label: "evidence (logit)", y }.show(ui, style, size)
}

/// The place under the cursor in words: what every method says of it.
fn read_out(scene: &mut Scene<'_>, methods: &[Method]) {
    let Some(at) = scene.focus.spot().at else { return };
    let say = |(i, method): (usize, &Method)| {
        let (it, ..) = value(scene.trace, &format!("maps.{i}"), at)?;
        let peak = read(scene.trace, &format!("maps.{i}.peak"))?;
        Some(format!("{} {}", method.name(), number(it / peak.max(f32::MIN_POSITIVE))))
    };
    let words: Vec<String> = methods.iter().enumerate().filter_map(say).collect();
    scene.focus.readout = format!("Here, of each map's largest value: {}", words.join(" · "));
}

/// The map of A, for papers.
pub(super) fn figure(state: &MethodWall, scene: &Scene<'_>) -> Option<Figure> {
    let i = methods(scene.trace).iter().position(|it| *it == state.pair.a)?;
    looking::figure(&CARD, state.pair.a.name(), scene.trace.get(&format!("maps.{i}"))?, false)
}
