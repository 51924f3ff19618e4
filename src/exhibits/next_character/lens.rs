//! The logit lens: lines are layers, places positions, and every cell says what would come next.

use super::reading::{Reading, visible};
use super::{NextCharacter, heads};
use crate::models::sampling::{likeliest, probabilities};
use crate::page::{Line, Panel, Picture, Room, Scene, Word, Words, panel};
use crate::ui::number;

/// A line a layer and two more; those of a deep model scroll.
pub(super) fn panel_of(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Panel {
    let lines = (reading.stages() + 2) as f32;
    let room = Room::fill(220.0, 18.0 * lines.min(9.0)).at_most_high(22.0 * lines + 50.0);
    panel("logit lens", 2, room)
        .titled("Logit lens: the first choice of every layer")
        .shows(Picture::Words(words(state, reading, scene)))
}

fn words(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Words {
    let (stages, at) = (reading.stages(), reading.at(scene.focus.spot()));
    let places: Vec<String> = reading.tokens.iter().map(|it| visible(it)).collect();
    let looks = heads::looks(scene, at).filter(|it| it.len() == places.len());
    let mut read = Line { aside: true, ..Line::on("it reads", &places, looks.as_deref()) };
    // Where the head does not look there is no colour.
    read.words.iter_mut().for_each(|it| it.value = it.value.filter(|it| *it > 0.0));
    let follows: Vec<Option<String>> = (0..places.len()).map(|i| reading.follows(i)).collect();
    let next: Vec<String> = follows.iter().map(|it| it.clone().unwrap_or_else(|| "?".to_owned())).collect();
    let cell = |stage, i: usize| {
        let (best, p) = reading.best(stage, i);
        let word = reading.word(best, state, scene);
        Word { framed: follows[i].as_ref() == Some(&word), word, value: Some(p), underlined: false }
    };
    let stage = |stage: usize| Line {
        name: reading.stage_name(stage),
        layer: stage.checked_sub(1),
        words: (0..places.len()).map(|i| cell(stage, i)).collect(),
        ..Line::default()
    };
    let above = std::iter::once(read);
    let lines = above.chain((0..stages).map(stage)).chain([Line::on("follows", &next, None)]).collect();
    let of = |line: usize| said(state, reading, scene, line.saturating_sub(1).min(stages - 1), at);
    Words {
        lines,
        said: (0..stages + 2).map(of).collect(),
        places,
        axes: ["read out at", "after"],
        legend: "its probability; framed: it follows".to_owned(),
        rests: Some(at),
        ..Words::default()
    }
}

/// A cell in words.
fn said(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>, stage: usize, at: usize) -> String {
    let logits = reading.logits(stage, at);
    let (p, order) = (probabilities(logits), likeliest(logits, logits.len()));
    let likeliest: Vec<String> = order
        .iter()
        .take(3)
        .map(|id| format!("“{}” {}", reading.word(*id, state, scene), number(p[*id] as f32)))
        .collect();
    let follows = reading.follows(at);
    let rank =
        follows.as_ref().and_then(|it| order.iter().position(|id| reading.word(*id, state, scene) == *it));
    let truth = follows.zip(rank).map_or_else(String::new, |(word, rank)| {
        format!(" · “{word}” follows: {}, rank {}", number(p[order[rank]] as f32), rank + 1)
    });
    format!(
        "{} after “{}” ({at}): {}{truth}",
        reading.stage_name(stage),
        visible(&reading.tokens[at]),
        likeliest.join(", ")
    )
}
