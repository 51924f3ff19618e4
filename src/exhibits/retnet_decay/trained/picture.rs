//! How a trained RetNet looks beside a GPT: decays to drag, one head of each, all heads, and what each character surprised them by.

use super::Trained;
use crate::exhibits::next_character::visible;
use crate::exhibits::retnet_decay::picture::fading;
use crate::focus::Spot;
use crate::page::{Cells, Heads, Line, Map, Page, Panel, Picture, Room, Scene, Words, column, panel, row};
use crate::trace::Trace;
use crate::ui::{Axis, Chart, Form, Mark, Range, Scale};

/// The half-lives that it reads with.
pub(super) fn half_lives(trace: &Trace) -> Vec<f32> {
    trace.words("half-lives").iter().filter_map(|it| it.parse().ok()).collect()
}

/// One of the two models as it is shown.
struct Side<'a> {
    trace: &'a Trace,
    /// What its tensors begin with.
    name: &'static str,
    /// What it is called.
    title: &'static str,
    /// Layer and head that are large.
    at: [usize; 2],
}

impl Side<'_> {
    fn layers(&self) -> Vec<Map> {
        let (trace, name) = (self.trace, self.name);
        let layer = |l: usize| {
            let map = Map::of(trace.get(&format!("{name}.{l}"))?, 0)?;
            Some(self.coloured(map, l))
        };
        (0..1000).map_while(layer).collect()
    }

    /// Retention is signed; each row is as bright as its largest.
    fn coloured(&self, map: Map, l: usize) -> Map {
        let map = if self.name == "retention" { map.signed(1.0) } else { map };
        map.over(self.trace.get(&format!("{}.{l}.most", self.name)), true)
    }

    fn spot(&self) -> Spot {
        Spot { layer: Some(self.at[0]), head: Some(self.at[1]), ..Spot::default() }
    }

    /// One head, large.
    fn one(&self, rank: u8, words: &[String]) -> Option<Panel> {
        let [l, h] = self.at;
        let map = self.coloured(Map::of(self.trace.get(&format!("{}.{l}", self.name))?, h)?, l);
        let cells = Cells {
            map,
            axes: ["query", "key"],
            words: [words.to_vec(), words.to_vec()],
            value: "weight".to_owned(),
            also: vec![],
            spot: self.spot(),
            lines: None,
        };
        let panel = panel(self.name, rank, Room::shaped(1.0, [190.0, 190.0], [40.0, 110.0]))
            .titled(format!("{}: layer {l}, head {h}", self.title));
        Some(panel.shows(Picture::Cells(Box::new(cells))))
    }

    /// All heads.
    fn all(&self, panel_name: &'static str, rank: u8, words: &[String]) -> Option<Panel> {
        let (layers, heads) = (self.layers(), self.trace.get(&format!("{}.0", self.name))?.shape[0]);
        let shape = heads as f32 / layers.len() as f32;
        let each = || (0..layers.len() * heads).map(|i| (i / heads, i % heads));
        let grid = Heads {
            heads,
            spot: self.spot(),
            marks: each().map(|_| Mark::default()).collect(),
            names: each().map(|(l, h)| format!("{}, layer {l}, head {h}", self.title)).collect(),
            tokens: words.to_vec(),
            legend: vec![],
            layers,
        };
        let room = Room::shaped(shape, [130.0, 21.0 + 110.0 / shape], [21.0, 21.0]).at_most_high(220.0);
        let panel = panel(panel_name, rank, room).titled(format!("All heads of the {}", self.title));
        Some(panel.shows(Picture::Heads(grid)))
    }

    /// How far back each head looks, a little beside its layer.
    fn reach(&self) -> Option<Vec<[f32; 2]>> {
        let kept = self.trace.get(&format!("{}.reach", self.name))?;
        let [_, heads] = kept.shape[..] else { return None };
        let all = kept.window(0..kept.size())?;
        let beside = |i: usize| (i / heads) as f32 + 0.14 * ((i % heads) as f32 - (heads as f32 - 1.0) / 2.0);
        Some(all.iter().enumerate().map(|(i, far)| [beside(i), *far]).collect())
    }
}

/// The panels.
pub(in super::super) fn page(state: &Trained, scene: &Scene<'_>) -> Option<Page> {
    let trace = scene.trace;
    let side = |name, title, at| Side { trace, name, title, at };
    let retnet = side("retention", "RetNet", state.retention);
    let gpt = side("attention", "GPT", state.attention);
    let words: Vec<String> = trace.words("tokens").iter().map(|it| visible(it)).collect();
    let lives = half_lives(trace);
    let decay = panel("decay", 0, Room::fill(200.0, 112.0).at_most_wide(420.0))
        .titled("What is left of a character, by distance")
        .read("Handles sit at the half-life of each head; all layers have the same.")
        .shows(Picture::Chart(fading(&lives, words.len())));
    Some(column([
        row([
            column([decay.into(), reaches(&retnet, &gpt)?.into()]),
            retnet.one(1, &words)?.into(),
            gpt.one(2, &words)?.into(),
            column([
                retnet.all("retention heads", 4, &words)?.into(),
                gpt.all("attention heads", 5, &words)?.into(),
            ]),
        ]),
        surprises(trace, &words)?.into(),
    ]))
}

/// How far back all heads look.
fn reaches(retnet: &Side<'_>, gpt: &Side<'_>) -> Option<Panel> {
    let layers = Axis::new("layer").ticks((0..gpt.layers().len()).map(|it| (it as f32, it.to_string())));
    let chart = Chart { x: layers, y: Axis::new("characters back"), ..Chart::default() };
    let chart = chart.with("GPT", 7, Form::Dots, gpt.reach()?).with("RetNet", 1, Form::Dots, retnet.reach()?);
    let panel = panel("reach", 6, Room::fill(190.0, 90.0).at_most_wide(420.0).at_most_high(190.0))
        .titled("How far back each head looks, in the mean")
        .read(
            "The mean distance, weighed by the weights without their signs, over all characters of the text.",
        );
    Some(panel.shows(Picture::Chart(chart)))
}

/// What each character surprised both models by.
fn surprises(trace: &Trace, words: &[String]) -> Option<Panel> {
    let read = |name: &str| {
        let kept = trace.get(&format!("surprise.{name}"))?;
        kept.window(0..kept.size())
    };
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
    let (retnet, gpt, trained) = (read("retention")?, read("attention")?, read("trained")?);
    // Nobody was asked for the first character.
    let line = |name: &str, values: &[f32]| Line::on(name, &words[1..], Some(values));
    let [now, beside, learnt] = [&retnet, &gpt, &trained].map(|it| mean(it));
    let moved = if (now - learnt).abs() > 5e-4 {
        format!("With the half-lives that it was trained with the RetNet had {learnt:.2}.")
    } else {
        "Drag a half-life: the RetNet reads with it.".to_owned()
    };
    let picture = Words {
        lines: vec![line("RetNet", &retnet), line("GPT", &gpt)],
        places: words[1..].to_vec(),
        axes: ["model", "character"],
        range: Range { min: 0.0, max: 6.0, log: false },
        scale: Scale::Sequential,
        legend: "surprise (nats)".to_owned(),
        ..Words::default()
    };
    let panel = panel("surprise", 3, Room::fill(260.0, 62.0).at_most_high(110.0))
        .titled(format!(
            "How much each character surprised them: RetNet {now:.2}, GPT {beside:.2} nats in the mean"
        ))
        .noted(moved);
    Some(panel.shows(Picture::Words(picture)))
}
