//! The models that come along do what `assets/models/README.md` says of them. Without the data these tests fail, unless
//! `NO_DATA=1` says that there are none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use vitrine::data::{Collage, collage, fashion};
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::models::AnyConfig;
use vitrine::nn::Params;
use vitrine::platform::block_on;
use vitrine::regression::{Examples, Learner, mixture};
use vitrine::tensor::Tensor;
use vitrine::train::regression::{ENTRIES, LINES_NOISE, kinds};
use vitrine::weights::Weights;

/// The share of the first 2000 test pictures that a model told apart must not be further from its published figure on all
/// 10,000 than chance allows: three standard errors of a share of 0.9 in 2000 are 0.02.
#[test]
fn trained_models_do_what_is_said_of_them() {
    if no_data() {
        return;
    }
    let data = fashion::load(&fashion::folder(), fashion::Part::Test)
        .unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let figures = std::fs::read_to_string(asset("README.md")).unwrap();
    let mut seen = 0;
    for line in figures.lines().filter(|it| it.starts_with("| `fashion-")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, figure) = (cells[1].trim_matches('`'), cells[6]);
        let published: f64 = figure.split_once(" %").unwrap().0.parse::<f64>().unwrap() / 100.0;
        let read = |file: &str| std::fs::read(asset(&format!("{name}/{file}"))).unwrap();
        let weights = read("model.safetensors");
        assert!(weights.len() < 3_000_000, "{name} is small enough to be committed");
        let model = AnyConfig::parse(&read("config.json")).unwrap().load(None, weights).unwrap();
        let (mut right, mut cpu) = (0, Cpu::new());
        for first in (0..2000).step_by(250) {
            let indices: Vec<usize> = (first..first + 250).collect();
            let g = Graph::default();
            let images = g.input(&data.images(&indices));
            let model = model.vision().unwrap_or_else(|| panic!("{name} looks at pictures"));
            model.record(images, &Params::new(&g, model.weights())).keep("logits");
            let trace = block_on(cpu.run(&g.finish(), &Cancel::default())).unwrap();
            let logits = block_on(trace.get("logits").unwrap().read()).unwrap();
            for (row, i) in logits.data.chunks(10).zip(indices) {
                let best = (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
                right += usize::from(best == usize::from(data.labels[i]));
            }
        }
        let share = right as f64 / 2000.0;
        assert!((share - published).abs() < 0.02, "{name}: {share} of 2000, {published} published");
        seen += 1;
    }
    assert!(seen > 0, "there are trained models");
}

/// Which classes a collage holds: of 500 collages with ten answers each, chance allows three standard errors of 0.01.
#[test]
fn collage_models_do_what_is_said_of_them() {
    if no_data() {
        return;
    }
    let data = fashion::load(&fashion::folder(), fashion::Part::Test)
        .unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let figures = std::fs::read_to_string(asset("README.md")).unwrap();
    let collages: Vec<Collage> = (0..500).map(|i| Collage::new(&data, 0, i)).collect();
    let (images, holds) = collage::batch(&collages, 10);
    let mut seen = 0;
    for line in figures.lines().filter(|it| it.starts_with("| `collage-")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, figure) = (cells[1].trim_matches('`'), cells[6]);
        let published: f64 = figure.split_once(" %").unwrap().0.parse::<f64>().unwrap() / 100.0;
        let read = |file: &str| std::fs::read(asset(&format!("{name}/{file}"))).unwrap();
        let model =
            AnyConfig::parse(&read("config.json")).unwrap().load(None, read("model.safetensors")).unwrap();
        let g = Graph::default();
        let model = model.vision().unwrap();
        model.record(g.input(&images), &Params::new(&g, model.weights())).keep("logits");
        let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
        let logits = block_on(trace.get("logits").unwrap().read()).unwrap();
        let right = logits.data.iter().zip(&*holds.data).filter(|(z, there)| (**z > 0.0) == (**there > 0.5));
        let share = right.count() as f64 / 5000.0;
        assert!((share - published).abs() < 0.011, "{name}: {share} of 5000, {published} published");
        seen += 1;
    }
    assert!(seen > 0, "there are models of collages");
}

/// The published figure again, from the committed f16 weights and all held-out windows: rounding moves it by less than 2e-3.
#[test]
fn the_language_model_does_what_is_said_of_it() {
    if no_data() {
        return;
    }
    let mut recipe = (vitrine::train::shakespeare::ENTRIES[0].open)(None)
        .unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let figures = std::fs::read_to_string(asset("README.md")).unwrap();
    let line = figures.lines().find(|it| it.starts_with("| `shakespeare-gpt`")).unwrap();
    let figure = line.split('|').nth(6).unwrap().trim();
    let published: f64 = figure.split_once(" nats").unwrap().0.parse().unwrap();
    let weights = Weights::parse(std::fs::read(asset("shakespeare-gpt/model.safetensors")).unwrap()).unwrap();
    let (weights, mut cpu) = (Arc::new(weights), Cpu::new());
    let (mut sum, mut count) = (0.0, 0.0);
    for batch in recipe.held_out() {
        let g = Graph::default();
        let vars: Vec<Var<'_>> = batch.iter().map(|it| g.input(it)).collect();
        recipe.loss(&Params::new(&g, &weights), &vars).loss.keep("loss");
        let trace = block_on(cpu.run(&g.finish(), &Cancel::default())).unwrap();
        let windows = batch[0].shape[0] as f64;
        sum += windows * f64::from(block_on(trace.get("loss").unwrap().read()).unwrap().data[0]);
        count += windows;
    }
    let mean = sum / count;
    assert!((mean - published).abs() < 2e-3, "{mean} nats a character, {published} published");
}

/// The published errors again, from the committed f16 weights, whose rounding moves them by less than 2 %, and those of Bayes.
#[test]
fn regressors_do_what_is_said_of_them() {
    let figures = std::fs::read_to_string(asset("README.md")).unwrap();
    let mut cpu = Cpu::new();
    for entry in ENTRIES {
        let line = figures.lines().find(|it| it.starts_with(&format!("| `{}` |", entry.name))).unwrap();
        let figure = line.split('|').nth(6).unwrap().trim();
        let number =
            |it: &str| it.trim().split(' ').next().unwrap().trim_end_matches(',').parse::<f64>().unwrap();
        let (published, bayes) = (number(figure), figure.split_once("Bayes").map(|it| number(it.1)));
        let file = std::fs::read(asset(&format!("{}/model.safetensors", entry.name))).unwrap();
        let (weights, mut recipe) = (Arc::new(Weights::parse(file).unwrap()), (entry.open)(None).unwrap());
        let (mut sum, mut best) = (0.0, 0.0);
        let batches = recipe.held_out();
        for batch in &batches {
            let g = Graph::default();
            let vars: Vec<Var<'_>> = batch.iter().map(|it| g.input(it)).collect();
            recipe.loss(&Params::new(&g, &weights), &vars).loss.keep("loss");
            let trace = block_on(cpu.run(&g.finish(), &Cancel::default())).unwrap();
            sum += f64::from(block_on(trace.get("loss").unwrap().read()).unwrap().data[0]);
            best += error_of_bayes(batch, entry.name == "lines-gpt");
        }
        let [error, best] = [sum, best].map(|it| it / batches.len() as f64);
        assert!((error / published - 1.0).abs() < 0.02, "{}: {error}, {published} published", entry.name);
        if let Some(bayes) = bayes {
            assert!((best / bayes - 1.0).abs() < 0.005, "{}: Bayes {best}, {bayes} published", entry.name);
            assert!(error > 0.99 * best, "{}: nobody is better than Bayes", entry.name);
        }
    }
}

/// The mean square error of Bayes on a batch.
fn error_of_bayes(batch: &[Tensor], lines: bool) -> f64 {
    let [x, y, noise, answers] = batch else { panic!("a batch is inputs, answers, noise and the truth") };
    let [count, n, d] = x.shape[..] else { panic!("inputs are [task, pos, d]") };
    let (kinds, mut sum) = (kinds(), 0.0);
    for task in 0..count {
        for j in 0..n {
            let known = Examples {
                x: DMatrix::from_fn(j, d, |i, k| f64::from(x.at(&[task, i, k]))),
                y: DVector::from_fn(j, |i, _| f64::from(y.at(&[task, i]))),
            };
            let query = DMatrix::from_fn(1, d, |_, k| f64::from(x.at(&[task, j, k])));
            let said = if lines {
                (query * mixture(&kinds, LINES_NOISE, &known).mean)[0]
            } else {
                Learner::Bayes.answers(&known, &query, f64::from(noise.data[task]))[0]
            };
            sum += (said - f64::from(answers.at(&[task, j]))).powi(2);
        }
    }
    sum / (count * n) as f64
}

fn no_data() -> bool {
    std::env::var("NO_DATA").is_ok_and(|it| it == "1")
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models").join(name)
}
