//! Retention: scores that fade with distance, and no softmax.
//!
//! `O = (Q K^T o D) V`, `D[n, m] = gamma^(n - m)` for `n >= m` and 0 before (Sun et al. 2023, arXiv 2307.08621, eq. 5). The same
//! numbers come out token by token, `S_n = gamma S_{n-1} + k_n^T v_n`, `o_n = q_n S_n` (eq. 6), and in chunks (eq. 7). As it
//! opens every character has a direction of its own, drawn at random, so that equal ones match; trained models are shown too.

mod claims;
mod knobs;
mod picture;
mod race;
mod recall;
#[cfg(test)]
mod tests;
mod trained;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::race::Race;
use self::trained::Trained;
use super::recorded::recorded;
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened};
use crate::data::Random;
use crate::focus::Spot;
use crate::graph::{Graph, Var};
use crate::mechanisms::retention::{Form, Retention, rotate};
use crate::models::{Kind, Zoo};
use crate::page::{Knobs, Page, Touch};
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "retnet-decay",
    title: "Retention",
    claim: "What is read fades a little with every token, in each head at its own pace; no softmax sees it.",
    formula: r"O = (QK^{\top} \odot D)\,V, \qquad D_{nm} = \gamma^{\,n-m}",
    paper: "Sun et al., Retentive Network: A Successor to Transformer for Large Language Models",
    year: 2023,
    reference: "2307.08621",
    family: "Fields of distance",
    more: "Each head has a number γ: a token that lies d tokens back counts γ to the power of d. The curve says how much is left, \
           and its handle sits where half is left; drag it. D holds these factors for all pairs of tokens. They multiply the \
           scores, which stay signed and are never normalised: a row does not sum to 1.\n\n\
           Therefore all that was read fits into one matrix, the state: each token fades it and adds its own. Token by token, \
           in chunks or all at once, the same comes out, up to rounding; the largest difference is measured live. A state \
           takes the same memory after ten tokens as after a million.\n\n\
           As the exhibit opens nothing is trained. Every character of your text has a direction of its own, drawn at random, \
           as query, key and value, so that equal characters match. The paper's γ are 1 − 2^(−5−h), with half-lives of 22, 44, \
           88 and 177 tokens; those that one sees first are shorter, so that a sentence shows them.\n\n\
           “A trained RetNet” reads your text beside a GPT. Both learnt Shakespeare; the GPT has nearly four times the parameters \
           and took more steps, so that it is surprised less says nothing about retention. “What heads are for” asks a \
           smaller RetNet for the symbols 2, 8 and 32 steps ago, and switches its heads off one by one.",
};

/// Heads.
const HEADS: usize = 4;

/// Channels of a head.
const D_HEAD: usize = 8;

/// Of a long text the end is read: so many characters.
const LONGEST: usize = 256;

/// The exhibit's state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetnetDecay {
    /// After how many tokens each head has half forgotten.
    pub half_lives: [f32; HEADS],
    /// Whether D is coloured in decades.
    pub log: bool,
    /// Whether queries and keys are turned by their position.
    pub rotate: bool,
    /// Tokens of a chunk.
    pub chunk: usize,
    /// After how many tokens the state is shown; all, if there is none.
    pub read: Option<usize>,
    /// What chance begins with.
    pub seed: u64,
    /// Which factor of the head is large.
    pub large: Factor,
    /// What of a token's cost is drawn.
    pub cost: Cost,
    /// Whose retention is shown.
    pub source: Source,
    /// That of a model that learnt to read.
    pub trained: Trained,
    /// When the next token is read, in seconds since the start; it waits if that is not set.
    #[serde(skip)]
    next: Option<f64>,
    /// What a token costs here.
    #[serde(skip)]
    race: Race,
}

/// Where queries, keys and values come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Chance: a direction for every character.
    #[default]
    Chance,
    /// A RetNet that learnt Shakespeare.
    Trained,
    /// A RetNet that learnt to recall symbols.
    Recall,
}

/// What a head multiplies, and what comes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Factor {
    /// `Q K^T`
    Scores,
    /// `D`
    Decay,
    /// `Q K^T o D`
    #[default]
    Product,
}

/// What one more token costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cost {
    /// Numbers that are kept.
    #[default]
    Memory,
    /// Floating-point operations.
    Operations,
    /// Microseconds on this device.
    Time,
}

/// Seconds a token while it plays.
const PACE: f64 = 0.16;

const USUAL: [f32; HEADS] = [2.0, 5.0, 12.0, 30.0];

impl Default for RetnetDecay {
    fn default() -> Self {
        Self {
            half_lives: USUAL,
            log: false,
            rotate: false,
            chunk: 8,
            read: None,
            seed: 0,
            large: Factor::Product,
            cost: Cost::Memory,
            source: Source::Chance,
            trained: Trained::default(),
            next: None,
            race: Race::default(),
        }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<RetnetDecay> }
}

/// A direction for every character, `[head, pos, d_head]`: equal ones have the same, of length 1.
fn directions<'g>(g: &'g Graph, tokens: &[char], seed: u64, what: u64) -> Var<'g> {
    let mut data = vec![];
    for head in 0..HEADS as u64 {
        for token in tokens {
            let mut chance = Random::stream(seed, (u64::from(*token) << 8) | (head << 4) | what);
            let x: Vec<f64> = (0..D_HEAD).map(|_| chance.normal()).collect();
            let length = x.iter().map(|it| it * it).sum::<f64>().sqrt();
            data.extend(x.iter().map(|it| (it / length) as f32));
        }
    }
    g.input(&Tensor::new(&[HEADS, tokens.len(), D_HEAD], data))
}

/// The states after every token, `[head, pos, d_head, d_value]`: `S_n = sum_m D[n, m] k_m^T v_m`.
fn states<'g>(decay: Var<'g>, k: Var<'g>, v: Var<'g>) -> Var<'g> {
    let pos = k.dim(-2);
    let added = k.reshape(&[HEADS, pos, D_HEAD, 1]) * v.reshape(&[HEADS, pos, 1, D_HEAD]);
    let states = decay.matmul(added.reshape(&[HEADS, pos, D_HEAD * D_HEAD]));
    states.reshape(&[HEADS, pos, D_HEAD, D_HEAD])
}

/// What a step away is worth where half is left after `half_life` steps.
fn gamma(half_life: f32) -> f32 {
    (-std::f32::consts::LN_2 / half_life.clamp(0.1, 1e6)).exp()
}

impl RetnetDecay {
    /// How many of `n` tokens the state that is shown has read.
    fn read(&self, n: usize) -> usize {
        self.read.unwrap_or(n).clamp(1.min(n), n)
    }

    /// Reads on, a token after the other, while it plays.
    fn play(&mut self, ui: &egui::Ui, n: usize) {
        let Some(next) = self.next else { return };
        let now = ui.input(|it| it.time);
        if now >= next {
            let read = self.read(n) + 1;
            self.read = (read < n).then_some(read);
            self.next = self.read.map(|_| now + PACE);
        }
        ui.ctx().request_repaint_after_secs(PACE as f32 / 4.0);
    }

    /// The end of the text that is read.
    fn tokens(text: &str) -> Vec<char> {
        let letters: Vec<char> = text.chars().collect();
        letters[letters.len().saturating_sub(LONGEST)..].to_vec()
    }
}

impl Exhibit for RetnetDecay {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn reads(&self) -> bool {
        self.source != Source::Recall
    }

    fn model<'a>(&'a self, inputs: &'a Inputs) -> &'a str {
        self.models(inputs)[0]
    }

    fn models<'a>(&'a self, _inputs: &'a Inputs) -> Vec<&'a str> {
        match self.source {
            Source::Chance => vec![""],
            Source::Trained => trained::MODELS.to_vec(),
            Source::Recall => vec![recall::MODEL],
        }
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        match self.source {
            Source::Chance => {}
            Source::Trained => return self.trained.record(inputs, zoo),
            Source::Recall => return recall::recorded(zoo),
        }
        if let Some(g) = self.race.record() {
            return Some(g);
        }
        let tokens = Self::tokens(&inputs.text);
        if tokens.is_empty() {
            return None;
        }
        let g = Graph::default();
        g.label("tokens", tokens.iter().map(char::to_string).collect());
        // Queries ask for what they are: an equal character answers.
        let (x, v) = (directions(&g, &tokens, self.seed, 0), directions(&g, &tokens, self.seed, 1));
        let x = if self.rotate { rotate(x, 0) } else { x };
        let gamma = g.input(&Tensor::new(&[HEADS], self.half_lives.map(gamma).to_vec()));
        let retention = |form| Retention { gamma, form };
        let parallel = retention(Form::Parallel);
        let (decay, scores) = (parallel.decay(tokens.len()), x.matmul(x.t()));
        decay.keep("decay");
        scores.keep("scores");
        (scores * decay).keep("weights");
        let z = parallel.record(x, x, v, None).z;
        let apart = |form| largest(retention(form).record(x, x, v, None).z - z);
        apart(Form::Recurrent).keep("apart.recurrent");
        apart(Form::Chunkwise(self.chunk.clamp(1, LONGEST))).keep("apart.chunkwise");
        let states = states(decay, x, v).keep("states");
        states.slice(1, tokens.len() - 1, 1).reshape(&[HEADS, D_HEAD, D_HEAD]).keep("state");
        largest(states).keep("state.peak");
        Some(g)
    }

    fn refusal(&self, _inputs: &Inputs) -> String {
        "There is too little to read. Write a sentence above.".to_owned()
    }

    fn recorded(&self, inputs: &Inputs) -> Option<Arc<Trace>> {
        let looks = Self::default();
        let plain =
            Self { log: false, read: None, large: looks.large, cost: looks.cost, next: None, ..self.clone() };
        let plain = plain == looks && self.race.at().is_none();
        recorded(CARD.id).filter(|_| plain && inputs.text == Inputs::default().text)
    }

    fn progress(&self) -> Option<u64> {
        self.race.at().filter(|_| self.source == Source::Chance).map(|it| it as u64)
    }

    fn go_on(&mut self, trace: &Trace) -> bool {
        self.race.take(trace)
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        knobs::visit(self, k);
    }

    fn heed(&mut self, ui: &egui::Ui, scene: &mut Scene<'_>) {
        if self.source == Source::Chance {
            scene.focus.shown = Spot { head: Some(picture::head(scene.focus.locked)), ..Spot::default() };
            self.play(ui, self.race.shown(scene.trace).words("tokens").len());
        }
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        match self.source {
            Source::Chance => picture::page(self, self.race.shown(scene.trace), scene.focus.spot()),
            Source::Trained => trained::page(&self.trained, scene),
            Source::Recall => recall::page(scene),
        }
    }

    fn touched(&mut self, panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        if self.source == Source::Trained {
            return self.trained.touched(panel, touch, scene);
        }
        match touch {
            Touch::Dragged(h, [distance, _]) if h < HEADS => self.half_lives[h] = distance.clamp(0.5, 1000.0),
            Touch::Clicked(i) if panel == "factors" => self.large = picture::FACTORS[i.min(2)].0,
            Touch::Clicked(h) if panel == "D" => {
                scene.focus.lock(Spot { head: Some(h), ..Spot::default() });
            }
            _ => {}
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
