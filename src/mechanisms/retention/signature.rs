//! Retention as anybody calls it.

use super::{Form, Retention, rms_norm, rotate};
use crate::mechanisms::signature::{Mechanism, Parameter, Port, Unset, Within};
use crate::mechanisms::{CallError, Given};

/// Retention, from an empty state.
pub const MECHANISM: Mechanism = Mechanism {
    id: "retention",
    formula: "(Q K^T o D) V with D = gamma^(n - m) for m <= n",
    inputs: &[
        Port::new("q", "head pos d_head"),
        Port::new("k", "head pos d_head"),
        Port::new("v", "head pos d_value"),
        Port::new("gamma", "head").within(Within::SHARE),
    ],
    parameters: &[
        Parameter::choice("form", &["parallel", "recurrent", "chunkwise"], "how it is computed"),
        Parameter::count("chunk", Unset::Is("64"), "chunkwise: tokens in a piece"),
        Parameter::number("scale", Unset::Is("1"), Within::REAL, "factor of k; the paper has 1/sqrt d_head"),
        Parameter::switch("rotate", "q and k turn with their position, from 0"),
        Parameter::choice("norm", &["none", "rms"], "of what comes out, by head"),
        Parameter::number(
            "eps",
            Unset::Is("1e-6"),
            Within::NOT_NEGATIVE,
            "norm: added to the mean of squares",
        ),
    ],
    outputs: &[
        Port::new("z", "head pos d_value"),
        Port::new("decay", "head query key").about("D"),
        Port::new("state", "head d_head d_value").about("after the last token"),
    ],
    lengths: &[],
    source: "Sun et al. 2023, arXiv 2307.08621, eq. 5 to 7",
    record,
};

fn record(it: &Given<'_>) -> Result<(), CallError> {
    let [mut q, mut k, v] = ["q", "k", "v"].map(|name| it.tensor(name));
    if it.is("rotate") {
        if !q.dim(-1).is_multiple_of(2) {
            return Err(CallError::Misfit(format!(
                "rotate turns pairs of channels, but d_head is {}",
                q.dim(-1)
            )));
        }
        [q, k] = [q, k].map(|x| rotate(x, 0));
    }
    if let Some(scale) = it.number("scale").filter(|it| *it != 1.0) {
        k = k * scale;
    }
    let form = match it.choice("form") {
        "recurrent" => Form::Recurrent,
        "chunkwise" => Form::Chunkwise(it.count("chunk").unwrap_or(1)),
        _ => Form::Parallel,
    };
    let retention = Retention { gamma: it.tensor("gamma"), form };
    let retained = retention.record(q, k, v, None);
    let eps = it.number("eps").unwrap_or_default();
    let z = if it.choice("norm") == "rms" { rms_norm(retained.z, eps) } else { retained.z };
    z.keep("z");
    retention.decay(q.dim(-2)).keep("decay");
    retained.state.keep("state");
    Ok(())
}
