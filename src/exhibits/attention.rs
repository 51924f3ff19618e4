//! Attention maps: who looks at whom.
//!
//! `A = softmax(Q K^T / sqrt(d_head))`, one map a head (Vaswani et al. 2017, arXiv 1706.03762, equation 1), in a BERT
//! encoder (Devlin et al. 2018, arXiv 1810.04805); rollout by Abnar & Zuidema 2020 (arXiv 2005.00928, section 3).
//! Switching a head off zeroes its output `z` (or puts its mean over the tokens there), and the model is run again
//! beside the original: what changes downstream is measured, not guessed.

mod claims;
mod picture;

use serde::{Deserialize, Serialize};

use super::heads::{self, Head};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened, worst};
use crate::focus::Spot;
use crate::graph::{Graph, How, Var};
use crate::models::{Bert, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::saliency::heads::{HeadKind, record};
use crate::saliency::rollout::rollout;
use crate::ui::Divided;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "attention",
    title: "Attention maps",
    claim: "Every token asks a question, and every token answers as far as it fits.",
    formula: r"A = \mathrm{softmax}\!\left(\frac{QK^{\top}}{\sqrt{d_{\text{head}}}}\right)",
    paper: "Vaswani et al., Attention Is All You Need",
    year: 2017,
    reference: "1706.03762",
    family: "Attention",
    more: "Each small square is one head: rows are tokens that ask (queries), columns are tokens that answer (keys), and \
           every row sums to 1. Many heads look at the first token or at a separator when they have nothing to say: an \
           attention sink. A head's label is what it measurably does with this sentence, and its score is the share of \
           attention that follows the rule.\n\n\
           Rollout follows attention through the layers, with half of each step kept by the residual connection. It is a \
           way to read the maps, not a cause. For causes, switch a head off: its output is set to zero (or to its mean \
           over the tokens) and the whole model runs again. Blue is more attention than before, red is less.\n\n\
           The wheel with Ctrl, or two fingers, zoom into a map; then the wheel or a drag moves it, and a double click shows \
           all of it.",
};

/// The exhibit's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attention {
    /// What the large picture shows.
    pub what: What,
    /// How it is drawn.
    pub picture: Drawing,
    /// What weights are divided by before they are coloured.
    pub divided: Divided,
    /// Colours in decades.
    pub log: bool,
    /// Heads that are switched off: layer and head.
    pub off: Vec<Head>,
    /// What a click on a head does.
    pub click: Click,
    /// What stands in for a head that is off.
    pub ablation: Ablation,
    /// Show the maps themselves though heads are off, not their change.
    pub absolute: bool,
    /// A second sentence beside the first.
    pub compare: Option<String>,
    /// Highlights heads of the kind that contains these words.
    pub search: String,
}

/// What the large picture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// One head.
    #[default]
    Head,
    /// The mean over the heads of a layer.
    Mean,
    /// Rollout up to a layer.
    Rollout,
}

/// How the large picture is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drawing {
    /// A map with tokens on both axes.
    #[default]
    Map,
    /// Two columns of tokens and lines between them.
    Lines,
}

/// What a click on a head does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Click {
    /// Shows it large.
    #[default]
    Look,
    /// Switches it off, or on again.
    Switch,
}

/// What stands in for a head that is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ablation {
    /// Zero.
    #[default]
    Zero,
    /// Its mean over the tokens.
    Mean,
}

/// The head that is shown before anybody chose one: in the default sentence, "it" finds "animal".
const FIRST: Head = (3, 1);

/// The scope of the second sentence's taps.
const SECOND: &str = "second/";

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<Attention> }
}

impl Attention {
    /// Whether the tile shows what changed rather than what is.
    fn shows_change(&self) -> bool {
        !self.off.is_empty() && !self.absolute
    }

    /// Records one sentence: the model, what its heads do, and what their absence changes. Returns its embedding, and how far
    /// the rows of patterns and of rollout are from summing to 1.
    fn sentence<'g>(&self, g: &'g Graph, bert: &Bert, text: &str) -> (Var<'g>, [Var<'g>; 2]) {
        let tokens = bert.tokenizer.encode(text);
        let separators: Vec<usize> = (1..tokens.ids.len()).filter(|i| tokens.special[*i]).collect();
        let pooled = bert.record(g, &tokens.ids).pooled;
        let now = patterns(g, bert);
        let errors = measure(&now, &separators);
        if self.off.is_empty() {
            return (pooled, errors);
        }
        let (before, original) =
            g.scope("original", || (bert.record(g, &tokens.ids).pooled, patterns(g, bert)));
        for (l, (now, before)) in now.iter().zip(&original).enumerate() {
            let change = *now - *before;
            change.keep(&format!("blocks.{l}.attn.change"));
            largest(change).keep(&format!("blocks.{l}.attn.change_peak"));
            change.mean(0).keep(&format!("blocks.{l}.attn.mean_change"));
        }
        for (l, (now, before)) in rollout(&now).into_iter().zip(rollout(&original)).enumerate() {
            (now - before).keep(&format!("rollout.{l}.change"));
        }
        cosine(pooled, before).keep("cosine");
        (pooled, errors)
    }
}

/// The attention patterns `[head, query, key]` of all layers, as recorded in this scope.
fn patterns<'g>(g: &'g Graph, bert: &Bert) -> Vec<Var<'g>> {
    (0..bert.config.layers).filter_map(|l| g.at(&heads::pattern(l))).collect()
}

/// Keeps what the picture needs of every layer: means, rollout, labels, and the largest values that colours may be
/// relative to. Returns how far the rows of patterns and of rollout are from summing to 1.
fn measure<'g>(patterns: &[Var<'g>], separators: &[usize]) -> [Var<'g>; 2] {
    for (l, pattern) in patterns.iter().enumerate() {
        let name = format!("blocks.{l}.attn");
        record(*pattern, &name, separators);
        keep_peaks(*pattern, &format!("{name}.pattern"));
        let mean = pattern.mean(0);
        mean.keep(&format!("{name}.mean"));
        keep_peaks(mean, &format!("{name}.mean"));
    }
    let rollouts = rollout(patterns);
    for (l, rolled) in rollouts.iter().enumerate() {
        rolled.keep(&format!("rollout.{l}"));
        keep_peaks(*rolled, &format!("rollout.{l}"));
    }
    [patterns, &rollouts].map(|maps| {
        let errors = worst(maps.iter().map(|it| it.sum(-1) - 1.0));
        errors.unwrap_or_else(|| unreachable!("a model has layers"))
    })
}

/// The largest value of every row and of every map.
fn keep_peaks(maps: Var<'_>, name: &str) {
    let rows = maps.max(-1);
    rows.keep(&format!("{name}.row_peak"));
    rows.max(-2).keep(&format!("{name}.map_peak"));
}

/// Cosine of two vectors of length one.
fn cosine<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    (a * b).sum(0)
}

impl Exhibit for Attention {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let bert = zoo.model::<Bert>(&inputs.model)?;
        let how = if self.ablation == Ablation::Zero { How::Zero } else { How::Mean };
        let off = heads::there(&self.off, [bert.config.layers, bert.config.heads]);
        let edits = ["", SECOND].map(|scope| heads::edits(&off, scope, &how)).concat();
        let keeps =
            ["", SECOND].map(|it| ["pattern", "scores"].map(|tap| format!("{it}blocks.*.attn.{tap}")));
        let keeps = keeps.concat();
        let g = Graph::new(&keeps.iter().map(String::as_str).collect::<Vec<_>>(), &edits);
        let (first, mut errors) = self.sentence(&g, bert, &inputs.text);
        if let Some(text) = &self.compare {
            let (second, more) = g.scope("second", || self.sentence(&g, bert, text));
            cosine(first, second).keep("similarity");
            errors = [0, 1].map(|i| errors[i].max_with(more[i]));
        }
        for (error, name) in errors.into_iter().zip(claims::ROWS) {
            error.keep(name);
        }
        Some(g)
    }

    fn looks(&self) -> &'static [&'static str] {
        &["what", "picture", "divided", "log", "click", "ablation", "absolute", "search"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| {
            let last = heads::count(k.scene.trace)[0].saturating_sub(1);
            let (mut layer, _) = heads::shown(k.scene.trace, k.scene.focus.locked, FIRST).unwrap_or_default();
            if k.slider("layer", &mut layer, 0..=last) {
                k.scene.focus.lock(Spot { layer: Some(layer), ..Spot::default() });
            }
            let what = [(What::Head, "one head"), (What::Mean, "mean of heads"), (What::Rollout, "rollout")];
            k.choice("", &mut self.what, &what);
            k.choice("", &mut self.picture, &[(Drawing::Map, "map"), (Drawing::Lines, "lines")]);
        });
        k.row(|k| {
            let click = [(Click::Look, "shows a head"), (Click::Switch, "switches it off")];
            k.choice("a click", &mut self.click, &click);
            k.only_if(!self.off.is_empty(), |k| {
                let with = [(Ablation::Zero, "zero"), (Ablation::Mean, "its mean")];
                k.choice("what is off is replaced by", &mut self.ablation, &with);
                k.choice("show", &mut self.absolute, &[(false, "what changed"), (true, "what is left")]);
            });
            if k.button("Switch all on", "", !self.off.is_empty()) {
                self.off.clear();
            }
        });
        k.row(|k| {
            k.only_if(!self.shows_change(), |k| {
                let relative = [(Divided::Not, "0 to 1"), (Divided::Row, "row"), (Divided::Map, "map")];
                k.choice("colours relative to", &mut self.divided, &relative);
                k.switch("logarithmic", &mut self.log);
            });
            k.text("find heads", &mut self.search, &HeadKind::ALL.map(HeadKind::name).join(", "));
        });
        k.row(|k| {
            let mut on = self.compare.is_some();
            k.switch("beside a second sentence", &mut on);
            let usual = "The animal didn't cross the street because it was too wide.";
            let mut text = self.compare.take().unwrap_or_else(|| usual.to_owned());
            k.only_if(on, |k| k.text("second sentence", &mut text, ""));
            self.compare = on.then_some(text);
        });
    }

    fn heed(&mut self, _ui: &egui::Ui, scene: &mut Scene<'_>) {
        // Keys step from the head that is shown, also where nobody has chosen one.
        let shown = heads::shown(scene.trace, scene.focus.locked, FIRST);
        scene.focus.shown = shown.map_or_else(Spot::default, heads::spot);
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        picture::page(self, scene)
    }

    fn touched(&mut self, _panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        match touch {
            Touch::Head([l, h], other) if !other && self.click == Click::Look => {
                scene.focus.lock(heads::spot((l, h)));
                self.what = What::Head;
            }
            Touch::Head([l, h], _) => heads::switch(&mut self.off, (l, h)),
            Touch::Clicked(i) => {
                let name = HeadKind::ALL[i].name();
                self.search = if self.search == name { String::new() } else { name.to_owned() };
            }
            Touch::Dragged(..) => {}
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
