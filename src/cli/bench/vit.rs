//! One training step of a small vision transformer, as `bench/vit_step.py` times it elsewhere: 28 x 28 images in patches of
//! 4, batches of 64, on random data.

use std::time::Instant;

use serde_json::{Value, json};
use vitrine::engine::{Cancel, Device};
use vitrine::graph::Var;
use vitrine::nn::loss::cross_entropy;
use vitrine::nn::optim::{AdamW, Rule, Schedule};
use vitrine::nn::parameter::{self as init, Init, Parameter};
use vitrine::nn::{Params, layer_norm, linear};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::train::{Course, Loss, Recipe, Trainer, random};

const BATCH: usize = 64;
const PATCHES: usize = 49;
const PIXELS: usize = 16;
const D: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 6;

/// Milliseconds of a step: the median of `repeats`, and what it takes.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let mut trainer = Trainer::new(Box::new(Vit), 0);
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

struct Vit;

impl Recipe for Vit {
    fn course(&self) -> Course {
        Course {
            name: "bench-vit",
            data: "random numbers".to_owned(),
            steps: 1000,
            rule: Rule::AdamW(AdamW { decay: 0.05, ..AdamW::default() }),
            schedule: Schedule::constant(1e-3),
            clip: Some(1.0),
        }
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = init::linear("embed", PIXELS, D);
        all.push(Parameter::new("positions", &[PATCHES + 1, D], Init::Normal(0.02)));
        for l in 0..LAYERS {
            let at = |name: &str| format!("blocks.{l}.{name}");
            all.extend(["ln1", "ln2"].iter().flat_map(|it| init::layer_norm(&at(it), D)));
            all.extend(["q", "k", "v", "o"].iter().flat_map(|it| init::linear(&at(it), D, D)));
            all.extend(init::linear(&at("up"), D, 4 * D));
            all.extend(init::linear(&at("down"), 4 * D, D));
        }
        all.extend(init::layer_norm("ln", D));
        all.extend(init::linear("head", D, 10));
        all
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        let mut random = random(seed, u64::from(step));
        let images = Tensor::from_fn(&[BATCH, PATCHES, PIXELS], |_| random.f32());
        vec![images, Tensor::from_fn(&[BATCH], |_| random.u8(0..10).into())]
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [images, labels] = batch else { panic!("a batch is images and labels") };
        // The first position is the class token: its embedding is its position.
        let mut x = linear(*images, &p.at("embed")).pad(1, 1, 0, 0.0) + p.get("positions"); // [b, t, d]
        for l in 0..LAYERS {
            let p = p.at(&format!("blocks.{l}"));
            x = x + attention(layer_norm(x, &p.at("ln1"), 1e-5), &p);
            x = x + linear(linear(layer_norm(x, &p.at("ln2"), 1e-5), &p.at("up")).gelu(), &p.at("down"));
        }
        let class = layer_norm(x.slice(1, 0, 1).reshape(&[BATCH, D]), &p.at("ln"), 1e-5);
        Loss { loss: cross_entropy(linear(class, &p.at("head")), *labels), measures: vec![] }
    }
}

fn attention<'g>(x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let (t, d_head) = (PATCHES + 1, D / HEADS);
    let heads = |name| linear(x, &p.at(name)).reshape(&[BATCH, t, HEADS, d_head]).permute(&[0, 2, 1, 3]);
    let (q, k, v) = (heads("q"), heads("k"), heads("v")); // [b, h, t, d_head]
    let pattern = (q.matmul(k.t()) / (d_head as f32).sqrt()).softmax(); // [b, h, t, t]
    let z = pattern.matmul(v).permute(&[0, 2, 1, 3]).reshape(&[BATCH, t, D]);
    linear(z, &p.at("o"))
}
