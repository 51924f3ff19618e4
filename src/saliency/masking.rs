//! Putting a map to the test: what happens to the evidence when the places that it calls important are taken away, or are all
//! there is (Petsiuk, Das & Saenko 2018, arXiv 1806.07421, section 4.1). What is taken away becomes black.

use crate::graph::Var;
use crate::models::Vision;
use crate::nn::Params;
use crate::tensor::Tensor;

/// Steps from the whole picture to none of it.
pub const STEPS: usize = 12;

/// The logit of the class in `one_hot` when the most important `k / STEPS` of the places are black, for `k` from 0 to
/// [`STEPS`]: `[STEPS + 1]`. `map` is `[row, col]`, and divides the image's rows and columns.
pub fn deletion<'g>(
    model: &dyn Vision,
    p: &Params<'_, 'g>,
    image: Var<'g>,
    map: Var<'g>,
    one_hot: Var<'g>,
) -> Var<'g> {
    let kept = places(map, false);
    masked(model, p, image, kept, one_hot)
}

/// The same when only they are shown.
pub fn insertion<'g>(
    model: &dyn Vision,
    p: &Params<'_, 'g>,
    image: Var<'g>,
    map: Var<'g>,
    one_hot: Var<'g>,
) -> Var<'g> {
    let kept = places(map, true);
    masked(model, p, image, kept, one_hot)
}

/// How many places are more important than each, `[place]`: whole numbers, all different; of equal ones the first goes first.
pub fn order(map: Var<'_>) -> Var<'_> {
    let n: usize = map.shape().iter().product();
    let row = map.reshape(&[n, 1]).broadcast(&[n, n]);
    let column = map.reshape(&[1, n]).broadcast(&[n, n]);
    let before = map.graph().input(&Tensor::from_fn(&[n, n], |at| f32::from(u8::from(at[1] < at[0]))));
    let (more, less) = (row.less(column), column.less(row));
    let equal = (more + less) * -1.0 + 1.0;
    (more + equal * before).sum(-1).reshape(&[n])
}

/// Which places are shown at every step, `[step, row, col]` of 0 and 1: the most important ones, or all others.
fn places(map: Var<'_>, important: bool) -> Var<'_> {
    let [h, w] = map.shape()[..] else { panic!("a map is [row, col], not {:?}", map.shape()) };
    let counts = Tensor::from_fn(&[STEPS + 1, 1], |at| (at[0] * h * w) as f32 / STEPS as f32);
    let all = [STEPS + 1, h * w];
    let order = order(map).reshape(&[1, h * w]).broadcast(&all);
    let chosen = (order + 0.5).less(map.graph().input(&counts).broadcast(&all));
    let shown = if important { chosen } else { chosen * -1.0 + 1.0 };
    shown.reshape(&[STEPS + 1, h, w])
}

fn masked<'g>(
    model: &dyn Vision,
    p: &Params<'_, 'g>,
    image: Var<'g>,
    shown: Var<'g>,
    one_hot: Var<'g>,
) -> Var<'g> {
    let [rows, cols, channels] = image.shape()[..] else { panic!("one image is masked") };
    let [n, h, w] = shown.shape()[..] else { unreachable!("places are [step, row, col]") };
    assert!(rows.is_multiple_of(h) && cols.is_multiple_of(w), "{h} x {w} places of {rows} x {cols} pixels");
    let (a, b) = (rows / h, cols / w);
    let shown = shown.reshape(&[n, h, 1, w, 1]).broadcast(&[n, h, a, w, b]).reshape(&[n, rows, cols, 1]);
    let black = model.preprocessing().tensor(&vec![0; rows * cols * channels], rows);
    let black = image.graph().input(&black);
    let logits = image.graph().scope("masked", || model.record(shown * (image - black) + black, p));
    (logits * one_hot.broadcast(&logits.shape())).sum(-1).reshape(&[n])
}
