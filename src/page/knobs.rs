//! Knobs, visited rather than drawn: an exhibit names each with the value that it changes, and whoever visits draws them,
//! lists them or turns one.

use std::ops::RangeInclusive;

use egui::emath::Numeric;
use egui::{ComboBox, RichText, Role, TextEdit, Ui, WidgetInfo};

use super::Scene;
use crate::models::Kind;

/// One knob in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// What it changes.
    pub name: String,
    /// What it can be set to, in words; a number's ends; none of a text or a button.
    pub choices: Vec<String>,
}

/// What a visitor does that turns a knob.
struct Turn {
    /// Which knob.
    name: String,
    /// To which of its choices.
    to: usize,
    /// Whether there was such a knob.
    done: bool,
}

/// A visitor of knobs, and what they may look at or change besides the exhibit.
pub struct Knobs<'k, 's> {
    /// What the exhibit shows.
    pub scene: &'k mut Scene<'s>,
    visit: Visit<'k>,
}

enum Visit<'k> {
    Draw(Draw<'k>),
    Into { ui: &'k mut Ui, compact: bool },
    List(&'k mut Vec<Knob>),
    Turn(&'k mut Turn),
}

/// Which rows of knobs are drawn.
struct Draw<'k> {
    ui: &'k mut Ui,
    /// Choices fold into a list, as there is little room.
    compact: bool,
    /// The row that comes next.
    row: usize,
    /// The rows that are drawn.
    rows: std::ops::Range<usize>,
    /// What is drawn at the end of the first row.
    last: &'k mut dyn FnMut(&mut Ui),
}

/// What a finger or a pointer finds within one line.
const FEW: usize = 6;

impl<'s> Knobs<'_, 's> {
    /// Draws the rows of knobs that `rows` names, calling `last` at the end of the first; `compact` folds choices into lists.
    /// Returns how many rows there are.
    pub fn draw(
        ui: &mut Ui,
        scene: &mut Scene<'s>,
        (rows, compact): (std::ops::Range<usize>, bool),
        last: &mut dyn FnMut(&mut Ui),
        visit: impl FnOnce(&mut Knobs<'_, 's>),
    ) -> usize {
        let mut knobs = Knobs { scene, visit: Visit::Draw(Draw { ui, compact, row: 0, rows, last }) };
        visit(&mut knobs);
        if let Visit::Draw(draw) = knobs.visit { draw.row } else { 0 }
    }

    /// All knobs in words.
    pub fn list(scene: &mut Scene<'s>, visit: impl FnOnce(&mut Knobs<'_, 's>)) -> Vec<Knob> {
        let mut found = vec![];
        visit(&mut Knobs { scene, visit: Visit::List(&mut found) });
        found
    }

    /// Turns one knob; whether there was one of this name.
    pub fn turn(
        scene: &mut Scene<'s>,
        name: &str,
        to: usize,
        visit: impl FnOnce(&mut Knobs<'_, 's>),
    ) -> bool {
        let mut turn = Turn { name: name.to_owned(), to, done: false };
        visit(&mut Knobs { scene, visit: Visit::Turn(&mut turn) });
        turn.done
    }

    /// A line of knobs that belong together. The first one is seen from half size on.
    pub fn row(&mut self, knobs: impl FnOnce(&mut Knobs<'_, 's>)) {
        let Visit::Draw(draw) = &mut self.visit else { return knobs(&mut self.reborrow()) };
        let (row, compact) = (draw.row, draw.compact);
        draw.row += 1;
        if !draw.rows.contains(&row) {
            return;
        }
        let (scene, last) = (&mut *self.scene, &mut *draw.last);
        draw.ui.horizontal_wrapped(|ui| {
            knobs(&mut Knobs { scene, visit: Visit::Into { ui, compact } });
            if row == 0 {
                last(ui);
            }
        });
    }

    fn reborrow(&mut self) -> Knobs<'_, 's> {
        let visit = match &mut self.visit {
            Visit::Into { ui, compact } => Visit::Into { ui, compact: *compact },
            Visit::List(it) => Visit::List(it),
            Visit::Turn(it) => Visit::Turn(it),
            Visit::Draw(_) => unreachable!("knobs stand in rows"),
        };
        Knobs { scene: self.scene, visit }
    }

    /// Knobs that have an effect only if `on`: they keep their place.
    pub fn only_if(&mut self, on: bool, knobs: impl FnOnce(&mut Knobs<'_, 's>)) {
        match &mut self.visit {
            Visit::Into { ui, compact } => {
                let (scene, compact) = (&mut *self.scene, *compact);
                // As a widget, since a part of its own would break lines by itself.
                ui.add_enabled(on, |ui: &mut Ui| {
                    knobs(&mut Knobs { scene, visit: Visit::Into { ui, compact } });
                    ui.response()
                });
            }
            _ if on => knobs(&mut self.reborrow()),
            _ => {}
        }
    }

    /// One of several words; a name that is empty is not written.
    pub fn choice<T: PartialEq + Copy>(&mut self, name: &str, value: &mut T, words: &[(T, &str)]) {
        self.one_of(name, value, words, words.len() > FEW);
    }

    /// One of a list of words by its number, `None` of which stands for what `none` says.
    pub fn pick(&mut self, name: &str, value: &mut Option<usize>, words: &[String], none: &str) {
        let numbered = words.iter().enumerate().map(|(i, it)| (Some(i), &**it));
        let pairs: Vec<(Option<usize>, &str)> = std::iter::once((None, none)).chain(numbered).collect();
        self.one_of(name, value, &pairs, true);
    }

    /// One of several words, side by side or, where they are many or there is little room, in a list that `folds`.
    fn one_of<T: PartialEq + Copy>(&mut self, name: &str, value: &mut T, words: &[(T, &str)], folds: bool) {
        let known = if name.is_empty() { words[0].1 } else { name };
        let choices = || words.iter().map(|it| it.1.to_owned()).collect();
        let turn = |value: &mut T, to: usize| *value = words.get(to).map_or(*value, |it| it.0);
        self.knob(known, choices, value, turn, |value, ui, compact| {
            if folds || compact {
                let now = words.iter().find(|it| it.0 == *value).map_or("", |it| it.1);
                let said = if name.is_empty() { now.to_owned() } else { format!("{name}: {now}") };
                let list = ComboBox::from_id_salt((name, words[0].1)).selected_text(&said);
                let list = list.show_ui(ui, |ui| {
                    for (it, words) in words {
                        ui.selectable_value(value, *it, *words);
                    }
                });
                list.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &said));
            } else {
                if !name.is_empty() {
                    ui.label(name);
                }
                for (it, words) in words {
                    ui.selectable_value(value, *it, *words);
                }
                ui.add_space(0.5 * ui.spacing().interact_size.y);
            }
            false
        });
    }

    /// A number between two ends.
    pub fn slider<N: Numeric>(&mut self, name: &str, value: &mut N, range: RangeInclusive<N>) -> bool {
        self.slide(name, value, range, |it| it)
    }

    /// A number between two ends, with more to say of the slider.
    pub fn slide<N: Numeric>(
        &mut self,
        name: &str,
        value: &mut N,
        range: RangeInclusive<N>,
        more: impl FnOnce(egui::Slider<'_>) -> egui::Slider<'_>,
    ) -> bool {
        let [low, high] = [*range.start(), *range.end()];
        let choices = || [low, high].map(|it| it.to_f64().to_string()).into();
        let turn = |value: &mut N, to: usize| *value = if to == 0 { low } else { high };
        let body = self.scene.style.body;
        self.knob(name, choices, value, turn, |value, ui, compact| {
            let width = ui.spacing().slider_width;
            // A slider does not break by itself.
            let words = name.chars().count() as f32 * 0.55 * body;
            let share = if compact { 0.4 } else { 1.0 };
            if ui.available_size_before_wrap().x < words + share * width + 6.0 * body {
                ui.end_row();
            }
            ui.spacing_mut().slider_width = share * width;
            let changed = ui.add(more(egui::Slider::new(value, range).text(name))).changed();
            ui.spacing_mut().slider_width = width;
            changed
        })
    }

    /// On or off.
    pub fn switch(&mut self, name: &str, value: &mut bool) -> bool {
        let choices = || ["off", "on"].map(str::to_owned).into();
        let turn = |value: &mut bool, to: usize| *value = to > 0;
        self.knob(name, choices, value, turn, |value, ui, _| ui.checkbox(value, name).changed())
    }

    /// A button with what it does; whether it was pressed.
    pub fn button(&mut self, name: &str, words: &str, on: bool) -> bool {
        if !on && !matches!(self.visit, Visit::Into { .. }) {
            return false;
        }
        self.knob(
            name,
            Vec::new,
            &mut (),
            |(), _| (),
            |(), ui, _| {
                // A button whose word changes when it is pressed, "Go on" and "Stop", moves nothing behind it.
                let least = egui::vec2(1.6 * ui.spacing().interact_size.x, 0.0);
                let button = ui.add_enabled(on, egui::Button::new(name).min_size(least));
                (if words.is_empty() { button } else { button.on_hover_text(words) }).clicked()
            },
        )
    }

    /// A line of text.
    pub fn text(&mut self, name: &str, value: &mut String, hint: &str) {
        let turn = |value: &mut String, _: usize| "turned".clone_into(value);
        self.knob(name, Vec::new, value, turn, |value, ui, _| {
            let label = ui.label(name).id;
            let width = (20.0 * ui.spacing().interact_size.y).min(ui.available_width());
            let line = TextEdit::singleline(value).hint_text(hint).desired_width(width);
            ui.add(line).labelled_by(label).changed()
        });
    }

    /// What every knob is: drawn, into little room if the last argument of `draw` says so; listed with its `choices`; or turned
    /// to one of them. Whether its value was changed.
    fn knob<T>(
        &mut self,
        name: &str,
        choices: impl FnOnce() -> Vec<String>,
        value: &mut T,
        turn: impl FnOnce(&mut T, usize),
        draw: impl FnOnce(&mut T, &mut Ui, bool) -> bool,
    ) -> bool {
        match &mut self.visit {
            Visit::Into { ui, compact } => draw(value, ui, *compact),
            Visit::List(found) => {
                found.push(Knob { name: name.to_owned(), choices: choices() });
                false
            }
            Visit::Turn(it) => {
                let to = it.take(name);
                if let Some(to) = to {
                    turn(value, to);
                }
                to.is_some()
            }
            Visit::Draw(_) => unreachable!("knobs stand in rows"),
        }
    }

    /// One of the models of a kind.
    pub fn model(&mut self, kind: Kind, id: &mut String) {
        let models: Vec<(String, String)> =
            self.scene.zoo.of_kind(kind).map(|it| (it.id.clone(), it.title.clone())).collect();
        let mut at = models.iter().position(|it| it.0 == *id);
        let titles: Vec<String> = models.iter().map(|it| it.1.clone()).collect();
        self.pick("model", &mut at, &titles, id);
        if let Some(it) = at.and_then(|it| models.get(it)) {
            id.clone_from(&it.0);
        }
    }

    /// Words between knobs.
    pub fn words(&mut self, words: &str) {
        if let Visit::Into { ui, .. } = &mut self.visit {
            let style = self.scene.style;
            ui.label(RichText::new(words).font(style.regular(style.caption)).color(style.secondary));
        }
    }

    /// What no other knob can do: only drawn, so a list does not know it.
    pub fn ui(&mut self, draw: impl FnOnce(&mut Ui, &mut Scene<'s>)) {
        if let Visit::Into { ui, .. } = &mut self.visit {
            draw(ui, self.scene);
        }
    }
}

impl Turn {
    fn take(&mut self, name: &str) -> Option<usize> {
        (!self.done && self.name == name).then(|| {
            self.done = true;
            self.to
        })
    }
}
