//! Interventions: a change made to a named tensor while the model runs.

use super::Var;
use crate::tensor::Tensor;

/// An intervention at a tap.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Name of the tap, scope included; `*` stands for any run of characters.
    pub at: String,
    /// Which elements: index along a named axis (`("head", 3)`, `("pos", 7)`). Empty: all of them.
    pub select: Vec<(String, usize)>,
    /// What happens to them.
    pub how: How,
}

/// What an edit does to the elements that it selects.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// Sets them to zero.
    Zero,
    /// Sets them to their mean over the axes that are positions (`pos`, `query`).
    Mean,
    /// Multiplies them.
    Scale(f32),
    /// Puts a tensor that broadcasts to the tap's shape in their place.
    Replace(Tensor),
    /// Adds a tensor that broadcasts to the tap's shape.
    Add(Tensor),
    /// Multiplies their last axis, as rows, by a square matrix: a layer put there.
    Through(Tensor),
}

impl Edit {
    /// `x` with the intervention: `x (1 - m) + new m`, where the mask `m` is 1 on what is selected. The mask is an input, so
    /// choosing another head or position compiles nothing.
    pub(super) fn apply<'g>(&self, x: Var<'g>, axes: &str) -> Var<'g> {
        let g = x.graph();
        let axes: Vec<&str> = axes.split(' ').collect();
        let shape = x.shape();
        let mut mask_shape = vec![1; shape.len()];
        let mut selected = vec![None; shape.len()];
        for (name, index) in &self.select {
            let Some(axis) = axes.iter().position(|it| it == name) else {
                panic!("edit at {}: no axis {name:?} among {axes:?}", self.at)
            };
            assert!(*index < shape[axis], "edit at {}: {name} {index} of {}", self.at, shape[axis]);
            mask_shape[axis] = shape[axis];
            selected[axis] = Some(*index);
        }
        let m = g.input(&Tensor::from_fn(&mask_shape, |at| {
            let inside = at.iter().zip(&selected).all(|(i, s)| s.is_none_or(|s| s == *i));
            f32::from(u8::from(inside))
        }));
        let others = m * -1.0 + 1.0;
        match &self.how {
            How::Zero => x * others,
            How::Mean => {
                let position = axes.iter().position(|it| matches!(*it, "pos" | "query"));
                let mean = position.map_or(x, |axis| x.mean(axis as isize));
                x * others + mean * m
            }
            How::Scale(factor) => x * (others + m * *factor),
            How::Replace(tensor) => x * others + g.input(tensor) * m,
            How::Add(tensor) => x + g.input(tensor) * m,
            How::Through(matrix) => x * others + x.matmul(g.input(matrix)) * m,
        }
    }
}
