//! The claims of NormGrad as measurements.

use super::{NormGrad, measure};
use crate::data::Image;
use crate::exhibits::looking::Looking;
use crate::exhibits::{Check, Exhibit, Inputs, Measure, largest};
use crate::graph::{Edit, Graph, How, Var};
use crate::models::{Vision, Zoo};
use crate::nn::Params;
use crate::nn::loss::{log_softmax, total};
use crate::saliency::method::Method;
use crate::saliency::normgrad::{Aggregate, Identity, normgrad};
use crate::saliency::probe::{Wanted, probe};
use crate::tensor::Tensor;

/// The model that the claims are measured on.
const MODEL: &str = "collage-cnn";

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let check = |name, claim, tolerance, because, measure| Check {
        name,
        claim,
        tolerance,
        because,
        model: MODEL,
        measure: Measure::Scalar(measure),
    };
    vec![
        check(
            "|x gᵀ| = |x| |g|",
            "the norm of the outer product, made in full, equals the product of the norms at every place of the last layer (first \
             collage): largest difference over the largest norm",
            1e-5,
            "f32 sums of 64 x 64 squares",
            outer,
        ),
        check(
            "sum = real layer",
            "the sum of all contributions equals the gradient of an identity convolution really put behind the last layer (first \
             collage): largest difference over the largest entry",
            1e-5,
            "f32 sums over 196 places in two orders",
            inserted,
        ),
        check(
            "a step goes downhill",
            "what a step of learning of length 0.00001 takes off the loss, over that length times the squared gradient: how far \
             from 1 (first collage)",
            0.05,
            "1 for a step without length; along this one the slope bends a little",
            downhill,
        ),
        check(
            "NormGrad misses, last layer aside",
            "a rate of misses: how often NormGrad points at another quarter than that which was asked for, in its worst layer (64 \
             collages); without the last layer, whose gradient is the same at every place as their mean is read out, and \
             where it misses more",
            0.2,
            "chance misses 0.75; VGG16 as published misses 0.22 at worst",
            misses,
        ),
        check(
            "Grad-CAM's hits, first layer ÷ last",
            "how often Grad-CAM hits the quarter that was asked for in the first layer, over how often in the last (64 collages)",
            0.5,
            "chance hits 0.25; VGG16 as published has 0.68, whose other layers are as bad as its first",
            grad_cam_early,
        ),
        check(
            "a step helps the class",
            "rank correlation of the maps for the likeliest and the least likely class after a step of 0.0025, over that \
             before (8 collages, mean of all layers)",
            0.95,
            "1 would be no help; the paper claims that a step helps (section 3.5)",
            helps,
        ),
        devices(),
    ]
}

fn devices() -> Check {
    Check {
        name: "GPU equals CPU",
        claim: "all maps of the first collage on the GPU and on the CPU: largest difference",
        tolerance: 1e-2,
        because: "f32 sums in another order; norms reach 50",
        model: MODEL,
        measure: Measure::Devices(|zoo| NormGrad::default().record(&Inputs::default(), zoo)),
    }
}

/// The model of the claims and the first collage as it takes it.
fn begin(zoo: &Zoo) -> Option<(&dyn Vision, Tensor)> {
    let looking = Looking { model: MODEL.to_owned(), ..Looking::default() };
    looking.sees(&Inputs { picture: Image::Collage(0), ..Inputs::default() }, zoo)
}

/// Activation and gradient of the last layer, `[place, channel]` each.
fn last_layer<'g>(g: &'g Graph, model: &dyn Vision, image: &Tensor) -> Option<[Var<'g>; 2]> {
    let p = Params::new(g, model.weights());
    let probe = probe(model, g.input(image), &p, |logits| Wanted::Likeliest.one_hot(logits));
    let (_, x, dx) = probe.layers.last()?;
    let places = |it: &Var<'g>| it.reshape(&[it.dim(0) * it.dim(1), it.dim(2)]);
    Some([places(x), places(dx)])
}

/// The largest difference of two tensors over the largest entry of the second.
fn relative<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    largest(a - b) / largest(b)
}

fn outer(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo)?;
    let g = Graph::default();
    let [x, dx] = last_layer(&g, model, &image)?;
    let (n, c) = (x.dim(0), x.dim(1));
    let products = x.reshape(&[n, c, 1]) * dx.reshape(&[n, 1, c]);
    let norms = (products * products).reshape(&[n, c * c]).sum(-1).sqrt().reshape(&[n]);
    let map = normgrad(x, dx, Identity::Conv1x1, Aggregate::Norm);
    relative(map, norms).keep("error");
    Some(g)
}

fn inserted(zoo: &Zoo) -> Option<Graph> {
    let (model, image) = begin(zoo)?;
    let last = model.layers().pop()?;
    let channels = last_layer(&Graph::default(), model, &image)?[0].dim(1);
    let identity = Tensor::from_fn(&[channels, channels], |at| f32::from(u8::from(at[0] == at[1])));
    let edit =
        Edit { at: format!("inserted/{}", last.tap), select: vec![], how: How::Through(identity.clone()) };
    let g = Graph::new(&[], &[edit]);
    let [x, dx] = last_layer(&g, model, &image)?;
    let (n, c) = (x.dim(0), x.dim(1));
    let sum = (x.reshape(&[n, c, 1]) * dx.reshape(&[n, 1, c])).sum(0).reshape(&[c, c]);
    let p = Params::new(&g, model.weights());
    let logits = g.scope("inserted", || model.record(g.input(&image), &p));
    let z = total(logits * Wanted::Likeliest.one_hot(logits));
    relative(sum, g.grad(z, &[g.input(&identity)])[0]).keep("error");
    Some(g)
}

fn downhill(zoo: &Zoo) -> Option<Graph> {
    let epsilon = 1e-5;
    let (model, image) = begin(zoo)?;
    let g = Graph::default();
    let p = Params::new(&g, model.weights());
    let image = g.input(&image);
    let plain = probe(model, image, &p, |logits| Wanted::Likeliest.one_hot(logits));
    let before = super::parameters(model, &p);
    let after = super::learn(&before, &plain, epsilon);
    let loss = |logits| -total(log_softmax(logits) * plain.one_hot);
    let stepped = g.scope("stepped", || model.record(image, &Params::recorded(&g, &after)));
    let squares = before.iter().map(|(name, it)| (after[name] - *it) / epsilon).map(|it| total(it * it));
    let expected = squares.reduce(|a, b| a + b)? * epsilon;
    ((loss(plain.logits) - loss(stepped)) / expected - 1.0).abs().keep("error");
    Some(g)
}

fn misses(zoo: &Zoo) -> Option<Graph> {
    let (model, _) = begin(zoo)?;
    let g = Graph::default();
    let shares = measure::pointing(&g, model, measure::COLLAGES)?;
    let (_, but_the_last) = shares.first()?.split_last()?;
    but_the_last.iter().map(|share| *share * -1.0 + 1.0).reduce(Var::max_with)?.keep("error");
    Some(g)
}

fn grad_cam_early(zoo: &Zoo) -> Option<Graph> {
    let (model, _) = begin(zoo)?;
    let g = Graph::default();
    let shares = measure::pointing(&g, model, measure::COLLAGES)?;
    let at = measure::METHODS.iter().position(|it| *it == Method::GradCam)?;
    (*shares[at].first()? / *shares[at].last()?).keep("error");
    Some(g)
}

fn helps(zoo: &Zoo) -> Option<Graph> {
    let (model, _) = begin(zoo)?;
    let g = Graph::default();
    let both = measure::sensitivity(&g, model, measure::STEPPED);
    let sum = |k: usize| both.iter().map(|it| it[k]).reduce(|a, b| a + b);
    (sum(1)? / sum(0)?).keep("error");
    Some(g)
}
