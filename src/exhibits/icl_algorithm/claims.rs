//! The claims as measurements.

use super::distance::{TASKS, draw, first, prompt};
use super::probes::STAGES;
use super::{CONTROL, IclAlgorithm, MODEL};
use crate::data::Random;
use crate::exhibits::{Check, error, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::bayes_mixture::Belief;
use crate::mechanisms::predictor_distance::implied_weights;
use crate::mechanisms::ridge::ridge;
use crate::mechanisms::solve::identity;
use crate::models::{Regressor, Zoo};
use crate::regression::{Examples, Learner, Prompt, least_squares, ridge as ridge_of};
use crate::tensor::Tensor;
use crate::train::regression::{D, EXAMPLES, MOST};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    algorithms().into_iter().chain(transformers()).collect()
}

/// What holds of the algorithms.
fn algorithms() -> Vec<Check> {
    vec![
        Check::of("nobody is far from himself", |_| itself())
            .says("distance of every algorithm from itself, of answers and of weights, 64 tasks: the largest")
            .within(0.0, "bit for bit: equal numbers are taken apart"),
        Check::of("as far from A to B as from B to A", |_| symmetric())
            .says("distances of answers and of weights of all pairs of algorithms, both ways, 64 tasks: largest difference")
            .within(0.0, "bit for bit: squares"),
        Check::of("ridge regression goes to least squares", |_| Some(vanishing()))
            .says("weights with λ = 1e-9, and the shortest ones of least squares, 1 to 12 examples, 64 tasks, f64: largest difference")
            .within(2e-3, "λ over the square of the smallest singular value, which is below 0.001 at times"),
        Check::of("without noise least squares knows all", |_| Some(noiseless()))
            .says("its error on a new query after 3 to 12 examples without noise, 64 tasks, f64: the largest square")
            .within(1e-8, "f64, and singular values down to 0.01"),
        Check::of("one example after the other is ridge regression", |_| one_by_one())
            .says("weights after 12 updates by Sherman and Morrison, and of ridge regression at once, 64 tasks: largest difference")
            .within(1e-3, "f32 through 12 updates, against a system of equations"),
        Check::of("Bayes knows the noise", |_| Some(risk()))
            .says("error of ridge regression with λ = 0.25 over the best of a quarter and four times of it, noise 0.5, 512 tasks")
            .within(1.0, "the mean of the posterior has the least square error"),
    ]
}

/// What holds of the transformer.
fn transformers() -> Vec<Check> {
    vec![
        Check::of("it is Bayes rather than a step", |zoo| share(zoo, |spd| spd(0) / spd(3)))
            .says("its distance from Bayes over that from one step of gradient descent, noise 0.5, after 1 to 11 examples, 64 tasks")
            .within(0.2, "an algorithm is found where it is much nearer than another")
            .on(MODEL),
        Check::of("what it has in mind is linear", linear)
            .says("the share of its answers that no linear function explains, noise 0.5, after 11 examples, 64 tasks")
            .within(0.1, "a tenth of the variance")
            .on(MODEL),
        Check::of("order counts a little", exchanged)
            .says("a hundredth over the mean change of its answers when the first two examples change places, noise 0.5, 64 tasks")
            .within(1.0, "1 is a mean change of a hundredth; no algorithm beside it but one pass sees any order")
            .on(MODEL),
        Check::of("who need not learn holds less", probed)
            .says("what a probe cannot read of the weights after the last layer, over what it cannot in the control, 96 tasks")
            .within(0.8, "a fifth is read; the rest is elsewhere, or not linear")
            .on(CONTROL),
        Check::devices(usual::<IclAlgorithm>)
            .says("distances and probes on the GPU and on the CPU: largest difference")
            .within(5e-3, "f32 sums in another order, and systems of 49 equations")
            .on(MODEL),
    ]
}

/// The largest distance of an algorithm from itself.
fn itself() -> Option<Graph> {
    error(|g| {
        let (queries, all) = answered(g);
        worst(all.iter().flat_map(|said| {
            // Two leaves, so that nothing is known to be equal while it is recorded.
            let leaf = || g.state(&std::sync::Arc::new(said.clone().into()));
            let [a, b] = [leaf(), leaf()];
            [a - b, implied_weights(queries, a) - implied_weights(queries, b)]
        }))
    })
}

/// The answers of every algorithm to as many queries as there are coordinates, from the first seven examples: queries `[task, d, d]`,
/// and for each algorithm `[task, 1, d]`.
fn answered(g: &Graph) -> (Var<'_>, Vec<Tensor>) {
    let tasks = draw(0.5, TASKS, &mut Random::new(0));
    let queries = Tensor::from_fn(&[TASKS, D, D], |at| tasks[at[0]].examples.x[(at[1], at[2])] as f32);
    let each = IclAlgorithm::default().learners().map(|learner| {
        let of = |it: &Prompt| {
            let asked = it.examples.x.rows(0, D).into_owned();
            learner.answers(&first(&it.examples, 7), &asked, 0.5).as_slice().to_vec()
        };
        Tensor::new(&[TASKS, 1, D], tasks.iter().flat_map(of).map(|it| it as f32).collect::<Vec<f32>>())
    });
    (g.input(&queries), each.into())
}

/// Distances both ways.
fn symmetric() -> Option<Graph> {
    error(|g| {
        let (queries, all) = answered(g);
        let all: Vec<Var<'_>> = all.iter().map(|it| g.input(it)).collect();
        let implied: Vec<Var<'_>> = all.iter().map(|it| implied_weights(queries, *it)).collect();
        let apart = |i: usize, j: usize| {
            let [answers, weights] = [all[i] - all[j], implied[i] - implied[j]];
            [answers, weights].map(|off| (off * off).flat().mean(0))
        };
        let pairs = (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let each = pairs.flat_map(|(i, j)| {
            let (there, back) = (apart(i, j), apart(j, i));
            [there[0] - back[0], there[1] - back[1]]
        });
        worst(each.collect::<Vec<_>>())
    })
}

/// The largest difference of weights between ridge regression with hardly any `lambda` and least squares.
fn vanishing() -> Graph {
    let tasks = draw(0.5, TASKS, &mut Random::new(3));
    let off = |it: &Examples| (ridge_of(it, 1e-9) - least_squares(it)).amax();
    number(tasks.iter().flat_map(|it| (1..=EXAMPLES).map(|n| off(&first(&it.examples, n)))))
}

/// The largest squared error of least squares where there is no noise, and examples are as many as coordinates.
fn noiseless() -> Graph {
    let tasks = draw(0.0, TASKS, &mut Random::new(4));
    let off =
        |it: &Prompt, n: usize| (least_squares(&first(&it.examples, n)).dot(&it.query) - it.answer).powi(2);
    number(tasks.iter().flat_map(|it| (D..=EXAMPLES).map(|n| off(it, n))))
}

/// Keeps the largest of some numbers.
fn number(all: impl Iterator<Item = f64>) -> Graph {
    let g = Graph::default();
    g.input(&Tensor::new(&[1], [all.fold(0.0, f64::max) as f32])).keep("error");
    g
}

/// A hundredth over how much answers change with the order of the first two examples.
fn exchanged(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.model::<Regressor>(MODEL)?;
    error(|g| {
        let tasks = draw(0.5, TASKS, &mut Random::new(5));
        let turned: Vec<Prompt> = tasks
            .iter()
            .cloned()
            .map(|mut it| {
                it.examples.x.swap_rows(0, 1);
                it.examples.y.swap_rows(0, 1);
                it
            })
            .collect();
        let [usual, turned] = [&tasks, &turned]
            .map(|it| model.record(&prompt(g, it, |_| 0.5), None).examples.slice(-1, 2, MOST - 1));
        Some(((usual - turned).abs().flat().mean(0)).recip() * 0.01)
    })
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
        let off = |n: usize, it: &Prompt| {
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

/// What no linear function explains after all examples.
fn linear(zoo: &Zoo) -> Option<Graph> {
    let g = usual::<IclAlgorithm>(zoo)?;
    g.kept("curved")?.slice(0, MOST, 1).keep("error");
    Some(g)
}

/// Keeps what `of` makes of the distances of answers, after 1 to 11 examples together.
fn share(zoo: &Zoo, of: impl for<'g> Fn(&dyn Fn(usize) -> Var<'g>) -> Var<'g>) -> Option<Graph> {
    let g = usual::<IclAlgorithm>(zoo)?;
    let spd = g.kept("spd")?;
    of(&|i| spd.slice(0, i, 1).slice(1, 1, MOST).flat().sum(0)).keep("error");
    Some(g)
}

/// What probes leave of the weights of Bayes, over what they leave in the control.
fn probed(zoo: &Zoo) -> Option<Graph> {
    let g = usual::<IclAlgorithm>(zoo)?;
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
