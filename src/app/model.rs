//! The model in the top bar: which there are, how far they are, and how to bring another.

use egui::Ui;

use super::action::{Action, OnModel};
use super::tile::quiet;
use crate::models::{Kind, Model, Status, Zoo};
use crate::ui::Style;

/// Whether a model can be used.
pub(super) enum Weights {
    Absent,
    Loading { received: u64, total: Option<u64> },
    Ready,
    Failed(String),
}

/// How far the model `id` is.
pub(super) fn weights(zoo: &Zoo, id: &str) -> Weights {
    if id.is_empty() {
        return Weights::Ready; // the exhibit makes its own model
    }
    zoo.get(id).map_or_else(|| Weights::Failed(format!("There is no model “{id}” here")), Weights::of)
}

impl Weights {
    fn of(model: &Model) -> Self {
        match &model.status {
            Status::Absent => Self::Absent,
            Status::Loading { received, total } => Self::Loading { received: *received, total: *total },
            Status::Ready(_) => Self::Ready,
            Status::Failed(words) => Self::Failed(words.clone()),
        }
    }

    /// The part that has arrived, if the whole is known.
    pub(super) fn fraction(&self) -> Option<f32> {
        match *self {
            Self::Loading { received, total: Some(total) } => {
                Some((received as f32 / total.max(1) as f32).min(1.0))
            }
            _ => None,
        }
    }

    /// "34 %", or "31 MB" if nobody knows how much there is.
    pub(super) fn percent(&self) -> String {
        let (received, _) = self.bytes();
        self.fraction().map_or_else(|| megabytes(received), |it| format!("{:.0} %", (100.0 * it).floor()))
    }

    /// "34 %, 31 of 91 MB".
    pub(super) fn progress(&self) -> String {
        match self.bytes() {
            (_, 0) => self.percent(),
            (received, total) => {
                format!("{}, {:.0} of {}", self.percent(), received as f64 / 1e6, megabytes(total))
            }
        }
    }

    /// Bytes that have arrived, and bytes altogether (0 if unknown).
    pub(super) fn bytes(&self) -> (u64, u64) {
        match *self {
            Self::Loading { received, total } => (received, total.unwrap_or(0)),
            _ => (0, 0),
        }
    }

    /// In one word, for scripts.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Loading { .. } => "loading",
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
        }
    }
}

/// "91 MB".
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// What the model is called, and of how many bits its weights are made if these are fewer than 32, once they are there.
pub(super) fn title(zoo: &Zoo, id: &str) -> String {
    let title = zoo.get(id).map_or(id, |it| &*it.title);
    match zoo.ready(id).map_or(32, |it| it.weights().bits()) {
        bits @ ..32 => format!("{title}, {bits} bits"),
        _ => title.to_owned(),
    }
}

/// The list of models, and ways to bring another.
pub(super) fn menu(
    ui: &mut Ui,
    style: &Style,
    zoo: &Zoo,
    chosen: &str,
    address: &mut String,
    actions: &mut Vec<Action>,
) {
    for model in zoo.of_kind(Kind::Encoder) {
        entry(ui, style, model, model.id == chosen, actions);
    }
    ui.separator();
    ui.set_max_width(style.grid(44.0));
    let words = "Bring your own BERT, of any size: model.safetensors, config.json and tokenizer.json.";
    ui.add(egui::Label::new(quiet(style, words)).wrap());
    if ui.button("Open its files (or drop them anywhere)").clicked() {
        actions.push(Action::Model(OnModel::Pick));
        ui.close();
    }
    ui.horizontal(|ui| {
        let hint = "https://huggingface.co/…";
        ui.add(egui::TextEdit::singleline(address).hint_text(hint).desired_width(style.grid(30.0)));
        if ui.add_enabled(!address.trim().is_empty(), egui::Button::new("Look it up")).clicked() {
            actions.push(Action::Model(OnModel::From(address.trim().to_owned())));
        }
    });
}

/// One model: its name, the memory that it takes, and what can be done with it.
fn entry(ui: &mut Ui, style: &Style, model: &Model, chosen: bool, actions: &mut Vec<Action>) {
    let mut act = |what| actions.push(Action::Model(what));
    if ui.radio(chosen, &model.title).clicked() {
        act(OnModel::Choose(model.id.clone()));
    }
    let (bits, bytes) = if let Status::Ready(it) = &model.status {
        (it.weights().bits(), Some(it.weights().bytes() as u64))
    } else {
        (32, model.memory)
    };
    let memory =
        bytes.map_or_else(|| "memory unknown".to_owned(), |it| format!("{} of memory", megabytes(it)));
    let state = Weights::of(model);
    let words = match &state {
        Weights::Absent => format!("not loaded, needs {memory}"),
        Weights::Loading { .. } => format!("loading: {}", state.progress()),
        Weights::Ready if bits < 32 => format!("ready, {memory}, made of {bits} bits a weight"),
        Weights::Ready => format!("ready, {memory}"),
        Weights::Failed(words) => words.clone(),
    };
    let kept = model.kept();
    let words = if kept > 0 { format!("{words}; this browser keeps {}", megabytes(kept)) } else { words };
    ui.horizontal(|ui| {
        ui.add_space(style.grid(3.0));
        ui.add(egui::Label::new(quiet(style, words)).wrap());
    });
    let id = || model.id.clone();
    let step = match state {
        Weights::Absent => Some(("Load", OnModel::Load(id()))),
        Weights::Failed(_) if model.can_load() => Some(("Try again", OnModel::Load(id()))),
        Weights::Loading { .. } => Some(("Cancel", OnModel::Cancel(id()))),
        _ => None,
    };
    let forget = (kept > 0).then(|| ("Keep no longer", OnModel::Forget(id())));
    ui.horizontal(|ui| {
        ui.add_space(style.grid(3.0));
        for (name, what) in step.into_iter().chain(forget) {
            if ui.small_button(name).clicked() {
                act(what);
            }
        }
    });
}
