//! How retention looks: what is left with distance, the three factors of one head, the state, and what it all costs.

use super::{D_HEAD, HEADS, LONGEST, RetnetDecay};
use crate::focus::Spot;
use crate::page::{Cells, Field, Fields, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range, Scale, number};

/// The largest context that the costs are drawn for.
const LONG: usize = 4096;

/// The head that is shown large.
pub(super) fn head(spot: Spot) -> usize {
    spot.head.unwrap_or(1).min(HEADS - 1)
}

/// The panels.
pub(super) fn page(state: &RetnetDecay, scene: &Scene<'_>) -> Option<Page> {
    let (trace, h) = (scene.trace, head(scene.focus.spot()));
    let n = trace.words("tokens").len();
    let read = state.read.unwrap_or(n).min(n);
    let half = |height| Room::fill(200.0, height).at_most_wide(540.0);
    let small = Room::fill(190.0, 110.0).at_most_wide(330.0).at_most_high(190.0);
    Some(row([
        column([
            panel("decay", 0, half(130.0))
                .titled("What is left of a token, by distance")
                .read("Handles sit at the half-life of each head.")
                .shows(Picture::Chart(curves(state, n)))
                .into(),
            panel("D", 1, half(150.0).at_most_high(230.0))
                .titled("D of every head")
                .read("Rows are queries, columns keys.")
                .shows(Picture::Fields(fields(state, trace, h)?))
                .into(),
        ]),
        panel("weights", 2, Room::shaped(1.0, [190.0, 190.0], [40.0, 110.0]))
            .titled(format!("Head {h}: score times D"))
            .read("No softmax: rows do not sum to 1, and a score may be negative.")
            .shows(Picture::Cells(Box::new(weights(trace, h)?)))
            .into(),
        column([
            panel("state", 3, Room::shaped(1.0, [150.0, 130.0], [0.0, 66.0]).at_most_high(230.0))
                .titled(format!("Head {h}: state after {read} of {n}"))
                .read("Rows are channels of keys, columns those of values.")
                .shows(Picture::Fields(states(trace, h)))
                .into(),
            panel("cost", 4, small).titled("Numbers a head must keep").shows(Picture::Chart(cost())).into(),
            panel("three forms", 5, Room::fill(190.0, 50.0).at_most_wide(330.0).at_most_high(64.0))
                .titled("Apart from all at once, by")
                .shows(Picture::Bars(forms(state, trace)))
                .into(),
        ]),
    ]))
}

/// `gamma^d` of every head, with a handle at its half-life.
fn curves(state: &RetnetDecay, n: usize) -> Chart {
    let far = n.clamp(16, LONGEST) as f32;
    let ends = Range { min: 0.0, max: far, log: false };
    let y = Axis::new("share that is left").to(Range::UNIT);
    let mut chart = Chart { x: Axis::new("tokens back").to(ends), y, ..Chart::default() };
    for (h, gamma) in state.gammas().into_iter().enumerate() {
        let points = (0..=96).map(|i| far * i as f32 / 96.0).map(|d| [d, gamma.powf(d)]).collect();
        let half = state.half_lives[h];
        chart = chart.with(format!("{h}: γ {gamma:.3}"), h, Form::Line, points);
        // One that lies beyond the text waits at the edge.
        let at = [half.min(far), if half <= far { 0.5 } else { gamma.powf(far) }];
        chart = chart.handle(format!("half-life of head {h}, {} tokens", number(half)), h, at);
    }
    chart
}

/// D of every head.
fn fields(state: &RetnetDecay, trace: &Trace, lit: usize) -> Option<Fields> {
    let kept = trace.get("decay")?;
    let range = if state.log { Range::LOG } else { Range::UNIT };
    let field = |h: usize| Field {
        lit: h == lit,
        ..Field::new(Map::of(kept, h).map(|it| it.to(range, Scale::Sequential)), format!("head {h}"))
    };
    Some(Fields {
        fields: (0..HEADS).map(field).collect(),
        value: "D",
        legend: Some("share that is left".to_owned()),
        click: "A click shows this head.",
        ..Fields::default()
    })
}

/// Scores times D of one head, with both factors in the read-out.
fn weights(trace: &Trace, h: usize) -> Option<Cells> {
    let map = |name: &str| Map::of(trace.get(name)?, h);
    let tokens = trace.words("tokens").to_vec();
    let also = [("score", "scores"), ("D", "decay")];
    Some(Cells {
        map: map("weights")?.signed(1.0),
        axes: ["query", "key"],
        words: [tokens.clone(), tokens],
        value: "score times D".to_owned(),
        also: also.into_iter().filter_map(|(name, tap)| Some((name, map(tap)?))).collect(),
        spot: Spot { head: Some(h), ..Spot::default() },
        lines: None,
    })
}

/// The state of one head.
fn states(trace: &Trace, h: usize) -> Fields {
    let peak = trace.get("state.peak").and_then(|it| Some(it.window(0..1)?[0])).unwrap_or(1.0);
    let map = trace.get("state").and_then(|it| Map::of(it, h)).map(|it| it.signed(peak.max(1e-6)));
    let legend = Some(format!("{D_HEAD} x {D_HEAD} numbers, however long the text"));
    Fields { fields: vec![Field::new(map, "")], value: "state", legend, ..Fields::default() }
}

/// How far apart the forms are.
fn forms(state: &RetnetDecay, trace: &Trace) -> Bars {
    let read = |name: &str| trace.get(name).and_then(|it| Some(it.window(0..1)?[0])).unwrap_or(f32::NAN);
    let bar = |name: String, tap: &str| Bar { name, value: read(tap), ..Bar::default() };
    let bars = vec![
        bar("token by token".to_owned(), "apart.recurrent"),
        bar(format!("chunks of {}", state.chunk), "apart.chunkwise"),
    ];
    Bars { label: "largest difference".to_owned(), names: "form".to_owned(), bars, click: String::new() }
}

/// What attention keeps of every token, and what retention keeps in all.
fn cost() -> Chart {
    let lengths: Vec<f32> = (4..=12).map(|it| (1 << it) as f32).collect();
    let line = |f: &dyn Fn(f32) -> f32| lengths.iter().map(|n| [*n, f(*n)]).collect();
    let (wide, high) = ((D_HEAD * D_HEAD) as f32, (2 * D_HEAD * LONG) as f32);
    let x = Axis::new("tokens read").to(Range { min: 16.0, max: LONG as f32, log: true });
    let y = Axis::new("numbers").to(Range { min: 16.0, max: high, log: true });
    Chart { x, y, ..Chart::default() }
        .with("attention", 5, Form::Line, line(&|n| 2.0 * D_HEAD as f32 * n))
        .with("retention", 1, Form::Line, line(&|_| wide))
}
