//! Every exhibit: its recorded first picture is what the model computes, and its claims hold.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use vitrine::data::{Image, Inputs};
use vitrine::engine::{Cancel, cpu::Cpu, gpu::Gpu};
use vitrine::exhibits::{Exhibit, Measure, all, show};
use vitrine::focus::Focus;
use vitrine::graph::{Graph, Recording};
use vitrine::models::Zoo;
use vitrine::page::{Knobs, Scene, View};
use vitrine::platform::block_on;
use vitrine::trace::Trace;
use vitrine::ui::{Body, Style, install_fonts, install_heatmaps};

/// The zoo with all models in it that exhibits begin with and checks are measured on.
fn zoo() -> Zoo {
    let mut zoo = Zoo::default();
    for exhibit in all().into_iter().map(|it| (it.open)(serde_json::Value::Null).unwrap()) {
        let inputs = Inputs::default();
        let checks = exhibit.checks();
        for id in checks.iter().map(|it| it.model).chain([exhibit.model(&inputs)]).filter(|it| !it.is_empty())
        {
            zoo.load(id);
            while zoo.ready(id).is_none() {
                zoo.poll();
                let failed = matches!(zoo.status(id), Some(vitrine::models::Status::Failed(_)));
                assert!(!failed, "the weights of {id} are missing: `./run test` fetches them");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
    zoo
}

fn run(recording: &Recording) -> Trace {
    block_on(Cpu::new().run(recording, &Cancel::default())).unwrap()
}

/// What would make the first picture too large, or is rounding, another on every machine: it comes when the model is there.
fn comes_later(exhibit: &str, name: &str) -> bool {
    exhibit == "next-character" && name.ends_with(".attn.pattern")
        || exhibit == "retnet-decay" && name == "states"
        || name.ends_with("rows.error")
}

/// The first picture comes from a file. `UPDATE_TRACES=1` writes those anew that are out of date.
#[test]
fn recorded_traces_are_what_the_model_computes() {
    let zoo = zoo();
    let update = std::env::var_os("UPDATE_TRACES").is_some();
    for entry in all() {
        let mut exhibit = (entry.open)(serde_json::Value::Null).unwrap();
        let mut trace = run(&exhibit.record(&Inputs::default(), &zoo).unwrap().finish());
        // A training run begins with its first picture; whatever else takes several runs is shown at its end.
        while entry.card.id != "learning" && exhibit.go_on(&trace) {
            trace = run(&exhibit.record(&Inputs::default(), &zoo).unwrap().finish());
        }
        trace.tensors.retain(|name, _| !comes_later(entry.card.id, name));
        let path = format!("{}/assets/traces/{}.safetensors", env!("CARGO_MANIFEST_DIR"), entry.card.id);
        let fault = std::fs::read(&path).map_or_else(|it| Some(it.to_string()), |it| outdated(&it, &trace));
        match fault {
            // This program has the old ones in it.
            Some(_) if update => std::fs::write(&path, block_on(trace.record()).unwrap()).unwrap(),
            Some(fault) => panic!("{path}: {fault}; UPDATE_TRACES=1 writes it anew"),
            None => assert!(exhibit.recorded(&Inputs::default()).is_some(), "{} shows it", entry.card.id),
        }
    }
}

/// Why recorded bytes are not this trace, if they are not.
fn outdated(bytes: &[u8], trace: &Trace) -> Option<String> {
    if bytes.len() >= 100_000 {
        return Some(format!("{} bytes are too many for a first picture", bytes.len()));
    }
    let recorded = Trace::parse(bytes).unwrap();
    if recorded.labels != trace.labels || !recorded.tensors.keys().eq(trace.tensors.keys()) {
        return Some("it has other words or tensors".to_owned());
    }
    trace.tensors.iter().find_map(|(name, kept)| {
        let (fresh, old) = (block_on(kept.read()).unwrap(), block_on(recorded.tensors[name].read()).unwrap());
        // 1e-3 of the largest element: f16 has 11 bits; and 6e-8, its smallest step.
        let scale = fresh.data.iter().fold(0.0f32, |s, x| s.max(x.abs()));
        let far = fresh.max_abs_diff(&old);
        let close = far <= 1e-3 * scale + 6e-8;
        (!close).then(|| format!("{name} differs by {far}, its largest element is {scale}"))
    })
}

/// The sizes that a page is judged at: full, half and card, without label and knobs.
const SIZES: [(&str, [f32; 2], bool); 3] =
    [("full", [1200.0, 560.0], false), ("half", [570.0, 300.0], false), ("card", [280.0, 190.0], true)];

/// A window that shows a page in one look.
fn page_of(
    mut exhibit: Box<dyn Exhibit>,
    trace: Arc<Trace>,
    zoo: Zoo,
    style: Style,
    (size, alone): ([f32; 2], bool),
) -> Harness<'static> {
    let state = create_render_state(default_wgpu_setup(), egui_wgpu::RendererOptions::PREDICTABLE);
    block_on(install_heatmaps(&state)).unwrap();
    let look = style.clone();
    let (mut focus, mut inputs) = (Focus::default(), Inputs::default());
    let theme = if style.dark { egui::Theme::Dark } else { egui::Theme::Light };
    let builder = Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .renderer(WgpuTestRenderer::from_render_state(state))
        .with_context_setup(move |ctx| {
            install_fonts(ctx);
            look.apply(ctx);
        });
    let mut harness = builder.build_ui(move |ui| {
        ui.painter().rect_filled(ui.max_rect(), 0.0, style.surface);
        let rect = ui.max_rect().shrink(8.0);
        let (inputs, pick) = (&mut inputs, &mut false);
        let mut scene = Scene { trace: &trace, focus: &mut focus, style: &style, inputs, zoo: &zoo, pick };
        let mut view = View { alone, ..View::default() };
        assert!(show(exhibit.as_mut(), ui, &mut scene, rect, &mut view));
    });
    harness.run_steps(3);
    harness
}

/// The first picture of every exhibit at three sizes in both themes, pixel by pixel; `UPDATE_SNAPSHOTS=1` draws it anew.
#[test]
fn pictures_are_as_they_were_judged() {
    let mut results = SnapshotResults::new();
    for entry in all() {
        for (name, size, alone) in SIZES {
            for (theme, dark) in [("dark", true), ("light", false)] {
                let exhibit = (entry.open)(serde_json::Value::Null).unwrap();
                let trace = exhibit.recorded(&Inputs::default()).unwrap();
                let style = Style::new(dark, 1.0);
                let mut harness = page_of(exhibit, trace, Zoo::default(), style, (size, alone));
                let options = SnapshotOptions::new().max_failed_pixels(10).output_path("tests/snapshots");
                harness.snapshot_options(format!("{}-{name}-{theme}", entry.card.id), &options);
                results.extend(harness.take_snapshot_results());
            }
        }
    }
}

/// Every knob of every exhibit is turned to its first and its last choice: something is recorded, every panel is drawn, and
/// gives its numbers.
#[test]
fn every_knob_turns_and_every_panel_gives_its_numbers() {
    let zoo = zoo();
    for entry in all() {
        let open = || (entry.open)(serde_json::Value::Null).unwrap();
        let style = Style::new(true, 1.0);
        let mut exhibit = open();
        let recorded = exhibit.recorded(&Inputs::default()).unwrap();
        let (mut inputs, mut focus) = (Inputs::default(), Focus::default());
        let knobs = {
            let (focus, inputs, pick) = (&mut focus, &mut inputs, &mut false);
            let trace = &*recorded;
            let mut scene = Scene { trace, focus, style: &style, inputs, zoo: &zoo, pick };
            Knobs::list(&mut scene, |k| exhibit.knobs(k))
        };
        assert!(!knobs.is_empty(), "{} has no knob", entry.card.id);
        for knob in &knobs {
            for to in [0, knob.choices.len().saturating_sub(1)] {
                let mut exhibit = open();
                let (mut inputs, mut focus) = (Inputs::default(), Focus::default());
                {
                    let (focus, inputs, pick) = (&mut focus, &mut inputs, &mut false);
                    let trace = &*recorded;
                    let mut scene = Scene { trace, focus, style: &style, inputs, zoo: &zoo, pick };
                    assert!(Knobs::turn(&mut scene, &knob.name, to, |k| exhibit.knobs(k)), "{knob:?}");
                }
                let recording = exhibit.record(&inputs, &zoo).map(Graph::finish);
                let at = format!("{}: {} to {to}", entry.card.id, knob.name);
                // What goes on by itself may have been told to wait.
                if exhibit.progress().is_none() && exhibit.recorded(&inputs).is_some() {
                    let usual = open().record(&Inputs::default(), &zoo).unwrap().finish();
                    let same = recording.as_ref().is_some_and(|it| equal(it, &usual));
                    assert!(same, "{at}: the recorded trace is shown, but other numbers are computed");
                }
                let trace = recording.map_or_else(Arc::default, |it| Arc::new(run(&it)));
                let said = panels(exhibit.as_mut(), &trace, &mut inputs, &mut focus, &zoo, &style);
                assert!(said.is_none_or(|it| it > 0), "{at}: no panel");
            }
        }
    }
}

/// Whether two recordings give the same trace.
fn equal(a: &Recording, b: &Recording) -> bool {
    a.structure() == b.structure() && a.inputs == b.inputs && a.labels == b.labels
}

/// Draws all panels at two widths in both themes and asks each for its numbers; how many there are. `None`: nothing can be shown.
fn panels(
    exhibit: &mut dyn Exhibit,
    trace: &Trace,
    inputs: &mut Inputs,
    focus: &mut Focus,
    zoo: &Zoo,
    style: &Style,
) -> Option<usize> {
    let (mut view, mut shown) = (View::default(), false);
    for (width, dark) in [(390.0, true), (390.0, false), (1280.0, true), (1280.0, false)] {
        let (style, look) = (Style::new(dark, 1.0), Style::new(dark, 1.0));
        let builder = Harness::builder().with_size([width, 700.0]).with_context_setup(move |ctx| {
            install_fonts(ctx);
            look.apply(ctx);
        });
        let mut harness = builder.build_ui(|ui| {
            let (inputs, pick) = (&mut *inputs, &mut false);
            let mut scene = Scene { trace, focus: &mut *focus, style: &style, inputs, zoo, pick };
            let rect = ui.max_rect();
            shown = show(exhibit, ui, &mut scene, rect, &mut view);
        });
        harness.run_steps(2);
    }
    let names: Vec<&str> = view.panels.iter().map(|it| it.0).collect();
    let scene = Scene { trace, focus, style, inputs, zoo, pick: &mut false };
    if !shown {
        return None;
    }
    for name in &names {
        let figure = vitrine::exhibits::figure(&*exhibit, name, &scene, None);
        let figure = figure.unwrap_or_else(|| panic!("{name} gives no numbers"));
        match &figure.body {
            Body::Table(it) => assert_eq!(it.values.len(), it.x_tokens.len() * it.y_tokens.len(), "{name}"),
            Body::Chart(it) => assert!(it.series.iter().any(|it| it.points.len() > 1), "{name}"),
            Body::Bars(it) => assert!(!it.bars.is_empty(), "{name}"),
        }
        assert!(figure.svg().is_ok(), "{name}");
        assert!(!figure.title.is_empty() && !figure.caption.is_empty(), "{name} says what it is");
    }
    Some(names.len())
}

#[test]
fn claims_hold_on_the_cpu() {
    let zoo = zoo();
    for entry in all() {
        for check in (entry.open)(serde_json::Value::Null).unwrap().checks() {
            if matches!(check.measure, Measure::Devices(_)) {
                continue;
            }
            let (record, name) = check.measure.recording();
            let error = read(&run(&record(&zoo).unwrap().finish()), name).data[0];
            assert!(error <= check.tolerance, "{}: {} is {error}", entry.card.id, check.name);
            // Only what holds bit for bit may measure nothing; a causal mask does here, if not on every device.
            let exact = check.tolerance == 0.0 || check.name == "nothing looks ahead";
            assert!(error > 0.0 || exact, "{}: {} measured nothing", entry.card.id, check.name);
        }
    }
}

/// The other claims, that the devices agree, on a GPU. Without one this fails, unless `NO_GPU=1` says that there is none.
#[test]
fn claims_hold_between_the_devices() {
    if std::env::var("NO_GPU").is_ok_and(|it| it == "1") {
        return;
    }
    let (zoo, mut gpu) = (zoo(), block_on(Gpu::new()).expect("there is a GPU, or NO_GPU=1"));
    for entry in all() {
        let checks = (entry.open)(serde_json::Value::Null).unwrap().checks();
        let between = checks.iter().filter(|it| matches!(it.measure, Measure::Devices(_)));
        let mut count = 0;
        for check in between {
            let recording = check.measure.recording().0(&zoo).unwrap().finish();
            let expected = run(&recording);
            let found = block_on(gpu.run(&recording, &Cancel::default())).unwrap();
            for name in expected.tensors.keys() {
                let far = read(&found, name).max_abs_diff(&read(&expected, name));
                assert!(far <= check.tolerance, "{}: {name} differs by {far}", entry.card.id);
            }
            count += expected.tensors.len();
        }
        assert!(count > 0, "{} compares no tensor", entry.card.id);
    }
}

/// The wall for a sentence: every method has a number for every character, and nothing to read is said in words.
#[test]
fn the_wall_reads_a_sentence() {
    let zoo = zoo();
    let entry = all().into_iter().find(|it| it.card.id == "method-wall").unwrap();
    let exhibit = (entry.open)(serde_json::json!({ "reads": true, "forgotten": 2 })).unwrap();
    let inputs = Inputs { text: "To be, or not to b".to_owned(), ..Inputs::default() };
    let trace = run(&exhibit.record(&inputs, &zoo).unwrap().finish());
    let read = |name: &str| block_on(trace.get(name).unwrap().read()).unwrap();
    let methods = trace.words("methods").len();
    assert_eq!((methods, trace.words("tokens").len()), (10, 18));
    for i in 0..methods {
        let map = read(&format!("maps.{i}"));
        assert_eq!(map.shape, [18]);
        assert!(map.data.iter().all(|it| it.is_finite() && *it >= 0.0), "{}", trace.words("methods")[i]);
        assert!((-1.001..=1.001).contains(&read(&format!("sanity.{i}")).data[0]));
    }
    let first = read("maps.0").data;
    assert!(first.iter().any(|it| *it > 0.0), "something matters");
    let nothing = Inputs { text: String::new(), ..Inputs::default() };
    assert!(exhibit.record(&nothing, &zoo).is_none());
    assert!(exhibit.refusal(&nothing).contains("Type"), "{}", exhibit.refusal(&nothing));
}

fn open(id: &str, state: serde_json::Value) -> Box<dyn Exhibit> {
    let entry = all().into_iter().find(|it| it.card.id == id).unwrap();
    (entry.open)(state).unwrap()
}

fn read(trace: &Trace, name: &str) -> vitrine::tensor::Tensor {
    block_on(trace.get(name).unwrap_or_else(|| panic!("{name} is kept")).read()).unwrap()
}

/// What a badge says of what is shown is in the recording of what is shown, whatever that is.
#[test]
fn what_is_shown_is_measured() {
    let zoo = zoo();
    let state = serde_json::json!({ "off": [[1, 3]], "compare": "It was tired." });
    let exhibit = open("attention", state);
    let inputs = Inputs { text: "Another sentence.".to_owned(), ..Inputs::default() };
    let trace = run(&exhibit.record(&inputs, &zoo).unwrap().finish());
    for (name, maps) in [("rows.error", "blocks.*.attn.pattern"), ("rollout.rows.error", "rollout.*")] {
        let mut worst = 0.0f32;
        for (map, kept) in &trace.tensors {
            let map = map.trim_start_matches("second/");
            if vitrine::graph::matches(maps, map) && map.matches('.').count() == maps.matches('.').count() {
                let it = block_on(kept.read()).unwrap();
                let rows = it.data.chunks(it.shape[it.shape.len() - 1]);
                worst = rows.map(|row| (row.iter().sum::<f32>() - 1.0).abs()).fold(worst, f32::max);
            }
        }
        let error = read(&trace, name).data[0];
        // 5e-7: an f32 sum of a dozen weights in another order.
        assert!(error > 0.0 && (error - worst).abs() < 5e-7, "{name} is {error}, by loops {worst}");
        let shown = |it: &vitrine::exhibits::Check| matches!(it.measure, Measure::Shown(it, _) if it == name);
        assert!(exhibit.checks().iter().any(shown), "a badge says {name}");
    }
}

/// 32 steps from black to white sum to 19.2 instead of 36.7: the wall goes on until they are as close as one per cent, and
/// begins anew with another picture.
#[test]
fn integrated_gradients_go_on_until_they_add_up() {
    let zoo = zoo();
    let mut exhibit = open("method-wall", serde_json::Value::Null);
    let white = Image::Drawn(vec![255; 56 * 56].into());
    let inputs = Inputs { picture: white, ..Inputs::default() };
    let step = |exhibit: &dyn Exhibit, inputs: &Inputs| run(&exhibit.record(inputs, &zoo).unwrap().finish());
    let mut trace = step(exhibit.as_ref(), &inputs);
    let number = |trace: &Trace, what: &str| read(trace, &format!("integrated.{what}")).data[0];
    let whole = number(&trace, "whole");
    assert!((number(&trace, "sum") / whole - 0.52).abs() < 0.01, "32 steps are half of it");
    assert_eq!((trace.words("integrated")[0].as_str(), exhibit.progress()), ("32", None));
    while exhibit.go_on(&trace) {
        assert!(!exhibit.go_on(&trace), "once for every run");
        trace = step(exhibit.as_ref(), &inputs);
        assert_eq!(number(&trace, "whole"), whole, "the steps do not change what they should sum to");
    }
    assert!((number(&trace, "sum") - whole).abs() <= 0.01 * whole, "{} of {whole}", number(&trace, "sum"));
    assert!((number(&trace, "gap") - (1.0 - number(&trace, "sum") / whole).abs()).abs() < 1e-6);
    let mean = read(&trace, "integrated.gradient");
    // Black is -1 and white is 1: twice the mean gradient is what every pixel adds.
    let sum = mean.data.iter().map(|it| 2.0 * f64::from(*it)).sum::<f64>();
    assert!((sum - f64::from(number(&trace, "sum"))).abs() < 1e-3, "{sum}: f32 sums of 3136 parts");
    let other = step(exhibit.as_ref(), &Inputs::default());
    assert_eq!((other.words("integrated")[0].as_str(), exhibit.progress()), ("32", None));
    assert!(!exhibit.go_on(&trace), "what ran for another picture is none to go on from");
}

/// On a transformer a layer norm follows every place, so that gradients sum to 0 over the channels: what a map of sums would
/// show is rounding, and the exhibit shows nothing and says so.
#[test]
fn sums_that_cancel_are_no_maps() {
    let mut zoo = zoo();
    zoo.load("fashion-vit");
    while zoo.ready("fashion-vit").is_none() {
        zoo.poll();
    }
    for (model, identity, cancels) in [
        ("fashion-vit", "Bias", true),
        ("fashion-vit", "Conv1x1", true),
        ("fashion-vit", "Conv3x3", true),
        ("fashion-vit", "Depthwise3x3", false),
        ("collage-cnn", "Conv1x1", false),
    ] {
        let state = serde_json::json!({ "model": model, "identity": identity, "aggregate": "Sum" });
        let exhibit = open("normgrad", state);
        let (mut inputs, mut focus, style) = (Inputs::default(), Focus::default(), Style::new(true, 1.0));
        let trace = run(&exhibit.record(&inputs, &zoo).unwrap().finish());
        for l in 0..trace.words("layers").len() {
            let shown = read(&trace, &format!("layers.{l}.map")).data.iter().any(|it| *it != 0.0);
            let left = read(&trace, &format!("layers.{l}.remainder")).data[0];
            assert_eq!((left < 1e-6, shown), (cancels, !cancels), "{model}, {identity}, layer {l}: {left}");
        }
        let shown = read(&trace, "combined").data.iter().any(|it| *it != 0.0);
        assert_eq!(shown, !cancels, "{model}, {identity}: all layers combined");
        let (inputs, pick) = (&mut inputs, &mut false);
        let scene = Scene { trace: &trace, focus: &mut focus, style: &style, inputs, zoo: &zoo, pick };
        let page = exhibit.page(&scene).unwrap();
        let words = format!("{:?}", page.panels().iter().map(|it| (&it.title, &it.note)).collect::<Vec<_>>());
        assert_eq!(words.contains("nothing is left") && words.contains("rounding"), cancels, "{words}");
    }
}

/// Switching a head off must do what the model without that head does.
#[test]
fn a_head_that_is_off_changes_later_layers_only() {
    let zoo = zoo();
    let state = serde_json::json!({ "off": [[2, 5]] });
    let exhibit = (all()[0].open)(state).unwrap();
    let trace = run(&exhibit.record(&Inputs::default(), &zoo).unwrap().finish());
    let change = |l: usize| block_on(trace.get(&format!("blocks.{l}.attn.change")).unwrap().read()).unwrap();
    for l in 0..6 {
        let largest = change(l).data.iter().fold(0.0f32, |s, x| s.max(x.abs()));
        assert_eq!(largest > 0.0, l > 2, "layer {l} changes by {largest}");
    }
    let cosine = block_on(trace.get("cosine").unwrap().read()).unwrap().data[0];
    assert!((0.5..0.99999).contains(&cosine), "the embedding moves a little: cosine {cosine}");
    drop(Arc::new(trace));
}
