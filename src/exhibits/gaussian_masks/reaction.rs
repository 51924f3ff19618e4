//! How a model's decision reacts to what is put in the place of what it learnt.

use crate::data::{Image, image};
use crate::graph::{Graph, Var};
use crate::models::{Vision, Vit};
use crate::nn::loss::accuracy;
use crate::page::{Panel, Picture, Room, panel};
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::ui::{Bar, Bars};

/// The pictures on which hits are counted, `[picture, row, col, channel]`, and their labels: the clothes that Vitrine brings,
/// which are of the test set.
pub(super) fn pictures<'g>(g: &'g Graph, model: &Vit) -> Option<[Var<'g>; 2]> {
    let clothes = image::clothes();
    let each = (0..clothes.len()).map(|i| Some(model.image(&Image::Clothes(i as u32))?.data));
    let all: Vec<f32> = each.collect::<Option<Vec<_>>>()?.concat();
    let (side, channels) = (model.side(), model.channels());
    let labels: Vec<usize> = (0..clothes.len()).collect();
    let images = Tensor::new(&[clothes.len(), side, side, channels], all);
    Some([g.input(&images), g.input(&clothes.labels(&labels))])
}

/// Keeps the evidence before and after, and the share of `labels` that is right before and after.
pub(super) fn keep([before, after]: [Var<'_>; 2], all: [Var<'_>; 2], labels: Var<'_>) {
    before.keep("logits.before");
    after.keep("logits");
    for (logits, name) in all.into_iter().zip(["right.before", "right"]) {
        accuracy(logits, labels).keep(name);
    }
}

/// The evidence for every class with what was put there, `with` in words; before it in grey.
pub(super) fn classes(trace: &Trace, with: &str) -> Option<Panel> {
    let names = trace.words("classes");
    let read = |name: &str| trace.get(name).and_then(|it| it.window(0..it.size()));
    let (now, before) = (read("logits")?, read("logits.before")?);
    let mut order: Vec<usize> = (0..names.len()).collect();
    // By what was learnt, so that nothing changes its place as a handle is dragged.
    order.sort_by(|a, b| before[*b].total_cmp(&before[*a]));
    let first = |logits: &[f32]| (0..names.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    let (after, learnt) = (first(&now)?, first(&before)?);
    let bar = |i: &usize| Bar {
        name: names[*i].clone(),
        value: now[*i],
        before: Some(before[*i]),
        lit: after == *i,
        hue: None,
    };
    let bars = Bars {
        label: "evidence (logit)".to_owned(),
        names: "class".to_owned(),
        bars: order.iter().map(bar).collect(),
        click: String::new(),
    };
    let said = if after == learnt {
        format!("With {with}: still {}", names[after])
    } else {
        format!("With {with}: {}, not {}", names[after], names[learnt])
    };
    let count = image::clothes().len() as f32;
    let [right, of] = [read("right")?[0], read("right.before")?[0]].map(|it| (count * it).round());
    let panel = panel("classes", 2, Room::fill(200.0, 120.0).at_most_wide(330.0))
        .titled(said)
        .noted(format!("Right of {count} test pictures: {right}, as learnt {of}."))
        .read("Grey: as it was learnt.");
    Some(panel.shows(Picture::Bars(bars)))
}
