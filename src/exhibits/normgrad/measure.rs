//! Which layers and methods point at the right quarter of a collage, and whether a map depends on the class: measured here
//! over many collages, beside what was published.

use crate::data::collage;
use crate::data::fashion::CLASSES;
use crate::graph::{Graph, Var};
use crate::models::Vision;
use crate::page::{Page, Picture, Room, panel, row};
use crate::saliency::meta::sensitivity;
use crate::saliency::method::Method;
use crate::saliency::pointing::{collages, shares};
use crate::trace::Trace;
use crate::ui::{Axis, Chart, Form, Range};

/// Why there is nothing to measure.
pub(super) const REFUSAL: &str =
    "Pointing is measured on collages of four pieces of clothing: choose a model that was trained on them.";

/// How many collages are pointed at.
pub(super) const COLLAGES: usize = 64;

/// How many of them are also looked at after a step of learning of their own.
pub(super) const STEPPED: usize = 8;

/// The step's length, as the authors' experiments have it.
const EPSILON: f32 = 0.0025;

/// The methods that are compared.
pub(super) const METHODS: [Method; 4] =
    [Method::NormGrad, Method::Selective, Method::GradCam, Method::LayerGradient];

/// Their hues: those of the methods, but for the last, whose blue is too near to that of the second.
const HUES: [usize; 4] = [0, 1, 2, 3];

/// Pointing accuracy of the same methods by layer, on VOC07 with VGG16 (layers features.3, 8, 15, 22 and 29), as cited from
/// the authors' benchmark (`attribution_benchmark.py` of github.com/ruthcfong/TorchRay, branch normgrad).
const PUBLISHED: [[f32; 5]; 4] = [
    [0.789, 0.810, 0.819, 0.819, 0.777],
    [0.814, 0.814, 0.819, 0.848, 0.860],
    [0.591, 0.584, 0.554, 0.582, 0.866],
    [0.764, 0.781, 0.806, 0.821, 0.395],
];

/// Records the measurements. `None`: the model was not trained on collages.
pub(super) fn record(g: &Graph, model: &dyn Vision) -> Option<()> {
    for (m, shares) in shares(g, model, &METHODS, COLLAGES)?.into_iter().enumerate() {
        for (l, share) in shares.into_iter().enumerate() {
            share.keep(&format!("pointing.{m}.{l}"));
        }
    }
    for (l, [plain, stepped]) in by_class(g, model).into_iter().enumerate() {
        plain.keep(&format!("sensitivity.plain.{l}"));
        stepped.keep(&format!("sensitivity.stepped.{l}"));
    }
    Some(())
}

/// By layer, whether the map depends on the class, as the model is and after a step of learning.
pub(super) fn by_class<'g>(g: &'g Graph, model: &dyn Vision) -> Vec<[Var<'g>; 2]> {
    let (images, _) = collage::batch(&collages(STEPPED), CLASSES.len());
    sensitivity(model, g.input(&images), EPSILON)
}

/// The three panels, once the first number is there: title, chart, and what it needs to be understood.
pub(super) fn page(trace: &Trace) -> Option<Page> {
    trace.get("pointing.0.0")?;
    let layers = trace.words("layers");
    let short = |it: &String| it.replace("conv ", "").replace("block ", "");
    let ticks: Vec<_> = layers.iter().enumerate().map(|(l, it)| (l as f32, short(it))).collect();
    let published = ["3", "8", "15", "22", "29"].iter().enumerate();
    let published = published.map(|(l, it)| (l as f32, (*it).to_owned())).collect();
    let curve = |name: &str| -> Vec<[f32; 2]> {
        let point = |l: usize| Some([l as f32, trace.number(&format!("{name}.{l}"))?]);
        (0..layers.len()).filter_map(point).collect()
    };
    let chart = |ticks: Vec<(f32, String)>, y: &str| {
        let (x, y) = (Axis::new("layer").ticks(ticks), Axis::new(y).to(Range::UNIT));
        Chart { x, y, ..Chart::default() }
    };
    let methods = |ticks, points: &dyn Fn(usize) -> Vec<[f32; 2]>| {
        let named = |chart: Chart, m: usize| chart.with(METHODS[m].name(), HUES[m], Form::Line, points(m));
        (0..METHODS.len()).fold(chart(ticks, "share that points right"), named)
    };
    let chance = vec![[0.0, 0.25], [layers.len().saturating_sub(1) as f32, 0.25]];
    let measured = methods(ticks.clone(), &|m| curve(&format!("pointing.{m}")));
    let cited = methods(published, &|m| (0..5).map(|l| [l as f32, PUBLISHED[m][l]]).collect());
    let class = chart(ticks, "rank correlation")
        .with("as it is", 4, Form::Line, curve("sensitivity.plain"))
        .with("after a step", 5, Form::Line, curve("sensitivity.stepped"));
    let one = |name, rank, title: &str, chart, words: String| {
        let room = Room::fill(260.0, 190.0);
        panel(name, rank, room).titled(title).told(words).shows(Picture::Chart(chart)).into()
    };
    let here = format!(
        "{COLLAGES} collages of four of 40 test pictures. Of convolutions that end in a mean over all places, the last layer \
         has the same gradient everywhere: the gradient cannot point, and NormGrad is left with the activation."
    );
    let there = "Figures from the authors' repository (TorchRay, branch normgrad; Rebuffi et al. 2020), not measured here. \
                 VGG16 does not end in a mean."
        .to_owned();
    let step = format!(
        "Ranks of the maps for the likeliest and the least likely class, {STEPPED} collages. 1: the map is the same whatever one \
         asks for. A step of learning the class first, of {EPSILON}, lets the map depend more on it."
    );
    Some(row([
        one(
            "measured here",
            0,
            "Measured here, on collages",
            measured.with("chance", 7, Form::Dashed, chance),
            here,
        ),
        one("as published", 1, "As published, VGG16 on VOC07", cited, there),
        one("the class", 2, "Does the map care about the class?", class, step),
    ]))
}
