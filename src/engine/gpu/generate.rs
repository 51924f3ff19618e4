//! WGSL for elementwise steps: `pointwise.wgsl` with the step's own tape between its marks. Numbers, lengths and strides are
//! parameters, so that steps of the same structure share a pipeline.

use std::fmt::Write;

use vitrine_loops::tape::Instruction;

use crate::engine::Operand;
use crate::engine::plan::{Bound, Kernel, Step};
use crate::graph::{Binary, Unary};
use crate::tensor::{contiguous, size};

const TEMPLATE: &str = include_str!("../kernels/pointwise.wgsl");

/// The kernel of an elementwise step as it goes to the driver; `None` for other steps.
pub fn source(step: &Step) -> Option<String> {
    let Kernel::Pointwise { tape, bounds } = &step.kernel else { return None };
    Some(Generated::new(step, tape, bounds).text)
}

/// A kernel written for one structure, and what it needs for one step.
pub(super) struct Generated {
    pub(super) text: String,
    /// The slots of its buffers.
    pub(super) slots: Vec<usize>,
    /// Its `Params`.
    pub(super) words: Vec<u32>,
}

impl Generated {
    pub(super) fn new(step: &Step, tape: &[Instruction], bounds: &[Bound]) -> Self {
        let mut it = Writer::default();
        it.index(&step.output.shape);
        for (i, Bound { place, len }) in bounds.iter().enumerate() {
            let (place, len) = (it.place(place), it.word(*len as u32));
            it.line(&format!("let b{i} = {place} < {len};"));
        }
        for (i, instruction) in tape.iter().enumerate() {
            let value = it.value(instruction, &step.inputs);
            it.line(&format!("let v{i} = {value};"));
        }
        it.line(&format!("return v{};", tape.len() - 1));
        let Writer { body, slots, mut words } = it;
        words.resize(words.len().max(1).next_multiple_of(4), 0);
        let head = head(words.len() / 4, slots.len());
        let marks =
            TEMPLATE.split_once("// <\n").and_then(|(before, it)| Some((before, it.split_once("// >\n")?)));
        let Some((before, (_, behind))) = marks else { unreachable!("the template has marks") };
        let text = format!("{before}{head}fn f(index: u32) -> f32 {{\n{body}}}\n{behind}");
        Self { text, slots, words: [&[size(&step.output.shape) as u32, 0, 0, 0][..], &words].concat() }
    }
}

/// Parameters and buffers.
fn head(words: usize, buffers: usize) -> String {
    let mut head = format!("struct Params {{ len: u32, words: array<vec4<u32>, {words}> }}\n");
    let mut bind = |i: usize, what: &str| _ = writeln!(head, "@group(0) @binding({i}) var{what};");
    bind(0, "<uniform> params: Params");
    for i in 0..buffers {
        bind(i + 1, &format!("<storage, read> x{i}: array<f32>"));
    }
    bind(buffers + 1, "<storage, read_write> y: array<f32>");
    head
}

/// A kernel while it is written.
#[derive(Default)]
struct Writer {
    body: String,
    slots: Vec<usize>,
    words: Vec<u32>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        _ = writeln!(self.body, "    {line}");
    }

    /// A parameter.
    fn word(&mut self, value: u32) -> String {
        let i = self.words.len();
        self.words.push(value);
        format!("params.words[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4])
    }

    /// Takes `index` apart: `i0`, `i1` .. along the axes.
    fn index(&mut self, shape: &[usize]) {
        let mut rest = "index".to_owned();
        for (axis, len) in shape.iter().enumerate().skip(1).rev() {
            let len = self.word(*len as u32);
            self.line(&format!("let r{axis} = {rest} / {len};"));
            self.line(&format!("let i{axis} = {rest} - r{axis} * {len};"));
            rest = format!("r{axis}");
        }
        self.line(&format!("let i0 = {rest};"));
    }

    /// Where the element lies in an operand.
    fn place(&mut self, Operand { offset, shape, strides, .. }: &Operand) -> String {
        // Offsets below 0 wrap around here as there.
        let mut place = self.word(*offset as u32);
        if *strides == contiguous(shape) {
            return place + " + index";
        }
        for (axis, stride) in strides.iter().enumerate().filter(|(_, stride)| **stride != 0) {
            let stride = self.word(*stride as u32);
            _ = write!(place, " + i{axis} * {stride}");
        }
        place
    }

    fn value(&mut self, instruction: &Instruction, inputs: &[Operand]) -> String {
        match instruction {
            Instruction::Number(x) => format!("bitcast<f32>({})", self.word(x.to_bits())),
            // Outside of bounds something is read, and not used.
            Instruction::Load { operand, .. } => {
                let x = &inputs[*operand];
                let buffer = self.slots.iter().position(|it| *it == x.slot).unwrap_or(self.slots.len());
                if buffer == self.slots.len() {
                    self.slots.push(x.slot);
                }
                format!("x{buffer}[{}]", self.place(x))
            }
            Instruction::Unary(f, x) => unary(*f, *x),
            Instruction::Gelu(x) => format!("gelu(v{x})"),
            Instruction::Binary(f, a, b) => binary(*f, *a, *b),
            Instruction::GeluGrad(x, dy) => format!("gelu_grad(v{x}, v{dy})"),
            Instruction::Pad { x, within, value } => {
                let inside: Vec<String> = within.iter().map(|it| format!("b{it}")).collect();
                format!("select(bitcast<f32>({}), v{x}, {})", self.word(value.to_bits()), inside.join(" && "))
            }
        }
    }
}

fn unary(f: Unary, x: usize) -> String {
    match f {
        Unary::Abs => format!("abs(v{x})"),
        Unary::Cos => format!("sine(v{x}, 1)"),
        Unary::Erf => format!("erf(v{x})"),
        Unary::Exp => format!("exp(v{x})"),
        Unary::Log => format!("log(v{x})"),
        Unary::Neg => format!("-v{x}"),
        Unary::Recip => format!("1.0 / v{x}"),
        Unary::Sign => format!("sign(v{x})"),
        Unary::Sin => format!("sine(v{x}, 0)"),
        Unary::Sqrt => format!("sqrt(v{x})"),
        Unary::Tanh => format!("tanh_exactly(v{x})"),
    }
}

fn binary(f: Binary, a: usize, b: usize) -> String {
    match f {
        Binary::Add => format!("v{a} + v{b}"),
        Binary::Sub => format!("v{a} - v{b}"),
        Binary::Mul => format!("v{a} * v{b}"),
        Binary::Div => format!("v{a} / v{b}"),
        Binary::Max | Binary::OrLarger => format!("max(v{a}, v{b})"),
        Binary::Min => format!("min(v{a}, v{b})"),
        Binary::Less => format!("select(0.0, 1.0, v{a} < v{b})"),
    }
}
