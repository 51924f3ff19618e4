//! A model of one's own: a layer of attention with random weights is recorded, run on the CPU, and what it names is printed.
//!
//!     cargo run --example own_model

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use vitrine::data::Random;
use vitrine::engine::{Cancel, EngineError, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::mechanisms::attention::Attention;
use vitrine::nn::{join_heads, split_heads};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;

const HEADS: usize = 2;
const TOKENS: usize = 5;
const D_MODEL: usize = 8;

/// A residual layer of attention: `[pos, d_model] -> [pos, d_model]`. Whatever it taps can be kept and changed from outside.
fn layer<'g>(x: Var<'g>, [q, k, v, out]: [Var<'g>; 4]) -> Var<'g> {
    let heads = |matrix| split_heads(x.matmul(matrix), HEADS); // [head, pos, d_head]
    let tap = |x: Var<'g>, name: &str, axes: &str| x.tap(&format!("attn.{name}"), axes);
    let attended = Attention::scaled(D_MODEL / HEADS).record(heads(q), heads(k), heads(v), tap);
    (x + join_heads(attended.z).matmul(out)).tap("out", "pos d_model")
}

fn main() -> Result<(), EngineError> {
    let mut chance = Random::new(0);
    let mut normal =
        |shape: &[usize], spread: f64| Tensor::from_fn(shape, |_| (spread * chance.normal()) as f32);

    let g = Graph::new(&["attn.pattern", "out"], &[]);
    let x = g.input(&normal(&[TOKENS, D_MODEL], 1.0));
    let weights = [(); 4].map(|()| g.input(&normal(&[D_MODEL, D_MODEL], 1.0 / (D_MODEL as f64).sqrt())));
    layer(x, weights);

    let recording = g.finish();
    for tap in &recording.taps {
        println!("{} [{}]", tap.name, tap.axes.replace(' ', ", "));
    }
    let trace = block_on(Cpu::new().run(&recording, &Cancel::default()))?;
    let pattern = block_on(trace.tensors["attn.pattern"].read())?;
    for (head, map) in pattern.data.chunks(TOKENS * TOKENS).enumerate() {
        println!("\nhead {head}: what each query looks at");
        for row in map.chunks(TOKENS) {
            println!("{row:6.3?}");
        }
    }
    Ok(())
}
