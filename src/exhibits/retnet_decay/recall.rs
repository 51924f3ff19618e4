//! What each head of a small RetNet remembers: it was trained to say which symbols came 2, 8 and 32 steps ago, and every head in
//! turn is switched off (`z` set to zero), as in no paper: the decay says how far a head can see, the errors what it is used for.

use super::picture::fading;
use super::trained::{gammas, keep_apart};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::retention::half_life;
use crate::models::retnet::{Config, record};
use crate::models::{Retnet, Zoo};
use crate::nn::Params;
use crate::nn::loss::accuracy;
use crate::page::{Page, Panel, Picture, Room, Scene, column, panel, row};
use crate::tensor::Tensor;
use crate::train::lag_recall::{LAGS, LENGTH, answers, sequences};
use crate::ui::{Axis, Bar, Bars, Chart, Form, Range};

/// The model that recalls.
pub(super) const MODEL: &str = "lag-recall-fast";

/// Sequences on which errors are counted.
const SEQUENCES: usize = 64;

/// The share of wrong answers at each lag, `[lag]`.
fn errors<'g>(config: &Config, symbols: Var<'g>, asked: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let logits = answers(record(config, symbols, p).logits);
    let right = |lag| accuracy(logits.slice(-2, lag, 1), asked.slice(-1, lag, 1)).reshape(&[1]);
    let wrong = |lag| right(lag) * -1.0 + 1.0;
    Var::concat(&(0..LAGS.len()).map(wrong).collect::<Vec<_>>(), 0)
}

/// Records the model on sequences that training never saw, whole and without each head in turn: `errors`, `[1 + layer * head,
/// lag]`.
pub(super) fn recorded(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.model::<Retnet>(MODEL)?;
    let (g, config) = (Graph::default(), &model.config);
    // Training draws from streams that are numbered by its steps.
    let drawn = sequences(SEQUENCES, &mut Random::stream(0, u64::MAX));
    let [symbols, asked] = [&drawn[0], &drawn[1]].map(|it| g.input(it));
    let p = Params::new(&g, &model.weights);
    let mut all = vec![errors(config, symbols, asked, &p)];
    for (l, h) in (0..config.layers).flat_map(|l| (0..config.heads).map(move |h| (l, h))) {
        let tap = format!("blocks.{l}.attn.z");
        let others = Tensor::from_fn(&[config.heads, 1, 1], |at| f32::from(u8::from(at[0] != h)));
        let off = g.at(&tap)? * g.input(&others);
        all.push(g.scope(&format!("without.{l}.{h}"), || {
            g.put(&tap, off);
            errors(config, symbols, asked, &p)
        }));
    }
    let one = Tensor::new(&[LENGTH], drawn[0].data[..LENGTH].to_vec());
    g.scope("one", || record(config, g.input(&one), &p));
    keep_apart(&g, "one/", config, gammas(&g, config))?;
    let rows: Vec<Var<'_>> = all.into_iter().map(|it| it.reshape(&[1, LAGS.len()])).collect();
    Var::concat(&rows, 0).keep("errors");
    g.label("half-lives", config.gammas().into_iter().map(|it| half_life(it).to_string()).collect());
    Some(g)
}

/// The panels.
pub(super) fn page(scene: &Scene<'_>) -> Option<Page> {
    let trace = scene.trace;
    let lives: Vec<f32> = trace.words("half-lives").iter().filter_map(|it| it.parse().ok()).collect();
    let kept = trace.get("errors")?;
    let errors = kept.window(0..kept.size())?;
    let layers = (kept.shape[0] - 1) / lives.len().max(1);
    let decay = panel("decay", 0, Room::fill(200.0, 112.0))
        .titled("What is left of a symbol, by distance")
        .noted("Dashed: what is asked for came 2, 8 and 32 steps ago.")
        .shows(Picture::Chart(Chart { handles: vec![], ..asked(fading(&lives, 64), 1.0) }));
    let added = |layer: usize, name: &'static str, rank: u8| {
        panel(name, rank, Room::fill(200.0, 120.0))
            .titled(format!("Layer {layer}: errors that switching a head off adds"))
            .noted(costliest(&errors, &lives, layer))
            .shows(Picture::Chart(without(&errors, &lives, layer)))
    };
    Some(row([
        column([decay.into(), whole(&errors).into()]),
        column([added(0, "first layer", 1).into(), added(layers - 1, "last layer", 2).into()]),
    ]))
}

/// What is asked for, as places on an axis of steps.
fn asked(chart: Chart, high: f32) -> Chart {
    let line = |chart: Chart, (lag, hue): (usize, usize)| {
        chart.with("", hue, Form::Dashed, vec![[lag as f32, 0.0], [lag as f32, high]])
    };
    LAGS.into_iter().zip(HUES).fold(chart, line)
}

/// Errors at a lag that come without a head of a layer, in percent.
fn added(errors: &[f32], lives: &[f32], [layer, head]: [usize; 2], lag: usize) -> f32 {
    100.0 * (errors[(1 + layer * lives.len() + head) * LAGS.len() + lag] - errors[lag])
}

/// The same of all heads of a layer, over their half-lives: a line for each lag.
fn without(errors: &[f32], lives: &[f32], layer: usize) -> Chart {
    let ticks = lives.iter().map(|it| (*it, format!("{it:.1}")));
    let x =
        Axis::new("half-life of the head (steps)").ticks(ticks).to(Range { min: 1.0, max: 64.0, log: true });
    let y = Axis::new("errors added (% of answers)").to(Range { min: 0.0, max: 100.0, log: false });
    let line = |chart: Chart, lag: usize| {
        let points = lives.iter().enumerate().map(|(h, life)| [*life, added(errors, lives, [layer, h], lag)]);
        chart.with(format!("{} steps ago", LAGS[lag]), HUES[lag], Form::Line, points.collect())
    };
    (0..LAGS.len()).fold(asked(Chart { x, y, ..Chart::default() }, 100.0), line)
}

/// Which head of a layer costs most at each lag, in words.
fn costliest(errors: &[f32], lives: &[f32], layer: usize) -> String {
    let most = |lag: usize| {
        let cost = |h: &usize| added(errors, lives, [layer, *h], lag);
        let head = (0..lives.len()).max_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(0);
        format!("{} steps: {:.1} (+{:.0} %)", LAGS[lag], lives[head], cost(&head))
    };
    format!("Costliest half-life: {}", [0, 1, 2].map(most).join(", "))
}

/// The hues of the lags.
const HUES: [usize; 3] = [4, 5, 6];

/// How often the whole model is right.
fn whole(errors: &[f32]) -> Panel {
    let bar = |(lag, hue): (usize, &usize)| Bar {
        name: format!("{} steps ago", LAGS[lag]),
        value: 100.0 * (1.0 - errors[lag]),
        hue: Some(*hue),
        ..Bar::default()
    };
    let bars = HUES.iter().enumerate().map(bar).collect();
    let asked = SEQUENCES * (LENGTH - LAGS[LAGS.len() - 1]);
    panel("right", 3, Room::fill(190.0, 80.0).at_most_high(120.0))
        .titled("Right with all heads, %")
        .noted(format!("{asked} symbols at each lag, which training never saw; chance is 12.5 %."))
        .shows(Picture::Bars(Bars {
            label: "% right".to_owned(),
            names: "symbol".to_owned(),
            bars,
            click: String::new(),
        }))
}
