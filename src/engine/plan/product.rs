//! The steps of products and of convolutions, which are products too, as are their derivatives.

use vitrine_loops::depthwise::Taps;

use super::fuse::{Factor, Product};
use super::{Act, Compiler, Kernel};
use crate::engine::layout::Operand;
use crate::graph::{Def, Op, Slide};

impl Compiler<'_> {
    /// Emits the product that ends at `id`.
    pub(super) fn product(&mut self, id: usize, Product { root, factors, alpha, bias, act }: Product) {
        let nodes = self.nodes;
        if let Op::Def(Def::Conv(slide) | Def::ConvGrad { slide, .. }) = nodes[root].op {
            return self.conv(id, root, slide, bias, act);
        }
        let mut inputs = self.matrices(&factors);
        inputs.extend(bias.map(|bias| self.rows(bias)));
        let kernel = Kernel::Matmul { alpha, act };
        let turned = if act.is_some() { None } else { self.turned(id, &mut inputs) };
        match turned {
            Some(output) => self.step(kernel, inputs, output),
            None => self.emit(id, kernel, inputs),
        }
    }

    /// The convolution at `root`, with what follows until `id`.
    fn conv(&mut self, id: usize, root: usize, slide: Slide, bias: Option<usize>, act: Option<Act>) {
        let nodes = self.nodes;
        let &[x, kernel] = &nodes[root].inputs[..] else { unreachable!("a convolution has two inputs") };
        let each = nodes[kernel].shape.len() == 3;
        let (x, mut kernel) = (self.rows(x), if each { self.rows(kernel) } else { self.operand(kernel) });
        let (before, stride) = (slide.around.map(|it| it[0] as isize), slide.stride);
        let taps = if let Op::Def(Def::Conv(_)) = nodes[root].op {
            Taps { before, stride, dilation: 1, turned: false }
        } else {
            // The image of `dy` with zeros between its places, the kernel turned and its channels exchanged.
            let before = [0, 1].map(|i| kernel.shape[i] as isize - 1 - before[i]);
            kernel = if each { kernel } else { kernel.permute(&[0, 1, 3, 2]) };
            Taps { before, stride: 1, dilation: stride, turned: true }
        };
        let mut inputs = vec![x, kernel];
        inputs.extend(bias.map(|it| self.rows(it)));
        self.emit(id, Kernel::Conv { taps, act }, inputs);
    }

    /// The results of `factors` with their leading axes merged into two, by a copy only where that takes one.
    pub(super) fn matrices(&mut self, factors: &[Factor]) -> Vec<Operand> {
        let seen = factors.iter().map(|Factor { id, swapped }| {
            let x = self.operand(*id);
            let rank = x.shape.len();
            if *swapped { x.last(rank - 2) } else { x }
        });
        let seen: Vec<Operand> = seen.collect();
        Operand::matrices(&seen).unwrap_or_else(|| {
            let rows = seen.into_iter().map(|it| if it.is_rows() { it } else { self.copy(it) });
            Operand::matrices(&rows.collect::<Vec<_>>())
                .unwrap_or_else(|| unreachable!("contiguous rows take any shape"))
        })
    }
}
