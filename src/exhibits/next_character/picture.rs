//! How the exhibit looks: the text coloured by surprise, what comes next as bars, the logit lens, and who looks where.

use std::sync::Arc;

use egui::{RichText, vec2};
use web_time::Duration;

use super::{NextCharacter, bars, lens, strip};
use crate::exhibits::Scene;
use crate::focus::{Focus, Spot};
use crate::trace::{Kept, Trace};
use crate::ui::{Axes, HeadGrid, Maps, Mark, Range, Scale, number};

/// The head that is shown before anybody chose one: from every character it looks at the space before the word.
const FIRST: (usize, usize) = (1, 0);

/// The numbers of a trace, at hand.
#[derive(Debug)]
pub(super) struct Reading {
    /// What was read.
    pub(super) tokens: Vec<String>,
    /// How many of them the model has written itself: the last ones.
    pub(super) continued: usize,
    /// Heads that were off.
    pub(super) off: Vec<String>,
    /// `-log p` of every token but the first, in nats.
    pub(super) surprise: Arc<[f32]>,
    /// Logits `[pos, vocab]` after the last layer with all heads on, if some were off.
    original: Option<Arc<[f32]>>,
    /// Logits `[pos, vocab]` before every layer, and after the last.
    lens: Vec<Arc<[f32]>>,
    vocabulary: usize,
    words: Vec<String>,
    id: u64,
}

impl Reading {
    /// `None` while a number is on its way, or if the trace lacks one.
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let all = |kept: &Kept| kept.window(0..kept.shape.iter().product());
        let stages: Vec<&Kept> = (0..1000).map_while(|l| trace.get(&format!("lens.{l}"))).collect();
        let (first, tokens) = (*stages.first()?, trace.words("tokens").to_vec());
        // Asked for together, so that all come at once.
        let lens: Vec<Option<Arc<[f32]>>> = stages.iter().map(|it| all(it)).collect();
        let surprise = trace.get("surprise").map(all);
        let original = trace.get("original/logits").map(all);
        let fits = first.shape[0] == tokens.len();
        fits.then_some(Self {
            tokens,
            continued: trace.words("continued").first().and_then(|it| it.parse().ok()).unwrap_or(0),
            off: trace.words("off").to_vec(),
            surprise: surprise.unwrap_or_else(|| Some([].into()))?,
            original: match original {
                Some(it) => Some(it?),
                None => None,
            },
            lens: lens.into_iter().collect::<Option<_>>()?,
            vocabulary: *first.shape.last()?,
            words: trace.words("vocabulary").to_vec(),
            id: first.id,
        })
    }

    /// How many read-outs there are: one before every layer, and one after the last.
    pub(super) fn stages(&self) -> usize {
        self.lens.len()
    }

    /// What could come after position `at`, read out at `stage`: `[vocab]`.
    pub(super) fn logits(&self, stage: usize, at: usize) -> &[f32] {
        &self.lens[stage][at * self.vocabulary..][..self.vocabulary]
    }

    /// The same after the last layer, with all heads on, if some are off.
    pub(super) fn original(&self, at: usize) -> Option<&[f32]> {
        self.original.as_ref().map(|it| &it[at * self.vocabulary..][..self.vocabulary])
    }

    /// The token `id` as it is displayed.
    pub(super) fn word(&self, id: usize, state: &NextCharacter, scene: &Scene<'_>) -> String {
        let known = self.words.get(id).cloned();
        let known = known.or_else(|| Some(scene.zoo.gpt(&state.model)?.tokenizer.token(id as u32)));
        visible(&known.unwrap_or_default())
    }

    /// The position that is looked at: the lit one, else the last.
    pub(super) fn at(&self, spot: Spot) -> usize {
        let last = self.tokens.len() - 1;
        spot.query.filter(|it| *it <= last).unwrap_or(last)
    }

    /// What a read-out is called.
    pub(super) fn stage_name(&self, stage: usize) -> String {
        match stage {
            0 => "embedding".to_owned(),
            _ if stage + 1 == self.stages() => "the model".to_owned(),
            _ => format!("layer {}", stage - 1),
        }
    }
}

/// A token with its blanks made visible.
pub(in crate::exhibits) fn visible(token: &str) -> String {
    token
        .chars()
        .map(|it| {
            if it == ' ' {
                '␣'
            } else if it == '\n' {
                '¶'
            } else {
                it
            }
        })
        .collect()
}

/// The whole picture.
pub(super) fn view(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    let newest = scene.trace.get("lens.0")?.id;
    if state.prompt.as_ref().is_some_and(|it| *it != scene.inputs.text) {
        state.continuation.clear();
        state.left = 0;
    }
    state.prompt = Some(scene.inputs.text.clone());
    if state.seen.as_ref().is_none_or(|it| it.id != newest) {
        state.seen = Reading::of(scene.trace).map(Arc::new).or(state.seen.take());
        ui.request_repaint_after(Duration::from_millis(16));
    }
    let Some(reading) = state.seen.clone() else { return Some(()) };
    state.go_on(&reading, scene);
    let size = ui.available_size();
    let gap = scene.style.grid(3.0);
    if size.x > 640.0 * scene.style.scale {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            let left = vec2((size.x - gap) * 0.42, size.y);
            ui.vertical(|ui| text_and_bars(state, &reading, ui, scene, left));
            ui.vertical(|ui| lens_and_heads(state, &reading, ui, scene, size.y));
        });
    } else {
        // On a phone everything is as wide as the screen, and the tile scrolls.
        text_and_bars(state, &reading, ui, scene, vec2(size.x, f32::INFINITY));
        lens_and_heads(state, &reading, ui, scene, f32::INFINITY);
    }
    Some(())
}

fn text_and_bars(
    state: &NextCharacter,
    reading: &Reading,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    size: egui::Vec2,
) {
    ui.set_width(size.x);
    let top = ui.cursor().top();
    heading(ui, scene, "How much each character surprised the model");
    strip::show(reading, ui, scene, size.y * 0.5);
    ui.add_space(scene.style.grid(1.0));
    let used = ui.cursor().top() - top;
    bars::show(state, reading, ui, scene, size.y - used);
}

fn lens_and_heads(
    state: &mut NextCharacter,
    reading: &Reading,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    height: f32,
) {
    let top = ui.cursor().top();
    heading(ui, scene, "Logit lens: what each layer would say comes next");
    lens::show(state, reading, ui, scene);
    ui.add_space(scene.style.grid(1.0));
    heads(state, ui, scene, height - (ui.cursor().top() - top));
}

/// What a part of the picture shows.
pub(super) fn heading(ui: &mut egui::Ui, scene: &Scene<'_>, words: &str) {
    ui.label(RichText::new(words).font(scene.style.semibold(scene.style.body)).color(scene.style.text));
}

/// Lights position `at` everywhere, and locks it when it was clicked.
pub(super) fn light(focus: &mut Focus, at: usize, layer: Option<usize>, clicked: bool) {
    let spot = Spot { query: Some(at), layer, ..Spot::default() };
    focus.hover(spot);
    if clicked {
        // A second click lets go, and the picture follows the end again.
        if focus.locked.query == Some(at) {
            focus.release();
        } else {
            focus.lock(Spot { layer: None, ..spot });
        }
    }
}

/// Layer and head whose attention is shown.
pub(super) fn head(trace: &Trace, spot: Spot) -> Option<(usize, usize)> {
    let heads = trace.get("blocks.0.attn.pattern")?.shape[0];
    let layers = (0..1000).take_while(|l| trace.get(&format!("blocks.{l}.attn.pattern")).is_some()).count();
    Some((spot.layer.unwrap_or(FIRST.0).min(layers - 1), spot.head.unwrap_or(FIRST.1).min(heads - 1)))
}

fn maps(trace: &Trace, layer: usize) -> Option<Maps<'_>> {
    let tensor = trace.get(&format!("blocks.{layer}.attn.pattern"))?;
    let n = *tensor.shape.last()?;
    Some(Maps { tensor, rows: n, cols: n, peak: None, range: Range::UNIT, scale: Scale::Sequential })
}

/// All heads as thumbnails, and beside them one large.
fn heads(state: &mut NextCharacter, ui: &mut egui::Ui, scene: &mut Scene<'_>, height: f32) {
    let (trace, spot) = (scene.trace, scene.focus.spot());
    let Some((l, h)) = head(trace, spot) else {
        return heading(ui, scene, "Who looks where: the heads appear when the model is there");
    };
    let layers: Vec<Maps<'_>> = (0..1000).map_while(|l| maps(trace, l)).collect();
    let Some(shown) = layers.get(l).copied() else { return };
    heading(ui, scene, &format!("Who looks where: layer {l}, head {h}"));
    let height = (height - scene.style.body * 1.8).max(scene.style.grid(20.0)).min(scene.style.grid(64.0));
    let width = ui.available_width();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = scene.style.grid(2.0);
        let heads = trace.get("blocks.0.attn.pattern").map_or(0, |it| it.shape[0]);
        let marks = |l, h| Mark { off: state.off.contains(&(l, h)), ..Mark::default() };
        let name = |l, h| format!("layer {l}, head {h}");
        let grid = HeadGrid {
            layers,
            heads,
            spot: Spot { layer: Some(l), head: Some(h), ..Spot::default() },
            marks: &marks,
            name: &name,
        };
        let picked = grid.show(ui, scene.style, vec2(width * 0.42, height));
        if let Some((l, h)) = picked.hover {
            let off = if state.off.contains(&(l, h)) { " · it is off" } else { "" };
            scene.focus.readout = format!("layer {l}, head {h}{off}");
            scene.focus.hover(Spot { layer: Some(l), head: Some(h), ..Spot::default() });
        }
        if let Some(place) = picked.secondary.or(picked.clicked.filter(|_| state.switches)) {
            match state.off.iter().position(|it| *it == place) {
                Some(i) => drop(state.off.remove(i)),
                None => state.off.push(place),
            }
        } else if let Some((l, h)) = picked.clicked {
            scene.focus.lock(Spot { layer: Some(l), head: Some(h), ..Spot::default() });
        }
        large(ui, scene, shown, (l, h), height);
    });
}

/// The map of one head with its characters.
fn large(ui: &mut egui::Ui, scene: &mut Scene<'_>, maps: Maps<'_>, (l, h): (usize, usize), height: f32) {
    let trace = scene.trace;
    let tokens: Vec<String> = trace.words("tokens").iter().map(|it| visible(it)).collect();
    if tokens.len() != maps.rows {
        return;
    }
    let name = format!("layer {l}, head {h}");
    let spot = Spot { query: scene.focus.spot().query, key: scene.focus.spot().key, ..Spot::default() };
    let axes = Axes { maps, map: h, queries: &tokens, keys: &tokens, spot, name: &name };
    let hit = axes.show(ui, scene.style, height);
    if let (Some(q), Some(k)) = (hit.query, hit.key) {
        let area = maps.rows * maps.cols;
        let weight = maps.tensor.window(h * area..(h + 1) * area).map(|it| it[q * maps.cols + k]);
        let words = match weight {
            _ if k > q => "what comes later cannot be seen".to_owned(),
            Some(it) => number(it),
            None => String::new(),
        };
        scene.focus.readout =
            format!("{name} · “{}” ({q}) looks at “{}” ({k}): {words}", tokens[q], tokens[k]);
    }
    hit.link(scene.focus, Spot { layer: Some(l), head: Some(h), ..Spot::default() });
}
