//! The text, every character on the colour of its surprise.

use egui::{Align2, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};

use super::reading::{Reading, light, visible};
use super::table;
use crate::models::sampling::probabilities;
use crate::page::{Panel, Room, Scene, panel};
use crate::ui::{Divided, Legend, Range, Scale, Table, number, readable_on, scale::colour};

/// Nats at the end of the scale: as surprising as one of 150 that are equally likely.
const RANGE: Range = Range { min: 0.0, max: 5.0, log: false };

/// The text needs a few lines; what is longer scrolls.
pub(super) fn room() -> Panel {
    panel("text", 0, Room::fill(180.0, 130.0)).titled("How much each character surprised the model")
}

/// Draws the text; where it is longer than the room allows, it scrolls and follows its end.
pub(super) fn show(reading: &Reading, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let style = scene.style;
    let caption = if reading.continued > 0 {
        "surprise in nats; underlined: written by the model"
    } else {
        "surprise in nats"
    };
    let legend =
        Legend { scale: Scale::Sequential, range: RANGE, divided: Divided::Not, caption, missing: None };
    legend.below(ui, style, 4.0 * style.body, |ui, height| {
        let scroll = ScrollArea::vertical().id_salt("text").auto_shrink([false, true]).stick_to_bottom(true);
        scroll.max_height(height).show(ui, |ui| characters(reading, ui, scene, height));
    });
}

fn characters(reading: &Reading, ui: &mut egui::Ui, scene: &mut Scene<'_>, height: f32) {
    let (style, width) = (scene.style, ui.available_width());
    // The largest type in which the text fits, so that little text fills its room.
    let sizes = [1.6, 1.4, 1.2, 1.0].map(|it| it * style.body);
    let mut laid = sizes.iter().map(|size| {
        let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&style.mono(*size), '0'));
        (*size, places(&reading.tokens, vec2(advance * 1.25, size * 1.7), advance, width))
    });
    let Some((type_size, (places, size))) = laid.find(|it| it.1.1.y <= height || it.0 == style.body) else {
        return;
    };
    let font = style.mono(type_size);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let at = reading.at(scene.focus.spot());
    let own = reading.tokens.len() - reading.continued;
    let mut hit = None;
    for (i, (token, place)) in reading.tokens.iter().zip(&places).enumerate() {
        let rect = place.translate(area.min.to_vec2());
        let seen = rect.intersect(ui.clip_rect());
        if !seen.is_positive() {
            continue;
        }
        let chip = ui.interact(seen, response.id.with(i), Sense::click());
        chip.widget_info(|| {
            WidgetInfo::selected(Role::Button, true, i == at, format!("{} ({i})", visible(token)))
        });
        let surprise = surprise(reading, i);
        let fill =
            surprise.map_or(style.tint(0.07), |it| colour(Scale::Sequential, style.dark, RANGE.place(it)));
        let ink = if surprise.is_some() { readable_on(fill) } else { style.text };
        let painter = ui.painter();
        painter.rect_filled(rect.shrink2(vec2(0.5, 0.0)), 2.0, fill);
        painter.text(rect.center(), Align2::CENTER_CENTER, visible(token), font.clone(), ink);
        let stroke = Stroke::new(2.0 * style.scale, style.accent);
        if i >= own {
            painter.hline(rect.x_range(), rect.bottom() + 1.5 * style.scale, stroke);
        }
        if i == at {
            painter.rect_stroke(rect, 2.0, stroke, StrokeKind::Outside);
        }
        if chip.hovered() || chip.clicked() {
            hit = Some((i, chip));
        }
    }
    if let Some((i, chip)) = hit {
        scene.focus.readout = words(reading, i);
        light(scene.focus, i, None, chip.clicked());
        if let Some(it) = surprise(reading, i) {
            chip.on_hover_text_at_pointer(format!("{} nats", number(it)));
        }
    }
}

/// The surprise of token `i` in nats; none of the first.
fn surprise(reading: &Reading, i: usize) -> Option<f32> {
    reading.surprise.get(i.checked_sub(1)?).copied()
}

/// Where every token is: rows that wrap, and after the end of a line a new one. And the size of all.
fn places(tokens: &[String], cell: egui::Vec2, advance: f32, width: f32) -> (Vec<Rect>, egui::Vec2) {
    let (gap, mut at) = (cell.y * 0.22, Pos2::ZERO);
    let mut places = Vec::with_capacity(tokens.len());
    for token in tokens {
        let count = token.chars().count().max(1) as f32;
        let size = vec2(cell.x + (count - 1.0) * advance, cell.y);
        if at.x > 0.0 && at.x + size.x > width {
            at = pos2(0.0, at.y + cell.y + gap);
        }
        places.push(Rect::from_min_size(at, size));
        at.x += size.x;
        if token.ends_with('\n') {
            at = pos2(0.0, at.y + cell.y + gap);
        }
    }
    let bottom = places.last().map_or(0.0, Rect::bottom);
    (places, vec2(width, bottom + gap))
}

/// A character in words: how likely it was, and how many were likelier.
fn words(reading: &Reading, i: usize) -> String {
    let token = visible(&reading.tokens[i]);
    let Some(surprise) = surprise(reading, i) else {
        return format!(
            "“{token}” ({i}) is the first: nothing is before it that the model could expect it from"
        );
    };
    let p = (-surprise).exp();
    let before = probabilities(reading.said(i - 1));
    let likelier = before.iter().filter(|it| **it > f64::from(p) * 1.0001).count();
    format!(
        "“{token}” ({i}) had probability {}: a surprise of {} nats · {}",
        number(p),
        number(surprise),
        match likelier {
            0 => "it was the first choice".to_owned(),
            1 => "one other was likelier".to_owned(),
            n => format!("{n} others were likelier"),
        }
    )
}

/// The surprise of every character, in nats, for papers.
pub(super) fn table_of(reading: &Reading) -> Table {
    let tokens: Vec<String> = reading.tokens.iter().map(|it| visible(it)).collect();
    let values = (0..tokens.len()).map(|i| surprise(reading, i).unwrap_or(f32::NAN)).collect();
    let rows = vec!["surprise".to_owned()];
    Table { range: RANGE, ..table(["character", ""], [tokens, rows], values) }
}
