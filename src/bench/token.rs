//! What one more token costs, after how many others: attention and retention in its parallel form look back at all of them,
//! retention in its recurrent form at a state.

use crate::engine::plan::{Plan, Step};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::{Places, decay};
use crate::mechanisms::retention::{Form, Retention, gammas};
use crate::tensor::{Tensor, size};

/// Heads of the layer that is measured, and channels of a head.
pub const SIZES: [usize; 2] = [4, 64];

/// Tokens of a recording, one after the other.
pub const TOKENS: usize = 16;

/// How a token gets what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `softmax(q K^T / sqrt d) V` with the keys and values of all tokens before.
    Attention,
    /// A row of `(Q K^T o D) V`.
    Parallel,
    /// `S <- gamma S + k^T v`, `q S`.
    Recurrent,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Attention, Self::Parallel, Self::Recurrent];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Parallel => "all at once",
            Self::Recurrent => "token by token",
        }
    }

    /// Numbers that are kept of `context` tokens.
    pub fn kept(self, context: usize) -> usize {
        let [heads, d] = SIZES;
        heads * d * if self == Self::Recurrent { d } else { 2 * context }
    }
}

/// Records [`TOKENS`] tokens after `context` others; keeps what comes out as `z`.
pub fn record(g: &Graph, way: Way, context: usize) {
    let [heads, d] = SIZES;
    // Equal inputs would be one: then half as much were read.
    let of = |shape: &[usize], value: f32| g.input(&Tensor::new(shape, vec![value; size(shape)]));
    let gamma = of(&[heads], gammas(1)[0] as f32);
    let [q, k, v] = [0.1, 0.2, 0.3].map(|it| of(&[heads, TOKENS, d], it));
    let z = if way == Way::Recurrent {
        let state = of(&[heads, d, d], 0.4);
        Retention { gamma, form: Form::Recurrent }.record(q, k, v, Some(state)).z
    } else {
        let [keys, values] = [0.5, 0.6].map(|it| of(&[heads, context, d], it));
        let row = || {
            let distances = Places::line(context).distances(g, Places::manhattan).reshape(&[1, context]);
            decay(gamma.reshape(&[heads, 1]), distances).reshape(&[heads, 1, context])
        };
        let attention = match way {
            Way::Parallel => Attention { multiply: Some(row()), ..Attention::linear(1.0) },
            _ => Attention::scaled(d),
        };
        let one = |t| attention.record(q.slice(-2, t, 1), keys, values, untapped).z;
        Var::concat(&(0..TOKENS).map(one).collect::<Vec<_>>(), -2)
    };
    z.keep("z");
}

/// Floating-point operations of a token, counted in the plan that runs.
pub fn operations(way: Way, context: usize) -> usize {
    let g = Graph::default();
    record(&g, way, context);
    Plan::compile(&g.finish()).steps.iter().map(Step::flops).sum::<usize>() / TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_costs_the_same_after_any_number_of_tokens() {
        for way in Way::ALL {
            let [few, many] = [64, 1024].map(|n| (operations(way, n) as f64, way.kept(n)));
            let grows = (many.0 / few.0, many.1 / few.1);
            if way == Way::Recurrent {
                assert_eq!((few, grows), (many, (1.0, 1)));
            } else {
                // What does not look back is a small part.
                assert!(grows.0 > 12.0 && grows.0 <= 16.0 && grows.1 == 16, "{way:?}: {grows:?}");
            }
        }
    }
}
