//! The claims of retention as measurements.

use super::{HEADS, RetnetDecay, directions, states, trained};
use crate::exhibits::{Check, Exhibit, Inputs, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::{Places, causal};
use crate::mechanisms::retention::{Form, Retention, gammas, rms_norm, rotate};
use crate::models::Zoo;
use crate::tensor::Tensor;

/// Tokens of the text that claims are measured on: no chunk of 8 divides it.
const POS: usize = 61;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    [forms(), decays(), trained::checks()].into_iter().flatten().collect()
}

fn opened(zoo: &Zoo) -> Option<Graph> {
    RetnetDecay::default().record(&Inputs::default(), zoo)
}

/// That all forms compute the same, and what that is.
fn forms() -> Vec<Check> {
    let sums = "f32 sums of up to 96 products of unit vectors, in another order";
    vec![
        Check::shown("token by token = all at once", "apart.recurrent", opened).says("what comes out of the recurrent and of the parallel form: largest difference (of a trained model, over the largest value)").within(1e-5, sums),
        Check::shown("in chunks = all at once", "apart.chunkwise", opened).says("what comes out of the chunkwise and of the parallel form: largest difference (of a trained model, over the largest value)").within(1e-5, sums),
        Check::of("γ = 1 is linear attention", linear).says("retention that forgets nothing against causal attention without softmax: largest difference").within(1e-5, sums),
        Check::of("nothing looks ahead", ahead).says("outputs before the last token, with another last token, in all three forms: largest difference").within(0.0, "bit for bit: no later number enters"),
        Check::of("states = recurrence", carried).says("the state after the last token as one sum, and as it comes out of the recurrent form: largest difference").within(1e-5, sums),
        Check::devices(opened).says("D, scores, their product and the state of the sentence that one sees first, on the GPU and on the CPU: largest \
             difference").within(1e-5, "f32 sums of 60 products of unit vectors, and powers by exp and log"),
    ]
}

/// What D is, and what does not change what comes out.
fn decays() -> Vec<Check> {
    vec![
        Check::of("rows of D sum as a geometric series", rows).says("against (1 − γ^(n+1)) / (1 − γ), of the paper's γ: largest difference").within(1e-3, "f32: 1 − γ of 2^−8 keeps five digits, of sums up to 61"),
        Check::of("a step back is γ", steps).says("D_nn less 1, and D_nm less γ D_n,m+1, of the paper's γ: largest difference").within(1e-6, "f32 exponentials of sums of logarithms, and their products"),
        Check::of("the paper's γ", published).says("of four heads, against 0.96875, 0.984375, 0.9921875, 0.99609375: largest difference").within(0.0, "bit for bit: powers of two"),
        Check::of("turned: only the distance counts", turned).says("outputs with queries and keys turned by their position, counted from 0 and from 1000: largest difference").within(1e-4, "angles of 1000 rounded to f32, in sums of up to 61 products"),
        Check::of("a norm forgets how D is scaled", normed).says("every output after a norm of its head, with every row of D times another number: largest difference").within(1e-5, "f32: a sum of 8 squares and its root"),
    ]
}

/// The letters of the claims' text; the last one may be another.
fn letters(last: char) -> Vec<char> {
    let text = "the cat sat on the mat and the dog lay on the log in the fog.";
    text.chars().take(POS - 1).chain([last]).collect()
}

fn paper(g: &Graph, form: Form) -> Retention<'_> {
    let gamma = gammas(HEADS).iter().map(|it| *it as f32).collect::<Vec<_>>();
    Retention { gamma: g.input(&Tensor::new(&[HEADS], gamma)), form }
}

fn linear(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let (x, v) = (directions(&g, &letters('.'), 0, 0), directions(&g, &letters('.'), 0, 1));
    let gamma = g.input(&Tensor::new(&[HEADS], vec![1.0; HEADS]));
    let retained = Retention { gamma, form: Form::Chunkwise(8) }.record(x, x, v, None).z;
    let mask = Places::line(POS).mask(&g, causal);
    let attention = Attention { multiply: Some(mask), ..Attention::linear(1.0) };
    worst([retained - attention.record(x, x, v, untapped).z])?.keep("error");
    Some(g)
}

fn ahead(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let out = |last: char, form: Form| -> Var<'_> {
        let (x, v) = (directions(&g, &letters(last), 0, 0), directions(&g, &letters(last), 0, 1));
        paper(&g, form).record(x, x, v, None).z.slice(-2, 0, POS - 1)
    };
    let forms = [Form::Parallel, Form::Recurrent, Form::Chunkwise(8)];
    worst(forms.map(|form| out('.', form) - out('!', form)))?.keep("error");
    Some(g)
}

fn turned(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let (x, v) = (directions(&g, &letters('.'), 0, 0), directions(&g, &letters('.'), 0, 1));
    let from = |first| {
        let x = rotate(x, first);
        paper(&g, Form::Parallel).record(x, x, v, None).z
    };
    worst([from(0) - from(1000)])?.keep("error");
    Some(g)
}

fn normed(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let (x, v) = (directions(&g, &letters('.'), 0, 0), directions(&g, &letters('.'), 0, 1));
    let decay = paper(&g, Form::Parallel).decay(POS);
    let scales = g.input(&Tensor::from_fn(&[POS, 1], |at| 0.1 + (at[0] % 7) as f32));
    let [plain, scaled] = [decay, decay * scales].map(|decay| {
        let attention = Attention { multiply: Some(decay), ..Attention::linear(1.0) };
        rms_norm(attention.record(x, x, v, untapped).z, 0.0)
    });
    worst([plain - scaled])?.keep("error");
    Some(g)
}

fn carried(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let (x, v) = (directions(&g, &letters('.'), 0, 0), directions(&g, &letters('.'), 0, 1));
    let sums = states(paper(&g, Form::Parallel).decay(POS), x, v).slice(1, POS - 1, 1);
    let state = paper(&g, Form::Recurrent).record(x, x, v, None).state;
    worst([sums.reshape(&state.shape()) - state])?.keep("error");
    Some(g)
}

fn steps(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let retention = paper(&g, Form::Parallel);
    let (decay, places) = (retention.decay(POS), Places::line(POS));
    let own = (decay - 1.0) * places.mask(&g, |i, j| i == j);
    // Where the key after the one that is looked at is not ahead.
    let seen = places.mask(&g, |i, j| j < i).slice(-1, 0, POS - 1);
    let gamma = retention.gamma.reshape(&[HEADS, 1, 1]);
    let step = decay.slice(-1, 0, POS - 1) - decay.slice(-1, 1, POS - 1) * gamma;
    worst([own, step * seen])?.keep("error");
    Some(g)
}

fn published(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let wanted = Tensor::new(&[HEADS], vec![0.968_75, 0.984_375, 0.992_187_5, 0.996_093_75]);
    worst([paper(&g, Form::Parallel).gamma - g.input(&wanted)])?.keep("error");
    Some(g)
}

fn rows(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let sums = paper(&g, Form::Parallel).decay(POS).sum(-1).reshape(&[HEADS, POS]);
    let gammas = gammas(HEADS);
    let series = Tensor::from_fn(&[HEADS, POS], |at| {
        let gamma = gammas[at[0]];
        ((1.0 - gamma.powi(at[1] as i32 + 1)) / (1.0 - gamma)) as f32
    });
    worst([sums - g.input(&series)])?.keep("error");
    Some(g)
}
