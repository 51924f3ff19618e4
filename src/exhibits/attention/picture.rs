//! How the attention exhibit looks: thumbnails of all heads and one map large.

use egui::{RichText, vec2};

use super::{Attention, CARD, Click, Picture, What};
use crate::exhibits::Scene;
use crate::focus::Spot;
use crate::saliency::heads::{self, Kind};
use crate::trace::{Kept, Trace};
use crate::ui::{
    Axes, Divided, Figure, HeadGrid, Hit, Legend, Lines, Maps, Mark, Peak, Picked, Range, Scale, Strand,
    number, scale::hue,
};

/// The head that is shown before anybody chose one: in the default sentence, "it" finds "animal".
const FIRST: (usize, usize) = (3, 1);

/// One map of the trace, and how to say what it is.
struct Shown<'a> {
    kept: &'a Kept,
    peaks: Option<(&'a Kept, &'a Kept)>,
    map: usize,
    words: String,
    tokens: &'a [String],
    change: bool,
}

/// The sentences that a trace holds: the scope of their taps.
fn scopes(trace: &Trace) -> Vec<&'static str> {
    ["", "second/"]
        .into_iter()
        .filter(|scope| trace.get(&format!("{scope}blocks.0.attn.pattern")).is_some())
        .collect()
}

pub(super) fn layers(trace: &Trace) -> usize {
    (0..1000).take_while(|l| trace.get(&format!("blocks.{l}.attn.pattern")).is_some()).count()
}

/// Layer and head that are shown large.
pub(super) fn place(trace: &Trace, spot: Spot) -> (usize, usize) {
    let heads = trace.get("blocks.0.attn.pattern").map_or(1, |it| it.shape[0]);
    let (l, h) = (spot.layer.unwrap_or(FIRST.0), spot.head.unwrap_or(FIRST.1));
    (l.min(layers(trace).saturating_sub(1)), h.min(heads - 1))
}

/// What the large picture shows of one sentence.
fn shown<'a>(state: &Attention, trace: &'a Trace, scope: &str, spot: Spot) -> Option<Shown<'a>> {
    let (l, h) = place(trace, spot);
    let change = state.shows_change() && trace.get(&format!("{scope}blocks.{l}.attn.change")).is_some();
    let (name, changed, map, words) = match state.what {
        What::Head => (
            format!("blocks.{l}.attn.pattern"),
            format!("blocks.{l}.attn.change"),
            h,
            format!("layer {l}, head {h}"),
        ),
        What::Mean => (
            format!("blocks.{l}.attn.mean"),
            format!("blocks.{l}.attn.mean_change"),
            0,
            format!("layer {l}, mean of heads"),
        ),
        What::Rollout => {
            (format!("rollout.{l}"), format!("rollout.{l}.change"), 0, format!("rollout up to layer {l}"))
        }
    };
    let peak = |kind: &str| trace.get(&format!("{scope}{name}.{kind}"));
    Some(Shown {
        kept: trace.get(&format!("{scope}{}", if change { &changed } else { &name }))?,
        peaks: peak("row_peak").zip(peak("map_peak")),
        map,
        words: if change { format!("{words}: change") } else { words },
        tokens: trace.words(&format!("{scope}tokens")),
        change,
    })
}

impl<'a> Shown<'a> {
    /// Number of tokens.
    fn n(&self) -> usize {
        self.kept.shape.last().copied().unwrap_or(0)
    }

    fn maps(&self, state: &Attention, change_peak: f32) -> Maps<'a> {
        let n = self.n();
        let (range, scale) = colours(state, self.change, change_peak);
        let peak = self.peaks.filter(|_| !self.change).and_then(|(rows, maps)| match state.divided {
            Divided::Not => None,
            Divided::Row => Some(Peak { tensor: rows, per_row: true }),
            Divided::Map => Some(Peak { tensor: maps, per_row: false }),
        });
        Maps { tensor: self.kept, rows: n, cols: n, peak, range, scale }
    }

    /// The values of the map, once they are on the host.
    fn values(&self) -> Option<std::sync::Arc<[f32]>> {
        let area = self.n() * self.n();
        self.kept.window(self.map * area..(self.map + 1) * area)
    }
}

fn colours(state: &Attention, change: bool, change_peak: f32) -> (Range, Scale) {
    match (change, state.log) {
        (true, _) => (Range::signed(change_peak), Scale::Diverging),
        (false, true) => (Range::LOG, Scale::Sequential),
        (false, false) => (Range::UNIT, Scale::Sequential),
    }
}

/// The largest change of any map, which is the end of the diverging scale everywhere, so that maps compare.
fn change_peak(trace: &Trace) -> f32 {
    let peak = |l| Some(trace.get(&format!("blocks.{l}.attn.change_peak"))?.window(0..1)?[0]);
    (0..layers(trace)).filter_map(peak).fold(1e-6, f32::max)
}

/// The whole picture.
pub(super) fn view(state: &mut Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    scene.trace.get("blocks.0.attn.pattern")?;
    if let Some(words) = consequence(scene.trace) {
        ui.label(RichText::new(words).color(scene.style.accent).size(scene.style.body));
    }
    let scopes = scopes(scene.trace);
    let size = ui.available_size();
    if size.x > 560.0 * scene.style.scale {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = scene.style.grid(2.0);
            let share = if scopes.len() == 1 { 0.5 } else { 0.3 };
            ui.vertical(|ui| all_heads(state, ui, scene, &scopes, vec2(size.x * share, size.y)));
            ui.vertical(|ui| one_map(state, ui, scene, &scopes, size.y));
        });
    } else {
        // On a phone everything is as wide as the screen, and the tile scrolls.
        all_heads(state, ui, scene, &scopes, vec2(size.x, f32::INFINITY));
        one_map(state, ui, scene, &scopes, f32::INFINITY);
    }
    Some(())
}

fn all_heads(
    state: &mut Attention,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    scopes: &[&str],
    size: egui::Vec2,
) {
    ui.set_width(size.x);
    let each = vec2(size.x, size.y / scopes.len() as f32 - scene.style.caption * 4.0);
    for scope in scopes {
        thumbnails(state, ui, scene, scope, each);
        kinds(state, ui, scene, scope);
    }
}

/// The large picture of every sentence, side by side where there is room, and the legend under them.
fn one_map(state: &Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>, scopes: &[&str], height: f32) {
    let across = height.is_finite();
    let layout = if across { egui::Layout::left_to_right(egui::Align::Min) } else { *ui.layout() };
    let share = if across { scopes.len() as f32 } else { 1.0 };
    let width = ui.available_width() / share - scene.style.grid(2.0);
    ui.with_layout(layout, |ui| {
        for scope in scopes {
            ui.vertical(|ui| {
                ui.set_max_width(width);
                large(state, ui, scene, scope, height - scene.style.caption * 4.5);
            });
        }
    });
    legend(state, ui, scene);
}

/// What a switched-off head, or the other sentence, does to the embedding.
fn consequence(trace: &Trace) -> Option<String> {
    let number = |name: &str| Some(trace.get(name)?.window(0..1)?[0]);
    let off = number("cosine").map(|c| format!("Sentence embedding: cosine {c:.4} to the original."));
    let two = number("similarity").map(|c| format!("The two sentences: cosine {c:.4}."));
    match (off, two) {
        (None, None) => None,
        (a, b) => Some([a, b].into_iter().flatten().collect::<Vec<_>>().join(" ")),
    }
}

fn thumbnails(
    state: &mut Attention,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    scope: &str,
    size: egui::Vec2,
) {
    let trace = scene.trace;
    let peak = change_peak(trace);
    let every = Attention { what: What::Head, ..state.clone() };
    let row = |layer: usize| {
        let spot = Spot { layer: Some(layer), head: Some(0), ..Spot::default() };
        shown(&every, trace, scope, spot).map(|it| it.maps(&every, peak))
    };
    let layers: Vec<Maps<'_>> = (0..layers(trace)).filter_map(row).collect();
    let heads = trace.get("blocks.0.attn.pattern").map_or(0, |it| it.shape[0]);
    let label = |l: usize, h: usize| heads::label(trace, &format!("{scope}blocks.{l}.attn"), h);
    let search = state.search.to_lowercase();
    let marks = |l: usize, h: usize| {
        let kind = label(l, h).map(|it| it.kind);
        let found = kind.is_some_and(|it| it.name().contains(&search));
        Mark {
            hue: kind.map(|it| hue(it as usize)),
            off: state.off.contains(&(l, h)),
            dim: !search.is_empty() && !found,
        }
    };
    let name = |l: usize, h: usize| {
        let label =
            label(l, h).map_or_else(String::new, |it| format!(", {} {}", it.kind.name(), number(it.score)));
        format!("layer {l}, head {h}{label}")
    };
    let (l, h) = place(trace, scene.focus.spot());
    let spot = Spot { layer: Some(l), head: (state.what == What::Head).then_some(h), ..Spot::default() };
    let grid = HeadGrid { layers, heads, spot, marks: &marks, name: &name };
    let picked = grid.show(ui, scene.style, size);
    if let Some((l, h)) = picked.hover {
        scene.focus.readout = name(l, h);
    }
    follow(state, scene, &picked);
}

/// What the pointer did to the grid.
fn follow(state: &mut Attention, scene: &mut Scene<'_>, picked: &Picked) {
    let spot = |(l, h)| Spot { layer: Some(l), head: Some(h), ..Spot::default() };
    if let Some(place) = picked.hover {
        let tokens = scene.focus.spot();
        scene.focus.hover(Spot { query: tokens.query, key: tokens.key, ..spot(place) });
    }
    match (picked.clicked, picked.secondary, state.click) {
        (Some(place), _, Click::Look) => {
            scene.focus.lock(spot(place));
            state.what = What::Head;
        }
        (Some(place), _, Click::Switch) | (None, Some(place), _) => switch(&mut state.off, place),
        (None, None, _) => {}
    }
}

fn switch(off: &mut Vec<(usize, usize)>, place: (usize, usize)) {
    match off.iter().position(|it| *it == place) {
        Some(i) => drop(off.remove(i)),
        None => off.push(place),
    }
}

/// How many heads of each kind there are; a click searches for them.
fn kinds(state: &mut Attention, ui: &mut egui::Ui, scene: &Scene<'_>, scope: &str) {
    let heads = scene.trace.get("blocks.0.attn.pattern").map_or(0, |it| it.shape[0]);
    let mut counts = [0; Kind::ALL.len()];
    for l in 0..layers(scene.trace) {
        for h in 0..heads {
            if let Some(label) = heads::label(scene.trace, &format!("{scope}blocks.{l}.attn"), h) {
                counts[label.kind as usize] += 1;
            }
        }
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = scene.style.grid(1.5);
        for (kind, count) in Kind::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            let text = RichText::new(format!("— {} {count}", kind.name())).size(scene.style.caption);
            let found = !state.search.is_empty() && kind.name().contains(&state.search);
            let colour = if found { scene.style.accent } else { hue(kind as usize) };
            let response = ui.selectable_label(found, text.color(colour));
            let words = "Light the heads that do this with this sentence.";
            if response.on_hover_text(words).clicked() {
                state.search = if found { String::new() } else { kind.name().to_owned() };
            }
        }
    });
}

fn large(state: &Attention, ui: &mut egui::Ui, scene: &mut Scene<'_>, scope: &str, height: f32) {
    let spot = scene.focus.spot();
    let Some(it) = shown(state, scene.trace, scope, spot) else { return };
    let (l, h) = place(scene.trace, spot);
    let label =
        heads::label(scene.trace, &format!("{scope}blocks.{l}.attn"), h).filter(|_| state.what == What::Head);
    let label = label.map_or_else(String::new, |it| format!(" · {} {}", it.kind.name(), number(it.score)));
    ui.label(RichText::new(format!("{}{label}", it.words)).font(scene.style.semibold(scene.style.body)));
    let height = height - scene.style.body * 1.6;
    let hit = match state.picture {
        Picture::Map => {
            let maps = it.maps(state, change_peak(scene.trace));
            let axes = Axes { maps, map: it.map, queries: it.tokens, keys: it.tokens, spot, name: &it.words };
            axes.show(ui, scene.style, height)
        }
        Picture::Lines => {
            let values = it.values().unwrap_or_else(|| vec![0.0; it.n() * it.n()].into());
            let strands = [Strand { hue: h, weights: &values }];
            let lines = Lines { queries: it.tokens, keys: it.tokens, strands: &strands, spot };
            // On a phone the tile itself scrolls.
            let scroll = egui::ScrollArea::vertical()
                .id_salt(scope)
                .max_height(height)
                .min_scrolled_height(height.min(4000.0));
            scroll.show(ui, |ui| lines.show(ui, scene.style)).inner
        }
    };
    read_out(scene, &it, &hit, &format!("{scope}blocks.{l}.attn.scores"), state.what);
    hit.link(scene.focus, Spot { layer: Some(l), head: Some(h), ..Spot::default() });
}

/// The pair under the cursor in words: tokens, weight, logit, rank in its row.
fn read_out(scene: &mut Scene<'_>, it: &Shown<'_>, hit: &Hit, scores: &str, what: What) {
    let spot = scene.focus.spot();
    let under = (hit.query.or(spot.query), hit.key.or(spot.key));
    let (Some(q), Some(k)) = under else { return };
    let n = it.n();
    let Some(values) = it.values().filter(|_| q < n && k < n) else { return };
    if !scene.focus.readout.is_empty() && hit.query.is_none() {
        return;
    }
    let value = values[q * n + k];
    let row = &values[q * n..][..n];
    let rank = 1 + row.iter().filter(|other| **other > value).count();
    let area = n * n;
    let logit = scene.trace.get(scores).filter(|_| what == What::Head && !it.change);
    let logit = logit.and_then(|it_| it_.window(it.map * area..(it.map + 1) * area)).map(|s| s[q * n + k]);
    let logit = logit.map_or_else(String::new, |x| format!(" · logit {}", number(x)));
    let word = |i: usize| it.tokens.get(i).map_or("", String::as_str);
    scene.focus.readout = format!(
        "{} · query “{}” ({q}) looks at key “{}” ({k}): {}{logit} · rank {rank} of {n} · row sums to {}",
        it.words,
        word(q),
        word(k),
        number(value),
        number(row.iter().sum()),
    );
}

fn legend(state: &Attention, ui: &mut egui::Ui, scene: &Scene<'_>) {
    let change = state.shows_change() && scene.trace.get("cosine").is_some();
    let (range, scale) = colours(state, change, change_peak(scene.trace));
    let caption =
        if change { "change of attention weight (blue: more, red: less)" } else { "attention weight" };
    let divided = if change { Divided::Not } else { state.divided };
    Legend { scale, range, divided, caption, missing: None }.show(ui, scene.style);
}

/// The large picture of the first sentence, for papers.
pub(super) fn figure(state: &Attention, scene: &Scene<'_>) -> Option<Figure> {
    let it = shown(state, scene.trace, "", scene.focus.spot())?;
    let (range, scale) = colours(state, it.change, change_peak(scene.trace));
    Some(Figure {
        title: format!("{}: {}", CARD.title, it.words),
        caption: format!(
            "Every row sums to 1 unless it shows a change. {}, arXiv {} ({}).",
            CARD.paper, CARD.reference, CARD.year
        ),
        x_label: "key".to_owned(),
        y_label: "query".to_owned(),
        x_tokens: it.tokens.to_vec(),
        y_tokens: it.tokens.to_vec(),
        values: it.values()?.to_vec(),
        range,
        scale,
        dark: false,
        link: String::new(),
    })
}
