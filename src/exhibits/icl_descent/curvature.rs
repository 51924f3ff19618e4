//! What GD++ does to the inputs: `(I - gamma X X^T) x` for each of them, layer by layer, which evens out the valley.

use nalgebra::Matrix2;

use super::LAYERS;
use super::picture::{ATTENTION, REFERENCE, plane};
use crate::trace::Trace;
use crate::ui::{Chart, Form};

/// Points of an ellipse.
const RING: usize = 96;

/// `X^T X / N` before every layer, and after the last.
pub(super) fn of(trace: &Trace) -> Option<Vec<Matrix2<f64>>> {
    let all = trace.get("attention.curvature")?.window(0..4 * (LAYERS + 1))?;
    let matrix = |it: &[f32]| Matrix2::from_fn(|i, j| f64::from(it[2 * i + j]));
    Some(all.chunks(4).map(matrix).collect())
}

/// How much longer than wide the valley is: the ratio of the eigenvalues. 0 where it is flat, or not finite.
pub(super) fn condition(it: &Matrix2<f64>) -> f64 {
    if !finite(it) {
        return 0.0;
    }
    let values = it.symmetric_eigenvalues();
    let ratio = values.max() / values.min();
    if ratio.is_finite() && ratio > 0.0 { ratio } else { 0.0 }
}

/// The inputs that layers see as ellipses one standard deviation from 0: before any, after so many, and between.
pub(super) fn chart(all: &[Matrix2<f64>], steps: usize) -> Chart {
    let mut chart = plane(["x 1", "x 2"], 1.0, 1);
    for it in &all[..=steps] {
        chart = chart.with("", REFERENCE, Form::Contour, outline(it));
    }
    let name = if steps == 1 { "1 layer".to_owned() } else { format!("{steps} layers") };
    chart.with("before", REFERENCE, Form::Contour, outline(&all[0])).with(
        name,
        ATTENTION,
        Form::Dashed,
        outline(&all[steps]),
    )
}

/// Whether a gamma that is too large has not taken it away.
fn finite(it: &Matrix2<f64>) -> bool {
    it.iter().all(|it| it.is_finite())
}

/// Where the root of a covariance takes the unit circle, as far as it is finite.
fn outline(it: &Matrix2<f64>) -> Vec<[f32; 2]> {
    if !finite(it) {
        return vec![];
    }
    let eigen = it.symmetric_eigen();
    let scaled = eigen.eigenvectors * Matrix2::from_diagonal(&eigen.eigenvalues.map(|it| it.max(0.0).sqrt()));
    let point = |i: usize| {
        let (sine, cosine) = (std::f64::consts::TAU * i as f64 / RING as f64).sin_cos();
        let at = scaled * nalgebra::Vector2::new(cosine, sine);
        [at[0] as f32, at[1] as f32]
    };
    (0..=RING).map(point).filter(|it| it.iter().all(|x| x.abs() < 1e3)).collect()
}
