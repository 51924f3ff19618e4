//! Icons as strokes, so that they are sharp at every size and take the colour of text.

use std::f32::consts::{PI, TAU};

use egui::{Color32, Pos2, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use crate::ui::Style;

/// What an icon shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Icon {
    Close,
    Maximise,
    Restore,
    More,
    Undo,
    Redo,
    Share,
    Down,
}

/// A quiet button with an icon. `name` is its tooltip and what a screen reader says.
pub(super) fn icon_button(ui: &mut Ui, style: &Style, icon: Icon, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(style.grid(3.5)), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    let lit = enabled && (response.hovered() || response.has_focus());
    if lit {
        ui.painter().rect_filled(rect, style.grid(0.75), style.hairline);
    }
    let colour = match (enabled, lit) {
        (false, _) => style.secondary.gamma_multiply(0.4),
        (true, false) => style.secondary,
        (true, true) => style.text,
    };
    paint(
        ui,
        icon,
        Rect::from_center_size(rect.center(), Vec2::splat(style.grid(1.75))),
        colour,
        style.scale,
    );
    response.on_hover_text(name)
}

/// Paints `icon` into `rect`.
pub(super) fn paint(ui: &Ui, icon: Icon, rect: Rect, colour: Color32, scale: f32) {
    let stroke = Stroke::new(1.5 * scale, colour);
    let at = |x: f32, y: f32| pos2(egui::lerp(rect.x_range(), x), egui::lerp(rect.y_range(), y));
    let line = |points: &[Pos2]| {
        ui.painter().line(points.to_vec(), stroke);
    };
    match icon {
        Icon::Close => {
            line(&[at(0.15, 0.15), at(0.85, 0.85)]);
            line(&[at(0.85, 0.15), at(0.15, 0.85)]);
        }
        Icon::Maximise => {
            line(&[at(0.6, 0.1), at(0.9, 0.1), at(0.9, 0.4)]);
            line(&[at(0.4, 0.9), at(0.1, 0.9), at(0.1, 0.6)]);
            line(&[at(0.9, 0.1), at(0.58, 0.42)]);
            line(&[at(0.1, 0.9), at(0.42, 0.58)]);
        }
        Icon::Restore => {
            line(&[at(0.58, 0.12), at(0.58, 0.42), at(0.88, 0.42)]);
            line(&[at(0.42, 0.88), at(0.42, 0.58), at(0.12, 0.58)]);
            line(&[at(0.58, 0.42), at(0.92, 0.08)]);
            line(&[at(0.42, 0.58), at(0.08, 0.92)]);
        }
        Icon::More => {
            for x in [0.15, 0.5, 0.85] {
                ui.painter().circle_filled(at(x, 0.5), 1.6 * scale, colour);
            }
        }
        Icon::Undo => turn(ui, rect, stroke, false),
        Icon::Redo => turn(ui, rect, stroke, true),
        Icon::Share => {
            line(&[at(0.5, 0.62), at(0.5, 0.05)]);
            line(&[at(0.28, 0.25), at(0.5, 0.05), at(0.72, 0.25)]);
            line(&[
                at(0.3, 0.45),
                at(0.12, 0.45),
                at(0.12, 0.95),
                at(0.88, 0.95),
                at(0.88, 0.45),
                at(0.7, 0.45),
            ]);
        }
        Icon::Down => line(&[at(0.2, 0.38), at(0.5, 0.68), at(0.8, 0.38)]),
    }
}

/// Three quarters of a circle with an arrow head.
fn turn(ui: &Ui, rect: Rect, stroke: Stroke, clockwise: bool) {
    let side = if clockwise { -1.0 } else { 1.0 };
    let centre = rect.center() + vec2(0.0, 0.08 * rect.height());
    let radius = 0.38 * rect.width();
    let on_circle = |t: f32| {
        let angle = PI + t * 0.75 * TAU;
        centre + radius * vec2(side * angle.cos(), angle.sin())
    };
    ui.painter().line((0..=20).map(|i| on_circle(i as f32 / 20.0)).collect(), stroke);
    let tip = on_circle(0.0);
    let barb = 0.26 * rect.width();
    ui.painter()
        .line(vec![tip + vec2(-side * barb, -0.8 * barb), tip, tip + vec2(side * barb, -0.8 * barb)], stroke);
}
