//! Letting a model forget: its last layers get parameters that have learnt nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Weights;
use crate::graph::{Graph, Var};
use crate::models::Vision;
use crate::nn::Params;

/// What the parameters are drawn from.
const SEED: u64 = 1;

/// Parameters that have learnt nothing, for the model with these weights. They are drawn once: equal recordings must have
/// equal weights.
#[derive(Clone, Default)]
pub(super) struct Forgotten(RefCell<Option<(u64, Arc<Weights>)>>);

/// The layers of a model by the names of their parameters, from the answer down.
pub(super) fn groups(model: Vision<'_>) -> Vec<String> {
    let mut groups: Vec<String> = vec![];
    for (name, _) in model.parameters().into_iter().rev() {
        let group = group(&name);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// `blocks.3` of `blocks.3.attn.qkv.weight`, `stages.1.0` of `stages.1.0.bias`, `head` of `head.weight`.
fn group(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["blocks", l, ..] => format!("blocks.{l}"),
        [ref layer @ .., _] if !layer.is_empty() => layer.join("."),
        _ => name.to_owned(),
    }
}

impl Forgotten {
    /// All parameters of `model` by name, of which those of the last `n` layers have learnt nothing. `None`: such
    /// parameters are not known for this model.
    pub(super) fn parameters<'g>(
        &self,
        g: &'g Graph,
        model: Vision<'_>,
        n: usize,
    ) -> Option<BTreeMap<String, Var<'g>>> {
        let mut known = self.0.borrow_mut();
        if known.as_ref().is_none_or(|it| it.0 != model.weights().id()) {
            *known = Some((model.weights().id(), Arc::new(model.untrained(SEED)?)));
        }
        let untrained = &known.as_ref()?.1;
        let groups = groups(model);
        let forgets = |name: &str| groups.iter().take(n).any(|it| *it == group(name));
        let (trained, untrained) = (Params::new(g, model.weights()), Params::new(g, untrained));
        let value = |name: String| {
            let it = if forgets(&name) { untrained.get(&name) } else { trained.get(&name) };
            (name, it)
        };
        Some(model.parameters().into_iter().map(|(name, _)| value(name)).collect())
    }
}
