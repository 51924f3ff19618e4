//! Short messages over the corner below the top bar, where they move nothing. Bad news stays until somebody has read it.

use super::icon::{Icon, icon_button};
use crate::ui::Style;

/// Seconds that good news stays.
const STAY: f64 = 3.0;

/// Short messages over the corner below the top bar.
#[derive(Default)]
pub(super) struct Notices(Vec<Notice>);

struct Notice {
    words: String,
    /// When it goes by itself; `None` for bad news.
    until: Option<f64>,
}

impl Notices {
    /// Good news, which goes by itself.
    pub(super) fn say(&mut self, ctx: &egui::Context, words: impl Into<String>) {
        let until = Some(ctx.input(|it| it.time) + STAY);
        self.add(Notice { words: words.into(), until });
    }

    /// Bad news, which stays.
    pub(super) fn warn(&mut self, words: impl Into<String>) {
        self.add(Notice { words: words.into(), until: None });
    }

    fn add(&mut self, notice: Notice) {
        self.0.retain(|it| it.words != notice.words);
        self.0.push(notice);
    }

    /// Shows what there is to say.
    pub(super) fn show(&mut self, ui: &mut egui::Ui, style: &Style) {
        let now = ui.input(|it| it.time);
        self.0.retain(|it| it.until.is_none_or(|until| until > now));
        if self.0.is_empty() {
            return;
        }
        // What the bar leaves; a panel here would push the tiles down under the pointer.
        let room = ui.available_rect_before_wrap();
        let corner = room.right_top() + style.grid(1.0) * egui::vec2(-1.0, 1.0);
        let area = egui::Area::new(egui::Id::unique("notices")).order(egui::Order::Foreground);
        area.pivot(egui::Align2::RIGHT_TOP).fixed_pos(corner).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = style.grid(0.5);
            let widest = style.grid(56.0).min(room.width() - style.grid(2.0));
            self.0.retain(|notice| !banner(ui, style, notice, widest));
        });
        if let Some(until) = self.0.iter().filter_map(|it| it.until).reduce(f64::min) {
            ui.request_repaint_after_secs((until - now) as f32);
        }
    }
}

/// One message, as wide as its words or `widest`; whether it was dismissed.
fn banner(ui: &mut egui::Ui, style: &Style, notice: &Notice, widest: f32) -> bool {
    let colour = if notice.until.is_none() { style.bad } else { style.accent };
    let margin = egui::Margin::symmetric(style.grid(1.5) as i8, style.grid(0.5) as i8);
    let frame = egui::Frame::new()
        .fill(style.surface)
        .stroke(egui::Stroke::new(1.0, colour))
        .corner_radius(style.grid(0.75))
        .inner_margin(margin);
    // The dot, the button and the gaps take the rest.
    let rest = style.grid(1.0) + style.grid(3.5) + 2.0 * ui.spacing().item_spacing.x;
    let most = widest - margin.sum().x - rest;
    let galley =
        ui.painter().layout(notice.words.clone(), style.regular(style.body), style.text, most.max(0.0));
    let inner = frame.show(ui, |ui| {
        ui.set_width(galley.size().x.ceil() + rest);
        egui::Sides::new().shrink_left().show(
            ui,
            |ui| {
                let (dot, _) =
                    ui.allocate_exact_size(egui::Vec2::splat(style.grid(1.0)), egui::Sense::hover());
                ui.painter().circle_filled(dot.center(), style.grid(0.4), colour);
                let words = egui::RichText::new(&notice.words).font(style.regular(style.body));
                let words = ui.add(egui::Label::new(words.color(style.text)).wrap());
                // A screen reader says it without being led there.
                ui.ctx().accesskit_node_builder(words.id, |it| it.set_live(egui::accesskit::Live::Polite));
            },
            |ui| icon_button(ui, style, Icon::Close, "Dismiss").clicked(),
        )
    });
    inner.inner.1
}
