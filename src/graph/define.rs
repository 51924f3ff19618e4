//! Definitions: operations with a name and an expansion in primitives.
//!
//! An engine may have a kernel for a definition; where it has none, the expansion runs. A test holds every kernel
//! against the expansion, so a mechanism is a formula first and fast second.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::{F32, Graph, Op, Recording, Var};

/// A named operation on a tensor (and the parameters it takes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Def {
    /// `softmax(x)_j = exp(x_j - max x) / sum_k exp(x_k - max x)` over the last axis.
    Softmax,
    /// `layer_norm(x) = (x - mean x) / sqrt(var x + eps) * gamma + beta` over the last axis (Ba et al. 2016).
    LayerNorm {
        /// Added to the variance.
        eps: F32,
    },
    /// `gelu(x) = x/2 (1 + erf(x / sqrt 2))` (Hendrycks & Gimpel 2016).
    Gelu,
    /// `dx = y (dy - sum_j y_j dy_j)` over the last axis, of `y = softmax(x)` and `dy`: the derivative of softmax.
    SoftmaxGrad,
    /// `dx = r (dy gamma - mean(dy gamma) - u mean(u dy gamma))` over the last axis, where `r = 1/sqrt(var x + eps)` and
    /// `u = r (x - mean x)`, of `x`, `gamma` and `dy`: the derivative of layer norm.
    LayerNormGrad {
        /// Added to the variance.
        eps: F32,
    },
    /// `dx = dy (Phi(x) + x phi(x))`, of `x` and `dy`, where `Phi(x) = (1 + erf(x / sqrt 2)) / 2` and `phi` is its
    /// derivative: the derivative of GELU.
    GeluGrad,
    /// `min(high, max(low, x))`.
    Clamp {
        /// The least.
        low: F32,
        /// The most.
        high: F32,
    },
    /// `y[.., i, j, o] = sum_{u, v, c} x[.., s i + u - p, s j + v - q, c] w[u, v, c, o]`, of images `[.., h, w, c]` with zeros around
    /// them and a kernel `[kh, kw, c, o]`; with one of `[kh, kw, c]` each channel on its own: `o = c` and no sum over it
    /// (Dumoulin & Visin 2016, arXiv 1603.07285; Howard et al. 2017, arXiv 1704.04861, eq. 3).
    Conv(Slide),
    /// `dx[.., m, n, c] = sum dy[.., i, j, o] w[u, v, c, o]` over `o`, all `i`, `u` with `s i + u - p = m` and all `j`, `v` with
    /// `s j + v - q = n`, of `dy` and `w`: the derivative of a convolution of images of `places`.
    ConvGrad {
        /// How its kernel slides.
        slide: Slide,
        /// Rows and columns of the image.
        places: [usize; 2],
    },
}

/// How a kernel slides over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slide {
    /// Places from one window to the next: `s`.
    pub stride: usize,
    /// Zeros above the image and below it, then those left and right: `p` and `q` are the first of each pair.
    pub around: [[usize; 2]; 2],
}

impl Slide {
    /// Over all windows that lie within the image.
    pub fn within(stride: usize) -> Self {
        Self { stride, around: [[0; 2]; 2] }
    }

    /// Rows and columns of windows of `kernel` over an image of `places`.
    fn windows(self, places: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let (n, k, [before, after]) = (places[i], kernel[i], self.around[i]);
            let fits = k >= 1 && n + before + after >= k && before < k && self.stride >= 1;
            assert!(fits, "windows of {k} over {n} places with {:?} around", self.around[i]);
            (n + before + after - k) / self.stride + 1
        })
    }
}

impl Def {
    /// The shape of what it gives, from that of its tensor and those of the others.
    pub(super) fn shape(self, x: Vec<usize>, others: &[Vec<usize>]) -> Vec<usize> {
        let (Self::Conv(slide) | Self::ConvGrad { slide, .. }) = self else { return x };
        let ([lead @ .., h, w, c], [kh, kw, channels @ ..]) = (&x[..], &others[0][..]) else {
            panic!("a convolution of {x:?} with {:?}", others[0])
        };
        let (from, to) = match (self, channels) {
            (_, [own]) => (own, own),
            (Self::Conv(_), [from, to]) | (_, [to, from]) => (from, to),
            _ => panic!("a kernel is [kh, kw, c, o] or [kh, kw, c], not {:?}", others[0]),
        };
        assert_eq!(c, from, "a convolution of {c} channels with {:?}", others[0]);
        let seen = match self {
            Self::ConvGrad { places, .. } => {
                assert_eq!(slide.windows(places, [*kh, *kw]), [*h, *w], "windows over {places:?}");
                places
            }
            _ => slide.windows([*h, *w], [*kh, *kw]),
        };
        [lead, &seen, &[*to]].concat()
    }

    /// The definition itself, on `x` and the remaining inputs.
    pub fn expand<'g>(self, x: Var<'g>, others: &[Var<'g>]) -> Var<'g> {
        match self {
            Self::Softmax => {
                // What is subtracted cancels, so it is a constant to derivatives.
                let e = (x - x.max(-1).detach()).exp();
                e / e.sum(-1)
            }
            Self::LayerNorm { eps } => {
                let [gamma, beta] = others else { panic!("layer_norm takes gamma and beta") };
                let (unit, _) = standardise(x, eps);
                unit * *gamma + *beta
            }
            Self::Gelu => x * 0.5 * ((x * FRAC_1_SQRT_2).erf() + 1.0),
            Self::SoftmaxGrad => {
                let [dy] = others else { panic!("softmax_grad takes dy") };
                x * (*dy - (x * *dy).sum(-1))
            }
            Self::LayerNormGrad { eps } => {
                let [gamma, dy] = others else { panic!("layer_norm_grad takes gamma and dy") };
                let (unit, r) = standardise(x, eps);
                let d = *dy * *gamma;
                (d - d.mean(-1) - unit * (unit * d).mean(-1)) * r
            }
            Self::GeluGrad => {
                let [dy] = others else { panic!("gelu_grad takes dy") };
                let phi = (x * x * -0.5).exp() * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * 0.5);
                *dy * (((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + x * phi)
            }
            Self::Clamp { low, high } => {
                let [low, high] = [low, high].map(|it| x.graph.constant(it.get()));
                x.max_with(low).min_with(high)
            }
            Self::Conv(slide) => {
                let [kernel] = others else { panic!("a convolution takes a kernel") };
                convolved(x, *kernel, slide)
            }
            Self::ConvGrad { slide, places } => {
                let [kernel] = others else { panic!("the derivative of a convolution takes a kernel") };
                let rank = x.shape().len();
                // Columns, whose elements are the last axis, then rows.
                [1, 0].into_iter().fold(terms(x, *kernel), |terms, i| {
                    let (axis, [before, after]) = ((rank - 3 + i) as isize, slide.around[i]);
                    let whole = terms.fold(axis, slide.stride, before + places[i] + after);
                    whole.slice(axis, before, places[i])
                })
            }
        }
    }
}

/// Every window of `x` with a kernel: one product `[row * col, kh kw c] x [kh kw c, o]`, whose windows are gathered in runs of `kw c`
/// neighbours, or a sum for each channel.
fn convolved<'g>(x: Var<'g>, kernel: Var<'g>, slide: Slide) -> Var<'g> {
    let (rank, shape) = (x.shape().len(), kernel.shape());
    let [row, col] = [rank - 3, rank - 2].map(|it| it as isize);
    let ([above, below], [left, right]) = slide.around.into();
    let x = x.pad(row, above, below, 0.0).pad(col, left, right, 0.0);
    let windows = x.window(row, shape[0], slide.stride).window(col, shape[1], slide.stride); // [.., i, j, c, u, v]
    let places = windows.shape()[..rank - 1].to_vec();
    if let [.., out] = shape[2..]
        && shape.len() == 4
    {
        let order: Vec<usize> = (0..rank - 1).chain([rank, rank + 1, rank - 1]).collect();
        let terms = shape[..3].iter().product();
        let rows = windows.permute(&order).reshape(&[places.iter().product(), terms]); // [i j, u v c]
        return rows.matmul(kernel.reshape(&[terms, out])).reshape(&[&places[..], &[out]].concat());
    }
    let sums = (windows * kernel.permute(&[2, 0, 1])).sum(-1).sum(-2);
    sums.reshape(&sums.shape()[..rank])
}

/// What each place of `dy` gives to each place of its window: `[.., i, j, c, u, v]`.
fn terms<'g>(dy: Var<'g>, kernel: Var<'g>) -> Var<'g> {
    let (shape, rank) = (kernel.shape(), dy.shape().len());
    let places = dy.shape()[..rank - 1].to_vec();
    if shape.len() == 3 {
        return dy.reshape(&[&dy.shape()[..], &[1, 1]].concat()) * kernel.permute(&[2, 0, 1]);
    }
    let rows = dy.reshape(&[places.iter().product(), shape[3]]);
    let terms = rows.matmul(kernel.reshape(&[shape[..3].iter().product(), shape[3]]).t());
    let order: Vec<usize> = (0..rank - 1).chain([rank + 1, rank - 1, rank]).collect();
    terms.reshape(&[&places[..], &shape[..3]].concat()).permute(&order)
}

/// `(x - mean x) r` over the last axis, and `r = 1/sqrt(var x + eps)`.
fn standardise(x: Var<'_>, eps: F32) -> (Var<'_>, Var<'_>) {
    let centred = x - x.mean(-1);
    let r = ((centred * centred).mean(-1) + eps.get()).sqrt().recip();
    (centred * r, r)
}

impl Recording {
    /// The same recording in primitives only: what a kernel must equal.
    pub fn expanded(&self) -> Self {
        let g = Graph::default();
        *g.inner.borrow_mut() = Self { nodes: vec![], keeps: vec![], ..self.clone() };
        let mut vars: Vec<Var<'_>> = vec![];
        for node in &self.nodes {
            let inputs: Vec<Var<'_>> = node.inputs.iter().map(|i| vars[*i]).collect();
            vars.push(match node.op {
                Op::Def(def) => def.expand(inputs[0], &inputs[1..]),
                _ => g.push(node.op.clone(), &inputs, node.shape.clone()),
            });
        }
        for (name, id) in &self.keeps {
            g.keep_as(vars[*id], name);
        }
        drop(vars);
        g.finish()
    }
}

impl Var<'_> {
    /// Softmax over the last axis.
    pub fn softmax(self) -> Self {
        self.define(Def::Softmax, &[])
    }

    /// Layer normalisation over the last axis, with `gamma` and `beta` of its length.
    pub fn layer_norm(self, gamma: Self, beta: Self, eps: f32) -> Self {
        self.define(Def::LayerNorm { eps: F32::from(eps) }, &[gamma, beta])
    }

    /// What is less than `low` or more than `high` becomes these.
    pub fn clamp(self, low: f32, high: f32) -> Self {
        self.define(Def::Clamp { low: low.into(), high: high.into() }, &[])
    }

    /// The convolution of images `[.., row, col, c]` with a kernel `[kh, kw, c, o]`, or for each channel with its own, `[kh, kw, c]`.
    pub fn conv(self, kernel: Self, slide: Slide) -> Self {
        match kernel.shape()[..] {
            // That of a single place is a product, which gathers nothing.
            [1, 1, _, _] => convolved(self, kernel, slide),
            _ => self.define(Def::Conv(slide), &[kernel]),
        }
    }

    /// The exact (erf) Gaussian error linear unit.
    pub fn gelu(self) -> Self {
        self.define(Def::Gelu, &[])
    }
}
