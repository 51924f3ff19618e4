//! What holds of layers that are built by hand, and of steps.

use crate::data::Random;
use crate::exhibits::{Check, error, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, Read, Step, asked, examples, prediction, run};
use crate::mechanisms::solve::identity;
use crate::models::Zoo;
use crate::regression::{Tasks, one_step};
use crate::tensor::Tensor;
use crate::train::linear_attention::{D, RANGE, tasks};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    [layers(), best()].into_iter().flatten().collect()
}

/// What layers do.
fn layers() -> Vec<Check> {
    vec![
        Check::of("a layer is a step", |_| compared(1))
            .says("predictions of a built layer and of one step of gradient descent, random W₀, η, d and N: largest difference")
            .within(1e-5, "f32 sums of up to 13 products, in another order"),
        Check::of("12 layers are 12 steps", |_| compared(12))
            .says("predictions of 12 built layers and of 12 steps, random W₀, η, d and N: largest difference")
            .within(1e-5, "f32 sums of up to 13 products through 12 layers"),
        Check::of("from zero it is one sum", |_| summed())
            .says("predictions of a built layer from W₀ = 0, and (η/N) times the sum of y x·x_q: largest difference")
            .within(1e-5, "f32 sums of up to 13 products, in another order"),
        Check::of("order does not count, nor what is empty", |_| rearranged())
            .says("predictions with the examples in reverse, and with five tokens of zeros around them at the same N: largest difference")
            .within(1e-5, "f32 sums of up to 18 products, in another order"),
        Check::of("GD++ bends inputs by I − γ X Xᵀ", |_| bent())
            .says("inputs after a layer against (I − γ X Xᵀ) x, and its predictions against those of a plain step: largest difference")
            .within(1e-5, "f32 sums of up to 13 products, in another order"),
    ]
}

/// What the best step does.
fn best() -> Vec<Check> {
    vec![
        Check::of("the best rate is that of the formula", |zoo| off_formula(zoo, 0))
            .says("d = N = 10, 10,000 tasks: the rate with the least loss after one step, from 6.0606")
            .within(0.1, "the mean of 10,000 tasks"),
        Check::of("and so is the floor", |zoo| off_formula(zoo, 1))
            .says("the loss that this rate leaves on the 10,000 tasks, from .2062")
            .within(4e-3, "the mean of 10,000 tasks"),
        Check::of("what is left does not know the scale", |_| scaled())
            .says("inputs half and twice as large, η four times and a quarter: the share of the loss that is left, from .49495")
            .within(0.01, "the mean of 10,000 tasks"),
    ]
}

/// Tasks of one shape, and the step that is taken on them.
#[derive(Clone, Copy)]
struct Case<'g> {
    x: Var<'g>,
    y: Var<'g>,
    /// `[task, 1, d]`
    query: Var<'g>,
    w0: Var<'g>,
    step: Step,
}

const TASKS: usize = 8;

/// Cases of several shapes, with weights and rate by chance.
fn cases(g: &Graph, seed: u64) -> Vec<Case<'_>> {
    let mut random = Random::new(seed);
    let shapes = [(1, 1), (2, 7), (5, 3), (10, 10), (13, 4)];
    let case = |(d, n): (usize, usize)| {
        let batch = Tasks::uniform(d, n, RANGE).batch(TASKS, &mut random);
        let [x, y, query] = [0, 1, 2].map(|i| g.input(&batch[i]));
        let w0 = g.input(&Tensor::from_fn(&[d], |_| random.normal() as f32));
        let eta = random.between(0.1, 1.5) as f32;
        Case { x, y, query: query.reshape(&[TASKS, 1, d]), w0, step: Step { eta, gamma: 0.0, n } }
    };
    shapes.into_iter().map(case).collect()
}

impl<'g> Case<'g> {
    /// The tokens after each of so many layers.
    fn read(&self, layers: usize) -> Vec<Read<'g>> {
        let layer = LinearAttention::descent(self.w0, self.step);
        run(&vec![layer; layers], examples(self.x, self.y), asked(self.query, self.w0))
    }

    /// What so many layers predict, `[task]`.
    fn said(&self, layers: usize) -> Var<'g> {
        prediction(self.read(layers)[layers - 1].queries).flat()
    }

    /// What so many steps predict, `[task]`.
    fn descended(&self, steps: usize) -> Var<'g> {
        let eta = self.x.graph().constant(self.step.eta);
        self.query.matmul(descend(self.x, self.y, self.w0, eta, steps)[steps - 1]).flat()
    }

    /// The same from weights of zero.
    fn at_zero(self) -> Self {
        Self { w0: self.w0 * 0.0, ..self }
    }
}

/// The largest difference between so many layers and steps.
fn compared(count: usize) -> Option<Graph> {
    error(|g| worst(cases(g, count as u64).iter().map(|it| it.said(count) - it.descended(count))))
}

/// A layer from zero against the sum that it is.
fn summed() -> Option<Graph> {
    error(|g| {
        worst(cases(g, 2).into_iter().map(Case::at_zero).map(|it| {
            let along = it.x.matmul(it.query.t()); // [task, pos, 1]
            let [tasks, n] = [it.x.dim(0), it.x.dim(1)];
            let sum = (along * it.y.reshape(&[tasks, n, 1])).sum(1).flat();
            it.said(1) - sum * (it.step.eta / n as f32)
        }))
    })
}

/// The examples of `[task, pos, ..]` from the last to the first.
fn reversed(x: Var<'_>) -> Var<'_> {
    let back: Vec<Var<'_>> = (0..x.dim(1)).rev().map(|j| x.slice(1, j, 1)).collect();
    Var::concat(&back, 1)
}

/// Tokens of zeros that are put around examples.
const EMPTY: usize = 5;

/// Examples in another order, and among tokens of zeros.
fn rearranged() -> Option<Graph> {
    error(|g| {
        let each = cases(g, 3).into_iter().map(Case::at_zero).flat_map(|it| {
            let [x, y] = [it.x, it.y].map(reversed);
            let reverse = Case { x, y, ..it };
            let [x, y] = [it.x, it.y].map(|it| it.pad(1, 1, EMPTY - 1, 0.0));
            let empty = Case { x, y, ..it };
            [reverse.said(2) - it.said(2), empty.said(2) - it.said(2)]
        });
        worst(each.collect::<Vec<_>>())
    })
}

/// What a layer of GD++ makes of inputs, and of predictions.
fn bent() -> Option<Graph> {
    error(|g| {
        let each = cases(g, 4).into_iter().flat_map(|it| {
            let (gamma, d) = (0.1, it.x.dim(2));
            let it = Case { step: Step { gamma, ..it.step }, ..it };
            let after = it.read(1)[0];
            let bends = identity(g, d) - it.x.t().matmul(it.x) * gamma; // [task, d, d]
            let off = [(it.x, after.examples), (it.query, after.queries)];
            let [examples, queries] = off.map(|(x, after)| after.slice(-1, 0, d) - x.matmul(bends));
            let plain = Case { step: Step { gamma: 0.0, ..it.step }, ..it };
            [examples, queries, it.said(1) - plain.said(1)]
        });
        worst(each.collect::<Vec<_>>())
    })
}

/// Tasks that means are taken over.
const MANY: usize = 10_000;

/// The tasks.
fn many() -> Vec<Tensor> {
    tasks().batch(MANY, &mut Random::new(0))
}

/// What a step of rate 1 from zero predicts on tasks, and the answers, both times `scale`.
fn stepped<'g>(g: &'g Graph, batch: &[Tensor], scale: f32) -> [Var<'g>; 2] {
    let [x, y, query, answer] = [0, 1, 2, 3].map(|i| g.input(&batch[i]) * scale);
    let one = descend(x, y, g.constant(0.0).broadcast(&[D]), g.constant(1.0), 1)[0]; // [task, d, 1]
    [query.reshape(&[MANY, 1, D]).matmul(one).flat(), answer]
}

/// How far the rate (0) or the loss (1) of the best step is from the closed form. The loss is a parabola in the rate.
fn off_formula(_zoo: &Zoo, which: usize) -> Option<Graph> {
    error(|g| {
        let [said, answer] = stepped(g, &many(), 1.0);
        let [both, square, all] = [said * answer, said * said, answer * answer].map(|it| it.mean(0));
        let rate = both / square;
        let (eta, floor) = one_step(D, D, RANGE);
        let off = [rate - eta as f32, (all - rate * both) * 0.5 - floor as f32];
        Some(off[which].abs())
    })
}

/// The share of the loss that the best step leaves where inputs have another scale.
fn scaled() -> Option<Graph> {
    error(|g| {
        let batch = many();
        let left = [0.5, 1.0, 2.0].map(|scale: f32| {
            let [said, answer] = stepped(g, &batch, scale);
            let off = said * (one_step(D, D, RANGE).0 as f32 / (scale * scale)) - answer;
            (off * off).mean(0) / (answer * answer).mean(0) - 0.494_95
        });
        worst(left)
    })
}
