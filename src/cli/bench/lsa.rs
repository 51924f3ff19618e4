//! Training the layer of linear attention of `icl-descent`, as `bench/lsa_step.py` times it elsewhere: ten weights, ten
//! examples, batches of 256 that are drawn in every step, on one thread.

use std::time::Instant;

use serde_json::{Value, json};
use vitrine::engine::{Cancel, Device, EngineError};
use vitrine::platform::block_on;
use vitrine::trace::Trace;
use vitrine::train::Trainer;
use vitrine::train::linear_attention::InContext;

/// Steps over which the loss is averaged, to be compared with that of the peer.
const LAST: usize = 50;

/// Milliseconds of a step, the median of `repeats` whole runs, from which the plan's compilation is left out.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let (mut times, mut loss) = (vec![], f32::NAN);
    let steps = InContext::default().steps;
    for run in 0..=repeats.max(1) as u64 {
        let mut trainer = Trainer::new(Box::new(InContext::default()), run);
        let start = Instant::now();
        loss = block_on(course(&mut trainer, device)).map_err(|it| it.to_string())?;
        // The first run compiles the plan, and finds cold memory.
        if run > 0 {
            times.push(1000.0 * start.elapsed().as_secs_f64() / f64::from(steps));
        }
    }
    times.sort_by(f64::total_cmp);
    let ms = times[times.len() / 2];
    Ok(json!({
        "device": device.name(), "ms": ms, "min": times[0], "runs": times.len(), "steps": steps,
        "steps_per_second": 1000.0 / ms, "loss": loss,
    }))
}

/// Takes all steps, and waits for the last; the mean loss at the end.
async fn course(trainer: &mut Trainer, device: &mut Device) -> Result<f32, EngineError> {
    let mut traces: Vec<Trace> = vec![];
    while !trainer.is_done() {
        traces.push(trainer.step(device, &Cancel::default()).await?);
    }
    let (mut sum, last) = (0.0, traces.len().saturating_sub(LAST));
    for trace in &traces[last..] {
        sum += match trace.get("loss") {
            Some(loss) => loss.on_host().await?[0],
            None => f32::NAN,
        };
    }
    Ok(sum / traces[last..].len() as f32)
}
