//! What the algorithms say, in f64: a little in every frame, so that no knob holds up the picture.

use nalgebra::{DMatrix, DVector};

use super::distance::{FEW, NOISES, QUERIES, TASKS, draw, first};
use super::probes::{FITTED, TRIED};
use crate::data::Random;
use crate::regression::{Learner, Prompt as Task};
use crate::tensor::Tensor;
use crate::train::regression::{D, MOST};

/// What is asked of the algorithms: all that their answers depend on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) seed: u64,
    /// Standard deviation of the noise.
    pub(super) noise: f64,
    pub(super) learners: [Learner; 7],
}

/// A task, and queries of its own, `[query, d]`.
pub(super) type Asked = (Task, DMatrix<f64>);

/// Tasks, and what every algorithm says of them, as far as that is known.
pub(super) struct References {
    pub(super) question: Question,
    /// Tasks on which distances are measured.
    pub(super) asked: Vec<Asked>,
    /// Those of the phase picture, noise by noise.
    pub(super) phase: Vec<Task>,
    /// Those that probes are fitted and tried on.
    pub(super) probed: Vec<Task>,
    /// Tasks that are done.
    done: usize,
    answers: Vec<f32>,
    next: Vec<f32>,
    targets: Vec<f32>,
}

impl References {
    /// Draws the tasks; nothing is known yet.
    pub(super) fn begin(question: Question) -> Self {
        let stream = |index| Random::stream(question.seed, index);
        let mut random = stream(0);
        let tasks = draw(question.noise, TASKS, &mut random);
        let mut asks = || DMatrix::from_fn(QUERIES, D, |_, _| random.normal());
        let asked = tasks.into_iter().map(|it| (it, asks())).collect();
        let phase = NOISES.iter().flat_map(|noise| draw(*noise, FEW, &mut stream(1))).collect();
        let probed = draw(question.noise, FITTED + TRIED, &mut stream(2));
        let (answers, next, targets) = (vec![], vec![], vec![]);
        Self { question, asked, phase, probed, done: 0, answers, next, targets }
    }

    /// Whether all is known.
    pub(super) fn is_complete(&self) -> bool {
        self.done == self.asked.len() + self.phase.len() + self.probed.len()
    }

    /// Goes on by one task.
    pub(super) fn advance(&mut self) {
        let (first, second) = (self.asked.len(), self.asked.len() + self.phase.len());
        match self.done {
            i if i < first => self.answer(i),
            i if i < second => self.say_next(i - first),
            i if !self.is_complete() => self.aim(i - second),
            _ => return,
        }
        self.done += 1;
    }

    /// All of it at once.
    pub(super) fn complete(mut self) -> Self {
        while !self.is_complete() {
            self.advance();
        }
        self
    }

    /// What every algorithm says of the queries of a task, after 0 to 11 examples.
    fn answer(&mut self, i: usize) {
        let (task, queries) = &self.asked[i];
        for learner in self.question.learners {
            for n in 0..=MOST {
                let said = learner.answers(&first(&task.examples, n), queries, self.question.noise);
                self.answers.extend(said.iter().map(|it| *it as f32));
            }
        }
    }

    /// What every algorithm says of the input of the next example of a task of the phase picture, after 1 to 11 of them.
    fn say_next(&mut self, i: usize) {
        let (it, noise) = (&self.phase[i].examples, NOISES[i / FEW]);
        for learner in self.question.learners {
            let says = |n: usize| learner.answers(&first(it, n), &it.x.rows(n, 1).into_owned(), noise)[0];
            self.next.extend((1..=MOST).map(|n| says(n) as f32));
        }
    }

    /// What is to be read out of a task: the mean of `y x`, and the weights of Bayes.
    fn aim(&mut self, i: usize) {
        let it = first(&self.probed[i].examples, MOST);
        let moment = it.x.tr_mul(&it.y) / it.y.len() as f64;
        let bayes: DVector<f64> = Learner::Bayes.answers(&it, &DMatrix::identity(D, D), self.question.noise);
        self.targets.extend(moment.iter().chain(bayes.iter()).map(|it| *it as f32));
    }

    /// The answers, `[task, learner, after, query]`.
    pub(super) fn answers(&self) -> Tensor {
        let shape = [self.asked.len(), self.question.learners.len(), MOST + 1, QUERIES];
        Tensor::new(&shape, self.answers.clone())
    }

    /// Those to the input of the next example, `[task, learner, after]`.
    pub(super) fn next(&self) -> Tensor {
        Tensor::new(&[self.phase.len(), self.question.learners.len(), MOST], self.next.clone())
    }

    /// What is to be read out, `[task, target * d]`.
    pub(super) fn targets(&self) -> Tensor {
        Tensor::new(&[self.probed.len(), 2 * D], self.targets.clone())
    }
}
