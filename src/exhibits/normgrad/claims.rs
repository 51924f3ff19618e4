//! The claims of NormGrad as measurements.

use super::{NormGrad, measure};
use crate::data::Image;
use crate::exhibits::{Check, error, largest, usual};
use crate::graph::{Edit, Graph, How, Var};
use crate::models::{Vision, Zoo};
use crate::nn::Params;
use crate::nn::loss::{log_softmax, total};
use crate::saliency::meta::Stepped;
use crate::saliency::method::Method;
use crate::saliency::normgrad::{Aggregate, Identity, normgrad};
use crate::saliency::pointing::shares;
use crate::saliency::probe::{Probe, Wanted, probe};
use crate::tensor::Tensor;

/// The model that the claims are measured on.
const MODEL: &str = "collage-cnn";

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let checks = [
        Check::of("|x gᵀ| = |x| |g|", outer)
            .says("the norm of the outer product, made in full, equals the product of the norms at every place of the last layer \
                   (first collage): largest difference over the largest norm")
            .within(1e-5, "f32 sums of 64 x 64 squares"),
        Check::of("sum = real layer", inserted)
            .says("the sum of all contributions equals the gradient of an identity convolution really put behind the last layer \
                   (first collage): largest difference over the largest entry")
            .within(1e-5, "f32 sums over 196 places in two orders"),
        Check::of("a step goes downhill", downhill)
            .says("what a step of learning of length 0.00001 takes off the loss, over that length times the squared gradient: \
                   how far from 1 (first collage)")
            .within(0.05, "1 for a step without length; along this one the slope bends a little"),
        Check::of("NormGrad misses, last layer aside", misses)
            .says("a rate of misses: how often NormGrad points at another quarter than that which was asked for, in its worst \
                   layer (64 collages); without the last layer, whose gradient is the same at every place as their mean is \
                   read out, and where it misses more")
            .within(0.2, "chance misses 0.75; VGG16 as published misses 0.22 at worst"),
        Check::of("Grad-CAM's hits, first layer ÷ last", grad_cam_early)
            .says("how often Grad-CAM hits the quarter that was asked for in the first layer, over how often in the last (64 \
                   collages)")
            .within(
                0.5,
                "chance hits 0.25; VGG16 as published has 0.68, whose other layers are as bad as its first",
            ),
        Check::of("a step helps the class", helps)
            .says("rank correlation of the maps for the likeliest and the least likely class after a step of 0.0025, over that \
                   before (8 collages, mean of all layers)")
            .within(0.95, "1 would be no help; the paper claims that a step helps (section 3.5)"),
        Check::devices(usual::<NormGrad>)
            .says("all maps of the first collage on the GPU and on the CPU: largest difference")
            .within(1e-2, "f32 sums in another order; norms reach 50"),
    ];
    checks.map(|it| it.on(MODEL)).into()
}

/// The model of the claims on the first collage, explained for its likeliest class.
fn probed<'g>(g: &'g Graph, model: &dyn Vision) -> Option<Probe<'g>> {
    let p = Params::new(g, model.weights());
    let image = g.input(&model.image(&Image::Collage(0))?);
    Some(probe(model, image, &p, |logits| Wanted::Likeliest.one_hot(logits)))
}

/// Activation and gradient of the last layer, `[place, channel]` each.
fn last_layer<'g>(probe: &Probe<'g>) -> Option<[Var<'g>; 2]> {
    let (_, x, dx) = probe.layers.last()?;
    Some([x, dx].map(|it| it.reshape(&[it.dim(0) * it.dim(1), it.dim(2)])))
}

/// `x g^T` at every place, `[place, channel, channel]`.
fn products([x, dx]: [Var<'_>; 2]) -> Var<'_> {
    let (n, c) = (x.dim(0), x.dim(1));
    x.reshape(&[n, c, 1]) * dx.reshape(&[n, 1, c])
}

/// The largest difference of two tensors over the largest entry of the second.
fn relative<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    largest(a - b) / largest(b)
}

fn outer(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.vision(MODEL)?;
    error(|g| {
        let [x, dx] = last_layer(&probed(g, model)?)?;
        let products = products([x, dx]);
        let (n, c) = (x.dim(0), x.dim(1));
        let norms = (products * products).reshape(&[n, c * c]).sum(-1).sqrt().reshape(&[n]);
        Some(relative(normgrad(x, dx, Identity::Conv1x1, Aggregate::Norm), norms))
    })
}

fn inserted(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.vision(MODEL)?;
    let last = model.layers().pop()?;
    let channels = last_layer(&probed(&Graph::default(), model)?)?[0].dim(1);
    let identity = Tensor::from_fn(&[channels, channels], |at| f32::from(u8::from(at[0] == at[1])));
    let how = How::Through(identity.clone());
    let g = Graph::new(&[], &[Edit { at: format!("inserted/{}", last.tap), select: vec![], how }]);
    let probe = probed(&g, model)?;
    let sum = products(last_layer(&probe)?).sum(0).reshape(&[channels, channels]);
    let logits = g.scope("inserted", || model.record(probe.image.0, &Params::new(&g, model.weights())));
    let z = total(logits * Wanted::Likeliest.one_hot(logits));
    relative(sum, g.grad(z, &[g.input(&identity)])[0]).keep("error");
    Some(g)
}

fn downhill(zoo: &Zoo) -> Option<Graph> {
    let (model, epsilon) = (zoo.vision(MODEL)?, 1e-5);
    error(|g| {
        let plain = probed(g, model)?;
        let step = Stepped::learn(model, &Params::new(g, model.weights()), &plain, epsilon);
        let loss = |logits| -total(log_softmax(logits) * plain.one_hot);
        let gone = loss(plain.logits) - loss(step.probe(model, &plain).logits);
        // What the slope promises: the squared gradient times the length.
        Some((gone / (step.squared() / epsilon) - 1.0).abs())
    })
}

fn misses(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.vision(MODEL)?;
    error(|g| {
        let shares = shares(g, model, &[Method::NormGrad], measure::COLLAGES)?;
        let (_, but_the_last) = shares.first()?.split_last()?;
        but_the_last.iter().map(|share| *share * -1.0 + 1.0).reduce(Var::max_with)
    })
}

fn grad_cam_early(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.vision(MODEL)?;
    error(|g| {
        let shares = shares(g, model, &[Method::GradCam], measure::COLLAGES)?;
        Some(*shares[0].first()? / *shares[0].last()?)
    })
}

fn helps(zoo: &Zoo) -> Option<Graph> {
    let model = zoo.vision(MODEL)?;
    error(|g| {
        let both = measure::by_class(g, model);
        let sum = |k: usize| both.iter().map(|it| it[k]).reduce(|a, b| a + b);
        Some(sum(1)? / sum(0)?)
    })
}
