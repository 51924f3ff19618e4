//! The numbers of a trace, at hand, and what its positions are called.

use std::sync::Arc;

use crate::models::sampling::first;
use crate::trace::{Kept, Trace};

/// The numbers of a trace, at hand.
#[derive(Debug)]
pub(super) struct Reading {
    /// What was read.
    pub(super) tokens: Vec<String>,
    /// The same as it is displayed.
    pub(super) places: Vec<String>,
    /// How many of them the model has written itself: the last ones.
    pub(super) continued: usize,
    /// Heads that were off.
    pub(super) off: Vec<String>,
    /// `-log p` of every token but the first, in nats.
    surprise: Arc<[f32]>,
    /// Logits `[pos, vocab]` after the last layer with all heads on, if some were off.
    original: Option<Arc<[f32]>>,
    /// Logits `[pos, vocab]` before every layer, and after the last.
    lens: Vec<Arc<[f32]>>,
    /// The first choice and its probability, of every position at every stage: a frame needs them all.
    best: Vec<(usize, f32)>,
    vocabulary: usize,
    /// The tokens of a small vocabulary.
    pub(super) words: Vec<String>,
    /// Of which tensor these are the numbers.
    pub(super) id: u64,
}

impl Reading {
    /// `None` while a number is on its way, or if the trace lacks one.
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let stages: Vec<&Kept> = (0..).map_while(|l| trace.get(&format!("lens.{l}"))).collect();
        let (tensor, tokens) = (*stages.first()?, trace.words("tokens").to_vec());
        // Asked for together, so that all come at once.
        let lens: Vec<Option<Arc<[f32]>>> = stages.iter().map(|it| it.values()).collect();
        let [surprise, original] = ["surprise", "original/logits"].map(|it| trace.get(it).map(Kept::values));
        let (surprise, original) =
            (surprise.unwrap_or(Some([].into()))?, original.map_or(Some(None), |it| it.map(Some))?);
        let lens: Vec<Arc<[f32]>> = lens.into_iter().collect::<Option<_>>()?;
        let (vocabulary, id) = (*tensor.shape.last()?, tensor.id);
        let best = lens.iter().flat_map(|it| it.chunks(vocabulary)).map(first);
        let best = best.map(|(id, p)| (id, p as f32)).collect();
        let continued = trace.words("continued").first().and_then(|it| it.parse().ok()).unwrap_or(0);
        let [off, words] = ["off", "vocabulary"].map(|it| trace.words(it).to_vec());
        let places = tokens.iter().map(|it| visible(it)).collect();
        let it =
            Self { tokens, places, continued, off, surprise, original, lens, best, vocabulary, words, id };
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

    /// The same with all heads on, if some are off.
    pub(super) fn original(&self, at: usize) -> Option<&[f32]> {
        self.original.as_ref().map(|it| &it[at * self.vocabulary..][..self.vocabulary])
    }

    /// The token that a read-out expects most after position `at`, and how likely it is.
    pub(super) fn best(&self, stage: usize, at: usize) -> (usize, f32) {
        self.best[stage * self.tokens.len() + at]
    }

    /// The surprise of token `i` in nats; none of the first.
    pub(super) fn surprise(&self, i: usize) -> Option<f32> {
        self.surprise.get(i.checked_sub(1)?).copied()
    }

    /// The token after position `at` as it is displayed; none after the last.
    pub(super) fn follows(&self, at: usize) -> Option<&String> {
        self.places.get(at + 1)
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
