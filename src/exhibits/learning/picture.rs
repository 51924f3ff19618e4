//! How learning looks: the field with its points, the curve of the loss, and some neurons.

use egui::{Color32, Rect, Role, Sense, StrokeKind, Vec2, WidgetInfo, pos2, vec2};

use super::{CARD, EDGE, FIELD, Learning, Live, NEURON, NEURONS, STEPS};
use crate::data::Random;
use crate::exhibits::Scene;
use crate::page::{Knobs, Page, Room, column, panel, row};
use crate::trace::Kept;
use crate::train::spirals::points;
use crate::ui::{Curve, Curves, Divided, Figure, Legend, Maps, Range, Scale, number};

/// Points that are drawn on the field: as they come in a batch, but always the same.
const POINTS: usize = 200;

/// The knobs.
pub(super) fn knobs(state: &mut Learning, k: &mut Knobs<'_, '_>) {
    let (plays, step, reached) =
        state.live(|it| (it.plays(), it.step_count(), it.losses.len().max(it.step_count() as usize)));
    let done = step >= STEPS;
    k.row(|k| {
        if k.button(if plays { "Pause" } else { "Play" }, "", !done) {
            state.live(|it| it.play(!plays));
        }
        if k.button("One step", "", !done && !plays) {
            state.live(Live::single);
        }
        if k.button("Start over", "", true) {
            *state.live.borrow_mut() = None;
        }
        let mut at = step;
        if k.slider("step", &mut at, 0..=reached as u32) {
            state.live(|it| it.rewind(at));
        }
    });
    k.row(|k| {
        let widths = [(8, "8"), (24, "24"), (48, "48"), (96, "96")];
        k.choice("hidden neurons", &mut state.hidden, &widths);
        let rates = [(1, "0.001"), (3, "0.003"), (10, "0.01"), (30, "0.03"), (200, "0.2")];
        k.choice("learning rate", &mut state.rate, &rates);
        k.slide("seed", &mut state.seed, 0..=99, |it| it);
    });
}

/// What is shown, and where.
pub(super) fn page(state: &Learning, scene: &Scene<'_>) -> Option<Page> {
    scene.trace.get("field")?;
    let step = state.live(|it| it.step_count());
    let now = state.live(|it| it.losses.get((step as usize).checked_sub(1)?).copied());
    let now = now.map_or_else(String::new, |it| format!(", loss {}", number(it)));
    let neurons = |name, rank, words| {
        let high = NEURONS as f32;
        panel(name, rank, Room::shaped(high, [200.0, 26.0], [0.0, 4.0]).at_most_high(64.0)).titled(words)
    };
    let field = Room::shaped(1.0, [130.0, 150.0], [0.0, 60.0]);
    let loss = panel("loss", 1, Room::fill(230.0, 130.0)).titled(format!("Step {step} of {STEPS}{now}"));
    Some(row([
        panel("field", 0, field).titled("What the network answers everywhere").into(),
        column([
            loss.into(),
            neurons("first layer", 2, "Neurons of the first layer").into(),
            neurons("second layer", 3, "Neurons of the second layer").into(),
        ]),
    ]))
}

/// Draws a panel.
pub(super) fn draw(state: &Learning, panel: &str, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    match panel {
        "field" => field(ui, scene),
        "loss" => loss(state, ui, scene),
        _ => neurons(panel, ui, scene),
    }
}

/// The fields of a tensor, each of `side` rows and columns.
fn maps(tensor: &Kept, side: usize) -> Maps<'_> {
    Maps { tensor, rows: side, cols: side, peak: None, range: Range::signed(1.0), scale: Scale::Diverging }
}

/// The answer everywhere, with the points.
fn field(ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let Some(answer) = scene.trace.get("field") else { return };
    let (style, room) = (scene.style, ui.available_size());
    // Where there is little room, the legend has numbers only.
    let words = room.y > style.grid(26.0);
    let below = if words { 4.6 * style.caption } else { 3.0 * style.caption };
    let side = room.x.min(room.y - below).max(1.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    maps(answer, FIELD).paint(ui, style, &[(0, rect)]);
    let batch = points(POINTS, &mut Random::stream(0, u64::MAX));
    for (at, label) in batch[0].data.chunks(2).zip(&*batch[1].data) {
        let place = |x: f32| 0.5 + 0.5 * x / EDGE;
        let centre = rect.min + side * vec2(place(at[0]), 1.0 - place(at[1]));
        // The ends of the scale that the field has.
        let end = crate::ui::scale::table(Scale::Diverging, style.dark)[if *label > 0.5 { 235 } else { 20 }];
        let edge = Color32::from_gray(if style.dark { 0 } else { 255 });
        ui.painter().circle(centre, 0.009 * side, end, (0.003 * side, edge));
    }
    ui.painter().rect_stroke(rect, 0, style.hair(), StrokeKind::Outside);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "what the network answers everywhere"));
    if let Some(pos) = response.hover_pos() {
        let at = ((pos - rect.min) / side * FIELD as f32).max(Vec2::ZERO);
        let i = (at.y as usize).min(FIELD - 1) * FIELD + (at.x as usize).min(FIELD - 1);
        if let Some(values) = answer.window(0..FIELD * FIELD) {
            let [blue, red] = [0.5 + 0.5 * values[i], 0.5 - 0.5 * values[i]].map(number);
            scene.focus.readout = format!("Here the network says: blue with probability {blue}, red {red}.");
            response.on_hover_text_at_pointer(format!("blue {blue}, red {red}"));
        }
    }
    let caption = if words { "−1: red, 1: blue" } else { "" };
    let (scale, range) = (Scale::Diverging, Range::signed(1.0));
    ui.scope(|ui| {
        ui.set_max_width(side.max(style.grid(16.0)));
        Legend { scale, range, divided: Divided::Not, caption, missing: None }.show(ui, style);
    });
}

/// The curve, and how far it has come.
fn loss(state: &Learning, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let (step, losses) = state.live(|it| (it.step_count(), thinned(&it.losses)));
    let high = losses.iter().fold(0.7f32, |most, it| most.max(it[1]));
    let far = losses.last().map_or(1.0, |it| it[0]);
    let marks = vec![[step as f32, 0.0], [step as f32, high]];
    let curves = [
        Curve { name: "loss", hue: 1, points: losses, dashed: false },
        Curve { name: "now", hue: 7, points: marks, dashed: true },
    ];
    let ticks = [0.0, 500.0, 1000.0, 1500.0].map(|it: f32| (it, number(it)));
    let ticks: Vec<_> = ticks.into_iter().filter(|it| it.0 <= far).collect();
    let frame = Curves {
        curves: &curves,
        ticks: &ticks,
        x_label: "step",
        y_label: "loss (nats)",
        y: Range::round(0.0, high),
    };
    if let Some(words) = frame.show(ui, scene.style, ui.available_size()) {
        scene.focus.readout = words;
    }
}

/// What some neurons of a layer answer everywhere.
fn neurons(layer: &str, ui: &mut egui::Ui, scene: &Scene<'_>) {
    let Some(kept) = scene.trace.get(tap(layer)) else { return };
    let (style, room) = (scene.style, ui.available_size());
    let gap = style.grid(0.5);
    let side = ((room.x + gap) / NEURONS as f32 - gap).min(room.y - 2.0).max(1.0);
    let across = side + gap;
    let (rect, response) = ui.allocate_exact_size(vec2(NEURONS as f32 * across, side), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("neurons of the {layer}")));
    let place =
        |i: usize| Rect::from_min_size(pos2(rect.left() + i as f32 * across, rect.top()), Vec2::splat(side));
    let cells: Vec<(usize, Rect)> = (0..NEURONS).map(|i| (i, place(i))).collect();
    maps(kept, NEURON).paint(ui, style, &cells);
    for (_, rect) in cells {
        ui.painter().rect_stroke(rect, 0, style.hair(), StrokeKind::Outside);
    }
}

fn tap(layer: &str) -> &'static str {
    if layer == "first layer" { "coarse/neurons.first" } else { "coarse/neurons.second" }
}

/// The losses as points, means of as many as are not worth a point of their own.
fn thinned(losses: &[f32]) -> Vec<[f32; 2]> {
    let each = (losses.len() / 150).max(1);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    losses.chunks(each).enumerate().map(|(i, part)| [(i * each + part.len()) as f32, mean(part)]).collect()
}

/// A panel, for papers.
pub(super) fn figure(state: &Learning, panel: &str, scene: &Scene<'_>) -> Option<Figure> {
    let numbers = |from: usize, n: usize| (from..from + n).map(|i| i.to_string()).collect();
    let losses = || state.live(|it| it.losses.clone());
    let all = |name: &str| Some(scene.trace.get(name)?.window(0..scene.trace.get(name)?.size())?.to_vec());
    let (what, values, rows, cols, y_label, x_label): (_, Vec<f32>, Vec<String>, Vec<String>, _, _) =
        match panel {
            "field" => (
                "1 is one spiral, −1 the other",
                all("field")?,
                numbers(0, FIELD),
                numbers(0, FIELD),
                "row",
                "column",
            ),
            "loss" => {
                let losses = losses();
                let steps = numbers(1, losses.len());
                ("The loss of every step, in nats", losses, vec!["loss".to_owned()], steps, "", "step")
            }
            layer => {
                let name = |i: usize| format!("neuron {}, row {}", i / NEURON, i % NEURON);
                let rows = (0..NEURONS * NEURON).map(name).collect();
                (
                    "What neurons answer everywhere",
                    all(tap(layer))?,
                    rows,
                    numbers(0, NEURON),
                    "row",
                    "column",
                )
            }
        };
    let signed = panel != "loss";
    let high = values.iter().fold(1e-6f32, |most, it| most.max(*it));
    Some(Figure {
        title: format!("{}: {panel}", CARD.title),
        caption: format!("{what}. {}, arXiv {}.", CARD.paper, CARD.reference),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        x_tokens: cols,
        y_tokens: rows,
        values,
        range: if signed { Range::signed(1.0) } else { Range::round(0.0, high) },
        scale: if signed { Scale::Diverging } else { Scale::Sequential },
        dark: false,
        link: String::new(),
    })
}
