//! Circles around a place of a picture, whose rims can be dragged.

use egui::{Align2, Color32, Pos2, Rect, Role, Sense, Shape, Stroke, Vec2, WidgetInfo, pos2};

use super::Style;

/// A circle.
#[derive(Clone, Debug)]
pub struct Circle {
    /// What its radius is, in words.
    pub name: String,
    /// What stands beside its handle.
    pub label: String,
    /// Which of the hues it has.
    pub hue: usize,
    /// Its radius, in sides of the picture.
    pub radius: f32,
    /// How thick its rim is, from -1 to 1; below 0 it is dashed.
    pub strength: f32,
}

/// Circles around one place of a picture.
pub struct Circles<'a> {
    /// Where the picture is.
    pub rect: Rect,
    /// The place: column and row from 0 to 1.
    pub centre: [f32; 2],
    /// The circles, each drawn over those before it.
    pub circles: &'a [Circle],
    /// Whether their rims can be dragged.
    pub drags: bool,
}

/// What the pointer does to circles.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// What it is on, in words.
    pub words: Option<String>,
    /// Which circle is dragged, and its new radius in sides of the picture.
    pub dragged: Option<(usize, f32)>,
}

impl Circles<'_> {
    /// Draws them over the picture.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Moved {
        let mut moved = Moved::default();
        for i in 0..self.circles.len() {
            self.rim(ui, style, i);
        }
        for i in 0..self.circles.len() {
            self.handle(ui, style, i, &mut moved);
        }
        moved
    }

    fn centre(&self) -> Pos2 {
        self.rect.min + self.rect.size() * Vec2::from(self.centre)
    }

    /// The direction of a handle: each its own, so that they do not lie over each other.
    fn direction(&self, i: usize) -> Vec2 {
        // Towards the farther sides of the picture, where there is room.
        let towards = |at: f32| if at > 0.5 { -1.0 } else { 1.0 };
        let turn = (0.3 + 0.9 * (i as f32 + 0.5) / self.circles.len().max(1) as f32).clamp(0.3, 1.2);
        Vec2::new(turn.cos() * towards(self.centre[0]), turn.sin() * towards(self.centre[1]))
    }

    /// The line itself, on a ground that is seen on any picture.
    fn rim(&self, ui: &egui::Ui, style: &Style, i: usize) {
        let (it, painter) =
            (&self.circles[i], ui.painter().with_clip_rect(self.rect.intersect(ui.clip_rect())));
        let (centre, radius) = (self.centre(), it.radius * self.rect.width());
        let width = (1.0 + 3.0 * it.strength.abs().min(1.0)) * style.scale;
        let point = |k: usize| centre + radius * Vec2::angled(std::f32::consts::TAU * k as f32 / 128.0);
        let points: Vec<Pos2> = (0..=128).map(point).collect();
        let ground = Stroke::new(width + 2.0 * style.scale, shade(style));
        let stroke = Stroke::new(width, style.hue(it.hue));
        if it.strength < 0.0 {
            let dashes = |stroke| Shape::dashed_line(&points, stroke, style.grid(1.0), style.grid(0.75));
            painter.extend(dashes(ground));
            painter.extend(dashes(stroke));
        } else {
            painter.circle_stroke(centre, radius, ground);
            painter.circle_stroke(centre, radius, stroke);
        }
    }

    /// Where the handle of a circle is: on its rim, or at the picture's edge where the rim lies beyond; never on the centre.
    fn place(&self, style: &Style, i: usize) -> Pos2 {
        let (towards, inside) = (self.direction(i), self.rect.shrink(style.grid(1.25)));
        let centre = self.centre();
        let beyond = |along: usize| {
            let side = if towards[along] > 0.0 { inside.max[along] } else { inside.min[along] };
            (side - centre[along]) / towards[along]
        };
        let most = beyond(0).min(beyond(1)).max(0.0);
        let radius = (self.circles[i].radius * self.rect.width()).max(style.grid(1.5));
        centre + towards * radius.min(most)
    }

    /// The handle, which also answers to the rim under the pointer, and to arrow keys where it has the focus.
    fn handle(&self, ui: &mut egui::Ui, style: &Style, i: usize, moved: &mut Moved) {
        let (it, at, radius) = (&self.circles[i], self.place(style, i), style.grid(0.75));
        let away = |pos: Pos2| (pos - self.centre()).length() / self.rect.width();
        let mut room = Rect::from_center_size(at, Vec2::splat(4.0 * radius));
        let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|it| self.rect.contains(*it));
        let near = |pos: &Pos2| (away(*pos) - it.radius).abs() * self.rect.width() < style.grid(0.75);
        if let Some(pos) = pointer.filter(near) {
            room = Rect::from_center_size(pos, Vec2::splat(2.0 * radius));
        }
        let sense = if self.drags { Sense::drag() | Sense::FOCUSABLE } else { Sense::hover() };
        let response = ui.interact(room, ui.scope_id().with(("circle", i)), sense);
        let lit = self.drags && (response.hovered() || response.dragged() || response.has_focus());
        let edge = Stroke::new(2.0 * style.scale, if lit { style.accent } else { style.surface });
        ui.painter().circle(at, if lit { 1.3 * radius } else { radius }, style.hue(it.hue), edge);
        self.label(ui, style, i, at);
        if response.dragged()
            && let Some(pos) = response.interact_pointer_pos()
        {
            moved.dragged = Some((i, away(pos)));
        } else if response.has_focus() {
            moved.dragged = pressed(ui, &response).map(|step| (i, (it.radius + 0.01 * step).max(0.0)));
        }
        if lit {
            moved.words = Some(format!("{}: drag the rim", it.name));
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &it.name));
        if self.drags {
            response.on_hover_cursor(egui::CursorIcon::Grab);
        }
    }

    /// What stands beside a handle, on a ground of its own; nothing where the picture is small.
    fn label(&self, ui: &egui::Ui, style: &Style, i: usize, at: Pos2) {
        if self.rect.width() < style.grid(22.0) {
            return;
        }
        let (it, font) = (&self.circles[i], style.semibold(style.caption));
        let words = ui.painter().layout_no_wrap(it.label.clone(), font, style.text);
        let gap = style.grid(1.5);
        let right = at.x + gap + words.size().x < self.rect.right();
        let (x, anchor) =
            if right { (at.x + gap, Align2::LEFT_CENTER) } else { (at.x - gap, Align2::RIGHT_CENTER) };
        let place = anchor.anchor_size(pos2(x, at.y), words.size());
        // On a small picture neither side has room for all of it: then it lies over the rim.
        let cut = (self.rect.left() + style.grid(0.5) - place.left()).max(0.0);
        let place = place.translate(Vec2::new(cut, 0.0));
        ui.painter().rect_filled(place.expand2(Vec2::new(style.grid(0.5), 0.0)), 3.0, shade(style));
        ui.painter().galley(place.min, words, style.text);
    }
}

/// What lines and words stand out from, on any picture.
fn shade(style: &Style) -> Color32 {
    style.surface.gamma_multiply(0.8)
}

/// By how many steps arrow keys change a radius.
fn pressed(ui: &egui::Ui, response: &egui::Response) -> Option<f32> {
    let keys = [egui::Key::ArrowLeft, egui::Key::ArrowDown, egui::Key::ArrowRight, egui::Key::ArrowUp];
    let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|it| it.set_focus_lock_filter(response.id, filter));
    let [left, down, right, up] = keys.map(|key| ui.input(|it| it.num_presses(key)) as f32);
    let step = right + up - left - down;
    (step != 0.0).then_some(step)
}
