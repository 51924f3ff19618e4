//! The picture that all tiles look at, with a map over it and other pictures below.

use egui::{Rect, Ui};

use super::picture::Map;
use super::{Room, Scene};
use crate::data::Image;
use crate::focus::Focus;
use crate::ui::{Easel, Maps, Range, Scale, Table, number};

/// The picture that all tiles look at, with a map over it and other pictures below.
#[derive(Clone, Default)]
pub struct Seen {
    /// Width and height in which the model sees it.
    pub side: usize,
    /// Colours of a pixel.
    pub channels: usize,
    /// What lies over it.
    pub map: Option<Map>,
    /// How opaque that is, 0 to 1.
    pub opacity: f32,
    /// Whether the line of half the map's largest value is drawn.
    pub contour: bool,
    /// Whether the pointer draws (false) or erases (true); it looks if neither.
    pub brush: Option<bool>,
}

/// Pictures that are offered below.
const OFFERED: [Image; 6] = [
    Image::Collage(0),
    Image::Collage(1),
    Image::Collage(2),
    Image::Clothes(20),
    Image::Clothes(32),
    Image::Clothes(36),
];

impl Seen {
    /// The room that it needs.
    pub const ROOM: Room = Room::shaped(6.0 / 7.0, [140.0, 165.0], [0.0, 4.0]);

    /// The map's numbers, for papers.
    pub(super) fn table(&self) -> Option<Table> {
        self.map.as_ref()?.table()
    }

    /// Draws it as large as there is room, with `overlay` on it; where the picture is.
    pub fn draw(&self, ui: &mut Ui, scene: &mut Scene<'_>, overlay: Option<Maps<'_>>) -> Rect {
        let (room, gap) = (ui.available_size(), scene.style.grid(0.5));
        // Below are as many small ones as a side holds.
        let side = room.x.min((room.y - gap) / (1.0 + 1.0 / OFFERED.len() as f32));
        ui.spacing_mut().item_spacing.y = gap;
        let easel = Easel {
            side: self.side,
            channels: self.channels,
            overlay: overlay.map(|it| (it, self.opacity)),
            contour: self.contour,
            brush: self.brush,
            words: "the picture",
        };
        let response = easel.show(ui, scene.style, scene.focus, &mut scene.inputs.picture, side);
        let rect = response.rect;
        // A hand that draws needs no number in its way.
        let there = scene.focus.spot().at.filter(|_| self.brush.is_none()).zip(overlay);
        if let Some(x) = there.and_then(|(at, it)| Map::of(it.tensor, 0)?.at(at)) {
            response.on_hover_text_at_pointer(number(x));
        }
        self.others(ui, scene, side);
        rect
    }

    /// Other pictures to look at.
    fn others(&self, ui: &mut Ui, scene: &mut Scene<'_>, side: f32) {
        let gap = scene.style.grid(0.5);
        let each = (side + gap) / OFFERED.len() as f32 - gap;
        let (channels, words) = (self.channels, "look at");
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for picture in &OFFERED {
                let mut shown = picture.clone();
                let easel = Easel { side: 56, channels, overlay: None, contour: false, brush: None, words };
                // The cursor of the tiles is not for thumbnails.
                let response = easel.show(ui, scene.style, &mut Focus::default(), &mut shown, each);
                if response.on_hover_text(picture.name()).clicked() {
                    scene.inputs.picture = shown;
                }
            }
        });
    }
}

impl Map {
    /// Its numbers, for papers, in colours up to the largest of them: zero is in the middle where some are below it.
    pub fn table(&self) -> Option<Table> {
        let values = self.values()?.to_vec();
        let largest = values.iter().fold(1e-12f32, |most, it| most.max(it.abs()));
        let numbers = |n: usize| (0..n).map(|i| i.to_string()).collect();
        let signed = self.scale == Scale::Diverging || values.iter().any(|it| *it < 0.0);
        Some(Table {
            x_label: "column".to_owned(),
            y_label: "row".to_owned(),
            x_tokens: numbers(self.cols),
            y_tokens: numbers(self.rows),
            values,
            range: if signed { Range::signed(largest) } else { Range { min: 0.0, max: largest, log: false } },
            scale: if signed { Scale::Diverging } else { Scale::Sequential },
        })
    }
}
