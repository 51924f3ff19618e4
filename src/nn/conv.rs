//! Convolutions and pooling over images `[.., row, col, channel]`, in primitives.
//!
//! Channels come last. A convolution is then one product `[row * col, kh kw in] x [kh kw in, out]`: its windows are
//! gathered in runs of `kw in` neighbours, a 1 x 1 convolution gathers nothing at all, the product spans the whole batch,
//! and it takes the bias along. With channels first each of these would be another pass over memory. Kernels are
//! `[kh, kw, in, out]`, the order of the product (as in JAX and TensorFlow).

use super::Params;
use crate::graph::{Slide, Var};

/// `y[i, j] = sum_{u, v} x[s i + u, s j + v] W[u, v] + b` (Dumoulin & Visin 2016, arXiv 1603.07285, section 2.3, without
/// padding): `[.., h, w, in] -> [.., (h - kh) / s + 1, (w - kw) / s + 1, out]`.
pub fn conv2d<'g>(x: Var<'g>, weight: Var<'g>, bias: Var<'g>, stride: usize) -> Var<'g> {
    let [kh, kw, c, out] = weight.shape()[..] else { panic!("a kernel is [kh, kw, in, out]") };
    assert_eq!(x.dim(-1), c, "a convolution of {c} channels over {:?}", x.shape());
    let row = x.shape().len() - 3;
    let windows = x.window(-3, kh, stride).window(row as isize + 1, kw, stride); // [.., oh, ow, in, kh, kw]
    let order: Vec<usize> = (0..row + 2).chain([row + 3, row + 4, row + 2]).collect();
    let windows = windows.permute(&order); // [.., oh, ow, kh, kw, in]
    let places = windows.shape()[..row + 2].to_vec();
    let rows = windows.reshape(&[places.iter().product(), kh * kw * c]); // [places, kh kw in]
    let y = rows.matmul(weight.reshape(&[kh * kw * c, out])) + bias; // [places, out]
    y.reshape(&[&places[..], &[out]].concat())
}

/// The same for each channel on its own (Howard et al. 2017, arXiv 1704.04861, eq. 3), with a kernel `[kh, kw, channel]`.
pub fn depthwise_conv2d<'g>(x: Var<'g>, weight: Var<'g>, bias: Var<'g>, stride: usize) -> Var<'g> {
    x.depthwise(weight, Slide::within(stride)) + bias
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
        if after == 0 { x } else { x.pad(axis, before, after, 0.0) }
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
    conv2d(pad_same(x, weight.dim(0), stride), weight, p.get("bias"), stride)
}

/// A depthwise convolution with a bias, padded to keep `ceil(n / stride)` places.
pub fn depthwise_conv<'g>(x: Var<'g>, p: &Params<'_, 'g>, stride: usize) -> Var<'g> {
    let weight = p.get("weight");
    let around = [-3, -2].map(|axis| around(x.dim(axis), weight.dim(0), stride));
    x.depthwise(weight, Slide { stride, around }) + p.get("bias")
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
