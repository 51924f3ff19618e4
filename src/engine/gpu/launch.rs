//! From a step of a plan to the kernel that does it, its parameters and its grid.

use vitrine_loops::depthwise::Taps;
use vitrine_loops::tape::Instruction;

use super::generate::Generated;
use super::pipelines::{
    ATTENTION, CONV, DEPTHWISE, FOLD, GATHER, LAYER_NORM, LAYER_NORM_GRAD, MATMUL, MATMUL_SHARED, PATTERN,
    REDUCE, SCATTER_ADD, SOFTMAX, SOFTMAX_GRAD, Source, Variant,
};
use super::tiles::{Tile, neighbours};
use super::weights::Form;
use crate::engine::layout::collapse;
use crate::engine::plan::{Act, Bound, Kernel, Step};
use crate::engine::{EngineError, Operand};
use crate::tensor::size;

/// Axes that the kernels can walk.
const AXES: usize = 8;
/// Threads in a workgroup of every kernel that walks elements or rows.
const GROUP: usize = 64;
/// Workgroups along one dimension of a grid, on every device.
const GRID: usize = 65535;

/// A slot from some element on, which [`crate::graph::ALIGN`] divides.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) slot: usize,
    pub(super) offset: usize,
}

impl Part {
    /// A slot that the kernel is told places of.
    fn whole(x: &Operand) -> Self {
        Self { slot: x.slot, offset: 0 }
    }

    /// What rows of fewer bits are multiplied by, if they are.
    fn scales(form: Form) -> Option<Self> {
        if let Form::Rows { scales } = form { Some(Self { slot: scales, offset: 0 }) } else { None }
    }

    /// Rows.
    fn rows(x: &Operand) -> Self {
        Self { slot: x.slot, offset: x.offset }
    }
}

/// One dispatch.
pub(super) struct Launch {
    /// What runs.
    pub(super) variant: Variant,
    /// What it reads.
    pub(super) inputs: Vec<Part>,
    /// What it writes.
    pub(super) output: Part,
    /// The kernel's `Params`, word by word.
    pub(super) params: Vec<u32>,
    /// Workgroups.
    pub(super) grid: [u32; 3],
}

impl Launch {
    /// How a device does `step`; on a `software` one the threads of a workgroup do not work together. A product is cut by `tile`;
    /// `forms` is how numbers lie in every slot.
    pub(super) fn new(step: &Step, software: bool, tile: Tile, forms: &[Form]) -> Result<Self, EngineError> {
        let it = match &step.kernel {
            Kernel::Pointwise { tape, bounds } => Some(pointwise(step, tape, bounds)),
            Kernel::Reduce(f) => reduce(step, *f as u32, software),
            Kernel::Pattern { alpha } => pattern(step, *alpha, software),
            Kernel::Attention { alpha } => attention(step, *alpha),
            Kernel::Matmul { alpha, act } => matmul(step, *alpha, *act, tile, forms),
            Kernel::Conv { taps, act } if step.inputs[1].shape.len() == 3 => {
                Some(depthwise(step, *taps, *act))
            }
            Kernel::Conv { taps, act } => Some(conv(step, *taps, *act)),
            Kernel::Gather => Some(gather(step, forms)),
            Kernel::Softmax => Some(softmax(step, SOFTMAX, software)),
            Kernel::SoftmaxGrad => Some(softmax(step, SOFTMAX_GRAD, software)),
            Kernel::LayerNormGrad { eps } => Some(layer_norm_grad(step, *eps, software)),
            Kernel::ScatterAdd => Some(scatter_add(step)),
            Kernel::Fold { axis, stride } => fold(step, *axis, *stride),
            Kernel::LayerNorm { eps } => Some(layer_norm(step, *eps, software)),
        };
        it.ok_or_else(|| EngineError::Refused {
            what: describe(step),
            reason: format!("kernels walk {AXES} axes and {GRID} products at most"),
        })
    }

    fn of(
        step: &Step,
        source: Source,
        constants: &[(&'static str, u32)],
        params: Params,
        grid: [u32; 3],
    ) -> Self {
        Self {
            variant: Variant { source, constants: constants.to_vec() },
            inputs: step.inputs.iter().map(Part::rows).collect(),
            output: Part::rows(&step.output),
            params: params.0,
            grid,
        }
    }
}

/// What a step makes, in words.
pub(super) fn describe(step: &Step) -> String {
    let shape = &step.output.shape;
    match &step.kernel {
        Kernel::Pointwise { .. } => format!("an elementwise result of shape {shape:?}"),
        kernel => format!("a {kernel:?} result of shape {shape:?}"),
    }
}

/// A kernel's `Params` under construction.
#[derive(Default)]
struct Params(Vec<u32>);

impl Params {
    /// Begins with a `vec4` for each of 8 axes, its length and its strides in two tensors, and with the number of axes: at
    /// least one, of length 1 if there is none. `None` if there are too many.
    fn axes(shape: &[usize], strides: &[usize], others: &[usize]) -> Option<Self> {
        let mut words = vec![0; 4 * AXES];
        words[0] = 1;
        for (axis, len) in shape.iter().enumerate() {
            let of = |strides: &[usize]| strides.get(axis).map_or(0, |it| *it as u32);
            words.get_mut(4 * axis..4 * axis + 3)?.copy_from_slice(&[*len as u32, of(strides), of(others)]);
        }
        words.push(shape.len().max(1) as u32);
        Some(Self(words))
    }

    /// `u32`s.
    fn words(mut self, values: &[usize]) -> Self {
        self.0.extend(values.iter().map(|it| *it as u32));
        self
    }

    fn float(mut self, value: f32) -> Self {
        self.0.push(value.to_bits());
        self
    }
}

/// A grid of at least `groups` workgroups.
fn linear(groups: usize) -> [u32; 3] {
    let rows = groups.div_ceil(GRID).max(1);
    [groups.div_ceil(rows) as u32, rows as u32, 1]
}

fn pointwise(step: &Step, tape: &[Instruction], bounds: &[Bound]) -> Launch {
    let Generated { text, slots, words } = Generated::new(step, tape, bounds);
    let source = Source { name: "pointwise", text: text.into() };
    let grid = linear(size(&step.output.shape).div_ceil(GROUP));
    let inputs = slots.into_iter().map(|slot| Part { slot, offset: 0 }).collect();
    Launch { inputs, ..Launch::of(step, source, &[], Params(words), grid) }
}

fn gather(step: &Step, forms: &[Form]) -> Launch {
    let [table, ids] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    let ([v, d], [row, column]) = (&table.shape[..], &table.strides[..]) else {
        unreachable!("{step:?} has a table of two axes")
    };
    let len = size(&step.output.shape);
    let params = Params::default().words(&[table.offset, *row, *column, *v, *d, len]);
    let form = forms[table.slot];
    let inputs = vec![Part::whole(table), Part::rows(ids), Part::scales(form).unwrap_or(Part::whole(table))];
    let constants = [("FORM", form.number())];
    Launch { inputs, ..Launch::of(step, GATHER, &constants, params, linear(len.div_ceil(GROUP))) }
}

fn reduce(step: &Step, op: u32, software: bool) -> Option<Launch> {
    let [x] = &step.inputs[..] else { unreachable!("{step:?} has one input") };
    let (mut rows, last) = (x.clone(), x.shape.len() - 1);
    let (n, stride) = (x.shape[last], x.strides[last]);
    rows.shape.truncate(last);
    rows.strides.truncate(last);
    collapse([&mut rows].into_iter());
    let count = size(&rows.shape);
    let together = together(count, n, software);
    // Two results that are packed apart from each other.
    let y = &step.output;
    let [each, apart] = if y.is_rows() { [count.max(1), 0] } else { [count / 2, y.strides[0]] };
    let params = Params::axes(&rows.shape, &rows.strides, &[])?;
    let params = params.words(&[x.offset, count, n, stride, each, apart]);
    let constants = [("OP", op), cooperate(together)];
    let inputs = vec![Part::whole(x)];
    Some(Launch { inputs, ..Launch::of(step, REDUCE, &constants, params, by_row(count, together)) })
}

fn scatter_add(step: &Step) -> Launch {
    let ([x, ids], [v, d]) = (&step.inputs[..], &step.output.shape[..]) else {
        unreachable!("{step:?} adds rows up into a table")
    };
    debug_assert!(x.is_rows(), "rows are contiguous");
    let params = Params::default().words(&[ids.shape[0], *d, *v, v * d]);
    Launch::of(step, SCATTER_ADD, &[], params, linear((v * d).div_ceil(GROUP)))
}

fn fold(step: &Step, axis: usize, stride: usize) -> Option<Launch> {
    let ([x], y) = (&step.inputs[..], &step.output) else { unreachable!("{step:?} has one input") };
    let (len, last) = (size(&y.shape), x.shape.len() - 1);
    let params = Params::axes(&y.shape, &x.strides[..last], &[])?;
    let params = params.words(&[x.offset, len, axis, stride, x.shape[axis], x.shape[last], x.strides[last]]);
    let inputs = vec![Part::whole(x)];
    Some(Launch { inputs, ..Launch::of(step, FOLD, &[], params, linear(len.div_ceil(GROUP))) })
}

fn softmax(step: &Step, source: Source, software: bool) -> Launch {
    let (rows, n) = by_last_axis(&step.output);
    let together = together(rows, n, software);
    let params = Params::default().words(&[rows, n]);
    Launch::of(step, source, &[cooperate(together)], params, by_row(rows, together))
}

fn layer_norm(step: &Step, eps: f32, software: bool) -> Launch {
    let [x, gamma, beta, residual @ ..] = &step.inputs[..] else { unreachable!("{step:?} has three inputs") };
    let (rows, n) = by_last_axis(x);
    let together = together(rows, n, software);
    let sum = behind(step);
    let constants = [cooperate(together), ("RESIDUAL", residual.len() as u32), ("SUM", u32::from(sum > 0))];
    let residual = residual.first().unwrap_or(x);
    let params = Params::default().words(&[rows, n]).float(eps).words(&[sum]);
    let inputs = [x, gamma, beta, residual].map(Part::rows).to_vec();
    Launch { inputs, ..Launch::of(step, LAYER_NORM, &constants, params, by_row(rows, together)) }
}

fn layer_norm_grad(step: &Step, eps: f32, software: bool) -> Launch {
    let [x, gamma, dy, residual @ ..] = &step.inputs[..] else { unreachable!("{step:?} has three inputs") };
    let (rows, n) = by_last_axis(x);
    let together = together(rows, n, software);
    let gain = behind(step);
    let constants = [cooperate(together), ("RESIDUAL", residual.len() as u32), ("GAIN", u32::from(gain > 0))];
    let params = Params::default().words(&[rows, n]).float(eps).words(&[gain]);
    let inputs = [x, gamma, dy, residual.first().unwrap_or(x)].map(Part::rows).to_vec();
    Launch { inputs, ..Launch::of(step, LAYER_NORM_GRAD, &constants, params, by_row(rows, together)) }
}

/// Where the second result of a step begins, if there is one.
fn behind(step: &Step) -> usize {
    if step.output.shape.len() > step.inputs[0].shape.len() { step.output.strides[0] } else { 0 }
}

/// Rows and their length.
fn by_last_axis(x: &Operand) -> (usize, usize) {
    let n = x.shape.last().copied().unwrap_or(1);
    (size(&x.shape) / n.max(1), n)
}

/// Whether a workgroup shares a row, instead of each thread walking one: in hardware where rows are long enough to have
/// something for everybody, in software only where there are too few rows to go round.
fn together(rows: usize, n: usize, software: bool) -> bool {
    if software { n >= 1024 && rows < GROUP } else { n >= GROUP }
}

fn cooperate(together: bool) -> (&'static str, u32) {
    ("COOPERATE", u32::from(together))
}

fn by_row(rows: usize, together: bool) -> [u32; 3] {
    linear(if together { rows } else { rows.div_ceil(GROUP) })
}

fn matmul(step: &Step, alpha: f32, act: Option<Act>, tile: Tile, forms: &[Form]) -> Option<Launch> {
    let [a, w, bias @ ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    let (&[outer, inner, m, k], n) = (&a.shape[..], w.shape[3]) else {
        unreachable!("{step:?} has four axes")
    };
    let params = Params::default().words(&[m, k, n]).float(alpha);
    let params = params.words(&[a.offset]).words(&a.strides[1..]).words(&[w.offset]).words(&w.strides[1..]);
    let params = params.words(&[inner, a.strides[0], w.strides[0], bias.len()]);
    let [outer_y, inner_y, row_y] = step.product_strides();
    let (acts, [low, high]) = follows(act);
    let params = params.words(&[inner_y, outer_y, row_y, acts]).float(low).float(high);
    let (form, unread) = (forms[w.slot], Part::whole(a));
    let scales = Part::scales(form).unwrap_or(unread);
    let inputs = vec![unread, Part::whole(w), bias.first().map_or(unread, Part::rows), scales];
    let [left, right] = neighbours(step).map(|it| it as u32);
    let (source, constants, [rows, columns]) = if tile == Tile::Shared {
        let [a, w] = [a, w].map(|it| u32::from(it.strides[3] != 1));
        (MATMUL_SHARED, vec![("A_TURNED", a), ("W_TURNED", w), ("W_FORM", form.number())], [32, 32])
    } else {
        let [rows, columns] = match tile {
            Tile::Narrow => [8, 4],
            Tile::Large => [16, 16],
            _ => [8, 8],
        };
        // As the kernel has it.
        let across = n.div_ceil(columns).next_power_of_two().min(8);
        let constants =
            vec![("TILE", tile as u32), ("A_ROWS", left), ("W_ROWS", right), ("W_FORM", form.number())];
        (MATMUL, constants, [rows * 32 / across, columns * across])
    };
    let batch = outer * inner;
    let grid = [n.div_ceil(columns) as u32, m.div_ceil(rows) as u32, batch as u32];
    (batch <= GRID).then(|| Launch { inputs, ..Launch::of(step, source, &constants, params, grid) })
}

fn pattern(step: &Step, alpha: f32, software: bool) -> Option<Launch> {
    /// Queries that threads share.
    const ROWS: usize = 4;
    let [q, k, field @ ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    let &[outer, inner, m, d] = &q.shape[..] else { unreachable!("{step:?} has four axes") };
    let (batch, n) = (outer * inner, k.shape[3]);
    let lanes = if software && !together(batch * m, n, software) { 1 } else { 16 };
    let seen = [q, k, field.first().unwrap_or(q)];
    let params = Params::default().words(&[m, n, d]).float(alpha).words(&[inner, field.len(), 0, 0]);
    let params = seen.iter().fold(params, |params, it| params.words(&[it.offset]).words(&it.strides[1..]));
    let params = params.words(&seen.map(|it| it.strides[0])).words(&[0]);
    let fours = vectors(q, 3) && vectors(k, 2);
    let constants = [("LANES", lanes as u32), ("FOURS", u32::from(fours))];
    let grid = [m.div_ceil(ROWS * GROUP / lanes) as u32, 1, batch as u32];
    let inputs = seen.map(Part::whole).to_vec();
    (batch <= GRID).then(|| Launch { inputs, ..Launch::of(step, PATTERN, &constants, params, grid) })
}

fn attention(step: &Step, alpha: f32) -> Option<Launch> {
    /// Queries of a thread, and columns of the values that it adds up.
    const ROWS: usize = 4;
    const COLUMNS: usize = 32;
    let [q, k, v, field @ ..] = &step.inputs[..] else { unreachable!("{step:?} has three inputs") };
    let &[outer, inner, m, d] = &q.shape[..] else { unreachable!("{step:?} has four axes") };
    let (batch, n, e) = (outer * inner, k.shape[3], v.shape[3]);
    let threads = e.div_ceil(COLUMNS);
    let params = Params::default().words(&[m, n, d, e]).float(alpha).words(&[inner, threads, field.len()]);
    let seen = [q, k, v, field.first().unwrap_or(q)];
    let params = seen.iter().fold(params, |params, it| params.words(&[it.offset]).words(&it.strides[1..]));
    let params = params.words(&seen.map(|it| it.strides[0]));
    let [outer_y, inner_y, row_y] = step.product_strides();
    let params = params.words(&[inner_y, outer_y, row_y, 0]);
    let grid = [(m.div_ceil(ROWS) * threads).div_ceil(GROUP) as u32, 1, batch as u32];
    let inputs = seen.map(Part::whole).to_vec();
    (batch <= GRID).then(|| Launch { inputs, ..Launch::of(step, ATTENTION, &[], params, grid) })
}

/// Which activation a kernel is told of, and the least and the most that it gives.
fn follows(act: Option<Act>) -> (usize, [f32; 2]) {
    match act {
        None => (0, [f32::MIN, f32::MAX]),
        Some(Act::Gelu) => (1, [f32::MIN, f32::MAX]),
        // WGSL knows no infinity.
        Some(Act::Clamp(low, high)) => (2, [low, high].map(|it| it.clamp(f32::MIN, f32::MAX))),
    }
}

fn depthwise(step: &Step, taps: Taps, act: Option<Act>) -> Launch {
    let [x, w, bias @ ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    let ([.., rows, columns, c], [.., height, width, _], &[kh, kw, _]) =
        (&step.output.shape[..], &x.shape[..], &w.shape[..])
    else {
        unreachable!("{step:?} is of images")
    };
    let (acts, [low, high]) = follows(act);
    let (places, fours) = (size(&step.output.shape) / c.max(&1), c.div_ceil(4));
    let before = taps.before.map(|it| it as usize);
    let params = Params::default().words(&[*rows, *columns, *c, fours, *height, *width, kh, kw]);
    let params = params.words(&before).words(&[taps.stride, places]).float(low).float(high);
    let params = params.words(&[bias.len(), usize::from(acts == 2)]);
    let constants = [
        ("DILATION", taps.dilation as u32),
        ("TURNED", u32::from(taps.turned)),
        ("FOURS", u32::from(c.is_multiple_of(4))),
    ];
    let inputs = [x, w, bias.first().unwrap_or(w)].map(Part::rows).to_vec();
    Launch {
        inputs,
        ..Launch::of(step, DEPTHWISE, &constants, params, linear((places * fours).div_ceil(GROUP)))
    }
}

fn conv(step: &Step, taps: Taps, act: Option<Act>) -> Launch {
    let [x, w, bias @ ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    let ([.., rows, columns, out], [.., height, width, c], &[kh, kw, _, _]) =
        (&step.output.shape[..], &x.shape[..], &w.shape[..])
    else {
        unreachable!("{step:?} is of images")
    };
    let (acts, [low, high]) = follows(act);
    let lines = size(&step.output.shape) / (columns * out).max(1);
    let (across, fours) = (taps.dilation * columns.div_ceil(taps.dilation).div_ceil(4), out.div_ceil(4));
    let before = taps.before.map(|it| it as usize);
    let params = Params::default().words(&[*rows, *columns, *out, across]);
    let params =
        params.words(&[*height, *width, *c, fours]).words(&w.strides).words(&[kh, kw]).words(&before);
    let params = params.words(&[w.offset, taps.stride, lines * across, bias.len()]).float(low).float(high);
    let params = params.words(&[usize::from(acts == 2)]);
    let constants = [
        ("DILATION", taps.dilation as u32),
        ("TURNED", u32::from(taps.turned)),
        ("X_FOURS", u32::from(c.is_multiple_of(4))),
        ("W_FOURS", if vectors(w, 3) { 1 } else { 2 * u32::from(vectors(w, 2)) }),
    ];
    let inputs = vec![Part::rows(x), Part::whole(w), Part::rows(bias.first().unwrap_or(x))];
    let grid = linear((lines * across * fours).div_ceil(GROUP));
    Launch { inputs, ..Launch::of(step, CONV, &constants, params, grid) }
}

/// Whether every four neighbours along `axis` are an aligned vec4 of their buffer.
pub(super) fn vectors(x: &Operand, axis: usize) -> bool {
    let mut others = (0..x.shape.len()).filter(|it| *it != axis && x.shape[*it] > 1);
    let aligned = x.shape[axis].is_multiple_of(4) && x.offset.is_multiple_of(4);
    x.strides[axis] == 1 && aligned && others.all(|it| x.strides[it].is_multiple_of(4))
}
