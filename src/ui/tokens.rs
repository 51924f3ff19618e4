//! Tokens as people write them.

use std::borrow::Cow;

use egui::Color32;

use super::Style;
use crate::focus::Spot;

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
}
