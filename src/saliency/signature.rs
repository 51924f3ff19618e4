//! The signatures of the methods that need nothing but tensors.

use super::gradient::{grad_cam, linear_approximation};
use super::normgrad::{Aggregate, Identity, normgrad};
use super::relevance::relevance;
use super::rollout::rollout;
use crate::graph::Var;
use crate::mechanisms::{Mechanism, Parameter, Port};

/// Attention followed through the layers.
pub(crate) const ROLLOUT: Mechanism = Mechanism {
    id: "rollout",
    formula: "R[l] = (mean_h A[l,h] + I)/2 R[l-1]",
    inputs: &[Port::new("patterns", LAYERS)],
    parameters: &[],
    outputs: &[Port::new("rollout", "layer query key")],
    lengths: &[],
    source: "Abnar & Zuidema 2020, arXiv 2005.00928, section 3",
    record: |it| {
        stacked(&rollout(&layers(it.tensor("patterns")))).keep("rollout");
        Ok(())
    },
};

/// Attention with its gradient, followed through the layers.
pub(crate) const RELEVANCE: Mechanism = Mechanism {
    id: "relevance",
    formula: "R[l] = R[l-1] + mean_h max(0, A o dz/dA) R[l-1], from R = I",
    inputs: &[Port::new("patterns", LAYERS), Port::new("gradients", LAYERS)],
    parameters: &[],
    outputs: &[Port::new("relevance", "layer query key")],
    lengths: &[],
    source: "Chefer, Gur & Wolf 2021, arXiv 2103.15679, eq. 5 and 6",
    record: |it| {
        let [patterns, gradients] = ["patterns", "gradients"].map(|name| layers(it.tensor(name)));
        let pairs: Vec<_> = patterns.into_iter().zip(gradients).collect();
        stacked(&relevance(&pairs)).keep("relevance");
        Ok(())
    },
};

/// What an identity layer put at each place would learn.
pub(crate) const NORMGRAD: Mechanism = Mechanism {
    id: "normgrad",
    formula: "|x_u g_u^T| = |x_u| |g_u|",
    inputs: &[Port::new("x", PLACES), Port::new("g", PLACES)],
    parameters: &[
        Parameter::choice(
            "identity",
            &["conv1x1", "bias", "scaling", "conv3x3", "depthwise3x3"],
            "the layer that is thought to be there",
        ),
        Parameter::choice("aggregate", &["norm", "selective", "sum", "max"], "from its gradient to a number"),
    ],
    outputs: MAP,
    lengths: &[],
    source: "Rebuffi, Fong, Ji & Vedaldi 2020, arXiv 2004.02866, section 3",
    record: |it| {
        let identity = match it.choice("identity") {
            "bias" => Identity::Bias,
            "scaling" => Identity::Scaling,
            "conv3x3" => Identity::Conv3x3,
            "depthwise3x3" => Identity::Depthwise3x3,
            _ => Identity::Conv1x1,
        };
        let aggregate = match it.choice("aggregate") {
            "selective" => Aggregate::Selective,
            "sum" => Aggregate::Sum,
            "max" => Aggregate::Max,
            _ => Aggregate::Norm,
        };
        normgrad(it.tensor("x"), it.tensor("g"), identity, aggregate).keep("map");
        Ok(())
    },
};

/// Channels weighted by their mean gradient.
pub(crate) const GRAD_CAM: Mechanism = Mechanism {
    id: "grad-cam",
    formula: "max(0, sum_c x_uc mean_v g_vc)",
    inputs: &[Port::new("x", PLACES), Port::new("g", PLACES)],
    parameters: &[],
    outputs: MAP,
    lengths: &[],
    source: "Selvaraju et al. 2016, arXiv 1610.02391, eq. 1 and 2",
    record: |it| {
        grad_cam(it.tensor("x"), it.tensor("g")).keep("map");
        Ok(())
    },
};

/// What removing a place would cost, to first order.
pub(crate) const LINEAR_APPROXIMATION: Mechanism = Mechanism {
    id: "linear-approximation",
    formula: "sum_c x_uc g_uc",
    inputs: &[Port::new("x", PLACES), Port::new("g", PLACES)],
    parameters: &[],
    outputs: MAP,
    lengths: &[],
    source: "Rebuffi, Fong, Ji & Vedaldi 2020, arXiv 2004.02866, section 3",
    record: |it| {
        linear_approximation(it.tensor("x"), it.tensor("g")).keep("map");
        Ok(())
    },
};

const LAYERS: &str = "layer head query key";
const PLACES: &str = "row col channel";
const MAP: &[Port] = &[Port::new("map", "row col")];

/// `[layer, head, query, key]` as one `[head, query, key]` a layer.
fn layers(x: Var<'_>) -> Vec<Var<'_>> {
    let shape = x.shape();
    (0..shape[0]).map(|l| x.slice(0, l, 1).reshape(&shape[1..])).collect()
}

/// One `[query, key]` a layer as `[layer, query, key]`.
fn stacked<'g>(layers: &[Var<'g>]) -> Var<'g> {
    let parts: Vec<Var<'g>> = layers.iter().map(|it| it.reshape(&[&[1], &it.shape()[..]].concat())).collect();
    Var::concat(&parts, 0)
}
