//! What its layers hold: linear probes, fitted on some tasks and tried on others.

use super::distance::prompt;
use super::references::References;
use crate::graph::{Graph, Var};
use crate::mechanisms::solve::{identity, solve};
use crate::models::Regressor;
use crate::train::regression::{D, MOST};

/// Tasks on which probes are fitted, and on which they are tried.
pub(super) const FITTED: usize = 320;
pub(super) const TRIED: usize = 96;

/// What is read out: the mean of `y x`, and the weights of Bayes.
pub(super) const TARGETS: [&str; 2] = ["Xᵀy", "w"];

/// Where is read, by the number of the token: at the answer of the last example, and at the input that is asked behind it.
const PLACES: [usize; 2] = [2 * MOST - 1, 2 * MOST];

/// Stages of the largest model: before its first layer and after each.
pub(super) const STAGES: usize = 5;

/// How much large weights of a probe cost.
const LAMBDA: f32 = 1.0;

/// Keeps `probes` `[model, place, stage, target]`: the share of the variance that a linear probe reads out of what a model holds
/// before its first layer and after each, when it has seen all examples but the last. A model of fewer layers has zeros behind
/// its last.
pub(super) fn record<'m>(g: &Graph, known: &References, models: impl Iterator<Item = &'m Regressor>) {
    let (noise, count) = (known.question.noise, FITTED + TRIED);
    let targets = g.input(&known.targets()); // [task, target * d]
    let mut all = vec![];
    for (i, model) in models.enumerate() {
        g.scope(&format!("probed.{i}"), || {
            model.record(&prompt(g, &known.probed, |_| noise), None);
            let after = (0..model.config.layers).map(|l| format!("blocks.{l}.resid_post"));
            let names = std::iter::once("embed".to_owned()).chain(after);
            let held: Vec<Var<'_>> = names.filter_map(|name| g.at(&name)).collect(); // each [task, token, d_model]
            for place in PLACES {
                let here = held.iter().map(|x| x.slice(1, place, 1).reshape(&[1, count, x.dim(-1)]));
                let read = read_out(Var::concat(&here.collect::<Vec<_>>(), 0), targets);
                all.push(read.pad(0, 0, STAGES - read.dim(0), 0.0));
            }
        });
    }
    let shape = [all.len() / PLACES.len(), PLACES.len(), STAGES, TARGETS.len()];
    Var::concat(&all, 0).reshape(&shape).keep("probes");
}

/// How much of the variance of targets `[task, target * d]` ridge regression explains from what is held,
/// `[stage, task, d_model]`, on tasks that it was not fitted on: `[stage, target]`.
fn read_out<'g>(held: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let (stages, d) = (held.dim(0), held.dim(-1) + 1);
    let held = held.pad(-1, 0, 1, 1.0);
    let part = |x: Var<'g>, axis, start, len| x.slice(axis, start, len);
    let (fit, tried) = (part(held, 1, 0, FITTED), part(held, 1, FITTED, TRIED));
    let (wanted, truth) = (part(targets, 0, 0, FITTED), part(targets, 0, FITTED, TRIED));
    let system = fit.t().matmul(fit) + identity(held.graph(), d) * LAMBDA; // [stage, d, d]
    let probe = solve(system, fit.t().matmul(wanted)); // [stage, d, target * d]
    let off = tried.matmul(probe) - truth;
    let spread = truth - wanted.mean(0);
    let sum = |x: Var<'g>| {
        let n = if x.shape().len() == 3 { stages } else { 1 };
        (x * x).sum(-2).reshape(&[n, TARGETS.len(), D]).sum(-1).reshape(&[n, TARGETS.len()])
    };
    sum(off) / sum(spread) * -1.0 + 1.0
}
