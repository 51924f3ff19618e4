//! NormGrad of all layers of one picture: what it takes beside the forward pass alone.

use std::time::Instant;

use serde_json::{Value, json};
use vitrine::data::Image;
use vitrine::engine::{Cancel, Device};
use vitrine::graph::{Graph, Recording};
use vitrine::models::{Vision, Zoo};
use vitrine::nn::Params;
use vitrine::platform::block_on;
use vitrine::saliency::method::Method;
use vitrine::saliency::probe::{Wanted, probe};

use super::super::load;

/// The models that are timed.
const MODELS: [&str; 3] = ["collage-cnn", "fashion-vit", "efficientnet-lite0"];

/// Milliseconds and dispatches of every model, forward alone and with the maps of all layers.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let mut zoo = Zoo::default();
    let mut models = vec![];
    for id in MODELS {
        load(&mut zoo, id)?;
        let model = zoo.vision(id).ok_or_else(|| format!("{id} looks at no image"))?;
        let [forward, maps] = [recording(model, false)?, recording(model, true)?];
        let forward_passes = maps.taps.iter().filter(|tap| tap.name == "logits").count();
        let backward_passes = maps.keeps.iter().filter(|it| it.0 == "image gradient").count();
        let [forward, maps] = [forward, maps].map(|it| time(device, &it, repeats.max(1)));
        let ((ms_forward, dispatches_forward), (ms, dispatches)) = (forward?, maps?);
        models.push(json!({
            "model": id, "side": model.side(), "layers": model.layers().len(), "forward_passes": forward_passes, "backward_passes": backward_passes,
            "dispatches": dispatches, "dispatches_forward": dispatches_forward,
            "ms": ms, "ms_forward": ms_forward, "ratio": ms / ms_forward,
        }));
    }
    Ok(json!({ "device": device.name(), "models": models }))
}

/// The model on a picture, with the maps of all layers or without.
fn recording(model: &dyn Vision, maps: bool) -> Result<Recording, String> {
    let image = model.image(&Image::default()).ok_or("the picture is not here")?;
    let g = Graph::new(&["logits"], &[]);
    let p = Params::new(&g, model.weights());
    if maps {
        let probe = probe(model, g.input(&image), &p, |logits| Wanted::Likeliest.one_hot(logits));
        // Every pass back ends in the gradient of the image.
        probe.image.1.keep("image gradient");
        for (layer, x, dx) in &probe.layers {
            Method::NormGrad.at(*x, *dx).keep(&layer.tap);
        }
    } else {
        model.record(g.input(&image), &p);
    }
    Ok(g.finish())
}

/// The median in milliseconds, and the dispatches.
fn time(device: &mut Device, recording: &Recording, repeats: usize) -> Result<(f64, usize), String> {
    let (mut times, mut dispatches) = (vec![], 0);
    for _ in 0..repeats + 2 {
        let start = Instant::now();
        let run = block_on(async {
            let trace = device.run(recording, &Cancel::default()).await?;
            dispatches = trace.stats.dispatches;
            for kept in trace.tensors.values() {
                kept.on_host().await?;
            }
            Ok::<_, vitrine::engine::EngineError>(())
        });
        run.map_err(|it| it.to_string())?;
        times.push(1000.0 * start.elapsed().as_secs_f64());
    }
    // The first compiles the plan, the second still finds cold memory.
    let mut times = times.split_off(2);
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], dispatches))
}
