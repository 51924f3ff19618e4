//! The wall for a sentence: which characters made a small GPT expect what it expects next.

use egui::{Align2, Rect, RichText, Role, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};

use super::picture::{methods, pick, read, verdict};
use super::{MethodWall, forget};
use crate::exhibits::next_character::visible;
use crate::exhibits::{Scene, largest};
use crate::focus::Spot;
use crate::graph::{Graph, Var};
use crate::models::{Gpt, gpt};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::saliency::combine::normalised;
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::Method;
use crate::saliency::probe::Wanted;
use crate::saliency::relevance::{attention_gradient, relevance};
use crate::saliency::rollout::rollout;
use crate::tensor::Tensor;
use crate::ui::{Range, Scale, number, readable_on, scale::colour};

/// The model that reads.
pub(super) const MODEL: &str = "shakespeare-gpt";

/// Of a long text the end is read: so many characters.
const LONGEST: usize = 64;

/// Methods that a sentence has: those that need no picture.
const METHODS: [Method; 10] = [
    Method::NormGrad,
    Method::Selective,
    Method::GradCam,
    Method::Linear,
    Method::LayerGradient,
    Method::Gradient,
    Method::GradientInput,
    Method::Rollout,
    Method::AttentionGradient,
    Method::Relevance,
];

/// Records the maps `[character]` of what speaks for the likeliest next character. `None`: there is nothing to read.
pub(super) fn record(state: &MethodWall, g: &Graph, model: &Gpt, text: &str) -> Option<()> {
    let from = text.chars().count().saturating_sub(LONGEST);
    let end: String = text.chars().skip(from).collect();
    let ids = &model.tokenizer.encode(&end).ids;
    if ids.len() < 2 {
        return None;
    }
    g.label("tokens", ids.iter().map(|id| model.tokenizer.token(*id)).collect());
    g.label("layers", (0..model.config.layers).map(|l| format!("block {l}")).collect());
    let names: Vec<String> = model.config.parameters().map(|(name, _)| name).collect();
    g.label("forget", forget::groups(&names));
    g.label("methods", METHODS.iter().map(|it| it.name().to_owned()).collect());
    let vocabulary = (0..model.config.vocabulary as u32).map(|id| model.tokenizer.token(id));
    g.label("classes", vocabulary.collect());
    let trained = Params::new(g, &model.weights);
    let layer = state.layer(model.config.layers);
    let forgotten =
        (state.forgotten > 0).then(|| state.untrained.parameters(g, &model.weights, &names, state.forgotten));
    let p = forgotten.as_ref().map_or_else(|| Params::new(g, &model.weights), |it| Params::recorded(g, it));
    let maps = maps(g, model, &p, ids, layer);
    for (i, map) in maps.iter().enumerate() {
        largest(map.keep(&format!("maps.{i}"))).keep(&format!("maps.{i}.peak"));
    }
    if forgotten.is_some() {
        let before = g.scope("trained", || self::maps(g, model, &trained, ids, layer));
        for (i, (now, before)) in maps.iter().zip(before).enumerate() {
            rank_correlation(*now, before).keep(&format!("sanity.{i}"));
        }
    }
    let of = |wanted: Method| METHODS.iter().position(|it| *it == wanted).map(|i| maps[i]);
    if let (Some(a), Some(b)) = (of(state.pair.a), of(state.pair.b)) {
        (normalised(a) - normalised(b)).keep("difference");
        rank_correlation(a, b).keep("agreement");
    }
    Some(())
}

/// The maps of all methods, `[character]`, what speaks against dropped.
fn maps<'g>(g: &'g Graph, model: &Gpt, p: &Params<'_, 'g>, ids: &[u32], layer: usize) -> Vec<Var<'g>> {
    let numbers: Vec<f32> = ids.iter().map(|id| *id as f32).collect();
    let n = ids.len();
    let logits = gpt::record(&model.config, g.input(&Tensor::new(&[n], numbers)), p).logits;
    let next = logits.slice(0, n - 1, 1).flat().keep("logits"); // [d_vocab]
    let z = total(next * Wanted::Likeliest.one_hot(next));
    let at = |tap: &str| g.at(tap).unwrap_or_else(|| panic!("the model taps {tap}"));
    let mut vars = vec![at("embed"), at(&format!("blocks.{layer}.resid_pre"))];
    vars.extend((0..model.config.layers).map(|l| at(&format!("blocks.{l}.attn.pattern"))));
    let gradients = g.grad(z, &vars);
    let patterns: Vec<_> = vars.iter().copied().zip(gradients.iter().copied()).skip(2).collect();
    let last = |rows: Var<'g>| rows.slice(0, n - 1, 1).flat(); // what the last character looked at
    // A sentence is a picture of one row.
    let row = |it: Var<'g>| it.reshape(&[1, n, it.dim(-1)]);
    let place = |method: Method, i: usize| method.at(row(vars[i]), row(gradients[i])).flat();
    let map = |method: Method| match method {
        Method::Rollout => {
            last(rollout(&patterns.iter().map(|it| it.0).collect::<Vec<_>>())[patterns.len() - 1])
        }
        Method::AttentionGradient => last(attention_gradient(patterns[layer].0, patterns[layer].1)),
        Method::Relevance => last(relevance(&patterns)[patterns.len() - 1]),
        Method::Gradient => place(Method::LayerGradient, 0),
        Method::GradientInput => place(Method::Linear, 0).abs(),
        _ => place(method, 1),
    };
    METHODS.into_iter().map(|it| map(it).max_with(g.constant(0.0))).collect()
}

/// One strip a method, all under one cursor, and below them A minus B.
pub(super) fn view(state: &mut MethodWall, ui: &mut egui::Ui, scene: &mut Scene<'_>) -> Option<()> {
    let (trace, style) = (scene.trace, scene.style);
    let methods = methods(trace);
    let tokens: Vec<String> = trace.words("tokens").iter().map(|it| visible(it)).collect();
    trace.get("maps.0").filter(|it| it.shape == [tokens.len()])?;
    let size = ui.available_size();
    if let Some(words) = expected(scene) {
        ui.label(RichText::new(words).font(style.semibold(style.body)).color(style.text));
    }
    let name = (11.0 * style.caption).min(0.3 * size.x);
    let wide = ((size.x - name) / tokens.len() as f32).min(style.grid(3.0));
    let high = (size.y / (methods.len() as f32 + 4.5)).clamp(1.6 * style.caption, style.grid(4.5));
    let cell = vec2(wide, high);
    ui.spacing_mut().item_spacing.y = style.grid(0.4);
    for (i, method) in methods.iter().enumerate() {
        let letter = if *method == state.pair.a {
            "A  "
        } else if *method == state.pair.b {
            "B  "
        } else {
            ""
        };
        let sanity = read(trace, &format!("sanity.{i}")).map_or_else(String::new, |it| format!("  {it:.2}"));
        let caption = format!("{letter}{}{sanity}", method.name());
        let peak = read(trace, &format!("maps.{i}.peak")).unwrap_or(1.0).max(f32::MIN_POSITIVE);
        let strip = Strip {
            name: &format!("maps.{i}"),
            caption: &caption,
            peak,
            scale: Scale::Sequential,
            lit: !letter.is_empty(),
        };
        if strip.show(ui, scene, &tokens, name, cell) {
            pick(state, *method);
        }
    }
    let rho = read(trace, "agreement").map_or_else(String::new, |it| format!("  {it:.2}"));
    let caption = format!("A − B{rho}");
    let strip =
        Strip { name: "difference", caption: &caption, peak: 1.0, scale: Scale::Diverging, lit: false };
    strip.show(ui, scene, &tokens, name, cell);
    if let Some((words, bad)) = verdict(state, trace, &methods) {
        let words = RichText::new(words).font(style.semibold(style.body));
        ui.add(egui::Label::new(words.color(if bad { style.bad } else { style.good })).wrap());
    }
    Some(())
}

/// What the model expects next, in words.
fn expected(scene: &Scene<'_>) -> Option<String> {
    let names = scene.trace.words("classes");
    let logits = scene.trace.get("logits")?.window(0..names.len())?;
    let best = (0..names.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]))?;
    Some(format!("What made the model expect “{}” next?", visible(&names[best])))
}

/// One method's map as characters on its colours.
struct Strip<'a> {
    name: &'a str,
    caption: &'a str,
    /// What values are divided by.
    peak: f32,
    scale: Scale,
    lit: bool,
}

impl Strip<'_> {
    /// Draws it; whether its name was clicked.
    fn show(
        &self,
        ui: &mut egui::Ui,
        scene: &mut Scene<'_>,
        tokens: &[String],
        name: f32,
        cell: egui::Vec2,
    ) -> bool {
        let style = scene.style;
        let size = vec2(name + tokens.len() as f32 * cell.x, cell.y);
        let (area, response) = ui.allocate_exact_size(size, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, self.caption));
        let values = scene.trace.get(self.name).and_then(|it| it.window(0..tokens.len()));
        let font = style.mono((0.6 * cell.y).min(style.body).min(1.5 * cell.x));
        let range = if self.scale == Scale::Diverging { Range::signed(1.0) } else { Range::UNIT };
        let rect =
            |i: usize| Rect::from_min_size(pos2(area.left() + name + i as f32 * cell.x, area.top()), cell);
        for (i, token) in tokens.iter().enumerate() {
            let value = values.as_ref().map_or(0.0, |it| it[i] / self.peak);
            let fill = colour(self.scale, style.dark, range.place(value));
            ui.painter().rect_filled(rect(i), 0, fill);
            ui.painter().text(
                rect(i).center(),
                Align2::CENTER_CENTER,
                token,
                font.clone(),
                readable_on(fill),
            );
        }
        let ink = if self.lit { style.accent } else { style.secondary };
        let at = pos2(area.left(), area.center().y);
        ui.painter().text(at, Align2::LEFT_CENTER, self.caption, style.regular(style.caption), ink);
        let under =
            response.hover_pos().map(|it| (it.x - area.left() - name) / cell.x).filter(|it| *it >= 0.0);
        if let Some(i) = under.map(|it| it as usize).filter(|it| *it < tokens.len()) {
            scene.focus.hover(Spot { query: Some(i), ..Spot::default() });
            let value = values.as_ref().map_or(0.0, |it| it[i] / self.peak);
            scene.focus.readout = format!(
                "“{}” ({i}): {}, {} of its largest value",
                tokens[i],
                self.caption.trim(),
                number(value)
            );
        }
        if let Some(i) = scene.focus.spot().query.filter(|it| *it < tokens.len()) {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            ui.painter().rect_stroke(rect(i), 0, stroke, StrokeKind::Inside);
        }
        response.clicked() && under.is_none()
    }
}
