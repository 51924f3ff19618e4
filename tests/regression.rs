//! Tasks and the algorithms that solve them, against each other and against closed forms; and what linear attention is bound
//! to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests read checkpoints")]
mod golden;

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::graph::{Graph, Var};
use vitrine::mechanisms::linear_attention::{LinearAttention, Step, asked, examples, prediction, run};
use vitrine::mechanisms::linear_optimum::MergedAttention;
use vitrine::mechanisms::{self, solve};
use vitrine::models::Regressor;
use vitrine::models::regressor::{Config, Prompt as Read, Queries, Said};
use vitrine::registry;
use vitrine::regression::{
    Component, Covariates, Examples, Features, Learner, Posterior, Prior, Prompt, Shift, Tasks,
    best_plus_plus, descent, descent_plus_plus, floors, gaussian, least_squares, mixture, nearest, one_pass,
    one_step, pool, ridge, step_rate,
};
use vitrine::tensor::Tensor;

fn near(a: &DVector<f64>, b: &DVector<f64>, most: f64) -> Result<(), TestCaseError> {
    let off = (a - b).amax();
    prop_assert!(off <= most, "{a} and {b} are {off} apart");
    Ok(())
}

fn prompt(d: usize, n: usize, noise: f64, seed: u64) -> Prompt {
    Tasks { noise, ..Tasks::uniform(d, n, 1.0) }.draw(&mut Random::new(seed))
}

fn component(d: usize, deviation: f64) -> Component {
    let covariance = DMatrix::identity(d, d) * deviation.powi(2);
    Component { weight: 1.0, mean: DVector::zeros(d), covariance }
}

const ODD: [usize; 6] = [1, 2, 3, 5, 7, 11];

fn odd() -> impl Strategy<Value = usize> {
    (0..ODD.len()).prop_map(|i| ODD[i])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The posterior mean of a Gaussian prior is ridge regression, lambda the ratio of the variances.
    #[test]
    fn ridge_is_bayes(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.5, seed).examples;
        near(&ridge(&it, 0.25 / 4.0), &gaussian(&component(d, 2.0), 0.5, &it).0, 1e-9)?;
    }

    /// A mixture of one is that one, and of several sums to 1; equal ones are as likely as before.
    #[test]
    fn a_mixture_of_one_is_that_one(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.5, seed).examples;
        let one = component(d, 1.0);
        let Posterior { mean, components } = mixture(std::slice::from_ref(&one), 0.5, &it);
        near(&mean, &gaussian(&one, 0.5, &it).0, 1e-12)?;
        prop_assert_eq!(components, vec![1.0]);
        let far = Component { mean: DVector::from_element(d, 3.0), weight: 0.5, ..one.clone() };
        let three = mixture(&[one.clone(), Component { weight: 3.0, ..one }, far], 0.5, &it).components;
        prop_assert!((three.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!((three[1] - 3.0 * three[0]).abs() < 1e-12);
    }

    /// Sherman and Morrison: an example after the other, `P <- P - P x x^T P / (lambda + x^T P x)`, is ridge regression at once.
    #[test]
    fn one_example_after_the_other_is_ridge(d in odd(), n in odd(), seed in 0_u64..1000) {
        let (it, lambda) = (prompt(d, n, 0.5, seed).examples, 0.3);
        let mut inverse = DMatrix::identity(d, d) / lambda;
        let mut w = DVector::zeros(d);
        for (x, y) in it.x.row_iter().zip(it.y.iter()) {
            let x = x.transpose();
            let across = &inverse * &x;
            inverse -= &across * across.transpose() / (1.0 + x.dot(&across));
            w += &inverse * &x * (y - x.dot(&w));
        }
        near(&w, &ridge(&it, lambda), 1e-9)?;
    }

    /// A prior of a pool is a mixture without spread: each of the pool is as likely as it fits (softmax of the log likelihoods).
    #[test]
    fn a_pool_is_weighed_by_how_well_it_fits(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.5, seed).examples;
        let mut random = Random::new(seed);
        let known: Vec<DVector<f64>> = (0..5).map(|_| DVector::from_fn(d, |_, _| random.normal())).collect();
        let Posterior { mean, components } = mixture(&pool(known.clone()), 0.5, &it);
        let likelihood = |w: &DVector<f64>| (-(&it.y - &it.x * w).norm_squared() / (2.0 * 0.25)).exp();
        let all: f64 = known.iter().map(likelihood).sum();
        prop_assume!(all > 1e-200);
        let wanted = known.iter().fold(DVector::zeros(d), |sum, w| sum + w * (likelihood(w) / all));
        near(&mean, &wanted, 1e-9)?;
        near(&DVector::from_vec(components), &DVector::from_iterator(5, known.iter().map(|w| likelihood(w) / all)), 1e-9)?;
    }

    /// Every learner answers as its algorithm does, and nothing after no example.
    #[test]
    fn learners_are_their_algorithms(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.3, seed);
        let queries = DMatrix::from_rows(&[it.query.transpose(), it.examples.x.row(0).into_owned()]);
        let says = |learner: Learner| learner.answers(&it.examples, &queries, 0.3);
        near(&says(Learner::Bayes), &(&queries * ridge(&it.examples, 0.09)), 1e-12)?;
        near(&says(Learner::Ridge(0.7)), &(&queries * ridge(&it.examples, 0.7)), 1e-12)?;
        near(&says(Learner::LeastSquares), &(&queries * least_squares(&it.examples)), 1e-12)?;
        let first = descent(&it.examples, &DVector::zeros(d), step_rate(&it.examples, 0.3), 1);
        near(&says(Learner::Step), &(&queries * first), 1e-12)?;
        prop_assert_eq!(says(Learner::Nearest(1))[1], it.examples.y[0]);
        // Many steps without overshooting end in least squares of least norm, as far as they are given time.
        let singular = it.examples.x.clone().singular_values();
        prop_assume!(singular.min() > 0.2 * singular.max());
        near(&says(Learner::Descent(2000)), &says(Learner::LeastSquares), 1e-6)?;
        let none = Examples { x: DMatrix::zeros(0, d), y: DVector::zeros(0) };
        prop_assert_eq!(Learner::Nearest(3).answers(&none, &queries, 0.3), DVector::zeros(2));
    }

    /// With a small lambda, ridge regression is least squares of least norm; where examples suffice, both find the weights.
    #[test]
    fn ridge_ends_in_the_shortest_least_squares(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.0, seed);
        let singular = it.examples.x.clone().singular_values();
        prop_assume!(singular.min() > 0.05); // what ridge leaves is lambda over the square of this
        let w = least_squares(&it.examples);
        near(&ridge(&it.examples, 1e-9), &w, 1e-4)?;
        prop_assert!((&it.examples.x * &w - &it.examples.y).amax() < 1e-8);
        prop_assert!(w.norm() <= it.w.norm() + 1e-8, "no weights that fit are shorter");
        if n >= d {
            near(&w, &it.w, 1e-8)?;
        }
    }

    /// GD++ with gamma 0 is gradient descent from zero; with gamma every step bends the inputs by `I - gamma X^T X`.
    #[test]
    fn plain_gdpp_is_descent(d in odd(), n in odd(), steps in 0_usize..6, seed in 0_u64..1000) {
        let it = prompt(d, n, 0.3, seed);
        let w = descent(&it.examples, &DVector::zeros(d), 0.4, steps);
        let plain = descent_plus_plus(&it.examples, &it.query, 0.4, 0.0, steps);
        prop_assert!((plain - w.dot(&it.query)).abs() < 1e-10);
        let bend = DMatrix::identity(d, d) - it.examples.x.tr_mul(&it.examples.x) * 0.1;
        let first = descent(&it.examples, &DVector::zeros(d), 0.4, 1);
        let y = &it.examples.y - &it.examples.x * &first;
        let bent = Examples { x: &it.examples.x * &bend, y };
        let second = descent(&bent, &DVector::zeros(d), 0.4, 1);
        let wanted = first.dot(&it.query) + second.dot(&(bend * &it.query));
        prop_assert!((descent_plus_plus(&it.examples, &it.query, 0.4, 0.1, 2) - wanted).abs() < 1e-10);
    }

    /// The mechanisms, in f32 on the device, against these in f64.
    #[test]
    fn mechanisms_are_these_algorithms(d in odd(), n in odd(), seed in 0_u64..1000) {
        let it = prompt(d, n, 0.3, seed);
        let call = |id: &str, settings: &[(&str, &str)]| f64::from(called(id, &it, settings)[0]);
        let near = |found: f64, wanted: f64| (found - wanted).abs() <= 2e-5 * wanted.abs().max(1.0);
        let zero = DVector::zeros(d);
        let path = descent(&it.examples, &zero, 0.2, 3).dot(&it.query);
        prop_assert!(near(call("gd", &[("eta", "0.2"), ("steps", "3")]), path));
        prop_assert!(near(call("lsa-step", &[("eta", "0.2"), ("layers", "3")]), path));
        let bent = descent_plus_plus(&it.examples, &it.query, 0.2, 0.03, 3);
        prop_assert!(near(call("lsa-step", &[("eta", "0.2"), ("layers", "3"), ("gamma", "0.03")]), bent));
        prop_assert!(near(call("ridge", &[("lambda", "0.5")]), ridge(&it.examples, 0.5).dot(&it.query)));
    }
}

fn called(id: &str, it: &Prompt, settings: &[(&str, &str)]) -> Vec<f32> {
    let (n, d) = it.examples.x.shape();
    let x = Tensor::from_fn(&[1, n, d], |at| it.examples.x[(at[1], at[2])] as f32);
    let y = Tensor::from_fn(&[1, n], |at| it.examples.y[at[1]] as f32);
    let query = Tensor::from_fn(&[1, d], |at| it.query[at[1]] as f32);
    let tensors = [("x", x), ("y", y), ("query", query)].map(|(name, it)| (name.to_owned(), it)).into();
    let g = Graph::default();
    registry::find(id).unwrap().call(&g, &tensors, settings).unwrap();
    golden::run(&mut golden::cpu(), g)["prediction"].data.to_vec()
}

/// The closed form against drawn tasks, `d = N = 10` on inputs between -a and a: another range scales the loss alone.
#[test]
fn the_floor_of_one_step_is_the_closed_form() {
    let (rate, loss) = one_step(10, 10, 0.5);
    assert!((rate - 6.0606).abs() < 1e-4 && (loss - 0.206_23).abs() < 1e-5, "{rate} {loss}");
    let (wide, more) = one_step(10, 10, 1.0);
    assert!((wide - rate / 4.0).abs() < 1e-12 && (more - 4.0 * loss).abs() < 1e-12);
    assert!((loss / (10.0 * 0.25 / 6.0) - 0.494_95).abs() < 1e-5, "of the loss of zero weights");
    // 2000 drawn inputs, exact in weights and query: the spread of a task's loss is a tenth of it.
    let steps = [1, 2, 3, 5, 10, 20, 50];
    let drawn = floors(&Tasks::uniform(10, 10, 0.5), &steps, 2000, &mut Random::new(3));
    assert!((drawn[0].1 - loss).abs() < 1e-3 && (drawn[0].0 - rate).abs() < 0.1, "{:?}", drawn[0]);
    let others = [0.160, 0.136, 0.111, 0.086, 0.066, 0.044];
    for ((steps, found), wanted) in steps[1..].iter().zip(&drawn[1..]).zip(others) {
        assert!((found.1 - wanted).abs() < 4e-3, "{steps} steps: {found:?}");
    }
}

/// The best two steps of GD++ leave what drawn tasks say, and any other rate or gamma leaves more; a step of GD++ is one of
/// gradient descent, whatever its gamma.
#[test]
fn the_best_steps_of_gd_plus_plus_are_the_best() {
    let tasks = Tasks::uniform(10, 10, 0.5);
    let best = best_plus_plus(&tasks, 2, 400, &mut Random::new(3));
    let drawn: Vec<Prompt> = {
        let mut random = Random::new(4);
        (0..2000).map(|_| tasks.draw(&mut random)).collect()
    };
    let loss = |eta: f64, gamma: f64| -> f64 {
        let off = |it: &Prompt| {
            descent_plus_plus(&it.examples, &it.query, eta, gamma / tasks.n as f64, 2) - it.answer
        };
        drawn.iter().map(|it| 0.5 * off(it).powi(2)).sum::<f64>() / drawn.len() as f64
    };
    // The mean over 2000 tasks, of squares that vary by twice their mean.
    let found = loss(best.eta, best.gamma);
    assert!((found / best.loss - 1.0).abs() < 0.1, "{found} and {best:?}");
    for (eta, gamma) in [(0.8, 1.0), (1.2, 1.0), (1.0, 0.8), (1.0, 1.2)] {
        let other = loss(eta * best.eta, gamma * best.gamma);
        assert!(other > found, "{eta} times the rate, {gamma} times gamma: {other}, {found}");
    }
    let one = best_plus_plus(&tasks, 1, 400, &mut Random::new(3));
    let plain = floors(&tasks, &[1], 400, &mut Random::new(3))[0];
    assert!((one.loss - plain.1).abs() < 1e-9, "{one:?} {plain:?}");
}

/// Zhang, Frei & Bartlett: with `Gamma^-1` the error on drawn prompts is least; isotropic inputs have closed forms.
#[test]
fn gamma_inverse_is_the_optimum() {
    let (rate, error) = (1.0 / (1.0 + 11.0 / 10.0), 10.0 * (1.0 - 1.0 / 2.1));
    let inverse = optimum(&DMatrix::identity(10, 10), 10);
    assert!((inverse[(0, 0)] - rate).abs() < 1e-6 && inverse[(0, 1)].abs() < 1e-6, "{inverse}");
    assert!((rate - 0.476_190).abs() < 1e-6 && f64::abs(error - 5.238_095) < 1e-6);
    let covariance = DMatrix::from_row_slice(2, 2, &[1.0, 0.6, 0.6, 0.5]);
    let inverse = optimum(&covariance, 5);
    let tasks = Tasks { inputs: Covariates::Normal(covariance), ..Tasks::uniform(2, 5, 1.0) };
    let mut random = Random::new(5);
    let prompts: Vec<Prompt> = (0..20_000).map(|_| tasks.draw(&mut random)).collect();
    let error = |matrix: &DMatrix<f64>| -> f64 {
        let off = |it: &Prompt| {
            let mean = it.examples.x.tr_mul(&it.examples.y) / 5.0;
            (it.query.dot(&(matrix * mean)) - it.answer).powi(2)
        };
        prompts.iter().map(off).sum::<f64>() / prompts.len() as f64
    };
    let least = error(&inverse);
    for scale in [0.9, 1.1] {
        assert!(error(&(&inverse * scale)) > least, "{scale} of it is worse");
    }
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        for by in [-0.2, 0.2] {
            let mut moved = inverse.clone();
            moved[(i, j)] += by;
            moved[(j, i)] = moved[(i, j)];
            assert!(error(&moved) > least, "entry {i}, {j} by {by}: {} and {least}", error(&moved));
        }
    }
}

/// A covariance of full rank.
fn covariance(d: usize, random: &mut Random) -> DMatrix<f64> {
    let a = DMatrix::from_fn(d, d + 1, |_, _| random.normal());
    &a * a.transpose() / d as f64 + DMatrix::identity(d, d) * 0.1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is best on prompts as in training is `Gamma^-1`; anywhere no other matrix does better, and powers of scales come
    /// out as theory has them.
    #[test]
    fn closed_forms_of_shifts_agree(d in odd(), n in odd(), seed in 0_u64..1000) {
        let mut random = Random::new(seed);
        let [a, b, c] = [(); 3].map(|()| covariance(d, &mut random));
        let usual = Shift::none(&a, n);
        let gamma = &a * (1.0 + 1.0 / n as f64) + DMatrix::identity(d, d) * (a.trace() / n as f64);
        prop_assert!((usual.best() * gamma - DMatrix::identity(d, d)).amax() < 1e-9);
        let there = Shift { examples: a, query: b, weights: c, m: n };
        let (best, close) = (there.best(), |x: f64, y: f64| (x - y).abs() <= 1e-9 * y.abs());
        let aside = DMatrix::from_fn(d, d, |_, _| random.normal());
        for step in [-0.1, 0.1] {
            prop_assert!(there.error(&(&best + &aside * step)) > there.error(&best));
        }
        let other = there.scaled(2.0, 1.0, 1.0);
        prop_assert!(close(other.predictions(&aside), 64.0 * there.predictions(&aside)), "cubic in all inputs");
        prop_assert!(close(other.answers(), 4.0 * there.answers()));
        for other in [there.scaled(1.0, 3.0, 1.0), there.scaled(1.0, 1.0, 3.0)] {
            prop_assert!(close(other.error(&aside), 9.0 * there.error(&aside)), "as the answers");
        }
    }
}

/// The closed form of the error with any matrix and any three covariances, against drawn prompts; Zhang's isotropic case.
#[test]
fn errors_elsewhere_are_the_closed_form() {
    let isotropic = Shift::none(&DMatrix::identity(10, 10), 10);
    assert!((isotropic.error(&isotropic.best()) - 5.238_095).abs() < 1e-6);
    let mut random = Random::new(4);
    let (d, m) = (3, 4);
    let [examples, query, weights] = [(); 3].map(|()| covariance(d, &mut random));
    let it = Shift { examples, query, weights, m };
    let matrix = DMatrix::from_fn(d, d, |_, _| 0.5 * random.normal());
    let roots = [&it.examples, &it.query, &it.weights].map(|it| it.clone().cholesky().unwrap().l());
    let count = 40_000;
    let (mut error, mut size) = (vec![], vec![]);
    for _ in 0..count {
        let mut draw = |i: usize| &roots[i] * DVector::from_fn(d, |_, _| random.normal());
        let (w, query) = (draw(2), draw(1));
        let mean = (0..m).fold(DVector::zeros(d), |sum, _| {
            let x = draw(0);
            sum + &x * (x.dot(&w) / m as f64)
        });
        let said = query.dot(&(&matrix * mean));
        error.push((said - query.dot(&w)).powi(2));
        size.push(said.powi(2));
    }
    for (found, wanted) in [(error, it.error(&matrix)), (size, it.predictions(&matrix))] {
        let mean = found.iter().sum::<f64>() / f64::from(count);
        let deviation = found.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / f64::from(count);
        let off = (mean - wanted).abs() / (deviation / f64::from(count)).sqrt();
        assert!(off < 4.0, "{mean}, not {wanted}: {off} standard errors");
    }
}

/// Zhang's layer with the matrices of the theorem predicts `x_q^T Gamma^-1 (1/m sum_i y_i x_i)`, whatever stands in the place
/// of the answer that is asked for.
#[test]
fn a_merged_layer_at_its_optimum_is_one_matrix() {
    let (mut random, g) = (Random::new(6), Graph::default());
    let mut draw = |shape: &[usize]| Tensor::from_fn(shape, |_| random.normal() as f32);
    let (x, y, query, inverse) = (draw(&[5, 7, 3]), draw(&[5, 7]), draw(&[5, 3]), draw(&[3, 3]));
    let [x, y, query, inverse] = [x, y, query, inverse].map(|it| g.input(&it));
    let inverse = inverse + inverse.t();
    let layer = MergedAttention::optimum(inverse);
    let mean = x.t().matmul(y.reshape(&[5, 7, 1])) / 7.0;
    let wanted = query.reshape(&[5, 1, 3]).matmul(inverse).matmul(mean).reshape(&[5]);
    (layer.predict(x, y, query) - wanted).keep("off");
    (layer.product() - inverse).keep("product");
    let [kq, pv] = [layer.kq, layer.pv].map(|x| (x * x).flat().sum(0));
    (kq - pv).keep("balance");
    let found = golden::run(&mut golden::cpu(), g);
    for (name, most) in [("off", 2e-5), ("product", 1e-6), ("balance", 1e-5)] {
        let off = found[name].data.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(off <= most, "{name}: {off}"); // sums of 7 products of normal numbers
    }
}

fn optimum(covariance: &DMatrix<f64>, n: usize) -> DMatrix<f64> {
    let d = covariance.nrows();
    let tensor = Tensor::from_fn(&[d, d], |at| covariance[(at[0], at[1])] as f32);
    let g = Graph::default();
    let gamma = mechanisms::linear_optimum::gamma(g.input(&tensor), n);
    solve::solve(gamma, solve::identity(&g, d)).keep("inverse");
    let found = golden::run(&mut golden::cpu(), g)["inverse"].clone();
    DMatrix::from_fn(d, d, |i, j| f64::from(found.at(&[i, j])))
}

/// Equations that depend on others get zeros, and nothing is divided by zero.
#[test]
fn what_depends_is_left_out() {
    let g = Graph::default();
    let a = g.input(&Tensor::new(&[3, 3], [1.0, 2.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0]));
    solve::solve(a, g.input(&Tensor::new(&[3, 1], [3.0, 6.0, 0.0]))).keep("x");
    assert_eq!(*golden::run(&mut golden::cpu(), g)["x"].data, [3.0, 0.0, 0.0]);
}

/// Order of examples and examples of zeros change nothing, though the latter count; from zero one layer is the mean of
/// `y x`.
#[test]
fn linear_attention_is_a_sum_over_examples() {
    let mut random = Random::new(2);
    let mut draw = |shape: &[usize]| Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32);
    let (x, y, query) = (draw(&[5, 3]), draw(&[5]), draw(&[1, 3]));
    let said = |order: &[Option<usize>], depth: usize| -> f32 {
        let g = Graph::default();
        let rows = Tensor::from_fn(&[order.len(), 3], |at| order[at[0]].map_or(0.0, |i| x.at(&[i, at[1]])));
        let answers = Tensor::from_fn(&[order.len()], |at| order[at[0]].map_or(0.0, |i| y.at(&[i])));
        let w0: Var<'_> = g.constant(0.0).broadcast(&[3]);
        let layer = LinearAttention::descent(w0, Step { eta: 0.8, gamma: 0.05, n: 5 });
        let known = examples(g.input(&rows), g.input(&answers));
        let read = run(&vec![layer; depth], known, asked(g.input(&query), w0));
        prediction(read[depth - 1].queries).keep("said");
        golden::run(&mut golden::cpu(), g)["said"].data[0]
    };
    let plain = [Some(0), Some(1), Some(2), Some(3), Some(4)];
    for depth in [1, 4] {
        let usual = said(&plain, depth);
        let turned = said(&[Some(3), Some(1), Some(4), Some(0), Some(2)], depth);
        let filled = said(&[&plain[..], &[None, None]].concat(), depth);
        assert!((usual - turned).abs() < 1e-6 && (usual - filled).abs() < 1e-6, "{usual} {turned} {filled}");
    }
    let dot = |i: usize| (0..3).map(|k| x.at(&[i, k]) * query.at(&[0, k])).sum::<f32>();
    let mean = 0.8 / 5.0 * (0..5).map(|i| y.at(&[i]) * dot(i)).sum::<f32>();
    assert!((said(&plain, 1) - mean).abs() < 1e-6);
}

/// What is drawn has the moments that were asked for; nearest neighbours and one pass do what they say.
#[test]
fn tasks_are_as_asked_and_simple_learners_learn() {
    let covariance = DMatrix::from_row_slice(2, 2, &[2.0, 1.2, 1.2, 1.0]);
    let far = Component { mean: DVector::from_vec(vec![3.0, 0.0]), weight: 3.0, ..component(2, 0.1) };
    let prior = Prior::Mixture(vec![component(2, 0.1), far]);
    let tasks = Tasks { d: 2, n: 40, inputs: Covariates::Normal(covariance.clone()), prior, noise: 0.1 };
    let mut random = Random::new(9);
    let prompts: Vec<Prompt> = (0..500).map(|_| tasks.draw(&mut random)).collect();
    let mean = |f: &dyn Fn(&Prompt) -> f64| prompts.iter().map(f).sum::<f64>() / 500.0;
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        let found = mean(&|it| it.examples.x.column(i).dot(&it.examples.x.column(j)) / 40.0);
        assert!((found - covariance[(i, j)]).abs() < 0.06, "{found} at {i}, {j}"); // 4 of 20,000 draws' errors
    }
    let noise = mean(&|it| (&it.examples.x * &it.w - &it.examples.y).norm_squared() / 40.0);
    assert!((noise - 0.01).abs() < 5e-4, "{noise}");
    let of_far = mean(&|it| f64::from(u8::from(it.w[0] > 1.5)));
    assert!((of_far - 0.75).abs() < 0.08, "{of_far}");
    let error = |f: &dyn Fn(&Prompt) -> f64| mean(&|it| (f(it) - it.answer).powi(2));
    let (passed, near) = (
        error(&|it| one_pass(&it.examples, 0.1).dot(&it.query)),
        error(&|it| nearest(&it.examples, &it.query, 3)),
    );
    let (fit, zero) = (error(&|it| least_squares(&it.examples).dot(&it.query)), error(&|_| 0.0));
    assert!(fit < passed && passed < 0.1 * zero && near < 0.3 * zero, "{fit} {passed} {near} {zero}");
    let it = Examples {
        x: DMatrix::from_vec(3, 1, vec![0.0, 1.0, 5.0]),
        y: DVector::from_vec(vec![2.0, 4.0, 9.0]),
    };
    let at = DVector::from_vec(vec![0.4]);
    assert_eq!([1, 2, 9].map(|k| nearest(&it, &at, k)), [2.0, 3.0, 5.0]);
}

/// The rate of one step in closed form against drawn tasks: 5 % more or less is worse.
#[test]
fn the_rate_of_a_step_is_the_best() {
    let tasks = Tasks {
        d: 3,
        n: 5,
        inputs: Covariates::Normal(DMatrix::identity(3, 3)),
        prior: Prior::Normal(1.0),
        noise: 0.7,
    };
    let mut random = Random::new(4);
    let prompts: Vec<Prompt> = (0..20_000).map(|_| tasks.draw(&mut random)).collect();
    let error = |share: f64| {
        let off = |it: &Prompt| {
            let w = descent(&it.examples, &DVector::zeros(3), share * step_rate(&it.examples, 0.7), 1);
            (w - &it.w).norm_squared()
        };
        prompts.iter().map(off).sum::<f64>()
    };
    let best = error(1.0);
    assert!(error(0.95) > best && error(1.05) > best, "{} {best} {}", error(0.95), error(1.05));
}

/// Features are what they are called, and a band of Fourier series leaves all others at zero.
#[test]
fn functions_are_linear_in_their_weights() {
    assert_eq!(Features::Line.of(0.25).as_slice(), [1.0, 0.25]);
    let close = |a: &DVector<f64>, b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close(&Features::Sine.of(0.5), &[0.0, 1.0]));
    // cos and sin of pi/4 and of pi/2
    let root = 0.5f64.sqrt();
    assert!(close(&Features::Fourier(2).of(0.25), &[1.0, root, root, 0.0, 1.0]));
    for features in [Features::Line, Features::Sine, Features::Fourier(3)] {
        assert!((features.number(features.of(-0.7).as_slice()) + 0.7).abs() < 1e-12, "{features:?}");
    }
    let frequencies: Vec<usize> = (0..5).map(|i| Features::Fourier(2).frequency(i)).collect();
    assert_eq!(frequencies, [0, 1, 1, 2, 2]);
    let band = Features::Fourier(2).band(1, 1);
    assert_eq!(band.covariance.diagonal().as_slice(), [0.0, 1.0, 1.0, 0.0, 0.0]);
    let tasks = Tasks {
        d: 5,
        n: 6,
        inputs: Covariates::Features(Features::Fourier(2)),
        prior: Prior::Mixture(vec![band]),
        noise: 0.0,
    };
    let it = tasks.draw(&mut Random::new(1));
    assert_eq!((it.w[0], it.w[3], it.w[4]), (0.0, 0.0, 0.0));
    assert!(it.w[1] != 0.0 && it.examples.x.column(0).iter().all(|one| *one == 1.0));
    // A line through two points without noise is known.
    let line = Examples { x: Features::Line.at(&[-0.5, 0.5]), y: DVector::from_vec(vec![0.0, 1.0]) };
    assert!(close(&least_squares(&line), &[0.5, 1.0]));
    assert_eq!(Features::Line.at(&[]).shape(), (0, 2));
}

/// A transformer that reads examples, and what it says of them and of queries, on both devices. numpy reads a text of its own
/// for every answer; all queries at once behind a mask are the same, so none sees another or an example too many.
#[test]
fn the_regressor_equals_numpy() {
    let file = golden::tensors("regressor.safetensors");
    let read = |name: &str| file.read(name).unwrap();
    let config = Config { inputs: 2, examples: 3, d_model: 8, layers: 2, heads: 2, d_mlp: 12 };
    assert_eq!(Config::parse(config.to_json().to_string().as_bytes()).unwrap(), config);
    let model = Regressor::new(config, &file).unwrap();
    for mut device in [golden::cpu(), golden::gpu()] {
        let g = Graph::default();
        let [x, y, noise, queries] =
            ["x", "y", "noise", "queries"].map(|it| g.input(&read(&format!("in.{it}"))));
        let queries = Queries { x: queries, after: &[0, 1, 3, 3] };
        let Said { examples, queries } = model.record(&Read { x, y, noise }, Some(queries));
        examples.keep("examples");
        queries.keep("queries");
        let found = golden::run(&mut device, g);
        for name in ["examples", "queries"] {
            // f32 sums of a dozen terms through two layers
            golden::close(name, &found[name], &read(&format!("out.{name}")), 1e-5);
        }
    }
}

/// A shorter prompt is the beginning of a longer one, whose order may matter to a transformer.
#[test]
fn the_regressor_reads_in_order() {
    let config = Config { inputs: 3, examples: 6, d_model: 8, layers: 2, heads: 2, d_mlp: 8 };
    let model = Regressor::new(config.clone(), &config.untrained(3)).unwrap();
    let it = prompt(3, 6, 0.1, 7).examples;
    let said = |order: &[usize]| {
        let g = Graph::default();
        let n = order.len();
        let x = Tensor::from_fn(&[1, n, 3], |at| it.x[(order[at[1]], at[2])] as f32);
        let y = Tensor::from_fn(&[1, n], |at| it.y[order[at[1]]] as f32);
        let [x, y, noise] = [x, y, Tensor::new(&[1], [0.1])].map(|it| g.input(&it));
        model.record(&Read { x, y, noise }, None).examples.keep("said");
        golden::run(&mut golden::cpu(), g)["said"].data.to_vec()
    };
    let (all, few, turned) = (said(&[0, 1, 2, 3, 4, 5]), said(&[0, 1, 2]), said(&[1, 0, 2, 3, 4, 5]));
    assert!(all.iter().zip(&few).all(|(a, b)| (a - b).abs() < 1e-6), "{all:?} {few:?}");
    assert!((all[5] - turned[5]).abs() > 1e-6, "{} {}", all[5], turned[5]);
}
