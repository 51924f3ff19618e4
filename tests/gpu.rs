//! The GPU as a device: what it compiles, keeps, reads back and refuses, and how it is lost.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod pair;

use std::collections::BTreeMap;
use std::sync::Arc;

use pair::{Pair, SUM, numbers, recorded, values};
use vitrine::engine::{Cancel, EngineError, gpu::Gpu};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;
use vitrine::weights::Weights;

#[test]
fn a_structure_compiles_once_and_follows_its_inputs() {
    let Some(pair) = Pair::new() else { return };
    for seed in 0..4 {
        pair.check(SUM, |g| {
            let x = g.input(&numbers(&[5, 8], seed, 1.0));
            (x.matmul(x.t()) + 1.0).softmax().keep("y");
        });
    }
    assert_eq!(pair.gpu.borrow().compiles(), 1, "one plan for four inputs");
}

/// The ways of a product are timed once for all of about its size; what they give is the same.
#[test]
fn products_of_a_size_are_timed_once() {
    let Some(pair) = Pair::by(Gpu::measured) else { return };
    // Each plan times one at least.
    for rows in [70, 90, 100] {
        pair.check(SUM, |g| {
            let [x, w] = [g.input(&numbers(&[rows, 96], 1, 1.0)), g.input(&numbers(&[96, 80], 2, 1.0))];
            (x.matmul(w).tap("left", "row unit").matmul(w.t()) + x.matmul(w).matmul(w.t())).keep("y");
            x.slice(0, 0, 1).matmul(w).keep("little");
            // Few columns, for which the ways differ in how threads lie.
            let [tall, few] =
                [g.input(&numbers(&[10 * rows, 96], 3, 1.0)), g.input(&numbers(&[96, 12], 4, 1.0))];
            tall.matmul(few).keep("few");
        });
    }
    let sizes: Vec<[usize; 4]> = pair.gpu.borrow().tiles().into_iter().map(|(size, _)| size).collect();
    let two = [1, 128, 128, 128];
    assert_eq!(
        sizes,
        [two, two, [1, 1024, 128, 16]],
        "two of one size, whose right sides lie differently, and few columns"
    );
}

#[test]
fn traces_outlive_later_runs() {
    let Some(pair) = Pair::new() else { return };
    let mut gpu = pair.gpu.borrow_mut();
    let traces: Vec<Trace> = (0..4)
        .map(|i| {
            let recording = recorded(|g| {
                (g.input(&Tensor::new(&[3], [i as f32, 1.0, 2.0])) * 2.0).keep("y");
            });
            block_on(gpu.run(&recording, &Cancel::default())).unwrap()
        })
        .collect();
    for (i, trace) in traces.iter().enumerate() {
        assert_eq!(values(trace)["y"].data[..], [2.0 * i as f32, 2.0, 4.0], "trace {i}");
    }
}

#[test]
fn windows_arrive_without_waiting() {
    let Some(pair) = Pair::new() else { return };
    let recording = recorded(|g| {
        (g.input(&numbers(&[40, 7], 1, 1.0)) * 2.0).keep("y");
    });
    let trace = block_on(pair.gpu.borrow_mut().run(&recording, &Cancel::default())).unwrap();
    let y = trace.get("y").unwrap();
    let whole = block_on(y.read()).unwrap();
    // More windows than are remembered: the last ones arrive all the same.
    for start in 0..40 {
        let range = 7 * start..7 * start + 7;
        let window = std::iter::repeat_with(|| y.window(range.clone())).take(1_000_000).flatten().next();
        assert_eq!(window.expect("the window arrives")[..], whole.data[range], "row {start}");
    }
    assert!(y.window(3..3).expect("nothing is at hand at once").is_empty(), "an empty window");
}

#[test]
fn weights_are_shared_and_read_in_any_precision() {
    let Some(pair) = Pair::new() else { return };
    let weights =
        BTreeMap::from([("w".to_owned(), numbers(&[6, 8], 1, 1.0)), ("b".to_owned(), numbers(&[6], 2, 1.0))]);
    let weights = Arc::new(Weights::from_tensors(&weights));
    for rows in [1, 3, 9] {
        pair.check(SUM, |g| {
            let x = g.input(&numbers(&[rows, 8], 3, 1.0));
            (x.matmul(g.weight(&weights, "w").t()) + g.weight(&weights, "b")).gelu().keep("y");
            g.weight(&weights, "w").keep("w itself");
        });
    }
}

#[test]
fn what_cannot_be_is_an_error_that_names_it() {
    let Some(pair) = Pair::new() else { return };
    let mut gpu = pair.gpu.borrow_mut();
    let huge = recorded(|g| {
        let x = g.input(&numbers(&[1, 1 << 16], 1, 1.0)).broadcast(&[1 << 17, 1 << 16]);
        (x + 1.0).keep("y");
    });
    match block_on(gpu.run(&huge, &Cancel::default())) {
        Err(EngineError::TooLarge { what, needed, allowed }) => {
            assert!(what.contains("elementwise") && what.contains("[131072, 65536]"), "{what}");
            assert!(needed == 1 << 15 && allowed < needed, "{needed} of {allowed}");
        }
        other => panic!("32 GB in one buffer: {:?}", other.map(|_| ())),
    }
    let small = recorded(|g| {
        (g.input(&numbers(&[2], 1, 1.0)) + 1.0).keep("y");
    });
    let cancel = Cancel::default();
    cancel.cancel();
    let cancelled = block_on(gpu.run(&small, &cancel)).map(|_| ());
    assert!(matches!(cancelled, Err(EngineError::Cancelled)), "{cancelled:?}");
    assert!(block_on(gpu.run(&small, &Cancel::default())).is_ok(), "it still runs after all this");
    assert_eq!(gpu.lost(), None, "and is not lost");
}

#[test]
fn a_view_has_any_number_of_axes() {
    let Some(pair) = Pair::new() else { return };
    // A copy: not a digit changes.
    pair.check(0.0, |g| {
        let x = g.input(&numbers(&[2; 10], 1, 1.0));
        x.permute(&[1, 0, 3, 2, 5, 4, 7, 6, 9, 8]).keep("y");
    });
}

#[test]
fn long_runs_are_sliced_and_right() {
    let Some(pair) = Pair::new() else { return };
    pair.check(SUM, |g| {
        (g.input(&numbers(&[8, 8], 1, 1.0)) * 2.0).keep("y");
    });
    assert_eq!(pair.gpu.borrow().slices(), 1, "a short run is one slice");
    pair.check(SUM, |g| {
        let w = g.input(&numbers(&[256, 256], 1, 0.1));
        let x = g.input(&numbers(&[256, 256], 2, 1.0));
        let y = (0..12).fold(x, |x, _| x.matmul(w).tanh());
        y.keep("y");
    });
    // A slice costs 2^24 at first, about what one of the 12 products does, and then at most four times the last.
    let slices = pair.gpu.borrow().slices() - 1;
    assert!((3..=25).contains(&slices), "a long one is {slices}");
}

#[test]
fn a_lost_device_is_an_error() {
    if Pair::new().is_none() {
        return;
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    let descriptor = vitrine::engine::gpu::device_descriptor(&adapter);
    let (device, queue) = block_on(adapter.request_device(&descriptor)).unwrap();
    let mut gpu = Gpu::shared(&adapter, device.clone(), queue);
    let recording = recorded(|g| {
        (g.input(&numbers(&[4], 1, 1.0)) + 1.0).keep("y");
    });
    let trace = block_on(gpu.run(&recording, &Cancel::default())).unwrap();
    device.destroy();
    let after = block_on(gpu.run(&recording, &Cancel::default())).map(|_| ());
    assert!(matches!(after, Err(EngineError::Lost(_))), "{after:?}");
    let read = block_on(trace.get("y").unwrap().read()).map(|_| ());
    assert!(matches!(read, Err(EngineError::Lost(_))), "{read:?}");
    assert!(gpu.lost().is_some(), "it says why");
}
