//! One tile: the label on the wall, the picture, the knobs under it, and the measured claims.

use egui::{Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, Vec2, vec2};

use super::action::{Action, Format, OnModel, OnTile};
use super::icon::{Icon, icon_button};
use super::layout::Place;
use super::stage::{Pane, Stage, ground};
use super::states::{self, Condition};
use crate::exhibits::Scene;
use crate::ui::card;

/// The picture is at least this high, in steps of the grid; what does not fit scrolls.
const LEAST: f32 = 48.0;

/// Draws a tile; whether somebody began to drag it by its title.
pub(super) fn show(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &mut Pane) -> bool {
    let rect = ui.max_rect();
    ground(ui, stage.style, rect);
    let padding = stage.style.grid(2.0);
    let inside = rect.shrink(padding);
    let mut dragged = false;
    ui.scope_builder(UiBuilder::new().max_rect(inside).id_salt(id), |ui| {
        ui.shrink_clip_rect(rect.shrink(1.0));
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            dragged = label(stage, ui, id, pane);
            body(stage, ui, id, pane, inside.height());
        });
    });
    dragged
}

/// The label on the wall with the tile's buttons; whether a drag began there.
fn label(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &Pane) -> bool {
    let style = stage.style;
    let top = ui.available_rect_before_wrap();
    let buttons = vec2(style.grid(11.0), style.grid(3.5));
    ui.scope(|ui| {
        ui.set_max_width(top.width() - buttons.x);
        card(ui, style, pane.exhibit.card());
    });
    // Above the card's own widgets, so that the title is a handle.
    let handle = Rect::from_min_size(top.min, vec2(top.width() - buttons.x, 1.4 * style.title));
    let handle = ui.interact(handle, ui.scope_id().with("handle"), Sense::click_and_drag());
    if handle.double_clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Maximise));
    }
    let corner = Rect::from_min_size(top.right_top() - vec2(buttons.x, 0.0), buttons);
    let corner = UiBuilder::new().max_rect(corner).layout(egui::Layout::right_to_left(egui::Align::Center));
    // A child of its own: a scope there would move the cursor up, beside the label.
    self::buttons(stage, &mut ui.new_child(corner), id);
    handle.drag_started()
}

fn buttons(stage: &mut Stage<'_>, ui: &mut Ui, id: u64) {
    let style = stage.style;
    ui.spacing_mut().item_spacing.x = style.grid(0.25);
    if icon_button(ui, style, Icon::Close, "Close this tile").clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Close));
    }
    let (icon, name) = if stage.maximised {
        (Icon::Restore, "Show all tiles again")
    } else {
        (Icon::Maximise, "Let this tile cover the others")
    };
    if icon_button(ui, style, icon, name).clicked() {
        stage.actions.push(Action::Tile(id, OnTile::Maximise));
    }
    let more = icon_button(ui, style, Icon::More, "Export, duplicate");
    egui::Popup::menu(&more).show(|ui| {
        for (name, what) in [
            ("Save as SVG", OnTile::Export(Format::Svg)),
            ("Save as PNG", OnTile::Export(Format::Png)),
            ("Save the numbers as CSV", OnTile::Export(Format::Csv)),
            ("Duplicate to the right", OnTile::Duplicate(Place::Right)),
            ("Duplicate below", OnTile::Duplicate(Place::Below)),
            ("Duplicate as a tab", OnTile::Duplicate(Place::Tab)),
        ] {
            if what == OnTile::Duplicate(Place::Right) {
                ui.separator();
            }
            if ui.button(name).clicked() {
                stage.actions.push(Action::Tile(id, what));
            }
        }
    });
}

/// Everything below the label.
fn body(stage: &mut Stage<'_>, ui: &mut Ui, id: u64, pane: &mut Pane, height: f32) {
    let style = stage.style;
    let condition = Condition::of(stage, id, pane);
    condition.strip(stage, ui, id);
    ui.add_space(style.grid(1.0));
    let above = ui.cursor().top() - ui.max_rect().top();
    let free = height - above - pane.below;
    let size = vec2(ui.available_width(), free.max(style.grid(LEAST)));
    let trace = pane.trace(id, stage.lab);
    let Some(trace) = trace else { return condition.instead(stage, ui, id, size) };
    let mut pick = false;
    let mut scene = stage.scene(&trace, &mut pick);
    let (rect, shown) = picture(ui, pane, &mut scene, size);
    condition.veil(stage, ui, rect, pane);
    let bottom = ui.min_rect().bottom();
    if !shown {
        states::missing(ui, style, rect);
    }
    ui.add_space(style.grid(1.0));
    let mut scene = stage.scene(&trace, &mut pick);
    pane.exhibit.controls(ui, &mut scene);
    if pick {
        stage.actions.push(Action::Model(OnModel::Pick));
    }
    stage.checks.show(ui, style, pane.exhibit.as_ref(), stage.compute);
    if pane.below == 0.0 {
        ui.request_discard("the height below the picture is known now");
    }
    pane.below = ui.min_rect().bottom() - bottom;
}

/// The picture; where it is, and whether there was anything to show.
fn picture(ui: &mut Ui, pane: &mut Pane, scene: &mut Scene<'_>, size: Vec2) -> (Rect, bool) {
    let rect = Rect::from_min_size(ui.cursor().min, size);
    let builder = UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Min));
    let shown = ui.scope_builder(builder, |ui| {
        ui.set_min_size(size);
        pane.exhibit.view(ui, scene).is_some()
    });
    (shown.response.rect, shown.inner)
}

/// Words in the colour of what explains.
pub(super) fn quiet(style: &crate::ui::Style, words: impl Into<String>) -> RichText {
    RichText::new(words).font(style.regular(style.caption)).color(style.secondary)
}
