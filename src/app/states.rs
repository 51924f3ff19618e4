//! What a tile shows besides its picture: that it is loading, stale, stopped or failed, and what can be done.

use egui::{Align2, Rect, Sense, Stroke, Ui, UiBuilder, Vec2, pos2, vec2};
use web_time::Duration;

use super::action::{Action, Compute, OnModel, OnTile};
use super::model::{Weights, megabytes, weights};
use super::stage::{Pane, Stage};
use super::tile::quiet;
use crate::lab::TileState;
use crate::ui::Style;

/// A picture that is replaced sooner than this many seconds is not dimmed: flicker tells nothing.
const PATIENCE: f64 = 0.15;

/// How a tile is doing.
pub(super) struct Condition<'a> {
    lab: TileState<'a>,
    model: String,
    /// The memory that the model needs, in words.
    memory: String,
    weights: Weights,
    fault: Option<String>,
    /// Whether the picture is one that was recorded.
    recorded: bool,
    /// Whether the picture shows other inputs than these.
    stale: bool,
    /// Why the exhibit has no use for the model.
    refused: Option<String>,
}

/// What there is to say, and what can be done.
struct Message {
    words: String,
    bad: bool,
    buttons: Vec<(&'static str, Action)>,
}

impl<'a> Condition<'a> {
    /// The condition of the tile `id`.
    pub(super) fn of(stage: &Stage<'a>, id: u64, pane: &Pane) -> Self {
        let lab = stage.lab.show(id);
        let recorded = lab.trace.is_none() && pane.recorded.is_some();
        let stale = if recorded { !pane.fits(stage.inputs) } else { lab.stale };
        let stale = stale && pane.exhibit.progress().is_none();
        let fault = stage.lab.fault.as_ref().map(ToString::to_string);
        let models = pane.exhibit.models(stage.inputs);
        // What is still missing has more to say.
        let missing = models.iter().find(|id| !id.is_empty() && stage.zoo.ready(id).is_none());
        let model = missing.or(models.first()).map_or_else(String::new, |id| (*id).to_owned());
        let memory = stage.zoo.get(&model).and_then(|it| it.memory);
        let memory = memory.map_or_else(|| "memory".to_owned(), |it| format!("{} of memory", megabytes(it)));
        let weights = weights(stage.zoo, &model);
        Self { lab, weights, model, memory, fault, recorded, stale, refused: pane.refused.clone() }
    }

    fn message(&self, id: u64) -> Option<Message> {
        if let Some(words) = &self.refused {
            return Some(Message { words: words.clone(), bad: true, buttons: vec![] });
        }
        let retry = ("Try again", Action::Tile(id, OnTile::Retry));
        let cpu = ("Use the CPU", Action::Compute(Compute::Cpu));
        if let Some(words) = &self.fault {
            let buttons = vec![("Try again", Action::Compute(Compute::Gpu)), cpu];
            return Some(Message { words: sentence(words), bad: true, buttons });
        }
        if let Some(words) = self.lab.error {
            return Some(Message { words: sentence(words), bad: true, buttons: vec![retry, cpu] });
        }
        let model = |words, action| vec![(words, Action::Model(action))];
        let words = match &self.weights {
            Weights::Ready => return self.long_run(id),
            Weights::Failed(words) => {
                let mut buttons = model("Try again", OnModel::Load(self.model.clone()));
                buttons.extend(model("Open its files", OnModel::Pick));
                return Some(Message {
                    words: format!("The model is not there. {}", sentence(words)),
                    bad: true,
                    buttons,
                });
            }
            Weights::Absent => format!("The model is not loaded; it needs {}.", self.memory),
            Weights::Loading { .. } => format!("The model is loading: {}.", self.weights.progress()),
        };
        let words = match (self.recorded, self.stale) {
            (true, false) => format!("Recorded earlier. {words}"),
            (true, true) => {
                format!("The picture follows you as soon as the model is there. {words}")
            }
            (false, _) => words,
        };
        let buttons = match &self.weights {
            Weights::Loading { .. } => model("Cancel", OnModel::Cancel(self.model.clone())),
            _ => model("Load it", OnModel::Load(self.model.clone())),
        };
        Some(Message { words, bad: false, buttons })
    }

    /// What is said of a run that lasts: it can be stopped.
    fn long_run(&self, id: u64) -> Option<Message> {
        // What goes on by itself is not out of date meanwhile, but can be stopped too.
        let seconds = self.lab.elapsed.filter(|_| self.stale || self.lab.stale)?.as_secs();
        let stop = ("Stop", Action::Tile(id, OnTile::Stop));
        (seconds >= 1).then(|| Message {
            words: format!("Computing for {seconds} s."),
            bad: false,
            buttons: vec![stop],
        })
    }

    /// What there is to say lies over the foot of the picture: nothing moves because of it.
    pub(super) fn strip(&self, stage: &mut Stage<'_>, ui: &mut Ui, id: u64, rect: Rect) {
        let Some(message) = self.message(id).filter(|_| self.lab.trace.is_some() || self.recorded) else {
            return;
        };
        let style = stage.style;
        let corner = UiBuilder::new().max_rect(rect).layout(egui::Layout::bottom_up(egui::Align::Min));
        let mut corner = ui.new_child(corner);
        let frame = egui::Frame::new()
            .fill(style.background)
            .stroke(style.hair())
            .corner_radius(style.grid(1.0))
            .inner_margin(style.grid(0.75));
        frame.show(&mut corner, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = style.grid(1.0);
                if message.bad {
                    let (dot, _) = ui.allocate_exact_size(Vec2::splat(style.grid(1.0)), Sense::hover());
                    ui.painter().circle_filled(dot.center(), style.grid(0.4), style.bad);
                }
                ui.add(egui::Label::new(quiet(style, &message.words)).wrap());
                buttons(stage, ui, &message, true);
            });
        });
    }

    /// Whether numbers are on their way.
    pub(super) fn computes(&self) -> bool {
        self.stale || self.lab.elapsed.is_some()
    }

    /// What stands in for a picture that is not there yet.
    pub(super) fn instead(&self, stage: &mut Stage<'_>, ui: &mut Ui, id: u64, rect: Rect) {
        let message = self.message(id);
        skeleton(ui, stage.style, rect, if message.is_some() { 0.35 } else { 1.0 });
        self.hairline(stage, ui, rect);
        if let Some(message) = message {
            card(stage, ui, rect, &message);
        }
    }

    /// Dims a picture that is older than the inputs, and shows how far its successor is.
    pub(super) fn veil(&self, stage: &Stage<'_>, ui: &Ui, rect: Rect, pane: &mut Pane) {
        let now = ui.input(|it| it.time);
        pane.stale = self.stale.then(|| pane.stale.unwrap_or(now));
        let late = pane.stale.is_some_and(|since| now - since > PATIENCE);
        let seconds = if stage.calm { 0.0 } else { 0.2 };
        let dim = ui.animate_bool_with_time(ui.scope_id().with("veil"), late, seconds);
        if dim > 0.0 {
            ui.painter().rect_filled(rect, 0.0, stage.style.surface.gamma_multiply(0.6 * dim));
        }
        if late || self.recorded {
            self.hairline(stage, ui, rect);
        }
        if self.stale {
            ui.request_repaint_after(stage.pace);
        }
    }

    /// A thin line on top of the picture while something is on its way.
    fn hairline(&self, stage: &Stage<'_>, ui: &Ui, rect: Rect) {
        let progress = match (&self.weights, self.lab.elapsed) {
            (Weights::Loading { .. }, _) => self.weights.fraction(),
            (_, Some(elapsed)) => {
                self.lab.expected.map(|it| (elapsed.as_secs_f32() / it.as_secs_f32()).min(0.97))
            }
            _ => return,
        };
        let y = rect.top() - stage.style.grid(0.5);
        let line = |from: f32, to: f32, colour| {
            let at = |t: f32| pos2(egui::lerp(rect.x_range(), t.clamp(0.0, 1.0)), y);
            ui.painter().line_segment([at(from), at(to)], Stroke::new(2.0 * stage.style.scale, colour));
        };
        line(0.0, 1.0, stage.style.hairline);
        match progress {
            Some(t) => line(0.0, t, stage.style.accent),
            None if stage.calm => line(0.0, 0.5, stage.style.accent),
            None => {
                let t = (ui.input(|it| it.time) * 0.6).fract() as f32 * 1.3 - 0.3;
                line(t, t + 0.3, stage.style.accent);
            }
        }
        ui.request_repaint_after(stage.pace);
    }
}

/// Says why there is no picture yet.
pub(super) fn missing(ui: &Ui, style: &Style, rect: Rect, computes: bool) {
    skeleton(ui, style, rect, 0.35);
    let words = if computes { "Computing" } else { "The numbers are on their way" };
    let font = style.regular(style.body);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, font, style.secondary);
    ui.request_repaint_after(Duration::from_millis(50));
}

/// The quiet shape of a picture to come.
fn skeleton(ui: &Ui, style: &Style, rect: Rect, strength: f32) {
    let n = 12;
    let side = rect.width().min(rect.height());
    let cell = side / n as f32;
    let colour = style.hairline.gamma_multiply(0.7 * strength);
    for i in 0..n * n {
        let (x, y) = ((i % n) as f32, (i / n) as f32);
        let corner = rect.center() - Vec2::splat(side / 2.0) + cell * vec2(x, y);
        let square = Rect::from_min_size(corner, Vec2::splat(cell)).shrink(0.08 * cell);
        ui.painter().rect_filled(square, 0.12 * cell, colour);
    }
}

/// A message in the middle of an empty picture.
fn card(stage: &mut Stage<'_>, ui: &mut Ui, rect: Rect, message: &Message) {
    let style = stage.style;
    let width = style.grid(52.0).min(rect.width());
    let middle = Rect::from_center_size(rect.center(), vec2(width, style.grid(14.0)));
    ui.scope_builder(UiBuilder::new().max_rect(middle), |ui| {
        let frame = egui::Frame::new()
            .fill(style.background)
            .stroke(Stroke::new(1.0, if message.bad { style.bad } else { style.hairline }))
            .corner_radius(10.0 * style.scale)
            .inner_margin(style.grid(2.0));
        frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            let words = egui::RichText::new(&message.words).font(style.regular(style.body)).color(style.text);
            ui.add(egui::Label::new(words).wrap());
            ui.add_space(style.grid(1.0));
            ui.horizontal(|ui| buttons(stage, ui, message, false));
        });
    });
}

fn buttons(stage: &mut Stage<'_>, ui: &mut Ui, message: &Message, small: bool) {
    for (name, action) in &message.buttons {
        let words =
            egui::RichText::new(*name).size(if small { stage.style.caption } else { stage.style.body });
        let button = ui.button(words);
        let button = if *name == "Try again" { button.on_hover_text("or press R") } else { button };
        if button.clicked() {
            stage.actions.push(action.clone());
        }
    }
}

/// An error as a sentence: it begins with a capital, unless with a path or an address, and ends with a full stop.
fn sentence(words: &str) -> String {
    let words = words.trim_end_matches('.');
    let word = words.split(' ').next().unwrap_or_default();
    let mut rest = words.chars();
    match rest.next() {
        Some(first) if !word.contains(['/', '.', '_']) => {
            format!("{}{}.", first.to_uppercase(), rest.as_str())
        }
        _ => format!("{words}."),
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn errors_are_sentences_but_paths_stay() {
        assert_eq!(sentence("the download stopped."), "The download stopped.");
        assert_eq!(
            sentence("models/minilm/config.json answered 404"),
            "models/minilm/config.json answered 404."
        );
        assert_eq!(sentence(""), ".");
    }
}
