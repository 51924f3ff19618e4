//! How learning looks: the field with its points, the curve of the loss, and some neurons.

use super::{EDGE, Learning, NEURONS, STEPS};
use crate::data::Random;
use crate::page::{Field, Fields, Knobs, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::trace::Kept;
use crate::train::spirals::points;
use crate::ui::{Axis, Chart, Form, Range, number};

/// Points that are drawn on the field: as they come in a batch, but always the same.
const POINTS: usize = 200;

/// The knobs.
pub(super) fn knobs(state: &mut Learning, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        if state.live(|it| it.knobs(k)) {
            state.run.start_over();
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
    let field = Fields {
        fields: vec![Field::new(signed(scene.trace.get("field")?, 0), "")],
        value: "answer",
        legend: Some("−1: red, 1: blue".to_owned()),
        dots: dots(),
        ..Fields::default()
    };
    let neurons = |name, rank, words: &str, tap| {
        let field = |i| Field::new(scene.trace.get(tap).and_then(|it| signed(it, i)), "");
        let (fields, value) = ((0..NEURONS).map(field).collect(), "answer");
        let room = Room::shaped(NEURONS as f32, [200.0, 26.0], [0.0, 4.0]).at_most_high(64.0);
        let picture = Picture::Fields(Fields { fields, value, ..Fields::default() });
        panel(name, rank, room).titled(words).shows(picture).into()
    };
    let step = state.live(|it| it.step_count());
    let now = state.live(|it| it.losses.get((step as usize).checked_sub(1)?).copied());
    let now = now.map_or_else(String::new, |it| format!(", loss {}", number(it)));
    Some(row([
        panel("field", 0, Room::shaped(1.0, [130.0, 150.0], [0.0, 60.0]))
            .titled("What the network answers everywhere")
            .read("1: blue for certain, −1: red for certain.")
            .shows(Picture::Fields(field))
            .into(),
        column([
            panel("loss", 1, Room::fill(230.0, 130.0))
                .titled(format!("Step {step} of {STEPS}{now}"))
                .shows(Picture::Chart(loss(state, step)))
                .into(),
            neurons("first layer", 2, "Neurons of the first layer", "coarse/neurons.first"),
            neurons("second layer", 3, "Neurons of the second layer", "coarse/neurons.second"),
        ]),
    ]))
}

fn signed(kept: &Kept, index: usize) -> Option<Map> {
    Some(Map::of(kept, index)?.signed(1.0))
}

/// Points as they come in a batch, but always the same.
fn dots() -> Vec<([f32; 2], bool)> {
    let batch = points(POINTS, &mut Random::stream(0, u64::MAX));
    let place = |x: f32| 0.5 + 0.5 * x / EDGE;
    let each = batch[0].data.chunks(2).zip(&*batch[1].data);
    each.map(|(at, label)| ([place(at[0]), 1.0 - place(at[1])], *label > 0.5)).collect()
}

/// The curve, and how far it has come.
fn loss(state: &Learning, step: u32) -> Chart {
    let losses = state.live(|it| it.thinned());
    let high = losses.iter().fold(0.7f32, |most, it| most.max(it[1]));
    let (now, ticks) = (step as f32, [0.0, 500.0, 1000.0, 1500.0].map(|it| (it, number(it))));
    let (x, y) = (Axis::new("step").ticks(ticks), Axis::new("loss (nats)").to(Range::round(0.0, high)));
    Chart { x, y, ..Chart::default() }.with("loss", 1, Form::Line, losses).with(
        "now",
        7,
        Form::Dashed,
        vec![[now, 0.0], [now, high]],
    )
}
