//! What every exhibit of images has: a model, the picture to draw on, and the class that is asked for.

use serde::{Deserialize, Serialize};

use super::{Inputs, Scene};
use crate::data::Image;
use crate::graph::Graph;
use crate::models::{Vision, Zoo};
use crate::page::{Knobs, Map, Picture, Room, Seen};
use crate::saliency::probe::Wanted;
use crate::tensor::Tensor;
use crate::trace::Trace;
use crate::ui::{Bar, Bars, Maps, Table};

/// A model, the class that is asked for, and what the pointer does on the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Looking {
    /// Id of the model.
    pub model: String,
    /// The class; the likeliest if none is asked for.
    pub class: Option<usize>,
    /// Whether the pointer draws (false) or erases (true); it looks if neither.
    #[serde(skip)]
    pub brush: Option<bool>,
    /// How opaque the map is that lies over the picture, in percent.
    pub opacity: u8,
    /// Whether the line of half the largest value is drawn.
    pub contour: bool,
}

const USUAL: &str = "collage-cnn";
const HALF: u8 = 70;

impl Default for Looking {
    fn default() -> Self {
        Self { model: USUAL.to_owned(), class: None, brush: None, opacity: HALF, contour: false }
    }
}

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
    pub const ROOM: Room = Seen::ROOM;

    /// The picture, as the model of a trace takes it, with a map over it.
    pub fn seen(&self, trace: &Trace, map: Option<Map>) -> Seen {
        let image = trace.words("image");
        let size = |i: usize, usual| image.get(i).and_then(|it| it.parse().ok()).unwrap_or(usual);
        let (side, channels, opacity) = (size(0, 56), size(1, 1), f32::from(self.opacity) / 100.0);
        Seen { side, channels, map, opacity, contour: self.contour, brush: self.brush }
    }

    /// Draws the picture with a map over it, for an exhibit that draws more there; where it is.
    pub fn show(&self, ui: &mut egui::Ui, scene: &mut Scene<'_>, overlay: Option<Maps<'_>>) -> egui::Rect {
        self.seen(scene.trace, None).draw(ui, scene, overlay)
    }

    /// All classes with their logits, the likeliest first; a click asks for one, see [`Self::ask`].
    pub fn classes(&self, trace: &Trace) -> Option<Picture> {
        let (names, order) = (trace.words("classes"), order(trace)?);
        let logits = trace.get("logits")?.window(0..names.len())?;
        let asked = self.class.filter(|it| *it < names.len()).or(order.first().copied());
        let bar = |i: &usize| {
            let (name, value, lit) = (names[*i].clone(), logits[*i], asked == Some(*i));
            Bar { name, value, lit, ..Bar::default() }
        };
        Some(Picture::Bars(Bars {
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
            let side = k.scene.zoo.vision(&self.model).map_or(56, |it| it.side().min(64));
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

/// The classes, the likeliest first.
fn order(trace: &Trace) -> Option<Vec<usize>> {
    let n = trace.words("classes").len();
    let logits = trace.get("logits")?.window(0..n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    Some(order)
}

/// A map `[row, col]` for papers, see [`Map::table`].
pub(super) fn table(map: &Map) -> Option<Table> {
    map.table()
}
