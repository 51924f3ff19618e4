//! The claims of Manhattan decay as measurements.

use super::{HEADS, RmtDecay};
use crate::data::Image;
use crate::exhibits::{Check, largest, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::Places;
use crate::mechanisms::rmt::{Form, Manhattan, gammas};
use crate::models::Zoo;
use crate::tensor::Tensor;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    [weights(), fields()].into_iter().flatten().collect()
}

/// What comes of queries and keys.
fn weights() -> Vec<Check> {
    vec![
        Check::shown("the code's rows sum to 1", "rows.error", usual::<RmtDecay>)
            .says("how far the weights of any patch in the code's form are from a sum of 1: largest difference")
            .within(1e-5, "f32 sums of 196 weights below 1"),
        Check::of("code = paper, renormalised", renormalised)
            .says("weights of the code's form, and those of the paper's with every row divided by its sum: largest difference")
            .within(1e-5, "f32 exponentials of sums up to 14 below the largest"),
        Check::of("alike: full = decomposed", alike)
            .says("weights all at once, and by rows and then columns, where the content is 0: largest difference")
            .within(1e-6, "f32 products of weights below 1"),
        Check::of("otherwise they differ", differ)
            .says("a thousandth over the largest difference of both where the content is 4 (first collage)")
            .within(1.0, "1 would be a difference of a thousandth"),
        Check::of("one row or column: full = decomposed", single)
            .says("outputs all at once and decomposed, of patches in a single row, and in a single column: largest difference")
            .within(0.0, "bit for bit: a line of one place looks at itself"),
        Check::of("the paper's rows sum to less", less)
            .says("the largest sum of a row of the paper's form")
            .within(1.0, "weights of a softmax times factors up to 1"),
        Check::of("γ → 1 is plain attention", gentle)
            .says("weights of the code's form with γ = 1 − 1e-6, and of softmax alone: largest difference")
            .within(3e-5, "26 steps take 2.6e-5 off a logit"),
        Check::of("rows, then columns = nested weights", nested)
            .says("outputs of the decomposed form, and the weights that it comes to times the values: largest difference")
            .within(1e-5, "f32 sums of 196 products below 1 in another order"),
        Check::devices(usual::<RmtDecay>)
            .says("fields, weights and their differences on the GPU and on the CPU: largest difference")
            .within(1e-4, "f32 exponentials below 1"),
    ]
}

/// What the decay is.
fn fields() -> Vec<Check> {
    vec![
        Check::of("D = D_H ⊗ D_W", product)
            .says("the decay of a grid of 5 by 7, and the product of that along columns and that along rows: largest difference")
            .within(1e-6, "f32 exponentials of a sum, and their product"),
        Check::of("the authors' γ", published)
            .says("of 4, 8 and 16 heads with ranges 4, 6 and 6, against 0.75, 0.875, .. 0.99493: largest difference")
            .within(1e-5, "printed with five digits"),
        Check::of("D is the same mirrored and turned", symmetric)
            .says("against D with query and key exchanged, of the grid upside down, and turned by 90 degrees: largest difference")
            .within(0.0, "bit for bit: it depends on the sum of steps"),
    ]
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

fn single(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let x = |phase: f32| {
        g.input(&Tensor::from_fn(&[HEADS, 8, 4], |at| {
            (at[0] as f32 + 1.7 * (at[1] * 4 + at[2]) as f32 + phase).sin()
        }))
    };
    let [q, k, v] = [0.0, 1.0, 2.0].map(x);
    worst([Places::grid(1, 8), Places::grid(8, 1)].map(|places| {
        let manhattan = Manhattan { places, ..RmtDecay::default().manhattan(&g, Form::Code) };
        manhattan.full(q, k, v).z - manhattan.decomposed(q, k, v)
    }))?
    .reshape(&[])
    .keep("error");
    Some(g)
}

/// Rows `from` of every `[head, row, col]`, as `[row, head, col]`.
fn rearranged<'g>(x: Var<'g>, from: Var<'g>) -> Var<'g> {
    let [heads, rows, cols] = x.shape()[..] else { panic!("a field is [head, query, key]") };
    x.permute(&[1, 0, 2]).reshape(&[rows, heads * cols]).gather(from).reshape(&[rows, heads, cols])
}

/// `gamma` of 4, 8 and 16 heads, as far as they are printed.
fn published(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let lists: [(usize, f64, &[f32]); 3] = [
        (4, 4.0, &[0.75, 0.875, 0.9375, 0.968_75]),
        (8, 6.0, &[0.75, 0.851_35, 0.911_61, 0.947_44, 0.968_75, 0.981_42, 0.988_95, 0.993_43]),
        (16, 6.0, &[0.75]),
    ];
    let differences = lists.map(|(heads, range, wanted)| {
        let found: Vec<f32> =
            gammas(heads, 2.0, range).into_iter().take(wanted.len()).map(|it| it as f32).collect();
        [found, wanted.to_vec()].map(|it| g.input(&Tensor::new(&[it.len()], it)))
    });
    let last = g.input(&Tensor::new(&[1], vec![gammas(16, 2.0, 6.0)[15] as f32 - 0.994_93]));
    worst(differences.into_iter().map(|[found, wanted]| found - wanted).chain([last]))?
        .reshape(&[])
        .keep("error");
    Some(g)
}

fn less(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay::default();
    error(&state, |[q, k]| largest(state.manhattan(q.graph(), Form::Paper).full(q, k, k).pattern.sum(-1)))
}

fn symmetric(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let side = 6;
    let n = side * side;
    let d = Manhattan { places: Places::grid(side, side), ..RmtDecay::default().manhattan(&g, Form::Paper) }
        .mask();
    let moved = |to: fn(usize, usize, usize) -> [usize; 2]| {
        let from = g.input(&Tensor::from_fn(&[n], |at| {
            let [row, col] = to(at[0] / side, at[0] % side, side - 1);
            (row * side + col) as f32
        }));
        // Queries, then keys.
        rearranged(rearranged(d, from).permute(&[1, 2, 0]), from).permute(&[1, 2, 0])
    };
    let mirrored = moved(|row, col, last| [last - row, col]);
    let turned = moved(|row, col, last| [col, last - row]);
    worst([d - d.t(), d - mirrored, d - turned])?.reshape(&[]).keep("error");
    Some(g)
}

fn gentle(_zoo: &Zoo) -> Option<Graph> {
    let state = RmtDecay::default();
    error(&state, |[q, k]| {
        let gamma = q.graph().input(&Tensor::new(&[HEADS], [1.0 - 1e-6; HEADS]));
        let code = Manhattan { gamma, ..state.manhattan(q.graph(), Form::Code) };
        let plain = Attention::softmax(1.0).record(q, k, k, untapped).pattern;
        largest(code.full(q, k, k).pattern - plain)
    })
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
