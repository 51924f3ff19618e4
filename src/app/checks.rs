//! The claims of the exhibits, measured while nobody waits for a picture.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use egui::{RichText, Ui};

use super::action::Compute;
use crate::exhibits::{Check, Exhibit, Measure};
use crate::lab::Lab;
use crate::models::Zoo;
use crate::trace::Trace;
use crate::ui::{Measured, Style, badge, bound};

/// What was measured, by exhibit and check. Tiles with the same exhibit share it.
#[derive(Default)]
pub(super) struct Checks {
    known: BTreeMap<u64, State>,
    asked: BTreeSet<u64>,
}

#[derive(Clone)]
enum State {
    Value(f32),
    Failed(String),
}

/// Whose checks are shown.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) exhibit: &'a dyn Exhibit,
    /// What its tile shows, if it has one.
    pub(super) trace: Option<&'a Trace>,
    pub(super) compute: Compute,
}

impl Of<'_> {
    fn checks(&self) -> Vec<Check> {
        self.exhibit.checks().into_iter().filter(|it| applies(it, self.compute)).collect()
    }

    /// Whether what is shown is itself measured: computed here, not recorded earlier.
    fn shows(&self, check: &Check) -> Option<&str> {
        let here = self.trace.is_some_and(|it| !it.stats.device.is_empty());
        if let Measure::Shown(name, _) = check.measure { here.then_some(name) } else { None }
    }
}

impl Checks {
    /// Asks for the next measurement of `exhibit`, and takes what was measured.
    pub(super) fn tick(&mut self, exhibit: &dyn Exhibit, zoo: &Zoo, compute: Compute, lab: &mut Lab) {
        for check in exhibit.checks() {
            let key = key(exhibit, &check);
            if self.known.contains_key(&key) || check.learns || !applies(&check, compute) {
                continue;
            }
            let tile = lab.show(key);
            if let Some(error) = tile.error {
                self.known.insert(key, State::Failed(error.to_owned()));
            } else if let Some(trace) = tile.trace {
                let (_, name) = check.measure.recording();
                if let Some(value) = trace.get(name).and_then(|it| it.window(0..1)) {
                    self.known.insert(key, State::Value(value[0]));
                    lab.close(key);
                }
            } else if !tile.stale && !lab.computing() {
                let against_cpu = matches!(check.measure, Measure::Devices(_));
                // A model that is not there, such as a large one, keeps no other claim waiting.
                let Some(graph) = check.measure.recording().0(zoo) else { continue };
                self.asked.insert(key);
                lab.check(key, graph.finish(), against_cpu);
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

    /// What is known of a check: of what is shown, if that is what it measures.
    fn state(&self, of: &Of<'_>, check: &Check) -> Option<State> {
        match (of.shows(check), of.trace) {
            (Some(name), Some(trace)) => Some(State::Value(trace.get(name)?.window(0..1)?[0])),
            _ => self.known.get(&key(of.exhibit, check)).cloned(),
        }
    }

    /// A row of badges.
    pub(super) fn show(&self, ui: &mut Ui, style: &Style, of: &Of<'_>) {
        ui.add_space(style.grid(1.0));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(2.0);
            self.badges(ui, style, of);
        });
    }

    pub(super) fn badges(&self, ui: &mut Ui, style: &Style, of: &Of<'_>) {
        for check in &of.checks() {
            let shown = of.shows(check).is_some();
            let measured =
                if shown { "of what is shown here" } else { "of its own example, whatever is shown" };
            let (value, words) = match self.state(of, check) {
                Some(State::Value(value)) => (Some(value), format!("\nMeasured {measured}.")),
                Some(State::Failed(error)) => (Some(f32::NAN), format!("\nCould not be measured: {error}.")),
                None if check.learns => {
                    let id = of.exhibit.card().id;
                    (None, format!("\nA model learns for it first: `vitrine check {id}` measures it."))
                }
                None => (None, "\nMeasured once the model is there.".to_owned()),
            };
            let measured = Measured { name: check.name, value, tolerance: check.tolerance };
            let Check { claim, tolerance, because, .. } = check;
            let words = format!("{}. Tolerance {}: {because}.{words}", capital(claim), bound(*tolerance));
            badge(ui, style, &measured).on_hover_text(words);
        }
    }

    /// How many checks hold, how many were measured, and how many there are.
    fn count(&self, of: &Of<'_>) -> [usize; 3] {
        let checks = of.checks();
        let holds = |it: &Check| match self.state(of, it)? {
            State::Value(value) => Some(value <= it.tolerance),
            State::Failed(_) => Some(false),
        };
        let known: Vec<bool> = checks.iter().filter_map(holds).collect();
        [known.iter().filter(|it| **it).count(), known.len(), checks.len()]
    }

    /// How many checks hold, in words: what was not measured yet has not failed.
    pub(super) fn tally(&self, of: &Of<'_>) -> String {
        match self.count(of) {
            [_, 0, all] => format!("{all} checks"),
            [held, known, all] if held < known => format!("{} of {all} checks fail", known - held),
            [_, known, all] if known < all => format!("{known} of {all} checked"),
            [.., all] => format!("{all} checks hold"),
        }
    }

    /// All badges behind one button, for a tile without room for them.
    pub(super) fn chip(&self, ui: &mut Ui, style: &Style, of: &Of<'_>) {
        // Where there is no room at all, the tile's menu has them.
        if ui.available_width() < 4.5 * style.body {
            return;
        }
        let mut words = format!("{} ▾", self.tally(of));
        if ui.available_width() < 9.0 * style.body {
            let [held, _, all] = self.count(of);
            words = format!("✓ {held} / {all}");
        }
        let words = RichText::new(words);
        let words = words.font(style.regular(style.caption)).color(style.accent);
        let button = ui.add(egui::Button::new(words).frame(false));
        egui::Popup::menu(&button).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            self.badges(ui, style, of);
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
