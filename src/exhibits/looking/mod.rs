//! What every exhibit of images has: a model, the picture to draw on, and the class that is asked for.

use egui::{RichText, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};
use serde::{Deserialize, Serialize};

use super::{Card, Inputs, Scene};
use crate::data::Picture;
use crate::graph::Graph;
use crate::models::{Vision, Zoo};
use crate::page::{Knobs, Room};
use crate::saliency::probe::Wanted;
use crate::tensor::Tensor;
use crate::trace::{Kept, Trace};
use crate::ui::{Easel, Figure, Maps, Range, Scale, number};

/// A model, the class that is asked for, and what the pointer does on the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Looking {
    /// Id of the model.
    #[serde(skip_serializing_if = "is_usual")]
    pub model: String,
    /// The class; the likeliest if none is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// Whether the pointer draws (false) or erases (true); it looks if neither.
    #[serde(skip)]
    pub brush: Option<bool>,
    /// How opaque the map is that lies over the picture, in percent.
    #[serde(skip_serializing_if = "is_half")]
    pub opacity: u8,
    /// Whether the line of half the largest value is drawn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contour: bool,
}

const USUAL: &str = "collage-cnn";
const HALF: u8 = 70;

fn is_usual(model: &String) -> bool {
    model == USUAL
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_half(opacity: &u8) -> bool {
    *opacity == HALF
}

impl Default for Looking {
    fn default() -> Self {
        Self { model: USUAL.to_owned(), class: None, brush: None, opacity: HALF, contour: false }
    }
}

/// Pictures that are offered below the easel.
const OFFERED: [Picture; 6] = [
    Picture::Collage(0),
    Picture::Collage(1),
    Picture::Collage(2),
    Picture::Clothes(20),
    Picture::Clothes(32),
    Picture::Clothes(36),
];

impl Looking {
    /// The model and the picture as it takes it. `None` if one of them is not there.
    pub fn sees<'z>(&self, inputs: &Inputs, zoo: &'z Zoo) -> Option<(Vision<'z>, Tensor)> {
        let model = zoo.vision(&self.model)?;
        Some((model, model.image(&inputs.picture)?))
    }

    /// Why there is nothing to see though the model is there.
    pub fn refusal(inputs: &Inputs) -> String {
        match &inputs.picture {
            Picture::Photo { name, photo: None } => {
                format!(
                    "The photograph {name} is not part of this link. Drop it here, or choose another picture."
                )
            }
            _ => "This exhibit shows models that look at images. Choose one below.".to_owned(),
        }
    }

    /// The class that is asked for. One that the model lacks, since a link may have been made with another, is none.
    pub fn wanted(&self, model: Vision<'_>) -> Wanted {
        let there = self.class.filter(|it| *it < model.classes().len());
        there.map_or(Wanted::Likeliest, Wanted::Class)
    }

    /// Labels what the column needs besides the logits.
    pub fn label(g: &Graph, model: Vision<'_>) {
        g.label("classes", model.classes().to_vec());
        g.label("layers", model.layers().iter().map(crate::models::Layer::name).collect());
        g.label("image", vec![model.side().to_string(), model.channels().to_string()]);
    }

    /// The room that the picture needs, with other pictures below.
    pub const ROOM: Room = Room::shaped(6.0 / 7.0, [140.0, 165.0], [0.0, 4.0]);

    /// The picture with a map over it, and other pictures below, as large as there is room.
    pub fn show(&self, ui: &mut egui::Ui, scene: &mut Scene<'_>, overlay: Option<Maps<'_>>) {
        let (room, gap) = (ui.available_size(), scene.style.grid(0.5));
        // Below are as many small ones as a side holds.
        let side = room.x.min((room.y - gap) / (1.0 + 1.0 / OFFERED.len() as f32));
        ui.spacing_mut().item_spacing.y = gap;
        let image = scene.trace.words("image");
        let size = |i: usize, usual| image.get(i).and_then(|it| it.parse().ok()).unwrap_or(usual);
        let (pixels, channels) = (size(0, 56), size(1, 1));
        let easel = Easel {
            side: pixels,
            channels,
            overlay: overlay.map(|it| (it, f32::from(self.opacity) / 100.0)),
            contour: self.contour,
            brush: self.brush,
            words: "the picture",
        };
        let response = easel.show(ui, scene.style, scene.focus, &mut scene.inputs.picture, side);
        // A hand that draws needs no number in its way.
        let there = scene.focus.spot().at.filter(|_| self.brush.is_none());
        if let Some((x, ..)) = there.zip(overlay).and_then(|(at, it)| entry(it.tensor, at)) {
            response.on_hover_text_at_pointer(number(x));
        }
        pictures(ui, scene, side, channels);
    }

    /// All classes with their logits, the likeliest first; a click asks for one. What is longer than the room scrolls.
    pub fn classes(&mut self, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
        let names = scene.trace.words("classes");
        let logits = scene.trace.get("logits").and_then(|it| it.window(0..names.len()));
        let Some(logits) = logits else { return };
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let likeliest = order.first().copied();
        let asked = self.class.filter(|it| *it < names.len()).or(likeliest);
        let largest = logits.iter().fold(1e-6f32, |most, it| most.max(it.abs()));
        ui.spacing_mut().item_spacing.y = scene.style.grid(0.25);
        let row = 1.5 * scene.style.caption;
        egui::ScrollArea::vertical().id_salt("classes").auto_shrink(false).show_rows(
            ui,
            row,
            order.len(),
            |ui, shown| {
                let width = ui.available_width();
                for i in order[shown].iter().copied() {
                    let bar = Bar { name: &names[i], logit: logits[i], largest, lit: asked == Some(i) };
                    if bar.show(ui, scene, width) {
                        self.class = (Some(i) != likeliest).then_some(i);
                    }
                }
            },
        );
    }

    /// The class that is asked for, by name.
    pub fn asked<'a>(&self, trace: &'a Trace) -> &'a str {
        let names = trace.words("classes");
        let likeliest = || {
            let logits = trace.get("logits")?.window(0..names.len())?;
            (0..names.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
        };
        let asked = self.class.filter(|it| *it < names.len()).or_else(likeliest);
        asked.map_or("", |it| &*names[it])
    }

    /// The evidence for all classes, for papers.
    pub fn evidence(card: &Card, trace: &Trace) -> Option<Figure> {
        let names = trace.words("classes");
        let logits = trace.get("logits")?.window(0..names.len())?;
        let largest = logits.iter().fold(1e-6f32, |most, it| most.max(it.abs()));
        Some(Figure {
            title: format!("{}: evidence (logits)", card.title),
            caption: format!("{}, arXiv {} ({}).", card.paper, card.reference, card.year),
            x_label: "logit".to_owned(),
            y_label: "class".to_owned(),
            x_tokens: vec!["logit".to_owned()],
            y_tokens: names.to_vec(),
            values: logits.to_vec(),
            range: Range::signed(largest),
            scale: Scale::Diverging,
            dark: false,
            link: String::new(),
        })
    }

    /// What the pointer does, and which picture is looked at.
    pub fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let brushes = [(None, "look"), (Some(false), "draw"), (Some(true), "erase")];
        k.choice("the pointer", &mut self.brush, &brushes);
        if k.button("Blank", "An empty picture to draw on.", true) {
            let side = zoo_side(k.scene, &self.model);
            k.scene.inputs.picture = Picture::Drawn(vec![0; side * side].into());
            self.brush = Some(false);
        }
        if k.button("Another collage", "Four pieces of clothing, drawn anew.", true) {
            let next = if let Picture::Collage(i) = k.scene.inputs.picture { i.wrapping_add(1) } else { 0 };
            k.scene.inputs.picture = Picture::Collage(next);
        }
        if k.button("Open a file", "A photograph, or the files of a model; or drop them.", true) {
            *k.scene.pick = true;
        }
    }

    /// How the map lies over the picture.
    pub fn overlay_knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.slide("map over the picture", &mut self.opacity, 0..=100, |it| it.suffix(" %"));
        k.switch("line of half the largest value", &mut self.contour);
    }
}

/// Other pictures to look at.
fn pictures(ui: &mut egui::Ui, scene: &mut Scene<'_>, side: f32, channels: usize) {
    let gap = scene.style.grid(0.5);
    let each = (side + gap) / OFFERED.len() as f32 - gap;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        for picture in &OFFERED {
            let mut shown = picture.clone();
            let easel =
                Easel { side: 56, channels, overlay: None, contour: false, brush: None, words: "look at" };
            // The cursor of the tiles is not for thumbnails.
            let mut aside = crate::focus::Focus::default();
            let response = easel.show(ui, scene.style, &mut aside, &mut shown, each);
            if response.on_hover_text(picture.name()).clicked() {
                scene.inputs.picture = shown;
            }
        }
    });
}

fn zoo_side(scene: &Scene<'_>, model: &str) -> usize {
    scene.zoo.vision(model).map_or(56, |it| it.side().min(64))
}

/// A class with its logit.
struct Bar<'a> {
    name: &'a str,
    logit: f32,
    largest: f32,
    lit: bool,
}

impl Bar<'_> {
    /// Draws the bar; whether it was clicked.
    fn show(&self, ui: &mut egui::Ui, scene: &mut Scene<'_>, width: f32) -> bool {
        let style = scene.style;
        let (rect, response) = ui.allocate_exact_size(vec2(width, style.caption * 1.5), Sense::click());
        if !ui.is_rect_visible(rect) {
            return false;
        }
        let words = format!("{}: evidence (logit) {}", self.name, number(self.logit));
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, words.as_str()));
        let colour = if self.lit { style.accent } else { style.secondary };
        let name = RichText::new(self.name).font(style.regular(style.caption)).color(colour);
        let name = egui::WidgetText::from(name).into_galley(
            ui,
            Some(egui::TextWrapMode::Truncate),
            0.45 * width,
            egui::TextStyle::Small,
        );
        ui.painter().galley(pos2(rect.left(), rect.center().y - name.size().y / 2.0), name, colour);
        let (zero, unit) = (rect.left() + 0.6 * width, 0.21 * width / self.largest);
        let end = zero + (unit * self.logit).clamp(-0.13 * width, 0.21 * width);
        let bar = egui::Rect::from_x_y_ranges(
            zero.min(end)..=zero.max(end),
            rect.y_range().shrink(0.2 * rect.height()),
        );
        ui.painter().rect_filled(bar, 1.0, if self.lit { style.accent } else { style.hairline });
        let at = pos2(rect.right(), rect.center().y);
        ui.painter().text(
            at,
            egui::Align2::RIGHT_CENTER,
            number(self.logit),
            style.regular(style.caption),
            colour,
        );
        if response.hovered() {
            ui.painter().rect_stroke(rect, 2.0, style.hair(), StrokeKind::Outside);
            scene.focus.readout = format!("{words}. A click asks what speaks for it.");
        }
        if response.has_focus() {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            ui.painter().rect_stroke(rect, 2.0, stroke, StrokeKind::Inside);
        }
        response.clicked()
    }
}

/// A map `[row, col]` as a figure for papers; `signed` where zero is in the middle of the scale.
pub(super) fn figure(card: &Card, words: &str, kept: &Kept, signed: bool) -> Option<Figure> {
    let [rows, cols] = kept.shape[..] else { return None };
    let values = kept.window(0..rows * cols)?.to_vec();
    let largest = values.iter().fold(1e-12f32, |most, it| most.max(it.abs()));
    let numbers = |n: usize| (0..n).map(|i| i.to_string()).collect();
    Some(Figure {
        title: format!("{}: {words}", card.title),
        caption: format!("{}, arXiv {} ({}).", card.paper, card.reference, card.year),
        x_label: "column".to_owned(),
        y_label: "row".to_owned(),
        x_tokens: numbers(cols),
        y_tokens: numbers(rows),
        values,
        range: if signed { Range::signed(largest) } else { Range { min: 0.0, max: largest, log: false } },
        scale: if signed { Scale::Diverging } else { Scale::Sequential },
        dark: false,
        link: String::new(),
    })
}

/// The value of a map `[row, col]` of a trace at a place, and the row and column.
pub(super) fn value(trace: &Trace, name: &str, at: [u16; 2]) -> Option<(f32, usize, usize)> {
    entry(trace.get(name)?, at)
}

fn entry(kept: &Kept, at: [u16; 2]) -> Option<(f32, usize, usize)> {
    let [h, w] = kept.shape[..] else { return None };
    let [row, col] = [(at[0], h), (at[1], w)].map(|(it, n)| usize::from(it) * n / 1000);
    Some((kept.window(0..h * w)?[row * w + col], row, col))
}
