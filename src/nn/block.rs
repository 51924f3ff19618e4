//! The block that ViT and GPT share: attention and an MLP, each behind a layer norm of its own, so that the residual
//! stream runs through untouched.

use super::{Activation, Params, join_heads, layer_norm, linear, split_heads, tap};
use crate::graph::Var;
use crate::mechanisms::attention::Attention;
use crate::mechanisms::rmt::Manhattan;

/// How the heads of a block attend.
#[derive(Clone, Copy)]
pub enum Attends<'g> {
    /// To all places at once.
    AtOnce(Attention<'g>),
    /// Along the rows of a grid, then along its columns, with scores divided by the root of `d_head`.
    ByRowsAndColumns(Manhattan<'g>),
}

/// How the blocks of a model compute. Their parameters have timm's names: `norm1`, `attn.qkv`, `attn.proj`, `norm2`,
/// `mlp.fc1`, `mlp.fc2`.
#[derive(Clone, Copy)]
pub struct Block<'g> {
    /// Attention heads.
    pub heads: usize,
    /// What layer norms add to the variance.
    pub eps: f32,
    /// Between the two layers of the MLP.
    pub activation: Activation,
    /// How its heads attend.
    pub attends: Attends<'g>,
}

impl<'g> Block<'g> {
    /// Block `l` on the residual stream `x`, `[.., pos, d_model]` (Dosovitskiy et al. 2020, arXiv 2010.11929, eq. 2 and 3;
    /// Radford et al. 2019, section 2.3): `x + attention(norm(x))`, then `x + mlp(norm(x))`.
    pub fn record(&self, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        let tap = |x, name: &str| tap(x, &format!("blocks.{l}.{name}"), "pos d_model");

        let x = tap(x, "resid_pre");
        let normed = tap(layer_norm(x, &p.at("norm1"), self.eps), "ln1");
        let a = tap(self.attention(l, normed, &p.at("attn")), "attn_out");
        let x = tap(x + a, "resid_mid");

        let normed = tap(layer_norm(x, &p.at("norm2"), self.eps), "ln2");
        let m = tap(self.mlp(l, normed, &p.at("mlp")), "mlp_out");
        tap(x + m, "resid_post")
    }

    /// What all heads took, joined and projected.
    fn attention(&self, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        let tap = |x, name: &str, axes: &str| tap(x, &format!("blocks.{l}.attn.{name}"), axes);
        let d = x.dim(-1);
        let qkv = linear(x, &p.at("qkv")); // [.., pos, 3 d_model]
        let part = |i: usize| split_heads(qkv.slice(-1, i * d, d), self.heads);

        let q = tap(part(0), "q", "head pos d_head");
        let k = tap(part(1), "k", "head pos d_head");
        let v = tap(part(2), "v", "head pos d_head");
        let z = match self.attends {
            Attends::AtOnce(attention) => attention.record(q, k, v, tap).z,
            Attends::ByRowsAndColumns(manhattan) => {
                manhattan.rows_then_columns(q, k / (q.dim(-1) as f32).sqrt(), v, tap)
            }
        };
        linear(join_heads(z), &p.at("proj")) // [.., pos, d_model]
    }

    /// `f(x W_1 + b_1) W_2 + b_2`
    fn mlp(&self, l: usize, x: Var<'g>, p: &Params<'_, 'g>) -> Var<'g> {
        let tap = |x, name: &str| tap(x, &format!("blocks.{l}.mlp.{name}"), "pos d_mlp");
        let pre = tap(linear(x, &p.at("fc1")), "pre"); // [.., pos, d_mlp]
        let post = tap(self.activation.of(pre), "post");
        linear(post, &p.at("fc2")) // [.., pos, d_model]
    }
}

/// Name and shape of the parameters of block `l`.
pub fn parameters(l: usize, d: usize, d_mlp: usize) -> impl Iterator<Item = (String, Vec<usize>)> {
    let layers = [
        ("norm1", vec![d]),
        ("attn.qkv", vec![3 * d, d]),
        ("attn.proj", vec![d, d]),
        ("norm2", vec![d]),
        ("mlp.fc1", vec![d_mlp, d]),
        ("mlp.fc2", vec![d, d_mlp]),
    ];
    layers.into_iter().flat_map(move |(name, shape)| super::layer(&format!("blocks.{l}.{name}"), shape))
}
