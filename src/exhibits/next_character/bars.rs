//! What comes next, as bars.

use egui::{Align2, Rect, Role, Sense, Stroke, WidgetInfo, pos2, vec2};

use super::reading::{Reading, visible};
use super::{NextCharacter, figure};
use crate::exhibits::Scene;
use crate::models::sampling::{divergence, likeliest};
use crate::page::{Panel, Room, panel};
use crate::ui::{Figure, number};

/// How many characters have a bar.
const BARS: usize = 10;

/// The bars, and how far heads that are off have moved them.
pub(super) fn room(reading: &Reading, scene: &Scene<'_>) -> Panel {
    let at = reading.at(scene.focus.spot());
    let title = match reading.follows(at) {
        Some(it) => format!("After “{}”: what could follow (it was “{it}”)", visible(&reading.tokens[at])),
        None => "What comes next".to_owned(),
    };
    let note = reading.original(at).map(|original| {
        format!(
            "Without {} {} it changes by {} nats (Kullback-Leibler); grey: before.",
            if reading.off.len() == 1 { "head" } else { "heads" },
            reading.off.join(", "),
            number(divergence(original, reading.said(at)) as f32)
        )
    });
    let room = Room::fill(180.0, 90.0).at_most_high(320.0);
    panel("what comes next", 1, room).titled(title).noted(note.unwrap_or_default())
}

/// The likeliest characters after the lit position: in words, now, and before heads were switched off.
fn entries(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Vec<(String, f64, Option<f64>)> {
    let at = reading.at(scene.focus.spot());
    let p = state.rule.distribution(reading.said(at));
    let before = reading.original(at).map(|it| state.rule.distribution(it));
    let entry = |id: usize| (reading.word(id, state, scene), p[id], before.as_ref().map(|it| it[id]));
    likeliest(reading.said(at), BARS).into_iter().map(entry).collect()
}

/// Draws the likeliest characters after the lit position, and where they were before heads were switched off.
pub(super) fn show(state: &NextCharacter, reading: &Reading, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let (style, size) = (scene.style, ui.available_size());
    let follows = reading.follows(reading.at(scene.focus.spot()));
    let entries = entries(state, reading, scene);
    let least = style.caption * 1.35;
    let rows = ((size.y / least) as usize).clamp(1, entries.len());
    let row = (size.y / rows as f32).clamp(least, style.caption * 2.6);
    let (area, response) = ui.allocate_exact_size(vec2(size.x, row * rows as f32), Sense::hover());
    let longest = entries.iter().flat_map(|it| [it.1, it.2.unwrap_or(0.0)]).fold(1e-9, f64::max);
    let letters = entries.iter().map(|it| it.0.chars().count()).max().unwrap_or(1).max(2);
    let label = (0.62 * style.body * letters as f32 + style.grid(1.5)).min(0.4 * size.x);
    let mut under = None;
    for (i, (word, p, before)) in entries[..rows].iter().enumerate() {
        let rect = Rect::from_min_size(area.min + vec2(0.0, i as f32 * row), vec2(area.width(), row));
        let bar = Bar { word, p: *p, before: *before, longest, label };
        bar.paint(ui, scene, rect, follows.as_ref() == Some(word));
        if response.hover_pos().is_some_and(|pos| rect.contains(pos)) {
            scene.focus.readout = bar.words();
            under = Some(number(*p as f32));
        }
    }
    response.widget_info(|| {
        let aloud = entries[..rows].iter().map(|(word, p, _)| format!("{word} {}", number(*p as f32)));
        let aloud = aloud.collect::<Vec<_>>().join(", ");
        WidgetInfo::labeled(Role::Image, true, format!("What comes next: {aloud}"))
    });
    if let Some(words) = under {
        response.on_hover_text_at_pointer(words);
    }
}

/// One character and how likely it is.
struct Bar<'a> {
    word: &'a str,
    p: f64,
    before: Option<f64>,
    longest: f64,
    /// Room for the word, in points.
    label: f32,
}

impl Bar<'_> {
    fn paint(&self, ui: &egui::Ui, scene: &Scene<'_>, rect: Rect, follows: bool) {
        let (style, painter) = (scene.style, ui.painter());
        let (left, right) = (rect.left() + self.label, rect.right() - style.grid(7.0));
        let length = |p: f64| (right - left) * (p / self.longest) as f32;
        let (ink, font) = (
            if follows { style.accent } else { style.text },
            style.mono(style.body.min(0.72 * rect.height())),
        );
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

/// The bars in numbers, for papers.
pub(super) fn figure_of(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Figure {
    let entries = entries(state, reading, scene);
    let mut rows = vec!["probability".to_owned()];
    let mut values: Vec<f32> = entries.iter().map(|it| it.1 as f32).collect();
    if entries.iter().all(|it| it.2.is_some()) {
        rows.push("with all heads".to_owned());
        values.extend(entries.iter().filter_map(|it| it.2).map(|it| it as f32));
    }
    let after = visible(&reading.tokens[reading.at(scene.focus.spot())]);
    let words = format!("Probability of what comes next after “{after}”");
    figure(&words, ["next", ""], [entries.into_iter().map(|it| it.0).collect(), rows], values)
}
