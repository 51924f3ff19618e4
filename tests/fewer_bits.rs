//! Weights of 8 and 16 bits: both devices multiply by them as they are, and what comes out is what f32 made of them gives.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod pair;

use std::sync::Arc;

use half::f16;
use pair::{Pair, SUM, numbers, recorded, values};
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};
use vitrine::engine::gpu::Tile;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

/// Records something of a matrix.
type Record<'r> = dyn for<'g> Fn(&'g Graph, Var<'g>) -> Var<'g> + 'r;

/// A file of matrices, each of 8 bits or of 16, with its rows and columns.
fn file(matrices: &[(&str, usize, [usize; 2])]) -> Weights {
    let mut tensors = vec![];
    for (i, &(name, bits, [rows, columns])) in matrices.iter().enumerate() {
        let data = numbers(&[rows, columns], 1 + i as u32, 1.0).data;
        if bits == 16 {
            let halves: Vec<u8> = data.iter().flat_map(|it| f16::from_f32(*it).to_le_bytes()).collect();
            tensors.push((name.to_owned(), Dtype::F16, vec![rows, columns], halves));
            continue;
        }
        // From -128 on, which no scale of the largest element gives, but other people's files may have.
        let bytes = data.iter().map(|it| ((it * 128.0).floor().max(-128.0) as i8).cast_unsigned());
        tensors.push((name.to_owned(), Dtype::I8, vec![rows, columns], bytes.collect()));
        let scales = numbers(&[rows], 9, 0.01).data;
        tensors.push((
            format!("{name}_scale"),
            Dtype::F32,
            vec![rows],
            bytemuck::cast_slice(&scales).to_vec(),
        ));
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    Weights::parse(serialize(views, None).unwrap()).unwrap()
}

/// By every way to multiply, over the edges of tiles, and with rows that are no whole words.
#[test]
fn products_with_weights_of_fewer_bits() {
    let tiles = [Tile::Narrow, Tile::Wide, Tile::Large, Tile::Shared];
    for (bits, tile) in [8, 16].into_iter().flat_map(|bits| tiles.map(|tile| (bits, tile))) {
        let Some(pair) = Pair::by(|gpu| gpu.only(Some(tile))) else { return };
        for [m, k, n] in [[1, 4, 1], [3, 36, 5], [9, 20, 12], [34, 64, 33], [5, 7, 9], [70, 12, 72]] {
            let weights = Arc::new(file(&[("w", bits, [n, k])]));
            pair.check(SUM, |g| {
                let x = g.input(&numbers(&[m, k], 3, 1.0));
                let w = g.weight(&weights, "w");
                let bias = g.input(&numbers(&[n], 4, 1.0));
                (x.matmul(w.t()) * 0.5 + bias).gelu().keep("x W^T");
                // Every matrix of a batch with the same one.
                g.input(&numbers(&[2, m, k], 5, 1.0)).matmul(w.t()).keep("batch");
            });
        }
    }
}

/// A matrix stays small for those who look rows up and multiply by it, and is f32 where anybody else reads it.
#[test]
fn who_reads_weights_of_fewer_bits() {
    for (bits, columns) in [8, 16].into_iter().flat_map(|bits| [8, 24, 7].map(|n| (bits, n))) {
        let weights = Arc::new(file(&[("w", bits, [9, columns])]));
        let x = numbers(&[3, columns], 3, 1.0);
        let small = 9 * columns * bits / 8 + if bits == 8 { 4 * 9 } else { 0 };
        let whole = 4 * 9 * columns;
        let readers: [(usize, &Record<'_>); 6] = [
            (small, &|g, w| w.gather(g.input(&Tensor::new(&[4], [0.0, 8.0, 12.0, 3.0])))),
            (small, &|g, w| g.input(&x).matmul(w.t())),
            (whole, &|_, w| w + 1.0),
            (whole, &|_, w| w),
            (whole, &|g, w| g.input(&numbers(&[2, 9], 4, 1.0)).matmul(w)),
            (whole, &|g, w| g.input(&x).matmul(w.slice(0, 1, 8).t())),
        ];
        for (i, (bytes, record)) in readers.into_iter().enumerate() {
            let Some(pair) = Pair::new() else { return };
            pair.check(SUM, |g| _ = record(g, g.weight(&weights, "w")).keep("y"));
            let expected = if columns.is_multiple_of(4) { bytes } else { whole };
            assert_eq!(pair.gpu.borrow().bytes_of_weights(), expected, "{bits} bits, reader {i}");
        }
    }
}

/// The CPU's panels have the bits of the file, and the products are those with the numbers that the bits say.
#[test]
fn a_processor_keeps_weights_small() {
    let (k, n) = (36, 96);
    for (bits, bytes) in [(8, k * n + 4 * n), (16, 2 * k * n)] {
        let weights = Arc::new(file(&[("w", bits, [n, k])]));
        let whole = weights.read("w").unwrap();
        let mut cpu = Cpu::new();
        let mut run = |small: bool| {
            let recording = recorded(|g| {
                let w = if small { g.weight(&weights, "w") } else { g.input(&whole) };
                (g.input(&numbers(&[5, k], 3, 1.0)).matmul(w.t()) * 0.5).gelu().keep("y");
            });
            let trace = block_on(cpu.run(&recording, &Cancel::default())).unwrap();
            (values(&trace).remove("y").unwrap(), cpu.bytes_of_weights())
        };
        let (expected, none) = run(false);
        let (found, taken) = run(true);
        assert_eq!([none, taken], [0, bytes]);
        assert!(found.max_abs_diff(&expected) < SUM, "{bits} bits");
    }
}

/// A half that is no number, or infinite, is that on the CPU as well.
#[test]
fn halves_that_are_not_finite() {
    for (bits, says) in [(0x7c00, f32::INFINITY), (0x7e00, f32::NAN)] {
        let bytes = [0x3c00_u16, bits].map(u16::to_le_bytes).concat();
        let view = TensorView::new(Dtype::F16, vec![2, 1], &bytes).unwrap();
        let weights = Arc::new(Weights::parse(serialize([("w", view)], None).unwrap()).unwrap());
        let recording = recorded(|g| {
            g.input(&Tensor::new(&[1, 1], [1.0])).matmul(g.weight(&weights, "w").t()).keep("y");
        });
        let trace = block_on(Cpu::new().run(&recording, &Cancel::default())).unwrap();
        let found = values(&trace).remove("y").unwrap().data;
        assert_eq!(found[0], 1.0);
        assert!(found[1] == says || found[1].is_nan() && says.is_nan(), "{says}: {}", found[1]);
    }
}

/// Matrices on top of each other hold the numbers that they held, whatever their bits, and stay small if all of them are.
#[test]
fn stacked_weights_of_fewer_bits() {
    let (eight, sixteen, more) = (4 * 8 + 4 * 8, 2 * 4 * 8, 4 * 4 * 8);
    for (upper, lower, bytes) in [(8, 8, eight), (16, 16, sixteen), (8, 16, more), (16, 8, more)] {
        let whole = file(&[("upper", upper, [3, 4]), ("lower", lower, [5, 4])]);
        let parts = ["upper", "lower"].map(|it| whole.read(it).unwrap());
        let whole = whole.stack("both", &["upper", "lower"].map(str::to_owned));
        let stacked = whole.read("both").unwrap();
        assert_eq!(stacked.shape, [8, 4]);
        assert_eq!(stacked.data[..], parts.map(|it| it.data.to_vec()).concat());
        assert_eq!(whole.bytes(), bytes, "{upper} and {lower} bits");
    }
}
