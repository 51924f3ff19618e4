//! Definitions: operations with a name and an expansion in primitives.
//!
//! An engine may have a kernel for a definition; where it has none, the expansion runs. A test holds every kernel
//! against the expansion, so a mechanism is a formula first and fast second.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::conv::{self, Slide};
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
    /// `min(high, max(low, x))`. Its derivative at either limit is 0, as PyTorch has it, where that of the definition is shared.
    Clamp {
        /// The least.
        low: F32,
        /// The most, infinity for no limit.
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

impl Def {
    /// The shape of what it gives, from that of its tensor and those of the others.
    pub(super) fn shape(self, x: Vec<usize>, others: &[Vec<usize>]) -> Vec<usize> {
        match self {
            Self::Conv(slide) => slide.shape(&x, &others[0]),
            Self::ConvGrad { slide, places } => slide.shape_back(&x, &others[0], places),
            _ => x,
        }
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
                let [low, limit] = [low, high].map(|it| x.graph.constant(it.get()));
                let x = x.max_with(low);
                if high.get().is_finite() { x.min_with(limit) } else { x }
            }
            Self::Conv(slide) => conv::convolved(x, others[0], slide),
            Self::ConvGrad { slide, places } => conv::given_back(x, others[0], slide, places),
        }
    }
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

    /// The exact (erf) Gaussian error linear unit.
    pub fn gelu(self) -> Self {
        self.define(Def::Gelu, &[])
    }
}
