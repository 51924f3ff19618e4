//! What exhibits of attention heads share: which one is shown, and which are switched off.

use crate::focus::Spot;
use crate::graph::{Edit, How};
use crate::trace::Trace;

/// Layer and head.
pub(super) type Head = (usize, usize);

/// Where the patterns `[head, query, key]` of a layer are.
pub(super) fn pattern(layer: usize) -> String {
    format!("blocks.{layer}.attn.pattern")
}

/// How many layers a trace has patterns of, and how many heads each of them has.
pub(super) fn count(trace: &Trace) -> [usize; 2] {
    let first = trace.get(&pattern(0)).map_or(0, |it| it.shape[0]);
    // A layer has a tensor at least.
    let layers = (0..trace.tensors.len()).take_while(|l| trace.get(&pattern(*l)).is_some()).count();
    [layers, first]
}

/// The head that is shown: the lit one, else `first`, as far as there are so many; nothing where there are no patterns.
pub(super) fn shown(trace: &Trace, spot: Spot, first: Head) -> Option<Head> {
    let [layers, heads] = count(trace);
    let (l, h) = (spot.layer.unwrap_or(first.0), spot.head.unwrap_or(first.1));
    Some((l.min(layers.checked_sub(1)?), h.min(heads.checked_sub(1)?)))
}

/// A head as a place of the cursor.
pub(super) fn spot((l, h): Head) -> Spot {
    Spot { layer: Some(l), head: Some(h), ..Spot::default() }
}

/// A head in words.
pub(super) fn named((l, h): Head) -> String {
    format!("layer {l}, head {h}")
}

/// Those of the heads that a model of so many layers and heads has: a link may have been made with a larger one.
pub(super) fn there(off: &[Head], [layers, heads]: [usize; 2]) -> Vec<Head> {
    off.iter().copied().filter(|(l, h)| *l < layers && *h < heads).collect()
}

/// Switches heads off in the run whose taps begin with `scope`: what they give away is changed.
pub(super) fn edits(off: &[Head], scope: &str, how: &How) -> Vec<Edit> {
    let edit = |(l, h): &Head| Edit {
        at: format!("{scope}blocks.{l}.attn.z"),
        select: vec![("head".to_owned(), *h)],
        how: how.clone(),
    };
    off.iter().map(edit).collect()
}

/// Switches a head off, or on again.
pub(super) fn switch(off: &mut Vec<Head>, head: Head) {
    match off.iter().position(|it| *it == head) {
        Some(i) => drop(off.remove(i)),
        None => off.push(head),
    }
}
