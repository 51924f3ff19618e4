//! What every exhibit of images has: a model, the picture to draw on, and the class that is asked for.

use serde::{Deserialize, Serialize};

use super::{Inputs, Scene};
use crate::data::Image;
use crate::graph::Graph;
use crate::models::{Vision, Zoo};
use crate::page::{self, Knobs, Map, Room};
use crate::saliency::probe::Wanted;
use crate::tensor::Tensor;
use crate::trace::{Kept, Trace};
use crate::ui::{Bar, Bars, Easel, Maps, Range, Scale, Table, number};

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
const OFFERED: [Image; 6] = [
    Image::Collage(0),
    Image::Collage(1),
    Image::Collage(2),
    Image::Clothes(20),
    Image::Clothes(32),
    Image::Clothes(36),
];

impl Looking {
    /// The model and the picture as it takes it. `None` if one of them is not there.
    pub fn sees<'z>(&self, inputs: &Inputs, zoo: &'z Zoo) -> Option<(&'z dyn Vision, Tensor)> {
        let model = zoo.vision(&self.model)?;
        Some((model, model.image(&inputs.picture)?))
    }

    /// Why there is nothing to see though the model is there.
    pub fn refusal(inputs: &Inputs) -> String {
        match &inputs.picture {
            Image::Photo { name, photo: None } => {
                format!(
                    "The photograph {name} is not part of this link. Drop it here, or choose another picture."
                )
            }
            _ => "This exhibit shows models that look at images. Choose one below.".to_owned(),
        }
    }

    /// The class that is asked for. One that the model lacks, since a link may have been made with another, is none.
    pub fn wanted(&self, model: &dyn Vision) -> Wanted {
        let there = self.class.filter(|it| *it < model.classes().len());
        there.map_or(Wanted::Likeliest, Wanted::Class)
    }

    /// Labels what the column needs besides the logits.
    pub fn label(g: &Graph, model: &dyn Vision) {
        g.label("classes", model.classes().to_vec());
        g.label("layers", model.layers().iter().map(crate::models::Layer::name).collect());
        g.label("image", vec![model.side().to_string(), model.channels().to_string()]);
    }

    /// The room that the picture needs, with other pictures below.
    pub const ROOM: Room = Room::shaped(6.0 / 7.0, [140.0, 165.0], [0.0, 4.0]);

    /// The picture with a map over it, and other pictures below, as large as there is room; where the picture is.
    pub fn show(&self, ui: &mut egui::Ui, scene: &mut Scene<'_>, overlay: Option<Maps<'_>>) -> egui::Rect {
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
        let rect = response.rect;
        // A hand that draws needs no number in its way.
        let there = scene.focus.spot().at.filter(|_| self.brush.is_none());
        if let Some((x, ..)) = there.zip(overlay).and_then(|(at, it)| entry(it.tensor, at)) {
            response.on_hover_text_at_pointer(number(x));
        }
        pictures(ui, scene, side, channels);
        rect
    }

    /// All classes with their logits, the likeliest first; a click asks for one, see [`Self::ask`].
    pub fn classes(&self, trace: &Trace) -> Option<page::Picture> {
        let (names, order) = (trace.words("classes"), order(trace)?);
        let logits = trace.get("logits")?.window(0..names.len())?;
        let asked = self.class.filter(|it| *it < names.len()).or(order.first().copied());
        let bar = |i: &usize| Bar {
            name: names[*i].clone(),
            value: logits[*i],
            before: None,
            lit: asked == Some(*i),
        };
        Some(page::Picture::Bars(Bars {
            label: "evidence (logit)".to_owned(),
            names: "class".to_owned(),
            bars: order.iter().map(bar).collect(),
            click: "A click asks what speaks for it.".to_owned(),
        }))
    }

    /// Asks for the class of bar `i`.
    pub fn ask(&mut self, i: usize, trace: &Trace) {
        self.class = order(trace).and_then(|it| it.get(i).copied()).filter(|_| i > 0);
    }

    /// The class that is asked for, by name.
    pub fn asked<'a>(&self, trace: &'a Trace) -> &'a str {
        let names = trace.words("classes");
        let likeliest = || order(trace)?.first().copied();
        let asked = self.class.filter(|it| *it < names.len()).or_else(likeliest);
        asked.map_or("", |it| &*names[it])
    }

    /// What the pointer does, and which picture is looked at.
    pub fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let brushes = [(None, "look"), (Some(false), "draw"), (Some(true), "erase")];
        k.choice("the pointer", &mut self.brush, &brushes);
        if k.button("Blank", "An empty picture to draw on.", true) {
            let side = zoo_side(k.scene, &self.model);
            k.scene.inputs.picture = Image::Drawn(vec![0; side * side].into());
            self.brush = Some(false);
        }
        if k.button("Another collage", "Four pieces of clothing, drawn anew.", true) {
            let next = if let Image::Collage(i) = k.scene.inputs.picture { i.wrapping_add(1) } else { 0 };
            k.scene.inputs.picture = Image::Collage(next);
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

/// The classes, the likeliest first.
fn order(trace: &Trace) -> Option<Vec<usize>> {
    let n = trace.words("classes").len();
    let logits = trace.get("logits")?.window(0..n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    Some(order)
}

/// A map `[row, col]` for papers; `signed` where zero is in the middle of the scale.
pub(super) fn table(map: &Map) -> Option<Table> {
    let values = map.values()?.to_vec();
    let largest = values.iter().fold(1e-12f32, |most, it| most.max(it.abs()));
    let numbers = |n: usize| (0..n).map(|i| i.to_string()).collect();
    let signed = map.scale == Scale::Diverging;
    Some(Table {
        x_label: "column".to_owned(),
        y_label: "row".to_owned(),
        x_tokens: numbers(map.cols),
        y_tokens: numbers(map.rows),
        values,
        range: if signed { Range::signed(largest) } else { Range { min: 0.0, max: largest, log: false } },
        scale: if signed { Scale::Diverging } else { Scale::Sequential },
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
