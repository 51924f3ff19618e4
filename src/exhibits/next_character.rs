//! The next character: a small GPT at work, one character after the other.
//!
//! `p(x_{t+1} | x_1 .. x_t) = softmax(W_E LN(h_t) / T)` (Radford et al. 2019, "Language Models are Unsupervised Multitask
//! Learners", section 2.3), with `h_t` the residual stream after the last layer. Read out after an earlier layer instead,
//! the same formula is the logit lens (nostalgebraist 2020, "interpreting GPT"). Surprise is `-log p` of the character
//! that really follows. Characters of Shakespeare are Karpathy's idea (2015, "The Unreasonable Effectiveness of Recurrent
//! Neural Networks"). A head that is off has its output `z` set to zero, and the original runs beside it.

mod bars;
mod heads;
mod knobs;
mod lens;
mod reading;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use web_time::Duration;

use self::reading::Reading;
pub(super) use self::reading::visible;
use super::recorded::recorded;
use super::{Card, Check, Entry, Exhibit, Inputs, Measure, Scene, largest};
use crate::data::Encoding;
use crate::graph::{Edit, Graph, How, Var};
use crate::models::sampling::Rule;
use crate::models::{Gpt, Kind, Zoo};
use crate::nn::loss::{cross_entropy, log_softmax, one_hot};
use crate::page::{Knobs, Page, Touch, column, row};
use crate::tensor::Tensor;
use crate::trace::Trace;

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

/// A passage of the part of Shakespeare that training never saw: Twelfth Night, act 3, scene 2.
const UNSEEN: &str = "where you will hang like an\nicicle on Dutchman's beard, unless you do redeem it by some\nlaudable \
                      attempt either of valour or policy.";

/// Most numbers that the logit lens may have: a vocabulary of words leaves room for fewer positions than one of characters.
const MOST: usize = 1 << 24;

/// How many characters a press of a button is good for.
const LENGTH: usize = 80;

/// The exhibit's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct NextCharacter {
    /// Id of the model.
    #[serde(skip_serializing_if = "is_first_model")]
    pub model: String,
    /// How the next character is chosen.
    #[serde(flatten)]
    pub rule: Rule,
    /// What the model has written after the text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub continuation: String,
    /// Heads that are switched off: layer and head.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<(usize, usize)>,
    /// Whether a click on a head switches it off, rather than showing it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
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

fn is_first_model(id: &String) -> bool {
    id == MODEL
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: |state| Ok(Box::new(NextCharacter::restore(state)?)) }
}

impl NextCharacter {
    fn restore(state: serde_json::Value) -> Result<Self, serde_json::Error> {
        if state.is_null() { Ok(Self::default()) } else { serde_json::from_value(state) }
    }

    /// What the model reads: of the text and its continuation as much of the end as fits.
    fn reads(&self, gpt: &Gpt, text: &str) -> Vec<u32> {
        let whole = format!("{text}{}", self.continuation);
        let cut = whole.chars().count().saturating_sub(gpt.config.positions);
        let tail: String = whole.chars().skip(cut).collect();
        let room = MOST / gpt.config.vocabulary / (gpt.config.layers + 1);
        let tokens: Arc<Encoding> = gpt.tokenizer.encode(&tail);
        tokens.ids[tokens.ids.len().saturating_sub(room.max(1))..].to_vec()
    }

    /// The heads that are off and that the model has: a link may have been made with a larger one.
    fn off(&self, gpt: &Gpt) -> Vec<(usize, usize)> {
        let there = |(l, h): &&(usize, usize)| *l < gpt.config.layers && *h < gpt.config.heads;
        self.off.iter().filter(there).copied().collect()
    }

    /// Whether the numbers at hand are those of the trace.
    fn has_seen(&self, scene: &Scene<'_>) -> bool {
        let seen = self.seen.as_ref().map(|it| it.id);
        seen.is_some() && seen == scene.trace.get("lens.0").map(|it| it.id)
    }

    /// Appends the next character as soon as the numbers belong to the text so far.
    fn go_on(&mut self, reading: &Reading, scene: &Scene<'_>) {
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

fn off_words(off: &[(usize, usize)]) -> Vec<String> {
    off.iter().map(|(l, h)| format!("{l}.{h}")).collect()
}

/// `-log p` of every token but the first, given those before it: `[pos - 1]`, in nats, of `logits` `[pos, vocab]`.
pub fn surprise<'g>(logits: Var<'g>, ids: &[u32]) -> Var<'g> {
    let n = ids.len() - 1;
    let said = log_softmax(logits.slice(0, 0, n));
    (-(said * one_hot(following(logits.graph(), ids), logits.dim(-1))).sum(-1)).reshape(&[n])
}

/// The tokens after the first, `[pos - 1]`.
fn following<'g>(g: &'g Graph, ids: &[u32]) -> Var<'g> {
    g.input(&Tensor::new(&[ids.len() - 1], ids[1..].iter().map(|id| *id as f32).collect::<Vec<_>>()))
}

/// Records the model with a read-out before every layer and after the last: logits `lens.{l}`, `[pos, vocab]`.
fn read_out<'g>(g: &'g Graph, gpt: &Gpt, ids: &[u32]) -> Vec<Var<'g>> {
    let written = gpt.record(g, ids);
    let before = (0..gpt.config.layers).filter_map(|l| g.at(&format!("blocks.{l}.resid_pre")));
    let stages: Vec<Var<'g>> = before.map(|x| gpt.lens(x)).chain([written.logits]).collect();
    for (l, logits) in stages.iter().enumerate() {
        logits.keep(&format!("lens.{l}"));
    }
    stages
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
        let edit = |(l, h): &(usize, usize)| Edit {
            at: format!("blocks.{l}.attn.z"),
            select: vec![("head".to_owned(), *h)],
            how: How::Zero,
        };
        let g = Graph::new(&["blocks.*.attn.pattern"], &off.iter().map(edit).collect::<Vec<_>>());
        let stages = read_out(&g, gpt, &ids);
        if let [.., logits] = stages[..]
            && ids.len() > 1
        {
            surprise(logits, &ids).keep("surprise");
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

    fn recorded(&self, inputs: &Inputs) -> Option<Arc<Trace>> {
        let plain = self.model == MODEL && self.off.is_empty() && self.continuation.is_empty();
        recorded(CARD.id).filter(|_| plain && inputs.text == Inputs::default().text)
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        knobs::visit(self, k);
    }

    fn heed(&mut self, ui: &egui::Ui, scene: &mut Scene<'_>) {
        scene.focus.shown = heads::shown(scene);
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
            self.go_on(&reading, scene);
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        let reading = self.seen.as_ref()?;
        let (text, bars) =
            (text::panel_of(reading, scene).into(), bars::panel_of(self, reading, scene).into());
        let lens = Page::from(lens::panel_of(self, reading, scene));
        let right = match heads::panels(self, scene) {
            Some(heads) => column([lens, row(heads)]),
            None => lens,
        };
        Some(row([column([text, bars]), right]))
    }

    fn touched(&mut self, _panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        if let Touch::Head([l, h], other) = touch {
            heads::touched(self, (l, h), other, scene);
        }
    }

    fn checks(&self) -> Vec<Check> {
        vec![
            Check {
                name: "probabilities sum to 1",
                claim: "at every position and after every layer, of lines of Twelfth Night: largest |sum - 1|",
                tolerance: 1e-5,
                because: "f32 sum of 84 probabilities",
                model: MODEL,
                measure: Measure::Scalar(|zoo| {
                    error_of(zoo, |_, stages, _| {
                        let errors = stages.iter().map(|it| largest(it.softmax().sum(-1) - 1.0));
                        errors.reduce(Var::max_with).unwrap_or_else(|| unreachable!("a model has layers"))
                    })
                }),
            },
            Check {
                name: "nothing looks ahead",
                claim: "logits do not change when the text (lines of Twelfth Night) goes on: largest difference to those of its \
                        first half",
                tolerance: 1e-4,
                because: "f32 sums in another order, logits of size 20",
                model: MODEL,
                measure: Measure::Scalar(|zoo| {
                    error_of(zoo, |gpt, stages, ids| {
                        let (g, half) = (stages[0].graph(), ids.len() / 2);
                        let alone = g.scope("half", || gpt.record(g, &ids[..half])).logits;
                        largest(stages[stages.len() - 1].slice(0, 0, half) - alone)
                    })
                }),
            },
            Check {
                name: "it has learnt",
                claim: "mean surprise per character, in nats, of lines of Twelfth Night that it never saw",
                tolerance: 1.75,
                because: "equally likely characters would cost 4.43, single frequent ones about 3; the target was 1.75",
                model: MODEL,
                measure: Measure::Scalar(|zoo| {
                    error_of(zoo, |_, stages, ids| {
                        let logits = stages[stages.len() - 1].slice(0, 0, ids.len() - 1);
                        cross_entropy(logits, following(logits.graph(), ids))
                    })
                }),
            },
            Check {
                name: "GPU equals CPU",
                claim: "patterns and the logits of every layer on the GPU and on the CPU, of lines of Twelfth Night: largest \
                        difference",
                tolerance: 5e-4,
                because: "f32 sums in another order through 4 layers, logits of size 20",
                model: MODEL,
                measure: Measure::Devices(|zoo| {
                    let gpt = zoo.model::<Gpt>(MODEL)?;
                    let g = Graph::new(&["blocks.*.attn.pattern"], &[]);
                    read_out(&g, gpt, &gpt.tokenizer.encode(UNSEEN).ids);
                    Some(g)
                }),
            },
        ]
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Records, as the check's error, what `measure` makes of the read-outs of lines that the model never saw.
fn error_of(zoo: &Zoo, measure: impl for<'g> Fn(&Gpt, &[Var<'g>], &[u32]) -> Var<'g>) -> Option<Graph> {
    let gpt = zoo.model::<Gpt>(MODEL)?;
    let ids = &gpt.tokenizer.encode(UNSEEN).ids;
    let g = Graph::default();
    let stages = read_out(&g, gpt, ids);
    measure(gpt, &stages, ids).keep("error");
    Some(g)
}
