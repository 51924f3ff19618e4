//! A slider of an exhibit of fields is dragged: how long until its numbers are computed and its page is laid out anew.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use egui_kittest::Harness;
use serde_json::{Value, json};
use vitrine::data::Inputs;
use vitrine::engine::{Cancel, Device};
use vitrine::exhibits::{Exhibit, all, show};
use vitrine::focus::Focus;
use vitrine::models::Zoo;
use vitrine::page::{Scene, View};
use vitrine::platform::block_on;
use vitrine::trace::Trace;
use vitrine::ui::{Style, install_fonts};

/// An exhibit, how many tokens its fields have, and its state as a slider is dragged, from 0 to 1.
type Dragged = (&'static str, usize, fn(f32) -> Value);

/// The exhibits and their sliders.
const DRAGGED: [Dragged; 4] = [
    ("retnet-decay", 256, |t| json!({ "half_lives": [2.0 + t, 5.0, 12.0, 30.0] })),
    ("rmt-decay", 196, |t| json!({ "content": 2.0 + t })),
    ("gaussian-masks", 64, |t| json!({ "sharp": 20 + (30.0 * t) as u32 })),
    ("three-masks", 40, |t| json!({ "width": 4.0 + t })),
];

/// Milliseconds of every exhibit: recording and running, laying out and tessellating, both.
pub(super) fn measure(device: &mut Device, repeats: usize) -> Result<Value, String> {
    let mut exhibits = vec![];
    for (id, tokens, state) in DRAGGED {
        let times = drag(device, id, tokens, state, repeats.max(1))?;
        let [compute, draw, both] = times.map(median);
        exhibits.push(
            json!({ "exhibit": id, "tokens": tokens, "compute_ms": compute, "draw_ms": draw, "ms": both }),
        );
    }
    Ok(json!({ "device": device.name(), "exhibits": exhibits }))
}

fn opened(id: &str, state: Value) -> Result<Box<dyn Exhibit>, String> {
    let entry =
        all().into_iter().find(|it| it.card.id == id).ok_or_else(|| format!("there is no exhibit {id}"))?;
    (entry.open)(state).map_err(|it| it.to_string())
}

/// The times of every step: computing, drawing, both.
fn drag(
    device: &mut Device,
    id: &str,
    tokens: usize,
    state: fn(f32) -> Value,
    repeats: usize,
) -> Result<[Vec<f64>; 3], String> {
    // An exhibit of pictures does not read it.
    let text: String = "The animal didn't cross the street. ".chars().cycle().take(tokens).collect();
    let (zoo, inputs) = (Zoo::default(), Inputs { text, ..Inputs::default() });
    let shown = Rc::new(RefCell::new((opened(id, state(0.0))?, Arc::new(Trace::default()))));
    let mut window = window(Rc::clone(&shown), inputs.clone());
    let mut times: [Vec<f64>; 3] = Default::default();
    // The first three compile plans and find their fonts.
    for i in 0..repeats + 3 {
        let exhibit = opened(id, state((i % 20) as f32 / 20.0))?;
        let start = Instant::now();
        let graph = exhibit.record(&inputs, &zoo).ok_or_else(|| format!("{id} computes nothing"))?;
        let trace = block_on(device.run(&graph.finish(), &Cancel::default())).map_err(|it| it.to_string())?;
        let computed = start.elapsed();
        *shown.borrow_mut() = (exhibit, Arc::new(trace));
        window.step();
        let shapes = window.output().shapes.clone();
        drop(window.ctx.tessellate(shapes, window.ctx.pixels_per_point()));
        let both = start.elapsed();
        if i >= 3 {
            for (times, it) in times.iter_mut().zip([computed, both.saturating_sub(computed), both]) {
                times.push(1000.0 * it.as_secs_f64());
            }
        }
    }
    Ok(times)
}

/// An exhibit, and what it shows.
type Shown = Rc<RefCell<(Box<dyn Exhibit>, Arc<Trace>)>>;

/// A window of the size of a laptop's with the exhibit's page.
fn window(shown: Shown, mut inputs: Inputs) -> Harness<'static> {
    let style = Style::new(true, 1.0);
    let (look, zoo, mut focus, mut view) = (style.clone(), Zoo::default(), Focus::default(), View::default());
    let builder = Harness::builder().with_size([1280.0, 700.0]).with_context_setup(move |ctx| {
        install_fonts(ctx);
        look.apply(ctx);
    });
    builder.build_ui(move |ui| {
        let (exhibit, trace) = &mut *shown.borrow_mut();
        let (inputs, pick, rect) = (&mut inputs, &mut false, ui.max_rect());
        let mut scene = Scene { trace, focus: &mut focus, style: &style, inputs, zoo: &zoo, pick };
        show(exhibit.as_mut(), ui, &mut scene, rect, &mut view);
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
