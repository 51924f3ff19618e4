//! How mixture masks look: the curve of one head, and for a patch what it is multiplied by, step by step.

use super::around::{apart, circled, most, of_patch, own, patch, side};
use super::{GaussianMasks, HEADS, Over};
use crate::exhibits::looking::Looking;
use crate::focus::Spot;
use crate::mechanisms::field;
use crate::page::{Field, Fields, Map, Page, Panel, Picture, Room, Scene, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Bar, Bars, Chart, Circle, Form, Range, Scale, number};

/// The farthest distance that the curve shows, in patches: about the diagonal of the grid.
const FAR: f32 = 10.0;

/// The head that is shown large of those made by hand.
pub(super) fn head(spot: Spot) -> usize {
    spot.head.unwrap_or(1).min(HEADS - 1)
}

/// The mask of a head around a patch, whoever made it.
pub(super) struct Masked<'a> {
    trace: &'a Trace,
    /// Weight and width of every Gaussian of the head.
    mixture: Vec<[f32; 2]>,
    head: usize,
    /// The patch.
    at: usize,
}

impl<'a> Masked<'a> {
    /// That which a tile shows.
    pub(super) fn of(state: &GaussianMasks, scene: &Scene<'a>) -> Option<Self> {
        let (trace, head) = (scene.trace, state.head(scene.focus.spot()));
        trace.get("mask")?;
        let at = patch(scene.focus, side(trace, "mask"));
        Some(Self { trace, mixture: state.mixture(head, trace)?, head, at })
    }

    /// Patches along a side.
    fn side(&self) -> usize {
        side(self.trace, "mask")
    }

    /// What the patch has in a tensor.
    fn map(&self, name: &str, head: usize) -> Option<Map> {
        of_patch(self.trace, name, head, self.at)
    }

    /// The mask at a distance.
    fn mask(&self, d: f32) -> f32 {
        self.mixture.iter().map(|it| gaussian(*it, d)).sum()
    }

    /// What lies over the picture: the mask around the patch, or what the patch looks at.
    pub(super) fn looks(&self, over: Over) -> Option<Map> {
        let map = self.map(if over == Over::Mask { "mask" } else { "pattern" }, self.head)?;
        let (own, most) = (own(self.side(), map.values()?.iter().copied())?, most(&map));
        Some(match over {
            Over::Mask => own.signed(most),
            Over::Attention => own.to(Range { min: 0.0, max: most, log: false }, Scale::Saliency),
        })
    }

    fn circles(&self) -> Vec<Circle> {
        // More labels would lie over each other: the read-out has them.
        let few = self.mixture.len() <= 3;
        let circle = |(k, [alpha, sigma]): (usize, &[f32; 2])| {
            let (alpha, sigma) = (*alpha, sigma.abs());
            let label = format!("σ {} · α {}", number(sigma), number(alpha));
            Circle {
                name: format!("Gaussian {k} of head {}: {label}", self.head),
                label: if few { label } else { String::new() },
                hue: 2 + k,
                radius: sigma / self.side() as f32,
                strength: alpha,
            }
        };
        self.mixture.iter().enumerate().map(circle).collect()
    }

    /// The picture, and what lies over it.
    pub(super) fn picture(&self, over: Over, whose: &str) -> Panel {
        let (what, side) = (if over == Over::Mask { "Mask" } else { "Attention" }, self.side());
        panel("picture", 0, Looking::ROOM)
            .titled(format!("{what} of {whose} at {}, {}", self.at / side, self.at % side))
            .read(
                "Circles have the width of each Gaussian, their rims its strength; below 0 they are dashed.",
            )
    }

    /// The curve of the mask, with a handle for each Gaussian.
    pub(super) fn profile(&self, title: String) -> Panel {
        let negative = (0..100).any(|i| self.mask(0.1 * i as f32) < 0.0);
        let note = if negative {
            "M is below 0 in places (red): there, what is alike is avoided."
        } else {
            "Drag a handle or a rim: σ is how wide, α how strong."
        };
        panel("profile", 1, Room::fill(230.0, 130.0))
            .titled(title)
            .noted(note)
            .read("Handles sit at the width of each Gaussian.")
            .shows(Picture::Chart(self.curve()))
    }

    fn curve(&self) -> Chart {
        let points =
            |f: &dyn Fn(f32) -> f32| (0..=100).map(|i| FAR * i as f32 / 100.0).map(|d| [d, f(d)]).collect();
        let strongest = self.mixture.iter().fold(1.0f32, |most, it| most.max(it[0].abs() + 0.5));
        let high = (0..=FAR as usize).fold(strongest, |most, d| most.max(self.mask(d as f32).abs()));
        let y = Axis::new("mask").to(Range::signed((2.0 * high).ceil() / 2.0));
        let x = Axis::new("distance (patches)").to(Range { min: 0.0, max: FAR, log: false });
        let mut chart = Chart { x, y, ..Chart::default() };
        for (k, it) in self.mixture.iter().enumerate() {
            chart = chart.with("", 2 + k, Form::Dashed, points(&|d| gaussian(*it, d)));
        }
        chart = chart.with("M", 1, Form::Line, points(&|d| self.mask(d)));
        for (k, [alpha, sigma]) in self.mixture.iter().enumerate() {
            // One that is wider than the grid waits at the edge.
            let at = [sigma.abs().min(FAR), alpha * (-0.5_f32).exp()];
            chart = chart.handle(format!("α {}, σ {}", number(*alpha), number(sigma.abs())), 2 + k, at);
        }
        chart
    }

    /// The masks of all heads around the patch.
    pub(super) fn heads(&self) -> Panel {
        let count = self.trace.get("mask").map_or(0, |it| it.shape[0]);
        let maps: Vec<Option<Map>> = (0..count).map(|h| self.map("mask", h)).collect();
        let most = maps.iter().flatten().map(most).fold(1e-6, f32::max);
        let field = |(h, map): (usize, Option<Map>)| Field {
            lit: h == self.head,
            ..Field::new(map.map(|it| it.signed(most)), format!("head {h}"))
        };
        let fields = maps.into_iter().enumerate().map(field).collect();
        let (legend, click) = (Some("mask".to_owned()), "A click shows this head.");
        let fields = Fields { fields, value: "mask", linked: true, legend, click, ..Fields::default() };
        let numbers = 2 * self.mixture.len() * count;
        panel("heads", 3, Room::fill(150.0, 130.0).at_most_wide(300.0))
            .titled("Masks of all heads")
            .noted(format!("2KH = {numbers} numbers, not N² = {}", self.side().pow(4)))
            .shows(Picture::Fields(fields))
    }

    /// M, S, their product, and attention with and without the mask, each coloured to its largest value.
    pub(super) fn steps(&self) -> Panel {
        let signed = |name: &str, map: Option<Map>| {
            let map = map.map(|it| (most(&it), it));
            Field::new(map.map(|(most, it)| it.signed(most)), name)
        };
        let [mask, scores] = ["mask", "scores"].map(|tap| self.map(tap, self.head));
        let product = || {
            let (m, s) = (mask.as_ref()?.values()?, scores.as_ref()?.values()?);
            own(self.side(), m.iter().zip(&*s).map(|(m, s)| m * s))
        };
        let product = product();
        let share = |name: &str, tap: &str| {
            let map = self.map(tap, self.head).map(|it| (most(&it), it));
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
        panel("steps", 2, Room::fill(280.0, 100.0).at_most_high(220.0))
            .titled("From scores to attention")
            .read("M multiplies the scores S before the softmax; A is what comes out.")
            .shows(Picture::Fields(Fields { fields, value: "value", linked: true, ..Fields::default() }))
    }

    /// The mean distance of what the patch looks at, in every head and without a mask.
    fn radius(&self) -> Panel {
        let mean = |name: &str, h: usize| {
            let values = self.map(name, h).and_then(|it| it.values());
            let far = |(i, weight): (usize, &f32)| weight * apart(self.side(), i, self.at);
            values.map_or(f32::NAN, |it| it.iter().enumerate().map(far).sum())
        };
        let bar = |name: String, value: f32| Bar { name, value, ..Bar::default() };
        let mut bars: Vec<Bar> = (0..HEADS).map(|h| bar(format!("head {h}"), mean("pattern", h))).collect();
        bars.push(bar("no mask".to_owned(), mean("plain", 0)));
        let bars = Bars { label: "patches".to_owned(), names: "head".to_owned(), bars, click: String::new() };
        panel("radius", 4, Room::fill(170.0, 90.0).at_most_wide(260.0).at_most_high(150.0))
            .titled("How far it looks, in patches")
            .shows(Picture::Bars(bars))
    }
}

/// The picture, over it a map, and the Gaussians of the head as circles around the patch; which was dragged, and its width in
/// patches.
pub(super) fn seen(
    state: &mut GaussianMasks,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
) -> Option<(usize, f32)> {
    let it = Masked::of(state, scene)?;
    let (map, circles, at) = (it.looks(state.over), it.circles(), [it.at, it.side()]);
    let rect = state.looking.show(ui, scene, map.as_ref().map(Map::maps));
    let (k, radius) = circled(state.looking.brush, rect, at, &circles, ui, scene)?;
    Some((k, radius * at[1] as f32))
}

/// The panels of masks made by hand.
pub(super) fn page(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Page> {
    let it = Masked::of(state, scene)?;
    let h = it.head;
    Some(row([
        it.picture(state.over, &format!("head {h}")).into(),
        column([
            row([it.profile(format!("Head {h}: mask by distance")).into(), it.heads().into()]),
            row([it.steps().into(), it.radius().into()]),
        ]),
    ]))
}

fn gaussian([alpha, sigma]: [f32; 2], d: f32) -> f32 {
    field::gaussian(f64::from(alpha), f64::from(sigma), f64::from(d * d)) as f32
}
