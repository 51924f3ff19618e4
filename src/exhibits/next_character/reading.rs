//! The numbers of a trace, at hand, and what its positions are called.

use std::sync::Arc;

use super::NextCharacter;
use crate::focus::Spot;
use crate::models::Gpt;
use crate::models::sampling::first;
use crate::page::Scene;
use crate::trace::{Kept, Trace};

/// The numbers of a trace, at hand.
#[derive(Debug)]
pub(super) struct Reading {
    /// What was read.
    pub(super) tokens: Vec<String>,
    /// How many of them the model has written itself: the last ones.
    pub(super) continued: usize,
    /// Heads that were off.
    pub(super) off: Vec<String>,
    /// `-log p` of every token but the first, in nats.
    pub(super) surprise: Arc<[f32]>,
    /// Logits `[pos, vocab]` after the last layer with all heads on, if some were off.
    original: Option<Arc<[f32]>>,
    /// Logits `[pos, vocab]` before every layer, and after the last.
    lens: Vec<Arc<[f32]>>,
    /// The first choice and its probability, of every position at every stage: a frame needs them all.
    best: Vec<(usize, f32)>,
    vocabulary: usize,
    words: Vec<String>,
    /// Of which tensor these are the numbers.
    pub(super) id: u64,
}

impl Reading {
    /// `None` while a number is on its way, or if the trace lacks one.
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let all = |kept: &Kept| kept.window(0..kept.shape.iter().product());
        let stages: Vec<&Kept> = (0..1000).map_while(|l| trace.get(&format!("lens.{l}"))).collect();
        let (tensor, tokens) = (*stages.first()?, trace.words("tokens").to_vec());
        // Asked for together, so that all come at once.
        let lens: Vec<Option<Arc<[f32]>>> = stages.iter().map(|it| all(it)).collect();
        let surprise = trace.get("surprise").map(all);
        let original = trace.get("original/logits").map(all);
        let (surprise, original) =
            (surprise.map_or(Some([].into()), |it| it)?, original.map_or(Some(None), |it| it.map(Some))?);
        let lens: Vec<Arc<[f32]>> = lens.into_iter().collect::<Option<_>>()?;
        let (vocabulary, id) = (*tensor.shape.last()?, tensor.id);
        let best = lens.iter().flat_map(|it| it.chunks(vocabulary)).map(first);
        let best = best.map(|(id, p)| (id, p as f32)).collect();
        let continued = trace.words("continued").first().and_then(|it| it.parse().ok()).unwrap_or(0);
        let [off, words] = ["off", "vocabulary"].map(|it| trace.words(it).to_vec());
        let it = Self { tokens, continued, off, surprise, original, lens, best, vocabulary, words, id };
        (tensor.shape[0] == it.tokens.len()).then_some(it)
    }

    /// How many read-outs there are: one before every layer, and one after the last.
    pub(super) fn stages(&self) -> usize {
        self.lens.len()
    }

    /// What could come after position `at`, read out at `stage`: `[vocab]`.
    pub(super) fn logits(&self, stage: usize, at: usize) -> &[f32] {
        &self.lens[stage][at * self.vocabulary..][..self.vocabulary]
    }

    /// What the model expects after position `at`: logits after the last layer, `[vocab]`.
    pub(super) fn said(&self, at: usize) -> &[f32] {
        self.logits(self.stages() - 1, at)
    }

    /// The token that a read-out expects most after position `at`, and how likely it is.
    pub(super) fn best(&self, stage: usize, at: usize) -> (usize, f32) {
        self.best[stage * self.tokens.len() + at]
    }

    /// The token after position `at` as it is displayed; none after the last.
    pub(super) fn follows(&self, at: usize) -> Option<String> {
        self.tokens.get(at + 1).map(|it| visible(it))
    }

    /// The same with all heads on, if some are off.
    pub(super) fn original(&self, at: usize) -> Option<&[f32]> {
        self.original.as_ref().map(|it| &it[at * self.vocabulary..][..self.vocabulary])
    }

    /// The token `id` as it is displayed.
    pub(super) fn word(&self, id: usize, state: &NextCharacter, scene: &Scene<'_>) -> String {
        let known = self.words.get(id).cloned();
        let known = known.or_else(|| Some(scene.zoo.model::<Gpt>(&state.model)?.tokenizer.token(id as u32)));
        visible(&known.unwrap_or_default())
    }

    /// The position that is looked at: the lit one, else the last.
    pub(super) fn at(&self, spot: Spot) -> usize {
        let last = self.tokens.len() - 1;
        spot.query.filter(|it| *it <= last).unwrap_or(last)
    }

    /// What a read-out is called.
    pub(super) fn stage_name(&self, stage: usize) -> String {
        match stage {
            0 => "embedding".to_owned(),
            _ if stage + 1 == self.stages() => "the model".to_owned(),
            _ => format!("layer {}", stage - 1),
        }
    }
}

/// A token with its blanks made visible.
pub(in crate::exhibits) fn visible(token: &str) -> String {
    token.replace(' ', "␣").replace('\n', "¶")
}
