//! How well a query agrees with a key.

use crate::graph::Var;

/// What a query and a key are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Score {
    /// `q . k`
    #[default]
    Dot,
    /// `q . k / |q| |k|`
    Cosine,
    /// `-|q - k|^2 / 2`, whose exponential is a Gaussian kernel (Lu et al. 2022, arXiv 2207.03341).
    Distance,
}

impl Score {
    /// `[.., query, key]` of `q` and `k`, both `[.., pos, d_head]`.
    pub fn of<'g>(self, q: Var<'g>, k: Var<'g>) -> Var<'g> {
        match self {
            Self::Dot => q.matmul(k.t()),
            Self::Cosine => l2_normalise(q).matmul(l2_normalise(k).t()),
            Self::Distance => {
                let half = |x: Var<'g>| (x * x).sum(-1) * 0.5; // [.., pos, 1]
                q.matmul(k.t()) - half(q) - half(k).t()
            }
        }
    }
}

/// `x / |x|` over the last axis; a vector of zeros stays one.
pub fn l2_normalise(x: Var<'_>) -> Var<'_> {
    let norm = (x * x).sum(-1).sqrt();
    x / norm.max_with(x.graph().constant(1e-12))
}
