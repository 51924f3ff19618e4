//! Convolutions: how kernels slide, and what that is in primitives.

use super::{Def, Var};

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

    /// The shape of a convolution of `x`.
    pub(super) fn shape(self, x: &[usize], kernel: &[usize]) -> Vec<usize> {
        match (x, kernel) {
            ([lead @ .., h, w, c], [kh, kw, own @ .., out]) if own.is_empty() && c == out || own == [*c] => {
                [lead, &self.windows([*h, *w], [*kh, *kw]), &[*out]].concat()
            }
            _ => panic!("a convolution of {x:?} with {kernel:?}: a kernel is [kh, kw, c, o] or [kh, kw, c]"),
        }
    }

    /// The shape of an image of `places` whose convolution has that of `dy`.
    pub(super) fn shape_back(self, dy: &[usize], kernel: &[usize], places: [usize; 2]) -> Vec<usize> {
        let ([lead @ .., _, _, _], [_, _, c, ..]) = (dy, kernel) else { panic!("no image is {dy:?}") };
        let x = [lead, &places, &[*c]].concat();
        assert_eq!(self.shape(&x, kernel), dy, "a convolution of {x:?} with {kernel:?}");
        x
    }
}

/// Every window of `x` with a kernel: one product `[row * col, kh kw c] x [kh kw c, o]`, whose windows are gathered in runs of `kw c`
/// neighbours, or a sum for each channel.
pub(super) fn convolved<'g>(x: Var<'g>, kernel: Var<'g>, slide: Slide) -> Var<'g> {
    let (rank, shape) = (x.shape().len(), kernel.shape());
    let [row, col] = [rank - 3, rank - 2].map(|it| it as isize);
    let ([above, below], [left, right]) = slide.around.into();
    let x = x.pad(row, above, below, 0.0).pad(col, left, right, 0.0);
    let windows = x.window(row, shape[0], slide.stride).window(col, shape[1], slide.stride); // [.., i, j, c, u, v]
    let places = &windows.shape()[..rank - 1];
    let [kh, kw, c, out] = shape[..] else {
        let sums = (windows * kernel.permute(&[2, 0, 1])).sum(-1).sum(-2);
        return sums.reshape(&sums.shape()[..rank]);
    };
    let order: Vec<usize> = (0..rank - 1).chain([rank, rank + 1, rank - 1]).collect();
    let rows = windows.permute(&order).reshape(&[places.iter().product(), kh * kw * c]);
    let sums = rows.matmul(kernel.reshape(&[kh * kw * c, out]));
    sums.reshape(&[places, &[out]].concat())
}

/// What each place of `dy` gives to those of its window, added up where windows overlap.
pub(super) fn given_back<'g>(dy: Var<'g>, kernel: Var<'g>, slide: Slide, places: [usize; 2]) -> Var<'g> {
    let (shape, rank) = (dy.shape(), dy.shape().len());
    let terms = if let [kh, kw, c, out] = kernel.shape()[..] {
        let windows = &shape[..rank - 1];
        let rows = dy.reshape(&[windows.iter().product(), out]);
        let terms = rows.matmul(kernel.reshape(&[kh * kw * c, out]).t());
        let order: Vec<usize> = (0..rank - 1).chain([rank + 1, rank - 1, rank]).collect();
        terms.reshape(&[windows, &[kh, kw, c]].concat()).permute(&order)
    } else {
        dy.reshape(&[&shape[..], &[1, 1]].concat()) * kernel.permute(&[2, 0, 1])
    }; // [.., i, j, c, u, v]
    // Columns, whose elements are the last axis, then rows.
    [1, 0].into_iter().fold(terms, |terms, i| {
        let (axis, [before, after]) = ((rank - 3 + i) as isize, slide.around[i]);
        let whole = terms.fold(axis, slide.stride, before + places[i] + after);
        whole.slice(axis, before, places[i])
    })
}

impl Var<'_> {
    /// The convolution of images `[.., row, col, c]` with a kernel `[kh, kw, c, o]`, or of each channel with its own, `[kh, kw, c]`.
    pub fn conv(self, kernel: Self, slide: Slide) -> Self {
        match kernel.shape()[..] {
            // That of a single place is a product, which gathers nothing.
            [1, 1, _, _] => convolved(self, kernel, slide),
            _ => self.define(Def::Conv(slide), &[kernel]),
        }
    }
}
