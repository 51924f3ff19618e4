//! The claims as measurements.

use super::distance::{TASKS, draw, first, implied, prompt};
use super::probes::STAGES;
use super::{CONTROL, IclAlgorithm, MODEL, usual};
use crate::data::Random;
use crate::exhibits::{Check, Measure, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::bayes_mixture::Belief;
use crate::mechanisms::ridge::ridge;
use crate::mechanisms::solve::identity;
use crate::models::Zoo;
use crate::regression::Learner;
use crate::tensor::Tensor;
use crate::train::regression::{D, EXAMPLES, MOST};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    algorithms().into_iter().chain(transformers()).collect()
}

/// A claim that is measured on the transformer.
fn check(
    name: &'static str,
    claim: &'static str,
    tolerance: f32,
    because: &'static str,
    measure: fn(&Zoo) -> Option<Graph>,
) -> Check {
    Check { name, claim, tolerance, because, model: MODEL, measure: Measure::Scalar(measure) }
}

/// What holds of the algorithms.
fn algorithms() -> Vec<Check> {
    let alone = |check: Check| Check { model: "", ..check };
    vec![
        alone(check(
            "nobody is far from himself",
            "distance of every algorithm from itself, of answers and of weights, 64 tasks: the largest",
            0.0,
            "bit for bit: equal numbers are taken apart",
            |_| itself(),
        )),
        alone(check(
            "one example after the other is ridge regression",
            "weights after 12 updates by Sherman and Morrison, and of ridge regression at once, 64 tasks: largest difference",
            1e-3,
            "f32 through 12 updates, against a system of equations",
            |_| one_by_one(),
        )),
        alone(check(
            "Bayes knows the noise",
            "error of ridge regression with λ = 0.25 over the best of a quarter and four times of it, noise 0.5, 512 tasks",
            1.0,
            "the mean of the posterior has the least square error",
            |_| Some(risk()),
        )),
    ]
}

/// What holds of the transformer.
fn transformers() -> Vec<Check> {
    vec![
        check(
            "it is Bayes rather than a step",
            "its distance from Bayes over that from one step of gradient descent, noise 0.5, after 1 to 11 examples, 64 tasks",
            0.2,
            "an algorithm is found where it is much nearer than another",
            |zoo| share(zoo, |spd| spd(0) / spd(3)),
        ),
        check(
            "what it has in mind is linear",
            "the share of its answers that no linear function explains, noise 0.5, after 11 examples, 64 tasks",
            0.1,
            "a tenth of the variance",
            |zoo| {
                let g = usual(zoo)?;
                g.kept("curved")?.slice(0, MOST, 1).keep("error");
                Some(g)
            },
        ),
        Check {
            model: CONTROL,
            ..check(
                "who need not learn holds less",
                "what a probe cannot read of the weights after the last layer, over what it cannot in the control, 96 tasks",
                0.8,
                "a fifth is read; the rest is elsewhere, or not linear",
                probed,
            )
        },
        Check {
            measure: Measure::Devices(usual),
            ..check(
                "GPU equals CPU",
                "distances and probes on the GPU and on the CPU: largest difference",
                5e-3,
                "f32 sums in another order, and systems of 49 equations",
                usual,
            )
        },
    ]
}

/// The largest distance of an algorithm from itself.
fn itself() -> Option<Graph> {
    let g = Graph::default();
    let tasks = draw(0.5, TASKS, &mut Random::new(0));
    let queries = Tensor::from_fn(&[TASKS, D, D], |at| tasks[at[0]].examples.x[(at[1], at[2])] as f32);
    let queries = g.input(&queries);
    let each = IclAlgorithm::default().learners().map(|learner| {
        let said: Vec<f32> = tasks
            .iter()
            .flat_map(|it| {
                let asked = it.examples.x.rows(0, D).into_owned();
                learner.answers(&first(&it.examples, 7), &asked, 0.5).as_slice().to_vec()
            })
            .map(|it| it as f32)
            .collect();
        // Two leaves, so that nothing is known to be equal while it is recorded.
        let said = Tensor::new(&[TASKS, 1, D], said);
        let leaf = || g.state(&std::sync::Arc::new(said.clone().into()));
        let [a, b] = [leaf(), leaf()];
        let [v, w] = [a, b].map(|it| implied(queries, it));
        ((a - b) * (a - b)).flat().max(0).max_with(((v - w) * (v - w)).flat().max(0))
    });
    worst(each)?.keep("error");
    Some(g)
}

/// Updates of a belief of one Gaussian, `P <- P - P x x^T P / (lambda + x^T P x)`, against ridge regression.
fn one_by_one() -> Option<Graph> {
    let g = Graph::default();
    let noise = 0.5;
    let it = prompt(&g, &draw(noise, TASKS, &mut Random::new(1)), |_| noise);
    let (mean, unit) = (g.constant(0.0).broadcast(&[1, D]), identity(&g, D).reshape(&[1, D, D]));
    let prior = Belief::prior(mean, unit, TASKS);
    let mut belief = prior;
    for j in 0..EXAMPLES {
        belief = belief.seeing(it.x.slice(1, j, 1), it.y.slice(1, j, 1), noise as f32);
    }
    let last = belief.mean.reshape(&[TASKS, D]);
    let once = ridge(it.x, it.y.reshape(&[TASKS, EXAMPLES, 1]), (noise * noise) as f32).reshape(&[TASKS, D]);
    worst([last - once])?.keep("error");
    Some(g)
}

/// The error of the right `lambda` over that of the best wrong one, all numbers of examples together.
fn risk() -> Graph {
    let (g, noise) = (Graph::default(), 0.5);
    let tasks = draw(noise, 512, &mut Random::new(2));
    let error = |lambda: f64| -> f64 {
        let off = |n: usize, it: &crate::regression::Prompt| {
            let query = it.query.transpose();
            let asked = nalgebra::DMatrix::from_rows(&[query]);
            (Learner::Ridge(lambda).answers(&first(&it.examples, n), &asked, noise)[0] - it.answer).powi(2)
        };
        (1..=EXAMPLES).map(|n| tasks.iter().map(|it| off(n, it)).sum::<f64>()).sum()
    };
    let [right, less, more] = [1.0, 0.25, 4.0].map(|it| error(it * noise * noise));
    g.input(&Tensor::new(&[1], [(right / less.min(more)) as f32])).keep("error");
    g
}

/// Keeps what `of` makes of the distances of answers, after 1 to 11 examples together.
fn share(zoo: &Zoo, of: impl for<'g> Fn(&dyn Fn(usize) -> Var<'g>) -> Var<'g>) -> Option<Graph> {
    let g = usual(zoo)?;
    let spd = g.kept("spd")?;
    of(&|i| spd.slice(0, i, 1).slice(1, 1, MOST).flat().sum(0)).keep("error");
    Some(g)
}

/// What probes leave of the weights of Bayes, over what they leave in the control.
fn probed(zoo: &Zoo) -> Option<Graph> {
    let g = usual(zoo)?;
    let read = g.kept("probes")?;
    if read.dim(0) < 2 {
        return None;
    }
    let left = |who: usize| {
        let last = read.slice(0, who, 1).slice(1, 0, 1).slice(2, STAGES - 1, 1).slice(3, 1, 1);
        last.flat() * -1.0 + 1.0
    };
    (left(0) / left(1)).keep("error");
    Some(g)
}
