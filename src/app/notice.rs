//! Short messages under the top bar. Bad news stays until somebody has read it.

use super::icon::{Icon, icon_button};
use crate::ui::Style;

/// Seconds that good news stays.
const STAY: f64 = 3.0;

/// Short messages under the top bar.
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
        egui::Panel::top("notices").show_separator_line(false).frame(egui::Frame::new()).show(ui, |ui| {
            self.0.retain(|notice| !banner(ui, style, notice));
        });
        if let Some(until) = self.0.iter().filter_map(|it| it.until).reduce(f64::min) {
            ui.request_repaint_after_secs((until - now) as f32);
        }
    }
}

/// One message; whether it was dismissed.
fn banner(ui: &mut egui::Ui, style: &Style, notice: &Notice) -> bool {
    let colour = if notice.until.is_none() { style.bad } else { style.accent };
    let margin = egui::Margin::symmetric(style.grid(2.0) as i8, style.grid(0.5) as i8);
    let frame = egui::Frame::new().fill(style.surface).inner_margin(margin);
    let inner = frame.show(ui, |ui| {
        egui::Sides::new().shrink_left().show(
            ui,
            |ui| {
                let (dot, _) =
                    ui.allocate_exact_size(egui::Vec2::splat(style.grid(1.0)), egui::Sense::hover());
                ui.painter().circle_filled(dot.center(), style.grid(0.4), colour);
                ui.add(egui::Label::new(egui::RichText::new(&notice.words).color(style.text)).wrap());
            },
            |ui| icon_button(ui, style, Icon::Close, "Dismiss").clicked(),
        )
    });
    let rect = inner.response.rect;
    ui.painter().hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, style.hairline));
    inner.inner.1
}
