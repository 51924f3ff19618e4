//! The claims of attention as measurements.

use super::{Attention, patterns};
use crate::exhibits::{Check, Exhibit, Inputs, Measure, largest};
use crate::graph::Graph;
use crate::models::{Bert, Zoo};
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
        model: "minilm",
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
                let bert = zoo.model::<Bert>("minilm")?;
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
    ]
}

/// The golden numbers are part of the recording, so the comparison itself runs on the device that is checked.
fn against_onnx(zoo: &Zoo) -> Option<Graph> {
    let bert = zoo.model::<Bert>("minilm")?;
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
