//! Numbers that formulas are made of: one to draw, or a recorded tensor to compute with.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::graph::Var;

/// A real number, or a tensor of them.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// `x + y` for a number `y`.
    fn plus(self, y: f32) -> Self;
    /// `x y` for a number `y`.
    fn times(self, y: f32) -> Self;
    /// `e^x`
    fn exp(self) -> Self;
    /// `log x` for `x` from 0 to 1; that of 0 is the logarithm of the smallest number instead, so that 0 times it is 0.
    fn ln(self) -> Self;
    /// `cos x`
    fn cos(self) -> Self;
}

impl Real for f64 {
    fn plus(self, y: f32) -> Self {
        self + Self::from(y)
    }
    fn times(self, y: f32) -> Self {
        self * Self::from(y)
    }
    fn exp(self) -> Self {
        Self::exp(self)
    }
    fn ln(self) -> Self {
        Self::ln(self.max(Self::from(f32::MIN_POSITIVE)))
    }
    fn cos(self) -> Self {
        Self::cos(self)
    }
}

impl Real for Var<'_> {
    fn plus(self, y: f32) -> Self {
        self + y
    }
    fn times(self, y: f32) -> Self {
        self * y
    }
    fn exp(self) -> Self {
        Var::exp(self)
    }
    /// Near 1 by `log x = 2 (y + y^3/3 + y^5/5 + ..)` with `y = (x - 1)/(x + 1)`: a GPU may be off by 2^-21 there, which
    /// the thousandth power of `x` would show.
    fn ln(self) -> Self {
        let g = self.graph();
        let (y, least) = ((self - 1.0) / (self + 1.0), g.constant(f32::MIN_POSITIVE));
        // From 0.5 on |y| is at most 1/3, and the first term left out is 1e-8 of the sum.
        let terms = [11.0, 9.0, 7.0, 5.0, 3.0, 1.0];
        let series = terms.into_iter().fold(g.constant(1.0 / 13.0), |sum, n| sum * (y * y) + 1.0 / n);
        let near = series * y * 2.0;
        let far = self.less(g.constant(0.5));
        near + far * (self.max_with(least).log() - near)
    }
    fn cos(self) -> Self {
        Var::cos(self)
    }
}
