//! One training step of a small vision transformer, as `bench/vit_step.py` times it elsewhere: 28 x 28 images in patches of
//! 4, batches of 64, on random pictures.

use std::time::Instant;

use serde_json::{Value, json};
use vitrine::data::shapes;
use vitrine::engine::{Cancel, Device};
use vitrine::models::vit::Pool;
use vitrine::platform::block_on;
use vitrine::train::Trainer;
use vitrine::train::images::{Architecture, Images};

/// Milliseconds of a step: the median of `repeats`, and what it takes.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let shapes = || shapes::dataset(256, 28, 0);
    let mut recipe = Images::vit("bench-vit", Pool::Token).on(shapes(), shapes());
    recipe.steps = 1000;
    if let Architecture::Vit(config) = &mut recipe.model {
        config.d_mlp = 256; // as in bench/vit_step.py
    }
    let mut trainer = Trainer::new(Box::new(recipe), 0);
    let mut times = vec![];
    let mut dispatches = 0;
    let mut last = f32::NAN;
    for _ in 0..repeats.max(1) + 2 {
        let start = Instant::now();
        let delivered = block_on(async {
            let trace = trainer.step(device, &Cancel::default()).await?;
            dispatches = trace.stats.dispatches;
            match trace.get("loss") {
                Some(loss) => loss.on_host().await,
                None => Ok([f32::NAN].into()),
            }
        });
        last = delivered.map_err(|it| it.to_string())?[0];
        times.push(1000.0 * start.elapsed().as_secs_f64());
    }
    // The first compiles the plan, the second still finds cold memory.
    let mut times = times.split_off(2);
    times.sort_by(f64::total_cmp);
    Ok(json!({
        "device": device.name(), "ms": times[times.len() / 2], "min": times[0], "steps": times.len(),
        "dispatches": dispatches, "parameters": trainer.size(), "loss": last,
    }))
}
