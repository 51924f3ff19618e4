//! How long `MiniLM` takes, with its last hidden states and all attention patterns delivered to the host: what
//! `vitrine bench` and the page's benchmark measure.

pub mod token;

use serde_json::{Value, json};
use web_time::{Duration, Instant};

use crate::engine::{Cancel, Device, EngineError};
use crate::graph::{Graph, Recording};
use crate::models::Bert;
use crate::tensor::Tensor;
use crate::trace::Trace;

/// No measurement goes on for longer, however slow the device is.
const LONGEST: Duration = Duration::from_secs(3);

/// How long it runs before it is timed: a browser compiles what runs often anew.
const WARM: Duration = Duration::from_secs(1);

/// What every run brings to the host.
const DELIVERED: [&str; 2] = ["blocks.*.attn.pattern", "final"];

/// The times of one device and one number of tokens.
pub struct Run {
    /// What computed.
    pub device: String,
    /// Length of the sentence.
    pub tokens: usize,
    /// Milliseconds of each run, sorted, after a second of others.
    pub times: Vec<f64>,
    /// Kernel runs of a layer.
    pub dispatches_per_layer: f64,
    /// Plans that a sentence of other words compiled.
    pub compiles_when_typing: usize,
    /// The sum of |final|, to compare with other runtimes.
    pub checksum: f64,
}

impl Run {
    /// Milliseconds of the middle run.
    pub fn median(&self) -> f64 {
        self.times[self.times.len() / 2]
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "device": self.device,
            "tokens": self.tokens,
            "ms": self.median(),
            "min": self.times[0],
            "runs": self.times.len(),
            "dispatches_per_layer": self.dispatches_per_layer,
            "compiles_when_typing": self.compiles_when_typing,
            "checksum": self.checksum,
        })
    }
}

/// Times at most `repeats` runs of `tokens` tokens.
pub async fn time(
    bert: &Bert,
    device: &mut Device,
    tokens: usize,
    repeats: usize,
) -> Result<Run, EngineError> {
    let recording = record(bert, &ids(tokens, 0), &DELIVERED);
    let (warm, states) = deliver(device, &recording).await?;
    let compiles = device.compiles();
    deliver(device, &record(bert, &ids(tokens, 1), &DELIVERED)).await?;
    let compiles_when_typing = device.compiles() - compiles;

    let start = Instant::now();
    while start.elapsed() < WARM {
        deliver(device, &recording).await?;
    }
    let (mut times, start) = (vec![], Instant::now());
    while times.len() < repeats.max(1) && (times.is_empty() || start.elapsed() < LONGEST) {
        let start = Instant::now();
        deliver(device, &recording).await?;
        times.push(1000.0 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let (embedding, _) = deliver(device, &record(bert, &ids(tokens, 0), &["blocks.0.resid_pre"])).await?;
    let layers = warm.stats.dispatches - embedding.stats.dispatches;
    Ok(Run {
        device: device.name(),
        tokens,
        times,
        dispatches_per_layer: layers as f64 / bert.config.layers as f64,
        compiles_when_typing,
        checksum: states.data.iter().map(|x| f64::from(x.abs())).sum(),
    })
}

/// The ids that every side of the benchmark uses: `[CLS]`, a walk through the vocabulary, `[SEP]`.
fn ids(tokens: usize, shift: u32) -> Vec<u32> {
    let middle = (0..tokens as u32 - 2).map(|i| 1000 + (7919 * i + shift) % 28000);
    [101].into_iter().chain(middle).chain([102]).collect()
}

fn record(bert: &Bert, ids: &[u32], keep: &[&str]) -> Recording {
    let g = Graph::new(keep, &[]);
    bert.record(&g, ids);
    g.finish()
}

/// Runs and brings every kept tensor to the host; the last of them by name is returned too.
async fn deliver(device: &mut Device, recording: &Recording) -> Result<(Trace, Tensor), EngineError> {
    let trace = device.run(recording, &Cancel::default()).await?;
    let mut last = Tensor::scalar(0.0);
    for kept in trace.tensors.values() {
        last = kept.read().await?;
    }
    Ok((trace, last))
}
