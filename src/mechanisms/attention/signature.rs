//! Attention as anybody calls it.

use super::{Attention, Normaliser, Positive, Score, untapped};
use crate::mechanisms::Given;
use crate::mechanisms::field::{Places, causal};
use crate::mechanisms::signature::{Mechanism, Parameter, Port, Unset, Within};

/// Scaled dot-product attention, and what papers made of it.
pub const MECHANISM: Mechanism = Mechanism {
    id: "attention",
    formula: "softmax(scale Q K^T) V",
    inputs: &[
        Port::new("q", "head pos d_head"),
        Port::new("k", "head pos d_head"),
        Port::new("v", "head pos d_value"),
        Port::new("multiply", FIELD).optional().about("multiplies the scores"),
        Port::new("add", FIELD).optional().about("is added to the scores"),
        Port::new("mask", FIELD)
            .optional()
            .within(Within::BIT)
            .about("1 where a query sees a key, 0 where not"),
        Port::new("weigh", FIELD).optional().about("multiplies the weights"),
        Port::new("gate", "head pos d_value").optional().about("multiplies what comes out"),
    ],
    parameters: &[
        Parameter::switch("causal", "no query sees a later key"),
        Parameter::number("scale", Unset::Follows("1/sqrt d_head"), Within::REAL, "factor of the scores"),
        Parameter::choice("score", &["dot", "cosine", "distance"], "q.k, its cosine, or -|q-k|^2/2"),
        Parameter::choice(
            "normaliser",
            &["softmax", "sigmoid", "clipped", "top-k", "l1", "none"],
            "from scores to weights",
        ),
        Parameter::number("bias", Unset::Follows("-log pos"), Within::REAL, "sigmoid: added to the scores"),
        Parameter::number("zeta", Unset::Is("1"), STRETCH, "clipped: to where softmax is stretched"),
        Parameter::number("gamma", Unset::Is("-0.03"), NEGATIVE, "clipped: from where"),
        Parameter::count("k", Unset::Follows("pos"), "top-k: how many keys a query keeps"),
        Parameter::choice(
            "map",
            &["relu", "square", "softplus", "given"],
            "l1: max(0,s), its square, log(1+e^s), or s that is not negative",
        ),
        Parameter::switch(
            "renormalise",
            "the weights of a query are divided by the sum of their absolute values",
        ),
        Parameter::switch("lse", "the log sum exp of each row comes out too"),
    ],
    outputs: &[
        Port::new("pattern", "head query key"),
        Port::new("z", "head pos d_value"),
        Port::new("lse", "head query").when("lse").about("log sum_j exp of the scores with fields and mask"),
    ],
    lengths: &[],
    source: "Vaswani et al. 2017, arXiv 1706.03762, eq. 1",
    record: |it| {
        record(it);
        Ok(())
    },
};

const FIELD: &str = "head query key";
const STRETCH: Within = Within { from: 1.0, ..Within::REAL };
const NEGATIVE: Within = Within { to: 0.0, ..Within::REAL };

fn record(it: &Given<'_>) {
    let [q, k, v] = ["q", "k", "v"].map(|name| it.tensor(name));
    let pos = q.dim(-2);
    let earlier = it.is("causal").then(|| Places::line(pos).mask(it.graph(), causal));
    let usual = Attention::scaled(q.dim(-1));
    let attention = Attention {
        score: match it.choice("score") {
            "cosine" => Score::Cosine,
            "distance" => Score::Distance,
            _ => Score::Dot,
        },
        scale: it.number("scale").unwrap_or(usual.scale),
        multiply: it.maybe("multiply"),
        add: it.maybe("add"),
        mask: match (earlier, it.maybe("mask")) {
            (Some(a), Some(b)) => Some(a * b),
            (a, b) => a.or(b),
        },
        normaliser: normaliser(it, pos),
        weigh: it.maybe("weigh"),
        renormalise: it.is("renormalise"),
        gate: it.maybe("gate"),
    };
    let attended = attention.record(q, k, v, untapped);
    attended.pattern.keep("pattern");
    attended.z.keep("z");
    if it.is("lse") {
        attended.log_sum_exp().keep("lse");
    }
}

fn normaliser(it: &Given<'_>, pos: usize) -> Normaliser {
    let number = |name| it.number(name).unwrap_or_default();
    match it.choice("normaliser") {
        "sigmoid" => Normaliser::Sigmoid { bias: it.number("bias").unwrap_or(-(pos as f32).ln()) },
        "clipped" => Normaliser::Clipped { zeta: number("zeta"), gamma: number("gamma") },
        "top-k" => Normaliser::TopK(it.count("k").unwrap_or(pos)),
        "l1" => Normaliser::L1(match it.choice("map") {
            "square" => Positive::Square,
            "softplus" => Positive::Softplus,
            "given" => Positive::Given,
            _ => Positive::Relu,
        }),
        "none" => Normaliser::None,
        _ => Normaliser::Softmax,
    }
}
