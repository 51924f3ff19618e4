//! Layer normalisation (Ba, Kiros & Hinton 2016, arXiv 1607.06450).

use super::signature::{Mechanism, Parameter, Port, Unset, Within};

/// [`Var::layer_norm`](crate::graph::Var::layer_norm), which both devices have a kernel for.
pub const MECHANISM: Mechanism = Mechanism {
    id: "layer-norm",
    formula: "(x - mean x) / sqrt(var x + eps) weight + bias",
    inputs: &[
        Port::new("x", ".. d_model"),
        Port::new("weight", "d_model").optional(),
        Port::new("bias", "d_model").optional(),
    ],
    parameters: &[Parameter::number("eps", Unset::Is("1e-5"), Within::NOT_NEGATIVE, "added to the variance")],
    outputs: &[Port::new("y", ".. d_model")],
    lengths: &[],
    source: "Ba, Kiros & Hinton 2016, arXiv 1607.06450, eq. 4",
    record: |it| {
        let x = it.tensor("x");
        let row = |name, value| {
            it.maybe(name).unwrap_or_else(|| it.graph().constant(value).broadcast(&[x.dim(-1)]))
        };
        let eps = it.number("eps").unwrap_or_default();
        x.layer_norm(row("weight", 1.0), row("bias", 0.0), eps).keep("y");
        Ok(())
    },
};
