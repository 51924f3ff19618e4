//! From an image to a row of tokens.

use super::Params;
use crate::graph::Var;

/// Each patch flattened and projected (Dosovitskiy et al. 2020, arXiv 2010.11929, eq. 1):
/// `[.., row, col, channel] -> [.., patch, d_model]`, patches row by row. The weight is `[d_model, channel, p, p]`, as
/// `torch.nn` keeps that of a convolution with stride `p`.
pub fn patch_embed<'g>(x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
    let (weight, shape) = (p.get("weight"), x.shape());
    let [d, c, ph, pw] = weight.shape()[..] else {
        panic!("patches are projected by [d_model, channel, p, p]")
    };
    let [lead @ .., rows, cols, channels] = &shape[..] else { panic!("an image is [row, col, channel]") };
    let whole = rows.is_multiple_of(ph) && cols.is_multiple_of(pw) && *channels == c;
    assert!(whole, "patches of [{ph}, {pw}, {c}] in an image of {shape:?}");
    let (h, w, n) = (rows / ph, cols / pw, lead.len());

    let x = x.reshape(&[lead, &[h, ph, w, pw, c]].concat());
    let order: Vec<usize> = (0..n).chain([0, 2, 4, 1, 3].map(|axis| n + axis)).collect();
    let x = x.permute(&order).reshape(&[lead, &[h * w, c * ph * pw]].concat()); // [.., patch, channel * p * p]
    x.matmul(weight.reshape(&[d, c * ph * pw]).t()) + p.get("bias") // [.., patch, d_model]
}
