//! The next character: a small GPT at work, one character after the other.
//!
//! `p(x_{t+1} | x_1 .. x_t) = softmax(W_E LN(h_t) / T)` (Radford et al. 2019, "Language Models are Unsupervised Multitask
//! Learners", section 2.3), with `h_t` the residual stream after the last layer. Read out after an earlier layer instead,
//! the same formula is the logit lens (nostalgebraist 2020, "interpreting GPT"). Surprise is `-log p` of the character
//! that really follows. Characters of Shakespeare are Karpathy's idea (2015, "The Unreasonable Effectiveness of Recurrent
//! Neural Networks"). A head that is off has its output `z` set to zero, and the original runs beside it.

mod claims;
mod picture;
mod reading;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use web_time::Duration;

use self::reading::Reading;
pub(super) use self::reading::visible;
use super::heads::{self, Head};
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, opened};
use crate::data::Encoding;
use crate::focus::Spot;
use crate::graph::{Graph, How};
use crate::models::sampling::Rule;
use crate::models::{Gpt, Kind, Zoo};
use crate::nn::loss::surprise;
use crate::page::{Knobs, Page, Touch};

/// The label on the wall.
pub static CARD: Card = Card {
    id: "next-character",
    title: "The next character",
    claim: "A GPT does one thing: it says how likely every character is to come next.",
    formula: r"p(x_{t+1} \mid x_{\le t}) = \mathrm{softmax}\!\left(\frac{W_E\,\mathrm{LN}(h_t)}{T}\right)",
    paper: "Radford et al., Language Models are Unsupervised Multitask Learners",
    year: 2019,
    reference: "OpenAI 2019",
    family: "Language models",
    more: "The model has read nothing but Shakespeare, and knows no words: only characters. The colour of a character is \
           how much it surprised the model, in nats: 0 if it was certain of it, 4.4 if all 84 characters had seemed \
           equally likely. The bars say what it expects after the character that you point at; ␣ is a space, ¶ the end of \
           a line.\n\n\
           The logit lens reads the model out before it is done, as if it ended after an earlier layer: a column is a \
           position, a row a layer, and a frame marks where the first choice is what really follows. Early layers were never \
           trained to be read like this, so a strange answer there proves little.\n\n\
           Temperature divides the logits before the softmax: below 1 the likely gets likelier, above 1 everything comes \
           closer together. Top-k leaves the k likeliest to choose from. Head 0 of layer 1 looks at spaces, most often at the one \
           before the word. Switch a head off, and the grey bars stay where the \
           probabilities were.",
};

/// What checks are measured on.
const MODEL: &str = "shakespeare-gpt";

/// Most numbers that the logit lens may have: a vocabulary of words leaves room for fewer positions than one of characters.
const MOST: usize = 1 << 24;

/// How many characters a press of a button is good for.
const LENGTH: usize = 80;

/// The head that is shown before anybody chose one: from every character it looks at the space before the word.
const FIRST: Head = (1, 0);

/// The exhibit's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct NextCharacter {
    /// Id of the model.
    pub model: String,
    /// How the next character is chosen.
    #[serde(flatten)]
    pub rule: Rule,
    /// What the model has written after the text.
    pub continuation: String,
    /// Heads that are switched off: layer and head.
    pub off: Vec<Head>,
    /// Whether a click on a head switches it off, rather than showing it.
    pub switches: bool,
    /// How many characters are still to be written.
    #[serde(skip)]
    left: usize,
    /// The text that the continuation goes on with, as of the last frame.
    #[serde(skip)]
    prompt: Option<String>,
    /// The numbers that are shown until the next ones are at hand.
    #[serde(skip)]
    seen: Option<Arc<Reading>>,
}

impl Default for NextCharacter {
    fn default() -> Self {
        Self {
            model: MODEL.to_owned(),
            rule: Rule::default(),
            continuation: String::new(),
            off: vec![],
            switches: false,
            left: 0,
            prompt: None,
            seen: None,
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<NextCharacter> }
}

impl NextCharacter {
    /// What the model reads: of the text and its continuation as much of the end as fits.
    fn reads(&self, gpt: &Gpt, text: &str) -> Vec<u32> {
        let whole = format!("{text}{}", self.continuation);
        let cut = whole.chars().count().saturating_sub(gpt.config.positions);
        let tail: String = whole.chars().skip(cut).collect();
        let room = MOST / gpt.config.vocabulary / (gpt.config.layers + 1);
        let tokens: Arc<Encoding> = gpt.tokenizer.encode(&tail);
        tokens.ids[tokens.ids.len().saturating_sub(room.max(1))..].to_vec()
    }

    /// The heads that are off, of those that the model has.
    fn off(&self, gpt: &Gpt) -> Vec<Head> {
        heads::there(&self.off, [gpt.config.layers, gpt.config.heads])
    }

    /// Whether the numbers at hand are those of the trace.
    fn has_seen(&self, scene: &Scene<'_>) -> bool {
        let seen = self.seen.as_ref().map(|it| it.id);
        seen.is_some() && seen == scene.trace.get("lens.0").map(|it| it.id)
    }

    /// Appends the next character as soon as the numbers belong to the text so far.
    fn write(&mut self, reading: &Reading, scene: &Scene<'_>) {
        let Some(gpt) = scene.zoo.model::<Gpt>(&self.model).filter(|_| self.left > 0) else { return };
        let ids = self.reads(gpt, &scene.inputs.text);
        let words = ids.iter().map(|id| gpt.tokenizer.token(*id));
        if !words.eq(reading.tokens.iter().cloned()) || reading.off != off_words(&self.off(gpt)) {
            return;
        }
        let last = reading.tokens.len() - 1;
        let index = self.continuation.chars().count() as u64;
        let id = self.rule.next(reading.said(last), index);
        self.continuation += &gpt.tokenizer.decode(&[id as u32]);
        self.left -= 1;
    }
}

/// The knobs.
impl NextCharacter {
    /// The buttons that let the model write.
    fn writing(&mut self, k: &mut Knobs<'_, '_>) {
        let ready = k.scene.zoo.model::<Gpt>(&self.model).is_some();
        let (writes, written) = (self.left > 0, !self.continuation.is_empty());
        let mut start = false;
        if !writes {
            start = k.button("Go on", &format!("Lets the model write {LENGTH} characters."), ready);
        } else if k.button("Stop", "Keeps what is written so far.", true) {
            self.left = 0;
        }
        let again = ready && written && !self.rule.greedy;
        if k.button("Again", "From the text's end, with other chances.", again) {
            self.rule.seed += 1;
            self.continuation.clear();
            start = true;
        }
        if k.button("Clear", "Takes away what the model has written.", written) {
            self.continuation.clear();
            self.left = 0;
        }
        if start {
            // Whoever lets it write wants to see its end, not the place that was locked before.
            k.scene.focus.release();
            self.left = LENGTH;
        }
    }

    /// How many of the likeliest may be chosen; at the end of the slider all.
    fn top_k(&mut self, k: &mut Knobs<'_, '_>) {
        let all = k.scene.trace.get("lens.0").and_then(|it| it.shape.last().copied()).unwrap_or(1);
        let mut kept = self.rule.top_k.unwrap_or(all).min(all);
        let words = move |k: f64, _: std::ops::RangeInclusive<usize>| {
            if k as usize >= all { "all".to_owned() } else { format!("{k:.0}") }
        };
        let turned =
            k.slide("top-k", &mut kept, 1..=all, |it| it.logarithmic(all > 1000).custom_formatter(words));
        if turned {
            self.rule.top_k = (kept < all).then_some(kept);
        }
    }
}

/// Heads as a label and a note name them.
fn off_words(off: &[Head]) -> Vec<String> {
    off.iter().map(|(l, h)| format!("{l}.{h}")).collect()
}

impl Exhibit for NextCharacter {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Decoder)
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        &self.model
    }

    fn choose(&mut self, id: &str) {
        id.clone_into(&mut self.model);
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let gpt = zoo.model::<Gpt>(&self.model)?;
        let ids = self.reads(gpt, &inputs.text);
        if ids.is_empty() {
            return None;
        }
        let off = self.off(gpt);
        let g = Graph::new(&["blocks.*.attn.pattern"], &heads::edits(&off, "", &How::Zero));
        let stages = gpt.stages(&g, &ids);
        for (l, logits) in stages.iter().enumerate() {
            logits.keep(&format!("lens.{l}"));
        }
        if ids.len() > 1 {
            surprise(*stages.last()?, &ids).keep("surprise");
        }
        if !off.is_empty() {
            g.scope("original", || gpt.record(&g, &ids).logits.keep("logits"));
        }
        let continued = gpt.tokenizer.encode(&self.continuation).ids.len().min(ids.len());
        g.label("off", off_words(&off));
        g.label("continued", vec![continued.to_string()]);
        // A picture that was recorded must name what it shows before the model is there. Words are looked up as needed.
        if gpt.config.vocabulary < 1000 {
            let words = (0..gpt.config.vocabulary).map(|id| gpt.tokenizer.token(id as u32));
            g.label("vocabulary", words.collect());
        }
        Some(g)
    }

    fn refusal(&self, inputs: &Inputs) -> String {
        if inputs.text.is_empty() {
            "There is nothing to go on with. Type at least one character.".to_owned()
        } else {
            "The model knows none of these characters. Type at least one letter from a to z.".to_owned()
        }
    }

    fn looks(&self) -> &'static [&'static str] {
        &["greedy", "temperature", "top_k", "seed", "switches"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| {
            self.writing(k);
            k.choice("takes", &mut self.rule.greedy, &[(false, "by chance"), (true, "the likeliest")]);
        });
        k.row(|k| {
            k.slide("temperature", &mut self.rule.temperature, 0.1..=2.0, |it| {
                it.step_by(0.05).fixed_decimals(2)
            });
            self.top_k(k);
            k.model(Kind::Decoder, &mut self.model);
        });
        k.row(|k| {
            k.choice("a click", &mut self.switches, &[(false, "shows a head"), (true, "switches it off")]);
            if k.button("Switch all on", "", !self.off.is_empty()) {
                self.off.clear();
            }
            let off = off_words(&self.off).join(", ");
            k.words(&if off.is_empty() { "all heads are on".to_owned() } else { format!("off: {off}") });
        });
    }

    fn heed(&mut self, ui: &egui::Ui, scene: &mut Scene<'_>) {
        let shown = heads::shown(scene.trace, scene.focus.spot(), FIRST);
        scene.focus.shown = shown.map_or_else(Spot::default, heads::spot);
        let text = &scene.inputs.text;
        if self.prompt.as_ref() != Some(text) {
            // What was written goes on with another text.
            if self.prompt.replace(text.clone()).is_some() {
                self.continuation.clear();
                self.left = 0;
            }
        }
        if !self.has_seen(scene) {
            self.seen = Reading::of(scene.trace).map(Arc::new).or(self.seen.take());
            ui.request_repaint_after(Duration::from_millis(16));
        }
        if let Some(reading) = self.seen.clone() {
            self.write(&reading, scene);
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        Some(picture::page(self, self.seen.as_ref()?, scene))
    }

    fn touched(&mut self, _panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        let Touch::Head([l, h], other) = touch else { return };
        if other || self.switches {
            heads::switch(&mut self.off, (l, h));
        } else {
            scene.focus.lock(heads::spot((l, h)));
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
