//! What the keys do: one table, from which the cheat-sheet is drawn.

use egui::{Key, Modifiers};

use super::action::Action;
use crate::ui::Style;

/// What one key does.
pub(super) struct Shortcut {
    press: Press,
    /// The key, as it is printed on keyboards.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) words: &'static str,
    action: Action,
}

/// How a key is recognised.
enum Press {
    /// By what it types, which is independent of the keyboard's layout.
    Types(&'static str),
    /// By itself.
    Is(Key),
    /// Together with Ctrl, or Cmd on a Mac.
    Command(Key),
    /// Together with Ctrl and Shift.
    CommandShift(Key),
    /// One of these together with Ctrl, also while a text is edited.
    Zoom(&'static [Key]),
}

use Press::{Command, CommandShift, Is, Types, Zoom};

/// Every shortcut. Those with a modifier more come first, for fewer modifiers match them too.
pub(super) static SHORTCUTS: [Shortcut; 21] = [
    key(Types("/"), "/", "edit the sentence", Action::EditText),
    key(Is(Key::ArrowUp), "Up", "query token before", Action::Walk { query: -1, key: 0 }),
    key(Is(Key::ArrowDown), "Down", "query token after", Action::Walk { query: 1, key: 0 }),
    key(Is(Key::ArrowLeft), "Left", "key token before", Action::Walk { query: 0, key: -1 }),
    key(Is(Key::ArrowRight), "Right", "key token after", Action::Walk { query: 0, key: 1 }),
    key(Types("["), "[", "head before", Action::Head(-1)),
    key(Types("]"), "]", "head after", Action::Head(1)),
    key(Types("{"), "{", "layer before", Action::Layer(-1)),
    key(Types("}"), "}", "layer after", Action::Layer(1)),
    key(Is(Key::Escape), "Esc", "release what is locked, close what is open", Action::Release),
    key(Types("r"), "R", "try again what failed", Action::Retry),
    key(Types("g"), "G", "gallery of exhibits", Action::Gallery),
    key(CommandShift(Key::Z), "Ctrl Shift Z", "redo", Action::Redo),
    key(Command(Key::Y), "Ctrl Y", "redo", Action::Redo),
    key(Command(Key::Z), "Ctrl Z", "undo", Action::Undo),
    key(Command(Key::L), "Ctrl L", "copy a link to what you see", Action::Share),
    // On many keyboards the plus shares its key with the equals sign, and nobody wants to hold Shift, too.
    key(Zoom(&[Key::Plus, Key::Equals]), "Ctrl +", "larger", Action::Resize(1)),
    key(Zoom(&[Key::Minus]), "Ctrl -", "smaller", Action::Resize(-1)),
    key(Zoom(&[Key::Num0]), "Ctrl 0", "the usual size", Action::Resize(0)),
    key(Types("?"), "?", "this list", Action::Help),
    key(Is(Key::F1), "F1", "this list", Action::Help),
];

const fn key(press: Press, name: &'static str, words: &'static str, action: Action) -> Shortcut {
    Shortcut { press, name, words, action }
}

/// `words` with the keys as they are called on this machine: Ctrl is Cmd on a Mac.
pub(super) fn local(ctx: &egui::Context, words: &str) -> String {
    if ctx.os().is_mac() { words.replace("Ctrl", "Cmd") } else { words.to_owned() }
}

/// What the keys of this frame ask for. While a text is edited, only those count that mean nothing to it. `zooms`: what
/// is around the app, a browser, changes the size by the same keys.
pub(super) fn pressed(ctx: &egui::Context, zooms: bool) -> Vec<Action> {
    let typing = ctx.text_edit_focused();
    let navigating = ctx.egui_wants_keyboard_input();
    let mut actions = vec![];
    ctx.input_mut(|input| {
        for it in &SHORTCUTS {
            let hit = match it.press {
                Types(text) => {
                    !typing && input.events.iter().any(|it| *it == egui::Event::Text(text.to_owned()))
                }
                // A focused widget, such as a slider, has the arrows for itself.
                Is(key) => !navigating && input.consume_key(Modifiers::NONE, key),
                Command(key) => !typing && input.consume_key(Modifiers::COMMAND, key),
                CommandShift(key) => !typing && input.consume_key(Modifiers::COMMAND | Modifiers::SHIFT, key),
                Zoom(keys) => !zooms && keys.iter().any(|key| input.consume_key(Modifiers::COMMAND, *key)),
            };
            if hit {
                actions.push(it.action.clone());
            }
        }
    });
    actions
}

/// The cheat-sheet; whether it should close.
pub(super) fn sheet(ctx: &egui::Context, style: &Style) -> bool {
    let modal = egui::Modal::new(egui::Id::unique("cheat-sheet")).show(ctx, |ui| {
        ui.set_max_width(style.grid(48.0).min(ui.ctx().content_rect().width() - style.grid(6.0)));
        ui.label(egui::RichText::new("Keys").font(style.semibold(style.title)).color(style.text));
        ui.add_space(style.grid(1.0));
        egui::Grid::new("keys").num_columns(2).spacing([style.grid(3.0), style.grid(1.0)]).show(ui, |ui| {
            for it in &SHORTCUTS {
                let name = local(ui, it.name);
                ui.label(egui::RichText::new(name).font(style.mono(style.caption)).color(style.accent));
                ui.label(egui::RichText::new(it.words).color(style.text));
                ui.end_row();
            }
        });
        ui.add_space(style.grid(1.0));
        let mouse = "Hover to preview, click to lock. Drag a tile by its title; double-click the title to let it \
                     cover the others. Drop a model's files anywhere.";
        ui.label(egui::RichText::new(mouse).font(style.regular(style.caption)).color(style.secondary));
    });
    modal.should_close()
}
