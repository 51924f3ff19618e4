//! Long steps in pieces, between which a page can draw: a product of 512 tokens would hold a frame for 60 ms.

use crate::engine::Operand;
use crate::engine::plan::{Kernel, Step};

/// Work of a piece in a page, in floating-point operations: no more than 10 ms of a softmax.
pub(super) const PIECE: usize = 16 << 20;

/// A product does so much more in the time. 2 to 4 ms of one are at least 50 rows: each piece makes f32 of weights of fewer bits again,
/// which takes as long as a row or two.
const FASTER: usize = 4;

/// Rows of a tile of a product: what is left over below the last costs as much as a whole one.
const TILE: usize = 4;

/// Every step of more work than `most` as several that write one part each of what it writes.
pub(super) fn cut(steps: Vec<Step>, most: usize) -> Vec<Step> {
    steps.into_iter().flat_map(|step| pieces(step, most)).collect()
}

/// One matrix of a batch can be too much for a piece: it is cut again.
fn pieces(step: Step, most: usize) -> Vec<Step> {
    let product = matches!(step.kernel, Kernel::Matmul { .. });
    let count = step.flops().div_ceil(if product { FASTER * most } else { most });
    match if count < 2 { None } else { parts(&step, count) } {
        Some(parts) if parts.len() > 1 => cut(parts, most),
        _ => vec![step],
    }
}

/// A step as some `count` steps along the first axis of its output that has more than one place; `None` where rows depend on each
/// other or on where they lie.
fn parts(step: &Step, count: usize) -> Option<Vec<Step>> {
    let output = match step.kernel {
        // The axes of its inputs: how the product is seen later is another matter.
        Kernel::Matmul { .. } | Kernel::Pattern { .. } | Kernel::Attention { .. } => {
            let columns = step.columns();
            step.output.reshape(&[&step.inputs[0].shape[..3], &[columns]].concat())?
        }
        _ => step.output.clone(),
    };
    let (shape, last) = (&output.shape, output.shape.len().checked_sub(1)?);
    let axis = shape[..last].iter().position(|it| *it > 1)?;
    // Inputs from here on belong to a whole row each, such as a bias.
    let along = match &step.kernel {
        Kernel::Pointwise { .. } => vec![true; step.inputs.len()],
        // Rows and columns are found by where they begin; images are apart.
        Kernel::Conv { .. } => vec![axis + 3 < shape.len(), false, false],
        Kernel::Matmul { .. } => vec![true, axis < 2, false],
        Kernel::Pattern { .. } => vec![true, axis < 2, true],
        Kernel::Attention { .. } => vec![true, axis < 2, axis < 2, true],
        Kernel::Softmax => vec![true],
        Kernel::SoftmaxGrad => vec![true, true],
        Kernel::LayerNorm { .. } if shape.len() == step.inputs[0].shape.len() => {
            vec![true, false, false, true]
        }
        _ => return None,
    };
    let each = shape[axis].div_ceil(count);
    let rows = matches!(step.kernel, Kernel::Matmul { .. }) && axis == 2;
    let each = if rows { each.next_multiple_of(TILE) } else { each };
    let part = |first: usize| {
        let narrow = |it: &Operand| it.slice(axis, first, each.min(shape[axis] - first), 1);
        let inputs = step.inputs.iter().zip(&along).map(|(it, along)| {
            // What is the same for all of the axis has one place there.
            if *along && it.shape[axis] > 1 { narrow(it) } else { it.clone() }
        });
        let mut kernel = step.kernel.clone();
        match &mut kernel {
            Kernel::Pointwise { bounds, .. } => bounds.iter_mut().for_each(|it| it.place = narrow(&it.place)),
            Kernel::Conv { taps, .. } if axis + 3 >= shape.len() => {
                taps.before[axis + 3 - shape.len()] -= (first * taps.stride) as isize;
            }
            _ => {}
        }
        Step { kernel, inputs: inputs.collect(), output: narrow(&output) }
    };
    Some((0..shape[axis]).step_by(each).map(part).collect())
}
