//! A model of images on an image, with the gradient at every place that saliency methods look at: one pass forward and one
//! back.

use crate::graph::Var;
use crate::models::{Layer, Vision};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::tensor::Tensor;

/// The class that is explained.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// That with the largest logit.
    Likeliest,
    /// That with the smallest logit.
    Unlikeliest,
    /// That of this number.
    Class(usize),
    /// For a batch, one number each.
    Each(Vec<usize>),
}

impl Wanted {
    /// 1 for the class that is explained and 0 for the others, of the shape of `logits`, `[.., class]`; a constant.
    pub fn one_hot<'g>(&self, logits: Var<'g>) -> Var<'g> {
        let shape = logits.shape();
        let last = |z: Var<'g>| z.less(z.max(-1).broadcast(&shape)) * -1.0 + 1.0;
        let classes = |class: &dyn Fn(usize) -> usize| {
            let one = |at: &[usize]| f32::from(u8::from(class(at[0]) == at[1]));
            let n = shape.iter().product::<usize>() / shape[shape.len() - 1];
            logits.graph().input(&Tensor::from_fn(&[n, shape[shape.len() - 1]], one)).reshape(&shape)
        };
        match self {
            Self::Likeliest => last(logits).detach(),
            Self::Unlikeliest => last(-logits).detach(),
            Self::Class(class) => classes(&|_| *class),
            Self::Each(each) => classes(&|i| each[i]),
        }
    }
}

/// A recorded model with its gradients.
pub struct Probe<'g> {
    /// `[.., class]`
    pub logits: Var<'g>,
    /// Which class is explained, see [`Wanted::one_hot`].
    pub one_hot: Var<'g>,
    /// The image and its gradient, `[.., row, col, channel]`.
    pub image: (Var<'g>, Var<'g>),
    /// Every layer: activation and gradient, `[.., row, col, channel]`.
    pub layers: Vec<(Layer, Var<'g>, Var<'g>)>,
    /// Every attention pattern and its gradient, `[.., head, query, key]`.
    pub patterns: Vec<(Var<'g>, Var<'g>)>,
}

/// Records `model` on `images`, `[row, col, channel]` or a batch of them, and the gradient of the logit that `wanted` makes
/// 1 (see [`Wanted::one_hot`]), summed over the batch: as its images do not meet, each has its own.
pub fn probe<'g>(
    model: &dyn Vision,
    images: Var<'g>,
    p: &Params<'_, 'g>,
    wanted: impl FnOnce(Var<'g>) -> Var<'g>,
) -> Probe<'g> {
    let g = images.graph();
    let logits = model.record(images, p);
    let one_hot = wanted(logits);
    let z = total(logits * one_hot);
    let at = |tap: &str| g.at(tap).unwrap_or_else(|| panic!("the model taps {tap}"));
    let layers = model.layers();
    let mut vars = vec![images];
    vars.extend(layers.iter().map(|it| at(&it.tap)));
    vars.extend(model.patterns().iter().map(|it| at(it)));
    let gradients = g.grad(z, &vars);
    let mut pairs = vars.into_iter().zip(gradients);
    let image = pairs.next().unwrap_or_else(|| unreachable!("the image is the first"));
    let grids = layers.into_iter().zip(pairs.by_ref());
    let layers = grids.map(|(layer, (x, dx))| (layer.clone(), layer.grid(x), layer.grid(dx))).collect();
    Probe { logits, one_hot, image, layers, patterns: pairs.collect() }
}
