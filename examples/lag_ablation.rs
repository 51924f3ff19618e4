//! What each head of a RetNet that recalls symbols remembers: how much more often it errs at each lag without that head.
//!
//! `cargo run --release --example lag_ablation -- lag-recall/model.safetensors ..`, weights that `vitrine train lag-recall`
//! wrote; each beside its `config.json`. Writes a line of JSON a file: errors at lags 2, 8 and 32, as it is and without
//! each head.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Edit, Graph, How};
use vitrine::mechanisms::retention::half_life;
use vitrine::models::retnet::{Config, record};
use vitrine::nn::{Params, loss::accuracy};
use vitrine::platform::block_on;
use vitrine::train::Recipe;
use vitrine::train::lag_recall::{LAGS, LagRecall, answers};
use vitrine::weights::Weights;

fn main() -> Result<(), Box<dyn Error>> {
    for file in std::env::args().skip(1) {
        let config = Config::parse(&std::fs::read(Path::new(&file).with_file_name("config.json"))?)?;
        let weights = Arc::new(Weights::parse(std::fs::read(&file)?)?);
        let mut without = vec![];
        for layer in 0..config.layers {
            for (head, gamma) in config.gammas().into_iter().enumerate() {
                let edit = Edit {
                    at: format!("blocks.{layer}.attn.z"),
                    select: vec![("head".to_owned(), head)],
                    how: How::Zero,
                };
                let errors = errors(&config, &weights, &[edit])?;
                without.push(
                    json!({ "layer": layer, "head": head, "half-life": half_life(gamma), "errors": errors }),
                );
            }
        }
        let whole = errors(&config, &weights, &[])?;
        println!("{}", json!({ "file": file, "lags": LAGS, "errors": whole, "without": without }));
    }
    Ok(())
}

/// The share of wrong answers at each lag, over what training never saw.
fn errors(config: &Config, weights: &Arc<Weights>, edits: &[Edit]) -> Result<Vec<f64>, Box<dyn Error>> {
    let batches = LagRecall::new("lag-recall", config.first_decay, 0).held_out();
    let (mut device, mut wrong) = (Cpu::new(), vec![0.0; LAGS.len()]);
    for batch in &batches {
        let g = Graph::new(&[], edits);
        let [symbols, asked] = [&batch[0], &batch[1]].map(|it| g.input(it));
        let logits = answers(record(config, symbols, &Params::new(&g, weights)).logits);
        for lag in 0..LAGS.len() {
            accuracy(logits.slice(-2, lag, 1), asked.slice(-1, lag, 1)).keep(&lag.to_string());
        }
        let trace = block_on(device.run(&g.finish(), &Cancel::default()))?;
        for (lag, sum) in wrong.iter_mut().enumerate() {
            let right = trace.get(&lag.to_string()).ok_or("it was kept")?;
            *sum += (1.0 - f64::from(block_on(right.read())?.data[0])) / batches.len() as f64;
        }
    }
    Ok(wrong)
}
