//! Two interleaved spirals, told apart by a small network (Lang & Witbrock 1988): the smallest task that a line cannot
//! solve. It needs no data set.

use super::{Course, Loss, NamedRecipe, Recipe};
use crate::data::Random;
use crate::graph::Var;
use crate::nn::loss::{accuracy, cross_entropy};
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Params, init, layer, linear, tap};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipe, by name.
pub const ENTRY: NamedRecipe = NamedRecipe {
    name: "spirals",
    about: "two interleaved spirals, told apart by a network of two hidden layers",
    open: |steps| Ok(Box::new(Spirals { steps: steps.unwrap_or(1500), ..Spirals::default() })),
};

/// Points in a batch.
const BATCH: usize = 128;
/// How far points lie beside their spiral: a twentieth of the distance between its turns.
const NOISE: f32 = 0.02;

/// The recipe.
pub struct Spirals {
    /// Steps of the run.
    pub steps: u32,
    /// Width of the two hidden layers.
    pub hidden: usize,
    /// The largest learning rate.
    pub rate: f32,
}

impl Default for Spirals {
    fn default() -> Self {
        Self { steps: 1500, hidden: 48, rate: 1e-2 }
    }
}

impl Recipe for Spirals {
    fn course(&self) -> Course {
        Course {
            name: ENTRY.name,
            data: "drawn at random: two spirals of one and a half turns, with noise".to_owned(),
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 1e-3, ..AdamW::default() }),
            schedule: Schedule { peak: self.rate, warm_up: 50, floor: 0.01 },
            clip: Some(1.0),
            exempt: &[],
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        let n = self.hidden;
        let layers = [("first", 2, n), ("second", n, n), ("logits", n, 2)];
        let parameters =
            layers.into_iter().flat_map(|(name, inputs, outputs)| layer(name, vec![outputs, inputs]));
        init::weights(parameters, seed, |name, shape, random| {
            let inputs = if name.starts_with("first") { 2 } else { n };
            init::torch_linear(shape, inputs, random)
        })
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        points(BATCH, &mut Random::stream(seed, u64::from(step)))
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [points, labels] = batch else { panic!("a batch is points and labels") };
        let logits = logits(*points, p);
        let measures = vec![("accuracy", accuracy(logits, *labels))];
        Loss { loss: cross_entropy(logits, *labels), measures }
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        // Streams of batches are numbered by steps, of which there are none this high.
        vec![points(1000, &mut Random::stream(0, u64::MAX))]
    }
}

/// The network: `[point, 2] -> [point, class]`, with taps `first` and `second`, `[point, hidden]`.
pub fn logits<'g>(points: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let x = tap(linear(points, &p.at("first")).tanh(), "first", "point hidden");
    let x = tap(linear(x, &p.at("second")).tanh(), "second", "point hidden");
    linear(x, &p.at("logits"))
}

/// Points `[n, 2]` within the unit disc and their spirals `[n]`, 0 or 1, the second the first turned by half a turn.
pub fn points(n: usize, random: &mut Random) -> Vec<Tensor> {
    let (mut points, mut labels) = (vec![], vec![]);
    for i in 0..n {
        let label = (i % 2) as f32;
        let along = random.unit().sqrt() as f32; // even along the spiral
        let angle = std::f32::consts::PI * (3.0 * along + label);
        points.extend([along * angle.cos(), along * angle.sin()].map(|x| x + NOISE * random.normal() as f32));
        labels.push(label);
    }
    vec![Tensor::new(&[n, 2], points), Tensor::new(&[n], labels)]
}
