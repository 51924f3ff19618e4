//! Tasks drawn by chance, and how well some steps of gradient descent can solve them.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector, DVectorView};

use super::{Component, Examples, Features};
use crate::data::Random;
use crate::tensor::{Tensor, size};

/// Where inputs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Covariates {
    /// Each coordinate between minus this and this. Von Oswald et al. train with 0.5: their `input_range` of 1 is the width.
    Uniform(f64),
    /// Normal with mean 0 and this covariance `[d, d]`.
    Normal(DMatrix<f64>),
    /// Each coordinate from a Laplace distribution around 0 with this mean square.
    Laplace(f64),
    /// Each coordinate from an exponential distribution, all above 0, with this mean square.
    Exponential(f64),
    /// The features of a number between -1 and 1, uniform: the task is a function of that number.
    Features(Features),
}

/// Where the weights of a task come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Prior {
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// One of several Gaussians, by their weights.
    Mixture(Vec<Component>),
}

/// Linear regression: `y = w x` and noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Tasks {
    /// Coordinates of an input.
    pub d: usize,
    /// Examples of a prompt.
    pub n: usize,
    /// Where inputs come from.
    pub inputs: Covariates,
    /// Where weights come from.
    pub prior: Prior,
    /// Standard deviation of what is added to every answer.
    pub noise: f64,
}

/// Examples of one task, and what is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What is known.
    pub examples: Examples,
    /// What is asked, `[d]`.
    pub query: DVector<f64>,
    /// Its answer, without noise.
    pub answer: f64,
    /// The weights behind it, `[d]`.
    pub w: DVector<f64>,
}

impl Tasks {
    /// The tasks of von Oswald et al. 2022: uniform inputs, weights from `N(0, I)`, no noise.
    pub fn uniform(d: usize, n: usize, range: f64) -> Self {
        Self { d, n, inputs: Covariates::Uniform(range), prior: Prior::Normal(1.0), noise: 0.0 }
    }

    /// One task.
    pub fn draw(&self, random: &mut Random) -> Prompt {
        let mut source = Source::new(self);
        source.draw(random);
        let Source { w, points, y, .. } = source;
        let (known, query) = points.split_at(self.n * self.d);
        let (x, query) = (DMatrix::from_row_slice(self.n, self.d, known), DVector::from_row_slice(query));
        Prompt { examples: Examples { x, y: DVector::from_vec(y) }, answer: query.dot(&w), query, w }
    }

    /// `count` tasks as tensors: `x` `[task, pos, d]`, `y` `[task, pos]`, query `[task, d]`, its answer `[task]`.
    pub fn batch(&self, count: usize, random: &mut Random) -> Vec<Tensor> {
        let shapes = [vec![count, self.n, self.d], vec![count, self.n], vec![count, self.d], vec![count]];
        let mut all = shapes.each_ref().map(|it| Vec::with_capacity(size(it)));
        let mut source = Source::new(self);
        for _ in 0..count {
            source.draw(random);
            let (known, asked) = source.points.split_at(self.n * self.d);
            let answer = DVectorView::from_slice(asked, self.d).dot(&source.w);
            for (all, own) in all.iter_mut().zip([known, &source.y, asked, &[answer]]) {
                for it in own {
                    all.push(*it as f32);
                }
            }
        }
        shapes.iter().zip(all).map(|(shape, it)| Tensor::new(shape, it)).collect()
    }
}

/// Draws one task after the other. A training draws thousands between two frames, so it has room for one, and plain loops, which a
/// program that is built for size has no calls in.
struct Source<'t> {
    tasks: &'t Tasks,
    /// What draws inputs, if these are normal, and the weights of components that were chosen so far: roots are found once.
    input: Option<Normal>,
    components: BTreeMap<usize, Normal>,
    /// The weights of the task that was drawn last, `[d]`.
    w: DVector<f64>,
    /// Inputs and what is asked, one behind the other.
    points: Vec<f64>,
    /// The answers to the inputs.
    y: Vec<f64>,
}

impl<'t> Source<'t> {
    fn new(tasks: &'t Tasks) -> Self {
        let input = match &tasks.inputs {
            Covariates::Normal(covariance) => Some(Normal::of(covariance)),
            _ => None,
        };
        let points = Vec::with_capacity((tasks.n + 1) * tasks.d);
        Self {
            tasks,
            input,
            components: BTreeMap::new(),
            w: DVector::zeros(tasks.d),
            points,
            y: Vec::with_capacity(tasks.n),
        }
    }

    fn draw(&mut self, random: &mut Random) {
        let Tasks { d, n, noise, .. } = *self.tasks;
        self.weights(random);
        self.points.clear();
        for _ in 0..=n {
            self.input(random);
        }
        self.y.clear();
        for x in self.points.chunks_exact(d.max(1)).take(n) {
            let mut y = 0.0;
            for (x, w) in x.iter().zip(self.w.as_slice()) {
                y += x * w;
            }
            self.y.push(y);
        }
        if noise == 0.0 {
            random.pass(2 * n as u64); // what as many normal numbers take
        } else {
            for y in &mut self.y {
                *y += noise * random.normal();
            }
        }
    }

    fn weights(&mut self, random: &mut Random) {
        match &self.tasks.prior {
            Prior::Normal(deviation) => {
                for w in self.w.as_mut_slice() {
                    *w = deviation * random.normal();
                }
            }
            Prior::Mixture(components) => {
                let mut left = random.unit() * components.iter().map(|it| it.weight).sum::<f64>();
                let chosen = components.iter().position(|it| {
                    left -= it.weight;
                    left < 0.0
                });
                let last = components.len().checked_sub(1);
                let it = chosen.or(last).unwrap_or_else(|| panic!("a mixture of nothing"));
                let Component { mean, covariance, .. } = &components[it];
                let normal = self.components.entry(it).or_insert_with(|| Normal::of(covariance));
                self.w = mean + normal.draw(random);
            }
        }
    }

    /// Draws one input and puts it behind the others.
    fn input(&mut self, random: &mut Random) {
        let (d, points) = (self.tasks.d, &mut self.points);
        match (&self.tasks.inputs, &self.input) {
            (_, Some(normal)) => points.extend(normal.draw(random).iter()),
            (Covariates::Normal(_), None) => unreachable!("its root is there"),
            (Covariates::Features(features), _) => {
                points.extend(features.of(random.between(-1.0, 1.0)).iter());
            }
            (Covariates::Uniform(range), _) => {
                for _ in 0..d {
                    points.push(random.between(-range, *range));
                }
            }
            (Covariates::Laplace(square), _) => {
                for _ in 0..d {
                    let sign = if random.unit() < 0.5 { -1.0 } else { 1.0 };
                    points.push(sign * (0.5 * square).sqrt() * exponential(random));
                }
            }
            (Covariates::Exponential(square), _) => {
                for _ in 0..d {
                    points.push((0.5 * square).sqrt() * exponential(random));
                }
            }
        }
    }
}

/// An exponentially distributed number of mean 1, whose mean square is 2.
fn exponential(random: &mut Random) -> f64 {
    -(1.0 - random.unit()).ln()
}

/// Normal vectors of mean 0. The root is that of the eigenvalues, as a covariance need not have full rank.
struct Normal {
    deviations: DVector<f64>,
    vectors: DMatrix<f64>,
}

impl Normal {
    fn of(covariance: &DMatrix<f64>) -> Self {
        let eigen = covariance.clone().symmetric_eigen();
        Self { deviations: eigen.eigenvalues.map(|it| it.max(0.0).sqrt()), vectors: eigen.eigenvectors }
    }

    fn draw(&self, random: &mut Random) -> DVector<f64> {
        &self.vectors * self.deviations.map(|it| it * random.normal())
    }
}

/// The best learning rate of one step from zero on uniform inputs, and the loss `E (prediction - y)^2 / 2` that it leaves, in
/// closed form: with `s` the variance of an input and `m` its fourth moment, `E[S^2] = ((m + (d-1) s^2)/N + (1-1/N) s^2) I`
/// for `S = X^T X / N`, the rate is `s / E[S^2]`, and `d s/2 (1 - s^2 / E[S^2])` is left.
pub fn one_step(d: usize, n: usize, range: f64) -> (f64, f64) {
    let (d, n) = (d as f64, n as f64);
    let (s, m) = (range.powi(2) / 3.0, range.powi(4) / 5.0);
    let square = (m + (d - 1.0) * s * s) / n + (1.0 - 1.0 / n) * s * s;
    (s / square, 0.5 * d * s * (1.0 - s * s / square))
}

/// The least losses that so many `steps` of gradient descent from zero reach, each number of them with one learning rate for all
/// tasks: that rate, and the mean over `count` drawn inputs, exact in weights and query.
pub fn floors(tasks: &Tasks, steps: &[usize], count: usize, random: &mut Random) -> Vec<(f64, f64)> {
    let drawn = Spectra::draw(tasks, count, random);
    steps.iter().map(|steps| drawn.best_rate(0.0, *steps)).collect()
}

/// GD++ with one learning rate and one `gamma` for all tasks and steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlusPlus {
    /// The learning rate.
    pub eta: f64,
    /// What every step bends inputs by: `x <- (I - gamma X^T X / N) x`.
    pub gamma: f64,
    /// What is left of the loss.
    pub loss: f64,
}

/// The best that so many `steps` of GD++ from zero can do, as [`floors`] measures it.
pub fn best_plus_plus(tasks: &Tasks, steps: usize, count: usize, random: &mut Random) -> PlusPlus {
    let drawn = Spectra::draw(tasks, count, random);
    // A gamma of 4 over the mean square of an input makes no sense: it turns most inputs around.
    let (gamma, loss) = least(4.0 / drawn.square / tasks.d as f64, |gamma| drawn.best_rate(gamma, steps).1);
    PlusPlus { eta: drawn.best_rate(gamma, steps).0, gamma, loss }
}

/// The eigenvalues of `S = X^T X / N` of some tasks with uniform inputs.
struct Spectra {
    values: Vec<DVector<f64>>,
    /// The mean square of an input's coordinate.
    square: f64,
}

impl Spectra {
    fn draw(tasks: &Tasks, count: usize, random: &mut Random) -> Self {
        let Covariates::Uniform(range) = tasks.inputs else { panic!("floors are those of uniform inputs") };
        let one = || {
            let x = tasks.draw(random).examples.x;
            (x.transpose() * &x / tasks.n as f64).symmetric_eigenvalues()
        };
        Self { values: std::iter::repeat_with(one).take(count).collect(), square: range.powi(2) / 3.0 }
    }

    /// The loss after some steps. A step of GD++ turns an eigenvalue `l` into `l (1 - gamma l)^2`, and of the weights along its
    /// eigenvector `1 - eta l` is left to be learnt.
    fn loss(&self, eta: f64, gamma: f64, steps: usize) -> f64 {
        let left = |value: f64| {
            if gamma == 0.0 {
                return (1.0 - eta * value).powi(2 * steps as i32);
            }
            let step = |(left, l): (f64, f64)| (left * (1.0 - eta * l), l * (1.0 - gamma * l).powi(2));
            (0..steps).fold((1.0, value), |it, _| step(it)).0.powi(2)
        };
        let each = self.values.iter().map(|it| it.iter().map(|l| left(*l)).sum::<f64>());
        0.5 * self.square * each.sum::<f64>() / self.values.len() as f64
    }

    /// The best rate, and the loss that it leaves.
    fn best_rate(&self, gamma: f64, steps: usize) -> (f64, f64) {
        least(2.0 / self.square, |eta| self.loss(eta, gamma, steps))
    }
}

/// Where `of` is least between 0 and `most`, and how small it is there, if it falls and then rises: the worse end is cut off at the
/// golden section, where the other place is known already, until the place is known to a thousandth of where it began.
fn least(most: f64, of: impl Fn(f64) -> f64) -> (f64, f64) {
    const SECTION: f64 = 0.618_033_988_749_894_9;
    let at = |from: f64, to: f64| from + SECTION * (to - from);
    let (mut low, mut high) = (0.0, most);
    let (mut left, mut right) = (at(high, low), at(low, high));
    let (mut of_left, mut of_right) = (of(left), of(right));
    for _ in 0..15 {
        if of_left < of_right {
            (high, right, of_right) = (right, left, of_left);
            left = at(high, low);
            of_left = of(left);
        } else {
            (low, left, of_left) = (left, right, of_right);
            right = at(low, high);
            of_right = of(right);
        }
    }
    let best = 0.5 * (low + high);
    (best, of(best))
}
