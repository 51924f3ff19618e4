//! A state that is carried through a text: what recurrent mechanisms have in common, whatever their state is.

use std::ops::Range;

use crate::graph::Var;

/// What a mechanism with a state gives.
#[derive(Clone, Copy)]
pub struct Carried<'g> {
    /// What came out, `[.., pos, d_value]`.
    pub z: Var<'g>,
    /// The state after the last token.
    pub state: Var<'g>,
}

/// Goes through `pos` tokens in pieces of `chunk`, the last of which may be shorter: `step` gets the tokens of a piece with
/// the state before them. One token at a time is the recurrent form, all at once the parallel one.
pub fn carried<'g>(
    pos: usize,
    chunk: usize,
    state: Var<'g>,
    step: impl Fn(Range<usize>, Var<'g>) -> Carried<'g>,
) -> Carried<'g> {
    assert!(pos > 0 && chunk > 0, "{pos} tokens in pieces of {chunk}");
    let mut state = state;
    let mut parts = vec![];
    for start in (0..pos).step_by(chunk) {
        let after = step(start..pos.min(start + chunk), state);
        parts.push(after.z);
        state = after.state;
    }
    Carried { z: Var::concat(&parts, -2), state }
}
