//! How Manhattan decay looks: the diamonds around a patch, what it looks at, rows then columns, and what they cost.

use super::{Form, HEADS, RmtDecay};
use crate::page::{Field, Fields, Knobs, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::ui::{Axis, Chart, Form as Line, Range, number};

/// The knobs.
pub(super) fn knobs(state: &mut RmtDecay, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        let forms = [(Form::Code, "code"), (Form::Paper, "paper"), (Form::Retention, "RetNet")];
        k.choice("form", &mut state.form, &forms);
        k.slide("content", &mut state.content, 0.0..=8.0, |it| it.step_by(0.5));
    });
    k.row(|k| {
        k.choice("patches a side", &mut state.side, &[(7, "7"), (14, "14")]);
        k.choice("range of heads", &mut state.range, &[(4, "4"), (5, "5"), (6, "6")]);
        k.choice("head compared", &mut state.head, &[(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
    });
}

/// After how many steps a head has fallen to 1/e.
fn radius(gamma: f64) -> f32 {
    (-1.0 / gamma.ln()) as f32
}

/// What is shown, and where.
pub(super) fn page(state: &RmtDecay, scene: &Scene<'_>) -> Option<Page> {
    let [r, c] = state.patch();
    let four = Room::shaped(4.0, [250.0, 84.0], [0.0, 24.0]);
    let seen = Map::of(scene.trace.get("picture")?, 0)?;
    let seen = Fields {
        fields: vec![Field::new(Some(seen), "")],
        value: "brightness",
        linked: true,
        click: CLICK,
        ..Fields::default()
    };
    let what = if state.form == Form::Retention { "a patch before is" } else { "a step is" };
    let chart = |name, rank, title: &str, chart: Chart| {
        let room = Room::fill(220.0, 120.0);
        panel(name, rank, room).titled(title).shows(Picture::Chart(chart)).into()
    };
    Some(row([
        column([
            panel("diamonds", 0, Room::fill(230.0, 130.0))
                .titled(format!("What {what} worth from row {r}, column {c}"))
                .read("What every place is worth to the patch, from 0 to 1, in four heads, and after how many steps it has fallen to 1/e.")
                .shows(Picture::Fields(diamonds(state, scene)?))
                .into(),
            panel("weights", 2, four)
                .titled("What the patch looks at")
                .shows(Picture::Fields(weights(scene)?))
                .into(),
        ]),
        column([
            row([
                panel("picture", 1, Room::shaped(1.0, [90.0, 90.0], [0.0, 4.0]).at_most_high(200.0))
                    .titled("Click a patch")
                    .shows(Picture::Fields(seen))
                    .into(),
                panel("decomposed", 3, Room::shaped(3.0, [230.0, 80.0], [0.0, 60.0]).at_most_high(200.0))
                    .titled(format!("Head {}: rows, then columns", state.head))
                    .shows(Picture::Fields(compared(state, scene)?))
                    .into(),
            ]),
            row([
                chart("profile", 4, "What steps are worth", profile(state)),
                chart("cost", 5, "Scores to compute", cost(state)),
            ]),
        ]),
    ]))
}

/// What a click on a map does.
const CLICK: &str = "A click moves the patch.";

fn diamonds(state: &RmtDecay, scene: &Scene<'_>) -> Option<Fields> {
    let kept = scene.trace.get("field")?;
    let name = |gamma: f64| format!("1/e: {:.1}", radius(gamma));
    let fields = state
        .gammas()
        .into_iter()
        .enumerate()
        .map(|(h, it)| Field::new(Map::of(kept, h), name(it)))
        .collect();
    let legend = Some("worth".to_owned());
    Some(Fields { fields, value: "worth", linked: true, legend, click: CLICK, ..Fields::default() })
}

/// A map of the patch, divided by its largest value.
fn map(scene: &Scene<'_>, name: &str, head: usize) -> Option<Map> {
    let (kept, most) = (scene.trace.get(name)?, scene.trace.get(&format!("{name}.most"))?);
    let most = most.window(0..HEADS).map_or(1.0, |it| it[head]).max(f32::MIN_POSITIVE);
    Some(Map::of(kept, head)?.signed(most))
}

fn weights(scene: &Scene<'_>) -> Option<Fields> {
    let field = |h| Some(Field::new(Some(map(scene, "pattern", h)?), format!("head {h}")));
    let fields = (0..HEADS).map(field).collect::<Option<_>>()?;
    Some(Fields { fields, value: "weight", linked: true, click: CLICK, ..Fields::default() })
}

/// The weights of one head all at once, rows then columns, and their difference, on one scale.
fn compared(state: &RmtDecay, scene: &Scene<'_>) -> Option<Fields> {
    let head = state.head.min(HEADS - 1);
    let full = map(scene, "pattern", head)?;
    let most = full.range.max;
    let mut fields = vec![Field::new(Some(full), "all at once")];
    for (name, words) in [("nested", "rows, columns"), ("difference", "difference")] {
        let map = scene.trace.get(name).and_then(|it| Some(Map::of(it, head)?.signed(most)));
        fields.push(Field::new(map, words));
    }
    let words = if state.form == Form::Retention { "RetNet has no such form" } else { "weight" };
    let legend = Some(words.to_owned());
    Some(Fields { fields, value: "weight", linked: true, legend, click: CLICK, ..Fields::default() })
}

/// What steps are worth, head by head, and where 1/e is.
fn profile(state: &RmtDecay) -> Chart {
    let steps = 2 * (state.places().width - 1);
    let ends = Range { min: 0.0, max: steps as f32, log: false };
    let chart = Chart {
        x: Axis::new("steps").to(ends).ticks((0..=steps).step_by(5).map(|it| (it as f32, it.to_string()))),
        y: Axis::new("worth").to(Range::UNIT),
        ..Chart::default()
    };
    let e = (-1.0f32).exp();
    let chart = chart.with("1/e", 7, Line::Dashed, vec![[0.0, e], [ends.max, e]]);
    state.gammas().iter().enumerate().fold(chart, |chart, (h, gamma)| {
        let points = (0..=steps).map(|d| [d as f32, gamma.powi(d as i32) as f32]).collect();
        chart.with(format!("γ {}", number(*gamma as f32)), h, Line::Line, points)
    })
}

/// Scores of both forms over the side of the grid.
fn cost(state: &RmtDecay) -> Chart {
    let sides = || (4..=64).map(|it| it as f32);
    let here = state.places().width as f32;
    let curve = |f: fn(f32) -> f32| sides().map(|n| [n, f(n)]).collect();
    let y = Range { min: 1e2, max: 1e8, log: true };
    let chart = Chart {
        x: Axis::new("patches a side")
            .to(Range { min: 4.0, max: 64.0, log: false })
            .ticks([16u8, 32, 48, 64].map(|it| (f32::from(it), it.to_string()))),
        y: Axis::new("scores a head").to(y),
        ..Chart::default()
    };
    chart
        .with("", 7, Line::Dashed, vec![[here, y.min], [here, y.max]])
        .with("(HW)²", 1, Line::Line, curve(|n| n.powi(4)))
        .with("HW(H + W)", 0, Line::Line, curve(|n| 2.0 * n.powi(3)))
}
