//! The claims of the exhibits, measured while nobody waits for a picture.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use egui::{RichText, Ui};

use super::action::Compute;
use crate::exhibits::{Check, Exhibit, Measure};
use crate::lab::Lab;
use crate::models::Zoo;
use crate::ui::{Measured, Style, badge, bound};

/// What was measured, by exhibit and check. Tiles with the same exhibit share it.
#[derive(Default)]
pub(super) struct Checks {
    known: BTreeMap<u64, State>,
    asked: BTreeSet<u64>,
}

enum State {
    Value(f32),
    Failed(String),
}

impl Checks {
    /// Asks for the next measurement of `exhibit`, and takes what was measured.
    pub(super) fn tick(&mut self, exhibit: &dyn Exhibit, zoo: &Zoo, compute: Compute, lab: &mut Lab) {
        for check in exhibit.checks() {
            let key = key(exhibit, &check);
            if self.known.contains_key(&key) || !applies(&check, compute) {
                continue;
            }
            let tile = lab.show(key);
            if let Some(error) = tile.error {
                self.known.insert(key, State::Failed(error.to_owned()));
            } else if let Some(trace) = tile.trace {
                if let Some(value) = trace.get("error").and_then(|it| it.window(0..1)) {
                    self.known.insert(key, State::Value(value[0]));
                    lab.close(key);
                }
            } else if !tile.stale && !lab.computing() {
                let (record, against_cpu) = match check.measure {
                    Measure::Scalar(record) => (record, false),
                    Measure::Devices(record) => (record, true),
                };
                if let Some(graph) = record(zoo) {
                    self.asked.insert(key);
                    lab.check(key, graph.finish(), against_cpu);
                }
                return;
            }
        }
    }

    /// Forgets everything: another device or model has to show what it can do.
    pub(super) fn clear(&mut self, lab: &mut Lab) {
        for key in std::mem::take(&mut self.asked) {
            lab.close(key);
        }
        self.known.clear();
    }

    /// A row of badges.
    pub(super) fn show(&self, ui: &mut Ui, style: &Style, exhibit: &dyn Exhibit, compute: Compute) {
        ui.add_space(style.grid(1.0));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(2.0);
            self.badges(ui, style, exhibit, compute);
        });
    }

    pub(super) fn badges(&self, ui: &mut Ui, style: &Style, exhibit: &dyn Exhibit, compute: Compute) {
        for check in exhibit.checks().iter().filter(|it| applies(it, compute)) {
            let state = self.known.get(&key(exhibit, check));
            let (value, words) = match state {
                Some(State::Value(value)) => (Some(*value), String::new()),
                Some(State::Failed(error)) => (Some(f32::NAN), format!("\nCould not be measured: {error}.")),
                None => (None, "\nMeasured once the model is there.".to_owned()),
            };
            let measured = Measured { name: check.name, value, tolerance: check.tolerance };
            let Check { claim, tolerance, because, .. } = check;
            let words = format!("{}. Tolerance {}: {because}.{words}", capital(claim), bound(*tolerance));
            badge(ui, style, &measured).on_hover_text(words);
        }
    }

    /// How many checks hold of how many, as far as they were measured.
    fn count(&self, exhibit: &dyn Exhibit, compute: Compute) -> (Option<usize>, usize) {
        let checks = exhibit.checks();
        let applied: Vec<&Check> = checks.iter().filter(|it| applies(it, compute)).collect();
        let known: Vec<bool> = applied
            .iter()
            .filter_map(|it| match self.known.get(&key(exhibit, it))? {
                State::Value(value) => Some(*value <= it.tolerance),
                State::Failed(_) => Some(false),
            })
            .collect();
        let held = known.iter().filter(|it| **it).count();
        ((!known.is_empty()).then_some(held), applied.len())
    }

    /// How many checks hold, in words.
    pub(super) fn tally(&self, exhibit: &dyn Exhibit, compute: Compute) -> String {
        match self.count(exhibit, compute) {
            (Some(held), all) => format!("{held} of {all} checks hold"),
            (None, all) => format!("{all} checks"),
        }
    }

    /// All badges behind one button, for a tile without room for them.
    pub(super) fn chip(&self, ui: &mut Ui, style: &Style, exhibit: &dyn Exhibit, compute: Compute) {
        // Where there is no room at all, the tile's menu has them.
        if ui.available_width() < 4.5 * style.body {
            return;
        }
        let mut words = format!("{} ▾", self.tally(exhibit, compute));
        if ui.available_width() < 9.0 * style.body {
            let (held, all) = self.count(exhibit, compute);
            words = format!("✓ {} / {all}", held.map_or_else(|| "…".to_owned(), |it| it.to_string()));
        }
        let words = RichText::new(words);
        let words = words.font(style.regular(style.caption)).color(style.accent);
        let button = ui.add(egui::Button::new(words).frame(false));
        egui::Popup::menu(&button).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            self.badges(ui, style, exhibit, compute);
        });
    }
}

/// The CPU need not be compared with itself.
fn applies(check: &Check, compute: Compute) -> bool {
    compute == Compute::Gpu || !matches!(check.measure, Measure::Devices(_))
}

/// The check's place in the lab. Tiles count from 1, so the upper half is free.
fn key(exhibit: &dyn Exhibit, check: &Check) -> u64 {
    let mut hasher = DefaultHasher::new();
    (exhibit.card().id, check.name).hash(&mut hasher);
    hasher.finish() | 1 << 63
}

fn capital(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), rest.as_str()))
}
