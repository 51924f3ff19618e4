//! `vitrine bench`: how long `MiniLM` takes, with its last hidden states and all attention patterns delivered.

mod vit;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vitrine::engine::{Cancel, Device, EngineError};
use vitrine::graph::{Graph, Recording};
use vitrine::models::{Bert, Zoo};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;

use super::{Choice, device, load, say};

/// No measurement goes on for longer, however slow the device is.
const LONGEST: Duration = Duration::from_secs(3);

/// What every run brings to the host.
const DELIVERED: [&str; 2] = ["blocks.*.attn.pattern", "final"];

/// Prints how long a training step takes, as JSON.
pub(super) fn train(repeats: usize) -> Result<(), String> {
    for choice in [Choice::Cpu, Choice::Gpu] {
        match device(choice) {
            Ok(mut device) => say(vit::measure(&mut device, repeats)?),
            Err(reason) => eprintln!("vitrine: {reason}"),
        }
    }
    Ok(())
}

/// Prints a line for each device and number of tokens, or all of them as JSON.
pub(super) fn run(json: bool, repeats: usize) -> Result<(), String> {
    let bert = load(&mut Zoo::default(), "minilm")?;
    let mut runs = vec![];
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for threads in [1, 2].into_iter().chain((cores > 2).then_some(cores)) {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|it| it.to_string())?;
        let times = pool.install(|| measure(&bert, &mut device(Choice::Cpu)?, repeats));
        runs.extend(times?.into_iter().map(|it| Run { threads: Some(threads), ..it }));
    }
    let gpu = device(Choice::Gpu).and_then(|mut gpu| measure(&bert, &mut gpu, repeats));
    let without = gpu.map(|times| runs.extend(times)).err();
    if json {
        let runs: Vec<Value> = runs.iter().map(Run::to_json).collect();
        let all = json!({ "runtime": concat!("vitrine ", env!("CARGO_PKG_VERSION")), "runs": runs, "without_gpu": without });
        say(format!("{all:#}"));
    } else {
        for it in &runs {
            say(it.to_line());
        }
        if let Some(reason) = &without {
            say(format!("without GPU: {reason}"));
        }
    }
    Ok(())
}

struct Run {
    device: String,
    /// Of the CPU.
    threads: Option<usize>,
    tokens: usize,
    /// Milliseconds of each run, sorted.
    times: Vec<f64>,
    dispatches_per_layer: f64,
    compiles_when_typing: usize,
    /// The sum of |final|, to compare with other runtimes.
    checksum: f64,
}

impl Run {
    fn median(&self) -> f64 {
        self.times[self.times.len() / 2]
    }

    fn to_json(&self) -> Value {
        json!({
            "device": self.device,
            "threads": self.threads,
            "tokens": self.tokens,
            "ms": self.median(),
            "min": self.times[0],
            "runs": self.times.len(),
            "dispatches_per_layer": self.dispatches_per_layer,
            "compiles_when_typing": self.compiles_when_typing,
            "checksum": self.checksum,
        })
    }

    fn to_line(&self) -> String {
        format!(
            "{}\tT={}\tmedian {:.1} ms, min {:.1} ms of {}\t{:.1} dispatches a layer\t{} compiled when typing",
            self.device,
            self.tokens,
            self.median(),
            self.times[0],
            self.times.len(),
            self.dispatches_per_layer,
            self.compiles_when_typing,
        )
    }
}

fn measure(bert: &Bert, device: &mut Device, repeats: usize) -> Result<Vec<Run>, String> {
    [32, 128, 512].into_iter().map(|tokens| time(bert, device, tokens, repeats)).collect()
}

fn time(bert: &Bert, device: &mut Device, tokens: usize, repeats: usize) -> Result<Run, String> {
    let recording = record(bert, &ids(tokens, 0), &DELIVERED);
    let (warm, states) = deliver(device, &recording)?;
    let compiles = device.compiles();
    deliver(device, &record(bert, &ids(tokens, 1), &DELIVERED))?;
    let compiles_when_typing = device.compiles() - compiles;

    let (mut times, start) = (vec![], Instant::now());
    while times.len() < repeats.max(1) && (times.is_empty() || start.elapsed() < LONGEST) {
        let start = Instant::now();
        deliver(device, &recording)?;
        times.push(1000.0 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let (embedding, _) = deliver(device, &record(bert, &ids(tokens, 0), &["blocks.0.resid_pre"]))?;
    let layers = warm.stats.dispatches - embedding.stats.dispatches;
    Ok(Run {
        device: device.name(),
        threads: None,
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
fn deliver(device: &mut Device, recording: &Recording) -> Result<(Trace, Tensor), String> {
    let delivered = block_on(async {
        let trace = device.run(recording, &Cancel::default()).await?;
        let mut last = Tensor::scalar(0.0);
        for kept in trace.tensors.values() {
            last = kept.read().await?;
        }
        Ok((trace, last))
    });
    delivered.map_err(|it: EngineError| it.to_string())
}
