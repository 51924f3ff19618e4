//! Colours that mean something: one table for each scale, used on the screen, in the shader, the legend and exports.

use egui::Color32;
use serde::{Deserialize, Serialize};

/// A scale of colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scale {
    /// From nothing to much: viridis on dark ground, one hue of blue on light.
    #[default]
    Sequential,
    /// Signed, symmetric about zero: blue is more, red is less, zero is nearly the ground.
    Diverging,
    /// From transparent over orange to yellow, on a picture: the upper part of inferno.
    Saliency,
}

/// The values at the two ends of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The value at the low end.
    pub min: f32,
    /// The value at the high end.
    pub max: f32,
    /// Whether equal ratios are equal steps; `min` must be positive.
    pub log: bool,
}

impl Default for Range {
    fn default() -> Self {
        Self::UNIT
    }
}

impl Range {
    /// From 0 to 1.
    pub const UNIT: Self = Self { min: 0.0, max: 1.0, log: false };
    /// From 1e-4 to 1 in decades.
    pub const LOG: Self = Self { min: 1e-4, max: 1.0, log: true };

    /// From `-max` to `max`.
    pub const fn signed(max: f32) -> Self {
        Self { min: -max, max, log: false }
    }

    /// A range from `low` to `high` or a little further, whose quarters are round numbers.
    pub fn round(low: f32, high: f32) -> Self {
        let need = (high - low).max(1e-6) / 4.0;
        let power = 10f32.powf(need.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0].map(|it| it * power);
        let fits = |step: &f32| (low / step).floor() * step + 4.0 * step >= high;
        let step = steps.into_iter().filter(|it| *it >= need * 0.999).find(fits).unwrap_or(50.0 * power);
        let min = (low / step).floor() * step;
        Self { min, max: min + 4.0 * step, log: false }
    }

    /// Where `x` is between the ends, from 0 to 1; NaN if it is missing.
    pub fn place(&self, x: f32) -> f32 {
        if missing(x) {
            f32::NAN
        } else if self.log {
            ((x.max(self.min) / self.min).ln() / (self.max / self.min).ln()).min(1.0)
        } else {
            ((x - self.min) / (self.max - self.min)).clamp(0.0, 1.0)
        }
    }

    /// The value at `t` from 0 to 1.
    pub fn at(&self, t: f32) -> f32 {
        if self.log { self.min * (self.max / self.min).powf(t) } else { self.min + t * (self.max - self.min) }
    }
}

/// Whether `x` stands for no value: engines mask with large negative numbers, never with infinities.
pub fn missing(x: f32) -> bool {
    x.is_nan() || x <= -1e29
}

/// The colour at `t` from 0 to 1; flat grey where `t` is NaN.
pub fn colour(scale: Scale, dark: bool, t: f32) -> Color32 {
    if t.is_nan() { grey(dark) } else { table(scale, dark)[(t.clamp(0.0, 1.0) * 255.0 + 0.5) as usize] }
}

/// The colour of what is missing: on no scale.
pub const fn grey(dark: bool) -> Color32 {
    if dark { Color32::from_gray(0x5a) } else { Color32::from_gray(0xc4) }
}

/// A scale's colours, from its low end to its high end.
pub fn table(scale: Scale, dark: bool) -> &'static Colours {
    match (scale, dark) {
        (Scale::Sequential, true) => &VIRIDIS,
        (Scale::Sequential, false) => &BLUES,
        (Scale::Diverging, true) => &RED_DARK_BLUE,
        (Scale::Diverging, false) => &RED_LIGHT_BLUE,
        (Scale::Saliency, _) => &GLAZE,
    }
}

/// The `i`th of eight hues that colour-blind people can tell apart, as published. On the screen use [`super::Style::hue`].
///
/// Okabe and Ito, "Color Universal Design", 2008; black, which no dark theme can show, gives way to grey.
pub const fn hue(i: usize) -> Color32 {
    rgb([0xe6_9f00, 0x56_b4e9, 0x00_9e73, 0xcc_79a7, 0x00_72b2, 0xd5_5e00, 0xf0_e442, 0x99_9999][i % 8])
}

/// The same hue, as dark or as light as text on the theme's ground must be.
pub(super) const fn hue_on(i: usize, dark: bool) -> Color32 {
    if dark {
        rgb([0xe6_9f00, 0x56_b4e9, 0x00_9e73, 0xcc_79a7, 0x3f_92d2, 0xe2_6a0c, 0xf0_e442, 0x99_9999][i % 8])
    } else {
        rgb([0x96_6200, 0x0f_73a6, 0x00_7857, 0x9e_4878, 0x00_588b, 0xac_4700, 0x75_6d00, 0x64_6464][i % 8])
    }
}

/// 256 colours, premultiplied by their alpha.
pub type Colours = [Color32; 256];

static VIRIDIS: Colours = polynomial(&[
    [0.277_727, 0.005_407, 0.334_100],
    [0.105_093, 1.404_614, 1.384_59],
    [-0.330_862, 0.214_848, 0.095_095],
    [-4.634_23, -5.799_101, -19.332_441],
    [6.228_27, 14.179_933, 56.690_55],
    [4.776_385, -13.745_145, -65.353_033],
    [-5.435_456, 4.645_853, 26.312_435],
]);

const INFERNO: Colours = polynomial(&[
    [0.000_22, 0.001_65, -0.019_48],
    [0.106_51, 0.563_96, 3.932_71],
    [11.602_5, -3.972_85, -15.942_4],
    [-41.704, 17.436_4, 44.354_15],
    [77.162_9, -33.402_4, -81.807_3],
    [-71.319_4, 32.626_1, 73.209_5],
    [25.131_1, -12.242_7, -23.070_3],
]);

static GLAZE: Colours = glazed(&INFERNO);

/// `ColorBrewer`'s Blues (Brewer 2003), started a little lighter.
static BLUES: Colours = through(&[
    0xf8_fafd, 0xde_ebf7, 0xc6_dbef, 0x9e_cae1, 0x6b_aed6, 0x42_92c6, 0x21_71b5, 0x08_519c, 0x08_306b,
]);

/// `ColorBrewer`'s `RdBu`.
static RED_LIGHT_BLUE: Colours = through(&[
    0x8a_0e26, 0xb2_182b, 0xd6_604d, 0xf4_a582, 0xfd_dbc7, 0xf5_f5f2, 0xd1_e5f0, 0x92_c5de, 0x43_93c3,
    0x21_66ac, 0x0b_4079,
]);

/// The same two hues about a centre of dark ground: bright is far from zero.
static RED_DARK_BLUE: Colours = through(&[
    0xff_c4b0, 0xfb_8f75, 0xd8_5a4c, 0x96_3d3c, 0x55_2d31, 0x22_272f, 0x1f_3f5c, 0x28_6391, 0x3f_90c9,
    0x7c_bdec, 0xc2_e4ff,
]);

/// Polynomials in `t`, one a channel, fitted to matplotlib's map (Zucker 2019, shadertoy.com/view/WlfXRN).
const fn polynomial(coefficients: &[[f32; 3]; 7]) -> Colours {
    let mut table = [Color32::TRANSPARENT; 256];
    let mut i = 0;
    while i < 256 {
        let t = i as f32 / 255.0;
        let mut channels = [0.0; 3];
        let mut power = 7;
        while power > 0 {
            power -= 1;
            let mut c = 0;
            while c < 3 {
                channels[c] = channels[c] * t + coefficients[power][c];
                c += 1;
            }
        }
        // A cast saturates: what the fit overshoots is cut off.
        let [r, g, b] = channels;
        table[i] = Color32::from_rgb(byte(r * 255.0), byte(g * 255.0), byte(b * 255.0));
        i += 1;
    }
    table
}

/// Straight lines between colours at equal distances.
const fn through(points: &[u32]) -> Colours {
    let mut table = [Color32::TRANSPARENT; 256];
    let mut i = 0;
    while i < 256 {
        let place = i as f32 / 255.0 * (points.len() - 1) as f32;
        let left = if place as usize == points.len() - 1 { points.len() - 2 } else { place as usize };
        let (a, b, t) = (rgb(points[left]), rgb(points[left + 1]), place - left as f32);
        table[i] = Color32::from_rgb(
            byte(a.r() as f32 * (1.0 - t) + b.r() as f32 * t),
            byte(a.g() as f32 * (1.0 - t) + b.g() as f32 * t),
            byte(a.b() as f32 * (1.0 - t) + b.b() as f32 * t),
        );
        i += 1;
    }
    table
}

/// From orange to yellow with an alpha from 0 to 1 that leaves out what is weak. Purple, which inferno has below, would be
/// pink on a white stroke.
const fn glazed(inferno: &Colours) -> Colours {
    let mut table = [Color32::TRANSPARENT; 256];
    let mut i = 0;
    while i < 256 {
        let (c, t) = (inferno[165 + i * 65 / 255], i as f32 / 255.0);
        let a = t * t * (3.0 - 2.0 * t);
        let [r, g, b] = [byte(c.r() as f32 * a), byte(c.g() as f32 * a), byte(c.b() as f32 * a)];
        table[i] = Color32::from_rgba_premultiplied(r, g, b, byte(255.0 * a));
        i += 1;
    }
    table
}

const fn byte(x: f32) -> u8 {
    (x + 0.5) as u8
}

const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(c: Color32) -> f32 {
        let [r, g, b, _] = egui::Rgba::from(c).to_array();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn more_is_lighter_on_dark_and_darker_on_light() {
        for dark in [false, true] {
            let steps = table(Scale::Sequential, dark).map(lightness);
            let rising = |pair: &[f32]| if dark { pair[1] >= pair[0] - 2e-3 } else { pair[1] <= pair[0] };
            assert!(steps.windows(2).all(rising), "printed in grey it still tells the story, dark {dark}");
        }
    }

    #[test]
    fn the_tables_are_the_published_ones() {
        // Matplotlib's viridis and inferno at 0, 1/2 and 1; the fit is within four steps.
        for (t, viridis, inferno) in [
            (0.0, [68, 1, 84], [0, 0, 3]),
            (0.5, [33, 145, 140], [188, 55, 84]),
            (1.0, [253, 231, 37], [252, 255, 164]),
        ] {
            let close = |c: Color32, want: [u8; 3]| {
                [c.r(), c.g(), c.b()].iter().zip(want).all(|(&a, b)| a.abs_diff(b) <= 4)
            };
            assert!(close(colour(Scale::Sequential, true, t), viridis), "viridis at {t}");
            assert!(close(INFERNO[(t * 255.0 + 0.5) as usize], inferno), "inferno at {t}");
        }
        assert_eq!(colour(Scale::Saliency, true, 0.0), Color32::TRANSPARENT, "nothing hides nothing");
        assert!(colour(Scale::Saliency, true, 1.0).is_opaque());
    }

    #[test]
    fn missing_is_never_the_colour_of_zero() {
        for dark in [false, true] {
            for (scale, zero) in [(Scale::Sequential, 0.0), (Scale::Diverging, 0.5)] {
                let (grey, zero) = (grey(dark), colour(scale, dark, zero));
                let far = [(grey.r(), zero.r()), (grey.g(), zero.g()), (grey.b(), zero.b())];
                assert!(far.iter().any(|(a, b)| a.abs_diff(*b) > 40), "{scale:?}, dark {dark}");
            }
            assert_eq!(colour(Scale::Sequential, dark, Range::UNIT.place(-1e30)), grey(dark));
            assert_eq!(colour(Scale::Diverging, dark, f32::NAN), grey(dark));
        }
    }

    #[test]
    fn ranges_place_values() {
        assert_eq!(Range::UNIT.place(0.25), 0.25);
        assert_eq!(Range::signed(2.0).place(0.0), 0.5);
        assert!((Range::LOG.place(1e-2) - 0.5).abs() < 1e-6, "1e-2 is half way from 1e-4 to 1");
        assert_eq!(Range::LOG.place(0.0), 0.0);
        assert!((Range::LOG.at(0.25) - 1e-3).abs() < 1e-8, "and back");
        assert!(Range::LOG.place(f32::NAN).is_nan(), "what is missing stays missing");
        for (low, high) in [(0.0, 1.0), (-3.4, 19.1), (0.7, 0.71), (-250.0, -3.0), (5.0, 5.0)] {
            let it = Range::round(low, high);
            assert!(it.min <= low && it.max >= high, "{low} to {high} lies in {it:?}");
        }
        assert_eq!(Range::round(-3.4, 19.1), Range { min: -10.0, max: 30.0, log: false });
    }
}
