//! How the next character looks: the text on its surprise, what could come next, the logit lens, and who looks where.

use super::reading::{Reading, visible};
use super::{FIRST, NextCharacter};
use crate::exhibits::heads::{self, Head};
use crate::models::Gpt;
use crate::models::sampling::{divergence, likeliest, probabilities};
use crate::page::{
    Cells, Heads, Line, Map, Page, Panel, Picture, Room, Scene, Word, Words, column, panel, row,
};
use crate::ui::{Bar, Bars, Mark, Range, number};

/// Nats at the end of the scale: as surprising as one of 150 that are equally likely.
const RANGE: Range = Range { min: 0.0, max: 5.0, log: false };

/// How many characters have a bar.
const BARS: usize = 10;

/// What is shown of a reading.
struct Shown<'a> {
    state: &'a NextCharacter,
    reading: &'a Reading,
    scene: &'a Scene<'a>,
    /// The position that is looked at: the lit one, else the last.
    at: usize,
}

/// What is shown, and where.
pub(super) fn page(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>) -> Page {
    let last = reading.tokens.len() - 1;
    let at = scene.focus.spot().query.filter(|it| *it <= last).unwrap_or(last);
    let shown = Shown { state, reading, scene, at };
    let lens = Page::from(shown.lens());
    let right = match shown.heads() {
        Some(heads) => column([lens, row(heads)]),
        None => lens,
    };
    row([column([shown.text().into(), shown.bars().into()]), right])
}

impl Shown<'_> {
    /// The token `id` as it is displayed.
    fn word(&self, id: usize) -> String {
        let known = self.reading.words.get(id).cloned();
        let model = || self.scene.zoo.model::<Gpt>(&self.state.model);
        visible(&known.or_else(|| Some(model()?.tokenizer.token(id as u32))).unwrap_or_default())
    }

    /// The text, every character on the colour of its surprise. It needs a few lines; what is longer scrolls.
    fn text(&self) -> Panel {
        let Self { reading, at, .. } = *self;
        let own = reading.tokens.len() - reading.continued;
        let word = |(i, word): (usize, &String)| Word {
            word: word.clone(),
            value: reading.surprise(i),
            underlined: i >= own,
            framed: false,
        };
        let line = Line { words: reading.places.iter().enumerate().map(word).collect(), ..Line::default() };
        let written = if reading.continued > 0 { "; underlined: written by the model" } else { "" };
        let words = Words {
            lines: vec![line],
            places: reading.places.clone(),
            axes: ["surprise", "character"],
            range: RANGE,
            legend: format!("surprise in nats{written}"),
            rests: Some(at),
            said: vec![self.surprised()],
            ..Words::default()
        };
        panel("text", 0, Room::fill(180.0, 130.0))
            .titled("How much each character surprised the model")
            .shows(Picture::Words(words))
    }

    /// The character that is looked at, in words: how likely it was, and how many were likelier.
    fn surprised(&self) -> String {
        let (i, token) = (self.at, &self.reading.places[self.at]);
        let Some(surprise) = self.reading.surprise(i) else {
            return format!(
                "“{token}” ({i}) is the first: nothing is before it that the model could expect it from"
            );
        };
        let p = (-surprise).exp();
        let before = probabilities(self.reading.said(i - 1));
        let likelier = match before.iter().filter(|it| **it > f64::from(p) * 1.0001).count() {
            0 => "it was the first choice".to_owned(),
            1 => "one other was likelier".to_owned(),
            n => format!("{n} others were likelier"),
        };
        let (p, nats) = (number(p), number(surprise));
        format!("“{token}” ({i}) had probability {p}: a surprise of {nats} nats · {likelier}")
    }

    /// What comes next, as bars, and how far heads that are off have moved them.
    fn bars(&self) -> Panel {
        let Self { state, reading, at, .. } = *self;
        let title = match reading.follows(at) {
            Some(it) => format!("After “{}”: what could follow (it was “{it}”)", reading.places[at]),
            None => "What comes next".to_owned(),
        };
        let original = reading.original(at);
        let note = original.map(|original| {
            let heads = if reading.off.len() == 1 { "head" } else { "heads" };
            let (off, far) = (reading.off.join(", "), number(divergence(original, reading.said(at)) as f32));
            format!("Without {heads} {off} it changes by {far} nats (Kullback-Leibler); grey: before.")
        });
        let p = state.rule.distribution(reading.said(at));
        let before = original.map(|it| state.rule.distribution(it));
        let bar = |id: usize| {
            let (name, before) = (self.word(id), before.as_ref().map(|it| it[id] as f32));
            Bar { lit: reading.follows(at) == Some(&name), name, value: p[id] as f32, before, hue: None }
        };
        let bars = likeliest(reading.said(at), BARS).into_iter().map(bar).collect();
        let (label, names) = ("probability".to_owned(), "next".to_owned());
        panel("what comes next", 1, Room::fill(180.0, 90.0).at_most_high(320.0))
            .titled(title)
            .noted(note.unwrap_or_default())
            .shows(Picture::Bars(Bars { label, names, bars, click: String::new() }))
    }

    /// The logit lens: a line a layer and two more, those of a deep model scroll; every cell says what would come next.
    fn lens(&self) -> Panel {
        let Self { reading, at, .. } = *self;
        let (stages, places) = (reading.stages(), &reading.places);
        let looks = self.looks().filter(|it| it.len() == places.len());
        let mut read = Line { aside: true, ..Line::on("it reads", places, looks.as_deref()) };
        // Where the head does not look there is no colour.
        read.words.iter_mut().for_each(|it| it.value = it.value.filter(|it| *it > 0.0));
        let next = (0..places.len()).map(|i| reading.follows(i).map_or("?", String::as_str).to_owned());
        let follows = Line::on("follows", &next.collect::<Vec<_>>(), None);
        let cell = |stage, i: usize| {
            let (best, p) = reading.best(stage, i);
            let word = self.word(best);
            Word { framed: reading.follows(i) == Some(&word), word, value: Some(p), underlined: false }
        };
        let stage = |stage: usize| Line {
            name: reading.stage_name(stage),
            layer: stage.checked_sub(1),
            words: (0..places.len()).map(|i| cell(stage, i)).collect(),
            ..Line::default()
        };
        let words = Words {
            lines: std::iter::once(read).chain((0..stages).map(stage)).chain([follows]).collect(),
            said: (0..stages + 2).map(|it| self.expected(it.saturating_sub(1).min(stages - 1))).collect(),
            places: places.clone(),
            axes: ["read out at", "after"],
            legend: "its probability; framed: it follows".to_owned(),
            rests: Some(at),
            ..Words::default()
        };
        let lines = (stages + 2) as f32;
        panel("logit lens", 2, Room::fill(220.0, 18.0 * lines.min(9.0)).at_most_high(22.0 * lines + 50.0))
            .titled("Logit lens: the first choice of every layer")
            .shows(Picture::Words(words))
    }

    /// What a read-out expects after the position that is looked at, in words.
    fn expected(&self, stage: usize) -> String {
        let Self { reading, at, .. } = *self;
        let logits = reading.logits(stage, at);
        let (p, order) = (probabilities(logits), likeliest(logits, logits.len()));
        let choice = |id: &usize| format!("“{}” {}", self.word(*id), number(p[*id] as f32));
        let choices = order.iter().take(3).map(choice).collect::<Vec<_>>().join(", ");
        let truth = reading.follows(at).and_then(|word| {
            let rank = order.iter().position(|id| self.word(*id) == *word)?;
            Some(format!(" · “{word}” follows: {}, rank {}", number(p[order[rank]] as f32), rank + 1))
        });
        let (name, after) = (reading.stage_name(stage), &reading.places[at]);
        format!("{name} after “{after}” ({at}): {choices}{}", truth.unwrap_or_default())
    }

    /// The head whose attention is shown, and its map; none in a recorded picture, which has no patterns.
    fn head(&self) -> Option<(Head, Map)> {
        let (l, h) = heads::shown(self.scene.trace, self.scene.focus.spot(), FIRST)?;
        Some(((l, h), Map::of(self.scene.trace.get(&heads::pattern(l))?, h)?))
    }

    /// What that head looks at from the position that is looked at, `[pos]`.
    fn looks(&self) -> Option<Vec<f32>> {
        let (_, map) = self.head()?;
        map.values()?.get(self.at * map.cols..(self.at + 1) * map.cols).map(<[f32]>::to_vec)
    }

    /// Who looks where: all heads as thumbnails, and one of them large.
    fn heads(&self) -> Option<[Page; 2]> {
        let ((l, h), map) = self.head()?;
        let [layers, heads] = heads::count(self.scene.trace);
        let tokens: Vec<String> = self.scene.trace.words("tokens").iter().map(|it| visible(it)).collect();
        if tokens.len() != map.rows {
            return None;
        }
        let each = || (0..layers).flat_map(|l| (0..heads).map(move |h| (l, h)));
        let off = |it: Head| self.state.off.contains(&it);
        let spot = heads::spot((l, h));
        let all = Heads {
            layers: (0..layers)
                .map(|l| Map::of(self.scene.trace.get(&heads::pattern(l))?, 0))
                .collect::<Option<_>>()?,
            heads,
            spot,
            marks: each().map(|it| Mark { off: off(it), ..Mark::default() }).collect(),
            names: each().map(|it| heads::named(it) + if off(it) { " · it is off" } else { "" }).collect(),
            tokens: tokens.clone(),
            legend: vec![],
        };
        let (words, value) = ([tokens.clone(), tokens], "attention weight".to_owned());
        let one = Cells { map, axes: ["query", "key"], words, value, also: vec![], spot, lines: None };
        let shape = [heads, layers].map(|it| it as f32);
        let least = shape.map(|it| (12.0 * it).max(96.0) + 21.0);
        let [wide, high] = shape.map(|it| 96.0 * it + 21.0);
        let room = Room::shaped(shape[0] / shape[1], least, [21.0, 21.0]);
        Some([
            panel("all heads", 3, room.at_most_wide(wide).at_most_high(high))
                .titled("Who looks where")
                .shows(Picture::Heads(all))
                .into(),
            panel("head map", 4, Room::shaped(1.0, [150.0, 150.0], [24.0, 100.0]))
                .titled(format!("Layer {l}, head {h}"))
                .shows(Picture::Cells(Box::new(one)))
                .into(),
        ])
    }
}
