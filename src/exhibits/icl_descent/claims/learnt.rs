//! What holds of what learns.

use crate::exhibits::icl_descent::beyond::{Predicts, elsewhere, left, mixed, prompts, step};
use crate::exhibits::icl_descent::floors::{Floors, TWICE};
use crate::exhibits::icl_descent::learner::Learner;
use crate::exhibits::{Check, error};
use crate::graph::{Graph, Var};
use crate::nn::Params;
use crate::train::Trainer;
use crate::train::linear_attention::{descended, distance, layer};
use crate::train::separate_tokens::{TOKENS, read};

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    [linear(), others()].into_iter().flatten().collect()
}

/// What a linear layer learns.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general in its lifetimes"
)]
fn linear() -> Vec<Check> {
    vec![
        Check::learnt("it learns the direction", |_| trained(Learner::Linear, |it| it.against_its_goal()[1] * -1.0 + 1.0))
            .says("1 less the mean cosine of its sensitivities with those of the step after 400 steps, 512 tasks, seed 0")
            .within(1e-2, "the cosine is at least .99"),
        Check::learnt("it predicts what the step predicts", |_| trained(Learner::Linear, |it| it.against_its_goal()[2]))
            .says("mean difference of its predictions from those of the step after 400 steps, 512 tasks, seed 0")
            .within(0.05, "an answer has a deviation of .9"),
        Check::learnt("and so does the model in mind", |_| trained(Learner::Linear, |it| it.against_its_goal()[3]))
            .says("mean distance of its sensitivities from those of the step after 400 steps, 512 tasks, seed 0")
            .within(0.2, "weights have a length of 3.2"),
        Check::learnt("mixtures are as good", |_| trained(Learner::Linear, |it| it.worst_mixture()))
            .says("the loss of the worst mixture of the learnt and the built layer over that of the built one, 512 tasks, seed 0")
            .within(1.05, "1 is as good; what is learnt has noise left"),
        Check::learnt("and fails where the step fails", |_| trained(Learner::Linear, |it| it.far()))
            .says("inputs five times as large, normal, Laplace and exponential: its loss over the step's, or that over its, 512 tasks, seed 0")
            .within(1.5, "1 is alike; of large inputs both are 100 times as wrong as zeros"),
    ]
}

/// What others learn.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general in its lifetimes"
)]
fn others() -> Vec<Check> {
    vec![
        Check::learnt("twice, it is better than two steps", |_| trained(Learner::Twice, |it| it.beats_descent()))
            .says("the loss of a layer gone through twice over what two steps of gradient descent leave, 512 tasks, seed 0")
            .within(0.9, "GD++ leaves .7 of it; 1 would be gradient descent"),
        Check::learnt("and nearer to GD++ than to two steps", |_| trained(Learner::Twice, |it| it.nearer()))
            .says("1 less the cosine with two steps of the best GD++, over 1 less that with two of gradient descent, 512 tasks, seed 0")
            .within(1.0, "1 would be as near to both"),
        Check::learnt("it bends inputs", |_| trained(Learner::Twice, |it| it.bends()))
            .says("how far the learnt γ is from that of the best GD++, as a share of it, seed 0")
            .within(0.5, "1 would be plain gradient descent, which begins there; it is still on its way"),
        Check::learnt("with a softmax two heads come close", |_| trained(Learner::Heads, |it| it.above_step()))
            .says("the loss of two heads with a softmax after 600 steps over what one step leaves, 512 tasks, seed 0")
            .within(1.06, "the difference of two softmaxes is linear for small scores only"),
        Check::learnt("and one does not", |_| {
            trained(Learner::Softmax, |it| (it.above_step() - 1.0).max_with(it.g.constant(1e-6)).recip() * 0.2)
        })
        .says("0.2 over how much more one head with a softmax leaves than one step, as a share, 512 tasks, seed 0")
        .within(1.0, "1 is a fifth more"),
        Check::learnt("the first layer copies", |_| trained(Learner::Tokens, |it| it.not_copied()))
            .says("inputs and answers as tokens of their own: even attention over that of inputs to their answers, first layer, seed 20")
            .within(0.25, "four times as much as even attention would give; the rest goes to several"),
    ]
}

/// What learnt, after all steps.
struct Trained<'a, 'g> {
    g: &'g Graph,
    learner: Learner,
    p: &'a Params<'a, 'g>,
    floors: Floors,
}

/// Keeps what is measured of a learner after all its steps.
fn trained(learner: Learner, measure: impl for<'a, 'g> Fn(&Trained<'a, 'g>) -> Var<'g>) -> Option<Graph> {
    error(|g| {
        // From seed 0 both layers of the tokens are slow.
        let seed = if learner == Learner::Tokens { 20 } else { 0 };
        let mut trainer = Trainer::new(learner.recipe(30), seed);
        let steps = trainer.course().steps;
        let parameters = trainer.record(g, steps);
        let p = &Params::recorded(g, &parameters);
        Some(measure(&Trained { g, learner, p, floors: Floors::of(&learner.tasks()) }))
    })
}

impl<'g> Trained<'_, 'g> {
    /// Loss, cosine, distance of predictions and of models.
    fn against_its_goal(&self) -> [Var<'g>; 4] {
        let it = self.learner.distance(self.p, self.floors.plus_plus);
        [it.loss, it.cosine, it.predictions, it.models]
    }

    /// The loss of the worst mixture with the built layer over that of the latter.
    fn worst_mixture(&self) -> Var<'g> {
        let (learnt, built) = (layer(self.p), self.learner.built(self.g, self.floors.plus_plus));
        let losses = mixed(prompts(self.g, &self.learner.tasks()), [&learnt, &built], 1);
        let last = losses[losses.len() - 1];
        losses.into_iter().fold(last, Var::max_with) / last
    }

    /// How many times as wrong as the step it is on inputs of five times the range and of other distributions, or the step as
    /// it.
    fn far(&self) -> Var<'g> {
        let tasks = self.learner.tasks();
        let wide = prompts(self.g, &tasks).map(|it| it * 5.0);
        let who: [Predicts<'_, 'g>; 2] = [&|it| self.learner.says(self.p, it), &|it| descended(it, None, 1)];
        let apart = |it| {
            let [own, step] = who.map(|says| left(it, says));
            (own / step).max_with(step / own)
        };
        elsewhere(self.g, &tasks).into_iter().map(apart).fold(apart(wide), Var::max_with)
    }

    fn beats_descent(&self) -> Var<'g> {
        self.against_its_goal()[0] / self.floors.descent[TWICE - 1]
    }

    /// The distance in direction from GD++ over that from as many steps of gradient descent.
    fn nearer(&self) -> Var<'g> {
        let says = |it| self.learner.says(self.p, it);
        let eta = self.floors.rate_of_two;
        let plain = distance(self.g, &self.learner.tasks(), says, |it| descended(it, Some(eta), TWICE));
        (self.against_its_goal()[1] * -1.0 + 1.0) / (plain.cosine * -1.0 + 1.0)
    }

    fn bends(&self) -> Var<'g> {
        let gamma = step(&layer(self.p)).slice(0, 1, 1);
        (gamma / self.floors.plus_plus.gamma as f32 - 1.0).abs()
    }

    fn above_step(&self) -> Var<'g> {
        self.against_its_goal()[0] / self.floors.descent[0]
    }

    /// Even attention over that of inputs to the token behind them.
    fn not_copied(&self) -> Var<'g> {
        let [x, y, query, _] = prompts(self.g, &self.learner.tasks());
        let pattern = read(self.p, x, y, query).pattern.mean(0).reshape(&[TOKENS, TOKENS]);
        let pairs = TOKENS / 2;
        let own = (0..pairs).map(|i| pattern.slice(0, 2 * i, 1).slice(1, 2 * i + 1, 1).flat());
        Var::concat(&own.collect::<Vec<_>>(), 0).mean(0).recip() / TOKENS as f32
    }
}
