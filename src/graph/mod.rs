//! Recording: a model is written down as plain data before anything runs.
//!
//! A [`Graph`] is a list of operations in static single assignment, with shapes, checked while it is recorded. A
//! [`Var`] names one tensor of it and carries the operators, so that a model reads like its paper's equations.
//! Recording does no I/O and cannot fail: a wrong shape is a bug and asserts with both shapes. Equal operations on
//! equal inputs are recorded once, so two runs that share a prefix (an original and its ablation) share the work.

mod conv;
mod define;
mod edit;
mod grad;
mod op;
mod var;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ahash::AHashMap;
pub use conv::Slide;
pub use define::Def;
pub use edit::{Edit, How};
pub use op::{ALIGN, Binary, F32, Node, Op, Reduce, Unary, View};
pub use var::Var;

use crate::tensor::Tensor;
use crate::trace::Kept;
use crate::weights::Weights;

/// A recording in progress. Interior mutability lets variables carry operators: `(q.matmul(k.t()) * s).softmax()`.
///
/// What is named can be asked for and changed from outside: here the pattern is kept and head 0 switched off.
///
/// ```
/// use vitrine::engine::{Cancel, cpu::Cpu};
/// use vitrine::graph::{Edit, Graph, How};
/// use vitrine::platform::block_on;
/// use vitrine::tensor::Tensor;
///
/// let off = Edit { at: "pattern".into(), select: vec![("head".into(), 0)], how: How::Zero };
/// let g = Graph::new(&["pattern"], &[off]);
/// let scores = g.input(&Tensor::new(&[2, 1, 2], [0.0, 0.0, 0.0, 3.0_f32.ln()]));
/// scores.softmax().tap("pattern", "head query key");
///
/// let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default()))?;
/// let pattern = block_on(trace.tensors["pattern"].read())?;
/// let expected = Tensor::new(&[2, 1, 2], [0.0, 0.0, 0.25, 0.75]);
/// assert!(pattern.max_abs_diff(&expected) < 1e-6);
/// # Ok::<(), vitrine::engine::EngineError>(())
/// ```
#[derive(Default)]
pub struct Graph {
    inner: RefCell<Recording>,
    scope: RefCell<String>,
    index: RefCell<AHashMap<Node, usize>>,
    edits: Vec<Edit>,
    keeps: Vec<String>,
    /// What stands in the place of taps, by name.
    put: RefCell<BTreeMap<String, usize>>,
}

/// A finished recording: what an engine compiles and runs.
#[derive(Clone, Default)]
pub struct Recording {
    /// Operations, each after its inputs.
    pub nodes: Vec<Node>,
    /// Data of the `Op::Input` nodes, by slot.
    pub inputs: Vec<Tensor>,
    /// Tensors of the `Op::State` nodes, by slot.
    pub states: Vec<Arc<Kept>>,
    /// Weight files that `Op::Weight` nodes refer to, by position.
    pub weights: Vec<Arc<Weights>>,
    /// Named tensors that come back in the trace: name, and the position of its node.
    pub keeps: Vec<(String, usize)>,
    /// Every tap passed, kept or not, in order.
    pub taps: Vec<Tap>,
    /// Words that go with the tensors, such as the tokens along an axis; they travel into the trace.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// A named tensor of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its name, scope included: `blocks.3.attn.pattern`.
    pub name: String,
    /// What its axes are, outermost first: `head query key`.
    pub axes: String,
    /// Position of its node, after what edits made of it.
    pub id: usize,
}

impl Graph {
    /// A recording that keeps the taps matching `patterns` (`*` stands for any run of characters) and applies `edits`.
    pub fn new(patterns: &[&str], edits: &[Edit]) -> Self {
        let keeps = patterns.iter().map(|p| (*p).to_owned()).collect();
        Self { keeps, edits: edits.to_vec(), ..Self::default() }
    }

    /// Asks for the taps matching `pattern` from here on.
    pub fn keep(&mut self, pattern: &str) {
        self.keeps.push(pattern.to_owned());
    }

    /// Applies `edit` at the tap that it names, from here on.
    pub fn edit(&mut self, edit: Edit) {
        self.edits.push(edit);
    }

    /// Puts `x` in the place of what is tapped under `name` in this scope from here on: an intervention that the recording
    /// itself computes.
    pub fn put(&self, name: &str, x: Var<'_>) {
        let name = format!("{}{name}", self.scope.borrow());
        self.put.borrow_mut().insert(name, x.id);
    }

    /// Records `f` with `name/` before every tap, so that one recording can hold several runs of a model.
    pub fn scope<T>(&self, name: &str, f: impl FnOnce() -> T) -> T {
        let outer = self.scope.borrow().clone();
        *self.scope.borrow_mut() = format!("{outer}{name}/");
        let result = f();
        *self.scope.borrow_mut() = outer;
        result
    }

    /// The tensor that was tapped under `name` in this scope.
    pub fn at(&self, name: &str) -> Option<Var<'_>> {
        let name = format!("{}{name}", self.scope.borrow());
        let inner = self.inner.borrow();
        let tap = inner.taps.iter().rev().find(|it| it.name == name)?;
        Some(Var { graph: self, id: tap.id })
    }

    /// The tensor that is kept under `name`, scope included.
    pub fn kept(&self, name: &str) -> Option<Var<'_>> {
        let inner = self.inner.borrow();
        let (_, id) = inner.keeps.iter().find(|it| it.0 == name)?;
        Some(Var { graph: self, id: *id })
    }

    /// Data that changes from run to run. Its shape is part of the structure, its values are not.
    pub fn input(&self, data: &Tensor) -> Var<'_> {
        let slot = {
            let mut inner = self.inner.borrow_mut();
            let known = inner.inputs.iter().position(|it| it == data);
            known.unwrap_or_else(|| {
                inner.inputs.push(data.clone());
                inner.inputs.len() - 1
            })
        };
        self.push(Op::Input { slot }, &[], data.shape.clone())
    }

    /// A tensor that an earlier run left on the device, such as a parameter in training: it is read where it lies. Each
    /// call makes another leaf, whatever the values, so that each has a gradient of its own.
    pub fn state(&self, tensor: &Arc<Kept>) -> Var<'_> {
        let slot = {
            let states = &mut self.inner.borrow_mut().states;
            states.push(Arc::clone(tensor));
            states.len() - 1
        };
        self.push(Op::State { slot }, &[], tensor.shape.clone())
    }

    /// A tensor of a weight file. The file must hold it: loaders check names and shapes before a model exists.
    pub fn weight(&self, weights: &Arc<Weights>, name: &str) -> Var<'_> {
        let Some(shape) = weights.shape(name) else { panic!("no weight named {name}") };
        let set = {
            let mut inner = self.inner.borrow_mut();
            let known = inner.weights.iter().position(|it| Arc::ptr_eq(it, weights));
            known.unwrap_or_else(|| {
                inner.weights.push(Arc::clone(weights));
                inner.weights.len() - 1
            })
        };
        self.push(Op::Weight { set, name: name.to_owned() }, &[], shape)
    }

    /// A scalar known while recording.
    pub fn constant(&self, value: f32) -> Var<'_> {
        self.push(Op::Const(F32::from(value)), &[], vec![])
    }

    /// Words that go with the tensors, under `name` (the scope comes before it).
    pub fn label(&self, name: &str, words: Vec<String>) {
        let name = format!("{}{name}", self.scope.borrow());
        self.inner.borrow_mut().labels.insert(name, words);
    }

    /// Records `op` on `inputs`, or returns the equal node that is there already.
    fn push(&self, op: Op, inputs: &[Var<'_>], shape: Vec<usize>) -> Var<'_> {
        let node = Node { op, inputs: inputs.iter().map(|v| v.id).collect(), shape };
        let id = *self.index.borrow_mut().entry(node).or_insert_with_key(|node| {
            let mut inner = self.inner.borrow_mut();
            inner.nodes.push(node.clone());
            inner.nodes.len() - 1
        });
        Var { graph: self, id }
    }

    /// Names `x`: keeps it if somebody asked, intervenes on it if somebody edits it. `axes` names its axes, outermost
    /// first, for example `"head query key"`. Returns what the model goes on with.
    fn tap<'g>(&'g self, x: Var<'g>, name: &str, axes: &str) -> Var<'g> {
        let name = format!("{}{name}", self.scope.borrow());
        assert_eq!(axes.split(' ').count(), x.shape().len(), "tap {name}: axes {axes:?} of {:?}", x.shape());
        let mut x = x;
        for edit in self.edits.iter().filter(|it| matches(&it.at, &name)) {
            x = edit.apply(x, axes);
        }
        if let Some(id) = self.put.borrow().get(&name) {
            let put = Var { graph: self, id: *id };
            assert_eq!(put.shape(), x.shape(), "what is put at {name}");
            x = put;
        }
        self.inner.borrow_mut().taps.push(Tap { name: name.clone(), axes: axes.to_owned(), id: x.id });
        if self.keeps.iter().any(|pattern| matches(pattern, &name)) {
            self.keep_as(x, &name);
        }
        x
    }

    fn keep_as(&self, x: Var<'_>, name: &str) {
        let keeps = &mut self.inner.borrow_mut().keeps;
        keeps.retain(|(known, _)| known != name);
        keeps.push((name.to_owned(), x.id));
    }

    /// Ends the recording.
    pub fn finish(self) -> Recording {
        self.inner.into_inner()
    }
}

impl Recording {
    /// Equal for recordings that differ in input values only: the key under which a compiled plan is found again.
    pub fn structure(&self) -> u64 {
        let mut h = DefaultHasher::new();
        self.nodes.hash(&mut h);
        self.keeps.hash(&mut h);
        for weights in &self.weights {
            weights.id().hash(&mut h);
        }
        h.finish()
    }

    /// Equal for recordings that would give equal traces.
    pub fn identity(&self) -> u64 {
        let mut h = DefaultHasher::new();
        self.structure().hash(&mut h);
        self.labels.hash(&mut h);
        for state in &self.states {
            state.id.hash(&mut h);
        }
        for input in &self.inputs {
            bytemuck::cast_slice::<f32, u8>(&input.data).hash(&mut h);
        }
        h.finish()
    }
}

/// Whether `name` matches `pattern`, where `*` stands for any run of characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|&i| rest.is_char_boundary(i)).any(|i| matches(tail, &rest[i..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_taps() {
        for (pattern, name, expected) in [
            ("blocks.*.attn.pattern", "blocks.3.attn.pattern", true),
            ("blocks.*.attn.pattern", "b/blocks.3.attn.pattern", false),
            ("*", "", true),
            ("final", "final", true),
            ("final", "finale", false),
            ("*final", "b/final", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn equal_operations_are_recorded_once() {
        let g = Graph::default();
        let x = g.input(&Tensor::new(&[2], [1.0, 2.0]));
        let y = g.input(&Tensor::new(&[2], [1.0, 2.0]));
        assert_eq!((x + 1.0).id, (y + 1.0).id, "one node for equal work");
    }

    #[test]
    fn what_is_computed_stands_in_the_place_of_a_tap() {
        let g = Graph::default();
        let x = g.input(&Tensor::new(&[1], [2.0]));
        let tapped = || g.at("x").map(|it| it.id);
        g.scope("twice", || {
            g.put("x", x * 2.0);
            assert_eq!(x.tap("x", "pos").id, (x * 2.0).id);
            assert_eq!(tapped(), Some((x * 2.0).id));
        });
        assert_eq!(x.tap("x", "pos").id, x.id, "in its scope only");
    }

    #[test]
    fn structure_ignores_values_and_identity_does_not() {
        let record = |value: f32| {
            let g = Graph::default();
            (g.input(&Tensor::new(&[1], [value])) * 2.0).keep("y");
            g.finish()
        };
        assert_eq!(record(1.0).structure(), record(2.0).structure(), "same plan");
        assert_ne!(record(1.0).identity(), record(2.0).identity(), "another trace");
    }
}
