//! How the attention exhibit looks: its page, and one map large.

use std::sync::Arc;

use egui::{Align, Layout, Rect, UiBuilder, pos2};

use super::grid::heads_panel;
use super::{Attention, CARD, Picture, What};
use crate::exhibits::Scene;
use crate::focus::Spot;
use crate::page::{Page, Panel, Room, panel, row};
use crate::saliency::heads::{self, Label};
use crate::trace::{Kept, Trace};
use crate::ui::{Axes, Divided, Figure, Hit, Legend, Lines, Maps, Peak, Range, Scale, Strand, number};

/// The head that is shown before anybody chose one: in the default sentence, "it" finds "animal".
const FIRST: (usize, usize) = (3, 1);

/// The scope of the second sentence's taps.
const SECOND: &str = "second/";

/// One map of the trace, and how to say what it is.
pub(super) struct Shown<'a> {
    /// What is drawn: the maps as they are, or their change.
    pub(super) kept: &'a Kept,
    /// The maps as they are.
    now: &'a Kept,
    peaks: Option<(&'a Kept, &'a Kept)>,
    map: usize,
    words: String,
    pub(super) tokens: &'a [String],
    pub(super) change: bool,
}

/// The scope of the taps that a panel shows.
pub(super) fn scope(panel: &str) -> &'static str {
    if panel.starts_with("second") { SECOND } else { "" }
}

pub(super) fn layers(trace: &Trace) -> usize {
    (0..1000).take_while(|l| trace.get(&format!("blocks.{l}.attn.pattern")).is_some()).count()
}

pub(super) fn heads_of(trace: &Trace) -> usize {
    trace.get("blocks.0.attn.pattern").map_or(1, |it| it.shape[0])
}

/// Layer and head that are shown large.
pub(super) fn place(trace: &Trace, spot: Spot) -> (usize, usize) {
    let (l, h) = (spot.layer.unwrap_or(FIRST.0), spot.head.unwrap_or(FIRST.1));
    (l.min(layers(trace).saturating_sub(1)), h.min(heads_of(trace) - 1))
}

pub(super) fn label(trace: &Trace, scope: &str, (l, h): (usize, usize)) -> Option<Label> {
    heads::label(trace, &format!("{scope}blocks.{l}.attn"), h)
}

/// What the large picture shows of one sentence.
pub(super) fn shown<'a>(
    what: What,
    changes: bool,
    trace: &'a Trace,
    scope: &str,
    spot: Spot,
) -> Option<Shown<'a>> {
    let (l, h) = place(trace, spot);
    let (name, changed, map, words) = match what {
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
    let now = get(&name)?;
    let change = get(&changed).filter(|_| changes);
    Some(Shown {
        kept: change.unwrap_or(now),
        now,
        peaks: get(&format!("{name}.row_peak")).zip(get(&format!("{name}.map_peak"))),
        map,
        words: if change.is_some() { format!("{words}: change") } else { words },
        tokens: trace.words(&format!("{scope}tokens")),
        change: change.is_some(),
    })
}

impl<'a> Shown<'a> {
    /// Number of tokens.
    pub(super) fn n(&self) -> usize {
        self.kept.shape.last().copied().unwrap_or(0)
    }

    pub(super) fn maps(&self, state: &Attention, trace: &Trace) -> Maps<'a> {
        let n = self.n();
        let (range, scale) = colours(state, self.change, trace);
        let peak = self.peaks.filter(|_| !self.change).and_then(|(rows, maps)| match state.divided {
            Divided::Not => None,
            Divided::Row => Some(Peak { tensor: rows, per_row: true }),
            Divided::Map => Some(Peak { tensor: maps, per_row: false }),
        });
        Maps { tensor: self.kept, rows: n, cols: n, peak, range, scale }
    }

    /// The values of the map in `kept`, once they are on the host.
    fn values(&self, kept: &Kept) -> Option<Arc<[f32]>> {
        let area = self.n() * self.n();
        kept.window(self.map * area..(self.map + 1) * area)
    }
}

fn colours(state: &Attention, change: bool, trace: &Trace) -> (Range, Scale) {
    match (change, state.log) {
        (true, _) => (Range::signed(change_peak(trace)), Scale::Diverging),
        (false, true) => (Range::LOG, Scale::Sequential),
        (false, false) => (Range::UNIT, Scale::Sequential),
    }
}

/// The largest change of any map, which is the end of the diverging scale everywhere, so that maps compare.
fn change_peak(trace: &Trace) -> f32 {
    let peak = |name: String| Some(trace.get(&name)?.window(0..1)?[0]);
    let of = |l| ["", SECOND].map(|scope| peak(format!("{scope}blocks.{l}.attn.change_peak")));
    (0..layers(trace)).flat_map(of).flatten().fold(1e-6, f32::max)
}

/// A map and all heads of every sentence.
pub(super) fn page(state: &Attention, scene: &Scene<'_>) -> Option<Page> {
    scene.trace.get("blocks.0.attn.pattern")?;
    let first =
        [map_panel(state, scene, "head map", 0)?.into(), heads_panel(state, scene, "all heads", 1).into()];
    let Some(second) = map_panel(state, scene, "second map", 2) else { return Some(row(first)) };
    let second = [second.into(), heads_panel(state, scene, "second heads", 3).into()];
    Some(row([row(first), row(second)]))
}

fn map_panel(state: &Attention, scene: &Scene<'_>, name: &'static str, rank: u8) -> Option<Panel> {
    let (trace, spot) = (scene.trace, scene.focus.spot());
    let it = shown(state.what, state.shows_change(), trace, scope(name), spot)?;
    let label = label(trace, scope(name), place(trace, spot)).filter(|_| state.what == What::Head);
    let label = label.map_or_else(String::new, |it| format!(" · {} {}", it.kind.name(), number(it.score)));
    let of = if rank == 0 { "" } else { "second · " };
    let longest = it.tokens.iter().map(|it| it.chars().count()).max().unwrap_or(0).min(14) as f32;
    // Two maps beside each other get along with less.
    let wide = if state.compare.is_some() { 240.0 } else { 300.0 };
    let room = match state.picture {
        Picture::Map => Room::shaped(1.0, [wide, 120.0], [40.0 + 9.0 * longest, 40.0]),
        Picture::Lines => Room::fill(wide, 120.0).at_most_wide(640.0),
    };
    let note = consequence(state, trace, scope(name), place(trace, spot).0);
    Some(panel(name, rank, room).titled(format!("{of}{}{label}", it.words)).noted(note))
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

/// Draws what stands at the foot of a panel; returns the room above it.
fn foot(ui: &mut egui::Ui, gap: f32, draw: impl FnOnce(&mut egui::Ui)) -> Rect {
    let rect = ui.available_rect_before_wrap();
    let mut below = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::bottom_up(Align::Min)));
    draw(&mut below);
    Rect::from_min_max(rect.min, pos2(rect.right(), below.min_rect().top() - gap))
}

/// One map, as a map or as lines, with its scale under it.
pub(super) fn large(state: &Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>, scope: &str) {
    let (spot, trace, style) = (scene.focus.spot(), scene.trace, scene.style);
    let Some(it) = shown(state.what, state.shows_change(), trace, scope, spot) else { return };
    let (l, h) = place(trace, spot);
    let values = it.values(it.kept);
    let mut maps = it.maps(state, trace);
    if state.picture == Picture::Lines && it.change {
        // Lines show one map: they are as strong as its own largest change, unless that is next to nothing.
        let largest = values.iter().flat_map(|it| it.iter()).fold(0.01f32, |most, x| most.max(x.abs()));
        maps.range = Range::signed(largest);
    }
    let scaled = (state.picture == Picture::Map || it.change) && ui.available_height() > style.grid(18.0);
    let rect = foot(ui, style.grid(0.5), |ui| {
        if scaled {
            legend(state, ui, scene, &it, maps.range);
        }
    });
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("map"));
    let hit = match state.picture {
        Picture::Map => {
            let axes = Axes { maps, map: it.map, queries: it.tokens, keys: it.tokens, spot, name: &it.words };
            axes.show(&mut ui, style, rect.height())
        }
        Picture::Lines => {
            let weights = values.unwrap_or_else(|| vec![0.0; it.n() * it.n()].into());
            let hue = if state.what == What::Head { h } else { 1 };
            let strands = [Strand { hue, weights: &weights, change: it.change.then_some(maps.range.max) }];
            let lines = Lines { queries: it.tokens, keys: it.tokens, strands: &strands, spot };
            let scroll = egui::ScrollArea::vertical().id_salt("lines").auto_shrink(false);
            scroll.show(&mut ui, |ui| lines.show(ui, style)).inner
        }
    };
    let value = read_out(scene, &it, &hit, &format!("{scope}blocks.{l}.attn.scores"), state.what);
    // Only what is shown is set: a mean and rollout have no head.
    let head = (state.what == What::Head).then_some(h);
    hit.link(scene.focus, Spot { layer: Some(l), head, ..Spot::default() });
    if let Some(value) = value.filter(|_| hit.query.is_some() && hit.key.is_some()) {
        hit.response.on_hover_text_at_pointer(value);
    }
}

/// The pair under the cursor in words: tokens, weight, logit, rank in its row; of a change, what was before and what is
/// now. Returns the number alone.
fn read_out(scene: &mut Scene<'_>, it: &Shown<'_>, hit: &Hit, scores: &str, what: What) -> Option<String> {
    let spot = scene.focus.spot();
    let (q, k) = (hit.query.or(spot.query)?, hit.key.or(spot.key)?);
    let n = it.n();
    if q >= n || k >= n || (!scene.focus.readout.is_empty() && hit.query.is_none()) {
        return None;
    }
    let at = |kept: &Kept| Some(it.values(kept)?[q * n + k]);
    let values = it.values(it.kept)?;
    let (value, row) = (values[q * n + k], &values[q * n..][..n]);
    let rank = 1 + row.iter().filter(|other| **other > value).count();
    let logit = scene.trace.get(scores).filter(|_| what == What::Head && !it.change).and_then(at);
    let logit = logit.map_or_else(String::new, |x| format!(" · logit {}", number(x)));
    let said = match at(it.now).filter(|_| it.change) {
        // What was before is not kept: it is the difference.
        Some(now) => format!("{} (before {}, now {})", number(value), number(now - value), number(now)),
        None => number(value),
    };
    let word = |i: usize| it.tokens.get(i).map_or("", String::as_str);
    scene.focus.readout = format!(
        "{} · query “{}” ({q}) looks at key “{}” ({k}): {said}{logit} · rank {rank} of {n} · row sums to {}",
        it.words,
        word(q),
        word(k),
        number(row.iter().sum()),
    );
    Some(said)
}

fn legend(state: &Attention, ui: &mut egui::Ui, scene: &Scene<'_>, it: &Shown<'_>, range: Range) {
    let scale = if it.change { Scale::Diverging } else { Scale::Sequential };
    // As long as each other: a head that is switched off moves nothing.
    let caption = if it.change { "change of weight" } else { "attention weight" };
    let divided = if it.change { Divided::Not } else { state.divided };
    Legend { scale, range, divided, caption, missing: None }.show(ui, scene.style);
}

/// The large picture of a sentence, for papers.
pub(super) fn map_figure(state: &Attention, scene: &Scene<'_>, scope: &str) -> Option<Figure> {
    let it = shown(state.what, state.shows_change(), scene.trace, scope, scene.focus.spot())?;
    let values = it.values(it.kept)?.to_vec();
    Some(figure(
        state,
        scene,
        (&it.words, it.change),
        ["key", "query"],
        [it.tokens.to_vec(), it.tokens.to_vec()],
        values,
    ))
}

pub(super) fn figure(
    state: &Attention,
    scene: &Scene<'_>,
    (words, change): (&str, bool),
    [x, y]: [&str; 2],
    [x_tokens, y_tokens]: [Vec<String>; 2],
    values: Vec<f32>,
) -> Figure {
    let (range, scale) = colours(state, change, scene.trace);
    let how = if change {
        "Blue is more attention than before, red is less."
    } else {
        "Every row of a head sums to 1."
    };
    Figure {
        title: format!("{}: {words}", CARD.title),
        caption: format!("{how} {}, arXiv {} ({}).", CARD.paper, CARD.reference, CARD.year),
        x_label: x.to_owned(),
        y_label: y.to_owned(),
        x_tokens,
        y_tokens,
        values,
        range,
        scale,
        dark: false,
        link: String::new(),
    }
}
