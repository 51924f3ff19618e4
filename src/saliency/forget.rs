//! Letting a model forget: its last layers get parameters that have learnt nothing (cascading randomization, Adebayo et al.
//! 2018, arXiv 1810.03292, section 3).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::nn::Params;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// What the parameters are drawn from.
const SEED: u64 = 1;

/// Parameters that know nothing, for the model with these weights: every tensor drawn anew from a normal of the mean and
/// the deviation that it had. They are drawn once, since equal recordings must have equal weights.
#[derive(Clone, Default)]
pub struct Forgotten(RefCell<Option<(u64, Arc<Weights>)>>);

/// The layers of a model, from the answer down, by the names of its parameters from the first layer to the last.
pub fn groups(names: &[String]) -> Vec<String> {
    let mut groups: Vec<String> = vec![];
    for name in names.iter().rev() {
        let group = group(name);
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
    /// The parameters `names` of a model with these weights, of which those of the last `n` layers know nothing.
    pub fn parameters<'g>(
        &self,
        g: &'g Graph,
        weights: &Arc<Weights>,
        names: &[String],
        n: usize,
    ) -> BTreeMap<String, Var<'g>> {
        let mut known = self.0.borrow_mut();
        let current = known.take().filter(|it| it.0 == weights.id());
        let (_, untrained) = known.insert(current.unwrap_or_else(|| (weights.id(), drawn(weights))));
        let groups = groups(names);
        let forgets = |name: &str| groups.iter().take(n).any(|it| *it == group(name));
        let (trained, untrained) = (Params::new(g, weights), Params::new(g, untrained));
        let value = |name: &String| if forgets(name) { untrained.get(name) } else { trained.get(name) };
        names.iter().map(|name| (name.clone(), value(name))).collect()
    }
}

fn drawn(trained: &Weights) -> Arc<Weights> {
    let names: Vec<&str> = trained.names().collect();
    let tensors = names.iter().zip(0..).filter_map(|(name, i)| {
        let it = trained.read(name)?;
        let n = it.data.len().max(1) as f32;
        let mean = it.data.iter().sum::<f32>() / n;
        let deviation = (it.data.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt();
        let mut random = Random::stream(SEED, i);
        let draw = |_: &[usize]| mean + deviation * random.normal() as f32;
        Some(((*name).to_owned(), Tensor::from_fn(&it.shape, draw)))
    });
    Arc::new(Weights::from_tensors(&tensors.collect()))
}
