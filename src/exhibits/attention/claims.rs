//! The claims of attention as measurements.

use super::{Attention, cosine, patterns};
use crate::exhibits::{Check, Exhibit, Inputs, Measure, largest};
use crate::graph::{Graph, Var};
use crate::models::{Bert, FULL, Zoo};
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The names under which a tile keeps how far rows of patterns and of rollout are from summing to 1.
pub(super) const ROWS: [&str; 2] = ["rows.error", "rollout.rows.error"];

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let check = |name, claim, tolerance, because, measure| Check {
        name,
        claim,
        tolerance,
        because,
        model: FULL,
        measure,
    };
    let opened = |zoo: &Zoo| Attention::default().record(&Inputs::default(), zoo);
    let states = "f32 sums in another order through 6 layers, states of size 5";
    vec![
        check(
            "rows sum to 1",
            "every row of every attention pattern sums to 1: largest |sum - 1|",
            1e-5,
            "f32 sum of up to 512 weights",
            Measure::Shown(ROWS[0], opened),
        ),
        check(
            "rollout rows sum to 1",
            "every row of rollout sums to 1 after every layer: largest |sum - 1|",
            1e-5,
            "f32 products of up to 12 stochastic matrices",
            Measure::Shown(ROWS[1], opened),
        ),
        check(
            "GPU equals CPU",
            "patterns and final states of MiniLM on the GPU and on the CPU, of the sentence that one sees first: largest \
             difference",
            5e-4,
            states,
            Measure::Devices(|zoo| {
                let bert = zoo.model::<Bert>(FULL)?;
                let g = Graph::new(&["blocks.*.attn.pattern", "final"], &[]);
                bert.record(&g, &bert.tokenizer.encode(&Inputs::default().text).ids);
                Some(g)
            }),
        ),
        check(
            "MiniLM equals ONNX Runtime",
            "patterns and final states of “It was tired.” against ONNX Runtime on the same weights: largest difference",
            5e-4,
            states,
            Measure::Scalar(against_onnx),
        ),
        check(
            "8 bits keep the patterns",
            "attention weights with weights of 8 bits, which a page loads, against the full ones, over 100 sentences: the mean of \
             |difference|, of one weight that is 1/10 in the mean",
            0.005,
            "a row of weights moves by at most 1/254 of its largest",
            Measure::Scalar(|zoo| rounded(zoo, Asked::Patterns)),
        ),
        check(
            "8 bits keep the sentence",
            "1 - cosine of the embeddings of a sentence with weights of 8 bits and with the full ones: the largest of 100 sentences",
            0.01,
            "as above, through 6 layers",
            Measure::Scalar(|zoo| rounded(zoo, Asked::Sentence)),
        ),
    ]
}

/// The golden numbers are part of the recording, so the comparison itself runs on the device that is checked.
fn against_onnx(zoo: &Zoo) -> Option<Graph> {
    let bert = zoo.model::<Bert>(FULL)?;
    let golden = Trace::parse(include_bytes!("../../../assets/golden/minilm.safetensors")).ok()?;
    let g = Graph::default();
    let seen = bert.record(&g, &bert.tokenizer.encode("It was tired.").ids);
    let golden = |name: &str| {
        let kept = golden.get(name)?;
        Some(g.input(&Tensor::new(&kept.shape, kept.window(0..kept.shape.iter().product())?)))
    };
    let mut error = largest(seen.hidden - golden("final")?);
    for (l, pattern) in patterns(&g, bert).iter().enumerate() {
        error = error.max_with(largest(*pattern - golden(&format!("blocks.{l}.attn.pattern"))?));
    }
    error.keep("error");
    Some(g)
}

/// What of a sentence is compared.
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
    let g = Graph::default();
    let run = |bert: &Bert, text: &str, scope: &str| {
        g.scope(scope, || (bert.record(&g, &bert.tokenizer.encode(text).ids).pooled, patterns(&g, bert)))
    };
    let errors = sentences().zip(0..).map(|(text, i)| {
        let [(pooled, full), (other, small)] =
            [(bert, "full"), (&coarse, "coarse")].map(|(it, name)| run(it, &text, &format!("{i}.{name}")));
        match asked {
            Asked::Patterns => {
                let each = full.iter().zip(&small).map(|(a, b)| (*a - *b).abs().flat().mean(0));
                each.reduce(|sum, it| sum + it).map(|it| it / full.len() as f32)
            }
            Asked::Sentence => Some(-cosine(pooled, other).reshape(&[1]) + 1.0),
        }
    });
    let errors: Vec<Var<'_>> = errors.collect::<Option<_>>()?;
    let error = match asked {
        Asked::Patterns => Var::concat(&errors, 0).mean(0),
        Asked::Sentence => Var::concat(&errors, 0).max(0),
    };
    error.keep("error");
    Some(g)
}
