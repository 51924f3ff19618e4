//! A mechanism held against its paper: retention as Vitrine computes it, in parallel, and its recurrent equation in a few lines
//! of f64 (Sun et al. 2023, arXiv 2307.08621, eq. 6).
//!
//!     cargo run --example compare_retention

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use vitrine::data::Random;
use vitrine::engine::{Cancel, EngineError, cpu::Cpu};
use vitrine::graph::Graph;
use vitrine::mechanisms::retention::{Form, Retention};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;

const TOKENS: usize = 64;
const D: usize = 8;
const GAMMA: f64 = 0.9;

/// `S_n = gamma S_{n-1} + k_n^T v_n`, `o_n = q_n S_n`, row by row.
fn by_the_paper([q, k, v]: [&Tensor; 3]) -> Vec<f64> {
    let mut state = [[0.0; D]; D]; // [d_head, d_value]
    let mut outputs = vec![];
    for n in 0..TOKENS {
        let at = |x: &Tensor, i: usize| f64::from(x.data[n * D + i]);
        for (i, row) in state.iter_mut().enumerate() {
            for (j, s) in row.iter_mut().enumerate() {
                *s = GAMMA * *s + at(k, i) * at(v, j);
            }
        }
        outputs.extend((0..D).map(|j| (0..D).map(|i| at(q, i) * state[i][j]).sum::<f64>()));
    }
    outputs
}

fn main() -> Result<(), EngineError> {
    let mut chance = Random::new(0);
    let [q, k, v] = [(); 3].map(|()| Tensor::from_fn(&[1, TOKENS, D], |_| chance.normal() as f32)); // [head, pos, d]

    let g = Graph::default();
    let gamma = g.input(&Tensor::new(&[1], [GAMMA as f32]));
    let [a, b, c] = [&q, &k, &v].map(|it| g.input(it));
    Retention { gamma, form: Form::Parallel }.record(a, b, c, None).z.keep("z");
    let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default()))?;
    let z = block_on(trace.tensors["z"].read())?;

    let expected = by_the_paper([&q, &k, &v]);
    let far = expected.iter().zip(&*z.data).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
    let most = expected.iter().fold(0.0, |most: f64, it| most.max(it.abs()));
    println!("largest difference {far:.1e}, of outputs up to {most:.1}");
    assert!(far < 1e-5 * most, "f32 has 24 bits, and sums of {TOKENS} tokens lose a few");
    Ok(())
}
