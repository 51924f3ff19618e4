//! The claims of the next character as measurements.

use super::MODEL;
use crate::exhibits::{Check, error, largest, worst};
use crate::graph::{Graph, Var};
use crate::models::{Gpt, Zoo};
use crate::nn::loss::surprise;

/// A passage of the part of Shakespeare that training never saw: Twelfth Night, act 3, scene 2.
const UNSEEN: &str = "where you will hang like an\nicicle on Dutchman's beard, unless you do redeem it by some\nlaudable \
                      attempt either of valour or policy.";

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let checks = [
        Check::of("probabilities sum to 1", sums)
            .says("at every position and after every layer, of lines of Twelfth Night: largest |sum - 1|")
            .within(1e-5, "f32 sum of 84 probabilities"),
        Check::of("nothing looks ahead", looks_ahead)
            .says("logits do not change when the text (lines of Twelfth Night) goes on: largest difference to those of its first \
                   half")
            .within(1e-4, "f32 sums in another order, logits of size 20"),
        Check::of("it has learnt", has_learnt)
            .says("mean surprise per character, in nats, of lines of Twelfth Night that it never saw")
            .within(
                1.75,
                "equally likely characters would cost 4.43, single frequent ones about 3; the target was 1.75",
            ),
        Check::devices(patterns)
            .says("patterns and the logits of every layer on the GPU and on the CPU, of lines of Twelfth Night: largest \
                   difference")
            .within(5e-4, "f32 sums in another order through 4 layers, logits of size 20"),
    ];
    checks.map(|it| it.on(MODEL)).into()
}

/// Records, as the check's error, what `measure` makes of the read-outs of lines that the model never saw.
fn error_of(
    zoo: &Zoo,
    measure: impl for<'g> FnOnce(&Gpt, &[Var<'g>], &[u32]) -> Option<Var<'g>>,
) -> Option<Graph> {
    let gpt = zoo.model::<Gpt>(MODEL)?;
    let ids = &gpt.tokenizer.encode(UNSEEN).ids;
    error(|g| measure(gpt, &gpt.stages(g, ids), ids))
}

fn sums(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, |_, stages, _| worst(stages.iter().map(|it| it.softmax().sum(-1) - 1.0)))
}

fn looks_ahead(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, |gpt, stages, ids| {
        let (logits, half) = (stages.last()?, ids.len() / 2);
        let g = logits.graph();
        let alone = g.scope("half", || gpt.record(g, &ids[..half])).logits;
        Some(largest(logits.slice(0, 0, half) - alone))
    })
}

fn has_learnt(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, |_, stages, ids| Some(surprise(*stages.last()?, ids).mean(0)))
}

fn patterns(zoo: &Zoo) -> Option<Graph> {
    let gpt = zoo.model::<Gpt>(MODEL)?;
    let g = Graph::new(&["blocks.*.attn.pattern"], &[]);
    for (l, logits) in gpt.stages(&g, &gpt.tokenizer.encode(UNSEEN).ids).iter().enumerate() {
        logits.keep(&format!("lens.{l}"));
    }
    Some(g)
}
