//! Convolutions and pooling over images `[.., row, col, channel]`, in primitives.
//!
//! Channels come last. A convolution is then one product `[row * col, kh kw in] x [kh kw in, out]` whose left side is read in runs
//! of `kw in` neighbours, and a 1 x 1 convolution is a product as it is. Kernels are `[kh, kw, in, out]`, the order of the product
//! (as in JAX and TensorFlow).

use super::Params;
use crate::graph::{Slide, Var};

/// `y[i, j] = sum_{u, v} x[s i + u, s j + v] W[u, v] + b` (Dumoulin & Visin 2016, arXiv 1603.07285, section 2.3, without
/// padding): `[.., h, w, in] -> [.., (h - kh) / s + 1, (w - kw) / s + 1, out]`.
pub fn conv2d<'g>(x: Var<'g>, weight: Var<'g>, bias: Var<'g>, stride: usize) -> Var<'g> {
    assert_eq!(weight.shape().len(), 4, "a kernel is [kh, kw, in, out]");
    x.conv(weight, Slide::within(stride)) + bias
}

/// The same for each channel on its own (Howard et al. 2017, arXiv 1704.04861, eq. 3), with a kernel `[kh, kw, channel]`.
pub fn depthwise_conv2d<'g>(x: Var<'g>, weight: Var<'g>, bias: Var<'g>, stride: usize) -> Var<'g> {
    assert_eq!(weight.shape().len(), 3, "a depthwise kernel is [kh, kw, channel]");
    x.conv(weight, Slide::within(stride)) + bias
}

/// The largest of each `size x size` window. Its derivative is all that of the first of equal values, row after row, as in
/// PyTorch's `max_pool2d`: on flat ground, and wherever a `ReLU` left zeros, a window has several.
pub fn max_pool(x: Var<'_>, size: usize, stride: usize) -> Var<'_> {
    let windows = shifts(x, [size; 2], stride);
    windows.reduce(Var::or_larger).unwrap_or(x)
}

/// The mean of each `size x size` window.
pub fn avg_pool(x: Var<'_>, size: usize, stride: usize) -> Var<'_> {
    let windows = shifts(x, [size; 2], stride);
    windows.reduce(|sum, x| sum + x).unwrap_or(x) / (size * size) as f32
}

/// The mean over all places: `[.., row, col, channel] -> [.., channel]` (Lin et al. 2013, arXiv 1312.4400, section 3.2).
pub fn global_avg_pool(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    let [lead @ .., h, w, c] = &shape[..] else { panic!("an image is [row, col, channel], not {shape:?}") };
    let x = x.reshape(&[lead, &[h * w, *c]].concat());
    x.mean(-2).reshape(&[lead, &[*c]].concat())
}

/// Zeros around the image, so that windows of `size` at `stride` give `ceil(n / stride)` places; where their number is odd
/// the last side gets one more (TensorFlow's `SAME`).
pub fn pad_same(x: Var<'_>, size: usize, stride: usize) -> Var<'_> {
    [-3, -2].into_iter().fold(x, |x, axis| {
        let [before, after] = around(x.dim(axis), size, stride);
        x.pad(axis, before, after, 0.0)
    })
}

/// How many zeros `pad_same` puts before `n` places and after them.
fn around(n: usize, size: usize, stride: usize) -> [usize; 2] {
    let more = ((n.div_ceil(stride) - 1) * stride + size).saturating_sub(n);
    [more / 2, more - more / 2]
}

/// A convolution with a bias, padded to keep `ceil(n / stride)` places.
pub fn conv<'g>(x: Var<'g>, p: &Params<'_, 'g>, stride: usize) -> Var<'g> {
    let weight = p.get("weight");
    let around = [(-3, 0), (-2, 1)].map(|(axis, side)| around(x.dim(axis), weight.dim(side), stride));
    x.conv(weight, Slide { stride, around }) + p.get("bias")
}

/// A depthwise convolution with a bias, padded to keep `ceil(n / stride)` places.
pub fn depthwise_conv<'g>(x: Var<'g>, p: &Params<'_, 'g>, stride: usize) -> Var<'g> {
    assert_eq!(p.get("weight").shape().len(), 3, "a depthwise kernel is [kh, kw, channel]");
    conv(x, p, stride)
}

/// What each position of a `kh x kw` window sees, as an image: the window's first row first.
fn shifts(x: Var<'_>, [kh, kw]: [usize; 2], stride: usize) -> impl Iterator<Item = Var<'_>> {
    let places = |n: usize, k: usize| {
        assert!((1..=n).contains(&k), "a window of {k} over {n} places");
        (n - k) / stride + 1
    };
    let (h, w) = (places(x.dim(-3), kh), places(x.dim(-2), kw));
    (0..kh * kw).map(move |k| x.strided(-3, k / kw, h, stride).strided(-2, k % kw, w, stride))
}
