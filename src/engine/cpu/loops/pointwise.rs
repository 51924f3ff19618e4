//! Elementwise kernels over strided operands.

use crate::Strided;
use crate::fours;
use crate::spread::{NARROW_VECTORS, for_each_chunk, vectorised};

/// Elementwise functions of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the function of its name")]
pub enum Unary {
    Abs,
    Cos,
    Erf,
    Exp,
    Log,
    Neg,
    Recip,
    Sign,
    Sin,
    Sqrt,
    Tanh,
}

/// Elementwise functions of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the function of its name")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    /// 1 where the first is less than the second, else 0.
    Less,
    /// The larger of two like [`Self::Max`], but where they are equal the derivative is all the first's.
    OrLarger,
}

/// `out = f(x)` by the function that `f` names.
pub fn unary(f: Unary, out: &mut [f32], x: Strided<'_>) {
    f.choose(Lines { out, of: [x] });
}

/// `out = f(a, b)` by the function that `f` names.
pub fn binary(f: Binary, out: &mut [f32], a: Strided<'_>, b: Strided<'_>) {
    f.choose(Lines { out, of: [a, b] });
}

/// What is done with a function, once it is known which; the loop is compiled for each.
pub(crate) trait Loop<const N: usize> {
    fn run(self, f: impl Fn([f32; N]) -> f32 + Sync);
}

/// Lines of operands, however they lie.
struct Lines<'o, 'x, const N: usize> {
    out: &'o mut [f32],
    of: [Strided<'x>; N],
}

impl Loop<1> for Lines<'_, '_, 1> {
    fn run(self, f: impl Fn([f32; 1]) -> f32 + Sync) {
        map(
            self.out,
            self.of[0],
            #[inline(always)]
            |x| f([x]),
        );
    }
}

impl Loop<2> for Lines<'_, '_, 2> {
    fn run(self, f: impl Fn([f32; 2]) -> f32 + Sync) {
        zip(
            self.out,
            self.of[0],
            self.of[1],
            #[inline(always)]
            |a, b| f([a, b]),
        );
    }
}

impl Unary {
    /// Runs the loop with the function that this names.
    #[inline(always)]
    pub(crate) fn choose(self, it: impl Loop<1>) {
        match self {
            Self::Abs => it.run(|[x]| x.abs()),
            Self::Cos => it.run(|[x]| x.cos()),
            Self::Erf => it.run(
                #[inline(always)]
                |[x]| erf(x),
            ),
            Self::Exp => it.run(|[x]| x.exp()),
            Self::Log => it.run(|[x]| x.ln()),
            Self::Neg => it.run(|[x]| -x),
            Self::Recip => it.run(|[x]| x.recip()),
            Self::Sign => it.run(|[x]| if x == 0.0 { 0.0 } else { x.signum() }),
            Self::Sin => it.run(|[x]| x.sin()),
            Self::Sqrt => it.run(|[x]| x.sqrt()),
            Self::Tanh => it.run(|[x]| x.tanh()),
        }
    }
}

impl Binary {
    /// Runs the loop with the function that this names.
    #[inline(always)]
    pub(crate) fn choose(self, it: impl Loop<2>) {
        match self {
            Self::Add => it.run(|[a, b]| a + b),
            Self::Sub => it.run(|[a, b]| a - b),
            Self::Mul => it.run(|[a, b]| a * b),
            Self::Div => it.run(|[a, b]| a / b),
            Self::Max | Self::OrLarger => it.run(max),
            Self::Min => it.run(min),
            Self::Less => it.run(|[a, b]| f32::from(u8::from(a < b))),
        }
    }
}

/// The larger of two, or the one that is a number, as `f32::max` would say: that is a call in wasm.
#[inline(always)]
fn max([a, b]: [f32; 2]) -> f32 {
    if (a > b) | b.is_nan() { a } else { b }
}

/// The smaller of two, or the one that is a number.
#[inline(always)]
fn min([a, b]: [f32; 2]) -> f32 {
    if (a < b) | b.is_nan() { a } else { b }
}

/// Elements that a task takes: enough to be worth handing out, and few enough to stay in the fastest cache.
const TASK: usize = 4096;

/// `out = x`
pub fn copy(out: &mut [f32], x: Strided<'_>) {
    map(out, x, |x| x);
}

/// `out = gelu(x)`
pub fn gelu(out: &mut [f32], x: Strided<'_>) {
    map(
        out,
        x,
        #[inline(always)]
        |x| gelu_of([x]),
    );
}

/// `out = dy` times the derivative of GELU at `x`.
pub fn gelu_grad(out: &mut [f32], x: Strided<'_>, dy: Strided<'_>) {
    zip(
        out,
        x,
        dy,
        #[inline(always)]
        |x, dy| gelu_slope([x, dy]),
    );
}

/// `x = gelu(x)`
pub fn gelu_in_place(out: &mut [f32]) {
    if NARROW_VECTORS {
        return fours::gelu(out);
    }
    for_each_chunk(out, TASK, COST, |_, out| {
        vectorised(
            #[inline(always)]
            || {
                for y in &mut *out {
                    *y = gelu_of([*y]);
                }
            },
        );
    });
}

/// `out += x`, rows, on one core.
pub(crate) fn add_in_place(out: &mut [f32], x: Strided<'_>) {
    let (n, step) = (x.shape[1], x.strides[1]);
    for (i, out) in out.chunks_exact_mut(n.max(1)).enumerate() {
        let x = &x.data[i * x.strides[0]..];
        vectorised(
            #[inline(always)]
            || match step {
                0 => out.iter_mut().for_each(|y| *y += x[0]),
                1 => out.iter_mut().zip(x).for_each(|(y, x)| *y += x),
                _ => out.iter_mut().zip(x.iter().step_by(step)).for_each(|(y, x)| *y += x),
            },
        );
    }
}

/// `x = min(high, max(low, x))`
pub fn clamp_in_place(out: &mut [f32], low: f32, high: f32) {
    for_each_chunk(out, TASK, COST, |_, out| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().for_each(|y| *y = y.max(low).min(high)),
        );
    });
}

/// `out = f(x)`
fn map(out: &mut [f32], x: Strided<'_>, f: impl Fn(f32) -> f32 + Sync) {
    let step = step(x);
    runs(
        out,
        [x],
        #[inline(always)]
        |out, [at]| {
            let x = &x.data[at..];
            match step {
                0 => out.fill(f(x[0])),
                1 => each(out, [x], |[x]| f(x)),
                _ => {
                    for (y, x) in out.iter_mut().zip(x.iter().step_by(step)) {
                        *y = f(*x);
                    }
                }
            }
        },
    );
}

/// `out = f(a, b)`
fn zip(out: &mut [f32], a: Strided<'_>, b: Strided<'_>, f: impl Fn(f32, f32) -> f32 + Sync) {
    let (step_a, step_b) = (step(a), step(b));
    runs(
        out,
        [a, b],
        #[inline(always)]
        |out, at| {
            let (a, b) = (&a.data[at[0]..], &b.data[at[1]..]);
            match (step_a, step_b) {
                (1, 1) => each(out, [a, b], |[a, b]| f(a, b)),
                (1, 0) => each(out, [a], |[a]| f(a, b[0])),
                (0, 1) => each(out, [b], |[b]| f(a[0], b)),
                _ => {
                    for (j, y) in out.iter_mut().enumerate() {
                        *y = f(a[j * step_a], b[j * step_b]);
                    }
                }
            }
        },
    );
}

/// `out[i] = f(of[0][i], ..)`. A loop, as what `for_each` makes of an iterator is a function of its own, which is compiled for
/// the least vectors that a processor can have.
#[inline(always)]
pub(crate) fn each<const N: usize>(out: &mut [f32], of: [&[f32]; N], f: impl Fn([f32; N]) -> f32) {
    let of = of.map(|x| &x[..out.len()]);
    for (i, y) in out.iter_mut().enumerate() {
        *y = f(of.map(|x| x[i]));
    }
}

/// Operations that an element takes, roughly.
const COST: usize = 2;

/// Calls `f` with every run of `out` that lies in one line of the last axis, and with where it begins in each operand.
fn runs<const N: usize>(
    out: &mut [f32],
    operands: [Strided<'_>; N],
    f: impl Fn(&mut [f32], [usize; N]) + Sync,
) {
    let (line, lines) = operands[0].shape.split_last().map_or((1, &[][..]), |(len, lines)| (*len, lines));
    for_each_chunk(out, TASK, COST, |task, mut out| {
        vectorised(
            #[inline(always)]
            || {
                let first = task * TASK;
                let (mut at, mut done) = (operands.map(|it| it.position(first)), first % line);
                let mut index = indices(lines, first / line);
                while !out.is_empty() {
                    let len = (line - done).min(out.len());
                    let (run, rest) = std::mem::take(&mut out).split_at_mut(len);
                    f(run, at);
                    out = rest;
                    // To the beginning of the next line, from where this run began.
                    for (at, it) in at.iter_mut().zip(&operands) {
                        *at -= done * it.strides.last().map_or(0, |it| *it);
                    }
                    done = 0;
                    for axis in (0..lines.len()).rev() {
                        index[axis] += 1;
                        let wraps = index[axis] == lines[axis];
                        for (at, it) in at.iter_mut().zip(&operands) {
                            *at += it.strides[axis];
                            if wraps {
                                *at -= lines[axis] * it.strides[axis];
                            }
                        }
                        if !wraps {
                            break;
                        }
                        index[axis] = 0;
                    }
                }
            },
        );
    });
}

/// The index of element `i` of `shape` in row-major order.
pub(crate) fn indices(shape: &[usize], mut i: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, n) in shape.iter().enumerate().rev() {
        index[axis] = i % n;
        i /= n;
    }
    index
}

/// Stride of the last axis; a scalar has one element.
fn step(x: Strided<'_>) -> usize {
    x.strides.last().map_or(0, |it| *it)
}

/// `x/2 (1 + erf(x / sqrt 2))`
#[inline(always)]
pub(crate) fn gelu_of([x]: [f32; 1]) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// `dy` times the derivative of GELU, `Phi(x) + x phi(x)`, where both take the same exponential.
#[inline(always)]
pub(crate) fn gelu_slope([x, dy]: [f32; 2]) -> f32 {
    /// `1 / sqrt(2 pi)`
    const SCALE: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2 * 0.5;
    let e = exp(-0.5 * x * x);
    let tail = 0.5 * erfc_factor(x.abs() * std::f32::consts::FRAC_1_SQRT_2) * e;
    dy * (if x < 0.0 { tail } else { 1.0 - tail } + x * SCALE * e)
}

/// The error function by Abramowitz & Stegun 7.1.26: absolute error below 1.5e-7, the last bit of an f32 near 1, and free
/// of branches, so that it is vectorised.
#[inline(always)]
fn erf(x: f32) -> f32 {
    (1.0 - erfc_factor(x.abs()) * exp(-x * x)).copysign(x)
}

/// Coefficients of the error function, the highest first.
pub(crate) const A: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];

/// `(1 - erf x) e^(x^2)` for `x >= 0`.
#[inline(always)]
fn erfc_factor(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    A.iter().fold(0.0, |sum, a| (sum + a) * t)
}

/// Adding and subtracting this rounds to a whole number.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// `log 2` is the first less the second.
pub(crate) const SCALE: [f32; 2] = [0.693_359_4, 2.121_944_4e-4];

/// Coefficients of `(e^r - 1 - r) / r^2`, the highest first.
pub(crate) const P: [f32; 6] =
    [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `e^x` for `x <= 88` to 2 units in the last place, free of branches and calls, so that rows are vectorised: `2^n` by the
/// exponent bits times a polynomial on the remainder (Cody & Waite reduction, minimax polynomial of Cephes' expf).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (small, x) = (x < -87.0, x.clamp(-87.0, 88.0));
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * SCALE[0] + n * SCALE[1];
    let p = P.iter().fold(0.0, |sum, p| sum * r + p);
    // The low bits of `shifted` are n.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if small { 0.0 } else { (p * r * r + r + 1.0) * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_loses() {
        let numbers = [f32::NEG_INFINITY, -1.0, 0.0, 2.5, f32::INFINITY];
        for (a, b) in numbers.iter().flat_map(|a| numbers.map(|b| (*a, b))) {
            assert_eq!((max([a, b]), min([a, b])), (a.max(b), a.min(b)));
        }
        for x in numbers {
            assert_eq!(
                [max([x, f32::NAN]), max([f32::NAN, x]), min([x, f32::NAN]), min([f32::NAN, x])],
                [x; 4]
            );
        }
        assert!(max([f32::NAN; 2]).is_nan() && min([f32::NAN; 2]).is_nan());
    }
}
