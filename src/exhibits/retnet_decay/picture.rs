//! How retention looks: what is left with distance, the factors of one head and their product, the state, and what a token costs.

use std::sync::OnceLock;

use super::race::CONTEXTS;
use super::{Cost, D_HEAD, Factor, HEADS, LONGEST, RetnetDecay, gamma};
use crate::bench::token::{SIZES, Way, operations};
use crate::focus::Spot;
use crate::page::{Cells, Field, Fields, Map, Page, Picture, Room, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range, Scale, number};

/// The head that is shown large.
pub(super) fn head(spot: Spot) -> usize {
    spot.head.unwrap_or(1).min(HEADS - 1)
}

/// What a head multiplies, by name: the tap and the words.
pub(super) const FACTORS: [(Factor, &str, &str); 3] = [
    (Factor::Scores, "scores", "QKᵀ"),
    (Factor::Decay, "decay", "D"),
    (Factor::Product, "weights", "QKᵀ ∘ D"),
];

/// The panels.
pub(super) fn page(state: &RetnetDecay, trace: &Trace, spot: Spot) -> Option<Page> {
    let h = head(spot);
    let n = trace.words("tokens").len();
    let half = |height| Room::fill(200.0, height).at_most_wide(540.0);
    let small = Room::fill(190.0, 110.0).at_most_wide(330.0).at_most_high(190.0);
    let (_, _, large) = FACTORS.iter().find(|it| it.0 == state.large)?;
    let (cost, words) = cost(state);
    Some(row([
        column([
            panel("decay", 0, half(112.0))
                .titled("What is left of a token, by distance")
                .read("Handles sit at the half-life of each head.")
                .shows(Picture::Chart(fading(&state.half_lives, n)))
                .into(),
            panel("D", 0, half(96.0).at_most_high(230.0))
                .titled("D of every head")
                .read("Rows are queries, columns keys.")
                .shows(Picture::Fields(fields(state, trace, h)?))
                .into(),
        ]),
        column([
            panel("weights", 2, Room::shaped(1.0, [190.0, 190.0], [40.0, 110.0]))
                .titled(format!("Head {h}: {large}"))
                .read("No softmax: rows do not sum to 1, and a score may be negative.")
                .shows(Picture::Cells(Box::new(weights(state, trace, h)?)))
                .into(),
            panel("factors", 4, Room::shaped(3.0, [230.0, 72.0], [0.0, 24.0]).at_most_high(124.0))
                .titled("Scores, decay and their product")
                .shows(Picture::Fields(factors(state, trace, h)))
                .into(),
        ]),
        column([
            panel("state", 3, Room::shaped(1.0, [150.0, 130.0], [0.0, 66.0]).at_most_high(230.0))
                .titled(after(trace, state.read(n)))
                .noted(step(state, trace, h))
                .read("Rows are channels of keys, columns those of values.")
                .shows(Picture::Fields(states(state, trace, h)))
                .into(),
            panel("cost", 5, small).titled(words).shows(Picture::Chart(cost)).into(),
            panel("three forms", 6, Room::fill(190.0, 50.0).at_most_wide(330.0).at_most_high(64.0))
                .titled("Apart from all at once, by")
                .shows(Picture::Bars(forms(state, trace)))
                .into(),
        ]),
    ]))
}

/// The end of what the state has read, in words.
fn after(trace: &Trace, read: usize) -> String {
    let (tokens, from) = (trace.words("tokens"), read.saturating_sub(14));
    let end: String = tokens[from.min(tokens.len())..read].concat().replace('\n', " ");
    format!("State after “{}{end}”", if from > 0 { "…" } else { "" })
}

/// What the last token did to the state.
fn step(state: &RetnetDecay, trace: &Trace, h: usize) -> String {
    let tokens = trace.words("tokens");
    let read = state.read(tokens.len());
    let token =
        tokens.get(read.wrapping_sub(1)).map_or("", String::as_str).replace('\n', "¶").replace(' ', "␣");
    format!(
        "head {h}, {read} of {}: S ← {:.3} S + kᵀv of “{token}”",
        tokens.len(),
        gamma(state.half_lives[h])
    )
}

/// `gamma^d` of every head, with a handle at its half-life.
pub(super) fn fading(half_lives: &[f32], n: usize) -> Chart {
    let far = n.clamp(16, LONGEST) as f32;
    let ends = Range { min: 0.0, max: far, log: false };
    let y = Axis::new("share that is left").to(Range::UNIT);
    let mut chart = Chart { x: Axis::new("tokens back").to(ends), y, ..Chart::default() };
    for (h, half) in half_lives.iter().enumerate() {
        let gamma = gamma(*half);
        let points = (0..=96).map(|i| far * i as f32 / 96.0).map(|d| [d, gamma.powf(d)]).collect();
        chart = chart.with(format!("{h}: γ {gamma:.3}"), h, Form::Line, points);
        // One that lies beyond the text waits at the edge.
        let at = [half.min(far), if *half <= far { 0.5 } else { gamma.powf(far) }];
        chart = chart.handle(format!("half-life of head {h}, {} tokens", number(*half)), h, at);
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

/// A factor of one head, or their product, coloured as its numbers are.
fn factor(state: &RetnetDecay, trace: &Trace, which: usize, h: usize) -> Option<Map> {
    let (factor, tap, _) = FACTORS[which];
    let map = Map::of(trace.get(tap)?, h)?;
    let range = if state.log { Range::LOG } else { Range::UNIT };
    Some(if factor == Factor::Decay { map.to(range, Scale::Sequential) } else { map.signed(1.0) })
}

/// Both factors and their product, side by side.
fn factors(state: &RetnetDecay, trace: &Trace, h: usize) -> Fields {
    let field = |(i, it): (usize, &(Factor, &str, &str))| Field {
        lit: it.0 == state.large,
        ..Field::new(factor(state, trace, i, h), it.2)
    };
    let fields = FACTORS.iter().enumerate().map(field).collect();
    Fields { fields, value: "value", click: "A click makes it large.", ..Fields::default() }
}

/// One of them, large, with the others in the read-out.
fn weights(state: &RetnetDecay, trace: &Trace, h: usize) -> Option<Cells> {
    let large = FACTORS.iter().position(|it| it.0 == state.large)?;
    let others = FACTORS.iter().enumerate().filter(|it| it.0 != large);
    let tokens = trace.words("tokens").to_vec();
    Some(Cells {
        map: factor(state, trace, large, h)?,
        axes: ["query", "key"],
        words: [tokens.clone(), tokens],
        value: ["score", "share that is left", "score times D"][large].to_owned(),
        also: others.filter_map(|(i, it)| Some((it.2, factor(state, trace, i, h)?))).collect(),
        spot: Spot { head: Some(h), ..Spot::default() },
        lines: None,
    })
}

/// The state of one head after what was read. Before anything was computed, only that after the whole text is there.
fn states(state: &RetnetDecay, trace: &Trace, h: usize) -> Fields {
    let peak = trace.get("state.peak").and_then(|it| Some(it.window(0..1)?[0])).unwrap_or(1.0);
    let n = trace.words("tokens").len();
    let all = trace.get("states").and_then(|it| Map::of(it, h * n + state.read(n).saturating_sub(1)));
    let last = || trace.get("state").and_then(|it| Map::of(it, h));
    let map = all.or_else(last).map(|it| it.signed(peak.max(1e-6)));
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

/// The hues of the ways.
const HUES: [usize; 3] = [5, 3, 1];

/// What one more token costs after so many others, and what that is in words.
fn cost(state: &RetnetDecay) -> (Chart, String) {
    let lengths = || (4..=12).map(|it| 1_usize << it);
    let curve = |f: &dyn Fn(usize) -> f32| -> Vec<[f32; 2]> { lengths().map(|n| [n as f32, f(n)]).collect() };
    let [heads, d] = SIZES;
    let (label, words, curves): (&str, String, Vec<Vec<[f32; 2]>>) = match state.cost {
        Cost::Memory => {
            let each = Way::ALL.map(|way| curve(&|n| way.kept(n) as f32));
            ("numbers", format!("What is kept, {heads} heads of {d}"), each.into())
        }
        Cost::Time if state.race.curve(Way::Recurrent).len() > 1 => {
            let curves = Way::ALL.map(|way| state.race.curve(way));
            ("µs", format!("One more token, {}", state.race.device()), curves.into())
        }
        // Before there is a line to draw, too.
        Cost::Operations | Cost::Time => {
            let each = Way::ALL.into_iter().map(counted).map(|it| curve(&|n| it[n.ilog2() as usize - 4]));
            let words = if state.cost == Cost::Time {
                "Operations; “Measure” times them"
            } else {
                "Operations of one more token"
            };
            ("operations", words.to_owned(), each.collect())
        }
    };
    let all = || curves.iter().flatten().map(|it| it[1]);
    let low = all().fold(f32::MAX, f32::min).clamp(1e-3, 1e5);
    let high = all().fold(10.0 * low, f32::max);
    let decade = |x: f32, up: f32| 10f32.powf((x.log10() + up).floor());
    let y = Axis::new(label).to(Range { min: decade(low, 0.0), max: decade(high, 1.0), log: true });
    let x = Axis::new("tokens before it").to(Range { min: 16.0, max: CONTEXTS[3] as f32, log: true });
    let mut chart = Chart { x, y, ..Chart::default() };
    for ((way, hue), points) in Way::ALL.into_iter().zip(HUES).zip(curves) {
        // Keys and values are kept by both.
        let form = if way == Way::Parallel { Form::Dashed } else { Form::Line };
        chart = chart.with(way.name(), hue, form, points);
    }
    (chart, words)
}

/// Operations of a token after 16, 32, .. 4096 others, counted once.
fn counted(way: Way) -> [f32; 9] {
    static COUNTED: [OnceLock<[f32; 9]>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    *COUNTED[way as usize].get_or_init(|| std::array::from_fn(|i| operations(way, 16 << i) as f32))
}
