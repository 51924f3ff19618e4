//! How it looks: distances over the number of examples, who is nearest, and what layers hold.

use super::IclAlgorithm;
use super::distance::NOISES;
use super::probes::{STAGES, TARGETS};
use crate::page::{Page, Picture, Room, column, panel, row};
use crate::trace::Trace;
use crate::train::regression::MOST;
use crate::ui::{Axis, Chart, Form, Range};

/// The hues of the algorithms, and of the transformer: the same in every picture.
const HUES: [usize; 7] = [2, 5, 6, 3, 0, 4, 7];
const TRANSFORMER: usize = 1;
const NOW: usize = 7;

/// Ticks from 0 to 1.
const SHARES: [(f32, &str); 3] = [(0.0, "0"), (0.5, "0.5"), (1.0, "1")];

/// Numbers over the number of examples.
type Curves = Vec<Vec<f32>>;

/// The panels.
pub(super) fn page(state: &IclAlgorithm, trace: &Trace) -> Option<Page> {
    let [spd, ilwd, error] = ["spd", "ilwd", "error"].map(|name| curves(trace, name, MOST + 1));
    let (spd, ilwd, error) = (spd?, ilwd?, error?);
    let (curve, aside) = (Room::fill(230.0, 130.0), Room::fill(220.0, 120.0).at_most_wide(380.0));
    let distance = panel("distance", 0, curve)
        .titled(nearest(state, &spd))
        .read("The mean square of how far its answers are from those of every algorithm, as a share of what an answer varies, over 64 tasks.")
        .shows(Picture::Chart(over(state, &spd, "distance (SPD)", 1e-4)));
    let phase = panel("phase", 1, aside)
        .titled("Who is nearest")
        .read("The algorithm whose answers are nearest, at every noise and number of examples, over 32 tasks each.")
        .shows(Picture::Chart(phase(state, trace)?));
    let weights = panel("weights", 2, aside)
        .titled(format!("Their weights{}", linear(state, trace)))
        .read("The mean square of how far the weights are apart that explain their answers best.")
        .shows(Picture::Chart(over(state, &ilwd, "distance (ILWD)", 1e-4)));
    let probes = panel("probes", 3, aside)
        .titled("What can be read from its layers")
        .read("The share of the variance that a linear probe explains on tasks that it was not fitted on. Dashed: a transformer that never had to learn from examples.")
        .shows(Picture::Chart(probes(state, trace)?));
    let errors = panel("errors", 4, aside)
        .titled("Who is how wrong")
        .read("The mean square of how far answers are from the truth, as a share of what an answer varies.")
        .shows(Picture::Chart(wrong(state, &error)));
    Some(row([
        distance.into(),
        column([phase.into(), weights.into()]),
        column([probes.into(), errors.into()]),
    ]))
}

/// A tensor `[.., examples]` as curves.
fn curves(trace: &Trace, name: &str, points: usize) -> Option<Curves> {
    let kept = trace.get(name)?;
    Some(kept.window(0..kept.size())?.chunks(points).map(<[f32]>::to_vec).collect())
}

/// Who is nearest after so many examples, in words.
fn nearest(state: &IclAlgorithm, spd: &Curves) -> String {
    let n = state.shown();
    let best = (0..spd.len()).min_by(|a, b| spd[*a][n].total_cmp(&spd[*b][n]));
    let examples = if n == 1 { "1 example".to_owned() } else { format!("{n} examples") };
    let name = best.map(|i| state.names()[i].clone());
    format!("After {examples}: nearest to {}", name.unwrap_or_default())
}

/// How linear it is after so many examples, in words.
fn linear(state: &IclAlgorithm, trace: &Trace) -> String {
    let curved = trace.get("curved").and_then(|it| it.window(state.shown()..state.shown() + 1));
    let share = |it: &[f32]| format!(", {:.1} % linear", 100.0 * (1.0 - it[0]));
    curved.filter(|_| state.shown() > 0).map_or_else(String::new, |it| share(&it))
}

/// A frame over the number of examples, on a logarithmic scale.
fn frame(state: &IclAlgorithm, label: &str, least: f32) -> Chart {
    let ticks = [0, 3, 6, 9].map(|it| (it as f32, it.to_string()));
    let (now, range) = (state.shown() as f32, Range { min: least, max: 10.0, log: true });
    Chart {
        x: Axis::new("examples").to(Range { min: 0.0, max: MOST as f32, log: false }).ticks(ticks),
        y: Axis::new(label).to(range),
        ..Chart::default()
    }
    .with("", NOW, Form::Dashed, vec![[now, range.min], [now, range.max]])
}

/// A curve for every algorithm.
fn over(state: &IclAlgorithm, all: &Curves, label: &str, least: f32) -> Chart {
    let points = |it: &[f32]| it.iter().enumerate().map(|(n, it)| [n as f32, it.max(least)]).collect();
    let named = state.names().into_iter().zip(HUES).zip(all);
    named.fold(frame(state, label, least), |chart, ((name, hue), it)| {
        chart.with(name, hue, Form::Line, points(it))
    })
}

/// The errors of all and of the transformer.
fn wrong(state: &IclAlgorithm, all: &Curves) -> Chart {
    let own = all.last().map_or(&[][..], Vec::as_slice);
    let points = own.iter().enumerate().map(|(n, it)| [n as f32, it.max(1e-4)]).collect();
    over(state, all, "square error", 1e-4).with("transformer", TRANSFORMER, Form::Line, points)
}

/// Half the height of a row of the phase picture.
const HALF: f32 = 0.1;

/// Who is nearest at every noise and number of examples.
fn phase(state: &IclAlgorithm, trace: &Trace) -> Option<Chart> {
    let (names, first) = (state.names(), usize::from(!state.bayes));
    let all = curves(trace, "phase", MOST)?;
    let ticks = [1, 3, 5, 7, 9, 11].map(|it| (it as f32, it.to_string()));
    let mut chart = Chart {
        x: Axis::new("examples").to(Range { min: 0.5, max: MOST as f32 + 0.5, log: false }).ticks(ticks),
        y: Axis::new("noise")
            .to(Range { min: -HALF, max: 1.0 + HALF, log: false })
            .ticks(SHARES.map(|(at, words)| (at, words.to_owned()))),
        ..Chart::default()
    };
    let mut dots = vec![vec![]; names.len()];
    for (row, noise) in NOISES.iter().enumerate() {
        let here = &all[row * names.len()..][..names.len()];
        let best = |n: usize| (first..names.len()).min_by(|a, b| here[*a][n].total_cmp(&here[*b][n]));
        let best: Vec<usize> = (0..MOST).filter_map(best).collect();
        let mut n = 0;
        for run in best.chunk_by(|a, b| a == b) {
            let (x, y) = ([n as f32 + 0.5, (n + run.len()) as f32 + 0.5], *noise as f32);
            let corners = vec![[x[0], y + HALF], [x[1], y + HALF], [x[1], y - HALF], [x[0], y - HALF]];
            // Twice, as one is too pale for so small a place.
            for _ in 0..2 {
                chart = chart.with("", HUES[run[0]], Form::Area, corners.clone());
            }
            dots[run[0]].extend((n..n + run.len()).map(|n| [n as f32 + 1.0, y]));
            n += run.len();
        }
    }
    for (i, dots) in dots.into_iter().enumerate().filter(|it| !it.1.is_empty()) {
        chart = chart.with(&names[i], HUES[i], Form::Dots, dots);
    }
    Some(chart)
}

/// What probes read out, layer by layer.
fn probes(state: &IclAlgorithm, trace: &Trace) -> Option<Chart> {
    let all = curves(trace, "probes", STAGES * TARGETS.len())?;
    let layers = state.shape().0;
    let ticks = (0..=layers).map(|it| (it as f32, it.to_string()));
    let mut chart = Chart {
        x: Axis::new("after layer").to(Range { min: 0.0, max: layers as f32, log: false }).ticks(ticks),
        y: Axis::new("share of variance")
            .to(Range { min: -0.1, max: 1.0, log: false })
            .ticks(SHARES.map(|(at, words)| (at, words.to_owned()))),
        ..Chart::default()
    };
    for (who, read) in all.iter().skip(usize::from(state.asked)).step_by(2).enumerate() {
        for (target, name) in TARGETS.iter().enumerate() {
            let points =
                (0..=layers).map(|l| [l as f32, read[l * TARGETS.len() + target].max(-0.1)]).collect();
            let (name, form) = if who == 0 { (*name, Form::Line) } else { ("", Form::Dashed) };
            chart = chart.with(name, [3, TRANSFORMER][target], form, points);
        }
    }
    Some(chart)
}
