//! How mixture masks look: the curve of one head, and for a patch what it is multiplied by, step by step.

use super::{COMPONENTS, GaussianMasks, HEADS, Over, SIDE};
use crate::exhibits::looking::Looking;
use crate::focus::{Focus, Spot};
use crate::mechanisms::field;
use crate::page::{Field, Fields, Map, Page, Picture, Room, Scene, column, panel, row};
use crate::tensor::Tensor;
use crate::trace::{Kept, Trace};
use crate::ui::{Axis, Bar, Bars, Chart, Circle, Circles, Form, Range, Scale, number};

/// The farthest distance that the curve shows, in patches: about the diagonal of the grid.
const FAR: f32 = 10.0;

/// The head that is shown large.
pub(super) fn head(spot: Spot) -> usize {
    spot.head.unwrap_or(1).min(HEADS - 1)
}

/// The patch of `side` a side that was clicked; the bag's clasp if none was. Circles around the pointer could not be grasped.
pub(super) fn patch(focus: &Focus, side: usize) -> usize {
    let [row, col] = focus.locked.at.unwrap_or([280, 280]).map(|it| usize::from(it) * side / 1000);
    row * side + col
}

/// What the patch has in a tensor `[head, query, key]`, as a map of the picture.
fn of_patch(trace: &Trace, name: &str, h: usize, patch: usize) -> Option<Map> {
    let kept = trace.get(name)?;
    let index = h.min(kept.shape[0] - 1) * SIDE * SIDE + patch;
    Some(Map { rows: SIDE, cols: SIDE, index, ..Map::of(kept, 0)? })
}

/// The largest value of a map, signs dropped.
fn most(map: &Map) -> f32 {
    map.values().iter().flat_map(|it| it.iter()).fold(1e-6, |most, it| most.max(it.abs()))
}

/// A map of the picture as a tensor of its own.
fn own(values: impl IntoIterator<Item = f32>) -> Option<Map> {
    let values: Vec<f32> = values.into_iter().collect();
    Map::of(&Kept::from(Tensor::new(&[SIDE, SIDE], values)), 0)
}

/// What lies over the picture: the mask around the patch, or what the patch looks at.
pub(super) fn looks(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Map> {
    let (h, at) = (head(scene.focus.spot()), patch(scene.focus, SIDE));
    let name = if state.over == Over::Mask { "mask" } else { "pattern" };
    let map = of_patch(scene.trace, name, h, at)?;
    let (own, most) = (own(map.values()?.iter().copied())?, most(&map));
    Some(match state.over {
        Over::Mask => own.signed(most),
        Over::Attention => own.to(Range { min: 0.0, max: most, log: false }, Scale::Saliency),
    })
}

/// The picture, over it a map, and the Gaussians of the head as circles around the patch.
pub(super) fn seen(state: &mut GaussianMasks, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let (h, at) = (head(scene.focus.spot()), patch(scene.focus, SIDE));
    let map = looks(state, scene);
    let rect = state.looking.show(ui, scene, map.as_ref().map(Map::maps));
    let circle = |(k, [alpha, sigma]): (usize, &[f32; 2])| Circle {
        name: format!("Gaussian {k} of head {h}: σ {}, α {}", number(sigma.abs()), number(*alpha)),
        label: format!("σ {} · α {}", number(sigma.abs()), number(*alpha)),
        hue: 2 + k,
        radius: sigma.abs() / SIDE as f32,
        strength: *alpha,
    };
    let circles: Vec<Circle> = state.mixtures[h].iter().enumerate().map(circle).collect();
    if let Some((k, radius)) = circled(state.looking.brush, rect, [at, SIDE], &circles, ui, scene) {
        state.mixtures[h][k][1] = (radius * SIDE as f32).max(0.01);
    }
}

/// Circles around a patch, of so many a side, of the picture at `rect`; which was dragged, and its radius in sides.
pub(super) fn circled(
    brush: Option<bool>,
    rect: egui::Rect,
    [at, side]: [usize; 2],
    circles: &[Circle],
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
) -> Option<(usize, f32)> {
    let centre = [at % side, at / side].map(|it| (it as f32 + 0.5) / side as f32);
    // A hand that draws is not to drag.
    let circles = Circles { rect, centre, circles, drags: brush.is_none() };
    let moved = circles.show(ui, scene.style);
    if let Some(words) = moved.words {
        scene.focus.readout = words;
    }
    moved.dragged
}

/// The panels.
pub(super) fn page(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Page> {
    let trace = scene.trace;
    let (h, at) = (head(scene.focus.spot()), patch(scene.focus, SIDE));
    trace.get("mask")?;
    let negative = (0..100).any(|i| mask(state, h, 0.1 * i as f32) < 0.0);
    let note = if negative {
        "M is below 0 in places (red): there, what is alike is avoided."
    } else {
        "Drag a handle or a rim: σ is how wide, α how strong."
    };
    let what = if state.over == Over::Mask { "the mask around" } else { "what is seen by" };
    let counted = format!("2KH = {} numbers, not N² = {}", 2 * COMPONENTS * HEADS, SIDE.pow(4));
    Some(row([
        panel("picture", 0, Looking::ROOM)
            .titled(format!("Head {h}: {what} patch {}, {}", at / SIDE, at % SIDE))
            .read(
                "Circles have the width of each Gaussian, their rims its strength; below 0 they are dashed.",
            )
            .into(),
        column([
            row([
                panel("profile", 1, Room::fill(230.0, 130.0))
                    .titled(format!("Head {h}: mask by distance"))
                    .noted(note)
                    .read("Handles sit at the width of each Gaussian.")
                    .shows(Picture::Chart(profile(state, h)))
                    .into(),
                panel("heads", 3, Room::fill(150.0, 130.0).at_most_wide(300.0))
                    .titled("Masks of all heads")
                    .noted(counted)
                    .shows(Picture::Fields(heads(trace, h, at)))
                    .into(),
            ]),
            row([
                panel("steps", 2, Room::fill(280.0, 100.0).at_most_high(220.0))
                    .titled("From scores to attention")
                    .read("M multiplies the scores S before the softmax; A is what comes out.")
                    .shows(Picture::Fields(steps(trace, h, at)))
                    .into(),
                panel("radius", 4, Room::fill(170.0, 90.0).at_most_wide(260.0).at_most_high(150.0))
                    .titled("How far it looks, in patches")
                    .shows(Picture::Bars(radius(trace, at)))
                    .into(),
            ]),
        ]),
    ]))
}

/// The mask of a head at a distance.
fn mask(state: &GaussianMasks, h: usize, d: f32) -> f32 {
    state.mixtures[h].iter().map(|it| gaussian(*it, d)).sum()
}

fn gaussian([alpha, sigma]: [f32; 2], d: f32) -> f32 {
    field::gaussian(f64::from(alpha), f64::from(sigma), f64::from(d * d)) as f32
}

/// The mask of a head and its Gaussians over the distance; each has a handle.
fn profile(state: &GaussianMasks, h: usize) -> Chart {
    let points =
        |f: &dyn Fn(f32) -> f32| (0..=100).map(|i| FAR * i as f32 / 100.0).map(|d| [d, f(d)]).collect();
    let high = state.mixtures[h].iter().fold(1.0f32, |most, it| most.max(it[0].abs() + 0.5));
    let y = Axis::new("mask").to(Range::signed((2.0 * high).ceil() / 2.0));
    let x = Axis::new("distance (patches)").to(Range { min: 0.0, max: FAR, log: false });
    let mut chart = Chart { x, y, ..Chart::default() };
    for (k, it) in state.mixtures[h].iter().enumerate() {
        chart = chart.with("", 2 + k, Form::Dashed, points(&|d| gaussian(*it, d)));
    }
    chart = chart.with("M", 1, Form::Line, points(&|d| mask(state, h, d)));
    for (k, [alpha, sigma]) in state.mixtures[h].iter().enumerate().take(COMPONENTS) {
        let at = [sigma.abs().min(FAR), alpha * (-0.5_f32).exp()];
        chart = chart.handle(format!("α {}, σ {}", number(*alpha), number(sigma.abs())), 2 + k, at);
    }
    chart
}

/// The masks of all heads around the patch.
fn heads(trace: &Trace, lit: usize, at: usize) -> Fields {
    let maps: Vec<Option<Map>> = (0..HEADS).map(|h| of_patch(trace, "mask", h, at)).collect();
    let most = maps.iter().flatten().map(most).fold(1e-6, f32::max);
    let field = |(h, map): (usize, Option<Map>)| Field {
        lit: h == lit,
        ..Field::new(map.map(|it| it.signed(most)), format!("head {h}"))
    };
    let fields = maps.into_iter().enumerate().map(field).collect();
    let (legend, click) = (Some("mask".to_owned()), "A click shows this head.");
    Fields { fields, value: "mask", linked: true, legend, click, ..Fields::default() }
}

/// M, S, their product, and attention with and without the mask, each coloured to its largest value.
fn steps(trace: &Trace, h: usize, at: usize) -> Fields {
    let signed = |name: &str, map: Option<Map>| {
        let map = map.map(|it| (most(&it), it));
        Field::new(map.map(|(most, it)| it.signed(most)), name)
    };
    let [mask, scores] = ["mask", "scores"].map(|tap| of_patch(trace, tap, h, at));
    let product = || {
        let (m, s) = (mask.as_ref()?.values()?, scores.as_ref()?.values()?);
        own(m.iter().zip(&*s).map(|(m, s)| m * s))
    };
    let product = product();
    let share = |name: &str, tap: &str| {
        let map = of_patch(trace, tap, h, at).map(|it| (most(&it), it));
        let map = map.map(|(max, it)| it.to(Range { min: 0.0, max, log: false }, Scale::Sequential));
        Field::new(map, name)
    };
    let fields = vec![
        signed("M", mask),
        signed("S", scores),
        signed("M ∘ S", product),
        share("A", "pattern"),
        share("A without M", "plain"),
    ];
    Fields { fields, value: "value", linked: true, ..Fields::default() }
}

/// The mean distance of what the patch looks at, in every head and without a mask.
fn radius(trace: &Trace, at: usize) -> Bars {
    let far = |i: usize| {
        let [rows, cols] = [(i / SIDE, at / SIDE), (i % SIDE, at % SIDE)].map(|(a, b)| a.abs_diff(b) as f32);
        rows.hypot(cols)
    };
    let mean = |name: &str, h: usize| {
        let values = of_patch(trace, name, h, at).and_then(|it| it.values());
        values.map_or(f32::NAN, |it| it.iter().enumerate().map(|(i, weight)| weight * far(i)).sum())
    };
    let bar = |name: String, value: f32| Bar { name, value, ..Bar::default() };
    let mut bars: Vec<Bar> = (0..HEADS).map(|h| bar(format!("head {h}"), mean("pattern", h))).collect();
    bars.push(bar("no mask".to_owned(), mean("plain", 0)));
    Bars { label: "patches".to_owned(), names: "head".to_owned(), bars, click: String::new() }
}
