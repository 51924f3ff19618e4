//! Ridge regression (Hoerl & Kennard 1970): the predictor that Akyurek et al. 2022 (arXiv 2211.15661, section 2) hold
//! transformers against. With noise of variance `s^2` and weights of variance `t^2` the Bayes predictor is that of
//! `lambda = s^2 / t^2`.

use super::signature::{Mechanism, Parameter, Port, Unset, Within};
use super::solve::{identity, solve};
use crate::graph::Var;

/// The weights of every task, and what they predict.
pub const MECHANISM: Mechanism = Mechanism {
    id: "ridge",
    formula: "w = (X^T X + lambda I)^-1 X^T y",
    inputs: &[Port::new("x", "task pos d"), Port::new("y", "task pos"), Port::new("query", "task d")],
    parameters: &[Parameter::number(
        "lambda",
        Unset::Is("1"),
        Within::NOT_NEGATIVE,
        "how much large weights cost; 0 is least squares, the shortest w where examples are fewer than unknowns",
    )],
    outputs: &[Port::new("prediction", "task"), Port::new("w", "task d")],
    lengths: &[],
    source: "Akyurek et al. 2022, arXiv 2211.15661, section 2",
    record: |it| {
        let [x, y, query] = ["x", "y", "query"].map(|name| it.tensor(name));
        let [tasks, n, d] = [x.dim(0), x.dim(1), x.dim(2)];
        let w = ridge(x, y.reshape(&[tasks, n, 1]), it.number("lambda").unwrap_or_default());
        query.reshape(&[tasks, 1, d]).matmul(w).reshape(&[tasks]).keep("prediction");
        w.reshape(&[tasks, d]).keep("w");
        Ok(())
    },
};

/// The weights `[.., d, 1]` from `x` `[.., pos, d]` and `y` `[.., pos, 1]`. The smaller of `X^T X` and `X X^T` is inverted:
/// `(X^T X + lambda I)^-1 X^T = X^T (X X^T + lambda I)^-1`. Both square what `x` is conditioned by.
pub fn ridge<'g>(x: Var<'g>, y: Var<'g>, lambda: f32) -> Var<'g> {
    let [n, d] = [x.dim(-2), x.dim(-1)];
    let ridge = |size| identity(x.graph(), size) * lambda;
    if n < d {
        x.t().matmul(solve(x.matmul(x.t()) + ridge(n), y))
    } else {
        solve(x.t().matmul(x) + ridge(d), x.t().matmul(y))
    }
}
