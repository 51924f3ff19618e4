//! The claims of the method wall as measurements.

use super::{MethodWall, small};
use crate::data::Image;
use crate::exhibits::{Check, error, usual, worst};
use crate::graph::{Graph, Var};
use crate::models::{Vision, Zoo};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::saliency::forget::groups;
use crate::saliency::gradient::Walked;
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::{Look, Method, from_black};
use crate::saliency::normgrad::{Aggregate, Identity, normgrad};
use crate::saliency::probe::{Probe, Wanted, probe};
use crate::saliency::relevance::relevance;
use crate::saliency::rollout::rollout;
use crate::tensor::Tensor;

/// The models that the claims are measured on.
const CNN: &str = "collage-cnn";
const VIT: &str = "fashion-vit";

/// So many stretches of a path are looked at to see whether integrated gradients add up.
const STRETCHES: usize = 8;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::of("integrated gradients add up", adds_up)
            .on(CNN)
            .says("the entries of integrated gradients sum to the logit of the picture less that of black: the error over that \
                   difference (second collage, 256 steps)")
            .within(
                0.01,
                "the mean over 256 places of a path with kinks; the wall looks at more where they are needed",
            ),
        Check::of("selective ≤ scaling ≤ 1 x 1", nested)
            .on(CNN)
            .says("at the places of the last layer but one (first collage), the largest ratio of a smaller norm to the larger one")
            .within(1.0 + 1e-6, "1 where a single channel responds; f32 rounding"),
        Check::of("the model is asked", forgets)
            .on(CNN)
            .says("rank correlation of the gradient's map of the first collage before and after the model has forgotten \
                   everything, sign dropped")
            .within(0.5, "the sanity check of Adebayo et al.: the gradient passes it"),
        Check::of("relevance keeps each token", relevance_grows)
            .on(VIT)
            .says("by how much the diagonal of relevance falls below 1, or an entry below 0, and the rows of rollout are off 1 \
                   (one boot)")
            .within(1e-5, "sums of products of f32 patterns through 6 blocks"),
        Check::devices(usual::<MethodWall>)
            .on(CNN)
            .says("all maps and curves of the first collage on the GPU and on the CPU: largest difference")
            .within(2e-2, "f32 sums in another order; norms and logits reach 50, and a place may change its rank"),
    ]
}

/// Records, as a check's error, what `measure` makes of a model on a picture, explained for its likeliest class.
fn error_of(
    zoo: &Zoo,
    model: &str,
    picture: &Image,
    measure: impl for<'g> FnOnce(&dyn Vision, &Params<'_, 'g>, Probe<'g>) -> Option<Var<'g>>,
) -> Option<Graph> {
    let model = zoo.vision(model)?;
    error(|g| {
        let p = Params::new(g, model.weights());
        let image = g.input(&model.image(picture)?);
        let probe = probe(model, image, &p, |logits| Wanted::Likeliest.one_hot(logits));
        measure(model, &p, probe)
    })
}

fn adds_up(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, CNN, &Image::Collage(1), |model, p, probe| {
        let first = from_black(model, p, &probe, Walked::nothing(probe.image.0));
        let all = (1..STRETCHES).fold(first, |it, _| from_black(model, p, &probe, it.path));
        Some(((total(all.parts) - all.whole) / all.whole).abs())
    })
}

fn nested(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, CNN, &Image::Collage(0), |_, _, probe| {
        let (_, x, dx) = probe.layers.iter().rev().nth(1)?;
        let [selective, scaling, outer] = [
            (Identity::Scaling, Aggregate::Selective),
            (Identity::Scaling, Aggregate::Norm),
            (Identity::Conv1x1, Aggregate::Norm),
        ]
        .map(|(identity, aggregate)| normgrad(*x, *dx, identity, aggregate));
        let tiny = x.graph().constant(f32::MIN_POSITIVE);
        worst([selective / scaling.max_with(tiny), scaling / outer.max_with(tiny)])
    })
}

fn forgets(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, CNN, &Image::Collage(0), |model, p, trained| {
        let (g, image) = (p.graph(), trained.image.0);
        let (state, names) = (MethodWall::default(), super::names(model));
        let after = state.untrained.parameters(g, model.weights(), &names, groups(&names).len());
        let after = Params::recorded(g, &after);
        let forgotten = g.scope("forgotten", || probe(model, image, &after, |_| trained.one_hot));
        let look = Look { layer: 0, path: Walked::nothing(image) };
        let maps = [trained, forgotten].map(|it| Method::Gradient.map(model, p, &it, look));
        let [before, now] = maps.map(|it| it.map(|map| small(map).flat()));
        Some(rank_correlation(before?, now?).abs())
    })
}

fn relevance_grows(zoo: &Zoo) -> Option<Graph> {
    error_of(zoo, VIT, &Image::Clothes(36), |_, _, probe| {
        let relevance = *relevance(&probe.patterns).last()?;
        let patterns: Vec<Var<'_>> = probe.patterns.iter().map(|it| it.0).collect();
        let rolled = *rollout(&patterns).last()?;
        let (g, n) = (relevance.graph(), relevance.dim(-1));
        let identity = g.input(&Tensor::from_fn(&[n, n], |at| f32::from(u8::from(at[0] == at[1]))));
        let below = (identity - relevance).max_with(g.constant(0.0)); // what is off the diagonal must not be negative
        worst([below, rolled.sum(-1) - 1.0])
    })
}
