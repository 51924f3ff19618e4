//! The claims of Manhattan decay as measurements.

use super::{HEADS, RmtDecay};
use crate::data::Image;
use crate::exhibits::{Check, Exhibit, Inputs, Measure, largest, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::field::Places;
use crate::mechanisms::rmt::{Form, Manhattan};
use crate::models::Zoo;
use crate::tensor::Tensor;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let shown = "how far the weights of any patch in the code's form are from a sum of 1: largest difference";
    let devices = "fields, weights and their differences on the GPU and on the CPU: largest difference";
    vec![
        Check {
            measure: Measure::Shown("rows.error", usual),
            ..check("the code's rows sum to 1", shown, (1e-5, "f32 sums of 196 weights below 1"), usual)
        },
        check(
            "D = D_H ⊗ D_W",
            "the decay of a grid of 5 by 7, and the product of that along columns and that along rows: largest difference",
            (1e-6, "f32 exponentials of a sum, and their product"),
            product,
        ),
        check(
            "code = paper, renormalised",
            "weights of the code's form, and those of the paper's with every row divided by its sum: largest difference",
            (1e-5, "f32 exponentials of sums up to 14 below the largest"),
            renormalised,
        ),
        check(
            "alike: full = decomposed",
            "weights all at once, and by rows and then columns, where the content is 0: largest difference",
            (1e-6, "f32 products of weights below 1"),
            alike,
        ),
        check(
            "otherwise they differ",
            "a thousandth over the largest difference of both where the content is 4 (first collage)",
            (1.0, "1 would be a difference of a thousandth"),
            differ,
        ),
        check(
            "rows, then columns = nested weights",
            "outputs of the decomposed form, and the weights that it comes to times the values: largest difference",
            (1e-5, "f32 sums of 196 products below 1 in another order"),
            nested,
        ),
        Check {
            measure: Measure::Devices(usual),
            ..check("GPU equals CPU", devices, (1e-4, "f32 exponentials below 1"), usual)
        },
    ]
}

fn check(
    name: &'static str,
    claim: &'static str,
    (tolerance, because): (f32, &'static str),
    measure: fn(&Zoo) -> Option<Graph>,
) -> Check {
    Check { name, claim, tolerance, because, model: "", measure: Measure::Scalar(measure) }
}

fn usual(zoo: &Zoo) -> Option<Graph> {
    RmtDecay::default().record(&Inputs::default(), zoo)
}

/// Records the largest entry of what comes of queries and keys.
fn error(state: &RmtDecay, f: impl for<'g> Fn([Var<'g>; 2]) -> Var<'g>) -> Option<Graph> {
    let g = Graph::default();
    let inputs = state.inputs(&g, &Image::default().pixels(super::PIXELS, 1)?);
    f(inputs).reshape(&[]).keep("error");
    Some(g)
}

fn product(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let of = |places| Manhattan { places, ..RmtDecay::default().manhattan(&g, Form::Paper) }.mask();
    let (rows, columns) = (5, 7);
    let along = of(Places::line(rows)).reshape(&[HEADS, rows, 1, rows, 1]);
    let product = along * of(Places::line(columns)).reshape(&[HEADS, 1, columns, 1, columns]);
    let n = rows * columns;
    let difference = of(Places::grid(rows, columns)) - product.reshape(&[HEADS, n, n]);
    worst([difference])?.reshape(&[]).keep("error");
    Some(g)
}

fn renormalised(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay::default();
    error(&state, |[q, k]| {
        let [code, paper] =
            [Form::Code, Form::Paper].map(|form| state.manhattan(q.graph(), form).full(q, k, k).pattern);
        largest(code - paper / paper.sum(-1))
    })
}

/// The largest difference of both ways.
fn apart<'g>(state: &RmtDecay, [q, k]: [Var<'g>; 2]) -> Var<'g> {
    let full = state.manhattan(q.graph(), Form::Code).full(q, k, k).pattern;
    largest(full - state.nested([q, k], Form::Code))
}

fn alike(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay { content: 0.0, ..RmtDecay::default() };
    error(&state, |inputs| apart(&state, inputs))
}

fn differ(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay::default();
    error(&state, |inputs| apart(&state, inputs).recip() * 1e-3)
}

fn nested(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay::default();
    error(&state, |[q, k]| {
        let g = q.graph();
        let n = state.places().count();
        let v = g.input(&Tensor::from_fn(&[HEADS, n, 3], |at| (at[1] as f32 + at[2] as f32 * 2.0).sin()));
        let z = state.manhattan(g, Form::Code).decomposed(q, k, v);
        largest(z - state.nested([q, k], Form::Code).matmul(v))
    })
}
