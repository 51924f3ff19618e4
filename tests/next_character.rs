//! The next character against its definitions: what it says of a text, and what it goes on to write.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use vitrine::data::Inputs;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::exhibits::{Exhibit, next_character};
use vitrine::focus::Focus;
use vitrine::graph::Graph;
use vitrine::models::sampling::first;
use vitrine::models::{Gpt, Zoo};
use vitrine::page::{Knobs, Scene};
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;
use vitrine::ui::Style;

const MODEL: &str = "shakespeare-gpt";
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

fn open(state: Value) -> Box<dyn Exhibit> {
    (next_character::entry().open)(state).unwrap()
}

fn run(graph: Graph) -> Trace {
    block_on(Cpu::new().run(&graph.finish(), &Cancel::default())).unwrap()
}

fn read(trace: &Trace, name: &str) -> Tensor {
    block_on(trace.get(name).unwrap().read()).unwrap()
}

fn inputs(text: &str) -> Inputs {
    Inputs { text: text.to_owned(), ..Inputs::default() }
}

fn recorded(state: Value, zoo: &Zoo) -> Trace {
    run(open(state).record(&inputs(LINE), zoo).unwrap())
}

/// What the exhibit has written after the text.
fn continuation(exhibit: &dyn Exhibit) -> String {
    exhibit.state().get("continuation").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The first `count` characters that it writes after [`LINE`], as the app lets it: somebody presses "Go on", then it is a
/// recording, a trace, a frame and a character.
fn written(zoo: &Zoo, rule: Value, count: usize) -> String {
    let (mut exhibit, mut inputs, style) = (open(rule), inputs(LINE), Style::new(true, 1.0));
    let mut seen = |exhibit: &mut dyn Exhibit, trace: &Trace, press: bool| {
        let (focus, inputs, pick) = (&mut Focus::default(), &mut inputs, &mut false);
        let mut scene = Scene { trace, focus, style: &style, inputs, zoo, pick };
        if press {
            assert!(Knobs::turn(&mut scene, "Go on", 0, |k| exhibit.knobs(k)));
        }
        let mut frame = |ui: &mut egui::Ui| exhibit.heed(ui, &mut scene);
        egui::Context::default().run_ui(egui::RawInput::default(), &mut frame).textures_delta.clear();
        continuation(exhibit)
    };
    for n in 1..=count {
        let trace = run(exhibit.record(&self::inputs(LINE), zoo).unwrap());
        let text = seen(exhibit.as_mut(), &trace, n == 1);
        assert_eq!(text.chars().count(), n, "the numbers belong to the text");
        assert_eq!(seen(exhibit.as_mut(), &trace, false), text, "and to no other");
    }
    continuation(exhibit.as_ref())
}

#[test]
fn the_greedy_continuation_is_the_likeliest_at_every_step() {
    let zoo = zoo();
    let gpt = zoo.model::<Gpt>(MODEL).unwrap();
    let mut ids = gpt.tokenizer.encode(LINE).ids.clone();
    for _ in 0..12 {
        let g = Graph::default();
        gpt.record(&g, &ids).logits.keep("logits");
        let logits = read(&run(g), "logits");
        let last = logits.data.chunks(gpt.config.vocabulary).last().unwrap();
        ids.push(first(last).0 as u32);
    }
    let greedy = written(&zoo, json!({ "greedy": true }), 12);
    assert_eq!(format!("{LINE}{greedy}"), gpt.tokenizer.decode(&ids));
}

#[test]
fn a_seed_writes_the_same_text_again_and_another_seed_another() {
    let zoo = zoo();
    let one = written(&zoo, json!({ "seed": 1 }), 24);
    assert_eq!(one, written(&zoo, json!({ "seed": 1 }), 24));
    assert_ne!(one, written(&zoo, json!({ "seed": 2 }), 24));
}

/// A text that is longer than the model reads is cut at its beginning: what comes next depends on the end.
#[test]
fn of_a_long_text_the_end_is_read() {
    let text = format!("{}{}", "x".repeat(500), "to be or not to be ".repeat(7));
    let trace = run(open(Value::Null).record(&inputs(&text), &zoo()).unwrap());
    assert_eq!(trace.words("tokens").len(), 128);
    assert!(text.ends_with(&trace.words("tokens").concat()));
}

#[test]
fn a_text_without_a_known_character_is_refused_in_words() {
    let (zoo, exhibit) = (zoo(), open(Value::Null));
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
    let ids = zoo.model::<Gpt>(MODEL).unwrap().tokenizer.encode(LINE).ids.clone();
    let trace = recorded(Value::Null, &zoo);
    let (surprise, logits) = (read(&trace, "surprise"), read(&trace, "lens.4"));
    assert_eq!(surprise.data.len(), ids.len() - 1);
    for (i, surprise) in surprise.data.iter().enumerate() {
        let vocabulary = logits.shape[1];
        let z: Vec<f64> = logits.data[i * vocabulary..][..vocabulary].iter().map(|x| f64::from(*x)).collect();
        let top = z.iter().copied().fold(f64::MIN, f64::max);
        let expected = top + z.iter().map(|x| (x - top).exp()).sum::<f64>().ln() - z[ids[i + 1] as usize];
        assert!((f64::from(*surprise) - expected).abs() < 1e-5, "{i}: {surprise}, not {expected}");
    }
}

/// The original runs beside it, and shares what comes before the head.
#[test]
fn a_head_that_is_off_moves_the_probabilities_and_the_original_stays() {
    let zoo = zoo();
    let on = recorded(Value::Null, &zoo);
    let off = recorded(json!({ "off": [[1, 0], [99, 0]] }), &zoo);
    assert_eq!(off.words("off"), ["1.0"], "the model has no layer 99");
    assert_eq!(read(&off, "original/logits").data, read(&on, "lens.4").data, "the original is the model");
    assert_ne!(read(&off, "lens.4").data, read(&on, "lens.4").data, "without a head it says something else");
    assert_eq!(read(&off, "lens.1").data, read(&on, "lens.1").data, "but not before that head");
}

/// A link holds what differs from the default, and opens to the same.
#[test]
fn the_state_survives_a_link() {
    assert_eq!(open(Value::Null).state(), json!({}));
    let state =
        json!({ "temperature": 0.7, "top_k": 5, "seed": 3, "continuation": "\nto be", "off": [[1, 2]] });
    assert_eq!(open(state.clone()).state(), state);
}
