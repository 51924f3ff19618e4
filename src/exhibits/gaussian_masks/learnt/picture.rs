//! How learnt masks look: those made by hand look the same, besides the decision, and how wide and far-reaching all heads became.

use super::super::GaussianMasks;
use super::super::picture::Masked;
use super::super::reaction;
use crate::page::{Page, Panel, Picture, Room, Scene, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Chart, Form, Range};

/// The panels.
pub(in super::super) fn page(state: &GaussianMasks, scene: &Scene<'_>) -> Option<Page> {
    let (it, trace) = (Masked::of(state, scene)?, scene.trace);
    let head = format!("layer {}, head {}", state.learnt.layer, state.learnt.head);
    Some(row([
        it.picture(state.over, &head).into(),
        column([
            row([
                it.profile(format!(
                    "Layer {}, head {}: mask by distance",
                    state.learnt.layer, state.learnt.head
                ))
                .into(),
                reaction::classes(trace, "this mask")?.into(),
            ]),
            row([it.steps().into(), it.heads().into()]),
            row([widths(state, trace)?.into(), reach(state, trace)?.into()]),
        ]),
    ]))
}

/// A chart over all heads, layer by layer.
fn over_heads(layers: usize, heads: usize, y: Axis) -> Chart {
    let ticks = (0..layers * heads).map(|i| (i as f32, format!("{}.{}", i / heads, i % heads)));
    let ends = Range { min: -0.5, max: (layers * heads) as f32 - 0.5, log: false };
    Chart { x: Axis::new("layer.head").to(ends).ticks(ticks), y, ..Chart::default() }
}

/// A dashed line at the head that is shown.
fn lit(chart: Chart, state: &GaussianMasks, heads: usize, high: f32) -> Chart {
    let at = (state.learnt.layer * heads + state.learnt.head) as f32;
    chart.with("", 7, Form::Dashed, vec![[at, 0.0], [at, high]])
}

/// How wide the Gaussians of all heads are, and were as training began.
fn widths(state: &GaussianMasks, trace: &Trace) -> Option<Panel> {
    let kept = trace.get("sigma")?;
    let [layers, components, heads] = kept.shape[..] else { return None };
    let each = |name: &str| -> Option<Vec<[f32; 2]>> {
        let all = trace.get(name)?.window(0..kept.size())?;
        let at = |i: usize| (i / (components * heads) * heads + i % heads) as f32;
        Some(all.iter().enumerate().map(|(i, sigma)| [at(i), sigma.abs()]).collect())
    };
    let (now, began) = (each("sigma")?, each("sigma.began")?);
    let moved = now.iter().zip(&began).map(|(a, b)| (a[1] - b[1]).abs()).sum::<f32>() / now.len() as f32;
    let high = now.iter().chain(&began).fold(1.0f32, |most, it| most.max(it[1]));
    let high = Range::round(0.0, high).max;
    let y = Axis::new("|σ| (patches)").to(Range { min: 0.0, max: high, log: false });
    let chart = lit(over_heads(layers, heads, y), state, heads, high);
    let chart = chart.with("began", 7, Form::Dots, began).with("learnt", 1, Form::Dots, now);
    let panel = panel("widths", 4, Room::fill(200.0, 100.0).at_most_high(190.0))
        .titled("Width of every Gaussian")
        .noted(format!("Training moved it by {moved:.2} in the mean."))
        .read("Grey: as training began, 10 + 10 N(0, 1), as in the authors' code.");
    Some(panel.shows(Picture::Chart(chart)))
}

/// How far the masks of all heads reach.
fn reach(state: &GaussianMasks, trace: &Trace) -> Option<Panel> {
    let kept = trace.get("reach")?;
    let [layers, heads] = kept.shape[..] else { return None };
    let all = kept.window(0..kept.size())?;
    let points: Vec<[f32; 2]> = all.iter().enumerate().map(|(i, far)| [i as f32, *far]).collect();
    let high = Range::round(0.0, points.iter().fold(1.0f32, |most, it| most.max(it[1]))).max;
    let y = Axis::new("radius (patches)").to(Range { min: 0.0, max: high, log: false });
    let chart = lit(over_heads(layers, heads, y), state, heads, high).with("", 1, Form::Dots, points);
    let panel = panel("reach", 5, Room::fill(200.0, 100.0).at_most_high(190.0))
        .titled("How far every mask reaches")
        .read("The mean distance of a patch from the corner, weighed by |M|: a mask that is the same everywhere reaches as far as \
               patches lie apart.");
    Some(panel.shows(Picture::Chart(chart)))
}
