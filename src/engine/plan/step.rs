//! What a plan is made of: one kernel run after the other.

use vitrine_loops::depthwise::Taps;
use vitrine_loops::tape::Instruction;

use super::Bound;
use crate::engine::layout::Operand;
use crate::graph::Reduce;
use crate::tensor::size;

/// One kernel run: reads `inputs`, writes `output` (rows, but for products, which write rows anywhere).
#[derive(Clone, Debug)]
pub struct Step {
    /// What runs.
    pub kernel: Kernel,
    /// What it reads.
    pub inputs: Vec<Operand>,
    /// What it writes.
    pub output: Operand,
}

/// The kernels that a device has. Each input is strided; *rows* means contiguous, from a place where a GPU can begin to bind a
/// buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// Elementwise operations, padding among them, on inputs of the result's shape.
    Pointwise {
        /// What is computed.
        tape: Vec<Instruction>,
        /// What is inside of padded tensors.
        bounds: Vec<Bound>,
    },
    /// Reduces the last axis. A result that is not rows is two of them, apart from each other.
    Reduce(Reduce),
    /// `y[b] = act(alpha * a[b] x b[b] + bias)`: inputs `[b, m, k]`, `[b, k, n]` and, if there is one, bias `[n]` rows.
    /// The batch `b` is two axes, of whatever strides, also in the result.
    Matmul {
        /// Factor of the product.
        alpha: f32,
        /// What follows.
        act: Option<Act>,
    },
    /// `y = act(x * w + bias)`: rows `x` `[.., h, w, c]`, `w` `[kh, kw, c, o]` and, if there is one, bias `[o]` rows; gives
    /// `[.., rows, columns, o]`. Where `w` is `[kh, kw, c]` rows, each channel has its own.
    Conv {
        /// Which places meet which parts of the kernel.
        taps: Taps,
        /// What follows; no GELU.
        act: Option<Act>,
    },
    /// `y[b] = softmax(alpha * q[b] x k[b] + field[b])`: inputs `[b, m, d]`, `[b, d, n]` and, if there is one, a field `[b, m, n]`.
    /// Batches as those of products.
    Pattern {
        /// Factor of the scores.
        alpha: f32,
    },
    /// `y[b] = softmax(alpha * q[b] x k[b] + field[b]) x v[b]`: inputs `[b, m, d]`, `[b, d, n]`, `[b, n, e]` and, if there is one,
    /// a field `[b, m, n]`. Batches and result as those of products.
    Attention {
        /// Factor of the scores.
        alpha: f32,
    },
    /// Inputs: table `[v, d]` and ids `[n]` rows.
    Gather,
    /// Inputs: rows `[n, d]` and ids `[n]` rows; a table `[v, d]` of sums.
    ScatterAdd,
    /// Windows `[.., windows, .., size]` added up where they overlap.
    Fold {
        /// Which axis counts the windows.
        axis: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// Softmax of rows.
    Softmax,
    /// Layer norm of rows: `x`, `gamma`, `beta` and, if there is a fourth, a residual that is added to `x` first. Where the result
    /// has an axis of two before the others, the sum is behind it.
    LayerNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// `dx` of softmax from rows `y` and `dy`.
    SoftmaxGrad,
    /// `dx` of layer norm from rows `x`, `gamma` and rows `dy`, added to a residual if there is a fourth. Where the result has an
    /// axis of two before the others, `dy (x - mean x) / sqrt(var x + eps)` is behind it: what the gradient of `gamma` sums up.
    LayerNormGrad {
        /// Added to the variance.
        eps: f32,
    },
}

/// What follows a product before it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// GELU.
    Gelu,
    /// The least and the most.
    Clamp(f32, f32),
}

impl Kernel {
    /// `y = x`
    pub fn copy() -> Self {
        Self::Pointwise { tape: vec![Instruction::Load { operand: 0, within: vec![] }], bounds: vec![] }
    }
}

impl Step {
    /// Where a product writes: the strides of its two axes of matrices and of rows.
    pub(in crate::engine) fn product_strides(&self) -> [usize; 3] {
        let (a, n) = (&self.inputs[0].shape, self.columns());
        match self.output.strides[..] {
            [outer, inner, row, _] if !self.output.is_rows() => [outer, inner, row],
            _ => [a[1] * a[2] * n, a[2] * n, n],
        }
    }

    /// How many columns a product or attention writes.
    pub(in crate::engine) fn columns(&self) -> usize {
        let right = if matches!(self.kernel, Kernel::Attention { .. }) { 2 } else { 1 };
        self.inputs[right].shape[3]
    }

    /// Floating-point operations, roughly: what long runs are sliced by.
    pub fn flops(&self) -> usize {
        let len = size(&self.output.shape);
        match self.kernel {
            Kernel::Matmul { .. } => 2 * len * self.inputs[0].shape[3],
            Kernel::Conv { .. } => {
                let kernel = &self.inputs[1].shape;
                2 * len * size(kernel) / kernel[kernel.len() - 1]
            }
            Kernel::Attention { .. } => {
                let [q, k, v] = [0, 1, 2].map(|i| &self.inputs[i].shape);
                // Of 4096 queries and keys it is more than the 32 bits of a page count.
                [q[0], q[1], q[2], k[3], 2 * q[3] + 8 + 2 * v[3]].into_iter().fold(1, usize::saturating_mul)
            }
            Kernel::Pattern { .. } => (2 * self.inputs[0].shape[3] + 8).saturating_mul(len),
            Kernel::Reduce(_) | Kernel::Fold { .. } => size(&self.inputs[0].shape),
            Kernel::ScatterAdd => len * self.inputs[1].shape[0],
            Kernel::Softmax | Kernel::LayerNorm { .. } => 8 * len,
            Kernel::SoftmaxGrad | Kernel::LayerNormGrad { .. } => 12 * len,
            Kernel::Pointwise { ref tape, .. } => tape.iter().map(cost).sum::<usize>() * len,
            Kernel::Gather => len,
        }
    }
}

/// Floating-point operations of an instruction, roughly.
fn cost(instruction: &Instruction) -> usize {
    match instruction {
        Instruction::Number(_) | Instruction::Load { .. } | Instruction::Pad { .. } => 0,
        Instruction::Unary(..) | Instruction::Binary(..) => 1,
        Instruction::Gelu(_) => 8,
        Instruction::GeluGrad(..) => 12,
    }
}
