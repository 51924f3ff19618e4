//! Programs by chance: recordings that nobody wrote down by hand.

use proptest::collection::vec;
use proptest::prelude::*;
use vitrine::graph::{Graph, Slide, Var};
use vitrine::tensor::{Tensor, size};

use crate::pair::numbers;

/// Larger results are left out, so that a case takes milliseconds.
const MOST: usize = 800;

/// A tensor whose elements are at most `bound` from 0: no step grows without end.
#[derive(Clone, Copy)]
pub(crate) struct Bounded<'g> {
    pub(crate) x: Var<'g>,
    bound: f32,
}

/// One operation: which, on what, how.
pub(crate) type Step = [u16; 4];

/// What is recorded: shapes of the leaves, steps on what is there so far, and a seed for the numbers.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) leaves: Vec<Vec<usize>>,
    steps: Vec<Step>,
    pub(crate) seed: u32,
}

/// Any program.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    let odd = prop_oneof![Just(1), Just(2), Just(3), Just(5), Just(7), Just(8), Just(13), Just(17)];
    let leaves = vec(vec(odd, 1..4), 1..4);
    (leaves, vec(any::<Step>(), 1..10), any::<u32>()).prop_map(|(leaves, steps, seed)| Program {
        leaves: leaves.into_iter().filter(|it| size(it) <= MOST).chain([vec![3]]).collect(),
        steps,
        seed,
    })
}

impl Program {
    /// The numbers of its leaves, from -1 to 1.
    pub(crate) fn numbers(&self) -> Vec<Tensor> {
        self.leaves.iter().zip(0..).map(|(shape, i)| numbers(shape, self.seed.wrapping_add(i), 1.0)).collect()
    }

    /// Records it, with kinks or without; all that there is in the end, leaves first.
    pub(crate) fn record<'g>(&self, g: &'g Graph, kinks: bool) -> Vec<Bounded<'g>> {
        let mut known: Vec<_> =
            self.numbers().iter().map(|it| Bounded { x: g.input(it), bound: 1.0 }).collect();
        let leaves = known.len();
        for step in &self.steps {
            let next = next(&known, leaves, *step, kinks);
            if size(&next.x.shape()) <= MOST && next.x.shape().len() <= 4 {
                // Beyond 4 products would grow and exponentials of them explode.
                let tame = next.bound > 4.0;
                known.push(if tame { Bounded { x: next.x.tanh(), bound: 1.0 } } else { next });
            }
        }
        known
    }
}

fn next<'g>(known: &[Bounded<'g>], leaves: usize, [kind, a, b, c]: Step, kinks: bool) -> Bounded<'g> {
    let pick = |i: u16| known[usize::from(i) % known.len()];
    let (x, y, how) = (pick(a), pick(b), usize::from(c));
    match kind % 8 {
        0 if kinks => kinked(x, y, [a, b].map(|i| known[usize::from(i) % leaves]), how),
        0 | 1 => function(x, how),
        2 => of_two(x, y, how),
        3 => reduction(x, usize::from(b), how),
        4 => view(x, usize::from(b), how),
        5 => product(x, y),
        6 => definition(x, y, how),
        _ => table(x, how),
    }
}

fn bounded(x: Var<'_>, bound: f32) -> Bounded<'_> {
    Bounded { x, bound }
}

fn positive(x: Var<'_>) -> Var<'_> {
    x * x + 0.5
}

fn function(Bounded { x, bound }: Bounded<'_>, how: usize) -> Bounded<'_> {
    match how % 9 {
        0 => bounded(x.sin(), 1.0),
        1 => bounded(x.cos(), 1.0),
        2 => bounded(x.tanh(), 1.0),
        3 => bounded(x.erf(), 1.0),
        4 => bounded(-x, bound),
        5 => bounded(x.sin().exp(), 2.8),
        6 => bounded(positive(x).log(), 2.9),
        7 => bounded(positive(x).recip(), 2.0),
        _ => bounded(positive(x).sqrt(), bound + 0.8),
    }
}

/// `y` with the mean over every axis that does not fit `x`: then the two broadcast.
fn fitted<'g>(x: Var<'g>, y: Var<'g>) -> Var<'g> {
    let (mut y, own) = (y, x.shape());
    for back in 1..=own.len().min(y.shape().len()) {
        let (n, m) = (own[own.len() - back], y.dim(-(back as isize)));
        if n != m && n != 1 && m != 1 {
            y = y.mean(-(back as isize));
        }
    }
    y
}

fn of_two<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let (a, b) = (x.x, fitted(x.x, y.x));
    match how % 4 {
        0 => bounded(a + b, x.bound + y.bound),
        1 => bounded(a - b, x.bound + y.bound),
        2 => bounded(a * b, x.bound * y.bound),
        _ => bounded(a / positive(b), 2.0 * x.bound),
    }
}

/// What has no derivative everywhere. What jumps is given the leaves, which are the same numbers in f32 and f64.
fn kinked<'g>(x: Bounded<'g>, y: Bounded<'g>, leaves: [Bounded<'g>; 2], how: usize) -> Bounded<'g> {
    let (a, b, bound) = (x.x, fitted(x.x, y.x), x.bound.max(y.bound));
    let [p, q] = leaves.map(|it| it.x);
    match how % 10 {
        0 => bounded(a.abs(), bound),
        9 => bounded(a.clamp(-0.25, f32::INFINITY), bound),
        7 => bounded(a.clamp(-0.25, 0.5), 0.5),
        8 => bounded(slid(x, y, how / 9).x.clamp(0.0, 0.5), 0.5),
        1 => bounded(a.max_with(b), bound),
        2 => bounded(a.min_with(b), bound),
        3 => bounded(a.or_larger(b), bound),
        4 => bounded(a.max((how / 7 % a.shape().len()) as isize), bound),
        5 => bounded(p.sign(), 1.0),
        _ => bounded(p.less(if p.shape() == q.shape() { q } else { p.graph().constant(0.1) }), 1.0),
    }
}

fn reduction(Bounded { x, bound }: Bounded<'_>, axis: usize, how: usize) -> Bounded<'_> {
    let axis = (axis % x.shape().len()) as isize;
    let n = x.dim(axis) as f32;
    match how % 2 {
        0 => bounded(x.mean(axis), bound),
        _ => bounded(x.sum(axis), bound * n),
    }
}

fn view(Bounded { x, bound }: Bounded<'_>, axis: usize, how: usize) -> Bounded<'_> {
    let shape = x.shape();
    let rank = shape.len();
    let (axis, n) = ((axis % rank) as isize, shape[axis % rank]);
    let mut turned: Vec<usize> = (0..rank).collect();
    turned.rotate_left(1);
    let backwards: Vec<usize> = (0..rank).rev().collect();
    let x = match how % 12 {
        0 => x.permute(&turned),
        1 => x.permute(&backwards),
        2 => x.slice(axis, n / 3, n - n / 3),
        3 => x.strided(axis, 0, n.div_ceil(2), 2),
        4 => x.pad(axis, 1, 2, 0.5),
        5 => x.window(axis, n.min(2), 1),
        6 => x.flat(),
        7 => x.broadcast(&[&[2], &shape[..]].concat()),
        8 => x.reshape(&backwards.iter().map(|it| shape[*it]).collect::<Vec<_>>()),
        9 => Var::concat(&[x, x.sin(), x], axis),
        10 => Var::pack(&[x, x.cos(), x]).slice(0, n / 2, size(&shape) + 64),
        _ => return bounded(x.window(axis, n.min(3), 2).fold(axis, 2, n), 2.0 * bound),
    };
    bounded(x, bound)
}

/// At least two axes.
fn matrix(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    if shape.len() < 2 { x.reshape(&[1, shape[0]]) } else { x }
}

/// A product, over the number of its terms.
fn product<'g>(x: Bounded<'g>, y: Bounded<'g>) -> Bounded<'g> {
    let (a, b) = (matrix(x.x), matrix(y.x));
    let k = a.dim(-1);
    let leading = |it: Var<'_>| it.shape()[..it.shape().len() - 2].to_vec();
    let fits = leading(b).is_empty() || leading(a) == leading(b);
    let (product, bound) = match () {
        () if fits && b.dim(-2) == k => (a.matmul(b), y.bound),
        () if fits && b.dim(-1) == k => (a.matmul(b.t()), y.bound),
        () if size(&b.shape()).is_multiple_of(k) => {
            (a.matmul(b.reshape(&[k, size(&b.shape()) / k])), y.bound)
        }
        () => (a.matmul(a.t()), x.bound),
    };
    bounded(product * (1.0 / k as f32), x.bound * bound)
}

fn definition<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let n = x.x.dim(-1);
    match how % 7 {
        0 => bounded(x.x.softmax(), 1.0),
        4 => slid(x, y, how / 6),
        5 => bounded(slid(x, y, how / 6).x.gelu(), x.bound * y.bound),
        1 => bounded(x.x.gelu(), x.bound),
        2 => {
            let a = matrix(x.x);
            bounded((a.matmul(a.t()) * (1.0 / n as f32)).softmax(), 1.0)
        }
        3 => {
            let a = matrix(x.x);
            let logits = a.matmul(a.t()) * (1.0 / n as f32) + a.mean(-1);
            let mix = logits.softmax().matmul(a);
            // A mix that is itself the scores of a pattern.
            if (how / 7).is_multiple_of(3) { bounded(mix.softmax(), 1.0) } else { bounded(mix, x.bound) }
        }
        _ => {
            let flat = y.x.flat();
            let enough = flat.dim(0) >= n;
            let gamma = if enough { flat.slice(0, 0, n) } else { flat.mean(0).broadcast(&[n]) };
            // 1/sqrt(variance + eps) magnifies by 1.4 at most.
            bounded(x.x.layer_norm(gamma, gamma * 0.5, 0.5), 3.0 * x.bound * y.bound + y.bound)
        }
    }
}

/// A convolution, over the number of its terms, with a bias or without: of all channels, or of each on its own.
fn slid<'g>(x: Bounded<'g>, y: Bounded<'g>, how: usize) -> Bounded<'g> {
    let shape = x.x.shape();
    let image = x.x.reshape(&[&vec![1; 3_usize.saturating_sub(shape.len())][..], &shape].concat());
    let [h, w, c] = [-3, -2, -1].map(|axis| image.dim(axis));
    let [kh, kw, stride] = [1 + how % 3, 1 + how / 3 % 3, 1 + how / 9 % 3];
    let [down, right] = [how / 27, how / 81].map(|it| [it % 2, it % 3]);
    let around = [(h, kh, down), (w, kw, right)].map(|(n, k, [before, after])| {
        let before = before.min(k - 1);
        [before, after.max(k.saturating_sub(n + before))]
    });
    let flat = y.x.flat();
    let taps = |n: usize| if flat.dim(0) < n { flat.mean(0).broadcast(&[n]) } else { flat.slice(0, 0, n) };
    let shape =
        if (how / 486).is_multiple_of(2) { vec![kh, kw, c] } else { vec![kh, kw, c, 1 + how / 972 % 5] };
    let terms = if shape.len() == 3 { kh * kw } else { kh * kw * c };
    let kernel = taps(size(&shape)).reshape(&shape) * (1.0 / terms as f32);
    let sums = image.conv(kernel, Slide { stride, around });
    if (how / 243).is_multiple_of(2) {
        bounded(sums, x.bound * y.bound)
    } else {
        let bias = x.x.graph().input(&numbers(&shape[shape.len() - 1..], how as u32, 1.0));
        bounded(sums + bias, x.bound * y.bound + 1.0)
    }
}

/// Rows by ids, of which some are beyond the table, or rows added up by ids.
fn table(Bounded { x, bound }: Bounded<'_>, how: usize) -> Bounded<'_> {
    let d = x.dim(-1);
    let rows = x.reshape(&[size(&x.shape()) / d, d]);
    let (v, m) = (rows.dim(0), 1 + how % 7);
    let ids = |n: usize| x.graph().input(&Tensor::from_fn(&[n], |at| ((how + 3 * at[0]) % (v + 2)) as f32));
    match how % 2 {
        0 => bounded(rows.gather(ids(m)), bound),
        _ => bounded(rows.scatter_add(ids(v), 1 + how % 4) * (1.0 / v as f32), bound),
    }
}
