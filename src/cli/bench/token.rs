//! One more token after many others: attention, and retention in three forms.

use std::time::Instant;

use serde_json::{Value, json};
use vitrine::bench::token::{SIZES, TOKENS, Way, operations, record};
use vitrine::engine::{Cancel, Device};
use vitrine::graph::{Graph, Recording};
use vitrine::mechanisms::retention::{Form, Retention, gammas};
use vitrine::platform::block_on;
use vitrine::tensor::{Tensor, size};

/// After so many tokens.
const CONTEXTS: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];

/// Microseconds, operations and numbers kept of one more token; and of a whole text in its parallel and chunkwise form, a token.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let mut rows = vec![];
    for context in CONTEXTS {
        let mut row = json!({ "tokens": context });
        for way in Way::ALL {
            let g = Graph::default();
            record(&g, way, context);
            let us = fastest(device, &g.finish(), repeats)? / TOKENS as f64;
            row[way.name()] =
                json!({ "us": us, "operations": operations(way, context), "numbers": way.kept(context) });
        }
        for (name, form) in [("whole text", Form::Parallel), ("in chunks of 64", Form::Chunkwise(64))] {
            row[name] =
                json!({ "us": fastest(device, &whole(form, context), repeats.min(3))? / context as f64 });
        }
        rows.push(row);
    }
    let [heads, d_head] = SIZES;
    Ok(json!({ "device": device.name(), "heads": heads, "d_head": d_head, "contexts": rows }))
}

/// A text of so many tokens.
fn whole(form: Form, tokens: usize) -> Recording {
    let g = Graph::default();
    let [heads, d] = SIZES;
    let of = |shape: &[usize], value: f32| g.input(&Tensor::new(shape, vec![value; size(shape)]));
    let [q, k, v] = [0.1, 0.2, 0.3].map(|it| of(&[heads, tokens, d], it));
    let gamma = of(&[heads], gammas(1)[0] as f32);
    Retention { gamma, form }.record(q, k, v, None).z.keep("z");
    g.finish()
}

/// The fastest run in microseconds.
fn fastest(device: &mut Device, recording: &Recording, repeats: usize) -> Result<f64, String> {
    let mut fastest = f64::INFINITY;
    for run in 0..repeats.max(1) + 2 {
        let start = Instant::now();
        let trace = block_on(device.run(recording, &Cancel::default())).map_err(|it| it.to_string())?;
        for kept in trace.tensors.values() {
            block_on(kept.on_host()).map_err(|it| it.to_string())?;
        }
        // The first compiles the plan, the second still finds cold memory.
        if run >= 2 {
            fastest = fastest.min(1e6 * start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}
