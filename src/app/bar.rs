//! The top bar: the sentence, the model, what computes, and everything else that concerns all tiles.

use egui::{Align, Id, Layout, RichText, Role, Ui, WidgetInfo};
use egui_tiles::TileId;

use super::action::{Action, Compute, Preset};
use super::icon::{Icon, icon_button, paint};
use super::model::{self, Weights, weights};
use super::tile::quiet;
use super::{App, keys, phone};
use crate::link::Theme;
use crate::models::Kind;
use crate::ui::Style;

/// Sizes of type on offer, in percent.
const SIZES: [u16; 5] = [80, 100, 125, 150, 200];

/// The next size on offer, larger or smaller than `size`; the usual one for a step of 0.
pub(super) fn resized(size: u16, step: isize) -> u16 {
    let next = match step {
        0 => return 100,
        1.. => SIZES.into_iter().find(|it| *it > size),
        _ => SIZES.into_iter().rfind(|it| *it < size),
    };
    next.unwrap_or(size)
}

/// Longer texts are cut: no model here reads more.
const LONGEST: usize = 20_000;

/// The sentence's field, so that a key can put the cursor there.
pub(super) fn sentence_id() -> Id {
    Id::unique("sentence")
}

impl App {
    /// The top bar.
    pub(super) fn bar(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let style = self.style.clone();
        let margin = egui::Margin::symmetric(style.grid(2.0) as i8, style.grid(1.0) as i8);
        let frame = egui::Frame::new().fill(style.background).inner_margin(margin);
        let phone = phone(ui, &style);
        // Models of images have their picture in the tile.
        let reads = self.tree.is_empty() || self.any(|it| it.reads());
        egui::Panel::top("bar").show_separator_line(false).frame(frame).show(ui, |ui| {
            ui.horizontal(|ui| {
                Self::name(ui, &style, actions);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = style.grid(0.5);
                    self.right(ui, &style, phone, actions);
                    if !phone && reads {
                        ui.add_space(style.grid(1.0));
                        ui.with_layout(Layout::left_to_right(Align::Center), |ui| self.sentence(ui, &style));
                    }
                });
            });
            if phone && reads {
                ui.add_space(style.grid(0.5));
                self.sentence(ui, &style);
            }
        });
    }

    fn name(ui: &mut Ui, style: &Style, actions: &mut Vec<Action>) {
        let name = RichText::new("Vitrine").font(style.semibold(style.title)).color(style.text);
        let button = ui.add(egui::Button::new(name).frame(false));
        if button.on_hover_text("All exhibits (G)").clicked() {
            actions.push(Action::Gallery);
        }
    }

    /// Everything to the right of the sentence, from right to left.
    fn right(&mut self, ui: &mut Ui, style: &Style, phone: bool, actions: &mut Vec<Action>) {
        if phone {
            let more = icon_button(ui, style, Icon::More, "More");
            egui::Popup::menu(&more).show(|ui| {
                self.history_items(ui, actions);
                ui.separator();
                self.appearance(ui, actions);
                ui.separator();
                arrangements(ui, actions);
            });
        } else {
            if letter_button(ui, style, "?", "What the keys do (?)") {
                actions.push(Action::Help);
            }
            let share = keys::local(ui, "Copy a link to what you see (Ctrl L)");
            if icon_button(ui, style, Icon::Share, &share).clicked() {
                actions.push(Action::Share);
            }
            let look = drop_down(ui, style, "Aa", "Colours and size of type");
            egui::Popup::menu(&look).show(|ui| self.appearance(ui, actions));
            let layout = drop_down(ui, style, "Layout", "Layout of the tiles");
            egui::Popup::menu(&layout).show(|ui| arrangements(ui, actions));
            if letter_button(ui, style, "+", "Add an exhibit (G)") {
                actions.push(Action::Gallery);
            }
            self.undo_buttons(ui, style, actions);
        }
        self.compute_menu(ui, style, phone, actions);
        if self.tree.is_empty() || self.shows(Kind::Encoder) {
            self.model_menu(ui, style, actions);
        }
    }

    fn undo_buttons(&self, ui: &mut Ui, style: &Style, actions: &mut Vec<Action>) {
        let now = self.snapshot();
        for (icon, name, can, action) in [
            (Icon::Redo, "Redo (Ctrl Shift Z)", self.history.has_redo(&now), Action::Redo),
            (Icon::Undo, "Undo (Ctrl Z)", self.history.has_undo(&now), Action::Undo),
        ] {
            let name = keys::local(ui, name);
            if ui.add_enabled_ui(can, |ui| icon_button(ui, style, icon, &name)).inner.clicked() {
                actions.push(action);
            }
        }
    }

    fn history_items(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let now = self.snapshot();
        for (name, can, action) in [
            ("Undo", self.history.has_undo(&now), Action::Undo),
            ("Redo", self.history.has_redo(&now), Action::Redo),
            ("Copy a link to what you see", true, Action::Share),
            ("All exhibits", true, Action::Gallery),
            ("What the keys do", true, Action::Help),
        ] {
            if ui.add_enabled(can, egui::Button::new(name)).clicked() {
                actions.push(action);
            }
        }
    }

    fn appearance(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        for (theme, name) in
            [(Theme::System, "As the system"), (Theme::Light, "Light"), (Theme::Dark, "Dark")]
        {
            if ui.radio(self.theme == theme, name).clicked() {
                actions.push(Action::Theme(theme));
            }
        }
        ui.separator();
        for size in SIZES {
            if ui.radio(self.size == size, format!("{size} %")).clicked() {
                actions.push(Action::Size(size));
            }
        }
    }

    /// The sentence, always editable, with its number of tokens.
    fn sentence(&mut self, ui: &mut Ui, style: &Style) {
        let count = RichText::new(self.count()).font(style.regular(style.caption)).color(style.secondary);
        let edit = egui::TextEdit::singleline(&mut self.inputs.text)
            .id(sentence_id())
            .font(style.regular(style.body))
            .hint_text("Type a sentence")
            .suffix(count)
            .char_limit(LONGEST)
            .margin(egui::Margin::symmetric(style.grid(1.5) as i8, style.grid(0.9) as i8))
            .desired_width(ui.available_width());
        ui.add(edit);
    }

    /// "14 tokens", "first 512 of 731 tokens", or "last" of a model that goes on with the end.
    fn count(&self) -> String {
        let panes = self.tiles().into_iter().filter_map(|id| self.tree.tiles.get_pane(&TileId::from_u64(id)));
        let mut models = panes.filter_map(|it| self.zoo.ready(it.exhibit.model(&self.inputs)));
        let Some((kind, tokenizer)) =
            models.find_map(|it| Some((it.sizes().kind(), it.language()?.tokenizer())))
        else {
            let fits = self.first().is_some_and(|(_, pane)| pane.fits(&self.inputs));
            let count = self.tokens().len();
            return if fits && count > 0 { format!("{count} tokens") } else { String::new() };
        };
        let tokens = tokenizer.encode(&self.inputs.text);
        match (tokens.ids.len(), tokens.total) {
            (_, 1) => "1 token".to_owned(),
            (used, all) if used < all && kind != Kind::Encoder => format!("last {used} of {all} tokens"),
            (used, all) if used < all => format!("first {used} of {all} tokens"),
            (_, all) => format!("{all} tokens"),
        }
    }

    /// What computes.
    pub(super) fn badge(&self) -> String {
        match (&self.lab.device, &self.lab.fault) {
            (_, Some(_)) => "Nothing computes".to_owned(),
            (Some(name), None) => name.clone(),
            (None, None) => "Starting".to_owned(),
        }
    }

    fn compute_menu(&self, ui: &mut Ui, style: &Style, phone: bool, actions: &mut Vec<Action>) {
        let badge = self.badge();
        let colour = match (&self.lab.device, &self.lab.fault) {
            (_, Some(_)) => style.bad,
            (Some(_), None) => style.good,
            (None, None) => style.secondary,
        };
        let words = if phone { short(&badge) } else { badge.as_str() };
        let button = dotted(ui, style, words, colour, &format!("What computes: {badge}"));
        egui::Popup::menu(&button).show(|ui| {
            ui.set_max_width(style.grid(40.0));
            ui.label(quiet(style, "Compute on"));
            if ui.radio(self.compute == Compute::Cpu, "the processor").clicked() {
                actions.push(Action::Compute(Compute::Cpu));
            }
            let gpu = egui::RadioButton::new(self.compute == Compute::Gpu, "the GPU");
            if ui.add_enabled(self.gpu.is_ok(), gpu).clicked() {
                actions.push(Action::Compute(Compute::Gpu));
            }
            if let Err(reason) = &self.gpu {
                ui.label(quiet(style, format!("{reason}.")));
            }
            ui.separator();
            let (runs, compiles) = (self.lab.runs, self.lab.compiles);
            ui.label(quiet(style, format!("{badge}\n{runs} runs with {compiles} plans compiled")));
        });
    }

    fn model_menu(&mut self, ui: &mut Ui, style: &Style, actions: &mut Vec<Action>) {
        let state = weights(&self.zoo, &self.inputs.model);
        let name = model::title(&self.zoo, &self.inputs.model);
        let words = match &state {
            Weights::Loading { .. } => format!("{name} {}", state.percent()),
            Weights::Failed(_) => format!("{name}: failed"),
            Weights::Absent => format!("{name}: not loaded"),
            Weights::Ready => name,
        };
        let button = drop_down(ui, style, &words, "The model");
        egui::Popup::menu(&button).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.set_min_width(style.grid(36.0));
            model::menu(ui, style, &self.zoo, &self.inputs.model, &mut self.address, actions);
        });
    }
}

/// "CPU" of "CPU: 8 threads".
fn short(badge: &str) -> &str {
    badge.split(':').next().unwrap_or(badge)
}

fn arrangements(ui: &mut Ui, actions: &mut Vec<Action>) {
    for (name, preset) in [
        ("Side by side", Preset::Row),
        ("Below each other", Preset::Column),
        ("Wall", Preset::Wall),
        ("Tabs", Preset::Tabs),
    ] {
        if ui.button(name).clicked() {
            actions.push(Action::Arrange(preset));
        }
    }
    ui.separator();
    if ui
        .button("The headline exhibits")
        .on_hover_text("Five exhibits on a wall, as the page began.")
        .clicked()
    {
        actions.push(Action::Headlines);
    }
    if ui.button("Add an exhibit").clicked() {
        actions.push(Action::Gallery);
    }
}

/// A quiet button with words and an arrow that points down.
fn drop_down(ui: &mut Ui, style: &Style, words: &str, name: &str) -> egui::Response {
    let arrow = style.grid(1.5);
    // On a phone a model's name may be longer than what the program's leaves of the line.
    let most = ui.available_width() - arrow - style.grid(2.0);
    let job =
        egui::text::LayoutJob::simple_singleline(words.to_owned(), style.regular(style.body), style.text);
    let galley = egui::WidgetText::from(job).into_galley(
        ui,
        Some(egui::TextWrapMode::Truncate),
        most,
        egui::TextStyle::Body,
    );
    let size = egui::vec2(galley.size().x + arrow + style.grid(2.0), style.grid(3.5));
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{name}: {words}")));
    lit(ui, style, &response);
    let at = egui::pos2(rect.left() + style.grid(0.75), rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, style.text);
    let arrow = egui::Rect::from_center_size(
        egui::pos2(rect.right() - style.grid(1.0), rect.center().y),
        egui::Vec2::splat(0.8 * arrow),
    );
    paint(ui, Icon::Down, arrow, style.secondary, style.scale);
    response.on_hover_text(name)
}

/// A quiet button with a dot of colour before its words.
fn dotted(ui: &mut Ui, style: &Style, words: &str, colour: egui::Color32, name: &str) -> egui::Response {
    let galley = ui.painter().layout_no_wrap(words.to_owned(), style.regular(style.caption), style.secondary);
    let size = egui::vec2(galley.size().x + style.grid(3.0), style.grid(3.5));
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    lit(ui, style, &response);
    ui.painter().circle_filled(
        rect.left_center() + egui::vec2(style.grid(1.0), 0.0),
        style.grid(0.45),
        colour,
    );
    let at = egui::pos2(rect.left() + style.grid(2.0), rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, style.secondary);
    response.on_hover_text(name)
}

fn letter_button(ui: &mut Ui, style: &Style, letter: &str, name: &str) -> bool {
    let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(style.grid(3.5)), egui::Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    lit(ui, style, &response);
    let font = style.semibold(style.body);
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, letter, font, style.secondary);
    response.on_hover_text(name).clicked()
}

fn lit(ui: &Ui, style: &Style, response: &egui::Response) {
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(response.rect, style.grid(0.75), style.hairline);
    }
}
