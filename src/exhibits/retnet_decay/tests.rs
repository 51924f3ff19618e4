//! Trained `RetNet`s: one reads the text of all tiles, another recalls symbols.

use std::sync::Arc;

use super::recall;
use super::trained::{MODELS, Trained};
use super::{RetnetDecay, Source};
use crate::data::Inputs;
use crate::engine::{Cancel, cpu::Cpu};
use crate::exhibits::{Exhibit as _, figure};
use crate::focus::Focus;
use crate::graph::Graph;
use crate::models::{Status, Zoo};
use crate::page::{Scene, Touch};
use crate::platform::block_on;
use crate::trace::Trace;
use crate::ui::Style;

fn zoo() -> Zoo {
    let mut zoo = Zoo::default();
    for id in MODELS.into_iter().chain([recall::MODEL]) {
        zoo.load(id);
        while zoo.ready(id).is_none() {
            zoo.poll();
            assert!(!matches!(zoo.status(id), Some(Status::Failed(_))), "{id} comes along");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    zoo
}

fn run(state: &RetnetDecay, zoo: &Zoo) -> Arc<Trace> {
    let recording = state.record(&Inputs::default(), zoo).map(Graph::finish).unwrap();
    Arc::new(block_on(Cpu::new().run(&recording, &Cancel::default())).unwrap())
}

fn read(trace: &Trace, name: &str) -> Vec<f32> {
    block_on(trace.get(name).unwrap().read()).unwrap().data.to_vec()
}

fn reads(trained: Trained) -> RetnetDecay {
    RetnetDecay { source: Source::Trained, trained, ..RetnetDecay::default() }
}

/// As it was trained nothing changes; with other decays its weights are those times other powers, and it is surprised more.
#[test]
fn half_lives_are_what_it_reads_with() {
    let zoo = zoo();
    let trace = run(&reads(Trained::default()), &zoo);
    let mean = |trace: &Trace, name: &str| {
        let it = read(trace, name);
        it.iter().sum::<f32>() / it.len() as f32
    };
    let (learnt, now) = (mean(&trace, "surprise.trained"), mean(&trace, "surprise.retention"));
    assert!((learnt - now).abs() < 1e-4, "{learnt} and {now}: half-lives in f32");
    assert!(learnt < 84.0_f32.ln() - 1.0, "it learnt something: {learnt} nats");
    let short = run(&reads(Trained { half_lives: vec![0.5; 4], ..Trained::default() }), &zoo);
    assert_eq!(mean(&short, "surprise.trained"), learnt);
    assert_eq!(mean(&short, "surprise.attention"), mean(&trace, "surprise.attention"));
    assert!(mean(&short, "surprise.retention") > now + 0.1, "without memory it knows less");
    // Its first layer reads the same: what lies d back is multiplied by another power of gamma.
    let (n, h) = (trace.words("tokens").len(), 1);
    let gammas = [zoo.model::<crate::models::Retnet>(MODELS[0]).unwrap().config.gammas()[h], 0.25];
    let [weights, other] = [&trace, &short].map(|it| read(it, "retention.0"));
    let at = |d: usize| (h * n + 9) * n + 9 - d;
    for d in 0..5 {
        let ratio = f64::from(other[at(d)] / weights[at(d)]);
        let wanted = (gammas[1] / gammas[0]).powi(d as i32);
        assert!((ratio / wanted - 1.0).abs() < 1e-3, "{d} back: {ratio}, not {wanted}");
    }
}

#[test]
fn switching_heads_off_costs_what_they_remember() {
    let zoo = zoo();
    let trace = run(&RetnetDecay { source: Source::Recall, ..RetnetDecay::default() }, &zoo);
    let errors = read(&trace, "errors");
    assert_eq!(trace.get("errors").unwrap().shape, [9, 3]);
    assert!(errors[0] < 0.05 && errors[1] < 0.2, "{:?} wrong with all heads", &errors[..3]);
    let worst = |lag: usize| (1..9).map(|i| errors[3 * i + lag] - errors[lag]).fold(f32::MIN, f32::max);
    assert!((0..3).all(|lag| worst(lag) > 0.05), "every lag needs a head: {errors:?}");
}

#[test]
fn every_panel_gives_its_numbers_and_answers() {
    let zoo = zoo();
    for source in [Source::Trained, Source::Recall] {
        let mut state = RetnetDecay { source, ..RetnetDecay::default() };
        let trace = run(&state, &zoo);
        let (focus, style, pick) = (&mut Focus::default(), &Style::new(true, 1.0), &mut false);
        let inputs = &mut Inputs::default();
        let mut scene = Scene { trace: &trace, focus, style, inputs, zoo: &zoo, pick };
        let page = state.page(&scene).unwrap();
        for panel in page.panels() {
            assert!(figure(&state, panel.name, &scene, None).is_some(), "{source:?}: {}", panel.name);
        }
        if source == Source::Trained {
            state.touched("decay", Touch::Dragged(1, [7.0, 0.5]), &mut scene);
            assert_eq!((state.trained.half_lives.len(), state.trained.half_lives[1]), (4, 7.0));
            state.touched("attention heads", Touch::Head([3, 2], false), &mut scene);
            assert_eq!(state.trained.attention, [3, 2]);
        }
    }
}

/// Nothing is said of a text of which too little is left to be surprised by.
#[test]
fn one_character_is_too_little() {
    let (zoo, state) = (zoo(), reads(Trained::default()));
    for text in ["", "a", "😀😀😀"] {
        let inputs = Inputs { text: text.to_owned(), ..Inputs::default() };
        assert!(state.record(&inputs, &zoo).is_none(), "{text:?}");
        assert!(state.refusal(&inputs).contains("too little"));
    }
}
