//! Where every parameter lies in the one vector that the optimiser moves.
//!
//! A rule that moves parameters one by one takes some twenty steps for each; on all of them at once it takes a handful.
//! Moments and gradients lie as the parameters do. Products read parameters where they are, and who computes a gradient
//! writes it to its place.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::{ALIGN, Var};
use crate::tensor::{Tensor, size};

/// Places in a vector. What weight decay acts on comes first.
pub(super) struct Layout {
    /// By name.
    places: BTreeMap<String, Place>,
    /// Names as they follow each other.
    order: Vec<String>,
    /// Elements on which weight decay acts, and all.
    decayed: usize,
    len: usize,
}

struct Place {
    shape: Vec<usize>,
    start: usize,
}

impl Layout {
    /// Places for all `parameters`, of which those decay that `decays` says, by name and shape.
    pub(super) fn new(
        parameters: &BTreeMap<String, Tensor>,
        decays: impl Fn(&str, &[usize]) -> bool,
    ) -> Self {
        let (first, second): (Vec<_>, Vec<_>) =
            parameters.iter().partition(|(name, it)| decays(name, &it.shape));
        let (mut places, mut len) = (BTreeMap::new(), 0);
        let mut decayed = 0;
        for (part, decays) in [(&first, true), (&second, false)] {
            for (name, it) in part {
                places.insert((*name).clone(), Place { shape: it.shape.clone(), start: len });
                len += it.data.len().next_multiple_of(ALIGN);
            }
            if decays {
                decayed = len;
            }
        }
        let order = first.into_iter().chain(second).map(|(name, _)| name.clone()).collect();
        Self { places, order, decayed, len }
    }

    /// All names and shapes, by name.
    pub(super) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.places.iter().map(|(name, it)| (name.as_str(), &it.shape[..]))
    }

    /// Length of the vector.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The elements on which weight decay acts, and the others; what is empty is left out.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        let parts = [(0..self.decayed, true), (self.decayed..self.len, false)];
        parts.into_iter().filter(|(it, _)| !it.is_empty())
    }

    /// The vector of tensors that `value` gives by name.
    pub(super) fn join<E>(
        &self,
        mut value: impl FnMut(&str, &[usize]) -> Result<Tensor, E>,
    ) -> Result<Tensor, E> {
        let mut all = vec![0.0; self.len];
        for (name, Place { shape, start }) in &self.places {
            all[*start..][..size(shape)].copy_from_slice(&value(name, shape)?.data);
        }
        Ok(Tensor::new(&[self.len], all))
    }

    /// The tensors of a vector, by name.
    pub(super) fn split<'d>(&self, all: &'d [f32]) -> impl Iterator<Item = (&str, &[usize], &'d [f32])> {
        self.places
            .iter()
            .map(|(name, it)| (name.as_str(), &it.shape[..], &all[it.start..][..size(&it.shape)]))
    }

    /// The tensors of a recorded vector, by name.
    pub(super) fn see<'g>(&self, all: Var<'g>) -> BTreeMap<String, Var<'g>> {
        let see = |it: &Place| all.slice(0, it.start, size(&it.shape)).reshape(&it.shape);
        self.places.iter().map(|(name, it)| (name.clone(), see(it))).collect()
    }

    /// Tensors by name in the order of their places.
    pub(super) fn in_order<'g>(&self, tensors: &BTreeMap<String, Var<'g>>) -> Vec<Var<'g>> {
        self.order.iter().map(|it| tensors[it]).collect()
    }
}
