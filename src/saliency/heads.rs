//! What a head measurably does: how much of its attention goes where a simple rule says.
//!
//! Each score is a mean over queries and lies in 0..1, so that heads of all layers compare. (Kinds as in Clark et al.
//! 2019, arXiv 1906.04341, section 3, and Kovaleva et al. 2019, arXiv 1908.08593.)

use crate::graph::Var;
use crate::trace::Trace;

/// Ways in which a head can attend, in the order of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// To the token before.
    Previous,
    /// To the token after.
    Next,
    /// To itself.
    Diagonal,
    /// To the first token, whatever it is.
    First,
    /// To the separators.
    Separator,
    /// To all tokens alike: entropy over its largest possible value.
    Uniform,
}

/// A head with the kind that describes it best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadLabel {
    /// What it does.
    pub kind: HeadKind,
    /// How much of it: share of the attention, or relative entropy for [`HeadKind::Uniform`].
    pub score: f32,
}

impl HeadKind {
    /// All kinds, in the order of the scores.
    pub const ALL: [Self; 6] =
        [Self::Previous, Self::Next, Self::Diagonal, Self::First, Self::Separator, Self::Uniform];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Previous => "previous token",
            Self::Next => "next token",
            Self::Diagonal => "diagonal",
            Self::First => "first-token sink",
            Self::Separator => "separator sink",
            Self::Uniform => "uniform",
        }
    }

    /// A head is called by this kind from this score on: most of its attention follows the rule, or its entropy is within
    /// a few per cent of the largest possible.
    fn threshold(self) -> f32 {
        if self == Self::Uniform { 0.95 } else { 0.5 }
    }
}

/// Records, under `{name}.kinds` `[head, 5]` and `{name}.entropy` `[head]`, how the heads of a pattern
/// `[head, query, key]` attend. `separators` are positions.
pub fn record(pattern: Var<'_>, name: &str, separators: &[usize]) {
    let (h, n) = (pattern.dim(0), pattern.dim(-1));
    let g = pattern.graph();
    // The places of a rule are as far apart as the next row's are in memory, hence a view.
    let (places, none) = (pattern.reshape(&[h, n * n]), g.constant(0.0).broadcast(&[h, 1]));
    let share = |first: usize, count: usize, apart: usize| {
        if count == 0 {
            return none;
        }
        places.strided(1, first, count, apart).sum(-1) / count as f32
    };
    let to = |key: usize| share(key, n, n);
    let separators = separators.iter().map(|key| to(*key)).reduce(|a, b| a + b);
    let kinds = [
        share(n, n - 1, n + 1),
        share(1, n - 1, n + 1),
        share(0, n, n + 1),
        to(0),
        separators.unwrap_or(none),
    ];
    Var::concat(&kinds, 1).keep(&format!("{name}.kinds"));
    // A floor keeps 0 log 0 at 0.
    let surprise = -pattern.max_with(g.constant(1e-12)).log();
    let entropy = (pattern * surprise).sum(-1).mean(-2) / (n as f32).ln().max(1e-6);
    entropy.reshape(&[h]).keep(&format!("{name}.entropy"));
}

/// The label of head `head`, from what [`record`] kept under `name`; `None` if no kind describes it, or if the numbers
/// are still on their way.
pub fn label(trace: &Trace, name: &str, head: usize) -> Option<HeadLabel> {
    let kinds = trace.get(&format!("{name}.kinds"))?;
    let kinds = kinds.window(0..kinds.shape[0] * 5)?;
    let entropy = trace.get(&format!("{name}.entropy"))?;
    let entropy = entropy.window(0..entropy.shape[0])?;
    let score = |i: usize| if i < 5 { kinds[head * 5 + i] } else { entropy[head] };
    let labels = HeadKind::ALL.iter().enumerate().map(|(i, kind)| HeadLabel { kind: *kind, score: score(i) });
    // Of several that apply, the one furthest beyond its threshold.
    let beyond = |it: &HeadLabel| (it.score - it.kind.threshold()) / (1.0 - it.kind.threshold());
    labels.filter(|it| beyond(it) >= 0.0).max_by(|a, b| beyond(a).total_cmp(&beyond(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cancel, cpu::Cpu};
    use crate::graph::Graph;
    use crate::platform::block_on;
    use crate::tensor::Tensor;

    fn labelled(pattern: impl Fn(usize, usize) -> f32) -> Option<HeadLabel> {
        let g = Graph::default();
        let pattern = Tensor::from_fn(&[1, 8, 8], |at| pattern(at[1], at[2]));
        record(g.input(&pattern), "attn", &[7]);
        let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
        label(&trace, "attn", 0)
    }

    fn one(yes: bool) -> f32 {
        f32::from(u8::from(yes))
    }

    #[test]
    fn pure_heads_are_recognised_with_score_one() {
        type Rule = fn(usize, usize) -> f32;
        let cases: [(HeadKind, Rule); 6] = [
            (HeadKind::Previous, |q, k| one(k == q.saturating_sub(1))),
            (HeadKind::Next, |q, k| one(k == (q + 1).min(7))),
            (HeadKind::Diagonal, |q, k| one(k == q)),
            (HeadKind::First, |_, k| one(k == 0)),
            (HeadKind::Separator, |_, k| one(k == 7)),
            (HeadKind::Uniform, |_, _| 1.0 / 8.0),
        ];
        for (kind, pattern) in cases {
            let label = labelled(pattern).unwrap();
            assert_eq!(label.kind, kind);
            assert!((label.score - 1.0).abs() < 1e-5, "{kind:?} scores {}", label.score);
        }
    }

    #[test]
    fn a_head_that_follows_no_rule_has_no_label() {
        assert_eq!(labelled(|q, k| one(k == (q + 3) % 8)), None);
    }
}
