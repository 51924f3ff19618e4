//! The primitive operations. Everything else is a definition in these.

pub use vitrine_loops::{Binary, Reduce, Unary};

use super::Def;

/// Elements between two places where a GPU can begin to bind a buffer: 256 bytes.
pub const ALIGN: usize = 64;

/// One recorded operation: its output is the tensor of `shape` that later nodes refer to by position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Positions of the nodes that it reads.
    pub inputs: Vec<usize>,
    /// Shape of the result.
    pub shape: Vec<usize>,
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Data given at every run.
    Input {
        /// Position in the recording's inputs.
        slot: usize,
    },
    /// A tensor of an earlier run, where it lies.
    State {
        /// Position in the recording's states.
        slot: usize,
    },
    /// A tensor of a weight file.
    Weight {
        /// Position in the recording's weight files.
        set: usize,
        /// Name within the file.
        name: String,
    },
    /// A scalar known while recording.
    Const(F32),
    /// Elementwise function of one tensor.
    Unary(Unary),
    /// Elementwise function of two tensors of equal shape (broadcasting is a view).
    Binary(Binary),
    /// Reduction of one axis, which stays with length 1.
    Reduce(Reduce, usize),
    /// `[.., m, k] x [.., k, n] -> [.., m, n]` with equal leading axes.
    Matmul,
    /// Rows of a table: `[v, d], [..] -> [.., d]`. Ids outside the table are clamped to it.
    Gather,
    /// Rows added up into a table, the adjoint of [`Self::Gather`]: `[.., d], [..] -> [v, d]`. Ids outside the table are
    /// clamped to it.
    ScatterAdd,
    /// Windows added up where they overlap, the adjoint of [`View::Window`]; the node's shape holds the axis' length.
    Fold {
        /// Which axis counts the windows; their elements are the last axis, which vanishes.
        axis: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// The elements of all inputs in one vector, each tensor's from a multiple of [`ALIGN`] on, zeros between.
    Pack,
    /// The same elements seen differently.
    View(View),
    /// A named definition in primitives, which an engine may replace by a kernel.
    Def(Def),
}

/// Ways to see the same elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The same elements in row-major order under another shape (the node's).
    Reshape,
    /// The same elements, taken for constants: no derivative goes through.
    Detach,
    /// Axis `i` of the result is axis `p[i]` of the input.
    Permute(Vec<usize>),
    /// Every `step`-th element of one axis from `start`; the node's shape holds how many.
    Slice {
        /// Which axis.
        axis: usize,
        /// First element.
        start: usize,
        /// Distance between elements, at least 1.
        step: usize,
    },
    /// Axes of length 1 repeated to the node's shape.
    Broadcast,
    /// `value` before and after the elements of one axis; the node's shape holds the total.
    Pad {
        /// Which axis.
        axis: usize,
        /// How many before.
        before: usize,
        /// With what.
        value: F32,
    },
    /// Overlapping windows of one axis; a last axis of `size` is appended.
    Window {
        /// Which axis.
        axis: usize,
        /// Elements in a window.
        size: usize,
        /// Distance between windows.
        stride: usize,
    },
}

/// An f32 that can be compared and hashed, by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct F32(u32);

impl From<f32> for F32 {
    fn from(value: f32) -> Self {
        Self(value.to_bits())
    }
}

impl F32 {
    /// The number itself.
    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}
