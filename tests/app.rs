//! The window's logic, driven as a person would: by labels, keys and clicks.

mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use serde_json::{Value, json};
use vitrine::app::{Compute, Open, Report, Setup};
use vitrine::data::Inputs;
use vitrine::engine::{Device, EngineError, cpu::Cpu};
use vitrine::exhibits::{Check, Entry, Exhibit};
use vitrine::graph::Graph;
use vitrine::models::Zoo;
use vitrine::page::{Knobs, Page, Room, Scene, panel};
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;
use vitrine::ui::Card;
use window::{Window, report};

static CARD: Card = Card {
    id: "attention",
    title: "Stub",
    claim: "A picture of nothing.",
    formula: "0",
    paper: "Nobody",
    year: 2026,
    reference: "none",
    family: "Stubs",
    more: "",
};

/// An exhibit without a model: its tokens are the words of the sentence.
#[derive(Default)]
struct Stub {
    knob: u64,
    /// The model that it shows, if not the chosen one.
    model: Option<String>,
}

impl Exhibit for Stub {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn model<'a>(&'a self, inputs: &'a Inputs) -> &'a str {
        self.model.as_deref().unwrap_or(&inputs.model)
    }

    fn record(&self, inputs: &Inputs, _zoo: &Zoo) -> Option<Graph> {
        let words: Vec<String> = inputs.text.split_whitespace().map(str::to_owned).collect();
        let n = words.len();
        let g = Graph::default();
        g.input(&Tensor::from_fn(&[2, n, n], |_| self.knob as f32)).keep("blocks.0.attn.pattern");
        g.label("tokens", words);
        (n > 0).then_some(g)
    }

    fn recorded(&self, _inputs: &Inputs) -> Option<Arc<Trace>> {
        None
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| self.knob += u64::from(k.button("Turn the knob", "", true)));
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        scene.trace.get("blocks.0.attn.pattern")?;
        Some(panel("nothing", 0, Room::fill(100.0, 60.0)).into())
    }

    fn draw(&mut self, _panel: &str, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
        let spot = scene.focus.spot();
        ui.label(format!("knob {}, query {:?}, key {:?}", self.knob, spot.query, spot.key));
        scene.focus.shown.head = self.model.as_ref().map(|_| 1);
        scene.focus.readout = format!("the knob is at {}", self.knob);
    }

    fn checks(&self) -> Vec<Check> {
        let zero = Check::of("zero is zero", |_| {
            let g = Graph::default();
            (g.input(&Tensor::scalar(0.0)) * 1.0).keep("error");
            Some(g)
        });
        vec![zero.says("zero is zero").within(0.0, "it is").on("minilm")]
    }

    fn state(&self) -> Value {
        if self.knob == 0 { json!({}) } else { json!({ "knob": self.knob }) }
    }
}

fn entry() -> Entry {
    let open = |state: Value| -> Result<Box<dyn Exhibit>, serde_json::Error> {
        let knob = state.get("knob").map_or(Ok(0), |it| serde_json::from_value(it.clone()))?;
        let model = state.get("model").and_then(Value::as_str).map(str::to_owned);
        Ok(Box::new(Stub { knob, model }))
    };
    Entry { card: &CARD, open }
}

fn setup(link: &str) -> Setup {
    window::setup(if link.is_empty() { "#v1" } else { link }, vec![entry()])
}

fn window_with(setup: Setup, size: [f32; 2]) -> Window {
    let mut window = window::open(setup, size);
    settle(&mut window);
    window
}

fn window(link: &str) -> Window {
    window_with(setup(link), [1280.0, 800.0])
}

/// Draws frames until nothing is computed any more.
#[track_caller]
fn settle(window: &mut Window) {
    window::settle(window, |it| it.computing);
}

fn types(window: &mut Window, text: &str) {
    window.event(egui::Event::Text(text.to_owned()));
    settle(window);
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    settle(window);
}

fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    settle(window);
}

/// Replaces the sentence by keys only.
fn write(window: &mut Window, text: &str) {
    types(window, "/");
    press(window, Modifiers::COMMAND, Key::A);
    types(window, text);
    press(window, Modifiers::NONE, Key::Escape);
}

#[test]
fn it_shows_what_the_sentence_asks_for() {
    let mut window = window("");
    let first = report(&window);
    assert!(first.ready && first.live && first.error.is_none(), "{first:?}");
    assert_eq!(first.compute, "cpu");
    write(&mut window, "three small words");
    let second = report(&window);
    assert_eq!(second.text, "three small words");
    assert_eq!(second.tokens, ["three", "small", "words"]);
    assert!(second.ready && second.runs > first.runs, "{second:?}");
    window.get_by_label("the knob is at 0");
}

#[test]
fn undo_and_redo_restore() {
    let mut window = window("");
    write(&mut window, "another sentence");
    click(&mut window, "Turn the knob");
    let changed = report(&window).link;
    assert!(changed.contains("knob:1") && changed.contains("another+sentence"), "{changed}");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert!(!report(&window).link.contains("knob"), "the knob is back");
    click(&mut window, "Undo (Ctrl Z)");
    assert_eq!(report(&window).link, "#v1;theme=dark");
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    click(&mut window, "Redo (Ctrl Shift Z)");
    assert_eq!(report(&window).link, changed);
}

#[test]
fn tiles_are_duplicated_arranged_and_closed() {
    let mut window = window("");
    click(&mut window, "Turn the knob");
    click(&mut window, "Export, duplicate");
    click(&mut window, "Duplicate to the right");
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 2);
    assert_eq!(report(&window).link.matches("knob:1").count(), 2, "{}", report(&window).link);
    click(&mut window, "Layout of the tiles: Layout");
    click(&mut window, "Tabs");
    assert!(report(&window).link.contains("tabs:"), "{}", report(&window).link);
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 1, "one is in front");
    click(&mut window, "Undo (Ctrl Z)");
    assert!(report(&window).link.contains("split:row"), "{}", report(&window).link);
    window.get_all_by_label("Close this tile").next().unwrap().click();
    settle(&mut window);
    assert!(!report(&window).link.contains("split"), "{}", report(&window).link);
    click(&mut window, "Close this tile");
    window.get_by_label("Open Stub");
    click(&mut window, "Undo (Ctrl Z)");
    window.get_by_label("Turn the knob");
}

#[test]
fn one_tile_can_cover_the_others() {
    let mut window = window("#v1;tiles=(parts:((exhibit:attention),(exhibit:attention)),split:row)");
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 2);
    window.get_all_by_label("Let this tile cover the others").next().unwrap().click();
    settle(&mut window);
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 1);
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 2);
}

#[test]
fn a_phone_shows_one_tile_at_a_time() {
    let link = "#v1;tiles=(parts:((exhibit:attention),(exhibit:attention)),split:row)";
    let mut window = window_with(setup(link), [390.0, 800.0]);
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 1);
    click(&mut window, "Turn the knob");
    // The title of the tile is a label of the same name.
    let pressed = |it: &egui_kittest::Node<'_>| it.accesskit_node().role() != egui::accesskit::Role::Label;
    let switch = window.get_all_by_label("Stub").filter(pressed).nth(1).unwrap();
    switch.click();
    settle(&mut window);
    window.get_by_label_contains("knob 0");
}

#[test]
fn arrows_walk_and_escape_releases() {
    let mut window = window("#v1;text=a+b+c");
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    press(&mut window, Modifiers::NONE, Key::ArrowDown);
    window.get_by_label("knob 0, query Some(1), key Some(1)");
    for _ in 0..5 {
        press(&mut window, Modifiers::NONE, Key::ArrowRight);
    }
    types(&mut window, "]");
    assert!(report(&window).link.contains("focus=(head:1,key:2,query:1)"), "{}", report(&window).link);
    press(&mut window, Modifiers::NONE, Key::Escape);
    window.get_by_label("knob 0, query None, key None");
}

#[test]
fn heads_go_on_from_the_one_that_is_shown() {
    let mut window = window("#v1;text=a+b;tiles=(exhibit:attention,state:(model:elsewhere))");
    types(&mut window, "[");
    assert!(report(&window).link.contains("focus=(head:0)"), "{}", report(&window).link);
    types(&mut window, "]");
    assert!(report(&window).link.contains("focus=(head:1)"), "{}", report(&window).link);
}

#[test]
fn keys_do_nothing_while_a_text_is_edited() {
    let mut window = window("#v1;text=a+b");
    types(&mut window, "/");
    types(&mut window, "g?r[");
    assert!(report(&window).text.contains("g?r["), "{}", report(&window).text);
    assert!(!report(&window).link.contains("gallery"));
}

#[test]
fn a_damaged_link_opens_the_default_and_says_so() {
    for (link, words) in [
        ("#v1;text=%ZZ", "damaged"),
        ("#v9;text=hi", "another version"),
        ("#v1;tiles=(exhibit:nothing)", "no exhibit called"),
        ("#v1;tiles=(exhibit:attention,state:(knob:high))", "cannot be read"),
    ] {
        let mut window = window(link);
        window.get_by_label_contains(words);
        assert_eq!(report(&window).text, Inputs::default().text, "{link}");
        click(&mut window, "Dismiss");
        assert!(window.query_by_label_contains(words).is_none(), "{link}");
    }
}

#[test]
fn a_link_restores_everything() {
    let link =
        "#v1;focus=(key:1,query:2);size=150;text=x+y+z;theme=light;tiles=(exhibit:attention,state:(knob:7))";
    let window = window(link);
    assert_eq!(report(&window).link, link);
    window.get_by_label("knob 7, query Some(2), key Some(1)");
}

/// A GPU that is lost at once, and a processor from the second time on.
fn flaky() -> Open {
    let opened = AtomicBool::new(false);
    Arc::new(move || {
        let again = opened.swap(true, Ordering::Relaxed);
        Box::pin(std::future::ready(if again {
            Ok(Device::Cpu(Cpu::new()))
        } else {
            Err(EngineError::Lost("unplugged".to_owned()))
        }))
    })
}

#[test]
fn a_lost_gpu_is_said_in_words_and_can_be_tried_again() {
    for way in ["button", "key", "cpu"] {
        let setup = Setup { gpu: Ok(flaky()), compute: Compute::Gpu, ..setup("#v1;text=a+b") };
        let mut window = window_with(setup, [1280.0, 800.0]);
        window.get_by_label_contains("The GPU was lost: unplugged.");
        assert!(report(&window).error.is_some(), "{way}");
        match way {
            "button" => click(&mut window, "Try again"),
            "key" => types(&mut window, "r"),
            _ => click(&mut window, "Use the CPU"),
        }
        assert!(report(&window).ready && report(&window).error.is_none(), "{way}: {:?}", report(&window));
        assert_eq!(report(&window).text, "a b", "the state is kept");
        window.get_by_label_contains("knob 0");
    }
}

#[test]
fn without_a_gpu_the_cpu_computes_and_the_reason_is_shown() {
    let setup = Setup { compute: Compute::Gpu, ..setup("#v1;text=a+b") };
    let window = window_with(setup, [1280.0, 800.0]);
    window.get_by_label_contains("none in this test");
    assert!(report(&window).ready, "{:?}", report(&window));
}

/// A model that is not made for the exhibit is no reason for an empty tile.
#[test]
fn an_exhibit_says_which_models_it_cannot_show() {
    let read = |it: &str| {
        let path = format!("{}/tests/golden/gpt2/{it}", env!("CARGO_MANIFEST_DIR"));
        (it.to_owned(), std::fs::read(path).unwrap())
    };
    let mut setup = setup("");
    setup.entries = vitrine::exhibits::all();
    let id =
        setup.zoo.add_files("gpt", ["config.json", "tokenizer.json", "model.safetensors"].map(read).into());
    while setup.zoo.ready(&id).is_none() {
        setup.zoo.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
    setup.wishes.model = Some(id);
    let window = window_with(setup, [1280.0, 800.0]);
    assert!(window.query_by_label_contains("cannot show a model of this kind").is_some());
}

#[test]
fn to_load_the_model_of_one_tile_is_not_to_choose_it() {
    let mut window = window("#v1;text=a+b;tiles=(exhibit:attention,state:(model:elsewhere))");
    window.get_by_label_contains("There is no model “elsewhere” here");
    click(&mut window, "Try again");
    assert!(!report(&window).link.contains(";model="), "{}", report(&window).link);
    assert!(window.query_by_label_contains("elsewhere: failed").is_none(), "the others keep theirs");
}

#[test]
fn the_gallery_opens_exhibits() {
    let mut window = window("#v1;text=a+b");
    types(&mut window, "g");
    assert!(window.query_by_label("Turn the knob").is_none());
    click(&mut window, "Open Stub");
    assert_eq!(window.get_all_by_label("Turn the knob").count(), 2);
}

#[test]
fn a_link_can_be_copied() {
    let mut window = window("#v1;text=a+b");
    // The press alone: a step shows what the last of its events gave.
    let modifiers = Modifiers::COMMAND;
    window.event(egui::Event::Key {
        key: Key::L,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers,
    });
    let mut copied = vec![];
    for _ in 0..5 {
        window.step();
        copied.extend(window.output().platform_output.commands.iter().filter_map(|it| match it {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        }));
    }
    assert_eq!(copied, ["vitrine open '#v1;text=a+b;theme=dark'"], "once, and what one may type");
    window.get_by_label_contains("Copied");
}

#[test]
fn a_notice_moves_nothing() {
    let mut window = window("#v1;text=a+b");
    let place = |window: &Window| window.get_by_label("Turn the knob").rect();
    let before = place(&window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::L);
    window.run_steps(3);
    let said = window.get_by_label_contains("Copied").rect();
    assert_eq!(place(&window), before);
    let bar = window.get_by_label("Copy a link to what you see (Ctrl L)").rect();
    assert!(said.top() > bar.bottom() && said.right() > 1000.0 && said.left() > 640.0, "{said:?}");
    let close = window.get_by_label("Dismiss").rect();
    assert!(close.right() <= 1280.0 && close.left() >= said.right(), "{close:?} beside {said:?}");
}

#[test]
fn a_long_notice_fits_a_phone() {
    let window = window_with(setup("#v1;text=%ZZ"), [390.0, 800.0]);
    let said = window.get_by_label_contains("damaged").rect();
    let close = window.get_by_label("Dismiss").rect();
    assert!(
        said.left() >= 0.0 && close.right() <= 390.0 && close.left() >= said.right(),
        "{said:?}, {close:?}"
    );
}

#[test]
fn the_cheat_sheet_lists_the_keys() {
    let mut window = window("");
    types(&mut window, "?");
    window.get_by_label("edit the sentence");
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(window.query_by_label("edit the sentence").is_none());
}

#[test]
fn keys_change_the_size_of_type() {
    let mut window = window("");
    let size = |window: &Window| {
        let link = report(window).link;
        link.split_once("size=").map_or(100, |(_, it)| it.split(';').next().unwrap().parse().unwrap())
    };
    for (key, want) in [
        (Key::Plus, 125),
        (Key::Equals, 150),
        (Key::Plus, 200),
        (Key::Plus, 200),
        (Key::Minus, 150),
        (Key::Num0, 100),
        (Key::Minus, 80),
        (Key::Minus, 80),
    ] {
        press(&mut window, Modifiers::COMMAND, key);
        assert_eq!(size(&window), want, "{key:?}");
        assert!(window.query_by_label("edit the sentence").is_none(), "the list of keys stays closed");
        assert!((window.ctx.zoom_factor() - 1.0).abs() < 1e-6, "egui does not zoom as well");
    }
    types(&mut window, "/");
    press(&mut window, Modifiers::COMMAND, Key::Plus);
    assert_eq!(size(&window), 100, "also while a text is edited");
}

#[test]
fn a_browser_zooms_by_itself() {
    let mut window = window_with(Setup { renderer: "webgpu", ..setup("") }, [1280.0, 800.0]);
    press(&mut window, Modifiers::COMMAND, Key::Plus);
    assert!(!report(&window).link.contains("size"), "{}", report(&window).link);
}

#[test]
fn keys_are_called_as_on_the_keyboard_at_hand() {
    let mut window = window("");
    window.get_by_label("Undo (Ctrl Z)");
    window.ctx.set_os(egui::os::OperatingSystem::Mac);
    types(&mut window, "?");
    for name in ["Undo (Cmd Z)", "Redo (Cmd Shift Z)", "Copy a link to what you see (Cmd L)", "Cmd +"] {
        window.get_by_label(name);
    }
    assert!(window.query_by_label_contains("Ctrl").is_none());
}

/// A file as a desktop hands it over.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|it| it.to_string())
    }
}

#[test]
fn a_dropped_photograph_becomes_the_picture() {
    let mut window = window_with(Setup { entries: vitrine::exhibits::all(), ..setup("") }, [1280.0, 800.0]);
    let drop = |window: &mut Window, name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        window.input_mut().dropped_files.push(Arc::new(Dropped(path)));
        window.step();
        window.input_mut().dropped_files.clear();
        settle(window);
    };
    drop(&mut window, "tests/golden/efficientnet.png");
    let start = Instant::now();
    while !report(&window).link.contains("picture=photo-efficientnet.png") {
        assert!(start.elapsed() < window::LIMIT, "it never arrives: {}", report(&window).link);
        settle(&mut window);
    }
    assert!(report(&window).link.contains("normgrad"), "a tile looks at it: {}", report(&window).link);
}

fn with_exhibits(link: &str) -> Window {
    window_with(Setup { entries: vitrine::exhibits::all(), ..setup(link) }, [1280.0, 800.0])
}

/// Waits until `test` holds of the report; the models load meanwhile.
fn until(window: &mut Window, what: &str, test: impl Fn(&Report) -> bool) {
    let start = Instant::now();
    while !test(&report(window)) {
        assert!(start.elapsed() < window::LIMIT, "never: {what}; {}", report(window).link);
        window.step();
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_brush_draws_on_the_picture() {
    let mut window = with_exhibits("#v1;tiles=(exhibit:normgrad)");
    until(&mut window, "the maps", |it| it.live && it.ready);
    let runs = report(&window).runs;
    window.get_by_label("draw").click();
    settle(&mut window);
    let easel = window.get_by_label("the picture: collage 0").rect().center();
    window.hover_at(easel);
    window.drag_at(easel);
    window.step();
    window.drop_at(easel);
    settle(&mut window);
    until(&mut window, "the drawing", |it| it.link.contains("picture=drawn-"));
    until(&mut window, "maps of the drawing", |it| it.ready && it.runs > runs);
}

#[test]
fn a_gpt_goes_on_with_a_text() {
    let mut window = with_exhibits("#v1;tiles=(exhibit:next-character)");
    until(&mut window, "the probabilities", |it| it.live && it.ready);
    window.get_by_label("Go on").click();
    until(&mut window, "some characters", |it| it.link.contains("continuation"));
    window.get_by_label("Stop").click();
    settle(&mut window);
}

#[test]
fn a_training_run_goes_on_and_stops() {
    let mut window = with_exhibits("#v1;tiles=(exhibit:learning)");
    // Opening waits until nothing runs, and that is the end of the course.
    let runs = report(&window).runs;
    assert!(runs > 50, "{runs} runs of at most 20 steps");
    window.get_by_label("Start over").click();
    until(&mut window, "some steps", |it| it.runs > runs + 5);
    window.get_by_label("Pause").click();
    settle(&mut window);
    let runs = report(&window).runs;
    for _ in 0..10 {
        window.step();
    }
    assert_eq!(report(&window).runs, runs, "it stands still");
    window.get_by_label("One step").click();
    settle(&mut window);
    assert!(report(&window).runs > runs, "one step was taken");
}

#[test]
fn a_map_can_be_taken_away_from_another_tiles() {
    let two = "#v1;tiles=(split:row,parts:((exhibit:attention,focus:(layer:2,head:8)),(exhibit:attention)))";
    let entries = vitrine::exhibits::all();
    let mut window = window_with(Setup { entries, ..setup(two) }, [1600.0, 800.0]);
    until(&mut window, "the maps", |it| it.live && it.ready);
    settle(&mut window);
    window.get_all_by_label("Export, duplicate").nth(1).unwrap().click();
    settle(&mut window);
    window.get_by_label("Minus another tile's").click();
    settle(&mut window);
    window.get_by_label("head map − 1 Attention maps: head map").click();
    until(&mut window, "a link that says so", |it| {
        it.link.contains("minus:(of:head+map,panel:head+map,tile:1)")
    });
    settle(&mut window);
    window.get_by_label("layer 3, head 1 · first-token sink 0.517 − tile 1");
    window.get_by_label("tile 1: head map of Attention maps");
}

/// Nothing asked for: a wall of five where there is room, the gallery where there is not.
#[test]
fn the_first_page_suits_the_screen() {
    for (width, gallery) in [(1280.0, false), (1100.0, true)] {
        let first = Setup { link: None, entries: vitrine::exhibits::all(), ..setup("") };
        let link = report(&window_with(first, [width, 800.0])).link;
        assert_eq!(link.contains("gallery"), gallery, "at {width}: {link}");
        let exhibits = ["attention", "normgrad", "gaussian-masks", "retnet-decay", "icl-descent"];
        assert!(exhibits.iter().all(|it| link.contains(it)), "{link}");
    }
}
