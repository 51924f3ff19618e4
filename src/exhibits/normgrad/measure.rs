//! Which layers and methods point at the right quarter of a collage, and whether a map depends on the class: measured here
//! over many collages, beside what was published.

use egui::{RichText, vec2};

use crate::data::fashion::CLASSES;
use crate::data::{Collage, collage, picture};
use crate::exhibits::Scene;
use crate::graph::{Graph, Var};
use crate::models::Vision;
use crate::nn::Params;
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::Method;
use crate::saliency::pointing::quarters;
use crate::saliency::probe::{Probe, Wanted, probe};
use crate::ui::{Curve, Curves, Range};

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

/// The methods that are compared, with their hues.
pub(super) const METHODS: [Method; 4] =
    [Method::NormGrad, Method::Selective, Method::GradCam, Method::LayerGradient];

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
    let clothes = picture::clothes();
    (0..n).map(|i| Collage::new(&clothes, SEED, i as u64)).collect()
}

/// Records the measurements. `None`: the model was not trained on collages.
pub(super) fn record(g: &Graph, model: Vision<'_>) -> Option<()> {
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
pub(super) fn pointing<'g>(g: &'g Graph, model: Vision<'_>, n: usize) -> Option<Vec<Vec<Var<'g>>>> {
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
pub(super) fn sensitivity<'g>(g: &'g Graph, model: Vision<'_>, n: usize) -> Vec<[Var<'g>; 2]> {
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

/// What the first picture needs to be understood.
const LAST: &str = "Of convolutions that end in a mean over all places, the last layer has the same gradient everywhere: \
                    the gradient cannot point, and NormGrad is left with the activation.";
const CITED: &str = "Figures from the authors' repository (TorchRay, branch normgrad), not measured here. VGG16 does not end in \
                     a mean.";
const CLASS: &str = "1: the map is the same whatever one asks for. A step of learning the class first lets the map depend \
                     more on it.";

/// The curves.
pub(super) fn view(ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    let trace = scene.trace;
    let layers = trace.words("layers");
    let read = |name: String| Some(trace.get(&name)?.window(0..1)?[0]);
    let curve = |name: &str| -> Vec<[f32; 2]> {
        let point = |l: usize| Some([l as f32, read(format!("{name}.{l}"))?]);
        (0..layers.len()).filter_map(point).collect()
    };
    trace.get("pointing.0.0")?;
    let ticks: Vec<(f32, String)> = layers
        .iter()
        .enumerate()
        .map(|(l, it)| (l as f32, it.replace("conv ", "").replace("block ", "")))
        .collect();
    let size = ui.available_size();
    let wide = size.x > 900.0 * scene.style.scale;
    let each =
        if wide { vec2(size.x / 3.0 - scene.style.grid(2.0), size.y) } else { vec2(size.x, 0.9 * size.x) };
    let panel = |ui: &mut egui::Ui, scene: &mut Scene<'_>, title: String, curves: Curves<'_>, below: &str| {
        ui.vertical(|ui| {
            ui.set_width(each.x);
            let words =
                RichText::new(title).font(scene.style.semibold(scene.style.body)).color(scene.style.text);
            ui.add(egui::Label::new(words).wrap());
            let room = vec2(each.x, (each.y - 8.0 * scene.style.body).min(0.9 * each.x));
            if let Some(words) = curves.show(ui, scene.style, room) {
                scene.focus.readout = words;
            }
            let words = RichText::new(below).font(scene.style.regular(scene.style.caption));
            ui.add(egui::Label::new(words.color(scene.style.secondary)).wrap());
        });
    };
    let named =
        |m: usize, points| Curve { name: METHODS[m].name(), hue: METHODS[m].hue(), points, dashed: false };
    let mut ours: Vec<Curve<'_>> =
        (0..METHODS.len()).map(|m| named(m, curve(&format!("pointing.{m}")))).collect();
    let ends = vec![[0.0, 0.25], [layers.len().saturating_sub(1) as f32, 0.25]];
    ours.push(Curve { name: "chance", hue: 7, points: ends, dashed: true });
    let cited = |m: usize| PUBLISHED[m].iter().enumerate().map(|(l, y)| [l as f32, *y]).collect();
    let cited: Vec<Curve<'_>> = (0..METHODS.len()).map(|m| named(m, cited(m))).collect();
    let vgg: Vec<(f32, String)> =
        (0..5).map(|l| (l as f32, ["3", "8", "15", "22", "29"][l].to_owned())).collect();
    let sensitive =
        [("as it is", "sensitivity.plain", 4, false), ("after a step", "sensitivity.stepped", 5, false)];
    let sensitive = sensitive.map(|(name, key, hue, dashed)| Curve { name, hue, points: curve(key), dashed });
    let unit = Range::UNIT;
    let frame = |curves, ticks, x_label, y_label, y| Curves { curves, ticks, x_label, y_label, y };
    let layout = if wide { egui::Layout::left_to_right(egui::Align::Min) } else { *ui.layout() };
    ui.with_layout(layout, |ui| {
        ui.spacing_mut().item_spacing.x = scene.style.grid(3.0);
        let title = format!("Measured here: {COLLAGES} collages of 40 test pictures");
        panel(ui, scene, title, frame(&ours, &ticks, "layer", "share that points right", unit), LAST);
        let title = "As published: VOC07, VGG16 (Rebuffi et al. 2020, authors' code)".to_owned();
        panel(ui, scene, title, frame(&cited, &vgg, "layer", "share that points right", unit), CITED);
        let title = format!("Does the map care about the class? {STEPPED} collages, step {EPSILON}");
        let label = "rank correlation, likeliest and least likely class";
        panel(ui, scene, title, frame(&sensitive, &ticks, "layer", label, unit), CLASS);
    });
    Some(())
}
