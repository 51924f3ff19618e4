//! A task in the plane, and both ways to learn from it.

use nalgebra::{DMatrix, DVector, Matrix2, Vector2};

use super::{IclDescent, LAYERS, MOST};
use crate::data::Random;
use crate::graph::{Graph, Var};
use crate::mechanisms::gradient_descent::descend;
use crate::mechanisms::linear_attention::{LinearAttention, Step, asked, examples, prediction, run};
use crate::mechanisms::solve::identity;
use crate::regression::{Examples, Prompt, Tasks};
use crate::tensor::Tensor;

/// Inputs lie between minus this and this.
pub(super) const EDGE: f64 = 1.0;

impl IclDescent {
    /// Examples and query as they are now: drawn, then dragged. An answer stays with its example; where inputs have one
    /// coordinate, the other is an answer that is dragged.
    pub(super) fn task(&self) -> Prompt {
        let tasks = Tasks::uniform(2, MOST, EDGE);
        let drawn = tasks.draw(&mut Random::stream(self.seed, 0));
        let n = self.examples.clamp(1, MOST);
        let dragged = |i: usize, drawn: Vector2<f64>| {
            let found = self.moved.iter().find(|it| it.0 == i);
            found.map_or(drawn, |it| Vector2::new(f64::from(it.1[0]), f64::from(it.1[1])) / 100.0)
        };
        let line = self.inputs == 1;
        let second = |i: usize| if line { drawn.examples.y[i] } else { drawn.examples.x[(i, 1)] };
        let row = |i: usize| Vector2::new(drawn.examples.x[(i, 0)], second(i));
        let points: Vec<Vector2<f64>> = (0..n).map(|i| dragged(i, row(i))).collect();
        let x = DMatrix::from_fn(n, 2, |i, j| if line && j > 0 { 0.0 } else { points[i][j] });
        let y = DVector::from_fn(n, |i, _| if line { points[i][1] } else { drawn.examples.y[i] });
        let query = dragged(MOST, Vector2::new(drawn.query[0], drawn.query[1]));
        let query = DVector::from_vec(vec![query[0], if line { 0.0 } else { query[1] }]);
        Prompt { examples: Examples { x, y }, query, ..drawn }
    }

    /// Where the weights begin.
    pub(super) fn begins(&self) -> [f32; 2] {
        self.start.map(|it| it as f32 / 100.0)
    }

    /// Keeps the weights after every step, those that attention has in mind after every layer, `[step, 2]`, what both predict
    /// for the query, `[step]`, and `X^T X / N` of the inputs that every layer sees, `[step, 4]`; the first of each is before
    /// any.
    pub(super) fn record_paths(&self, g: &Graph) {
        let Prompt { examples: known, query, .. } = self.task();
        let n = known.y.len();
        let number = |it: &f64| *it as f32;
        let x = g.input(&Tensor::from_fn(&[n, 2], |at| known.x[(at[0], at[1])] as f32));
        let y = g.input(&Tensor::new(&[n], known.y.iter().map(number).collect::<Vec<f32>>()));
        let query = g.input(&Tensor::new(&[1, 2], query.iter().map(number).collect::<Vec<f32>>()));
        let w0 = g.input(&Tensor::new(&[2], self.begins()));
        let eta = self.eta as f32 / 100.0;

        let rate = g.input(&Tensor::scalar(eta));
        let steps = descend(x, y, w0, rate, LAYERS).into_iter().map(|it| it.reshape(&[1, 2]));
        let path = Var::concat(&std::iter::once(w0.reshape(&[1, 2])).chain(steps).collect::<Vec<_>>(), 0);
        path.keep("descent.w");
        path.matmul(query.t()).flat().keep("descent.prediction");

        let layer = LinearAttention::descent(w0, Step { eta, gamma: self.gamma as f32 / 1000.0, n });
        let queries = asked(Var::concat(&[identity(g, 2), query], 0), w0); // two unit vectors, and what is asked
        let known = examples(x, y);
        let read = run(&[layer; LAYERS], known, queries);
        let seen =
            std::iter::once(known).chain(read.iter().map(|it| it.examples)).map(|it| it.slice(-1, 0, 2));
        let squares: Vec<Var<'_>> = seen.map(|x| (x.t().matmul(x) / n as f32).reshape(&[1, 4])).collect();
        Var::concat(&squares, 0).keep("attention.curvature");
        let after = std::iter::once(queries).chain(read.iter().map(|it| it.queries));
        let said: Vec<Var<'_>> = after.map(|it| prediction(it).reshape(&[1, 3])).collect();
        let said = Var::concat(&said, 0); // [layer, query]
        said.slice(-1, 0, 2).keep("attention.w");
        said.slice(-1, 2, 1).flat().keep("attention.prediction");
    }
}

/// The loss of two weights, `(w - best)^T A (w - best) / 2` and what no weights fit.
pub(super) struct Surface {
    /// `X^T X / N`, and a little along the diagonal: where examples lie on a line through zero the valley has no end.
    matrix: Matrix2<f64>,
    /// Where it is least.
    pub(super) best: Vector2<f64>,
}

/// What is added along the diagonal.
const LITTLE: f64 = 1e-4;

/// Points of a ring.
const RING: usize = 160;

impl Surface {
    pub(super) fn of(it: &Examples) -> Self {
        let n = it.y.len() as f64;
        let square = it.x.tr_mul(&it.x) / n;
        let matrix = Matrix2::from_fn(|i, j| square[(i, j)]) + Matrix2::identity() * LITTLE;
        let best = crate::regression::ridge(it, LITTLE * n);
        Self { matrix, best: Vector2::new(best[0], best[1]) }
    }

    /// How much higher than at its least it is.
    pub(super) fn above(&self, w: [f32; 2]) -> f64 {
        let off = Vector2::new(f64::from(w[0]), f64::from(w[1])) - self.best;
        0.5 * off.dot(&(self.matrix * off))
    }

    /// The ring at which it is `above` its least: `best + L^-T u sqrt(2 above)` for `A = L L^T` and unit vectors `u`.
    pub(super) fn ring(&self, above: f64) -> Vec<[f32; 2]> {
        let Some(root) = self.matrix.cholesky() else { return vec![] };
        let point = |i: usize| {
            let angle = std::f64::consts::TAU * i as f64 / RING as f64;
            let unit = Vector2::new(angle.cos(), angle.sin());
            let off = root.l().transpose().solve_upper_triangular(&unit).unwrap_or_default();
            let at = self.best + off * (2.0 * above).sqrt();
            [at[0] as f32, at[1] as f32]
        };
        (0..=RING).map(point).collect()
    }
}
