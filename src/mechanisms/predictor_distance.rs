//! How far two predictors that learn in context are apart (Akyurek et al. 2022, arXiv 2211.15661, section 4.1): by their answers
//! to the same queries, and by the weights that explain these answers best.

use super::CallError;
use super::signature::{Mechanism, Parameter, Port};
use super::solve::solve;
use crate::graph::Var;

/// The distance of answers.
pub const SPD: Mechanism = Mechanism {
    id: "spd",
    formula: "E (A(D)(x) - B(D)(x))^2",
    inputs: &[A, B],
    parameters: NONE,
    outputs: &[DISTANCE, Port::new("each", "task").about("the same, task by task")],
    lengths: &[],
    source: "Akyurek et al. 2022, arXiv 2211.15661, section 4.1, squared prediction difference",
    record: |it| {
        let off = it.tensor("a") - it.tensor("b");
        let each = (off * off).mean(-1).reshape(&[off.dim(0)]).keep("each");
        each.mean(0).reshape(&[]).keep("distance");
        Ok(())
    },
};

/// The distance of weights.
pub const ILWD: Mechanism = Mechanism {
    id: "ilwd",
    formula: "E ||w_A - w_B||^2, w_A = argmin_w sum_x (A(D)(x) - w x)^2",
    inputs: &[Port::new("x", "task query d").about("what is asked"), A, B],
    parameters: NONE,
    outputs: &[
        DISTANCE,
        Port::new("w_a", "task d"),
        Port::new("w_b", "task d"),
        Port::new("left_a", "task")
            .about("the mean square of what w_a does not explain of a: 0 if a is linear"),
        Port::new("left_b", "task"),
    ],
    lengths: &[],
    source: "Akyurek et al. 2022, arXiv 2211.15661, section 4.1, implicit linear weight difference",
    record: |it| {
        let x = it.tensor("x");
        let [tasks, queries, d] = [x.dim(0), x.dim(1), x.dim(2)];
        if queries < 2 * d {
            let why = "weights are found from twice as many queries as coordinates, or more";
            return Err(CallError::Misfit(format!("x has {queries} queries of {d} coordinates; {why}")));
        }
        let [a, b] = ["a", "b"].map(|name| {
            let said = it.tensor(name).reshape(&[tasks, 1, queries]);
            let w = implied_weights(x, said); // [task, 1, d]
            let left = said - w.matmul(x.t());
            (left * left).mean(-1).reshape(&[tasks]).keep(&format!("left_{name}"));
            w.reshape(&[tasks, d]).keep(&format!("w_{name}"))
        });
        let off = a - b;
        (off * off).sum(-1).flat().mean(0).reshape(&[]).keep("distance");
        Ok(())
    },
};

const A: Port = Port::new("a", "task query").about("what one predictor answers");
const B: Port = Port::new("b", "task query").about("what the other one answers to the same");
const DISTANCE: Port = Port::new("distance", "").about("the mean over all tasks");
const NONE: &[Parameter] = &[];

/// The weights that explain answers `[.., task, after, query]` to queries `[task, query, d]` best: `[.., task, after, d]`. Queries
/// span all coordinates.
pub fn implied_weights<'g>(queries: Var<'g>, said: Var<'g>) -> Var<'g> {
    let fit = solve(queries.t().matmul(queries), queries.t()); // [task, d, query]
    said.matmul(fit.t())
}
