//! A bitmap whose text egui draws: plotters has no fonts in a browser.

use std::cell::RefCell;
use std::rc::Rc;

use egui::epaint::text::{FontFamily, FontId, Galley};
use egui::{Color32, ColorImage};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};
use plotters_backend::{FontStyle, FontTransform};

/// A bitmap that collects its texts.
pub(super) struct Canvas<'a> {
    bitmap: BitMapBackend<'a>,
    texts: Texts,
}

/// Texts that are still to be drawn.
#[derive(Clone, Default)]
pub(super) struct Texts(Rc<RefCell<Vec<Text>>>);

struct Text {
    letters: String,
    /// Pixels of an em.
    size: f32,
    family: FontFamily,
    /// Where the anchor is, in pixels.
    at: BackendCoord,
    /// How much of the text's size lies left of and above the anchor.
    anchor: [f32; 2],
    /// Whether it runs upwards.
    upright: bool,
    colour: (u8, u8, u8),
}

impl<'a> Canvas<'a> {
    pub(super) fn new(bitmap: BitMapBackend<'a>, texts: Texts) -> Self {
        Self { bitmap, texts }
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.bitmap.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.present()
    }

    fn draw_pixel(
        &mut self,
        at: BackendCoord,
        colour: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.draw_pixel(at, colour)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.draw_rect(from, to, style, fill)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let semibold = || FontFamily::Name("semibold".into());
        let family = match style.style() {
            _ if style.family().as_str().contains("Mono") => FontFamily::Monospace,
            FontStyle::Bold => semibold(),
            _ => FontFamily::Proportional,
        };
        let across = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => 0.5,
            HPos::Right => 1.0,
        };
        let down = match style.anchor().v_pos {
            VPos::Top => 0.0,
            VPos::Center => 0.5,
            VPos::Bottom => 1.0,
        };
        self.texts.0.borrow_mut().push(Text {
            letters: text.to_owned(),
            size: (style.size() / 1.24) as f32,
            family,
            at,
            anchor: [across, down],
            upright: matches!(style.transform(), FontTransform::Rotate270),
            colour: style.color().rgb,
        });
        Ok(())
    }
}

impl Texts {
    /// Draws all texts into RGB `pixels`.
    pub(super) fn write(&self, ctx: &egui::Context, pixels: &mut [u8], width: usize) {
        let (texts, density) = (self.0.borrow(), ctx.pixels_per_point());
        let (galleys, atlas) = ctx.fonts_mut(|fonts| {
            let font = |text: &Text| FontId::new(text.size / density, text.family.clone());
            let lay = |text: &Text| fonts.layout_no_wrap(text.letters.clone(), font(text), Color32::WHITE);
            let galleys: Vec<_> = texts.iter().map(lay).collect();
            // Taken after all glyphs are in it.
            (galleys, fonts.image())
        });
        for (text, galley) in texts.iter().zip(galleys) {
            text.draw(&galley, density, &atlas, pixels, width);
        }
    }
}

impl Text {
    /// Blends the glyphs of `galley` from the atlas into `pixels`.
    fn draw(&self, galley: &Galley, density: f32, atlas: &ColorImage, pixels: &mut [u8], width: usize) {
        let shift = galley.size() * density * egui::Vec2::from(self.anchor);
        for row in &galley.rows {
            for glyph in &row.glyphs {
                let corner = ((row.pos + glyph.pos.to_vec2() + glyph.uv_rect.offset) * density).round();
                let [left, top] = glyph.uv_rect.min.map(usize::from);
                let [right, bottom] = glyph.uv_rect.max.map(usize::from);
                for y in top..bottom {
                    for x in left..right {
                        let along = corner.x + (x - left) as f32 - shift.x.round();
                        let down = corner.y + (y - top) as f32 - shift.y.round();
                        let texel = atlas.pixels[y * atlas.width() + x];
                        self.blend(along as i32, down as i32, texel, glyph.is_color, pixels, width);
                    }
                }
            }
        }
    }

    fn blend(&self, along: i32, down: i32, texel: Color32, coloured: bool, pixels: &mut [u8], width: usize) {
        let (x, y) = if self.upright { (down, -along) } else { (along, down) };
        let (x, y) = (self.at.0 + x, self.at.1 + y);
        if texel.a() == 0 || x < 0 || y < 0 || x as usize >= width {
            return;
        }
        let Some(pixel) =
            pixels.get_mut(3 * (y as usize * width + x as usize)..).and_then(|rest| rest.get_mut(..3))
        else {
            return;
        };
        let ground = Color32::from_rgb(pixel[0], pixel[1], pixel[2]);
        let (r, g, b) = self.colour;
        let ink = if coloured { texel } else { Color32::from_rgb(r, g, b).gamma_multiply_u8(texel.a()) };
        pixel.copy_from_slice(&ground.blend(ink).to_array()[..3]);
    }
}
