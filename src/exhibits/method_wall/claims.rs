//! The claims of the method wall as measurements.

use super::{MethodWall, small};
use crate::data::Image;
use crate::exhibits::looking::Looking;
use crate::exhibits::{Check, Exhibit, Inputs, Measure, worst};
use crate::graph::{Graph, Var};
use crate::models::{Vision, Zoo};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::saliency::gradient::Walked;
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::{Look, Method, from_black};
use crate::saliency::normgrad::{Aggregate, Identity, normgrad};
use crate::saliency::probe::{Wanted, probe};
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
    let check = |name, claim, tolerance, because, model, measure| Check {
        name,
        claim,
        tolerance,
        because,
        model,
        measure: Measure::Scalar(measure),
    };
    vec![
        check(
            "integrated gradients add up",
            "the entries of integrated gradients sum to the logit of the picture less that of black: the error over that \
             difference (second collage, 256 steps)",
            0.01,
            "the mean over 256 places of a path with kinks; the wall looks at more where they are needed",
            CNN,
            adds_up,
        ),
        check(
            "selective ≤ scaling ≤ 1 x 1",
            "at the places of the last layer but one (first collage), the largest ratio of a smaller norm to the larger one",
            1.0 + 1e-6,
            "1 where a single channel responds; f32 rounding",
            CNN,
            nested,
        ),
        check(
            "the model is asked",
            "rank correlation of the gradient's map of the first collage before and after the model has forgotten everything, \
             sign dropped",
            0.5,
            "the sanity check of Adebayo et al.: the gradient passes it",
            CNN,
            forgets,
        ),
        check(
            "relevance keeps each token",
            "by how much the diagonal of relevance falls below 1, or an entry below 0, and the rows of rollout are off 1 (one boot)",
            1e-5,
            "sums of products of f32 patterns through 6 blocks",
            VIT,
            relevance_grows,
        ),
        Check {
            name: "GPU equals CPU",
            claim: "all maps and curves of the first collage on the GPU and on the CPU: largest difference",
            tolerance: 2e-2,
            because: "f32 sums in another order; norms and logits reach 50, and a place may change its rank",
            model: CNN,
            measure: Measure::Devices(|zoo| MethodWall::default().record(&Inputs::default(), zoo)),
        },
    ]
}

/// A model and a picture as it takes it.
fn begin<'z>(zoo: &'z Zoo, model: &str, picture: Image) -> Option<(&'z dyn Vision, Tensor)> {
    let looking = Looking { model: model.to_owned(), ..Looking::default() };
    looking.sees(&Inputs { picture, ..Inputs::default() }, zoo)
}

fn adds_up(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo, CNN, Image::Collage(1))?;
    let g = Graph::default();
    let p = Params::new(&g, model.weights());
    let probe = probe(model, g.input(&image), &p, |logits| Wanted::Likeliest.one_hot(logits));
    let first = from_black(model, &p, &probe, Walked::nothing(probe.image.0));
    let all = (1..STRETCHES).fold(first, |it, _| from_black(model, &p, &probe, it.path));
    ((total(all.parts) - all.whole) / all.whole).abs().keep("error");
    Some(g)
}

fn nested(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo, CNN, Image::Collage(0))?;
    let g = Graph::default();
    let p = Params::new(&g, model.weights());
    let probe = probe(model, g.input(&image), &p, |logits| Wanted::Likeliest.one_hot(logits));
    let (_, x, dx) = probe.layers.iter().rev().nth(1)?;
    let selective = normgrad(*x, *dx, Identity::Scaling, Aggregate::Selective);
    let scaling = normgrad(*x, *dx, Identity::Scaling, Aggregate::Norm);
    let outer = normgrad(*x, *dx, Identity::Conv1x1, Aggregate::Norm);
    let tiny = g.constant(f32::MIN_POSITIVE);
    worst([selective / scaling.max_with(tiny), scaling / outer.max_with(tiny)])?.keep("error");
    Some(g)
}

fn forgets(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo, CNN, Image::Collage(0))?;
    let g = Graph::default();
    let image = g.input(&image);
    let state = MethodWall::default();
    let names = super::names(model);
    let layers = super::forget::groups(&names).len();
    let after = state.untrained.parameters(&g, model.weights(), &names, layers);
    let trained = probe(model, image, &Params::new(&g, model.weights()), |z| Wanted::Likeliest.one_hot(z));
    let p = Params::recorded(&g, &after);
    let forgotten = g.scope("forgotten", || probe(model, image, &p, |_| trained.one_hot));
    let look = Look { layer: 0, path: Walked::nothing(image) };
    let before = Method::Gradient.map(model, &p, &trained, look)?;
    let now = Method::Gradient.map(model, &p, &forgotten, look)?;
    rank_correlation(small(before).flat(), small(now).flat()).abs().keep("error");
    Some(g)
}

fn relevance_grows(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo, VIT, Image::Clothes(36))?;
    let g = Graph::default();
    let p = Params::new(&g, model.weights());
    let probe = probe(model, g.input(&image), &p, |logits| Wanted::Likeliest.one_hot(logits));
    let relevance = *relevance(&probe.patterns).last()?;
    let patterns: Vec<Var<'_>> = probe.patterns.iter().map(|it| it.0).collect();
    let rolled = *rollout(&patterns).last()?;
    let n = relevance.dim(-1);
    let identity = g.input(&Tensor::from_fn(&[n, n], |at| f32::from(u8::from(at[0] == at[1]))));
    let below = (identity - relevance).max_with(g.constant(0.0)); // what is off the diagonal must not be negative
    worst([below, rolled.sum(-1) - 1.0])?.keep("error");
    Some(g)
}
