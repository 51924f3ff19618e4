//! Several elementwise functions in one pass: a tape of instructions plays over pieces of the result that are small enough
//! for what lies in between to stay in the fastest cache.
//!
//! Each instruction is a function of `pointwise`, so a tape gives bit for bit what its functions give one after another.

use std::ops::Range;

use crate::Strided;
use crate::pointwise::{self, Binary, Loop, Unary, each, gelu_of, gelu_slope};
use crate::spread::{for_each_chunk, vectorised};

/// What is computed next. Results are known by the position of their instruction; the last one is the tape's.
#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    /// A number.
    Number(f32),
    /// An element of an operand; none is read outside of the bounds.
    Load {
        /// Which operand.
        operand: usize,
        /// Within which bounds.
        within: Vec<usize>,
    },
    /// A function of one result.
    Unary(Unary, usize),
    /// GELU of a result.
    Gelu(usize),
    /// A function of two results.
    Binary(Binary, usize, usize),
    /// The derivative of GELU at the first, times the second.
    GeluGrad(usize, usize),
    /// A result within bounds, a number outside.
    Pad {
        /// Which result.
        x: usize,
        /// Within which bounds.
        within: Vec<usize>,
        /// What stands outside.
        value: f32,
    },
}

impl Instruction {
    /// The results that it takes.
    pub fn reads(&self) -> impl Iterator<Item = usize> {
        let (a, b) = match self {
            Self::Number(_) | Self::Load { .. } => (None, None),
            Self::Unary(_, x) | Self::Gelu(x) | Self::Pad { x, .. } => (Some(*x), None),
            Self::Binary(_, a, b) | Self::GeluGrad(a, b) => (Some(*a), Some(*b)),
        };
        a.into_iter().chain(b)
    }
}

/// Where the elements of an operand lie, or how a bound counts: element `i` at `offset + i . strides`, modulo the largest
/// `usize`. In front of a padded tensor places are negative; nothing is read there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Where the first element is.
    pub offset: usize,
    /// Distance between neighbours of every axis.
    pub strides: &'a [usize],
}

impl Place<'_> {
    fn at(self, index: &[usize]) -> usize {
        let steps = index.iter().zip(self.strides).map(|(i, s)| i.wrapping_mul(*s));
        steps.fold(self.offset, usize::wrapping_add)
    }

    /// Distance between neighbours of the last axis.
    fn step(self) -> usize {
        self.strides.last().copied().unwrap_or(0)
    }
}

/// What a tape plays on.
pub struct Reel<'a> {
    /// Length of every axis of the result.
    pub shape: &'a [usize],
    /// What is computed.
    pub tape: &'a [Instruction],
    /// Memory, and where in it an operand lies.
    pub operands: Vec<(&'a [f32], Place<'a>)>,
    /// What is inside: places less than a length.
    pub bounds: Vec<(Place<'a>, usize)>,
}

/// Elements of a piece: some of them stay in the fastest cache together.
const PIECE: usize = 1024;
/// Elements that a task takes.
const TASK: usize = 4 * PIECE;
/// Lines that are at least so long are taken one by one: operands that are constant along a line are numbers then, and most
/// others are used where they lie.
const LONG: usize = 64;

/// `out = tape(operands)`
pub fn play(out: &mut [f32], reel: &Reel<'_>) {
    if reel.alone(out).is_some() {
        return;
    }
    let line = reel.shape.last().copied().unwrap_or(1);
    let task = if (LONG..TASK).contains(&line) { line * TASK.div_ceil(line) } else { TASK };
    let registers = registers(reel.tape);
    for_each_chunk(out, task, 2 * reel.tape.len(), |i, out| {
        let room = registers.iter().max().map_or(0, |it| it + 1);
        let mut player = Player {
            reel,
            registers: &registers,
            room: vec![vec![0.0; PIECE.min(out.len())]; room],
            values: Vec::with_capacity(reel.tape.len()),
            index: vec![0; reel.shape.len()],
        };
        let (mut at, mut out) = (i * task, out);
        vectorised(
            #[inline(always)]
            || {
                while !out.is_empty() {
                    let most = if line >= LONG { (line - at % line).min(PIECE) } else { PIECE };
                    let len = most.min(out.len());
                    let (piece, rest) = std::mem::take(&mut out).split_at_mut(len);
                    player.piece(at, piece);
                    (at, out) = (at + len, rest);
                }
            },
        );
    });
}

/// Which register every instruction writes. A register is written again when nobody reads it any more.
fn registers(tape: &[Instruction]) -> Vec<usize> {
    let mut last = vec![0; tape.len()];
    for (i, it) in tape.iter().enumerate().rev() {
        for x in it.reads() {
            // What a pad hands on as it is lives as long as the pad.
            let until = if matches!(it, Instruction::Pad { .. }) { last[i].max(i) } else { i };
            last[x] = last[x].max(until);
        }
    }
    let (mut busy, mut found): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
    for (i, last) in last.into_iter().enumerate() {
        let free = busy.iter().position(|until| *until < i).unwrap_or(busy.len());
        busy.resize(busy.len().max(free + 1), 0);
        busy[free] = last;
        found.push(free);
    }
    found
}

/// A result for the piece at hand.
#[derive(Clone, Copy)]
enum Value<'a> {
    /// The same everywhere.
    Number(f32),
    /// Memory that is read where it lies.
    Lies(&'a [f32]),
    /// In a register.
    In(usize),
}

struct Player<'a> {
    reel: &'a Reel<'a>,
    registers: &'a [usize],
    room: Vec<Vec<f32>>,
    values: Vec<Value<'a>>,
    /// Where the piece begins.
    index: Vec<usize>,
}

/// A part of the result, and what it is computed from: numbers, and memory of the same length.
struct Piece<'o, 'x, const N: usize> {
    out: &'o mut [f32],
    of: [Result<f32, &'x [f32]>; N],
}

impl Loop<1> for Piece<'_, '_, 1> {
    #[inline(always)]
    fn run(self, f: impl Fn([f32; 1]) -> f32 + Sync) {
        match self.of {
            [Ok(x)] => self.out.fill(f([x])),
            [Err(x)] => each(self.out, [x], f),
        }
    }
}

impl Loop<2> for Piece<'_, '_, 2> {
    #[inline(always)]
    fn run(self, f: impl Fn([f32; 2]) -> f32 + Sync) {
        match self.of {
            [Ok(a), Ok(b)] => self.out.fill(f([a, b])),
            [Ok(a), Err(b)] => each(self.out, [b], |[b]| f([a, b])),
            [Err(a), Ok(b)] => each(self.out, [a], |[a]| f([a, b])),
            [Err(a), Err(b)] => each(self.out, [a, b], f),
        }
    }
}

impl<'a> Player<'a> {
    /// Computes the elements from `start` on, counted in rows.
    #[inline(always)]
    fn piece(&mut self, start: usize, out: &mut [f32]) {
        let mut rest = start;
        for (i, n) in self.index.iter_mut().zip(self.reel.shape).rev() {
            *i = rest % n;
            rest /= n;
        }
        let len = out.len();
        self.values.clear();
        let last = self.reel.tape.len() - 1;
        for (i, instruction) in self.reel.tape.iter().enumerate() {
            let register = if i == last { usize::MAX } else { self.registers[i] };
            let mut room = self.room.get_mut(register).map(std::mem::take).unwrap_or_default();
            let target = if i == last { &mut *out } else { &mut room[..len] };
            let value = self.compute(instruction, start, target, register);
            if i < last {
                self.room[register] = room;
            }
            self.values.push(value);
        }
        match self.values[last] {
            Value::Number(x) => out.fill(x),
            Value::Lies(x) => out.copy_from_slice(x),
            // It is there already.
            Value::In(usize::MAX) => {}
            Value::In(register) => out.copy_from_slice(&self.room[register][..len]),
        }
    }

    /// One instruction; `out` is register `register`.
    #[inline(always)]
    fn compute(
        &self,
        instruction: &Instruction,
        start: usize,
        out: &mut [f32],
        register: usize,
    ) -> Value<'a> {
        match instruction {
            Instruction::Number(x) => Value::Number(*x),
            Instruction::Load { operand, within } => {
                self.load(*operand, within, start, out).unwrap_or(Value::In(register))
            }
            Instruction::Pad { x, within, value } => {
                self.pad(*x, within, *value, out).unwrap_or(Value::In(register))
            }
            Instruction::Unary(f, x) => {
                f.choose(self.of([*x], out));
                self.done(&[*x], out, register)
            }
            Instruction::Binary(f, a, b) => {
                f.choose(self.of([*a, *b], out));
                self.done(&[*a, *b], out, register)
            }
            Instruction::Gelu(x) => {
                self.of([*x], out).run(gelu_of);
                self.done(&[*x], out, register)
            }
            Instruction::GeluGrad(x, dy) => {
                self.of([*x, *dy], out).run(gelu_slope);
                self.done(&[*x, *dy], out, register)
            }
        }
    }

    /// What a function of results is applied to: one element where all of them are numbers.
    #[inline(always)]
    fn of<'o, const N: usize>(&self, of: [usize; N], out: &'o mut [f32]) -> Piece<'o, '_, N> {
        let len = if self.are_numbers(&of) { 1 } else { out.len() };
        let of = of.map(|x| match &self.values[x] {
            Value::Number(x) => Ok(*x),
            Value::Lies(x) => Err(&x[..len]),
            Value::In(register) => Err(&self.room[*register][..len]),
        });
        Piece { out: &mut out[..len], of }
    }

    /// What a function of results gave.
    fn done(&self, of: &[usize], out: &[f32], register: usize) -> Value<'a> {
        if self.are_numbers(of) { Value::Number(out[0]) } else { Value::In(register) }
    }

    fn are_numbers(&self, of: &[usize]) -> bool {
        of.iter().all(|x| matches!(self.values[*x], Value::Number(_)))
    }

    /// An operand, copied to `out` (then `None`) only where it cannot be used as it lies.
    fn load(&self, operand: usize, within: &[usize], start: usize, out: &mut [f32]) -> Option<Value<'a>> {
        let index = &self.index[..];
        let (data, place) = self.reel.operands[operand];
        if within.is_empty() && self.reel.is_rows(place) {
            return Some(Value::Lies(&data[place.offset + start..][..out.len()]));
        }
        if within.is_empty() && place.strides.iter().all(|it| *it == 0) {
            return Some(Value::Number(data[place.offset]));
        }
        let (line, step) = (self.reel.line(), place.step());
        if index.last().map_or(1, |it| line - it) >= out.len() {
            let inside = self.reel.inside(within, index, out.len());
            let at = place.at(index);
            if inside.is_empty() {
                return Some(Value::Number(0.0));
            } else if inside.len() == out.len() && step == 1 {
                return Some(Value::Lies(&data[at..][..out.len()]));
            } else if inside.len() == out.len() && step == 0 {
                return Some(Value::Number(data[at]));
            }
        }
        self.reel.lines(index, out, |index, out| {
            let inside = self.reel.inside(within, index, out.len());
            let first = place.at(index).wrapping_add(inside.start.wrapping_mul(step));
            if inside.len() < out.len() {
                out.fill(0.0);
            }
            let out = &mut out[inside];
            match step {
                _ if out.is_empty() => {}
                1 => out.copy_from_slice(&data[first..][..out.len()]),
                0 => out.fill(data[first]),
                _ => {
                    for (y, x) in out.iter_mut().zip(data[first..].iter().step_by(step)) {
                        *y = *x;
                    }
                }
            }
        });
        None
    }

    /// A result within bounds, copied to `out` (then `None`) only where a line is partly inside.
    fn pad(&self, x: usize, within: &[usize], value: f32, out: &mut [f32]) -> Option<Value<'a>> {
        let index = &self.index[..];
        if index.last().map_or(1, |it| self.reel.line() - it) >= out.len() {
            let inside = self.reel.inside(within, index, out.len());
            if inside.is_empty() {
                return Some(Value::Number(value));
            } else if inside.len() == out.len() {
                return Some(self.values[x]);
            }
        }
        let mut done = 0;
        self.reel.lines(index, out, |index, out| {
            let inside = self.reel.inside(within, index, out.len());
            let from = done + inside.start..done + inside.end;
            done += out.len();
            if inside.len() < out.len() {
                out.fill(value);
            }
            match &self.values[x] {
                Value::Number(x) => out[inside].fill(*x),
                Value::Lies(x) => out[inside].copy_from_slice(&x[from]),
                Value::In(register) => out[inside].copy_from_slice(&self.room[*register][from]),
            }
        });
        None
    }
}

impl Reel<'_> {
    fn line(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Whether elements lie one after another.
    fn is_rows(&self, place: Place<'_>) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(place.strides).rev().all(|(n, stride)| {
            let fits = *stride == expected || *n == 1;
            expected *= n;
            fits
        })
    }

    /// Which of the `len` elements of a line from `index` on are within all `bounds`.
    fn inside(&self, bounds: &[usize], index: &[usize], len: usize) -> Range<usize> {
        let mut inside = 0..len;
        for bound in bounds {
            let (place, most) = self.bounds[*bound];
            // Element j is at `first + j * step`, which must be from 0 to most - 1.
            let (first, step, most) = (place.at(index) as isize, place.step() as isize, most as isize);
            if step == 0 {
                if !(0..most).contains(&first) {
                    return 0..0;
                }
                continue;
            }
            let reach = |until: isize| ((until - first + step - 1) / step).max(0) as usize;
            inside.start = inside.start.max(if first < 0 { reach(0) } else { 0 });
            inside.end = inside.end.min(if first < most { reach(most) } else { 0 });
        }
        if inside.start < inside.end { inside } else { 0..0 }
    }

    /// Calls `f` with every run of `out` that lies in one line, and with the index of its first element.
    fn lines(&self, index: &[usize], out: &mut [f32], mut f: impl FnMut(&[usize], &mut [f32])) {
        let mut index = index.to_vec();
        let mut out = out;
        while !out.is_empty() {
            let within = index.last().copied().unwrap_or(0);
            let (run, rest) = out.split_at_mut((self.line() - within).min(out.len()));
            f(&index, run);
            out = rest;
            if let Some(last) = index.last_mut() {
                *last = self.shape[self.shape.len() - 1] - 1;
            }
            crate::advance(&mut index, self.shape);
        }
    }

    /// A tape of one function is that function, in one pass over all lines; `None` where there is more to it.
    fn alone(&self, out: &mut [f32]) -> Option<()> {
        let seen = |i: usize| match &self.tape[i] {
            Instruction::Load { operand, within } if within.is_empty() => {
                let (data, Place { offset, strides }) = self.operands[*operand];
                Some(Strided { data: &data[offset..], shape: self.shape, strides })
            }
            _ => None,
        };
        match self.tape {
            [_] => pointwise::copy(out, seen(0)?),
            [_, Instruction::Unary(f, 0)] => pointwise::unary(*f, out, seen(0)?),
            [_, Instruction::Gelu(0)] => pointwise::gelu(out, seen(0)?),
            [_, Instruction::Binary(f, 0, 0)] => pointwise::binary(*f, out, seen(0)?, seen(0)?),
            [_, _, Instruction::Binary(f, a, b)] => pointwise::binary(*f, out, seen(*a)?, seen(*b)?),
            [_, _, Instruction::GeluGrad(x, dy)] => pointwise::gelu_grad(out, seen(*x)?, seen(*dy)?),
            _ => return None,
        }
        Some(())
    }
}
