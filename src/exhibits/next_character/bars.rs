//! What comes next, as bars.

use super::NextCharacter;
use super::reading::{Reading, visible};
use crate::models::sampling::{divergence, likeliest};
use crate::page::{Panel, Picture, Room, Scene, panel};
use crate::ui::{Bar, Bars, number};

/// How many characters have a bar.
const BARS: usize = 10;

/// The bars, and how far heads that are off have moved them.
pub(super) fn panel_of(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Panel {
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
    panel("what comes next", 1, room)
        .titled(title)
        .noted(note.unwrap_or_default())
        .shows(Picture::Bars(bars(state, reading, scene)))
}

/// The likeliest characters after the lit position: now, and before heads were switched off.
fn bars(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Bars {
    let at = reading.at(scene.focus.spot());
    let p = state.rule.distribution(reading.said(at));
    let before = reading.original(at).map(|it| state.rule.distribution(it));
    let follows = reading.follows(at);
    let bar = |id: usize| {
        let name = reading.word(id, state, scene);
        let lit = follows.as_ref() == Some(&name);
        Bar { name, value: p[id] as f32, before: before.as_ref().map(|it| it[id] as f32), lit, hue: None }
    };
    let bars = likeliest(reading.said(at), BARS).into_iter().map(bar).collect();
    Bars { label: "probability".to_owned(), names: "next".to_owned(), bars, click: String::new() }
}
