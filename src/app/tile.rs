//! One tile: the label on the wall, the picture, the knobs under it, and the measured claims.

use egui::{Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, vec2};

use super::action::{Action, Format, OnModel, OnTile};
use super::checks::Of;
use super::icon::{Icon, icon_button};
use super::layout::Place;
use super::stage::{Pane, Stage, ground};
use super::states::{self, Condition};
use crate::exhibits;
use crate::link::Minus;
use crate::page::{Knobs, Scene};
use crate::ui::{Size, card};

/// Draws a tile; whether somebody began to drag it by its title.
pub(super) fn show(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &mut Pane) -> bool {
    // A tile with a cursor of its own sees no other.
    if let Some(own) = &mut pane.own {
        std::mem::swap(own, stage.focus);
    }
    let dragged = whole(stage, ui, id, pane);
    if let Some(own) = &mut pane.own {
        std::mem::swap(own, stage.focus);
        if !own.readout.is_empty() {
            stage.focus.readout = std::mem::take(&mut own.readout);
        }
        if own.turn() {
            ui.request_repaint();
        }
    }
    dragged
}

fn whole(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &mut Pane) -> bool {
    let rect = ui.max_rect();
    ground(ui, stage.style, rect);
    let size = Size::of(rect.size(), stage.style);
    let padding = stage.style.grid(if size == Size::Full { 2.0 } else { 1.25 });
    let inside = rect.shrink(padding);
    (pane.seen.exhibit, pane.seen.size, pane.seen.tile) = (pane.exhibit.card().id, size, rect);
    let mut dragged = false;
    ui.scope_builder(UiBuilder::new().max_rect(inside).id_salt(id), |ui| {
        ui.shrink_clip_rect(rect.shrink(1.0));
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            dragged = label(stage, ui, id, pane, size);
            body(stage, ui, id, pane, inside.height(), size);
        });
    });
    dragged
}

/// The picture is at least this high, in steps of the grid; what does not fit scrolls.
fn least(size: Size) -> f32 {
    match size {
        Size::Card => 8.0,
        Size::Small | Size::Half => 20.0,
        Size::Full => 30.0,
    }
}

/// The label on the wall with the tile's buttons; whether a drag began there.
fn label(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &Pane, size: Size) -> bool {
    let style = stage.style;
    let top = ui.available_rect_before_wrap();
    // What a narrow tile has no room for is in the menu.
    let few = top.width() < 250.0 * style.scale;
    let buttons = vec2(style.grid(if few { 3.75 } else { 11.0 }), style.grid(3.5));
    let room = top.width() - buttons.x - style.grid(1.0);
    let (checks, trace) = (stage.checks, pane.trace(id, stage.lab));
    let of = Of { exhibit: pane.exhibit.as_ref(), trace: trace.as_deref(), compute: stage.compute };
    let mut chip = |ui: &mut Ui| {
        if size < Size::Full {
            checks.chip(ui, style, &of);
        }
    };
    let title = ui.scope(|ui| card(ui, style, pane.exhibit.card(), size, room, &mut chip)).inner;
    // Above the title, so that it is a handle.
    let handle = ui.interact(title, ui.scope_id().with("handle"), Sense::click_and_drag());
    if handle.double_clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Maximise));
    }
    let corner = Rect::from_min_size(top.right_top() - vec2(buttons.x, 0.0), buttons);
    let corner = UiBuilder::new().max_rect(corner).layout(egui::Layout::right_to_left(egui::Align::Center));
    // A child of its own: a scope there would move the cursor up, beside the label.
    self::buttons(stage, &mut ui.new_child(corner), id, pane, few);
    handle.drag_started()
}

fn buttons(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &Pane, few: bool) {
    let style = stage.style;
    ui.spacing_mut().item_spacing.x = style.grid(0.25);
    let close = "Close this tile";
    if !few && icon_button(ui, style, Icon::Close, close).clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Close));
    }
    let (icon, name) = if stage.maximised {
        (Icon::Restore, "Show all tiles again")
    } else {
        (Icon::Maximise, "Let this tile cover the others")
    };
    if !few && icon_button(ui, style, icon, name).clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Maximise));
    }
    let more = icon_button(ui, style, Icon::More, "Export, duplicate");
    egui::Popup::menu(&more).show(|ui| {
        if few {
            for (name, what) in [(name, OnTile::Maximise), (close, OnTile::Close)] {
                if ui.button(name).clicked() {
                    stage.actions.push(Action::Tile(id, what));
                }
            }
            ui.separator();
        }
        let (checks, trace) = (stage.checks, pane.trace(id, stage.lab));
        let of = Of { exhibit: pane.exhibit.as_ref(), trace: trace.as_deref(), compute: stage.compute };
        ui.menu_button(checks.tally(&of), |ui| checks.badges(ui, style, &of));
        let panels: Vec<&'static str> = pane.view.panels.iter().map(|it| it.0).collect();
        for (name, format) in [
            ("Save as SVG", Format::Svg),
            ("Save as PNG", Format::Png),
            ("Save the numbers as CSV", Format::Csv),
            ("Save the numbers as NPY", Format::Npy),
        ] {
            export(stage, ui, id, &panels, name, format);
        }
        ui.separator();
        let (name, words) = match pane.own {
            None => ("A cursor of its own", "What this tile shows follows no other tile."),
            Some(_) => ("Share the cursor", "What this tile shows follows the other tiles again."),
        };
        if ui.button(name).on_hover_text(words).clicked() {
            stage.actions.push(Action::Tile(id, OnTile::Unlink));
        }
        minus(stage, ui, id, pane);
        for (name, place) in [
            ("Duplicate to the right", Place::Right),
            ("Duplicate below", Place::Below),
            ("Duplicate as a tab", Place::Tab),
        ] {
            if ui.button(name).clicked() {
                stage.actions.push(Action::Tile(id, OnTile::Duplicate(place)));
            }
        }
    });
}

/// Takes the map of another tile away from one of these, where both have one shape.
fn minus(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &Pane) {
    if pane.minus.is_some() && ui.button("No difference any more").clicked() {
        stage.actions.push(Action::Minus(id, None));
    }
    let maps = pane.view.panels.iter().filter_map(|(name, map)| Some((*name, map.as_ref()?)));
    let others =
        || stage.maps.iter().filter(|it| it.id != id).flat_map(|it| it.maps.iter().map(move |map| (it, map)));
    let mut offers = vec![];
    for (here, map) in maps {
        for (other, (of, _)) in others().filter(|it| it.1.1 == [map.rows, map.cols]) {
            let minus = Minus { panel: here.to_owned(), tile: other.number, of: (*of).to_owned() };
            offers.push((format!("{here} − {} {}: {of}", other.number, other.title), minus));
        }
    }
    if offers.is_empty() {
        return;
    }
    ui.menu_button("Minus another tile's", |ui| {
        for (words, minus) in offers {
            if ui.button(words).clicked() {
                stage.actions.push(Action::Minus(id, Some(minus)));
            }
        }
    });
}

/// Saves a panel; which of several is asked.
fn export(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, panels: &[&'static str], name: &str, format: Format) {
    let mut save = |ui: &mut Ui, name: &str, panel| {
        if ui.button(name).clicked() {
            stage.actions.push(Action::Tile(id, OnTile::Export(format, panel)));
        }
    };
    match panels {
        [panel] => save(ui, name, *panel),
        _ => drop(ui.menu_button(name, |ui| panels.iter().for_each(|it| save(ui, it, *it)))),
    }
}

/// Everything below the label.
fn body(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &mut Pane, height: f32, size: Size) {
    let style = stage.style;
    let condition = Condition::of(stage, id, pane);
    ui.add_space(style.grid(if size == Size::Full { 1.0 } else { 0.5 }));
    let above = ui.cursor().top() - ui.max_rect().top();
    let free = (height - above - pane.below).max(style.grid(least(size)));
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), free), Sense::hover());
    pane.seen.picture = rect;
    let Some(trace) = pane.trace(id, stage.lab) else { return condition.instead(stage, ui, id, rect) };
    let mut pick = false;
    let mut scene = stage.scene(&trace, &mut pick);
    pane.view.alone = size == Size::Card;
    let shown = exhibits::show(pane.exhibit.as_mut(), ui, &mut scene, rect, &mut pane.view);
    pane.seen.main = pane.view.essential.unwrap_or(Rect::NOTHING);
    condition.veil(stage, ui, rect, pane);
    if !shown {
        states::missing(ui, style, rect, condition.computes());
    }
    condition.strip(stage, ui, id, rect);
    if size > Size::Card {
        ui.add_space(style.grid(0.75));
        let mut scene = stage.scene(&trace, &mut pick);
        knobs(pane, ui, &mut scene, size);
        if size == Size::Full {
            let of = Of { exhibit: pane.exhibit.as_ref(), trace: Some(&*trace), compute: stage.compute };
            stage.checks.show(ui, style, &of);
        }
    }
    if pick {
        stage.actions.push(Action::Model(OnModel::Pick));
    }
    let below = ui.min_rect().bottom() - rect.bottom();
    if (pane.below - below).abs() > 0.5 {
        ui.request_discard("the height below the picture is known now");
    }
    pane.below = below;
}

/// The rows of knobs that there is room for, and the others a click away.
fn knobs(pane: &mut Pane, ui: &mut Ui, scene: &mut Scene<'_>, size: Size) {
    let shown = if size == Size::Full { 2 } else { 1 };
    let compact = size < Size::Full;
    let (rows, mut more) = (pane.rows, None);
    let exhibit = &mut pane.exhibit;
    let top = ui.cursor().min;
    pane.rows = Knobs::draw(
        ui,
        scene,
        (0..shown, compact),
        &mut |ui| {
            if rows > shown {
                more = Some(ui.button("Knobs ▾").on_hover_text("More knobs"));
            }
        },
        |k| exhibit.knobs(k),
    );
    pane.seen.knobs = Rect::from_min_max(top, ui.min_rect().max);
    if let Some(more) = more {
        let popup = egui::Popup::menu(&more).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        popup.show(|ui| {
            ui.set_max_width(scene.style.grid(60.0).min(ui.ctx().content_rect().width() - 24.0));
            Knobs::draw(ui, scene, (shown..rows, true), &mut |_| {}, |k| exhibit.knobs(k));
        });
    }
}

/// Words in the colour of what explains.
pub(super) fn quiet(style: &crate::ui::Style, words: impl Into<String>) -> RichText {
    RichText::new(words).font(style.regular(style.caption)).color(style.secondary)
}
