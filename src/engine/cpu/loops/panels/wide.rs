//! Tiles in vectors as wide as the processor has, spread over its cores.

use pulp::{Arch, Simd, WithSimd};

use super::{PLAIN, Side, Then};
use crate::Matrix;
use crate::pointwise::gelu_of;
use crate::spread::{SMALL, cores, for_each_of};

/// Vectors of a panel at most.
const VECTORS: usize = 3;

/// Rows of a tile: with 32 registers their sums leave room for a column and a number. With 16 it takes half of them at once.
const ROWS: usize = 8;

/// Numbers of the left side that stay in a core's cache while all panels pass.
const NEAR: usize = 1 << 17;

/// Multiplications of a block at least, and blocks a core at most: who comes late finds less left to do.
const PART: usize = 1 << 20;
const PARTS: usize = 4;

/// Columns of a panel, of `n` altogether.
pub(super) fn width(n: usize) -> usize {
    struct Width(usize);
    impl WithSimd for Width {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            vectors::<S>(self.0) * S::F32_LANES
        }
    }
    Arch::new().dispatch(Width(n))
}

/// Vectors of a panel: as many as there can be, and fewer where most of the last panel would be empty.
#[inline(always)]
fn vectors<S: Simd>(n: usize) -> usize {
    match n.div_ceil(S::F32_LANES) {
        1 => 1,
        2 | 4 => 2,
        _ => VECTORS,
    }
}

/// See [`super::multiply`].
pub(super) fn multiply(out: &mut [f32], a: Matrix<'_>, b: Side<'_>, [k, n]: [usize; 2], then: Then<'_>) {
    let work = out.len().saturating_mul(k);
    let parts = if work < SMALL { 1 } else { (work / PART).clamp(cores(), PARTS * cores()) };
    spread(out, a, b, [k, n], then, parts);
}

/// See [`super::multiply_here`].
pub(super) fn multiply_here(out: &mut [f32], a: Matrix<'_>, b: Side<'_>, [k, n]: [usize; 2], then: Then<'_>) {
    spread(out, a, b, [k, n], then, 1);
}

/// The product in blocks of one size, `parts` at least where it has as many rows or panels.
fn spread(out: &mut [f32], a: Matrix<'_>, b: Side<'_>, [k, n]: [usize; 2], then: Then<'_>, parts: usize) {
    if out.is_empty() {
        return;
    }
    let (m, width) = (out.len() / n, width(n));
    // The longer side is split, so that cores read little of what others read; columns only between panels.
    let columns = if m > n { n } else { n.div_ceil(parts).next_multiple_of(width) };
    let near = (NEAR / k.max(1)).max(1);
    let rows = m.div_ceil(m.div_ceil(near).max(parts / n.div_ceil(columns))).next_multiple_of(ROWS);
    let mut blocks = vec![];
    for (i, out) in out.chunks_mut(rows * n).enumerate() {
        let block = |column: usize, out| Block {
            a: a.below(i * rows),
            b,
            first: column,
            k,
            n,
            out,
            then: Then { bias: then.bias.map(|it| &it[column..]), ..then },
        };
        if columns >= n {
            blocks.push(block(0, Out::Rows(out, n)));
            continue;
        }
        let mut parts: Vec<Vec<&mut [f32]>> = (0..n).step_by(columns).map(|_| vec![]).collect();
        for row in out.chunks_mut(n) {
            parts.iter_mut().zip(row.chunks_mut(columns)).for_each(|(part, piece)| part.push(piece));
        }
        blocks.extend(parts.into_iter().enumerate().map(|(i, it)| block(i * columns, Out::Pieces(it))));
    }
    for_each_of(blocks, |block| Arch::new().dispatch(block));
}

/// What a block writes: rows that follow each other, or pieces of rows.
enum Out<'a> {
    Rows(&'a mut [f32], usize),
    Pieces(Vec<&'a mut [f32]>),
}

impl Out<'_> {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2] {
        match self {
            Self::Rows(all, columns) => [all.len() / columns, *columns],
            Self::Pieces(rows) => [rows.len(), rows.first().map_or(0, |it| it.len())],
        }
    }

    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [f32] {
        match self {
            Self::Rows(all, columns) => &mut all[i * *columns..][..*columns],
            Self::Pieces(rows) => rows[i],
        }
    }
}

/// A part of the result: some rows of some panels.
struct Block<'a> {
    /// The left side from its first row on, in rows.
    a: Matrix<'a>,
    k: usize,
    /// Columns of the whole right side.
    n: usize,
    /// The whole right side.
    b: Side<'a>,
    /// Its first column.
    first: usize,
    out: Out<'a>,
    then: Then<'a>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let then = self.then;
        if let Side::Small(_) = self.b {
            self.then = PLAIN;
        }
        match vectors::<S>(self.n) {
            1 => self.tiles::<S, 1>(simd),
            2 => self.tiles::<S, 2>(simd),
            _ => self.tiles::<S, VECTORS>(simd),
        }
        for i in 0..self.out.shape()[0] {
            let row = self.out.row(i);
            if let Side::Small(b) = self.b {
                b.finish(row, self.first, then);
            }
            if then.gelu {
                for y in row {
                    *y = gelu_of([*y]);
                }
            }
        }
    }
}

impl Block<'_> {
    /// Writes everything, with panels of `V` vectors.
    #[inline(always)]
    fn tiles<S: Simd, const V: usize>(&mut self, simd: S) {
        let (width, [rows, columns]) = (V * S::F32_LANES, self.out.shape());
        for column in (0..columns).step_by(width) {
            let (start, len) = ((self.first + column) * self.k, width * self.k);
            let wide: Vec<f32>;
            let panel = match self.b {
                Side::F32(panels) => &panels[start..][..len],
                Side::Small(b) => {
                    wide = b.wide(start, len);
                    &wide
                }
            };
            let panel = S::as_simd_f32s(panel).0;
            let mut row = 0;
            while row < rows {
                row += match rows - row {
                    8.. if S::REGISTER_COUNT > 16 => self.tile::<S, V, 8>(simd, panel, row, column),
                    4.. => self.tile::<S, V, 4>(simd, panel, row, column),
                    2.. => self.tile::<S, V, 2>(simd, panel, row, column),
                    _ => self.tile::<S, V, 1>(simd, panel, row, column),
                };
            }
        }
    }

    /// Writes some rows of a panel; returns how many.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        panel: &[S::f32s],
        row: usize,
        column: usize,
    ) -> usize {
        let (Matrix { data, strides: [below, _] }, panel) = (self.a.below(row), panel.as_chunks::<V>().0);
        let rows = std::array::from_fn(|i| &data[i * below..][..panel.len()]);
        let sums = sums::<S, V, R>(simd, rows, panel);
        for (i, sums) in sums.into_iter().enumerate() {
            self.then.write(simd, self.out.row(row + i), sums, column);
        }
        R
    }
}

impl Then<'_> {
    /// Writes what is made of the products `sums` to columns of a row, as many as there are.
    #[inline(always)]
    fn write<S: Simd, const V: usize>(&self, simd: S, out: &mut [f32], sums: [S::f32s; V], column: usize) {
        let columns = column..out.len().min(column + V * S::F32_LANES);
        for ((i, out), sum) in out[columns].chunks_mut(S::F32_LANES).enumerate().zip(sums) {
            let mut y = simd.mul_f32s(simd.splat_f32s(self.alpha), sum);
            if let Some(bias) = self.bias {
                let bias = &bias[column + i * S::F32_LANES..];
                y = simd.add_f32s(y, simd.partial_load_f32s(&bias[..out.len()]));
            }
            match S::as_mut_simd_f32s(out) {
                ([whole], _) => *whole = y,
                (_, part) => simd.partial_store_f32s(part, y),
            }
        }
    }
}

/// The products of some rows with a panel.
#[inline(always)]
fn sums<S: Simd, const V: usize, const R: usize>(
    simd: S,
    rows: [&[f32]; R],
    panel: &[[S::f32s; V]],
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (p, y) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = simd.splat_f32s(row[p]);
            for (sum, y) in sums.iter_mut().zip(y) {
                *sum = simd.mul_add_e_f32s(x, *y, *sum);
            }
        }
    }
    sums
}
