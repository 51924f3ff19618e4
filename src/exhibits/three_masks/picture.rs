//! How the three masks look: one row of attention under every mechanism, its numbers, and the maps.

use super::{REPEAT, TOKENS, ThreeMasks, Words};
use crate::focus::Spot;
use crate::page::{Cells, Field, Fields, Knobs, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range};

/// The mechanisms: what they are called, and their hues.
pub(super) const MECHANISMS: [(&str, usize); 5] =
    [("softmax", 7), ("GMM", 0), ("RMT", 1), ("RetNet", 2), ("Gaussian", 3)];

/// The knobs.
pub(super) fn knobs(state: &mut ThreeMasks, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        k.slide("width (tokens)", &mut state.width, 0.5..=20.0, |it| it.step_by(0.5));
        k.slide("scale of scores", &mut state.scale, -4.0..=4.0, |it| it.step_by(0.5));
    });
    k.row(|k| {
        let words = [(Words::Alike, "all alike"), (Words::Repeat, "repeat"), (Words::Chance, "by chance")];
        k.choice("words", &mut state.words, &words);
        k.choice("curves", &mut state.raw, &[(false, "shares of the row"), (true, "weights")]);
        k.switch("none looks ahead", &mut state.causal);
        if k.slider("query", &mut state.query, 0..=TOKENS - 1) {
            k.scene.focus.locked.query = None;
        }
        k.slider("seed", &mut state.seed, 0..=99);
    });
}

/// The token that looks: that of the shared cursor if it names one.
pub(super) fn query(state: &ThreeMasks, scene: &Scene<'_>) -> usize {
    scene.focus.spot().query.filter(|it| *it < TOKENS).unwrap_or(state.query.min(TOKENS - 1))
}

/// The rows of one query, and the place of the cursor.
struct Row<'a> {
    state: &'a ThreeMasks,
    query: usize,
    key: usize,
    /// Weights, `[mechanism][key]`.
    weights: Vec<Vec<f32>>,
}

impl<'a> Row<'a> {
    fn of(state: &'a ThreeMasks, scene: &Scene<'_>) -> Option<Self> {
        let query = query(state, scene);
        let own = query.saturating_add_signed(state.cursor as isize).min(TOKENS - 1);
        let key = scene.focus.spot().key.filter(|it| *it < TOKENS).unwrap_or(own);
        let kept = scene.trace.get("pattern")?;
        let row = |m: usize| {
            Some(kept.window((m * TOKENS + query) * TOKENS..(m * TOKENS + query + 1) * TOKENS)?.to_vec())
        };
        let weights = (0..MECHANISMS.len()).map(row).collect::<Option<_>>()?;
        Some(Self { state, query, key, weights })
    }

    /// What a curve shows of a key.
    fn shown(&self, mechanism: usize, key: usize) -> f32 {
        let row = &self.weights[mechanism];
        let sum = row.iter().map(|it| it.abs()).sum::<f32>().max(f32::MIN_POSITIVE);
        row[key] / if self.state.raw { 1.0 } else { sum }
    }

    /// Where a key is, seen from the query.
    fn distance(&self, key: usize) -> f32 {
        key as f32 - self.query as f32
    }

    fn measure(&self) -> &'static str {
        if self.state.raw { "weight" } else { "share of the row" }
    }

    fn curves(&self) -> Chart {
        let all = (0..MECHANISMS.len()).flat_map(|m| (0..TOKENS).map(move |key| self.shown(m, key)));
        let (low, high) = all.fold((0.0f32, 0.0f32), |(low, high), x| (low.min(x), high.max(x)));
        let (y, here) = (Range::round(low, high), self.distance(self.key));
        let ends = Range { min: self.distance(0), max: self.distance(TOKENS - 1), log: false };
        let ticks = (-5..=5).map(|it| 8.0 * it as f32).filter(|it| (ends.min..=ends.max).contains(it));
        let x = Axis::new("tokens from the query")
            .to(ends)
            .ticks(ticks.map(|it| (it, it.to_string().replace('-', "−"))));
        let chart = Chart { x, y: Axis::new(self.measure()).to(y), ..Chart::default() };
        let chart = chart.with("", 7, Form::Dashed, vec![[here, y.min], [here, y.max]]);
        let chart = MECHANISMS.iter().enumerate().fold(chart, |chart, (m, (name, hue))| {
            let points = (0..TOKENS).map(|key| [self.distance(key), self.shown(m, key)]).collect();
            chart.with(*name, *hue, Form::Line, points)
        });
        chart.handle("cursor", 7, [here, y.max])
    }

    /// The weights at the cursor.
    fn here(&self) -> Bars {
        bars(self.measure(), (0..MECHANISMS.len()).map(|m| self.shown(m, self.key)))
    }

    /// Where the cursor is, in words.
    fn place(&self) -> String {
        match self.key.cmp(&self.query) {
            std::cmp::Ordering::Less => format!("{} back", self.query - self.key),
            std::cmp::Ordering::Equal => "at the query".to_owned(),
            std::cmp::Ordering::Greater => format!("{} ahead", self.key - self.query),
        }
    }
}

/// One number of every mechanism.
fn bars(label: &str, values: impl Iterator<Item = f32>) -> Bars {
    let bar = |(it, value): (&(&str, usize), f32)| Bar {
        name: it.0.to_owned(),
        value,
        hue: Some(it.1),
        ..Bar::default()
    };
    let bars = MECHANISMS.iter().zip(values).map(bar).collect();
    Bars { label: label.to_owned(), names: "mechanism".to_owned(), bars, click: String::new() }
}

/// The room of one number of every mechanism.
const NUMBERS: Room = Room::fill(150.0, 104.0).at_most_high(124.0);

/// What is shown, and where.
pub(super) fn page(state: &ThreeMasks, scene: &Scene<'_>) -> Option<Page> {
    let it = Row::of(state, scene)?;
    let numbers = |name, rank, title: &str, label: &str| {
        let kept = scene.trace.get(name);
        let all = kept.and_then(|it| it.window(0..it.size())).unwrap_or_default();
        let values = all.iter().skip(it.query).step_by(TOKENS).copied();
        panel(name, rank, NUMBERS).titled(title).shows(Picture::Bars(bars(label, values))).into()
    };
    let place = it.place();
    let cursor = panel("cursor", 1, NUMBERS).titled(format!("Cursor: {place}"));
    let maps = panel("all rows", 5, Room::shaped(4.2, [250.0, 64.0], [0.0, 22.0]).at_most_high(190.0));
    let large = MECHANISMS[state.large.min(MECHANISMS.len() - 1)].0;
    Some(row([
        column([
            panel("curves", 0, Room::fill(260.0, 170.0))
                .titled(format!("How token {} looks at the others", it.query))
                .read("One row of attention under five mechanisms: same queries and keys, same width of the field.")
                .shows(Picture::Chart(it.curves()))
                .into(),
            row([
                row([cursor.shows(Picture::Bars(it.here())).into(), numbers("sum", 2, "Row sum", "row sum")]),
                row([
                    numbers("entropy", 3, "Entropy (nats)", "entropy"),
                    numbers("radius", 4, "Mean distance", "mean distance in tokens"),
                ]),
            ]),
        ]),
        column([
            maps.titled("All rows").shows(Picture::Fields(all_maps(state, scene)?)).into(),
            panel("one map", 6, Room::shaped(1.0, [200.0, 215.0], [40.0, 80.0]))
                .titled(format!("{large}: weights"))
                .shows(Picture::Cells(Box::new(cells(state, scene)?)))
                .into(),
        ]),
    ]))
}

/// The map of a mechanism, every row divided by its largest weight.
fn map(scene: &Scene<'_>, mechanism: usize) -> Option<Map> {
    Some(Map::of(scene.trace.get("pattern")?, mechanism)?.signed(1.0).over(scene.trace.get("most"), true))
}

fn all_maps(state: &ThreeMasks, scene: &Scene<'_>) -> Option<Fields> {
    let field = |(m, it): (usize, &(&str, usize))| {
        Some(Field { lit: m == state.large, ..Field::new(Some(map(scene, m)?), it.0) })
    };
    let fields = MECHANISMS.iter().enumerate().map(field).collect::<Option<_>>()?;
    Some(Fields { fields, value: "weight", click: "A click makes it large.", ..Fields::default() })
}

fn cells(state: &ThreeMasks, scene: &Scene<'_>) -> Option<Cells> {
    let word = |i: usize| match state.words {
        Words::Repeat => char::from(b'a' + (i % REPEAT) as u8).to_string(),
        Words::Alike => "a".to_owned(),
        Words::Chance => i.to_string(),
    };
    let words: Vec<String> = (0..TOKENS).map(word).collect();
    Some(Cells {
        map: map(scene, state.large.min(MECHANISMS.len() - 1))?,
        axes: ["query", "key"],
        words: [words.clone(), words],
        value: "weight".to_owned(),
        also: vec![("score", Map::of(scene.trace.get("scores")?, 0)?)],
        spot: Spot::default(),
        lines: None,
    })
}
