//! How a fitted head looks: its weights over the distance beside the mixture's, both around a patch, and what the exchange costs.

use super::super::around::{self, apart, circled, most, of_patch, own, patch};
use super::super::{GaussianMasks, Over, reaction};
use super::Fit;
use crate::exhibits::looking::Looking;
use crate::focus::Spot;
use crate::page::{Field, Fields, Heads, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Circle, Form, Mark, Range, Scale, number};

/// Patches along a side of the model's picture.
pub(super) fn side(trace: &Trace) -> usize {
    around::side(trace, "own")
}

/// What lies over the picture: the mixture around the patch, or what the head looks at from there.
pub(in super::super) fn looks(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Map> {
    let side = side(scene.trace);
    let name = if state.over == Over::Mask { "fitted" } else { "own" };
    let map = of_patch(scene.trace, name, 0, patch(scene.focus, side))?;
    let range = Range { min: 0.0, max: most(&map), log: false };
    Some(own(side, map.values()?.iter().copied())?.to(range, Scale::Saliency))
}

/// The picture, over it a map, and the mixture as circles around the patch.
pub(in super::super) fn seen(state: &mut GaussianMasks, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let (map, side) = (looks(state, scene), side(scene.trace));
    let rect = state.looking.show(ui, scene, map.as_ref().map(Map::maps));
    let circle = |(k, [share, sigma]): (usize, [f32; 2])| Circle {
        name: format!("Gaussian {k}: σ {}, share {}", number(sigma), number(share)),
        label: format!("σ {} · {}", number(sigma), number(share)),
        hue: 2 + k,
        radius: sigma / side as f32,
        strength: share,
    };
    let now = state.fit.now(scene.trace).unwrap_or_default();
    let circles: Vec<Circle> = now.into_iter().enumerate().map(circle).collect();
    let at = [patch(scene.focus, side), side];
    if let Some((k, radius)) = circled(state.looking.brush, rect, at, &circles, ui, scene) {
        state.fit.turn(k, scene.trace, |it| it[1] = radius * side as f32);
    }
}

/// The panels.
pub(in super::super) fn page(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Page> {
    let (fit, trace) = (&state.fit, scene.trace);
    let side = side(trace);
    let at = patch(scene.focus, side);
    let weights = [trace.get("own")?, trace.get("fitted")?].map(|it| it.window(0..it.size()));
    let [own, fitted] = weights;
    let (own, fitted) = (own?, fitted?);
    let apart = own.iter().zip(&*fitted).map(|(a, b)| (a - b).abs()).sum::<f32>() / (2 * side * side) as f32;
    let head = format!("Layer {}, head {}", fit.layer, fit.head);
    let residuals = trace.get("residual")?.window(0..3)?;
    let explained = 100.0 * (1.0 - residuals[2] / residuals[0].max(f32::MIN_POSITIVE)).max(0.0);
    let note =
        format!("Distance tells {explained:.0} % of it; {:.0} % of its weight is elsewhere.", 100.0 * apart);
    let classes = reaction::classes(trace, "the mixture")?;
    Some(row([
        panel("picture", 0, Looking::ROOM)
            .titled(format!("{head}: around patch {}, {}", at / side, at % side))
            .read("Circles are as wide as the Gaussians of the mixture.")
            .into(),
        column([
            row([
                panel("profile", 1, Room::fill(230.0, 130.0))
                    .titled("Weight by distance, mean of all patches")
                    .noted(note)
                    .read("Dots: the trained head. Line: the mixture; drag its handles. How much distance tells: by how much the \
                           mixture is closer to the head than weights that are all alike, of the KL divergence.")
                    .shows(Picture::Chart(profile(fit, trace, [&own, &fitted])?))
                    .into(),
                classes.into(),
            ]),
            row([
                panel("steps", 3, Room::fill(230.0, 100.0).at_most_high(220.0))
                    .titled("What the patch looks at")
                    .shows(Picture::Fields(maps(trace, at)?))
                    .into(),
                panel("residual", 4, Room::fill(190.0, 90.0).at_most_wide(260.0).at_most_high(110.0))
                    .titled("Apart from the head, nats")
                    .read("KL divergence of the head's weights from others, in the mean over all patches.")
                    .shows(Picture::Bars(residual(trace)?))
                    .into(),
                panel("heads", 5, Room::shaped(4.0 / 6.0, [150.0, 120.0], [22.0, 0.0]).at_most_high(240.0))
                    .titled("All heads")
                    .shows(Picture::Heads(heads(fit, trace)?))
                    .into(),
            ]),
        ]),
    ]))
}

/// Means of weights over all pairs of patches that lie equally far apart: distance and mean.
fn by_distance(side: usize, weight: impl Fn(usize, usize) -> f32) -> Vec<[f32; 2]> {
    let mut sums = vec![[0.0f32; 2]; 2 * side * side];
    for (i, j) in (0..side * side).flat_map(|i| (0..side * side).map(move |j| (i, j))) {
        let [rows, cols] = [(i / side, j / side), (i % side, j % side)].map(|(a, b)| a.abs_diff(b));
        let sum = &mut sums[rows * rows + cols * cols];
        *sum = [sum[0] + weight(i, j), sum[1] + 1.0];
    }
    let mean =
        |(squared, [sum, n]): (usize, &[f32; 2])| (*n > 0.0).then(|| [(squared as f32).sqrt(), sum / n]);
    sums.iter().enumerate().filter_map(mean).collect()
}

/// A Gaussian that is the whole mixture, by distance.
fn alone(side: usize, sigma: f32) -> Vec<[f32; 2]> {
    let gaussian = |i: usize, j: usize| (-apart(side, i, j).powi(2) / (2.0 * sigma * sigma)).exp();
    let rows: Vec<f32> =
        (0..side * side).map(|i| (0..side * side).map(|j| gaussian(i, j)).sum::<f32>().max(1e-30)).collect();
    by_distance(side, |i, j| gaussian(i, j) / rows[i])
}

/// How high such a Gaussian is at its own width: where its handle sits.
pub(super) fn height(side: usize, sigma: f32) -> f32 {
    let points = alone(side, sigma);
    let after = points.iter().position(|it| it[0] >= sigma).unwrap_or(points.len() - 1);
    let [a, b] = [points[after.saturating_sub(1)], points[after]];
    let t = if b[0] > a[0] { ((sigma - a[0]) / (b[0] - a[0])).min(1.0) } else { 0.0 };
    a[1] + t * (b[1] - a[1])
}

/// The head and its mixture by distance; a handle for each Gaussian.
fn profile(fit: &Fit, trace: &Trace, [own, fitted]: [&[f32]; 2]) -> Option<Chart> {
    let (side, now) = (side(trace), fit.now(trace)?);
    let n = side * side;
    let (dots, line) =
        (by_distance(side, |i, j| own[i * n + j]), by_distance(side, |i, j| fitted[i * n + j]));
    let total = now.iter().map(|it| it[0]).sum::<f32>().max(f32::MIN_POSITIVE);
    let high = dots.iter().chain(&line).fold(0.02f32, |most, it| most.max(it[1]));
    let far = (side as f32 - 1.0) * 2.0f32.sqrt();
    let x = Axis::new("distance (patches)").to(Range { min: 0.0, max: far.ceil(), log: false });
    let mut chart = Chart { x, y: Axis::new("weight").to(Range::round(0.0, high)), ..Chart::default() };
    for (k, [share, sigma]) in now.iter().enumerate() {
        let points = alone(side, *sigma).into_iter().map(|[d, it]| [d, it * share / total]).collect();
        chart = chart.with("", 2 + k, Form::Dashed, points);
    }
    chart = chart.with("mixture", 1, Form::Contour, line).with("head", 7, Form::Dots, dots);
    for (k, [share, sigma]) in now.iter().enumerate() {
        let at = [sigma.min(far), (height(side, *sigma) * share / total).min(high)];
        chart = chart.handle(format!("σ {}, share {}", number(*sigma), number(share / total)), 2 + k, at);
    }
    Some(chart)
}

/// The head, its mixture, and what the mixture lacks, around the patch.
fn maps(trace: &Trace, at: usize) -> Option<Fields> {
    let [own_, fitted] = ["own", "fitted"].map(|it| of_patch(trace, it, 0, at));
    let (head, fitted) = (own_?, fitted?);
    let max = most(&head).max(most(&fitted));
    let (a, b) = (head.values()?, fitted.values()?);
    let difference = own(side(trace), a.iter().zip(&*b).map(|(a, b)| a - b));
    let share = |map: Map| map.to(Range { min: 0.0, max, log: false }, Scale::Sequential);
    let fields = vec![
        Field::new(Some(share(head)), "the head"),
        Field::new(Some(share(fitted)), "mixture"),
        Field::new(difference.map(|it| it.signed(max)), "difference"),
    ];
    let legend = Some("weight".to_owned());
    Some(Fields { fields, value: "weight", linked: true, legend, ..Fields::default() })
}

/// How far weights that are all alike, the fitted mixture and the one that is shown are from the head.
fn residual(trace: &Trace) -> Option<Bars> {
    let values = trace.get("residual")?.window(0..3)?;
    let bar = |(name, value): (&str, &f32)| Bar { name: name.to_owned(), value: *value, ..Bar::default() };
    let bars = ["all alike", "best fit", "as shown"].into_iter().zip(&*values).map(bar).collect();
    let label = "KL divergence (nats)".to_owned();
    Some(Bars { label, names: "weights".to_owned(), bars, click: String::new() })
}

/// The heads of all layers; a click chooses one.
fn heads(fit: &Fit, trace: &Trace) -> Option<Heads> {
    let layers: Vec<Map> =
        (0..).map_while(|l| Map::of(trace.get(&format!("blocks.{l}.attn.pattern"))?, 0)).collect();
    let heads = trace.get("blocks.0.attn.pattern")?.shape[0];
    let layers: Vec<Map> = layers
        .into_iter()
        .map(|it| it.to(Range { min: 0.0, max: 0.1, log: false }, Scale::Sequential))
        .collect();
    let all = || (0..layers.len() * heads).map(|i| (i / heads, i % heads));
    Some(Heads {
        heads,
        spot: Spot { layer: Some(fit.layer), head: Some(fit.head), ..Spot::default() },
        marks: all().map(|_| Mark::default()).collect(),
        names: all().map(|(l, h)| format!("layer {l}, head {h}: a click fits this one")).collect(),
        tokens: (0..side(trace).pow(2)).map(|it| it.to_string()).collect(),
        legend: vec![],
        layers,
    })
}
