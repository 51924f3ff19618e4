//! Fields of distance: what two places have to do with each other, whatever stands there. `f(i, j, parameters)`.
//!
//! A formula is written once, over [`Real`]: of numbers it can be drawn before it is used ([`Places::table`]), of recorded
//! tensors it is computed on the device, and differentiated by its parameters ([`Places::spread`]).

use super::real::Real;
use crate::graph::{Graph, Var};
use crate::tensor::{Tensor, size};

/// Where tokens are: in a line, or on a grid in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Places {
    /// Rows; 1 for a line.
    pub height: usize,
    /// Places in a row.
    pub width: usize,
}

impl Places {
    /// A text of `len` tokens.
    pub const fn line(len: usize) -> Self {
        Self { height: 1, width: len }
    }

    /// A picture of `height` times `width` patches.
    pub const fn grid(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.height * self.width
    }

    /// How many rows and columns lie between two places.
    pub const fn apart(self, i: usize, j: usize) -> [usize; 2] {
        [(i / self.width).abs_diff(j / self.width), (i % self.width).abs_diff(j % self.width)]
    }

    /// Steps along rows and columns: `|r_i - r_j| + |c_i - c_j|`. In a line, `|i - j|`.
    pub fn manhattan(self, i: usize, j: usize) -> f64 {
        let [rows, columns] = self.apart(i, j);
        (rows + columns) as f64
    }

    /// The square of the length of the straight line: `(r_i - r_j)^2 + (c_i - c_j)^2`.
    pub fn squared(self, i: usize, j: usize) -> f64 {
        let [rows, columns] = self.apart(i, j);
        (rows * rows + columns * columns) as f64
    }

    /// Whether `key` lies at most `radius` rows and columns from `query`.
    pub fn window(self, query: usize, key: usize, radius: usize) -> bool {
        self.apart(query, key).iter().all(|it| *it <= radius)
    }

    /// Whether both lie in the same row or in the same column (Ho et al. 2019, arXiv 1912.12180).
    pub fn axial(self, query: usize, key: usize) -> bool {
        self.apart(query, key).contains(&0)
    }

    /// Whether both lie in the same block of `side` rows and columns, as windows that do not overlap.
    pub fn block(self, query: usize, key: usize, side: usize) -> bool {
        let block = |i: usize| [i / self.width / side, i % self.width / side];
        block(query) == block(key)
    }

    /// A field as numbers, `[query, key]`: what is drawn.
    pub fn table(self, f: impl Fn(usize, usize) -> f64) -> Tensor {
        Tensor::from_fn(&[self.count(); 2], |at| f(at[0], at[1]) as f32)
    }

    /// 1 where a query sees a key, 0 where not, `[query, key]`.
    pub fn mask(self, g: &Graph, sees: impl Fn(usize, usize) -> bool) -> Var<'_> {
        g.input(&self.table(|i, j| f64::from(u8::from(sees(i, j)))))
    }

    /// The distance of every place from the first one, `[place]`: as many as [`Self::apart`] has values.
    pub fn distances(self, g: &Graph, f: impl Fn(Self, usize, usize) -> f64) -> Var<'_> {
        g.input(&Tensor::from_fn(&[self.count()], |at| f(self, 0, at[0]) as f32))
    }

    /// A field that depends only on how many rows and columns lie between: from what the first place has to do with every
    /// other, `[.., place]`, to all pairs, `[.., query, key]`. So its formula runs once a distance, not once a pair.
    pub fn spread(self, first: Var<'_>) -> Var<'_> {
        let (shape, n) = (first.shape(), self.count());
        let [lead @ .., places] = &shape[..] else { panic!("a field has an axis of places") };
        assert_eq!(*places, n, "a field over {places} of {n} places");
        let pairs = Tensor::from_fn(&[n, n], |at| {
            let [rows, columns] = self.apart(at[0], at[1]);
            (rows * self.width + columns) as f32
        });
        let by_place = first.reshape(&[size(lead), n]).t(); // [place, ..]
        let all = by_place.gather(first.graph().input(&pairs)); // [query, key, ..]
        all.permute(&[2, 0, 1]).reshape(&[lead, &[n, n]].concat())
    }
}

/// Whether a key is the query's own or an earlier one.
pub fn causal(query: usize, key: usize) -> bool {
    key <= query
}

/// Whether a key belongs to a text of `len` tokens, or only fills it up.
pub fn padding(_query: usize, key: usize, len: usize) -> bool {
    key < len
}

/// `gamma^d`: what a step away is worth `gamma` of (Sun et al. 2023, arXiv 2307.08621, eq. 5).
pub fn decay<R: Real>(gamma: R, distance: R) -> R {
    log_decay(gamma, distance).exp()
}

/// `d log gamma`, to be added to scores before a softmax.
pub fn log_decay<R: Real>(gamma: R, distance: R) -> R {
    gamma.ln() * distance
}

/// `alpha exp(-d^2 / (2 (sigma^2 + 1e-5)))`: one component of a mixture, of the squared distance (Li & Zhang 2023, arXiv
/// 2309.05375). The sign of `sigma` has no meaning.
pub fn gaussian<R: Real>(alpha: R, sigma: R, squared: R) -> R {
    alpha * rbf((sigma * sigma).plus(1e-5), squared)
}

/// `exp(-d^2 / (2 s))`: a radial basis function of variance `s`.
pub fn rbf<R: Real>(variance: R, squared: R) -> R {
    (-(squared / variance).times(0.5)).exp()
}

/// `cos(theta d)`: what is left of the agreement of a query and a key that both turn by `theta` a step.
pub fn rotary<R: Real>(theta: R, distance: R) -> R {
    (theta * distance).cos()
}

/// A field with `tokens` more before its places, such as the one that an image is read from: `value` for all pairs with one
/// of them.
pub fn preceded(field: Var<'_>, tokens: usize, value: f32) -> Var<'_> {
    field.pad(-2, tokens, 0, value).pad(-1, tokens, 0, value)
}

/// How far away a query's weights lie in the mean, `[.., query]`: `sum_j |w_ij| d_ij / sum_j |w_ij|`, of `[.., query, key]`
/// and distances that broadcast to it. Weights that are all zero lie at 0.
pub fn effective_radius<'g>(weights: Var<'g>, distances: Var<'g>) -> Var<'g> {
    let weights = weights.abs();
    let least = weights.graph().constant(f32::MIN_POSITIVE);
    let radius = (weights * distances).sum(-1) / weights.sum(-1).max_with(least);
    let shape = radius.shape();
    radius.reshape(&shape[..shape.len() - 1])
}
