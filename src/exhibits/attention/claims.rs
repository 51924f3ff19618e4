//! The claims of attention as measurements.

use super::{Attention, cosine, patterns};
use crate::exhibits::{Check, Inputs, error, heads, usual, worst};
use crate::graph::{Graph, Var};
use crate::models::{Bert, FULL, Zoo};
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The names under which a tile keeps how far rows of patterns and of rollout are from summing to 1.
pub(super) const ROWS: [&str; 2] = ["rows.error", "rollout.rows.error"];

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let states = "f32 sums in another order through 6 layers, states of size 5";
    let checks = [
        Check::shown("rows sum to 1", ROWS[0], usual::<Attention>)
            .says("every row of every attention pattern sums to 1: largest |sum - 1|")
            .within(1e-5, "f32 sum of up to 512 weights"),
        Check::shown("rollout rows sum to 1", ROWS[1], usual::<Attention>)
            .says("every row of rollout sums to 1 after every layer: largest |sum - 1|")
            .within(1e-5, "f32 products of up to 12 stochastic matrices"),
        Check::devices(first_sentence)
            .says("patterns and final states of MiniLM on the GPU and on the CPU, of the sentence that one sees first: largest \
                   difference")
            .within(5e-4, states),
        Check::of("MiniLM equals ONNX Runtime", against_onnx)
            .says("patterns and final states of “It was tired.” against ONNX Runtime on the same weights: largest difference")
            .within(5e-4, states),
        Check::of("8 bits keep the patterns", |zoo| rounded(zoo, Asked::Patterns))
            .says("attention weights with weights of 8 bits, which a page loads, against the full ones, over 100 sentences: the \
                   mean of |difference|, of one weight that is 1/10 in the mean")
            .within(0.005, "a row of weights moves by at most 1/254 of its largest"),
        Check::of("8 bits keep the sentence", |zoo| rounded(zoo, Asked::Sentence))
            .says("1 - cosine of the embeddings of a sentence with weights of 8 bits and with the full ones: the largest of 100 \
                   sentences")
            .within(0.01, "as above, through 6 layers"),
    ];
    checks.map(|it| it.on(FULL)).into()
}

fn first_sentence(zoo: &Zoo) -> Option<Graph> {
    let bert = zoo.model::<Bert>(FULL)?;
    let g = Graph::new(&["blocks.*.attn.pattern", "final"], &[]);
    bert.record(&g, &bert.tokenizer.encode(&Inputs::default().text).ids);
    Some(g)
}

/// The golden numbers are part of the recording, so the comparison itself runs on the device that is checked.
fn against_onnx(zoo: &Zoo) -> Option<Graph> {
    let bert = zoo.model::<Bert>(FULL)?;
    let golden = Trace::parse(include_bytes!("../../../assets/golden/minilm.safetensors")).ok()?;
    error(|g| {
        let seen = bert.record(g, &bert.tokenizer.encode("It was tired.").ids);
        let golden = |name: &str| {
            let kept = golden.get(name)?;
            Some(g.input(&Tensor::new(&kept.shape, kept.values()?)))
        };
        let far = patterns(g, bert).into_iter().enumerate();
        let far = far
            .map(|(l, it)| Some(it - golden(&heads::pattern(l))?))
            .chain([Some(seen.hidden - golden("final")?)]);
        worst(far.collect::<Option<Vec<_>>>()?)
    })
}

/// What of a sentence is compared.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Patterns,
    Sentence,
}

/// A hundred sentences: each beginning with each end.
fn sentences() -> impl Iterator<Item = String> {
    const BEGINNINGS: [&str; 10] = [
        "The old captain",
        "My sister",
        "A small grey cat",
        "Nobody in the village",
        "The committee",
        "Rain",
        "Every good teacher",
        "The engine",
        "Her first novel",
        "What you said",
    ];
    const ENDS: [&str; 10] = [
        "kept us waiting.",
        "was never seen again.",
        "makes a strange noise at night.",
        "did not cross the street.",
        "has changed since then.",
        "surprised the whole town!",
        "is worth more than gold.",
        "came too late to help.",
        "reminds me of the sea.",
        "will be forgotten soon, I fear.",
    ];
    BEGINNINGS.iter().flat_map(|it| ENDS.iter().map(move |end| format!("{it} {end}")))
}

/// How far weights of 8 bits lead from the full ones.
fn rounded(zoo: &Zoo, asked: Asked) -> Option<Graph> {
    let bert = zoo.model::<Bert>(FULL)?;
    let coarse = bert.rounded();
    error(|g| {
        let run = |bert: &Bert, text: &str, scope: &str| {
            g.scope(scope, || (bert.record(g, &bert.tokenizer.encode(text).ids).pooled, patterns(g, bert)))
        };
        let errors = sentences().zip(0..).map(|(text, i)| {
            let [(pooled, full), (other, small)] = [(bert, "full"), (&coarse, "coarse")]
                .map(|(it, name)| run(it, &text, &format!("{i}.{name}")));
            match asked {
                Asked::Patterns => {
                    let each = full.iter().zip(&small).map(|(a, b)| (*a - *b).abs().flat().mean(0));
                    each.reduce(|sum, it| sum + it).map(|it| it / full.len() as f32)
                }
                Asked::Sentence => Some(-cosine(pooled, other).reshape(&[1]) + 1.0),
            }
        });
        let errors = Var::concat(&errors.collect::<Option<Vec<_>>>()?, 0);
        Some(if asked == Asked::Patterns { errors.mean(0) } else { errors.max(0) })
    })
}
