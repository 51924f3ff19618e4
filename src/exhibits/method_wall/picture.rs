//! The wall for a picture: all maps on one scale, and two of them put to the test.

use std::sync::Arc;

use egui::{ScrollArea, Ui, Vec2};

use super::words::{Wall, over, table};
use super::{CARD, GRID, MethodWall};
use crate::exhibits::Scene;
use crate::exhibits::looking::{self, Looking, value};
use crate::page::{Page, Room, column, panel, row};
use crate::saliency::masking::STEPS;
use crate::saliency::method::Method;
use crate::ui::{Curve, Curves, Divided, Figure, Legend, Maps, Peak, Range, Scale, Square, number};

/// The panels.
pub(super) fn page(wall: &Wall<'_>) -> Option<Page> {
    wall.trace.get("maps.0").filter(|it| it.shape.len() == 2)?;
    let for_class = |words: &str| format!("{words} {}", wall.class);
    let evidence = if wall.forgotten > 0 { "Evidence before forgetting" } else { "Evidence" };
    let chart = Room::fill(210.0, 130.0).at_most_high(210.0);
    let square = Room::shaped(1.0, [165.0, 130.0], [0.0, 70.0]).at_most_high(210.0);
    let seen =
        panel("picture", 1, Looking::ROOM).titled(for_class(&format!("{} for", wall.name(wall.pair.a))));
    let classes = Room::fill(150.0, 90.0).at_most_wide(260.0).at_most_high(180.0);
    Some(row([
        column([seen.into(), panel("classes", 5, classes).titled(evidence).into()]),
        column([
            panel("all methods", 0, Room::fill(250.0, 190.0)).titled(wall.title()).noted(wall.note()).into(),
            row([
                panel("A minus B", 2, square).titled(for_class("A − B for")).into(),
                panel("deletion", 3, chart).titled("Take the important away").into(),
                panel("insertion", 4, chart).titled("Show only the important").into(),
            ]),
        ]),
    ]))
}

/// One of them.
pub(super) fn draw(state: &mut MethodWall, panel: &str, ui: &mut Ui, scene: &mut Scene<'_>) {
    let wall = Wall::new(state, scene.trace);
    match panel {
        "all methods" => all(state, &wall, ui, scene),
        "A minus B" => difference(&wall, ui, scene),
        "classes" => state.looking.classes(ui, scene),
        "picture" => state.looking.show(ui, scene, wall.map(wall.pair.a, Scale::Saliency)),
        what => tested(&wall, what, ui, scene),
    }
    if scene.focus.readout.is_empty()
        && let Some(at) = scene.focus.spot().at
    {
        scene.focus.readout = wall.said(at);
    }
}

impl<'a> Wall<'a> {
    fn index(&self, method: Method) -> Option<usize> {
        self.methods.iter().position(|it| *it == method)
    }

    /// A method's map.
    fn map(&self, method: Method, scale: Scale) -> Option<Maps<'a>> {
        let name = format!("maps.{}", self.index(method)?);
        let tensor = self.trace.get(&name)?;
        let [rows, cols] = tensor.shape[..] else { return None };
        let peak = self.trace.get(&format!("{name}.peak")).map(|tensor| Peak { tensor, per_row: false });
        Some(Maps { tensor, rows, cols, peak, range: Range::UNIT, scale })
    }

    /// What map `i` says of a place, of its largest value.
    fn part(&self, i: usize, at: [u16; 2]) -> Option<f32> {
        let peak = self.read(&format!("maps.{i}.peak"))?;
        Some(value(self.trace, &format!("maps.{i}"), at)?.0 / peak.max(f32::MIN_POSITIVE))
    }

    /// The place under the cursor in words: what every method says of it.
    fn said(&self, at: [u16; 2]) -> String {
        let say =
            |(i, method): (usize, &Method)| Some(format!("{} {}", method.name(), number(self.part(i, at)?)));
        let words: Vec<String> = self.methods.iter().enumerate().filter_map(say).collect();
        format!("Here, of each map's largest value: {}", words.join(" · "))
    }

    /// The evidence for the class while important places go (or come), for A and B.
    fn tested(&self, what: &str) -> Option<[Arc<[f32]>; 2]> {
        let read = |name: &str| self.trace.get(&format!("{what}.{name}"))?.window(0..STEPS + 1);
        Some([read("a")?, read("b")?])
    }

    /// Map `i` of its largest value, in as many places as maps are compared in: those of the map that lie there on average.
    fn places(&self, i: usize) -> Option<Vec<f32>> {
        let tensor = self.trace.get(&format!("maps.{i}"))?;
        let [h, w] = tensor.shape[..] else { return None };
        let values = tensor.window(0..h * w)?;
        let peak = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let span = |k: usize, n: usize| k * n / GRID..((k + 1) * n / GRID).max(k * n / GRID + 1);
        let mean = |k: usize| {
            let (rows, cols) = (span(k / GRID, h), span(k % GRID, w));
            let count = (rows.len() * cols.len()) as f32;
            let sum: f32 = rows.flat_map(|r| cols.clone().map(move |c| r * w + c)).map(|it| values[it]).sum();
            sum / (count * peak)
        };
        Some((0..GRID * GRID).map(mean).collect())
    }
}

/// All maps in a grid that fills the room; what is clicked becomes A.
fn all(state: &mut MethodWall, wall: &Wall<'_>, ui: &mut Ui, scene: &mut Scene<'_>) {
    let style = scene.style;
    let legend = Legend {
        scale: Scale::Sequential,
        range: Range::UNIT,
        divided: Divided::Map,
        caption: "",
        missing: None,
    };
    over(ui, style, &legend, 18.0, |ui| {
        let (n, room, gap, least) =
            (wall.methods.len(), ui.available_size(), style.grid(1.0), style.grid(6.0));
        let edge = style.grid(0.5); // for the frame of what is chosen
        let wide = |columns: usize| (room.x + gap - edge) / columns as f32 - gap;
        let high = |columns: usize| {
            (room.y + gap - edge) / n.div_ceil(columns) as f32 - gap - Square::caption_height(style)
        };
        let side = |columns: usize| wide(columns).min(high(columns)).floor();
        let best = (1..=n).max_by(|a, b| side(*a).total_cmp(&side(*b))).unwrap_or(1);
        // Where they would be too small to read they scroll.
        let few = (((room.x + gap) / (least + gap)) as usize).max(1);
        let (columns, side) =
            if side(best) < least { (few, wide(few).floor().min(2.0 * least)) } else { (best, side(best)) };
        ScrollArea::vertical().id_salt("all methods").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(gap);
            ui.add_space(0.5 * edge);
            for (r, methods) in wall.methods.chunks(columns).enumerate() {
                ui.horizontal(|ui| {
                    for (c, method) in methods.iter().enumerate() {
                        one(state, wall, ui, scene, (columns * r + c, *method), side);
                    }
                });
            }
        });
    });
}

/// One map of the wall.
fn one(
    state: &mut MethodWall,
    wall: &Wall<'_>,
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    (i, method): (usize, Method),
    side: f32,
) {
    let (maps, caption) = (wall.map(method, Scale::Sequential), method.name());
    // A letter in the corner leaves the name its room.
    let note = format!("{} {}", wall.letter(method), wall.sanity(i));
    let square = Square { maps, caption, note: note.trim(), lit: wall.lit(method) };
    let response = square.show(ui, scene.style, scene.focus, side);
    if response.clicked() {
        state.pick(method, wall.pair);
    }
    if let Some(part) = scene.focus.hover.at.and_then(|at| wall.part(i, at)) {
        let sum = if method == Method::Integrated { wall.adds_up(true) } else { String::new() };
        response.on_hover_text_at_pointer(format!("{caption}: {} of its largest value.{sum}", number(part)));
    }
}

/// A minus B, and how much they agree.
fn difference(wall: &Wall<'_>, ui: &mut Ui, scene: &mut Scene<'_>) {
    let (style, trace, mut words) = (scene.style, wall.trace, String::new());
    over(ui, style, &wall.difference_legend(&mut words), 18.0, |ui| {
        let side = ui.available_width().min(ui.available_height() - Square::caption_height(style));
        let maps = trace.get("difference").map(|tensor| Maps {
            tensor,
            rows: GRID,
            cols: GRID,
            peak: None,
            range: Range::signed(1.0),
            scale: Scale::Diverging,
        });
        let square = Square { maps, caption: &wall.agreement(), note: "", lit: false };
        let response = square.show(ui, style, scene.focus, side);
        let at = scene.focus.hover.at.filter(|_| response.hovered());
        let said = at.and_then(|at| wall.compared(|name| Some(value(trace, name, at)?.0)));
        if let Some((words, difference)) = said {
            scene.focus.readout = words;
            response.on_hover_text_at_pointer(number(difference));
        }
    });
}

/// The evidence for the class while the important places go (or come), for both methods.
fn tested(wall: &Wall<'_>, what: &str, ui: &mut Ui, scene: &mut Scene<'_>) {
    let pair = [wall.pair.a, wall.pair.b];
    let names = pair.map(|it| wall.name(it));
    let (mut low, mut high) = (0.0f32, 1.0f32);
    for y in ["deletion", "insertion"].iter().filter_map(|it| wall.tested(it)).flatten() {
        (low, high) = y.iter().fold((low, high), |(low, high), y| (low.min(*y), high.max(*y)));
    }
    let Some(values) = wall.tested(what) else { return };
    let curves = [0, 1].map(|i| Curve {
        name: &names[i],
        hue: pair[i].hue(),
        points: values[i].iter().enumerate().map(|(k, y)| [100.0 * k as f32 / STEPS as f32, *y]).collect(),
        dashed: i == 1,
    });
    let ticks = [0.0f32, 50.0, 100.0].map(|it| (it, format!("{it} %")));
    let x_label = if what == "deletion" { "of all places black" } else { "of all places shown" };
    let y_label = format!("evidence for {} (logit)", wall.class);
    let y = Range::round(low, high);
    let chart = Curves { curves: &curves, ticks: &ticks, x_label, y_label: &y_label, y };
    if let Some(words) = chart.show(ui, scene.style, ui.available_size()) {
        scene.focus.readout = words;
    }
}

/// A panel for papers.
pub(super) fn figure(wall: &Wall<'_>, panel: &str) -> Option<Figure> {
    let [a, b] = [wall.pair.a, wall.pair.b].map(|it| wall.name(it));
    match panel {
        "picture" => {
            let map = wall.map(wall.pair.a, Scale::Saliency)?;
            looking::figure(&CARD, &format!("{a} for {}", wall.class), map.tensor, false)
        }
        "A minus B" => {
            let words = format!("{a} − {b} for {}", wall.class);
            looking::figure(&CARD, &words, wall.trace.get("difference")?, true)
        }
        "all methods" => {
            let rows = wall.methods.iter().map(|it| wall.name(*it)).collect();
            let places = (0..GRID * GRID).map(|k| format!("{},{}", k / GRID, k % GRID)).collect();
            let values: Option<Vec<_>> = (0..wall.methods.len()).map(|i| wall.places(i)).collect();
            let labels = ["method", "row,column"];
            Some(table(&wall.title(), labels, [rows, places], values?.concat(), Range::UNIT))
        }
        what => {
            let values = wall.tested(what)?.concat();
            let steps = (0..=STEPS).map(|k| format!("{:.0} %", 100.0 * k as f32 / STEPS as f32)).collect();
            let ends = values.iter().fold((0.0f32, 0.0f32), |it, y| (it.0.min(*y), it.1.max(*y)));
            let range = if ends.0 < 0.0 {
                Range::signed(ends.1.max(-ends.0))
            } else {
                Range { min: 0.0, max: ends.1, log: false }
            };
            let labels =
                ["method", if what == "deletion" { "of all places black" } else { "of all places shown" }];
            let title = format!("{what}, evidence for {} (logit)", wall.class);
            Some(table(&title, labels, [vec![a, b], steps], values, range))
        }
    }
}
