//! Which layers and methods point at the right quarter of a collage, and whether a map depends on the class: measured here
//! over many collages, beside what was published.

use crate::data::fashion::CLASSES;
use crate::data::{Collage, collage, image};
use crate::graph::{Graph, Var};
use crate::models::Vision;
use crate::nn::Params;
use crate::page::{Page, Picture, Room, panel, row};
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::Method;
use crate::saliency::pointing::quarters;
use crate::saliency::probe::{Probe, Wanted, probe};
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

/// Seed of the collages: none that is offered for looking at.
const SEED: u64 = 2;

/// Maps are compared in this size.
const GRID: usize = 14;

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

/// The collages that are measured on.
pub(super) fn collages(n: usize) -> Vec<Collage> {
    let clothes = image::clothes();
    (0..n).map(|i| Collage::new(&clothes, SEED, i as u64)).collect()
}

/// Records the measurements. `None`: the model was not trained on collages.
pub(super) fn record(g: &Graph, model: &dyn Vision) -> Option<()> {
    for (m, shares) in pointing(g, model, COLLAGES)?.into_iter().enumerate() {
        for (l, share) in shares.into_iter().enumerate() {
            share.keep(&format!("pointing.{m}.{l}"));
        }
    }
    for (l, [plain, stepped]) in sensitivity(g, model, STEPPED).into_iter().enumerate() {
        plain.keep(&format!("sensitivity.plain.{l}"));
        stepped.keep(&format!("sensitivity.stepped.{l}"));
    }
    Some(())
}

/// The share of `n` collages in which each method points at the quarter of the class that is asked for, by method and layer.
pub(super) fn pointing<'g>(g: &'g Graph, model: &dyn Vision, n: usize) -> Option<Vec<Vec<Var<'g>>>> {
    let collages = collages(n);
    let (images, _) = collage::batch(&collages, CLASSES.len());
    let fits =
        model.side() == images.shape[1] && model.channels() == 1 && model.classes().len() == CLASSES.len();
    if !fits {
        return None;
    }
    let wanted = Wanted::Each(collages.iter().map(|it| usize::from(it.label())).collect());
    let asked: Vec<usize> = collages.iter().map(|it| it.asked).collect();
    let p = Params::new(g, model.weights());
    let probe = g.scope("pointing", || probe(model, g.input(&images), &p, |logits| wanted.one_hot(logits)));
    let share = |method: Method, x, dx| quarters(method.at(x, dx), &asked).mean(0);
    let of = |method: Method| probe.layers.iter().map(|(_, x, dx)| share(method, *x, *dx)).collect();
    Some(METHODS.into_iter().map(of).collect())
}

/// By layer: the rank correlation of `NormGrad`'s maps for the likeliest and the least likely class, mean of `n` collages;
/// as the model is, and after a step of learning each class.
pub(super) fn sensitivity<'g>(g: &'g Graph, model: &dyn Vision, n: usize) -> Vec<[Var<'g>; 2]> {
    let (images, _) = collage::batch(&collages(n), CLASSES.len());
    let images = g.input(&images);
    let p = Params::new(g, model.weights());
    let mut sums: Vec<Option<[Var<'g>; 2]>> = vec![None; model.layers().len()];
    for i in 0..n {
        let shape = images.shape();
        let image = images.slice(0, i, 1).reshape(&shape[1..]);
        let seen = |wanted: Wanted| {
            let plain = g.scope("class", || probe(model, image, &p, |logits| wanted.one_hot(logits)));
            let stepped = g.scope("class", || super::stepped(model, &p, &plain, EPSILON));
            [plain, stepped].map(|it| maps(&it))
        };
        let (most, least) = (seen(Wanted::Likeliest), seen(Wanted::Unlikeliest));
        for (l, sum) in sums.iter_mut().enumerate() {
            let both = [0, 1].map(|k| rank_correlation(most[k][l], least[k][l]));
            *sum = Some(sum.map_or(both, |sum| [0, 1].map(|k| sum[k] + both[k])));
        }
    }
    sums.into_iter().flatten().map(|it| it.map(|sum| sum / n as f32)).collect()
}

/// The maps of `NormGrad` at every layer, brought to one size, `[place]`.
fn maps<'g>(probe: &Probe<'g>) -> Vec<Var<'g>> {
    let small = |x: Var<'g>, dx: Var<'g>| {
        let map = Method::NormGrad.at(x, dx);
        let [h, w] = [map.dim(0) / GRID, map.dim(1) / GRID];
        let map = map.slice(0, 0, h * GRID).slice(1, 0, w * GRID);
        map.reshape(&[GRID, h, GRID, w]).mean(-1).mean(1).reshape(&[GRID * GRID])
    };
    probe.layers.iter().map(|(_, x, dx)| small(*x, *dx)).collect()
}

/// The three panels, once the first number is there: title, chart, and what it needs to be understood.
pub(super) fn page(trace: &Trace) -> Option<Page> {
    trace.get("pointing.0.0")?;
    let layers = trace.words("layers");
    let short = |it: &String| it.replace("conv ", "").replace("block ", "");
    let ticks: Vec<_> = layers.iter().enumerate().map(|(l, it)| (l as f32, short(it))).collect();
    let published = ["3", "8", "15", "22", "29"].iter().enumerate();
    let published = published.map(|(l, it)| (l as f32, (*it).to_owned())).collect();
    let read = |name: &str| Some(trace.get(name)?.window(0..1)?[0]);
    let curve = |name: &str| -> Vec<[f32; 2]> {
        (0..layers.len()).filter_map(|l| Some([l as f32, read(&format!("{name}.{l}"))?])).collect()
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
