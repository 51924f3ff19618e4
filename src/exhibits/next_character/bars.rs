//! What comes next, as bars.

use egui::{Align2, Rect, Role, Sense, Stroke, WidgetInfo, pos2, vec2};

use super::NextCharacter;
use super::picture::{Reading, heading, visible};
use super::rule::{probabilities, ranked};
use crate::exhibits::Scene;
use crate::ui::number;

/// How many characters have a bar.
const BARS: usize = 10;

/// Draws the likeliest characters after the lit position, and where they were before heads were switched off.
pub(super) fn show(
    state: &NextCharacter,
    reading: &Reading,
    ui: &mut egui::Ui,
    scene: &mut Scene<'_>,
    height: f32,
) {
    let style = scene.style;
    let at = reading.at(scene.focus.spot());
    let logits = reading.logits(reading.stages() - 1, at);
    let p = state.rule.distribution(logits);
    let before = reading.original(at).map(|it| state.rule.distribution(it));
    let follows = reading.tokens.get(at + 1).map(|it| visible(it));
    let title = match &follows {
        Some(it) => format!("After “{}”: what could follow (it was “{it}”)", visible(&reading.tokens[at])),
        None => "What comes next".to_owned(),
    };
    heading(ui, scene, &title);
    if let Some(original) = reading.original(at) {
        let words = format!(
            "Without {} {} it changes by {} nats (Kullback-Leibler); grey: before.",
            if reading.off.len() == 1 { "head" } else { "heads" },
            reading.off.join(", "),
            number(divergence(original, logits) as f32)
        );
        ui.label(egui::RichText::new(words).color(style.accent).size(style.caption));
    }
    let rows = BARS.min(p.len());
    let free = (height - style.body * 3.4) / rows as f32;
    let row = free.clamp(style.caption * 1.35, style.caption * 2.6);
    let (area, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), row * rows as f32), Sense::hover());
    let longest = p.iter().chain(before.iter().flatten()).copied().fold(1e-9, f64::max);
    let mut aloud = vec![];
    for (i, id) in ranked(logits).into_iter().take(rows).enumerate() {
        let rect = Rect::from_min_size(area.min + vec2(0.0, i as f32 * row), vec2(area.width(), row));
        let word = reading.word(id, state, scene);
        let bar = Bar { word: &word, p: p[id], before: before.as_ref().map(|it| it[id]), longest };
        bar.paint(ui, scene, rect, follows.as_ref() == Some(&word));
        if response.hover_pos().is_some_and(|pos| rect.contains(pos)) {
            scene.focus.readout = bar.words();
        }
        aloud.push(format!("{word} {}", number(p[id] as f32)));
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{title}: {}", aloud.join(", "))));
}

/// One character and how likely it is.
struct Bar<'a> {
    word: &'a str,
    p: f64,
    before: Option<f64>,
    longest: f64,
}

impl Bar<'_> {
    fn paint(&self, ui: &egui::Ui, scene: &Scene<'_>, rect: Rect, follows: bool) {
        let (style, painter) = (scene.style, ui.painter());
        let (left, right) = (rect.left() + style.grid(4.0), rect.right() - style.grid(7.0));
        let length = |p: f64| (right - left) * (p / self.longest) as f32;
        let (ink, font) = (if follows { style.accent } else { style.text }, style.mono(style.body));
        painter.text(
            pos2(left - style.grid(1.0), rect.center().y),
            Align2::RIGHT_CENTER,
            self.word,
            font,
            ink,
        );
        let bar = |top: f32, bottom: f32, p: f64, fill| {
            let from = pos2(left, rect.top() + top * rect.height());
            let to = pos2(left + length(p).max(1.0), rect.top() + bottom * rect.height());
            painter.rect_filled(Rect::from_min_max(from, to), 2.0, fill);
        };
        match self.before {
            None => bar(0.14, 0.86, self.p, style.hue(1)),
            Some(before) => {
                bar(0.08, 0.6, self.p, style.hue(1));
                bar(0.64, 0.9, before, style.secondary.gamma_multiply(0.7));
            }
        }
        let end = left + length(self.p.max(self.before.unwrap_or(0.0)));
        let at = pos2(end + style.grid(1.0), rect.center().y);
        painter.text(
            at,
            Align2::LEFT_CENTER,
            number(self.p as f32),
            style.regular(style.caption),
            style.secondary,
        );
        if follows {
            let y = rect.bottom() - 1.0;
            painter.hline(rect.left()..=left - style.grid(1.0), y, Stroke::new(style.scale, style.accent));
        }
    }

    fn words(&self) -> String {
        let now = format!("“{}” is next with probability {}", self.word, number(self.p as f32));
        self.before.map_or(now.clone(), |it| format!("{now}; with all heads it was {}", number(it as f32)))
    }
}

/// `sum_i p_i log(p_i / q_i)` of two softmaxes: what believing `q` costs where `p` is true, in nats.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (probabilities(p), probabilities(q));
    let term = |(p, q): (&f64, &f64)| if *p > 0.0 { p * (p / q.max(1e-300)).ln() } else { 0.0 };
    p.iter().zip(&q).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::divergence;

    #[test]
    fn divergence_is_that_of_its_formula() {
        let (p, q) = ([0.0, f32::ln(3.0)], [0.0, 0.0]);
        let expected = 0.25 * f64::ln(0.5) + 0.75 * f64::ln(1.5);
        assert!((divergence(&p, &q) - expected).abs() < 1e-7);
        assert_eq!(divergence(&q, &q), 0.0);
    }
}
