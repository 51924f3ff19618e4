//! The text, every character on the colour of its surprise.

use super::reading::{Reading, visible};
use crate::models::sampling::probabilities;
use crate::page::{Line, Panel, Picture, Room, Scene, Word, Words, panel};
use crate::ui::{Range, number};

/// Nats at the end of the scale: as surprising as one of 150 that are equally likely.
const RANGE: Range = Range { min: 0.0, max: 5.0, log: false };

/// The text needs a few lines; what is longer scrolls.
pub(super) fn panel_of(reading: &Reading, scene: &Scene<'_>) -> Panel {
    let at = reading.at(scene.focus.spot());
    let own = reading.tokens.len() - reading.continued;
    let places: Vec<String> = reading.tokens.iter().map(|it| visible(it)).collect();
    let word = |(i, word): (usize, &String)| Word {
        word: word.clone(),
        value: surprise(reading, i),
        underlined: i >= own,
        framed: false,
    };
    let line = Line { words: places.iter().enumerate().map(word).collect(), ..Line::default() };
    let written = if reading.continued > 0 { "; underlined: written by the model" } else { "" };
    let words = Words {
        lines: vec![line],
        places,
        axes: ["surprise", "character"],
        range: RANGE,
        legend: format!("surprise in nats{written}"),
        rests: Some(at),
        said: vec![said(reading, at)],
        ..Words::default()
    };
    panel("text", 0, Room::fill(180.0, 130.0))
        .titled("How much each character surprised the model")
        .shows(Picture::Words(words))
}

/// The surprise of token `i` in nats; none of the first.
fn surprise(reading: &Reading, i: usize) -> Option<f32> {
    reading.surprise.get(i.checked_sub(1)?).copied()
}

/// A character in words: how likely it was, and how many were likelier.
fn said(reading: &Reading, i: usize) -> String {
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
