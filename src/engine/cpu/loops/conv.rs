//! Convolutions of images with channels last, as products whose left side is never written down.
//!
//! A tile keeps the sums of a few places by some channels in registers, as a product's does. The rows of its left side are what taps meet
//! in the image; neighbouring taps meet neighbours, so that they are one run.

use crate::Strided;
use crate::depthwise::{Taps, block};
use crate::spread::{NARROW_VECTORS, for_each_chunk, vectorised};

/// Places of a tile.
const PLACES: usize = 4;

/// `out[.., i, j, o] = bias[o] + sum over taps and c of x[.., row, column, c] w[u, v, c, o]`, of rows `x` `[.., h, w, c]` and a kernel
/// `[kh, kw, c, o]` of any strides; `out` has the shape `[.., rows, columns, o]`.
pub fn convolve(
    out: &mut [f32],
    shape: &[usize],
    x: Strided<'_>,
    w: Strided<'_>,
    bias: Option<&[f32]>,
    taps: Taps,
) {
    let ([.., rows, columns, width], [.., h, across, c], &[kh, kw, _, _]) = (shape, x.shape, w.shape) else {
        unreachable!("images have three axes")
    };
    let (rows, columns, width, c, line) = (*rows, *columns, *width, *c, across * *c);
    let copied = (!lies(w) || taps.turned).then(|| ahead(w, taps.turned));
    let (x, w, taps) = (x.rows(), copied.as_deref().unwrap_or(w.data), Taps { turned: false, ..taps });
    let met: Vec<Vec<Run>> = (0..columns).map(|j| runs(taps.of(1, j, kw, *across), c)).collect();
    // Places that meet the same taps are taken together.
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by_key(|j| met[*j].iter().map(|it| (it.w, it.len)).collect::<Vec<_>>());
    let alike = |a: &usize, b: &usize| {
        let taps = |j: usize| met[j].iter().map(|it| (it.w, it.len));
        taps(*a).eq(taps(*b))
    };
    let tiles: Vec<&[usize]> = order.chunk_by(alike).flat_map(|it| it.chunks(PLACES)).collect();
    for_each_chunk(out, columns * width, 2 * kh * kw * c, |task, out| {
        let (n, i) = (task / rows, task % rows);
        let down = taps.of(0, i, kh, *h).map(|(u, p)| [u * kw * c, (n * h + p) * line]);
        let row = Row { x, w, bias, down: &down.collect::<Vec<_>>(), met: &met, tiles: &tiles, width };
        vectorised(
            #[inline(always)]
            || {
                let mut first = 0;
                while first < width {
                    first += match width - first {
                        32.. if !NARROW_VECTORS => row.block::<32>(out, first),
                        16.. if !NARROW_VECTORS => row.block::<16>(out, first),
                        8.. => row.block::<8>(out, first),
                        _ => row.block::<1>(out, first),
                    };
                }
            },
        );
    });
}

/// Whether the channels of each tap are a matrix in rows, and the taps follow each other.
fn lies(w: Strided<'_>) -> bool {
    let [_, kw, c, o] = w.shape[..] else { unreachable!("a kernel has four axes") };
    w.strides == [kw * c * o, c * o, o, 1]
}

/// A kernel so, with the last tap first if it is turned.
fn ahead(w: Strided<'_>, turned: bool) -> Vec<f32> {
    let rows = w.to_rows();
    let tap = w.shape[2] * w.shape[3];
    if turned { rows.rchunks(tap).flatten().copied().collect() } else { rows }
}

/// Neighbours in a line of the image, and the rows of the kernel, as a matrix, that these are multiplied with.
#[derive(Clone, Copy)]
struct Run {
    w: usize,
    x: usize,
    len: usize,
}

/// The runs of taps and the places that they meet, of `c` channels each.
fn runs(met: impl Iterator<Item = (usize, usize)>, c: usize) -> Vec<Run> {
    met.fold(vec![], |mut runs: Vec<Run>, (v, q)| {
        match runs.last_mut() {
            Some(last) if last.w + last.len == v * c && last.x + last.len == q * c => last.len += c,
            _ => runs.push(Run { w: v * c, x: q * c, len: c }),
        }
        runs
    })
}

/// A row of the result, and what it is computed from.
struct Row<'a> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    /// For each row of the kernel that meets one of the image, where both begin: the first in rows of the matrix.
    down: &'a [[usize; 2]],
    /// What meets along a row, by place.
    met: &'a [Vec<Run>],
    /// The places of each tile.
    tiles: &'a [&'a [usize]],
    width: usize,
}

impl Row<'_> {
    /// Writes `N` channels from `first` on at all places; returns how many these are.
    #[inline(always)]
    fn block<const N: usize>(&self, out: &mut [f32], first: usize) -> usize {
        let start = self.bias.map_or([0.0; N], |it| block(it, first));
        let mut write = |place: usize, sums: [f32; N]| {
            out[place * self.width + first..][..N].copy_from_slice(&sums);
        };
        for places in self.tiles {
            if let [place] = places {
                let [sums] = self.tile([&self.met[*place]], first, start);
                write(*place, sums);
            } else {
                let met = std::array::from_fn(|i| &self.met[places[i.min(places.len() - 1)]][..]);
                let sums: [_; PLACES] = self.tile(met, first, start);
                places.iter().zip(sums).for_each(|(place, sums)| write(*place, sums));
            }
        }
        N
    }

    /// The sums of places with equal taps.
    #[inline(always)]
    fn tile<const P: usize, const N: usize>(
        &self,
        runs: [&[Run]; P],
        first: usize,
        start: [f32; N],
    ) -> [[f32; N]; P] {
        let mut sums = [start; P];
        for [w, line] in self.down {
            for (i, run) in runs[0].iter().enumerate() {
                let x = runs.map(|it| &self.x[line + it[i].x..][..run.len]);
                let w = &self.w[(w + run.w) * self.width..][..run.len * self.width];
                for (k, w) in w.chunks_exact(self.width).enumerate() {
                    let w: [f32; N] = block(w, first);
                    for (sums, x) in sums.iter_mut().zip(x) {
                        let x = x[k];
                        sums.iter_mut().zip(w).for_each(|(sum, w)| *sum += x * w);
                    }
                }
            }
        }
        sums
    }
}
