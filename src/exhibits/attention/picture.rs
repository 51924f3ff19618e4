//! How the attention exhibit looks: one map large, and all heads as thumbnails.

use super::{Attention, Drawing, FIRST, SECOND, What};
use crate::exhibits::heads::{self, Head};
use crate::focus::Spot;
use crate::page::{Cells, Heads, Label, Map, Page, Panel, Picture, Room, Scene, column, panel, row};
use crate::saliency::heads::{HeadKind, HeadLabel, label};
use crate::trace::Trace;
use crate::ui::{Divided, Mark, Range, Scale, Style, number};

/// What a head does, where some kind describes it.
fn kind(trace: &Trace, scope: &str, (l, h): Head) -> Option<HeadLabel> {
    label(trace, &format!("{scope}blocks.{l}.attn"), h)
}

/// What is lit while a head is shown large: its layer alone where that is a mean or rollout.
fn lit(state: &Attention, (l, h): Head) -> Spot {
    Spot { head: (state.what == What::Head).then_some(h), ..heads::spot((l, h)) }
}

/// A map of the trace as it is drawn: as it is, or its change.
struct Shown {
    map: Map,
    /// The map as it is, where the change is drawn.
    now: Option<Map>,
    words: String,
}

/// What the large picture shows of one sentence at a place.
fn shown(state: &Attention, what: What, trace: &Trace, scope: &str, (l, h): Head) -> Option<Shown> {
    let (name, changed, index, words) = match what {
        What::Head => {
            let name = format!("blocks.{l}.attn");
            (format!("{name}.pattern"), format!("{name}.change"), h, heads::named((l, h)))
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
    let of = |l| ["", SECOND].map(|scope| trace.number(&format!("{scope}blocks.{l}.attn.change_peak")));
    (0..heads::count(trace)[0]).flat_map(of).flatten().fold(1e-6, f32::max)
}

/// A map and all heads of every sentence.
pub(super) fn page(state: &Attention, scene: &Scene<'_>) -> Option<Page> {
    let pair = |[map, heads]: [&'static str; 2], scope: &str| -> Option<[Page; 2]> {
        let all = heads_panel(state, scene, heads, scope)?;
        Some([map_panel(state, scene, map, scope)?.into(), all.into()])
    };
    let [map, heads] = pair(["head map", "all heads"], "")?;
    Some(match pair(["second map", "second heads"], SECOND) {
        // Both maps are as large, and beside each other; so that heads are not too small, they are not.
        Some([other, others]) => row([row([map, other]), column([heads, others])]),
        None => row([map, heads]),
    })
}

fn map_panel(state: &Attention, scene: &Scene<'_>, name: &'static str, scope: &str) -> Option<Panel> {
    let trace = scene.trace;
    let (l, h) = heads::shown(trace, scene.focus.spot(), FIRST)?;
    let spot = lit(state, (l, h));
    let Shown { mut map, now, words } = shown(state, state.what, trace, scope, (l, h))?;
    let lines = (state.picture == Drawing::Lines).then_some(spot.head.unwrap_or(1));
    if lines.is_some() && now.is_some() {
        // Lines show one map: they are as strong as its own largest change, unless that is next to nothing.
        let largest = map.values().iter().flat_map(|it| it.iter()).fold(0.01f32, |most, x| most.max(x.abs()));
        map = map.signed(largest);
    }
    let tokens = trace.words(&format!("{scope}tokens"));
    // As long as each other: a head that is switched off moves nothing.
    let (about, value) = match now {
        Some(_) => ("Blue is more attention than before, red is less.", "change of weight"),
        None => ("Every row of a head sums to 1.", "attention weight"),
    };
    let room = match state.picture {
        Drawing::Map => {
            let longest = tokens.iter().map(|it| it.chars().count()).max().unwrap_or(0).min(14) as f32;
            Room::shaped(1.0, [LEAST, 120.0], [40.0 + 9.0 * longest, 40.0])
        }
        Drawing::Lines => Room::fill(LEAST, 120.0).at_most_wide(640.0),
    };
    let one = spot.head.filter(|_| now.is_none());
    let logits = one.and_then(|h| Map::of(trace.get(&format!("{scope}blocks.{l}.attn.scores"))?, h));
    let also = now.map(|it| ("now", it)).into_iter().chain(logits.map(|it| ("logit", it))).collect();
    let kind = spot.head.and_then(|h| kind(trace, scope, (l, h)));
    let kind = kind.map_or_else(String::new, |it| format!(" · {} {}", it.kind.name(), number(it.score)));
    let of = if scope.is_empty() { "" } else { "second · " };
    let (axes, words_of) = (["query", "key"], [tokens.to_vec(), tokens.to_vec()]);
    let cells = Cells { map, axes, words: words_of, value: value.to_owned(), also, spot, lines };
    let panel = panel(name, 0, room).titled(format!("{of}{words}{kind}")).read(about);
    Some(panel.noted(consequence(state, trace, scope, l)).shows(Picture::Cells(Box::new(cells))))
}

/// The least width of a map, which leaves room for all heads beside it in a third of a laptop's screen.
const LEAST: f32 = 240.0;

fn heads_panel(state: &Attention, scene: &Scene<'_>, name: &'static str, scope: &str) -> Option<Panel> {
    let (trace, [count, heads]) = (scene.trace, heads::count(scene.trace));
    let maps = (0..count).map(|l| Some(shown(state, What::Head, trace, scope, (l, 0))?.map));
    let all = || (0..count).flat_map(|l| (0..heads).map(move |h| (l, h)));
    let kinds: Vec<Option<HeadLabel>> = all().map(|it| kind(trace, scope, it)).collect();
    let found = |it: &Option<HeadLabel>| it.as_ref().is_some_and(|it| matches(&state.search, it.kind));
    let mark = |(head, kind): (Head, &Option<HeadLabel>)| Mark {
        hue: kind.as_ref().map(|it| scene.style.hue(it.kind as usize)),
        off: state.off.contains(&head),
        dim: !state.search.is_empty() && !found(kind),
    };
    let said = |(head, kind): (Head, &Option<HeadLabel>)| {
        let does = kind.as_ref().map(|it| format!(", {} {}", it.kind.name(), number(it.score)));
        heads::named(head) + &does.unwrap_or_default()
    };
    let picture = Heads {
        layers: maps.collect::<Option<_>>()?,
        heads,
        spot: lit(state, heads::shown(trace, scene.focus.spot(), FIRST)?),
        marks: all().zip(&kinds).map(mark).collect(),
        names: all().zip(&kinds).map(said).collect(),
        tokens: trace.words(&format!("{scope}tokens")).to_vec(),
        legend: legend(state, scene.style, &kinds),
    };
    let note = match &*state.search {
        "" => String::new(),
        words => format!("“{words}”: {} found", kinds.iter().filter(|it| found(it)).count()),
    };
    let [across, down] = [heads, count].map(|it| it as f32);
    let least = [(22.0 + 12.0 * across).max(160.0), (22.0 + 10.0 * down).max(60.0) + 40.0];
    let room = Room::shaped(across / down.max(1.0), least, [22.0, 66.0]);
    let title = if scope.is_empty() { "all heads" } else { "second · all heads" };
    Some(panel(name, 1, room).titled(title).noted(note).shows(Picture::Heads(picture)))
}

/// Whether a search for these words finds heads of this kind.
fn matches(search: &str, kind: HeadKind) -> bool {
    kind.name().contains(&search.to_lowercase())
}

/// How many heads there are of each kind; a click searches for them.
fn legend(state: &Attention, style: &Style, kinds: &[Option<HeadLabel>]) -> Vec<Label> {
    let count = |kind: HeadKind| kinds.iter().flatten().filter(|it| it.kind == kind).count();
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
    // A head acts on what comes after it: its own layer's patterns are as they were.
    let before = state.shows_change() && state.off.iter().all(|it| layer <= it.0);
    let before = before.then(|| "Before the change: nothing is different.".to_owned());
    let off = trace.number(&format!("{scope}cosine"));
    let off = off.map(|c| format!("Sentence embedding: cosine {c:.4} to the original."));
    let two = trace.number("similarity").filter(|_| scope.is_empty());
    let two = two.map(|c| format!("The two sentences: cosine {c:.4}."));
    [before, off, two].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
