//! The claims as measurements.

use super::IclDescent;
use crate::data::Random;
use crate::exhibits::{Check, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, Step, asked, examples, prediction, run};
use crate::nn::Params;
use crate::regression::{Tasks, one_step};
use crate::tensor::Tensor;
use crate::train::Trainer;
use crate::train::linear_attention::{D, Distance, InContext, RANGE, distance, layer, tasks};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::of("a layer is a step", |_| compared(1))
            .says("predictions of a built layer and of one step of gradient descent, random W₀, η, d and N: largest difference")
            .within(1e-5, "f32 sums of up to 13 products, in another order"),
        Check::of("12 layers are 12 steps", |_| compared(12))
            .says("predictions of 12 built layers and of 12 steps, random W₀, η, d and N: largest difference")
            .within(1e-5, "f32 sums of up to 13 products through 12 layers"),
        Check::of("the best rate is that of the formula", |_| Some(best(0)))
            .says("d = N = 10, 10,000 tasks: the rate with the least loss after one step, from 6.0606")
            .within(0.1, "the mean of 10,000 tasks"),
        Check::of("and so is the floor", |_| Some(best(1)))
            .says("the loss that this rate leaves on the 10,000 tasks, from .2062")
            .within(4e-3, "the mean of 10,000 tasks"),
        Check::of("it learns the direction", |_| Some(trained(|it| it.cosine * -1.0 + 1.0)))
            .says("1 less the mean cosine of its sensitivities with those of the step after 400 steps, 512 tasks, seed 0")
            .within(1e-2, "the cosine is at least .99"),
        Check::of("it predicts what the step predicts", |_| Some(trained(|it| it.predictions)))
            .says("mean difference of its predictions from those of the step after 400 steps, 512 tasks, seed 0")
            .within(0.05, "an answer has a deviation of .9"),
        Check::devices(usual::<IclDescent>)
            .says("paths, measures and weights after five steps on the GPU and on the CPU: largest difference")
            .within(1e-2, "AdamW divides by the root of small numbers, which enlarges what f32 rounds"),
    ]
}

/// A layer built for the best step from zero on the tasks that are learnt.
pub(super) fn construction(g: &Graph, d: usize) -> LinearAttention<'_> {
    let eta = one_step(d, d, RANGE).0 as f32;
    LinearAttention::descent(g.constant(0.0).broadcast(&[d]), Step { eta, gamma: 0.0, n: d })
}

/// The largest difference between so many layers and steps, over tasks of several shapes.
fn compared(count: usize) -> Option<Graph> {
    let g = Graph::default();
    let mut random = Random::new(count as u64);
    let shapes = [(1, 1), (2, 7), (5, 3), (10, 10), (13, 4)];
    let each: Vec<Var<'_>> = shapes
        .into_iter()
        .map(|(d, n)| {
            let batch = Tasks::uniform(d, n, RANGE).batch(8, &mut random);
            let [x, y, query] = [0, 1, 2].map(|i| g.input(&batch[i]));
            let query = query.reshape(&[8, 1, d]);
            let w0 = g.input(&Tensor::from_fn(&[d], |_| random.normal() as f32));
            let eta = random.between(0.1, 1.5) as f32;
            let layer = LinearAttention::descent(w0, Step { eta, gamma: 0.0, n });
            let read = run(&vec![layer; count], examples(x, y), asked(query, w0));
            let steps = descend(x, y, w0, g.constant(eta), count);
            prediction(read[count - 1].queries).flat() - query.matmul(steps[count - 1]).flat()
        })
        .collect();
    worst(each)?.keep("error");
    Some(g)
}

/// How far the rate (0) or the loss (1) of the best step on 10,000 tasks is from the closed form. The loss is a parabola in
/// the rate.
fn best(which: usize) -> Graph {
    let g = Graph::default();
    let batch = tasks().batch(10_000, &mut Random::new(0));
    let [x, y, query, answer] = [0, 1, 2, 3].map(|i| g.input(&batch[i]));
    let one = descend(x, y, g.constant(0.0).broadcast(&[D]), g.constant(1.0), 1)[0]; // [task, d, 1]
    let said = query.reshape(&[10_000, 1, D]).matmul(one).flat();
    let [both, square, all] = [said * answer, said * said, answer * answer].map(|it| it.mean(0));
    let rate = both / square;
    let (eta, floor) = one_step(D, D, RANGE);
    let off = [rate - eta as f32, (all - rate * both) * 0.5 - floor as f32];
    off[which].abs().keep("error");
    g
}

/// What is measured of a layer after 400 steps.
fn trained(measure: impl for<'g> Fn(&Distance<'g>) -> Var<'g>) -> Graph {
    let g = Graph::default();
    let recipe = InContext::default();
    let steps = recipe.steps;
    let parameters = Trainer::new(Box::new(recipe), 0).record(&g, steps);
    let it = distance(&layer(&Params::recorded(&g, &parameters)));
    measure(&it).keep("error");
    g
}
