//! The models that come along do what `assets/models/README.md` says of them. Without the data these tests fail, unless
//! `NO_DATA=1` says that there are none.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use vitrine::data::{Collage, collage, fashion};
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::graph::{Graph, Var};
use vitrine::models::AnyConfig;
use vitrine::nn::Params;
use vitrine::platform::block_on;
use vitrine::regression::{Component, Examples, Features, Learner, mixture};
use vitrine::tensor::Tensor;
use vitrine::train::regression::{ENTRIES, FUNCTIONS_NOISE, WIDEST, bands, kinds};
use vitrine::train::{NamedRecipe, lag_recall, shakespeare};
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
    let published = figures("fashion-");
    for (name, figure) in &published {
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
    }
    assert!(!published.is_empty(), "there are trained models");
}

/// Which classes a collage holds: of 500 collages with ten answers each, chance allows three standard errors of 0.01.
#[test]
fn collage_models_do_what_is_said_of_them() {
    if no_data() {
        return;
    }
    let data = fashion::load(&fashion::folder(), fashion::Part::Test)
        .unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let collages: Vec<Collage> = (0..500).map(|i| Collage::new(&data, 0, i)).collect();
    let (images, holds) = collage::batch(&collages, 10);
    let published = figures("collage-");
    for (name, figure) in &published {
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
    }
    assert!(!published.is_empty(), "there are models of collages");
}

/// The published figures again, from the committed f16 weights and all held-out windows: rounding moves them by less than 2e-3.
#[test]
fn language_models_do_what_is_said_of_them() {
    if no_data() {
        return;
    }
    let published = figures("shakespeare-");
    assert_eq!(published.len(), shakespeare::ENTRIES.len());
    for (name, figure) in published {
        let entry = shakespeare::ENTRIES.iter().find(|it| it.name == name).unwrap();
        let published: f64 = figure.split_once(" nats").unwrap().0.parse().unwrap();
        let mean = held_out(entry, "loss");
        assert!((mean - published).abs() < 2e-3, "{name}: {mean} nats a character, {published} published");
    }
}

/// The same of symbols that were drawn for the test: 16,384 answers at each lag, from f16 weights.
#[test]
fn symbols_are_recalled_as_is_said() {
    let entry = lag_recall::ENTRIES.iter().find(|it| it.name == "lag-recall-fast").unwrap();
    let (_, figure) = figures("lag-recall-fast").pop().unwrap();
    let published: Vec<f64> =
        figure.split(" % ").next().unwrap().split(", ").map(|it| it.parse().unwrap()).collect();
    for (lag, published) in lag_recall::LAGS.into_iter().zip(published) {
        let right = 100.0 * held_out(entry, &format!("right at lag {lag}"));
        assert!((right - published).abs() < 0.2, "{right} % right at lag {lag}, {published} published");
    }
}

/// What a recipe measures of its committed weights, in the mean over all that training never saw.
fn held_out(entry: &NamedRecipe, measure: &str) -> f64 {
    let mut recipe = (entry.open)(None).unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let weights = std::fs::read(asset(&format!("{}/model.safetensors", entry.name))).unwrap();
    let (weights, mut cpu) = (Arc::new(Weights::parse(weights).unwrap()), Cpu::new());
    let (mut sum, mut count) = (0.0, 0.0);
    for batch in recipe.held_out() {
        let g = Graph::default();
        let vars: Vec<Var<'_>> = batch.iter().map(|it| g.input(it)).collect();
        let it = recipe.loss(&Params::new(&g, &weights), &vars);
        let wanted = it.measures.iter().find(|it| it.0 == measure).map_or(it.loss, |it| it.1);
        wanted.keep("wanted");
        let trace = block_on(cpu.run(&g.finish(), &Cancel::default())).unwrap();
        let samples = batch[0].shape[0] as f64;
        sum += samples * f64::from(block_on(trace.get("wanted").unwrap().read()).unwrap().data[0]);
        count += samples;
    }
    sum / count
}

/// Name and figure of the models that come along whose names begin so.
fn figures(prefix: &str) -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(asset("README.md")).unwrap();
    let table = readme.split("\n## ").find(|it| it.starts_with("Trained here")).unwrap();
    let rows = table.lines().filter(|it| it.starts_with(&format!("| `{prefix}")));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells.map(|it| (it[1].trim_matches('`').to_owned(), it[6].to_owned())).collect()
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
            best += error_of_bayes(batch, prior(entry.name).as_deref());
        }
        let [error, best] = [sum, best].map(|it| it / batches.len() as f64);
        assert!((error / published - 1.0).abs() < 0.02, "{}: {error}, {published} published", entry.name);
        if let Some(bayes) = bayes {
            assert!((best / bayes - 1.0).abs() < 0.005, "{}: Bayes {best}, {bayes} published", entry.name);
            assert!(error > 0.99 * best, "{}: nobody is better than Bayes", entry.name);
        }
    }
}

/// The prior of functions that a model learnt; that of the others is normal.
fn prior(name: &str) -> Option<Vec<Component>> {
    match name {
        "lines-gpt" => Some(kinds()),
        "fourier-gpt" => Some(bands(Features::Fourier(WIDEST))),
        _ => None,
    }
}

/// The mean square error of Bayes on a batch.
fn error_of_bayes(batch: &[Tensor], prior: Option<&[Component]>) -> f64 {
    let [x, y, noise, answers] = batch else { panic!("a batch is inputs, answers, noise and the truth") };
    let [count, n, d] = x.shape[..] else { panic!("inputs are [task, pos, d]") };
    let mut sum = 0.0;
    for task in 0..count {
        for j in 0..n {
            let known = Examples {
                x: DMatrix::from_fn(j, d, |i, k| f64::from(x.at(&[task, i, k]))),
                y: DVector::from_fn(j, |i, _| f64::from(y.at(&[task, i]))),
            };
            let query = DMatrix::from_fn(1, d, |_, k| f64::from(x.at(&[task, j, k])));
            let said = match prior {
                Some(prior) => (query * mixture(prior, FUNCTIONS_NOISE, &known).mean)[0],
                None => Learner::Bayes.answers(&known, &query, f64::from(noise.data[task]))[0],
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
