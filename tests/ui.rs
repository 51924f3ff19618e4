//! The widgets, looked at and touched: what is painted, what the pointer hits, what a screen reader hears.

use egui::{Pos2, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, HarnessBuilder};
use vitrine::engine::{Cancel, gpu::Gpu};
use vitrine::focus::{Focus, Spot};
use vitrine::graph::Graph;
use vitrine::platform::block_on;
use vitrine::tensor::Tensor;
use vitrine::trace::Kept;
use vitrine::ui::{Axes, Divided, Legend, Lines, Maps, Measured, Peak, Range, Scale, Style};
use vitrine::ui::{badge, install_fonts, install_heatmaps, scale};

/// A harness in the app's look.
fn harness<T>(style: &Style) -> HarnessBuilder<T> {
    let style = style.clone();
    Harness::builder().with_size([480.0, 420.0]).with_render_cursor(false).with_context_setup(move |ctx| {
        install_fonts(ctx);
        style.apply(ctx);
    })
}

fn words() -> Vec<String> {
    ["[CLS]", "the", "street", "##s", "because", "it", "was", "[SEP]"].map(str::to_owned).to_vec()
}

/// Rows that sum to one, each with its largest weight at the token before.
fn attention(heads: usize, tokens: usize) -> Tensor {
    Tensor::from_fn(&[heads, tokens, tokens], |at| {
        let peak = at[2] + 1 == at[1] || (at[1] == 0 && at[2] == 0);
        let rest = 0.3 / (tokens - 1) as f32;
        if peak { 0.7 } else { rest }
    })
}

fn maps(tensor: &Kept, tokens: usize) -> Maps<'_> {
    Maps { tensor, rows: tokens, cols: tokens, peak: None, range: Range::UNIT, scale: Scale::Sequential }
}

/// Values of every kind: small, large, negative, masked, not a number.
fn awkward(shape: &[usize]) -> Tensor {
    let mut seed = 3_u32;
    Tensor::from_fn(shape, |at| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = (seed >> 8) as f32 / 16_777_216.0;
        match at.iter().sum::<usize>() % 19 {
            0 => -1e30,
            7 => f32::NAN,
            _ => x * x * x - 0.1,
        }
    })
}

/// The tensors in buffers of the device that draws.
fn on_device<const N: usize>(state: &egui_wgpu::RenderState, tensors: [&Tensor; N]) -> [Kept; N] {
    let graph = Graph::new(&[], &[]);
    for (i, tensor) in tensors.iter().enumerate() {
        graph.input(tensor).keep(&i.to_string());
    }
    let mut gpu = Gpu::shared(&state.adapter, state.device.clone(), state.queue.clone());
    let mut trace = block_on(gpu.run(&graph.finish(), &Cancel::default())).expect("it runs");
    std::array::from_fn(|i| trace.tensors.remove(&i.to_string()).expect("kept"))
}

/// The picture of four maps in rectangles larger and smaller than their cells, from the host or from the GPU.
fn painted(on_gpu: bool, scale: Scale, range: Range, per_row: Option<bool>, dark: bool) -> Vec<u8> {
    const SHAPE: [usize; 3] = [3, 37, 41];
    let state = create_render_state(default_wgpu_setup(), egui_kittest_options());
    block_on(install_heatmaps(&state)).expect("the shader compiles");
    let (values, peaks) =
        (awkward(&SHAPE), Tensor::from_fn(&SHAPE[..2], |at| 0.5 + (at[1] % 7) as f32 * 0.1));
    let (values, peaks) = if on_gpu {
        let [values, peaks] = on_device(&state, [&values, &peaks]);
        (values, peaks)
    } else {
        (Kept::from(values), Kept::from(peaks))
    };
    let style = Style::new(dark, 1.0);
    let renderer = WgpuTestRenderer::from_render_state(state);
    let builder = harness::<()>(&style).with_pixels_per_point(1.5).renderer(renderer);
    let mut harness = builder.build_ui(move |ui| {
        ui.painter().rect_filled(ui.max_rect(), 0.0, style.surface);
        let peak = per_row.map(|per_row| Peak { tensor: &peaks, per_row });
        let maps = Maps { tensor: &values, rows: SHAPE[1], cols: SHAPE[2], peak, range, scale };
        let rect = |x, y, width, height| Rect::from_min_size(pos2(x, y), vec2(width, height));
        let cells = [
            (0, rect(5.0, 5.0, 120.0, 150.0)),
            (2, rect(130.3, 5.2, 20.0, 17.0)),
            (1, rect(180.0, 20.0, 14.0, 60.0)),
            (2, rect(440.0, 380.0, 90.0, 90.0)),
        ];
        maps.paint(ui, &style, &cells);
    });
    harness.run_steps(2);
    harness.render().expect("it renders").into_raw()
}

fn egui_kittest_options() -> egui_wgpu::RendererOptions {
    egui_wgpu::RendererOptions::PREDICTABLE
}

#[test]
fn both_heat_maps_paint_the_same_pixels() {
    for (scale, range, per_row, dark) in [
        (Scale::Sequential, Range::UNIT, None, true),
        (Scale::Sequential, Range::LOG, Some(true), false),
        (Scale::Diverging, Range::signed(0.5), None, false),
        (Scale::Diverging, Range::signed(0.5), Some(false), true),
        (Scale::Saliency, Range::UNIT, Some(true), true),
    ] {
        let [host, gpu] = [false, true].map(|on_gpu| painted(on_gpu, scale, range, per_row, dark));
        assert!(host.iter().collect::<std::collections::BTreeSet<_>>().len() > 60, "something is painted");
        // A driver may round a logarithm or a quotient to the neighbouring colour; here none does.
        let differ = host.chunks(4).zip(gpu.chunks(4)).filter(|(a, b)| a != b).count();
        assert!(
            differ * 1000 <= host.len() / 4,
            "{differ} pixels differ: {scale:?}, {range:?}, {per_row:?}, {dark}"
        );
    }
}

/// A map of `SIDE` x `SIDE` cells in 50 x 50 pixels, all zero but for `hot`: the pixels that show one.
fn lit(on_gpu: bool, hot: &[[usize; 2]]) -> Vec<[usize; 2]> {
    let state = create_render_state(default_wgpu_setup(), egui_kittest_options());
    block_on(install_heatmaps(&state)).expect("the shader compiles");
    let mut data = vec![0.0; SIDE * SIDE];
    for [row, col] in hot {
        data[row * SIDE + col] = 1.0;
    }
    let values = Tensor::new(&[1, SIDE, SIDE], data);
    let kept = if on_gpu { on_device(&state, [&values]) } else { [Kept::from(values)] };
    let style = Style::new(true, 1.0);
    let renderer = WgpuTestRenderer::from_render_state(state);
    let builder = harness::<()>(&style).with_pixels_per_point(1.0).renderer(renderer);
    let mut harness = builder.build_ui(move |ui| {
        maps(&kept[0], SIDE).paint(
            ui,
            &style,
            &[(0, Rect::from_min_size(pos2(20.0, 30.0), vec2(50.0, 50.0)))],
        );
    });
    harness.run_steps(2);
    let image = harness.render().expect("it renders");
    let pixel = |row: usize, col: usize| *image.get_pixel(20 + col as u32, 30 + row as u32);
    let all = || (0..50).flat_map(|row| (0..50).map(move |col| [row, col]));
    // No hot cell is under the second pixel of the last row.
    all().filter(|[row, col]| pixel(*row, *col) != pixel(49, 1)).collect()
}

const SIDE: usize = 4096;

/// A pixel covers up to 83 x 83 cells here, and shows each of them.
#[test]
fn no_peak_vanishes_in_a_map_of_many_more_cells_than_pixels() {
    let hot =
        [[0, 0], [1, 1], [83, 1000], [410, 2049], [2047, 411], [2049, 2049], [3001, 4094], [4095, 4095]];
    let covers =
        |pixel: usize, cell: usize| (pixel * SIDE / 50..((pixel + 1) * SIDE).div_ceil(50)).contains(&cell);
    let all = (0..50).flat_map(|row| (0..50).map(move |col| [row, col]));
    let want: Vec<_> =
        all.filter(|[row, col]| hot.iter().any(|[y, x]| covers(*row, *y) && covers(*col, *x))).collect();
    for on_gpu in [false, true] {
        assert_eq!(lit(on_gpu, &hot), want, "on the GPU: {on_gpu}");
    }
}

/// Axes of one head, and what the pointer did.
fn axes<'a>(tokens: Vec<String>, style: &Style) -> Harness<'a, (Focus, Rect)> {
    let (kept, style) = (Kept::from(attention(2, tokens.len())), style.clone());
    harness(&style).with_step_dt(1.0 / 60.0).wgpu().build_ui_state(
        move |ui, (focus, rect): &mut (Focus, Rect)| {
            let (maps, spot) = (maps(&kept, tokens.len()), focus.spot());
            let axes = Axes {
                maps,
                map: 1,
                queries: &tokens,
                keys: &tokens,
                spot,
                name: "layer 0, head 1",
                axes: ["query", "key"],
            };
            let hit = axes.show(ui, &style, 380.0);
            hit.link(focus, Spot { layer: Some(0), head: Some(1), ..Spot::default() });
            *rect = hit.response.rect;
            focus.turn();
        },
        (Focus::default(), Rect::NOTHING),
    )
}

/// Left and top of the map and the size of a cell, found by walking the pointer over it.
fn cell(harness: &mut Harness<'_, (Focus, Rect)>, query: usize, key: usize) -> Option<Pos2> {
    let rect = harness.state().1;
    for y in (rect.top() as i32..rect.bottom() as i32).step_by(6) {
        for x in (rect.left() as i32..rect.right() as i32).step_by(6) {
            let at = pos2(x as f32, y as f32);
            harness.hover_at(at);
            harness.step();
            let spot = harness.state().0.spot();
            if spot.query == Some(query) && spot.key == Some(key) {
                return Some(at);
            }
        }
    }
    None
}

#[test]
fn a_cell_previews_its_tokens_and_a_click_locks_them() {
    let mut harness = axes(words(), &Style::new(true, 1.0));
    harness.step();
    let at = cell(&mut harness, 5, 2).expect("the pointer finds the cell");
    assert_eq!(harness.state().0.spot().head, Some(1), "the head is part of the place");
    harness.drag_at(at);
    harness.step();
    harness.drop_at(at);
    harness.step();
    harness.hover_at(pos2(1.0, 1.0));
    harness.run_steps(2);
    let focus = &harness.state().0;
    assert_eq!(
        (focus.locked.query, focus.locked.key),
        (Some(5), Some(2)),
        "it stays locked when the pointer leaves"
    );
    let said = harness.get_by_label_contains("layer 0, head 1: 8 x 8, query by key");
    assert!(
        said.accesskit_node().label().is_some_and(|it| it.ends_with("; query it (5); key street (2)")),
        "in words"
    );
}

#[test]
fn a_tap_locks() {
    let mut harness = axes(words(), &Style::new(true, 1.0));
    harness.step();
    let pos = cell(&mut harness, 3, 6).expect("the pointer finds the cell");
    harness.event(egui::Event::PointerGone);
    harness.step();
    let press = |pressed| {
        let (button, modifiers) = (egui::PointerButton::Primary, egui::Modifiers::default());
        egui::Event::PointerButton { pos, button, pressed, modifiers }
    };
    harness.event(egui::Event::PointerMoved(pos));
    harness.event(press(true));
    harness.step();
    // A finger is gone in the frame in which it lifts.
    harness.event(press(false));
    harness.event(egui::Event::PointerGone);
    harness.run_steps(3);
    let locked = harness.state().0.locked;
    assert_eq!((locked.query, locked.key), (Some(3), Some(6)));
}

#[test]
fn a_large_map_fills_its_place_with_the_right_colours() {
    for dark in [true, false] {
        let mut harness = axes(words(), &Style::new(dark, 1.0));
        harness.run_steps(2);
        let image = harness.render().expect("it renders");
        let colour = |value| scale::colour(Scale::Sequential, dark, value).to_array();
        let (peak, rest) = (colour(0.7), colour(0.3 / 7.0));
        let mut right = std::collections::BTreeMap::<(usize, usize), usize>::new();
        for (at, cell) in cells(&mut harness) {
            let (query, key) = cell;
            let looks_back = key + 1 == query || cell == (0, 0);
            let (own, other) = if looks_back { (peak, rest) } else { (rest, peak) };
            let pixel = image.get_pixel(at.x as u32, at.y as u32).0;
            assert_ne!(pixel[..3], other[..3], "{cell:?} has the colour of another, dark {dark}");
            *right.entry(cell).or_default() += usize::from(pixel[..3] == own[..3]);
        }
        assert_eq!(right.len(), 64, "every cell is found");
        // A cell is some 40 pixels wide, so that a walk in steps of 6 meets it often; its edge may be another colour.
        assert!(right.values().all(|it| *it >= 9), "cells have their colour, dark {dark}: {right:?}");
    }
}

/// Places of the map in a grid of 6 points, and the cells that the pointer finds there.
fn cells(harness: &mut Harness<'_, (Focus, Rect)>) -> Vec<(Pos2, (usize, usize))> {
    let rect = harness.state().1;
    let mut found = vec![];
    for y in (rect.top() as i32..rect.bottom() as i32).step_by(6) {
        for x in (rect.left() as i32..rect.right() as i32).step_by(6) {
            let at = pos2(x as f32, y as f32);
            harness.hover_at(at);
            harness.step();
            let spot = harness.state().0.spot();
            found.extend(spot.query.zip(spot.key).map(|cell| (at, cell)));
        }
    }
    found
}

/// How far the map reaches along a line through its middle, in points.
fn reach(harness: &mut Harness<'_, (Focus, Rect)>, along: egui::Vec2) -> f32 {
    let rect = harness.state().1;
    let middle = rect.center();
    let inside = |t: &i32| {
        harness.hover_at(middle + *t as f32 * along);
        harness.step();
        let spot = harness.state().0.spot();
        spot.query.is_some() && spot.key.is_some()
    };
    (-300..300).filter(inside).count() as f32
}

#[test]
fn long_sentences_keep_square_cells_inside_their_place() {
    let tokens: Vec<String> = (0..128).map(|i| format!("token{i}")).collect();
    let mut harness = axes(tokens, &Style::new(false, 1.0));
    harness.run_steps(2);
    let (rect, screen) = (harness.state().1, Rect::from_min_size(Pos2::ZERO, vec2(480.0, 420.0)));
    assert!(screen.contains_rect(rect), "{rect:?}");
    assert!(rect.height() > 250.0, "it uses the height that it gets: {rect:?}");
    let (width, height) = (reach(&mut harness, vec2(1.0, 0.0)), reach(&mut harness, vec2(0.0, 1.0)));
    // Both were counted in whole points.
    assert!(width > 200.0 && (width - height).abs() <= 1.0, "128 cells are {width} wide and {height} high");
}

#[test]
fn a_map_zooms_where_the_pointer_is_and_a_double_click_shows_all_of_it() {
    let tokens: Vec<String> = (0..32).map(|i| format!("t{i}")).collect();
    let mut harness = axes(tokens, &Style::new(true, 1.0));
    harness.run_steps(2);
    let at = cell(&mut harness, 16, 16).expect("the pointer finds the cell");
    let under = |harness: &mut Harness<'_, (Focus, Rect)>, pos: Pos2| {
        harness.hover_at(pos);
        harness.run_steps(3);
        let spot = harness.state().0.spot();
        (spot.query, spot.key)
    };
    let aside = at + vec2(60.0, 0.0);
    let (_, whole) = under(&mut harness, aside);
    under(&mut harness, at);
    harness.event(egui::Event::Zoom(4.0));
    harness.run_steps(2);
    assert_eq!(under(&mut harness, at), (Some(16), Some(16)), "what the pointer is on stays there");
    let (_, near) = under(&mut harness, aside);
    assert!(near < whole && near > Some(16), "cells are larger: {near:?}, {whole:?} before");
    let scroll = egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(-40.0, 0.0),
        phase: egui::TouchPhase::Move,
        modifiers: egui::Modifiers::default(),
        source: egui::MouseWheelSource::Unknown,
    };
    harness.event(scroll);
    harness.run_steps(20);
    assert!(under(&mut harness, aside).1 > near, "the wheel moves it");
    for _ in 0..2 {
        for pressed in [true, false] {
            let (button, modifiers) = (egui::PointerButton::Primary, egui::Modifiers::default());
            harness.event(egui::Event::PointerButton { pos: aside, button, pressed, modifiers });
        }
    }
    harness.step();
    harness.run_steps(2);
    assert_eq!(under(&mut harness, aside).1, whole, "all of it again");
}

#[test]
fn lines_isolate_the_token_under_the_pointer() {
    let weights = attention(1, 8);
    let mut harness = harness(&Style::new(true, 1.0)).build_ui_state(
        move |ui, focus: &mut Focus| {
            let (tokens, weights, spot) = (words(), &*weights.data, focus.spot());
            let lines = Lines { queries: &tokens, keys: &tokens, weights, hue: 3, change: None, spot };
            lines.show(ui, &Style::new(true, 1.0)).link(focus, Spot::default());
            focus.turn();
        },
        Focus::default(),
    );
    let rect = harness.get_by_label_contains("lines from 8 queries").rect();
    let at = pos2(rect.left() + 60.0, rect.top() + rect.height() * 0.5);
    harness.hover_at(at);
    harness.run_steps(2);
    let spot = harness.state().spot();
    assert!(spot.query.is_some() && spot.key.is_none(), "the left half is the queries': {spot:?}");
    harness.hover_at(pos2(rect.right() - 60.0, at.y));
    harness.run_steps(2);
    let spot = harness.state().spot();
    assert!(spot.query.is_none() && spot.key.is_some(), "the right half is the keys': {spot:?}");
}

#[test]
fn what_is_drawn_is_also_said() {
    let harness = harness::<()>(&Style::new(false, 2.0)).build_ui(|ui| {
        let style = Style::new(false, 2.0);
        let legend = Legend {
            scale: Scale::Sequential,
            range: Range::LOG,
            divided: Divided::Row,
            caption: "attention weight",
        };
        legend.show(ui, &style);
        badge(ui, &style, &Measured { name: "rows sum to 1", value: Some(1.2e-7), tolerance: 1e-5 });
        vitrine::ui::formula(ui, &style, "attention", "A");
    });
    let said =
        "legend: attention weight, each row divided by its largest value from 1.0e-4 to 1.00, logarithmic";
    harness.get_by_label(said);
    harness.get_by_label_contains("rows sum to 1: 1.2e-7");
    harness.get_by_label("formula: A");
}

/// A card without a picture shows its formula as TeX; one with a picture must not show another formula.
#[test]
fn no_picture_shows_another_formula() {
    let formulas: std::collections::BTreeMap<String, String> =
        serde_json::from_str(include_str!("../assets/formulas/formulas.json")).expect("it is JSON");
    let entries = vitrine::exhibits::all();
    for (id, tex) in formulas {
        let card = entries.iter().map(|it| it.card).find(|it| it.id == id);
        assert_eq!(card.map(|it| it.formula), Some(&*tex), "the picture of {id} is old: `./run formulas`");
        let picture = format!("{}/assets/typeset/{id}.ink", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&picture).exists(), "{picture} is missing: `./run formulas`");
    }
}

#[test]
fn the_shader_is_valid_on_every_device() {
    let module = naga::front::wgsl::parse_str(include_str!("../src/ui/heatmap.wgsl")).expect("it parses");
    let (flags, capabilities) = (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    naga::valid::Validator::new(flags, capabilities).validate(&module).expect("it validates");
}
