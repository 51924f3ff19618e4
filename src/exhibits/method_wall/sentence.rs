//! The wall for a sentence: which characters made a small GPT expect what it expects next.

use super::words::Wall;
use super::{MethodWall, keep_sanity};
use crate::exhibits::next_character::visible;
use crate::graph::Graph;
use crate::models::Gpt;
use crate::nn::Params;
use crate::page::{Line, Page, Picture, Room, Scene, Words, column, panel};
use crate::saliency::forget::groups;
use crate::saliency::method::Method;
use crate::saliency::sentence::{METHODS, maps};
use crate::ui::{Divided, Range, Scale, number};

/// The model that reads.
pub(super) const MODEL: &str = "shakespeare-gpt";

/// Of a long text the end is read: so many characters.
const LONGEST: usize = 64;

/// Letters of the longest name of a method with its number.
const NAMES: usize = 18;

/// Records the maps `[character]` of what speaks for the likeliest next character. `None`: there is nothing to read.
pub(super) fn record(state: &MethodWall, g: &Graph, model: &Gpt, text: &str) -> Option<()> {
    let from = text.chars().count().saturating_sub(LONGEST);
    let end: String = text.chars().skip(from).collect();
    let ids = &model.tokenizer.encode(&end).ids;
    if ids.len() < 2 {
        return None;
    }
    g.label("tokens", ids.iter().map(|id| model.tokenizer.token(*id)).collect());
    g.label("layers", (0..model.config.layers).map(|l| format!("block {l}")).collect());
    let names: Vec<String> = model.config.parameters().map(|(name, _)| name).collect();
    g.label("forget", groups(&names));
    let vocabulary = (0..model.config.vocabulary as u32).map(|id| model.tokenizer.token(id));
    g.label("classes", vocabulary.collect());
    let trained = Params::new(g, &model.weights);
    let layer = state.layer(model.config.layers);
    // What forgets is asked of the character that it knew: maps of different ones could not be compared.
    let (before, one_hot) = maps(model, &trained, ids, layer, None);
    let mut now = before.clone();
    if state.forgotten > 0 {
        let forgotten = state.untrained.parameters(g, &model.weights, &names, state.forgotten);
        let p = Params::recorded(g, &forgotten);
        now = g.scope("forgotten", || maps(model, &p, ids, layer, Some(one_hot)).0);
        keep_sanity(&now, &before);
    }
    state.keep(g, &METHODS, &now, &now);
    Some(())
}

/// The panels.
pub(super) fn page(wall: &Wall<'_>, scene: &Scene<'_>) -> Option<Page> {
    let n = wall.trace.words("tokens").len();
    wall.trace.get("maps.0").filter(|it| it.shape == [n])?;
    let at = scene.focus.spot().query.filter(|it| *it < n);
    let high = METHODS.len() as f32;
    let strips = Room::fill(260.0, 20.0 * high).at_most_high(37.0 * high + 60.0);
    let difference = format!("A − B for {}, {}", wall.class, wall.agreement());
    Some(column([
        panel("all methods", 0, strips)
            .titled(wall.title())
            .noted(wall.note())
            .shows(Picture::Words(wall.strips(at)))
            .into(),
        panel("A minus B", 1, Room::fill(260.0, 40.0).at_most_high(90.0))
            .titled(difference)
            .shows(Picture::Words(wall.minus(at)))
            .into(),
    ]))
}

impl Wall<'_> {
    fn tokens(&self) -> Vec<String> {
        self.trace.words("tokens").iter().map(|it| visible(it)).collect()
    }

    fn values(&self, name: &str) -> Option<Vec<f32>> {
        Some(self.trace.get(name)?.window(0..self.trace.words("tokens").len())?.to_vec())
    }

    /// A line a method, all under one cursor; a click on its name makes it A.
    fn strips(&self, at: Option<usize>) -> Words {
        let places = self.tokens();
        let line = |(i, method): (usize, &Method)| {
            let values = self.values(&format!("maps.{i}")).map(|mut values| {
                let peak = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
                for it in &mut values {
                    *it /= peak;
                }
                values
            });
            let name = format!("{}  {}", self.name(*method), self.sanity(i)).trim_end().to_owned();
            Line { lit: self.lit(*method), ..Line::on(name, &places, values.as_deref()) }
        };
        let lines: Vec<Line> = self.methods.iter().enumerate().map(line).collect();
        let said = |i: usize, line: &Line| {
            let value = line.words[i].value.map_or_else(String::new, number);
            format!("“{}” ({i}): {}, {value} of its largest value", places[i], line.name)
        };
        Words {
            said: at.map_or_else(Vec::new, |i| lines.iter().map(|it| said(i, it)).collect()),
            lines,
            places,
            axes: ["method", "character"],
            names: NAMES,
            divided: Divided::Map,
            click: "A click makes it A.",
            ..Words::default()
        }
    }

    /// A minus B of every character.
    fn minus(&self, at: Option<usize>) -> Words {
        let places = self.tokens();
        let said = |i: usize| {
            let there = self.compared(|name| Some(self.values(name)?[i]));
            there.map_or_else(String::new, |(words, _)| format!("“{}” ({i}): {words}", places[i]))
        };
        Words {
            lines: vec![Line::on("A − B", &places, self.values("difference").as_deref())],
            said: at.map(said).into_iter().collect(),
            places,
            axes: ["method", "character"],
            names: NAMES,
            range: Range::signed(1.0),
            scale: Scale::Diverging,
            legend: format!("{} − {}", self.pair.a.name(), self.pair.b.name()),
            ..Words::default()
        }
    }
}
