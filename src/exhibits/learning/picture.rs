//! How learning looks: the field, its points, the curve of the loss, and some neurons.

use egui::{Color32, Rect, RichText, Sense, StrokeKind, Vec2, pos2, vec2};

use super::{CARD, EDGE, FIELD, Learning, NEURON, NEURONS, STEPS};
use crate::data::Random;
use crate::exhibits::Scene;
use crate::trace::{Kept, Trace};
use crate::train::spirals::points;
use crate::ui::{Curve, Curves, Figure, Maps, Range, Scale, Style, choice, number};

/// Points that are drawn on the field: as they come in a batch, but always the same.
const POINTS: usize = 200;

/// The knobs.
pub(super) fn controls(state: &mut Learning, ui: &mut egui::Ui, _scene: &mut Scene<'_>) {
    let (plays, step, reached) =
        state.live(|it| (it.plays(), it.step_count(), it.losses.len().max(it.step_count() as usize)));
    ui.horizontal_wrapped(|ui| {
        let done = step >= STEPS;
        if ui.add_enabled(!done, egui::Button::new(if plays { "Pause" } else { "Play" })).clicked() {
            state.live(|it| it.play(!plays));
        }
        if ui.add_enabled(!done && !plays, egui::Button::new("One step")).clicked() {
            state.live(super::Live::single);
        }
        if ui.button("Start over").clicked() {
            *state.live.borrow_mut() = None;
        }
        ui.separator();
        let mut at = step;
        let slider = egui::Slider::new(&mut at, 0..=reached as u32).text("step");
        if ui.add(slider).on_hover_text("Back to an earlier step, and on from there.").changed() {
            state.live(|it| it.rewind(at));
        }
    });
    ui.horizontal_wrapped(|ui| {
        choice(ui, "hidden neurons", &mut state.hidden, &[(8, "8"), (24, "24"), (48, "48"), (96, "96")]);
        ui.separator();
        choice(
            ui,
            "learning rate",
            &mut state.rate,
            &[(1, "0.001"), (3, "0.003"), (10, "0.01"), (30, "0.03"), (200, "0.2")],
        );
        ui.separator();
        ui.add(egui::DragValue::new(&mut state.seed).prefix("seed "))
            .on_hover_text("What chance begins with.");
    });
}

/// The fields of a tensor, each of `side` rows and columns.
fn field(tensor: &Kept, side: usize) -> Maps<'_> {
    Maps { tensor, rows: side, cols: side, peak: None, range: Range::signed(1.0), scale: Scale::Diverging }
}

/// The whole picture.
pub(super) fn view(state: &mut Learning, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    let (trace, style) = (scene.trace, scene.style);
    let answer = trace.get("field")?;
    let size = ui.available_size();
    let wide = size.x > 620.0 * style.scale;
    let side = if wide { size.y.min(0.5 * size.x) } else { size.x };
    let layout = if wide { egui::Layout::left_to_right(egui::Align::Min) } else { *ui.layout() };
    ui.with_layout(layout, |ui| {
        ui.spacing_mut().item_spacing.x = style.grid(3.0);
        large(ui, scene, answer, side);
        ui.vertical(|ui| {
            let room = vec2(ui.available_width(), if wide { size.y } else { 1.2 * size.x });
            right(state, ui, scene, room);
        });
    });
    Some(())
}

/// The answer everywhere, with the points.
fn large(ui: &mut egui::Ui, scene: &mut Scene<'_>, answer: &Kept, side: f32) {
    let style = scene.style;
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    field(answer, FIELD).paint(ui, style, &[(0, rect)]);
    let batch = points(POINTS, &mut Random::stream(0, u64::MAX));
    for (at, label) in batch[0].data.chunks(2).zip(&*batch[1].data) {
        let place = |x: f32| 0.5 + 0.5 * x / EDGE;
        let centre = rect.min + side * vec2(place(at[0]), 1.0 - place(at[1]));
        // The ends of the scale that the field has.
        let end = crate::ui::scale::table(Scale::Diverging, style.dark)[if *label > 0.5 { 235 } else { 20 }];
        ui.painter().circle(
            centre,
            0.009 * side,
            end,
            (0.003 * side, Color32::from_gray(if style.dark { 0 } else { 255 })),
        );
    }
    ui.painter().rect_stroke(rect, 0, style.hair(), StrokeKind::Outside);
    if let Some(pos) = response.hover_pos() {
        let at = ((pos - rect.min) / side * FIELD as f32).max(Vec2::ZERO);
        let i = (at.y as usize).min(FIELD - 1) * FIELD + (at.x as usize).min(FIELD - 1);
        if let Some(values) = answer.window(0..FIELD * FIELD) {
            let blue = 0.5 + 0.5 * values[i];
            scene.focus.readout = format!(
                "Here the network says: blue with probability {}, red {}.",
                number(blue),
                number(1.0 - blue)
            );
        }
    }
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, "what the network answers everywhere")
    });
}

/// The curve, and some neurons.
fn right(state: &Learning, ui: &mut egui::Ui, scene: &mut Scene<'_>, size: Vec2) {
    let style = scene.style;
    let gap = style.grid(0.75);
    let neuron = ((size.x + gap) / NEURONS as f32 - gap).min(0.2 * size.y);
    let heading = |ui: &mut egui::Ui, words: &str| {
        ui.label(RichText::new(words).font(style.semibold(style.body)).color(style.text));
    };
    let (step, points) = state.live(|it| (it.step_count(), thinned(&it.losses)));
    let now = points
        .iter()
        .rev()
        .find(|it| it[0] <= step as f32)
        .map_or_else(String::new, |it| format!(", loss {}", number(it[1])));
    heading(ui, &format!("Step {step} of {STEPS}{now}"));
    let room = vec2(size.x, size.y - 2.0 * neuron - 3.0 * 1.9 * style.body - 3.0 * gap);
    if points.is_empty() {
        ui.allocate_space(room);
    } else {
        let high = points.iter().fold(0.7f32, |most, it| most.max(it[1]));
        let marks = [[step as f32, 0.0], [step as f32, high]].to_vec();
        let curves = [
            Curve { name: "loss", hue: 1, points, dashed: false },
            Curve { name: "now", hue: 7, points: marks, dashed: true },
        ];
        let ticks = [0.0, 500.0, 1000.0, 1500.0].map(|it: f32| (it, number(it)));
        let ticks: Vec<_> =
            ticks.into_iter().filter(|it| it.0 <= state.live(|it| it.losses.len()) as f32).collect();
        let frame = Curves {
            curves: &curves,
            ticks: &ticks,
            x_label: "step",
            y_label: "loss (nats)",
            y: Range::round(0.0, high),
        };
        if let Some(words) = frame.show(ui, style, room) {
            scene.focus.readout = words;
        }
    }
    for (layer, words) in [("first", "Neurons of the first layer"), ("second", "Neurons of the second layer")]
    {
        heading(ui, words);
        neurons(ui, style, scene.trace, layer, vec2(neuron, gap));
    }
}

fn neurons(ui: &mut egui::Ui, style: &Style, trace: &Trace, layer: &str, size: Vec2) {
    let Some(kept) = trace.get(&format!("coarse/neurons.{layer}")) else { return };
    let (rect, _) = ui.allocate_exact_size(vec2(NEURONS as f32 * (size.x + size.y), size.x), Sense::hover());
    let place = |i: usize| {
        Rect::from_min_size(pos2(rect.left() + i as f32 * (size.x + size.y), rect.top()), Vec2::splat(size.x))
    };
    let cells: Vec<(usize, Rect)> = (0..NEURONS).map(|i| (i, place(i))).collect();
    field(kept, NEURON).paint(ui, style, &cells);
    for (_, rect) in cells {
        ui.painter().rect_stroke(rect, 0, style.hair(), StrokeKind::Outside);
    }
}

/// The losses as points, means of as many as are not worth a point of their own.
fn thinned(losses: &[f32]) -> Vec<[f32; 2]> {
    let each = (losses.len() / 150).max(1);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    losses.chunks(each).enumerate().map(|(i, part)| [(i * each + part.len()) as f32, mean(part)]).collect()
}

/// The field, for papers.
pub(super) fn figure(scene: &Scene<'_>) -> Option<Figure> {
    let values = scene.trace.get("field")?.window(0..FIELD * FIELD)?.to_vec();
    let numbers = || (0..FIELD).map(|i| i.to_string()).collect();
    Some(Figure {
        title: CARD.title.to_owned(),
        caption: format!(
            "What the network answers: 1 is one spiral, −1 the other. {}, arXiv {}.",
            CARD.paper, CARD.reference
        ),
        x_label: "column".to_owned(),
        y_label: "row".to_owned(),
        x_tokens: numbers(),
        y_tokens: numbers(),
        values,
        range: Range::signed(1.0),
        scale: Scale::Diverging,
        dark: false,
        link: String::new(),
    })
}
