//! The wall for a sentence: which characters made a small GPT expect what it expects next.

use egui::{Align2, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2};

use super::words::{Wall, over};
use super::{MethodWall, forget, keep_sanity};
use crate::exhibits::next_character::visible;
use crate::focus::Spot;
use crate::graph::{Graph, Var};
use crate::models::{Gpt, gpt};
use crate::nn::Params;
use crate::nn::loss::total;
use crate::page::{Page, Room, Scene, column, panel};
use crate::saliency::method::Method;
use crate::saliency::probe::Wanted;
use crate::saliency::relevance::{attention_gradient, relevance};
use crate::saliency::rollout::rollout;
use crate::tensor::Tensor;
use crate::ui::{Divided, Legend, Range, Scale, Style, Table, number, readable_on, scale::colour};

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
    let vocabulary = (0..model.config.vocabulary as u32).map(|id| model.tokenizer.token(id));
    g.label("classes", vocabulary.collect());
    let trained = Params::new(g, &model.weights);
    let layer = state.layer(model.config.layers);
    // What forgets is asked of the character that it knew: maps of different ones could not be compared.
    let (before, one_hot) = maps(g, model, &trained, ids, layer, None);
    let mut now = before.clone();
    if state.forgotten > 0 {
        let forgotten = state.untrained.parameters(g, &model.weights, &names, state.forgotten);
        let p = Params::recorded(g, &forgotten);
        now = g.scope("forgotten", || maps(g, model, &p, ids, layer, Some(one_hot)).0);
        keep_sanity(&now, &before);
    }
    state.keep(g, &METHODS, &now, &now);
    Some(())
}

/// The maps of all methods, `[character]`, what speaks against dropped, and the character that is explained: the likeliest
/// one if none is `held`.
fn maps<'g>(
    g: &'g Graph,
    model: &Gpt,
    p: &Params<'_, 'g>,
    ids: &[u32],
    layer: usize,
    held: Option<Var<'g>>,
) -> (Vec<Var<'g>>, Var<'g>) {
    let numbers: Vec<f32> = ids.iter().map(|id| *id as f32).collect();
    let n = ids.len();
    let logits = gpt::record(&model.config, g.input(&Tensor::new(&[n], numbers)), p).logits;
    let next = logits.slice(0, n - 1, 1).flat(); // [d_vocab]
    let one_hot = held.unwrap_or_else(|| Wanted::Likeliest.one_hot(next.keep("logits")));
    let z = total(next * one_hot);
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
    (METHODS.into_iter().map(|it| map(it).max_with(g.constant(0.0))).collect(), one_hot)
}

/// The panels.
pub(super) fn page(wall: &Wall<'_>) -> Option<Page> {
    let n = wall.trace.words("tokens").len();
    wall.trace.get("maps.0").filter(|it| it.shape == [n])?;
    let high = METHODS.len() as f32;
    let strips = Room::fill(260.0, 20.0 * high).at_most_high(37.0 * high + 60.0);
    let difference = format!("A − B for {}, {}", wall.class, wall.agreement());
    Some(column([
        panel("all methods", 0, strips).titled(wall.title()).noted(wall.note()).into(),
        panel("A minus B", 1, Room::fill(260.0, 40.0).at_most_high(90.0)).titled(difference).into(),
    ]))
}

/// One of them.
pub(super) fn draw(state: &mut MethodWall, panel: &str, ui: &mut Ui, scene: &mut Scene<'_>) {
    let (wall, mut words) = (Wall::new(state, scene.trace), String::new());
    let difference = panel == "A minus B";
    let maps = Legend {
        scale: Scale::Sequential,
        range: Range::UNIT,
        divided: Divided::Map,
        caption: "",
        missing: None,
    };
    let legend = if difference { wall.difference_legend(&mut words) } else { maps };
    let least = if difference { 9.0 } else { 30.0 };
    over(ui, scene.style, &legend, least, |ui| {
        let strips = Strips {
            tokens: wall.tokens(),
            rows: wall.rows(difference),
            scale: legend.scale,
            range: legend.range,
            wall: &wall,
        };
        // A sentence that is too long scrolls to the side, what is too high down.
        ScrollArea::vertical().id_salt("strips").auto_shrink(false).show(ui, |ui| {
            if let Some(i) = strips.show(ui, scene, &mut state.scrolled).filter(|_| !difference) {
                state.pick(wall.methods[i], wall.pair);
            }
        });
    });
}

/// One line of a panel.
struct Row {
    words: String,
    lit: bool,
    /// One a character, if they are at hand: of the largest value, or A minus B.
    values: Option<Vec<f32>>,
}

impl Wall<'_> {
    fn tokens(&self) -> Vec<String> {
        self.trace.words("tokens").iter().map(|it| visible(it)).collect()
    }

    fn values(&self, name: &str) -> Option<Vec<f32>> {
        Some(self.trace.get(name)?.window(0..self.trace.words("tokens").len())?.to_vec())
    }

    fn rows(&self, difference: bool) -> Vec<Row> {
        if difference {
            return vec![Row { words: "A − B".to_owned(), lit: false, values: self.values("difference") }];
        }
        let row = |(i, method): (usize, &Method)| {
            let values = self.values(&format!("maps.{i}")).map(|mut values| {
                let peak = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
                for it in &mut values {
                    *it /= peak;
                }
                values
            });
            let words = format!("{}  {}", self.name(*method), self.sanity(i)).trim_end().to_owned();
            Row { words, lit: self.lit(*method), values }
        };
        self.methods.iter().enumerate().map(row).collect()
    }

    /// A panel for papers.
    pub(super) fn strips(&self, difference: bool) -> Option<Table> {
        let rows = self.rows(difference);
        let values: Option<Vec<_>> = rows.iter().map(|it| it.values.clone()).collect();
        let words = rows.into_iter().map(|it| it.words).collect();
        let (range, scale) = if difference {
            (Range::signed(1.0), Scale::Diverging)
        } else {
            (Range::UNIT, Scale::Sequential)
        };
        Some(Table {
            x_label: "character".to_owned(),
            y_label: "method".to_owned(),
            x_tokens: self.tokens(),
            y_tokens: words,
            values: values?.concat(),
            range,
            scale,
        })
    }
}

/// One line a method, all under one cursor: characters on its colours.
struct Strips<'a> {
    tokens: Vec<String>,
    rows: Vec<Row>,
    scale: Scale,
    range: Range,
    wall: &'a Wall<'a>,
}

impl Strips<'_> {
    /// Draws them, scrolled to the side by `scrolled`; which name was clicked.
    fn show(&self, ui: &mut Ui, scene: &mut Scene<'_>, scrolled: &mut f32) -> Option<usize> {
        let (style, room) = (scene.style, ui.available_size());
        let name = (11.0 * style.caption).min(0.4 * room.x);
        let letter = ui.fonts_mut(|it| it.glyph_width(&style.mono(style.caption), '0')) + 1.0;
        let least = letter.max((room.x - name) / self.tokens.len() as f32);
        let high = (room.y / self.rows.len() as f32).clamp(1.5 * style.caption, style.grid(4.5));
        let cell = vec2(least.min(style.grid(3.0)), high.floor());
        let mut clicked = None;
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            clicked = self.names(ui, style, vec2(name, cell.y));
            let area = ScrollArea::horizontal()
                .id_salt("characters")
                .horizontal_scroll_offset(*scrolled)
                .show(ui, |ui| {
                    self.cells(ui, scene, cell);
                });
            *scrolled = area.state.clamped_offset().x;
        });
        clicked
    }

    /// What the lines are; which was clicked.
    fn names(&self, ui: &mut Ui, style: &Style, size: Vec2) -> Option<usize> {
        let mut clicked = None;
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (i, row) in self.rows.iter().enumerate() {
                let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                let pressed = self.rows.len() > 1;
                let role = if pressed { Role::Button } else { Role::Label };
                response.widget_info(|| WidgetInfo::labeled(role, true, &row.words));
                let ink =
                    if row.lit || response.hovered() && pressed { style.accent } else { style.secondary };
                let words = RichText::new(&row.words).font(style.regular(style.caption)).color(ink);
                let (cut, small) = (Some(egui::TextWrapMode::Truncate), egui::TextStyle::Small);
                let words = egui::WidgetText::from(words).into_galley(ui, cut, size.x, small);
                ui.painter().galley(rect.left_center() - vec2(0.0, words.size().y / 2.0), words, ink);
                if response.clicked() {
                    clicked = Some(i);
                }
            }
        });
        clicked
    }

    /// The characters on their colours, with the cursor of all tiles.
    fn cells(&self, ui: &mut Ui, scene: &mut Scene<'_>, cell: Vec2) {
        let (style, n) = (scene.style, self.tokens.len());
        let size = vec2(n as f32 * cell.x, self.rows.len() as f32 * cell.y);
        let (area, response) = ui.allocate_exact_size(size, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.wall.title()));
        let font = style.mono((0.6 * cell.y).min(style.body).min(1.5 * cell.x));
        let rect = |r: usize, i: usize| {
            Rect::from_min_size(area.min + vec2(i as f32 * cell.x, r as f32 * cell.y), cell)
                .with_max_y(area.top() + (r + 1) as f32 * cell.y - style.grid(0.25))
        };
        for (r, row) in self.rows.iter().enumerate() {
            for (i, token) in self.tokens.iter().enumerate() {
                let value = row.values.as_ref().map_or(f32::NAN, |it| it[i]);
                let fill = colour(self.scale, style.dark, self.range.place(value));
                ui.painter().rect_filled(rect(r, i), 0, fill);
                let ink = readable_on(fill);
                let at = rect(r, i).center();
                ui.painter().text(at, Align2::CENTER_CENTER, token, font.clone(), ink);
            }
        }
        let under = response.hover_pos().map(|it| (it - area.min) / cell);
        let under =
            under.map(|it| (it.y as usize, it.x as usize)).filter(|it| it.0 < self.rows.len() && it.1 < n);
        if let Some((r, i)) = under {
            scene.focus.hover(Spot { query: Some(i), ..Spot::default() });
            self.said(scene, r, i);
            let value = self.rows[r].values.as_ref().map_or_else(String::new, |it| number(it[i]));
            response.on_hover_text_at_pointer(format!("{}: {value}", self.rows[r].words));
        }
        if let Some(i) = scene.focus.spot().query.filter(|it| *it < n) {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            for r in 0..self.rows.len() {
                ui.painter().rect_stroke(rect(r, i), 0, stroke, StrokeKind::Inside);
            }
        }
    }

    /// What a line says of a character, in words.
    fn said(&self, scene: &mut Scene<'_>, r: usize, i: usize) {
        let token = format!("“{}” ({i}): ", self.tokens[i]);
        let compared = || self.wall.compared(|name| Some(self.wall.values(name)?[i])).map(|it| it.0);
        let words = match &self.rows[r].values {
            _ if self.scale == Scale::Diverging => compared(),
            values => values
                .as_ref()
                .map(|it| format!("{}, {} of its largest value", self.rows[r].words, number(it[i]))),
        };
        scene.focus.readout = token + &words.unwrap_or_default();
    }
}
