//! All colours and sizes, and the fonts.

use std::sync::Arc;

use egui::epaint::text::{FontData, FontDefinitions};
use egui::style::{HandleShape, ScrollStyle, WidgetVisuals};
use egui::{
    Color32, CornerRadius, FontFamily, FontId, Galley, Margin, RichText, Shadow, Stroke, TextStyle,
    TextWrapMode, Theme, Vec2, WidgetText, vec2,
};

/// All colours and sizes, from two choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Light text on dark ground.
    pub dark: bool,
    /// Scale of type: 1 at a desk, 2 in a lecture hall.
    pub scale: f32,
    /// Behind everything; also text on the accent.
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
    /// Everything from a theme and a scale of type (1 at a desk, 2 in a lecture hall).
    pub fn new(dark: bool, scale: f32) -> Self {
        let pick = |on_dark: u32, on_light: u32| {
            let [_, r, g, b] = (if dark { on_dark } else { on_light }).to_be_bytes();
            Color32::from_rgb(r, g, b)
        };
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

    /// `n` steps of the grid of 8, in points.
    pub fn grid(&self, n: f32) -> f32 {
        8.0 * n * self.scale
    }

    /// Width of a hairline, in points.
    pub fn hair(&self) -> Stroke {
        Stroke::new(self.scale.max(1.0), self.hairline)
    }

    /// The text face at `size` points.
    pub fn regular(&self, size: f32) -> FontId {
        FontId::new(size, FontFamily::Proportional)
    }

    /// The text face, heavier.
    pub fn semibold(&self, size: f32) -> FontId {
        FontId::new(size, semibold())
    }

    /// The face of tokens and code.
    pub fn mono(&self, size: f32) -> FontId {
        FontId::new(size, FontFamily::Monospace)
    }

    /// One line of words in the size of captions, cut to `width` points where it is longer.
    pub(crate) fn cut(&self, ui: &egui::Ui, words: &str, colour: Color32, width: f32) -> Arc<Galley> {
        let words = RichText::new(words).font(self.regular(self.caption)).color(colour);
        WidgetText::from(words).into_galley(ui, Some(TextWrapMode::Truncate), width, TextStyle::Small)
    }

    /// Makes egui's own widgets look like this. Call it when the theme or the scale changes.
    pub fn apply(&self, ctx: &egui::Context) {
        let theme = if self.dark { Theme::Dark } else { Theme::Light };
        ctx.set_theme(theme);
        let mut style = egui::Style { visuals: self.visuals(), ..egui::Style::default() };
        self.space(&mut style.spacing);
        style.text_styles = [
            (TextStyle::Small, self.regular(self.caption)),
            (TextStyle::Body, self.regular(self.body)),
            (TextStyle::Button, self.regular(self.body)),
            (TextStyle::Heading, self.semibold(self.title)),
            (TextStyle::Monospace, self.mono(self.body)),
        ]
        .into();
        style.drag_value_text_style = TextStyle::Body;
        style.interaction.tooltip_delay = 0.3;
        ctx.set_style_of(theme, style);
    }

    /// Spacing on the grid.
    fn space(&self, spacing: &mut egui::Spacing) {
        let g = |n: f32| self.grid(n);
        spacing.item_spacing = Vec2::splat(g(1.0));
        spacing.window_margin = Margin::same(g(2.0) as i8);
        spacing.menu_margin = Margin::same(g(1.0) as i8);
        spacing.button_padding = vec2(g(1.25), g(0.5));
        spacing.indent = g(2.0);
        spacing.interact_size = vec2(g(5.0), g(3.5));
        spacing.slider_width = g(18.0);
        spacing.slider_rail_height = g(0.5);
        spacing.combo_width = g(12.0);
        spacing.text_edit_width = g(40.0);
        // Inter's own lines are 1.21 apart; 1.45 reads better.
        spacing.extra_text_line_spacing = 0.24 * self.body;
        spacing.icon_width = g(2.0);
        spacing.icon_width_inner = g(1.25);
        spacing.icon_spacing = g(1.0);
        spacing.tooltip_width = g(50.0);
        spacing.menu_width = g(50.0);
        spacing.menu_spacing = g(0.5);
        spacing.scroll =
            ScrollStyle { bar_width: g(0.75), floating_width: g(0.25), ..ScrollStyle::floating() };
    }

    fn visuals(&self) -> egui::Visuals {
        let base = if self.dark { egui::Visuals::dark() } else { egui::Visuals::light() };
        let shadow = Shadow {
            offset: [0, 4],
            blur: 16,
            spread: 0,
            color: Color32::from_black_alpha(if self.dark { 110 } else { 28 }),
        };
        egui::Visuals {
            widgets: self.widgets(),
            weak_text_color: Some(self.secondary),
            selection: egui::style::Selection {
                bg_fill: self.surface.lerp_to_gamma(self.accent, 0.3),
                stroke: Stroke::new(1.0, self.text),
            },
            hyperlink_color: self.accent,
            faint_bg_color: self.tint(0.03),
            extreme_bg_color: self.background,
            text_edit_bg_color: Some(self.tint(0.05)),
            code_bg_color: self.tint(0.06),
            warn_fg_color: self.bad,
            error_fg_color: self.bad,
            window_corner_radius: self.radius(),
            window_shadow: shadow,
            window_fill: self.surface,
            window_stroke: self.hair(),
            menu_corner_radius: self.radius(),
            panel_fill: self.background,
            popup_shadow: shadow,
            indent_has_left_vline: false,
            slider_trailing_fill: true,
            handle_shape: HandleShape::Circle,
            image_loading_spinners: false,
            ..base
        }
    }

    /// Quiet at rest: a tint for what can be pressed, a hairline for nothing but separators.
    fn widgets(&self) -> egui::style::Widgets {
        let widget = |tint: f32, edge: Color32, ink: Color32| WidgetVisuals {
            bg_fill: self.tint(tint * 1.6),
            weak_bg_fill: self.tint(tint),
            bg_stroke: Stroke::new(self.scale.max(1.0), edge),
            corner_radius: CornerRadius::same((self.grid(1.0)) as u8),
            fg_stroke: Stroke::new(1.5 * self.scale, ink),
            expansion: 0.0,
        };
        egui::style::Widgets {
            noninteractive: widget(0.0, self.hairline, self.text),
            inactive: widget(0.06, Color32::TRANSPARENT, self.text),
            hovered: widget(0.11, Color32::TRANSPARENT, self.text),
            active: widget(0.16, self.accent, self.text),
            open: widget(0.11, Color32::TRANSPARENT, self.text),
        }
    }

    /// The `i`th of eight hues that colour-blind people can tell apart, readable on this ground: for heads, components
    /// and methods, the same for the same thing everywhere.
    pub fn hue(&self, i: usize) -> Color32 {
        super::scale::hue_on(i, self.dark)
    }

    /// Radius of corners.
    pub fn radius(&self) -> CornerRadius {
        CornerRadius::same((10.0 * self.scale) as u8)
    }

    /// The surface with a share of the text colour in it.
    pub fn tint(&self, share: f32) -> Color32 {
        self.surface.lerp_to_gamma(self.text, share)
    }
}

/// Gives egui the fonts, once, before the first frame.
pub fn install_fonts(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
}

/// Inter for text, a monospaced face for tokens, and the signs that both lack. Origin, licences: `assets/fonts`.
pub(super) fn fonts() -> FontDefinitions {
    const FILES: [(&str, &[u8]); 4] = [
        ("Inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
        ("JetBrains Mono", include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf")),
        ("Symbols", include_bytes!("../../assets/fonts/Symbols.ttf")),
    ];
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    FontDefinitions {
        font_data: FILES
            .map(|(name, bytes)| (name.to_owned(), Arc::new(FontData::from_static(bytes))))
            .into(),
        families: [
            (FontFamily::Proportional, names(&["Inter", "Symbols"])),
            (semibold(), names(&["Inter SemiBold", "Inter", "Symbols"])),
            (FontFamily::Monospace, names(&["JetBrains Mono", "Inter", "Symbols"])),
        ]
        .into(),
    }
}

fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours, from 1 to 21: WCAG 2.2, "contrast ratio".
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |c: Color32| {
            let [r, g, b, _] = egui::Rgba::from(c).to_array();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_both_themes() {
        for dark in [false, true] {
            let s = Style::new(dark, 1.0);
            for ground in [s.background, s.surface, s.tint(0.05)] {
                for ink in [s.text, s.secondary, s.accent, s.good, s.bad] {
                    let contrast = contrast(ink, ground);
                    assert!(contrast >= 4.5, "{ink:?} on {ground:?}, dark {dark}: {contrast}");
                }
            }
            for i in 0..8 {
                let contrast = contrast(s.hue(i), s.surface).min(contrast(s.hue(i), s.background));
                assert!(contrast >= 4.5, "hue {i}, dark {dark}: {contrast}");
            }
            assert!(contrast(s.background, s.accent) >= 4.5, "text on the accent, dark {dark}");
            assert!(
                contrast(s.text, s.surface.lerp_to_gamma(s.accent, 0.3)) >= 4.5,
                "selected text, dark {dark}"
            );
        }
    }

    #[test]
    fn numerals_are_tabular_and_every_sign_has_a_glyph() {
        let mut fonts = egui::epaint::text::Fonts::new(egui::epaint::TextOptions::default(), fonts());
        for family in [FontFamily::Proportional, semibold(), FontFamily::Monospace] {
            let font = FontId::new(20.0, family);
            let signs = "←↑→↓−×·√∇∂∑≈≠≤≥⟨⟩‖∥⊤ᵀ₀⁻⁷…•●○◐✓✕⚠▸▾☀☾ĠŁßéαβγΔλσ▁�";
            for sign in signs.chars() {
                assert!(fonts.has_glyph(&font, sign), "{sign} in {font:?}");
            }
            let mut view = fonts.with_pixels_per_point(1.0);
            let widths: Vec<f32> = ('0'..='9').map(|digit| view.glyph_width(&font, digit)).collect();
            assert!(widths.iter().all(|w| (w - widths[0]).abs() < 0.03), "{font:?}: {widths:?}");
        }
    }
}
