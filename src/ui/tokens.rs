//! A sentence as its tokens.

use std::borrow::Cow;
use std::sync::Arc;

use egui::{Color32, CornerRadius, Galley, Pos2, Rect, Role, Sense, Stroke, StrokeKind, WidgetInfo, vec2};

use super::scale::{Scale, colour};
use super::{Hit, Style};
use crate::focus::Spot;

/// A sentence as chips, one a token. The pointer is on a query.
pub struct Tokens<'a> {
    /// The tokens, as the tokeniser writes them: `[CLS]`, `##ing`.
    pub words: &'a [String],
    /// What is lit: the query is filled, the key outlined.
    pub spot: Spot,
    /// A value from 0 to 1 for every token, shown as its background.
    pub weights: Option<&'a [f32]>,
}

impl Tokens<'_> {
    /// Draws the chips, wrapping. The pieces of a word stay together.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Hit {
        let galleys: Vec<Arc<Galley>> = self.words.iter().map(|word| chip_text(ui, style, word)).collect();
        let widths: Vec<f32> = galleys.iter().map(|galley| galley.size().x).collect();
        let joined: Vec<bool> = self.words.iter().map(|word| continues(word)).collect();
        let (chips, size) = wrap(&widths, &joined, style, ui.available_width());
        let (area, mut response) = ui.allocate_exact_size(size, Sense::hover());
        let mut hit = None;
        for (i, galley) in galleys.into_iter().enumerate() {
            let rect = chips[i].translate(area.min.to_vec2());
            let chip = ui.interact(rect, response.id.with(i), Sense::click());
            let selected = self.spot.query == Some(i);
            chip.widget_info(|| {
                WidgetInfo::selected(
                    Role::Button,
                    true,
                    selected,
                    format!("token {}", numbered(self.words, i)),
                )
            });
            let follows = joined.get(i + 1).is_some_and(|&joined| joined);
            self.chip(ui, style, i, rect, galley, [joined[i], follows]);
            if chip.hovered() || chip.clicked() {
                hit = Some((i, chip.clicked()));
            }
            response |= chip;
        }
        Hit {
            query: hit.map(|(i, _)| i),
            key: None,
            clicked: hit.is_some_and(|(_, clicked)| clicked),
            response,
        }
    }

    fn chip(&self, ui: &egui::Ui, style: &Style, i: usize, rect: Rect, text: Arc<Galley>, joined: [bool; 2]) {
        let special = special(&self.words[i]);
        let fill = match (self.spot.query == Some(i), self.weights.and_then(|weights| weights.get(i))) {
            (true, _) => style.accent,
            (false, Some(&weight)) => colour(Scale::Sequential, style.dark, weight),
            (false, None) if special => Color32::TRANSPARENT,
            (false, None) => style.tint(0.07),
        };
        let ink = if fill.a() == 0 || (fill == style.tint(0.07)) {
            if special { style.secondary } else { style.text }
        } else {
            readable_on(fill)
        };
        let round = (6.0 * style.scale) as u8;
        let [left, right] = joined.map(|joined| if joined { 0 } else { round });
        let corners = CornerRadius { nw: left, sw: left, ne: right, se: right };
        ui.painter().rect_filled(rect, corners, fill);
        if joined[0] {
            ui.painter().vline(
                rect.left(),
                rect.y_range().shrink(style.grid(0.5)),
                Stroke::new(style.scale, style.secondary),
            );
        }
        if self.spot.key == Some(i) {
            let stroke = Stroke::new(2.0 * style.scale, style.accent);
            ui.painter().rect_stroke(rect, corners, stroke, StrokeKind::Inside);
        }
        ui.painter().galley_with_override_text_color(rect.center() - text.size() / 2.0, text, ink);
    }
}

/// A token as people write it: a continuation with a hyphen before it, a leading space mark gone.
pub(super) fn label(token: &str) -> Cow<'_, str> {
    const LONGEST: usize = 18;
    let word = match token.strip_prefix("##") {
        Some(piece) if !piece.is_empty() => Cow::Owned(format!("‐{piece}")),
        _ => bare(token),
    };
    if word.chars().count() <= LONGEST {
        word
    } else {
        Cow::Owned(word.chars().take(LONGEST - 1).chain(['…']).collect())
    }
}

/// The token without the tokeniser's marks of spaces and continuation; a lone space stays visible.
fn bare(token: &str) -> Cow<'_, str> {
    let word = token.strip_prefix("##").filter(|rest| !rest.is_empty()).unwrap_or(token);
    let word = word.strip_prefix(['Ġ', '▁']).unwrap_or(word);
    if word.trim().is_empty() { Cow::Borrowed("␣") } else { Cow::Borrowed(word) }
}

/// A token and its position, as tokens repeat: "it (10)".
pub(super) fn numbered(tokens: &[String], i: usize) -> String {
    format!("{} ({i})", label(&tokens[i]))
}

/// The lit tokens, in words, for a screen reader: "; query it (10); key animal (2)".
pub(super) fn lit(queries: &[String], keys: &[String], spot: Spot) -> String {
    let part = |what: &str, tokens: &[String], lit: Option<usize>| match lit.filter(|&i| i < tokens.len()) {
        Some(i) => format!("; {what} {}", numbered(tokens, i)),
        None => String::new(),
    };
    part("query", queries, spot.query) + &part("key", keys, spot.key)
}

/// Whether the token goes on with the word before it.
fn continues(token: &str) -> bool {
    token.len() > 2 && token.starts_with("##")
}

/// Whether the token stands for something other than text: `[CLS]`, `<s>`, `<|endoftext|>`.
pub(super) fn special(token: &str) -> bool {
    let framed = |open, close| token.starts_with(open) && token.ends_with(close);
    token.len() > 2 && (framed('[', ']') || framed('<', '>'))
}

/// The colour of a token beside a picture.
pub(super) fn ink(style: &Style, token: &str, lit: bool) -> Color32 {
    match (lit, special(token)) {
        (true, _) => style.accent,
        (false, true) => style.secondary,
        (false, false) => style.text,
    }
}

fn chip_text(ui: &egui::Ui, style: &Style, word: &str) -> Arc<Galley> {
    let size = if special(word) { style.caption } else { style.body };
    ui.painter().layout_no_wrap(bare(word).into_owned(), style.mono(size), style.text)
}

/// Places chips of these text widths in rows, without breaking before a joined one; and the size of all.
fn wrap(widths: &[f32], joined: &[bool], style: &Style, width: f32) -> (Vec<Rect>, egui::Vec2) {
    let (height, gap) = (style.body * 1.75, style.grid(0.5));
    let padding = |i: usize| if joined[i] { style.grid(1.0) } else { style.grid(1.5) };
    let (mut at, mut right) = (Pos2::ZERO, 0.0_f32);
    let mut chips = Vec::with_capacity(widths.len());
    for i in 0..widths.len() {
        if !joined[i] {
            let pieces = 1 + joined[i + 1..].iter().take_while(|&&joined| joined).count();
            let word: f32 = (i..i + pieces).map(|piece| widths[piece] + padding(piece)).sum();
            at.x += if at.x > 0.0 { gap } else { 0.0 };
            if at.x > 0.0 && at.x + word > width {
                at = Pos2::new(0.0, at.y + height + gap);
            }
        }
        let rect = Rect::from_min_size(at, vec2(widths[i] + padding(i), height));
        at.x = rect.right();
        right = right.max(at.x);
        chips.push(rect);
    }
    (chips, vec2(right, at.y + height))
}

/// Black or white, whichever is easier to read on `ground`.
pub fn readable_on(ground: Color32) -> Color32 {
    let [r, g, b, _] = egui::Rgba::from(ground).to_array();
    // Contrast with black and white is equal at this luminance.
    if 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 { Color32::BLACK } else { Color32::WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_as_people_write_them() {
        for (token, text) in [
            ("animal", "animal"),
            ("##ing", "‐ing"),
            ("##", "##"),
            ("Ġthe", "the"),
            ("▁", "␣"),
            ("[CLS]", "[CLS]"),
            ("donaudampfschifffahrt", "donaudampfschifff…"),
        ] {
            assert_eq!(label(token), text);
        }
        assert!(special("[CLS]") && special("<s>") && !special("[") && !special("it"), "specials are framed");
    }

    #[test]
    fn the_pieces_of_a_word_stay_together() {
        let style = Style::new(true, 1.0);
        let (chips, size) = wrap(&[50.0, 50.0, 50.0], &[false, false, true], &style, 150.0);
        assert!(chips[1].top() > chips[0].top(), "the second word does not fit beside the first");
        assert_eq!(chips[2].left(), chips[1].right());
        assert_eq!(size.y, chips[2].bottom());
    }
}
