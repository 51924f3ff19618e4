//! A page on the screen: its panels with their titles, and tabs for what found no room.

use egui::{Rect, RichText, Ui, UiBuilder, pos2, vec2};

use super::arrange::{arrange, content};
use super::{Difference, Map, Page, Panel, Picture, Scene, Touch};
use crate::ui::Style;

/// How a page is looked at, and what was on it.
#[derive(Clone, Default)]
pub struct View {
    /// The panel that was asked for where not all find room.
    pub front: Option<&'static str>,
    /// Whether the essential panel is all that is shown.
    pub alone: bool,
    /// What is taken away from one of the panels.
    pub minus: Option<Difference>,
    /// The panels as of the last frame, and the map of each that shows one.
    pub panels: Vec<(&'static str, Option<Map>)>,
    /// Where the essential panels are, title included, as of the last frame.
    pub essential: Option<Rect>,
}

/// Draws a panel whose picture is the exhibit's own ([`Picture::Own`]) into the room that is available.
type DrawOwn<'a> = &'a mut dyn FnMut(&str, &mut Ui, &mut Scene<'_>);

/// Shows a page in `rect`; what somebody did to its panels.
pub fn show(
    page: &Page,
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    rect: Rect,
    view: &mut View,
    own: DrawOwn<'_>,
) -> Vec<(&'static str, Touch)> {
    let (style, alone) = (scene.style, view.alone);
    view.panels = page.panels().iter().map(|it| (it.name, it.picture.map().cloned())).collect();
    let front = &mut view.front;
    *front = front.filter(|it| view.panels.iter().any(|panel| panel.0 == *it));
    // A card has a title of its own.
    let bare = alone.then(|| page.bare());
    let mut arranged = arrange(bare.as_ref().unwrap_or(page), style, rect, *front, alone);
    if !arranged.hidden.is_empty() && !alone {
        let bar = 2.6 * style.caption;
        let above = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - bar));
        arranged = arrange(page, style, above, *front, false);
        let below = Rect::from_min_max(pos2(rect.left(), above.bottom()), rect.max);
        tabs(ui, style, page, &arranged.hidden, front, below);
    }
    let mut touches = vec![];
    let single = arranged.placed.len() == 1;
    let rank = page.essential().map(|it| it.rank);
    view.essential = None;
    for (panel, mut place) in arranged.placed {
        let mut panel = page.panels().into_iter().find(|it| it.name == panel.name).cloned().unwrap_or(panel);
        if let Some(minus) = &view.minus {
            panel = minus.from(panel);
        }
        if alone {
            panel.note = None;
            place = if single { rect } else { place };
        }
        if Some(panel.rank) == rank {
            view.essential = Some(view.essential.map_or(place, |it| it.union(place)));
        }
        touches.extend(one(ui, scene, &panel, place, alone, own).map(|it| (panel.name, it)));
    }
    touches
}

/// One panel: its title, its note and the picture; what was done to that.
fn one(
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    panel: &Panel,
    place: Rect,
    bare: bool,
    own: DrawOwn<'_>,
) -> Option<Touch> {
    let style = scene.style;
    let inside = if bare { place } else { content(panel, style, place) };
    let above = Rect::from_min_max(place.min, pos2(place.right(), inside.top()));
    // Children of their own: a scope would move the cursor of the tile.
    let mut words = ui.new_child(UiBuilder::new().max_rect(above).id_salt((panel.name, "title")));
    words.spacing_mut().item_spacing.y = 0.0;
    words.shrink_clip_rect(above);
    if !panel.title.is_empty() && !bare {
        let whole =
            words.painter().layout_no_wrap(panel.title.clone(), style.semibold(style.body), style.text);
        // A long one is written smaller before it is cut.
        let size = if whole.size().x > above.width() { style.caption } else { style.body };
        let title = RichText::new(&panel.title).font(style.semibold(size)).color(style.text);
        words.add(egui::Label::new(title).truncate());
    }
    if let Some(note) = panel.note.as_ref().filter(|it| !it.is_empty()) {
        let note = RichText::new(note).font(style.regular(style.caption)).color(style.accent);
        words.add(egui::Label::new(note).truncate());
    }
    let inside = if panel.told && !bare { told(panel, ui, style, inside) } else { inside };
    let inside = used(panel, style, inside);
    let mut room = ui.new_child(UiBuilder::new().max_rect(inside).id_salt(panel.name));
    room.shrink_clip_rect(inside.expand(style.grid(0.5)));
    if matches!(panel.picture, Picture::Own) {
        own(panel.name, &mut room, scene);
        return None;
    }
    panel.picture.draw(&panel.title, &mut room, scene)
}

/// Writes the words below a picture; the room above them. They have four lines where there are fewer, so that pictures beside
/// each other end at one height.
fn told(panel: &Panel, ui: &Ui, style: &Style, room: Rect) -> Rect {
    let font = style.regular(style.caption);
    let words = ui.painter().layout(panel.about.clone(), font, style.secondary, room.width());
    let high = words.size().y.max(5.2 * style.caption);
    let at = pos2(room.left(), room.bottom() - high);
    ui.painter().galley(at, words, style.secondary);
    Rect::from_min_max(room.min, pos2(room.right(), at.y - style.grid(1.0)))
}

/// What a panel of a certain shape can use of its room, in the middle of it.
fn used(panel: &Panel, style: &Style, room: Rect) -> Rect {
    let Some(aspect) = panel.room.aspect else { return room };
    let [beside, below] = panel.room.around.map(|it| it * style.scale);
    let width = (room.height() - below).max(0.0) * aspect + beside;
    let width = width.max(style.grid(24.0)).min(room.width());
    Rect::from_center_size(room.center(), vec2(width, room.height()))
}

/// What found no room, a click away.
fn tabs(
    ui: &mut Ui,
    style: &Style,
    page: &Page,
    hidden: &[Panel],
    front: &mut Option<&'static str>,
    rect: Rect,
) {
    let Some(essential) = page.essential() else { return };
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("panels"));
    egui::ScrollArea::horizontal().id_salt("panels").auto_shrink(false).show(&mut ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = style.grid(0.5);
            ui.spacing_mut().interact_size.y = 2.0 * style.caption;
            ui.spacing_mut().button_padding.y = style.grid(0.25);
            for name in std::iter::once(essential.name).chain(hidden.iter().map(|it| it.name)) {
                let lit = front.unwrap_or(essential.name) == name;
                let words = RichText::new(name).font(style.regular(style.caption));
                if ui.selectable_label(lit, words).clicked() {
                    *front = (name != essential.name).then_some(name);
                }
            }
        });
    });
}
