//! `vitrine bench`: how long `MiniLM` takes on every device.

mod fields;
mod lsa;
mod saliency;
mod token;
mod vit;

use serde_json::{Value, json};
use vitrine::bench::{Run, time};
use vitrine::engine::Device;
use vitrine::entry::frame_times;
use vitrine::link::{self, State};
use vitrine::models::{Bert, Zoo};
use vitrine::platform::block_on;

use super::{Choice, device, load_bert, say};

/// Prints how long a training step takes, as JSON.
pub(super) fn train(repeats: usize) -> Result<(), String> {
    on_both(repeats, vit::measure)
}

/// Prints how long a training step of linear attention takes on one thread, as JSON.
pub(super) fn lsa(repeats: usize) -> Result<(), String> {
    say(threads(1)?.install(|| lsa::measure(&mut device(Choice::Cpu)?, repeats))?);
    Ok(())
}

/// Prints how long the maps of all layers take, as JSON.
pub(super) fn normgrad(repeats: usize) -> Result<(), String> {
    on_both(repeats, saliency::measure)
}

/// Prints what one more token costs after many others, as JSON.
pub(super) fn retention(repeats: usize) -> Result<(), String> {
    on_both(repeats, token::measure)
}

/// Prints how long a slider of the exhibits of fields takes, as JSON.
pub(super) fn fields(repeats: usize) -> Result<(), String> {
    on_both(repeats, fields::measure)
}

/// So many threads for the CPU to compute with.
fn threads(count: usize) -> Result<rayon::ThreadPool, String> {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().map_err(|it| it.to_string())
}

fn on_both(
    repeats: usize,
    measure: impl Fn(&mut Device, usize) -> Result<Value, String>,
) -> Result<(), String> {
    for choice in [Choice::Cpu, Choice::Gpu] {
        match device(choice) {
            Ok(mut device) => say(measure(&mut device, repeats)?),
            Err(reason) => eprintln!("vitrine: {reason}"),
        }
    }
    Ok(())
}

/// Prints a line for each device and number of tokens, or all of them as JSON.
pub(super) fn run(json: bool, repeats: usize) -> Result<(), String> {
    let bert = load_bert(&mut Zoo::default(), "minilm")?;
    let mut runs: Vec<(Option<usize>, Run)> = vec![];
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for threads in [1, 2].into_iter().chain((cores > 2).then_some(cores)) {
        let times = self::threads(threads)?.install(|| measure(&bert, &mut device(Choice::Cpu)?, repeats));
        runs.extend(times?.into_iter().map(|it| (Some(threads), it)));
    }
    let gpu = device(Choice::Gpu).and_then(|mut gpu| measure(&bert, &mut gpu, repeats));
    let without = gpu.map(|times| runs.extend(times.into_iter().map(|it| (None, it)))).err();
    let (frame, wall) = (frame(), wall());
    if json {
        let runs: Vec<Value> =
            runs.iter().map(|(threads, it)| with_threads(it.to_json(), *threads)).collect();
        let runtime = concat!("vitrine ", env!("CARGO_PKG_VERSION"));
        say(format!(
            "{:#}",
            json!({ "runtime": runtime, "runs": runs, "frame": frame.ok(), "wall": wall.ok(), "without_gpu": without })
        ));
    } else {
        for (_, it) in &runs {
            say(line(it));
        }
        if let Some(reason) = &without {
            say(format!("without GPU: {reason}"));
        }
        let thumbnails = format!("72 thumbnails and a map of {TOKENS} tokens");
        for (what, frame) in [(&*thumbnails, frame), ("the five headline exhibits at 1920 x 1080", wall)] {
            say(match frame {
                Ok(ms) => format!("frame of {what}\tmedian {ms:.2} ms of CPU"),
                Err(reason) => format!("no frame of {what}: {reason}"),
            });
        }
    }
    Ok(())
}

/// Length of the sentence whose frame is timed.
const TOKENS: usize = 128;

/// Median milliseconds that the processor spends on a frame of all heads and one large map.
fn frame() -> Result<f64, String> {
    let text = vec!["the"; TOKENS - 2].join(" ");
    let state = State { text, ..State::default() };
    median(frame_times(&link::encode(&state), 1280, 800, 100)?)
}

/// The same for the wall of the first page, where everything has been computed.
fn wall() -> Result<f64, String> {
    median(frame_times("", 1920, 1080, 100)?)
}

fn median(mut times: Vec<f64>) -> Result<f64, String> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().ok_or_else(|| "no frame was drawn".to_owned())
}

fn measure(bert: &Bert, device: &mut Device, repeats: usize) -> Result<Vec<Run>, String> {
    let time = |tokens| block_on(time(bert, device, tokens, repeats)).map_err(|it| it.to_string());
    [32, 128, 512].into_iter().map(time).collect()
}

fn with_threads(mut run: Value, threads: Option<usize>) -> Value {
    run["threads"] = json!(threads);
    run
}

fn line(run: &Run) -> String {
    format!(
        "{}\tT={}\tmedian {:.1} ms, min {:.1} ms of {}\t{:.1} dispatches a layer\t{} compiled when typing",
        run.device,
        run.tokens,
        run.median(),
        run.times[0],
        run.times.len(),
        run.dispatches_per_layer,
        run.compiles_when_typing,
    )
}
