//! The exhibit against its definitions: what it says of a text, and what it goes on to write.

use super::reading::Reading;
use super::*;
use crate::engine::{Cancel, cpu::Cpu};
use crate::focus::Focus;
use crate::models::Gpt;
use crate::models::sampling::first;
use crate::platform::block_on;
use crate::ui::Style;

const LINE: &str = "Now is the winter";

fn zoo() -> Zoo {
    let mut zoo = Zoo::default();
    zoo.load(MODEL);
    while zoo.ready(MODEL).is_none() {
        zoo.poll();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    zoo
}

fn run(graph: Graph) -> Trace {
    block_on(Cpu::new().run(&graph.finish(), &Cancel::default())).unwrap()
}

fn inputs(text: &str) -> Inputs {
    Inputs { text: text.to_owned(), ..Inputs::default() }
}

/// What `state` writes after [`LINE`] in `left` characters, as the app lets it: a recording, a trace, a character.
fn written(zoo: &Zoo, rule: Rule, left: usize) -> String {
    let mut inputs = inputs(LINE);
    let mut state = NextCharacter { rule, left, ..NextCharacter::default() };
    while state.left > 0 {
        let trace = run(state.record(&inputs, zoo).unwrap());
        let reading = Reading::of(&trace).unwrap();
        let scene = Scene {
            trace: &trace,
            focus: &mut Focus::default(),
            style: &Style::new(true, 1.0),
            inputs: &mut inputs,
            zoo,
            pick: &mut false,
        };
        let before = state.left;
        state.go_on(&reading, &scene);
        assert_eq!(state.left, before - 1, "the numbers belong to the text");
        state.go_on(&reading, &scene);
        assert_eq!(state.left, before - 1, "and to no other");
    }
    state.continuation
}

#[test]
fn the_greedy_continuation_is_the_likeliest_at_every_step() {
    let zoo = zoo();
    let gpt = zoo.model::<Gpt>(MODEL).unwrap();
    let mut ids = gpt.tokenizer.encode(LINE).ids.clone();
    for _ in 0..12 {
        let g = Graph::default();
        gpt.record(&g, &ids).logits.keep("logits");
        let logits = block_on(run(g).get("logits").unwrap().read()).unwrap();
        let last = logits.data.chunks(gpt.config.vocabulary).last().unwrap();
        ids.push(first(last).0 as u32);
    }
    let greedy = written(&zoo, Rule { greedy: true, ..Rule::default() }, 12);
    assert_eq!(format!("{LINE}{greedy}"), gpt.tokenizer.decode(&ids));
}

#[test]
fn a_seed_writes_the_same_text_again_and_another_seed_another() {
    let zoo = zoo();
    let one = written(&zoo, Rule { seed: 1, ..Rule::default() }, 24);
    assert_eq!(one, written(&zoo, Rule { seed: 1, ..Rule::default() }, 24));
    assert_ne!(one, written(&zoo, Rule { seed: 2, ..Rule::default() }, 24));
}

/// A text that is longer than the model reads is cut at its beginning: what comes next depends on the end.
#[test]
fn of_a_long_text_the_end_is_read() {
    let zoo = zoo();
    let gpt = zoo.model::<Gpt>(MODEL).unwrap();
    let text = format!("{}{}", "x".repeat(500), "to be or not to be ".repeat(7));
    let ids = NextCharacter::default().reads(gpt, &text);
    assert_eq!(ids.len(), 128);
    assert!(text.ends_with(&gpt.tokenizer.decode(&ids)));
}

#[test]
fn a_text_without_a_known_character_is_refused_in_words() {
    let zoo = zoo();
    let exhibit = NextCharacter::default();
    for text in ["", "äöü"] {
        assert!(exhibit.record(&inputs(text), &zoo).is_none(), "{text:?}");
        assert!(exhibit.refusal(&inputs(text)).contains("Type at least one"));
    }
    assert!(exhibit.record(&inputs("ä!"), &zoo).is_some(), "what is known is read");
}

/// Against `log sum exp` in f64; f32 sums of 84 terms of size 1 err by some 1e-6.
#[test]
fn surprise_is_the_logarithm_of_the_probability() {
    let zoo = zoo();
    let exhibit = NextCharacter::default();
    let ids = exhibit.reads(zoo.model::<Gpt>(MODEL).unwrap(), LINE);
    let trace = run(exhibit.record(&inputs(LINE), &zoo).unwrap());
    let reading = Reading::of(&trace).unwrap();
    assert_eq!(reading.surprise.len(), ids.len() - 1);
    for (i, surprise) in reading.surprise.iter().enumerate() {
        let z: Vec<f64> = reading.logits(reading.stages() - 1, i).iter().map(|x| f64::from(*x)).collect();
        let top = z.iter().copied().fold(f64::MIN, f64::max);
        let expected = top + z.iter().map(|x| (x - top).exp()).sum::<f64>().ln() - z[ids[i + 1] as usize];
        assert!((f64::from(*surprise) - expected).abs() < 1e-5, "{i}: {surprise}, not {expected}");
    }
}

/// The original runs beside it, and shares what comes before the head.
#[test]
fn a_head_that_is_off_moves_the_probabilities_and_the_original_stays() {
    let zoo = zoo();
    let on = run(NextCharacter::default().record(&inputs(LINE), &zoo).unwrap());
    let exhibit = NextCharacter { off: vec![(1, 0), (99, 0)], ..NextCharacter::default() };
    let off = run(exhibit.record(&inputs(LINE), &zoo).unwrap());
    let (on, off) = (Reading::of(&on).unwrap(), Reading::of(&off).unwrap());
    let last = on.tokens.len() - 1;
    assert_eq!(off.off, ["1.0"], "the model has no layer 99");
    assert_eq!(off.original(last).unwrap(), on.logits(4, last), "the original is the model");
    assert_ne!(off.logits(4, last), on.logits(4, last), "and without a head it says something else");
    assert_eq!(off.logits(1, last), on.logits(1, last), "but not before that head");
}

/// A link holds what differs from the default, and opens to the same.
#[test]
fn the_state_survives_a_link() {
    assert_eq!(NextCharacter::default().state(), serde_json::json!({}));
    let state = NextCharacter {
        rule: Rule { temperature: 0.7, top_k: Some(5), seed: 3, greedy: false },
        continuation: "\nto be".to_owned(),
        off: vec![(1, 2)],
        ..NextCharacter::default()
    };
    assert_eq!(NextCharacter::restore(state.state()).unwrap().state(), state.state());
}
