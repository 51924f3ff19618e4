//! Training: optimisers as their papers have them, runs that are the same twice, and runs that are cut off.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use safetensors::SafeTensors;
use vitrine::engine::{Cancel, Device, cpu::Cpu, gpu::Gpu};
use vitrine::graph::Graph;
use vitrine::models::vit::Pool;
use vitrine::nn::optim::{AdamW, Optimizer, Schedule, clip_by_global_norm};
use vitrine::nn::{Params, loss};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::train::images::Images;
use vitrine::train::shakespeare::Shakespeare;
use vitrine::train::spirals::{self, Spirals};
use vitrine::train::{CheckpointError, Provenance, Recipe, Trainer};
use vitrine::weights::Weights;

fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

/// Values of all kept tensors.
fn run(device: &mut Device, record: impl FnOnce(&Graph)) -> BTreeMap<String, Tensor> {
    let g = Graph::default();
    record(&g);
    let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
    trace.tensors.iter().map(|(name, it)| (name.clone(), block_on(it.read()).unwrap())).collect()
}

/// Some steps of `rule` on the matrix `p` with gradient `p^2 - 1`, at a rate that changes.
fn descend(rule: Optimizer, steps: u32) -> Vec<f32> {
    let shape = [2, 2];
    let mut p = Tensor::new(&shape, [0.5, -1.5, 2.0, 0.1]);
    let mut moments = vec![Tensor::new(&shape, [0.0; 4]); rule.moments()];
    for t in 1..=steps {
        let found = run(&mut cpu(), |g| {
            let state = |it: &Tensor| g.state(&Arc::new(it.clone().into()));
            let x = state(&p);
            let remembered: Vec<_> = moments.iter().map(state).collect();
            let lr = g.constant(0.1 / t as f32);
            let (next, kept) = rule.update(x, x * x - 1.0, &remembered, lr, g.constant(t as f32));
            next.keep("p");
            kept.into_iter().enumerate().for_each(|(i, it)| _ = it.keep(&format!("moment {i}")));
        });
        p = found["p"].clone();
        moments = (0..moments.len()).map(|i| found[&format!("moment {i}")].clone()).collect();
    }
    p.data.to_vec()
}

/// The numbers of Optax 0.2.8 in f64:
///
/// ```python
/// def descend(make, steps):
///     p = jnp.array([[0.5, -1.5], [2.0, 0.1]]); o = make(lambda count: 0.1 / (count + 1)); s = o.init(p)
///     for _ in range(steps):
///         u, s = o.update(p * p - 1, s, p); p = optax.apply_updates(p, u)
///     return p.ravel().tolist()
/// descend(optax.sgd, 5)
/// descend(lambda lr: optax.sgd(lr, momentum=0.9), 5)
/// descend(lambda lr: optax.adamw(lr, weight_decay=0.01), 5)
/// ```
#[test]
fn optimisers_equal_those_of_optax() {
    let decay = AdamW { decay: 0.01, ..AdamW::default() };
    for (rule, expected) in [
        (Optimizer::Sgd, [0.656_246_382_0, -1.870_781_715_0, 1.491_560_261_3, 0.319_566_148_8]),
        (
            Optimizer::Momentum { mu: 0.9 },
            [0.802_091_229_5, -2.276_551_971_0, 1.053_370_696_4, 0.530_195_058_6],
        ),
        (Optimizer::AdamW(decay), [0.724_980_220_2, -1.725_136_963_9, 1.768_851_159_2, 0.327_610_842_1]),
    ] {
        for (found, expected) in descend(rule, 5).iter().zip(expected) {
            // 1e-6: five steps of f32 on numbers of size 2.
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{rule:?}: {found}, not {expected}");
        }
    }
}

#[test]
fn clipping_keeps_directions_and_shortens_only_what_is_long() {
    let found = run(&mut cpu(), |g| {
        let (a, b) = (g.input(&Tensor::new(&[2], [3.0, 0.0])), g.input(&Tensor::new(&[1], [4.0])));
        for (name, longest) in [("short", 1.0), ("same", 10.0)] {
            let (clipped, norm) = clip_by_global_norm(&[a, b], longest);
            clipped[0].keep(&format!("{name} a"));
            clipped[1].keep(&format!("{name} b"));
            norm.keep("norm");
        }
    });
    assert_eq!(*found["norm"].data, [5.0], "3, 4, 5");
    assert_eq!(*found["short a"].data, [0.6, 0.0]);
    assert_eq!(*found["short b"].data, [0.8]);
    assert_eq!(*found["same a"].data, [3.0, 0.0]);
}

#[test]
fn the_schedule_rises_and_falls() {
    let schedule = Schedule { peak: 0.5, warm_up: 10, floor: 0.1 };
    let rate = |t: f32| run(&mut cpu(), |g| _ = schedule.rate(g.constant(t), 110).keep("lr"))["lr"].data[0];
    for (t, expected) in [(1.0, 0.05), (5.0, 0.25), (10.0, 0.5), (60.0, 0.275), (110.0, 0.05), (500.0, 0.05)]
    {
        // 1e-6: a cosine in f32.
        assert!((rate(t) - expected).abs() < 1e-6, "rate {} at {t}, not {expected}", rate(t));
    }
}

#[test]
fn losses_are_those_of_their_formulas() {
    // The second row would underflow in softmax: exp(-200) is no f32.
    let logits = [[1.0f64, 2.0, 0.5], [100.0, -100.0, 0.0]];
    let expected = (0..2).map(|i| {
        let log_sum = logits[i].iter().map(|x| x.exp()).sum::<f64>().ln();
        log_sum - logits[i][[0, 1][i]]
    });
    let expected = expected.sum::<f64>() / 2.0;
    let found = run(&mut cpu(), |g| {
        let x = g.input(&Tensor::new(&[2, 3], logits.concat().iter().map(|x| *x as f32).collect::<Vec<_>>()));
        let labels = g.input(&Tensor::new(&[2], [0.0, 1.0]));
        loss::cross_entropy(x, labels).keep("loss");
        loss::accuracy(x, g.input(&Tensor::new(&[2], [1.0, 1.0]))).keep("accuracy");
        g.grad(loss::cross_entropy(x, labels), &[x])[0].keep("gradient");
    });
    assert!(
        (f64::from(found["loss"].data[0]) - expected).abs() < 1e-5,
        "{:?}, not {expected}",
        found["loss"]
    );
    assert_eq!(*found["accuracy"].data, [0.5]);
    // (softmax - one hot) / n; 1e-6: single f32 operations.
    assert!((found["gradient"].at(&[1, 0]) - 0.5).abs() < 1e-6);
    assert!((found["gradient"].at(&[1, 1]) + 0.5).abs() < 1e-6);
}

fn trainer(steps: u32, seed: u64) -> Trainer {
    Trainer::new(Box::new(Spirals { steps, ..Spirals::default() }), seed)
}

/// Takes `count` steps; the losses before each.
fn losses(trainer: &mut Trainer, device: &mut Device, count: u32) -> Vec<f32> {
    let mut step = || {
        let trace = block_on(trainer.step(device, &Cancel::default())).unwrap();
        block_on(trace.get("loss").unwrap().on_host()).unwrap()[0]
    };
    (0..count).map(|_| step()).collect()
}

/// Bits of all parameters.
fn bits(trainer: &Trainer) -> Vec<u32> {
    let parameters = block_on(trainer.parameters()).unwrap();
    parameters.values().flat_map(|it| it.data.to_vec()).map(f32::to_bits).collect()
}

fn provenance() -> Provenance {
    Provenance { device: "test".to_owned(), date: "2026-11-24".to_owned() }
}

#[test]
fn spirals_are_learnt() {
    let (mut it, mut device) = (trainer(600, 1), cpu());
    let before = block_on(it.test(&mut device, &Cancel::default())).unwrap();
    losses(&mut it, &mut device, 600);
    assert!(it.is_done());
    assert_eq!(device.compiles(), 2, "one plan for all steps, one for the test");
    let after = block_on(it.test(&mut device, &Cancel::default())).unwrap();
    assert!(before["accuracy"] < 0.7, "nothing is known at first: {before:?}");
    assert!(after["accuracy"] > 0.97, "a line gets half of it right: {after:?}");
    assert!(after["loss"] < before["loss"]);
}

#[test]
fn the_same_seed_gives_the_same_curve() {
    let curve = |seed| losses(&mut trainer(30, seed), &mut cpu(), 30);
    assert_eq!(curve(3), curve(3), "to the last bit");
    assert_ne!(curve(3), curve(4), "another seed, another curve");
}

#[test]
fn a_restored_run_goes_on_bit_for_bit() {
    let (mut whole, mut device) = (trainer(40, 5), cpu());
    losses(&mut whole, &mut device, 15);
    let bytes = block_on(whole.checkpoint(&provenance())).unwrap();
    let expected = losses(&mut whole, &mut device, 25);

    let mut restored = trainer(40, 5);
    restored.restore(&bytes).unwrap();
    assert_eq!(restored.step_count(), 15);
    assert_eq!(losses(&mut restored, &mut cpu(), 25), expected);
    assert_eq!(bits(&restored), bits(&whole));

    let other = trainer(40, 6).restore(&bytes);
    assert!(matches!(other, Err(CheckpointError::Other { what: "seed", .. })), "another run");
    let mut spoilt = trainer(40, 5);
    assert!(spoilt.restore(&bytes[..bytes.len() - 1]).is_err(), "a truncated file");
    assert_eq!(bits(&spoilt), bits(&trainer(40, 5)), "nothing was taken from it");
}

#[test]
fn a_budget_is_some_steps_and_never_more_than_the_course() {
    let (mut it, mut device) = (trainer(12, 5), cpu());
    let mut within = |budget| {
        let trace = block_on(it.steps_within(budget, &mut device, &Cancel::default())).unwrap();
        (trace.is_some(), it.step_count())
    };
    assert_eq!(within(Duration::ZERO), (true, 1), "at least one");
    assert_eq!(within(Duration::from_secs(100)), (true, 12), "no more than there are");
    assert_eq!(within(Duration::from_secs(100)), (false, 12), "none is left");
}

#[test]
fn snapshots_can_be_gone_back_to() {
    let (mut it, mut device) = (trainer(40, 5), cpu());
    losses(&mut it, &mut device, 10);
    let snapshot = it.snapshot();
    let (first, there) = (losses(&mut it, &mut device, 5), bits(&it));
    it.rewind(&snapshot);
    assert_eq!(it.step_count(), 10);
    assert_eq!(losses(&mut it, &mut device, 5), first);
    assert_eq!(bits(&it), there);
}

#[test]
fn weights_say_where_they_come_from_and_are_used_as_any_others() {
    let (mut it, mut device) = (trainer(20, 2), cpu());
    losses(&mut it, &mut device, 20);
    let bytes = block_on(it.weights(true, &provenance())).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = header.metadata().clone().unwrap();
    for (key, expected) in [("recipe", "spirals"), ("seed", "2"), ("step", "20"), ("date", "2026-11-24")] {
        assert_eq!(about[key], expected, "{key}");
    }
    assert!(about["data"].contains("spirals"));
    let weights = Arc::new(Weights::parse(bytes).unwrap());
    assert_eq!(weights.parameters(), it.size());
    let found = run(&mut device, |g| {
        let points = g.input(&Tensor::new(&[1, 2], [0.3, -0.2]));
        spirals::logits(points, &Params::new(g, &weights)).keep("file");
        let parameters = block_on(it.parameters()).unwrap();
        let vars = parameters.into_iter().map(|(name, it)| (name, g.state(&Arc::new(it.into())))).collect();
        spirals::logits(points, &Params::recorded(g, &vars)).keep("training");
    });
    // 1e-2: f16 keeps three digits of each weight.
    assert!(found["file"].max_abs_diff(&found["training"]) < 1e-2);
}

#[test]
fn the_gpu_trains_as_the_cpu_does() {
    if std::env::var("NO_GPU").is_ok_and(|it| it == "1") {
        return;
    }
    let mut gpu = Device::Gpu(block_on(Gpu::new()).unwrap());
    let (mut on_cpu, mut on_gpu) = (trainer(20, 1), trainer(20, 1));
    let (expected, found) = (losses(&mut on_cpu, &mut cpu(), 20), losses(&mut on_gpu, &mut gpu, 20));
    for (step, (e, f)) in expected.iter().zip(&found).enumerate() {
        // 1e-4: Adam divides by moments that begin near 0, which magnifies last bits, and twenty steps add up.
        assert!((e - f).abs() < 1e-4, "loss {f} in step {step}, not {e}");
    }
    // A run moves from one device to the other.
    let bytes = block_on(on_gpu.checkpoint(&provenance())).unwrap();
    on_cpu.restore(&bytes).unwrap();
    assert_eq!(bits(&on_cpu), bits(&on_gpu));
    let again = losses(&mut trainer(20, 1), &mut gpu, 20);
    assert_eq!(again, found, "the same seed on the same device");
}

/// A run of the command line in a folder of its own.
fn vitrine(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_killed_run_resumes_with_nothing_lost() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("killed");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let train = ["train", "spirals", "--steps", "400", "--seed", "9", "--json", "--every", "0.03"];
    let train = |more: &[&str]| vitrine(&folder, &[&train[..], more].concat());

    let whole = train(&["--out", "whole.safetensors"]).output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let lines = String::from_utf8(whole.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["kind"], "test");
    assert_eq!(last["step"], 400);
    assert!(last["loss"].as_f64().unwrap() < 0.69, "less than chance's ln 2");

    // Killed at whatever moment, several times over.
    for wait in [150, 250, 200] {
        let mut child = train(&["--out", "killed.safetensors", "--resume"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = train(&["--out", "killed.safetensors", "--resume"]).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let read = |name: &str| Weights::parse(std::fs::read(folder.join(name)).unwrap()).unwrap();
    let (whole, killed) = (read("whole.safetensors"), read("killed.safetensors"));
    for name in whole.names() {
        assert_eq!(whole.read(name), killed.read(name), "{name}, to the last bit");
    }
    let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["killed.safetensors", "whole.safetensors"], "nothing else is left lying about");

    let checkpoint = block_on(trainer(400, 9).checkpoint(&provenance())).unwrap();
    std::fs::write(folder.join("killed.safetensors.checkpoint"), checkpoint).unwrap();
    let longer =
        ["train", "spirals", "--steps", "500", "--seed", "9", "--out", "killed.safetensors", "--resume"];
    let other = vitrine(&folder, &longer).output().unwrap();
    assert_eq!(other.status.code(), Some(2), "another run's checkpoint is refused");
    assert!(String::from_utf8_lossy(&other.stderr).contains("is of steps 400, this run of 500"));
}

#[test]
fn unknown_recipes_are_answered_with_the_known_ones() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let listed = vitrine(&folder, &["train"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).starts_with("spirals\t"));
    let unknown = vitrine(&folder, &["train", "nothing"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("there is no recipe nothing; there are spirals")
    );
}

/// Every recipe of pictures learns to tell shapes apart, and the one of text its letters, in a few steps. Half of the fall that was
/// measured is asked for: the last loss was 0.978, 0.743, 0.735 and 0.817 of the first.
#[test]
fn models_learn() {
    let shapes = |seed| vitrine::data::shapes::dataset(128, 28, seed);
    let (vit, cnn) = (Images::vit("vit", Pool::Mean), Images::cnn("cnn"));
    let text = vitrine::data::text::Text::new(&"to be or not to be, that is the question. ".repeat(40));
    let on = |mut it: Images, steps| {
        it.steps = steps;
        Box::new(it.on(shapes(1), shapes(2)))
    };
    let recipes: [(Box<dyn Recipe>, f32); 4] = [
        (on(vit, 16), 0.989),
        (on(cnn, 16), 0.87),
        (on(Images::cnn("collage").of_collages(), 8), 0.87),
        (Box::new(Shakespeare::gpt(text, 8)), 0.91),
    ];
    for (recipe, most) in recipes {
        let (name, steps) = (recipe.course().name, recipe.course().steps);
        let (mut it, mut device) = (Trainer::new(recipe, 1), cpu());
        let losses = losses(&mut it, &mut device, steps);
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < most * first, "{name}: {} of the first: {losses:?}", last / first);
    }
}

/// Steps recorded together, as an exhibit takes them, are the steps taken one by one.
#[test]
fn several_steps_in_one_run_are_the_same_steps() {
    let (mut single, mut together) = (trainer(40, 3), trainer(40, 3));
    let mut device = Device::Cpu(Cpu::new());
    let mut losses = vec![];
    for _ in 0..7 {
        let trace = block_on(single.step(&mut device, &Cancel::default())).unwrap();
        losses.push(block_on(trace.get("loss").unwrap().read()).unwrap().data[0]);
    }
    let mut taken = vec![];
    for n in [4, 3] {
        let g = Graph::default();
        drop(together.record(&g, n));
        let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
        taken.extend(together.take(&trace).unwrap());
        assert!(together.take(&trace).is_none(), "a trace is taken once");
    }
    assert_eq!((together.step_count(), taken.len()), (7, 7));
    for (a, b) in losses.iter().zip(&taken) {
        // Products of computed weights may be summed in another order than those of leaves.
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }
    let [a, b] = [&single, &together].map(|it| block_on(it.parameters()).unwrap());
    for (name, a) in a {
        assert!(a.max_abs_diff(&b[&name]) < 1e-4, "{name} after seven steps");
    }
    let g = Graph::default();
    drop(together.record(&g, 100));
    let trace = block_on(device.run(&g.finish(), &Cancel::default())).unwrap();
    assert_eq!(together.take(&trace).unwrap().len(), 33, "no step beyond the course");
    assert!(together.is_done());
}
