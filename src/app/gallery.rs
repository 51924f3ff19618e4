//! The gallery: a page of cards, one an exhibit, each with its living picture at card size.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, vec2};

use super::action::{Action, Compute};
use super::checks::{Checks, Of};
use super::tile::quiet;
use crate::data::Inputs;
use crate::exhibits::{self, Entry, Exhibit};
use crate::focus::Focus;
use crate::models::Zoo;
use crate::page::{Scene, View};
use crate::trace::Trace;
use crate::ui::Style;

/// The gallery, with the exhibits that its cards show.
#[derive(Default)]
pub(super) struct Gallery {
    cards: Vec<Option<Open>>,
    search: String,
    family: Option<&'static str>,
}

/// An exhibit as its card shows it.
struct Open {
    exhibit: Box<dyn Exhibit>,
    trace: Option<Arc<Trace>>,
}

/// What the cards are drawn with.
pub(super) struct Hall<'a> {
    pub(super) style: &'a Style,
    pub(super) entries: &'a [Entry],
    pub(super) zoo: &'a Zoo,
    pub(super) checks: &'a Checks,
    pub(super) compute: Compute,
}

impl Gallery {
    /// Shows the page; a click on a card opens its exhibit.
    pub(super) fn show(&mut self, ui: &mut Ui, hall: &Hall<'_>, actions: &mut Vec<Action>) {
        let (style, entries) = (hall.style, hall.entries);
        self.cards.resize_with(entries.len(), || None);
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.add_space(style.grid(1.0));
            ui.label(RichText::new("Exhibits").font(style.semibold(style.page)).color(style.text));
            let words = "Each shows one idea at work in a real model. Open several and compare them under one cursor.";
            ui.add(egui::Label::new(quiet(style, words)).wrap());
            self.filters(ui, style, entries);
            ui.add_space(style.grid(1.0));
            let found: Vec<usize> = (0..entries.len()).filter(|i| self.finds(&entries[*i])).collect();
            if found.is_empty() {
                ui.label(quiet(style, "Nothing is called like this. Try another word."));
            }
            self.grid(ui, hall, &found, actions);
        });
    }

    /// What narrows the choice down: a word, and a family.
    fn filters(&mut self, ui: &mut Ui, style: &Style, entries: &[Entry]) {
        ui.add_space(style.grid(1.0));
        ui.horizontal_wrapped(|ui| {
            let width = style.grid(30.0).min(ui.available_width());
            let search = egui::TextEdit::singleline(&mut self.search).hint_text("Find an exhibit");
            ui.add(search.desired_width(width));
            ui.selectable_value(&mut self.family, None, "all");
            let families: BTreeSet<&'static str> = entries.iter().map(|it| it.card.family).collect();
            for family in families {
                ui.selectable_value(&mut self.family, Some(family), family);
            }
        });
    }

    fn finds(&self, entry: &Entry) -> bool {
        let card = entry.card;
        let text = [card.id, card.title, card.claim, card.paper, card.family].join(" ").to_lowercase();
        let all = self.search.to_lowercase();
        self.family.is_none_or(|it| it == card.family) && all.split_whitespace().all(|it| text.contains(it))
    }

    /// The cards in rows of equal width; those out of sight are not drawn.
    fn grid(&mut self, ui: &mut Ui, hall: &Hall<'_>, found: &[usize], actions: &mut Vec<Action>) {
        let style = hall.style;
        let (gap, whole) = (style.grid(2.0), ui.available_width());
        let columns = (((whole + gap) / (style.grid(38.0) + gap)) as usize).max(1);
        let width = (whole + gap) / columns as f32 - gap;
        let height = style.grid(43.0);
        for row in found.chunks(columns) {
            let (line, _) = ui.allocate_exact_size(vec2(whole, height), Sense::hover());
            ui.add_space(gap - ui.spacing().item_spacing.y);
            if !ui.is_rect_visible(line) {
                continue;
            }
            for (column, i) in row.iter().enumerate() {
                let corner = line.min + vec2(column as f32 * (width + gap), 0.0);
                let rect = Rect::from_min_size(corner, vec2(width, height));
                let open = self.cards[*i].get_or_insert_with(|| Open::new(&hall.entries[*i]));
                if open.card(ui, hall, rect, *i) {
                    actions.push(Action::Open(hall.entries[*i].card.id));
                }
            }
        }
    }
}

impl Open {
    fn new(entry: &Entry) -> Self {
        let exhibit = (entry.open)(serde_json::Value::Null);
        let exhibit = exhibit.unwrap_or_else(|reason| unreachable!("a default state opens: {reason}"));
        Self { exhibit, trace: None }
    }

    /// One card; whether it was clicked.
    fn card(&mut self, ui: &mut Ui, hall: &Hall<'_>, rect: Rect, i: usize) -> bool {
        let (style, card) = (hall.style, self.exhibit.card());
        let frame = ui.painter().add(egui::Shape::Noop);
        let inside = rect.shrink(style.grid(1.5));
        let (above, below) = inside.split_top_bottom_at_y(inside.bottom() - style.grid(13.0));
        self.picture(ui, hall, above, i);
        self.words(ui, hall, below, i);
        let response = ui.interact(rect, ui.scope_id().with(("card", i)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Open {}", card.title)));
        let edge = if response.hovered() || response.has_focus() { style.accent } else { style.hairline };
        let shape = egui::epaint::RectShape::new(
            rect,
            10.0 * style.scale,
            style.surface,
            Stroke::new(1.0, edge),
            StrokeKind::Inside,
        );
        ui.painter().set(frame, shape);
        response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
    }

    /// The essential panel, of what was recorded.
    fn picture(&mut self, ui: &mut Ui, hall: &Hall<'_>, rect: Rect, i: usize) {
        let mut inputs = Inputs::default();
        if self.trace.is_none() {
            self.trace = self.exhibit.recorded(&inputs);
        }
        let Some(trace) = &self.trace else { return };
        // The cursor of the tiles is not for cards.
        let mut scene = Scene {
            trace,
            focus: &mut Focus::default(),
            style: hall.style,
            inputs: &mut inputs,
            zoo: hall.zoo,
            pick: &mut false,
        };
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(("picture", i)));
        ui.shrink_clip_rect(rect.expand(2.0));
        let mut view = View { alone: true, ..View::default() };
        exhibits::show(self.exhibit.as_mut(), &mut ui, &mut scene, rect, &mut view);
    }

    fn words(&self, ui: &mut Ui, hall: &Hall<'_>, rect: Rect, i: usize) {
        let (style, card) = (hall.style, self.exhibit.card());
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(("words", i)));
        ui.shrink_clip_rect(rect);
        ui.spacing_mut().item_spacing.y = style.grid(0.25);
        ui.add_space(style.grid(0.75));
        let label = |words: RichText| egui::Label::new(words).selectable(false);
        let title = RichText::new(card.title).font(style.semibold(style.title)).color(style.text);
        ui.add(label(title).truncate());
        let claim = RichText::new(card.claim).font(style.regular(style.caption)).color(style.text);
        ui.add(label(claim).wrap());
        let of = Of { exhibit: self.exhibit.as_ref(), trace: None, compute: hall.compute };
        let held = hall.checks.tally(&of);
        let source = format!("{} · {} · {held}", card.family, card.year);
        ui.add(label(quiet(style, source)).truncate());
    }
}
