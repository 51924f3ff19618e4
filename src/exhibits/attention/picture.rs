//! How the attention exhibit looks: one map large, and all heads as thumbnails.

use super::{Attention, Drawing, What};
use crate::focus::Spot;
use crate::page::{Cells, Heads, Label, Map, Page, Panel, Picture, Room, Scene, panel, row};
use crate::saliency::heads::{self, HeadKind, HeadLabel};
use crate::trace::Trace;
use crate::ui::{Divided, Mark, Range, Scale, Style, number};

/// The head that is shown before anybody chose one: in the default sentence, "it" finds "animal".
const FIRST: (usize, usize) = (3, 1);

/// The scope of the second sentence's taps.
const SECOND: &str = "second/";

pub(super) fn layers(trace: &Trace) -> usize {
    (0..1000).take_while(|l| trace.get(&format!("blocks.{l}.attn.pattern")).is_some()).count()
}

fn heads_of(trace: &Trace) -> usize {
    trace.get("blocks.0.attn.pattern").map_or(1, |it| it.shape[0])
}

/// Layer and head that are shown large.
pub(super) fn place(trace: &Trace, spot: Spot) -> (usize, usize) {
    let (l, h) = (spot.layer.unwrap_or(FIRST.0), spot.head.unwrap_or(FIRST.1));
    (l.min(layers(trace).saturating_sub(1)), h.min(heads_of(trace) - 1))
}

fn label(trace: &Trace, scope: &str, (l, h): (usize, usize)) -> Option<HeadLabel> {
    heads::label(trace, &format!("{scope}blocks.{l}.attn"), h)
}

/// A map of the trace as it is drawn: as it is, or its change.
struct Shown {
    map: Map,
    /// The map as it is, where the change is drawn.
    now: Option<Map>,
    words: String,
}

/// What the large picture shows of one sentence at a place.
fn shown(state: &Attention, what: What, trace: &Trace, scope: &str, (l, h): (usize, usize)) -> Option<Shown> {
    let (name, changed, index, words) = match what {
        What::Head => {
            let name = format!("blocks.{l}.attn");
            (format!("{name}.pattern"), format!("{name}.change"), h, format!("layer {l}, head {h}"))
        }
        What::Mean => {
            let name = format!("blocks.{l}.attn.mean");
            (name.clone(), format!("{name}_change"), 0, format!("layer {l}, mean of heads"))
        }
        What::Rollout => {
            (format!("rollout.{l}"), format!("rollout.{l}.change"), 0, format!("rollout up to layer {l}"))
        }
    };
    let get = |name: &str| trace.get(&format!("{scope}{name}"));
    let now = Map::of(get(&name)?, index)?;
    if let Some(change) = get(&changed).filter(|_| state.shows_change()) {
        let map = Map::of(change, index)?.signed(change_peak(trace));
        return Some(Shown { map, now: Some(now), words: format!("{words}: change") });
    }
    let range = if state.log { Range::LOG } else { Range::UNIT };
    let peak = |what: &str| get(&format!("{name}.{what}_peak"));
    let map = match state.divided {
        Divided::Not => now,
        Divided::Row => now.over(peak("row"), true),
        Divided::Map => now.over(peak("map"), false),
    };
    Some(Shown { map: map.to(range, Scale::Sequential), now: None, words })
}

/// The largest change of any map, which is the end of the diverging scale everywhere, so that maps compare.
fn change_peak(trace: &Trace) -> f32 {
    let peak = |name: String| Some(trace.get(&name)?.window(0..1)?[0]);
    let of = |l| ["", SECOND].map(|scope| peak(format!("{scope}blocks.{l}.attn.change_peak")));
    (0..layers(trace)).flat_map(of).flatten().fold(1e-6, f32::max)
}

/// A map and all heads of every sentence.
pub(super) fn page(state: &Attention, scene: &Scene<'_>) -> Option<Page> {
    let pair = |map, heads, rank, scope| -> Option<Page> {
        let all = heads_panel(state, scene, heads, rank + 1, scope)?;
        Some(row([map_panel(state, scene, map, rank, scope)?.into(), all.into()]))
    };
    let first = pair("head map", "all heads", 0, "")?;
    Some(match pair("second map", "second heads", 2, SECOND) {
        Some(second) => row([first, second]),
        None => first,
    })
}

fn map_panel(
    state: &Attention,
    scene: &Scene<'_>,
    name: &'static str,
    rank: u8,
    scope: &str,
) -> Option<Panel> {
    let trace = scene.trace;
    let (l, h) = place(trace, scene.focus.spot());
    let Shown { mut map, now, words } = shown(state, state.what, trace, scope, (l, h))?;
    let lines = (state.picture == Drawing::Lines).then_some(if state.what == What::Head { h } else { 1 });
    if lines.is_some() && now.is_some() {
        // Lines show one map: they are as strong as its own largest change, unless that is next to nothing.
        let largest = map.values().iter().flat_map(|it| it.iter()).fold(0.01f32, |most, x| most.max(x.abs()));
        map = map.signed(largest);
    }
    let tokens = trace.words(&format!("{scope}tokens"));
    let logits = trace
        .get(&format!("{scope}blocks.{l}.attn.scores"))
        .filter(|_| state.what == What::Head && now.is_none());
    let about = if now.is_some() {
        "Blue is more attention than before, red is less."
    } else {
        "Every row of a head sums to 1."
    };
    // As long as each other: a head that is switched off moves nothing.
    let value = if now.is_some() { "change of weight" } else { "attention weight" };
    let logits = logits.and_then(|it| Some(("logit", Map::of(it, h)?)));
    let also = now.map(|it| ("now", it)).into_iter().chain(logits).collect();
    let room = match state.picture {
        Drawing::Map => {
            let longest = tokens.iter().map(|it| it.chars().count()).max().unwrap_or(0).min(14) as f32;
            Room::shaped(1.0, [LEAST, 120.0], [40.0 + 9.0 * longest, 40.0])
        }
        Drawing::Lines => Room::fill(LEAST, 120.0).at_most_wide(640.0),
    };
    let label = label(trace, scope, (l, h)).filter(|_| state.what == What::Head);
    let label = label.map_or_else(String::new, |it| format!(" · {} {}", it.kind.name(), number(it.score)));
    let of = if scope.is_empty() { "" } else { "second · " };
    // Only what is shown is set: a mean and rollout have no head.
    let spot = Spot { layer: Some(l), head: (state.what == What::Head).then_some(h), ..Spot::default() };
    let both = [tokens.to_vec(), tokens.to_vec()];
    let cells =
        Cells { map, axes: ["query", "key"], words: both, value: value.to_owned(), also, spot, lines };
    let title = format!("{of}{words}{label}");
    let panel = panel(name, rank, room).titled(title).noted(consequence(state, trace, scope, l)).read(about);
    Some(panel.shows(Picture::Cells(Box::new(cells))))
}

/// The least width of a map, which leaves room for all heads beside it in a third of a laptop's screen.
const LEAST: f32 = 240.0;

fn heads_panel(
    state: &Attention,
    scene: &Scene<'_>,
    name: &'static str,
    rank: u8,
    scope: &str,
) -> Option<Panel> {
    let (trace, heads, count) = (scene.trace, heads_of(scene.trace), layers(scene.trace));
    let maps = (0..count).map(|l| Some(shown(state, What::Head, trace, scope, (l, 0))?.map));
    let labels: Vec<Option<HeadLabel>> =
        (0..count * heads).map(|i| label(trace, scope, (i / heads, i % heads))).collect();
    let found = |it: &Option<HeadLabel>| it.as_ref().is_some_and(|it| matches(&state.search, it.kind));
    let mark = |(i, label): (usize, &Option<HeadLabel>)| Mark {
        hue: label.as_ref().map(|it| scene.style.hue(it.kind as usize)),
        off: state.off.contains(&(i / heads, i % heads)),
        dim: !state.search.is_empty() && !found(label),
    };
    let said = |(i, label): (usize, &Option<HeadLabel>)| {
        let kind = label
            .as_ref()
            .map_or_else(String::new, |it| format!(", {} {}", it.kind.name(), number(it.score)));
        format!("layer {}, head {}{kind}", i / heads, i % heads)
    };
    let (l, h) = place(trace, scene.focus.spot());
    let picture = Heads {
        layers: maps.collect::<Option<_>>()?,
        heads,
        spot: Spot { layer: Some(l), head: (state.what == What::Head).then_some(h), ..Spot::default() },
        marks: labels.iter().enumerate().map(mark).collect(),
        names: labels.iter().enumerate().map(said).collect(),
        tokens: trace.words(&format!("{scope}tokens")).to_vec(),
        legend: kinds(state, scene.style, &labels),
    };
    let note = match &*state.search {
        "" => String::new(),
        words => format!("“{words}”: {} found", labels.iter().filter(|it| found(it)).count()),
    };
    let [across, down] = [heads, count].map(|it| it as f32);
    let least = [(22.0 + 12.0 * across).max(160.0), (22.0 + 10.0 * down).max(60.0) + 40.0];
    let room = Room::shaped(across / down.max(1.0), least, [22.0, 66.0]);
    let title = if scope.is_empty() { "all heads" } else { "second · all heads" };
    Some(panel(name, rank, room).titled(title).noted(note).shows(Picture::Heads(picture)))
}

/// Whether a search for these words finds heads of this kind.
fn matches(search: &str, kind: HeadKind) -> bool {
    kind.name().contains(&search.to_lowercase())
}

/// How many heads there are of each kind; a click searches for them.
fn kinds(state: &Attention, style: &Style, labels: &[Option<HeadLabel>]) -> Vec<Label> {
    let count = |kind: HeadKind| labels.iter().flatten().filter(|it| it.kind == kind).count();
    let named = |kind: HeadKind| Label {
        words: format!("{} {}", kind.name(), count(kind)),
        colour: style.hue(kind as usize),
        lit: !state.search.is_empty() && matches(&state.search, kind),
        click: "Light the heads that do this with this sentence.",
    };
    HeadKind::ALL.into_iter().map(named).collect()
}

/// What a switched-off head, or the other sentence, does to the embedding; empty if there is neither.
fn consequence(state: &Attention, trace: &Trace, scope: &str, layer: usize) -> String {
    let number = |name: String| Some(trace.get(&name)?.window(0..1)?[0]);
    // A head acts on what comes after it: its own layer's patterns are as they were.
    let before = state.shows_change() && state.off.iter().all(|it| layer <= it.0);
    let before = before.then(|| "Before the change: nothing is different.".to_owned());
    let off = number(format!("{scope}cosine"));
    let off = off.map(|c| format!("Sentence embedding: cosine {c:.4} to the original."));
    let two = number("similarity".to_owned()).filter(|_| scope.is_empty());
    let two = two.map(|c| format!("The two sentences: cosine {c:.4}."));
    [before, off, two].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
