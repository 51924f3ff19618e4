//! Depthwise convolutions: each channel of an image with its own kernel.
//!
//! Channels are neighbours in memory. A block of them keeps its sums in registers while it goes over the taps of a kernel, and goes
//! along a row of the result, so that its part of the kernel stays in the fastest cache.

use crate::Strided;
use crate::spread::{for_each_chunk, vectorised};

/// Which places of an image the taps of a kernel meet: tap `u` of place `i` meets place `(s i + u - p) / d` where that is a whole
/// number and within the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// `s`
    pub stride: usize,
    /// `d`
    pub dilation: usize,
    /// `p`, of rows and of columns.
    pub before: [isize; 2],
    /// Whether the kernel is turned by half a turn: tap `u` is then its last but `u`.
    pub turned: bool,
}

impl Taps {
    /// The taps of a kernel of length `k` that meet one of `n` places from place `i` of an axis, and which.
    pub(crate) fn of(
        self,
        axis: usize,
        i: usize,
        k: usize,
        n: usize,
    ) -> impl Iterator<Item = (usize, usize)> {
        (0..k).filter_map(move |u| {
            let at = usize::try_from((i * self.stride + u) as isize - self.before[axis]).ok()?;
            let met = at.is_multiple_of(self.dilation) && at / self.dilation < n;
            met.then_some((if self.turned { k - 1 - u } else { u }, at / self.dilation))
        })
    }
}

/// Elements of the result that a task takes at least.
const TASK: usize = 4096;

/// `out[.., i, j, c] = bias[c] + sum over taps of x[.., row, column, c] w[u, v, c]`, of rows `x` `[.., h, w, c]` and `w` `[kh, kw, c]`;
/// `out` has the shape `[.., rows, columns, c]`.
pub fn convolve(
    out: &mut [f32],
    shape: &[usize],
    x: Strided<'_>,
    w: Strided<'_>,
    bias: Option<&[f32]>,
    taps: Taps,
) {
    let ([.., rows, columns, c], [.., height, width, _], &[kh, kw, _]) = (shape, x.shape, w.shape) else {
        unreachable!("images have three axes")
    };
    let (rows, c, image) = (*rows, *c, height * width * c);
    let (x, w) = (x.rows(), w.rows());
    // Which parts of the kernel and of the image meet in a column, as places in memory.
    let across: Vec<Vec<[usize; 2]>> =
        (0..*columns).map(|j| taps.of(1, j, kw, *width).map(|(v, q)| [v * c, q * c]).collect()).collect();
    let line = columns * c;
    let lines = TASK.div_ceil(line.max(1));
    for_each_chunk(out, line * lines, 2 * kh * kw, |task, out| {
        let mut down: Vec<[usize; 2]> = vec![];
        vectorised(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_mut(line).enumerate() {
                    let (n, i) = ((task * lines + i) / rows, (task * lines + i) % rows);
                    down.clear();
                    let met = taps.of(0, i, kh, *height);
                    down.extend(met.map(|(u, p)| [u * kw * c, n * image + p * width * c]));
                    let row = Row { x, w, bias, down: &down, across: &across, c };
                    let mut first = 0;
                    while first < c {
                        first += match c - first {
                            32.. => row.block::<32>(out, first),
                            8.. => row.block::<8>(out, first),
                            _ => row.block::<1>(out, first),
                        };
                    }
                }
            },
        );
    });
}

/// A row of the result, and what it is computed from.
struct Row<'a> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    /// For each part of the kernel that meets a row of the image, where both begin.
    down: &'a [[usize; 2]],
    /// The same for columns, by place.
    across: &'a [Vec<[usize; 2]>],
    c: usize,
}

impl Row<'_> {
    /// Writes `N` channels from `first` on at all places; returns how many these are.
    #[inline(always)]
    fn block<const N: usize>(&self, out: &mut [f32], first: usize) -> usize {
        let start = self.bias.map_or([0.0; N], |it| block(it, first));
        for (out, across) in out.chunks_mut(self.c).zip(self.across) {
            let mut sums = start;
            for down in self.down {
                for across in across {
                    let w: [f32; N] = block(self.w, down[0] + across[0] + first);
                    let x: [f32; N] = block(self.x, down[1] + across[1] + first);
                    sums.iter_mut().zip(x.iter().zip(&w)).for_each(|(sum, (x, w))| *sum += x * w);
                }
            }
            out[first..first + N].copy_from_slice(&sums);
        }
        N
    }
}

/// `N` neighbours.
#[inline(always)]
pub(crate) fn block<const N: usize>(data: &[f32], at: usize) -> [f32; N] {
    *data[at..].first_chunk().unwrap_or_else(|| unreachable!("a block lies within the data"))
}
