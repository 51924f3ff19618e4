//! The label on the wall and the badge.

use egui::text::{LayoutJob, TextFormat};
use egui::{Popup, PopupCloseBehavior, Response, RichText};

use super::formula::{self, formula};
use super::{Style, bound, number};

/// The label on the wall.
#[derive(Debug)]
pub struct Card {
    /// Kebab-case name, stable: links and the command line use it.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// One sentence that a student understands.
    pub claim: &'static str,
    /// The formula in TeX; its typeset picture is `assets/typeset/{id}.ink`.
    pub formula: &'static str,
    /// Authors, title, year.
    pub paper: &'static str,
    /// Year of the paper.
    pub year: u16,
    /// arXiv id or DOI.
    pub reference: &'static str,
    /// Family of mechanisms, for the gallery.
    pub family: &'static str,
    /// A few more paragraphs, folded away: how to read the picture, what differs from the paper.
    pub more: &'static str,
}

/// How much of a label there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Size {
    /// The title.
    Card,
    /// The title; there are knobs.
    Small,
    /// The one sentence, too.
    Half,
    /// The formula, too.
    Full,
}

impl Size {
    /// The size of a tile.
    pub fn of(tile: egui::Vec2, style: &Style) -> Self {
        let [width, height] = [tile.x, tile.y].map(|it| it / style.scale);
        if width < 300.0 || height < 300.0 {
            Self::Card
        } else if height < 410.0 || width < 380.0 {
            Self::Small
        } else if width < 860.0 || height < 560.0 {
            Self::Half
        } else {
            Self::Full
        }
    }
}

/// The label on the wall: the title, `room` points wide in its line, then the one sentence, with the formula beside it where
/// it fits; the rest opens at a click and moves nothing. `more` is what else stands beside the title. Returns the title's place, by which the tile is dragged.
pub fn card(
    ui: &mut egui::Ui,
    style: &Style,
    card: &Card,
    size: Size,
    room: f32,
    more: &mut dyn FnMut(&mut egui::Ui),
) -> egui::Rect {
    ui.spacing_mut().item_spacing.y = style.grid(0.5);
    // At most 70 characters a line: beyond, the eye loses its way back.
    let measure = style.body * 0.5 * 70.0;
    let whole = ui.available_width();
    let picture = formula::room(ui, style, card.id).map_or(0.0, |it| it.x);
    let words = measure.min(whole - style.grid(12.0));
    let beside = size == Size::Full && words + picture + style.grid(4.0) <= room;
    ui.horizontal_top(|ui| {
        let title = ui.vertical(|ui| {
            ui.set_max_width(if beside { words } else { room });
            let title = title(ui, style, card, size, more);
            if size > Size::Small {
                ui.set_max_width(if beside { words } else { whole.min(2.0 * measure) });
                let claim = RichText::new(card.claim).font(style.regular(style.body)).color(style.text);
                ui.add(egui::Label::new(claim).wrap());
            }
            title
        });
        if beside {
            ui.add_space(style.grid(3.0));
            formula(ui, style, card.id, card.formula);
        }
        title.inner
    })
    .inner
}

/// The title, and what opens everything else that there is to say.
fn title(
    ui: &mut egui::Ui,
    style: &Style,
    card: &Card,
    size: Size,
    last: &mut dyn FnMut(&mut egui::Ui),
) -> egui::Rect {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = style.grid(1.5);
        let title = RichText::new(card.title).font(style.semibold(style.title)).color(style.text);
        let title = ui.add(egui::Label::new(title).truncate().selectable(false));
        // The paragraphs are worth a click, but not the title's end.
        if size > Size::Card && ui.available_width() > 4.0 * style.body {
            let words = RichText::new("More ▾").font(style.regular(style.caption)).color(style.accent);
            let more = ui.add(egui::Button::new(words).frame(false));
            let popup = Popup::menu(&more).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
            popup.show(|ui| self::more(ui, style, card));
            last(ui);
        }
        title.rect
    })
    .inner
}

/// The formula, the source and the paragraphs that open at a click.
fn more(ui: &mut egui::Ui, style: &Style, card: &Card) {
    ui.set_max_width(style.grid(66.0).min(ui.ctx().content_rect().width() - style.grid(6.0)));
    let high = ui.ctx().content_rect().height() - style.grid(10.0);
    egui::ScrollArea::vertical().max_height(high).show(ui, |ui| {
        egui::ScrollArea::horizontal().id_salt("formula").show(ui, |ui| {
            formula(ui, style, card.id, card.formula);
        });
        for paragraph in std::iter::once(card.claim).chain(card.more.split("\n\n")) {
            ui.label(RichText::new(paragraph).font(style.regular(style.body)).color(style.text));
        }
        let source = RichText::new(format!("{}, {}", card.paper, card.year));
        ui.label(source.font(style.regular(style.caption)).color(style.secondary));
        let reference = RichText::new(card.reference).font(style.regular(style.caption));
        match link(card.reference) {
            Some(link) => drop(ui.hyperlink_to(reference, link)),
            None => drop(ui.label(reference.color(style.secondary))),
        }
    });
}

/// Where a DOI or an arXiv id leads; nothing else leads anywhere.
fn link(reference: &str) -> Option<String> {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if reference.starts_with("10.") {
        return Some(format!("https://doi.org/{reference}"));
    }
    let (month, number) = reference.split_once('.')?;
    (digits(month) && digits(number)).then(|| format!("https://arxiv.org/abs/{reference}"))
}

/// A measured claim.
pub struct Measured<'a> {
    /// What was measured: "rows sum to 1".
    pub name: &'a str,
    /// The number; `None` while it is being measured.
    pub value: Option<f32>,
    /// Largest value that passes.
    pub tolerance: f32,
}

/// A dot and a measured number: "rows sum to 1: 1.2e-7".
pub fn badge(ui: &mut egui::Ui, style: &Style, state: &Measured<'_>) -> Response {
    let (sign, verdict, colour) = match state.value {
        None => ("○", "is being measured", style.secondary),
        Some(value) if value <= state.tolerance => ("●", "holds", style.good),
        Some(_) => ("●", "fails", style.bad),
    };
    let text = format!("{}: {}", state.name, state.value.map_or_else(|| "…".to_owned(), number));
    let ink = if verdict == "fails" { colour } else { style.secondary };
    let write = |color| TextFormat { font_id: style.regular(style.caption), color, ..TextFormat::default() };
    let mut job = LayoutJob::default();
    job.append(sign, 0.0, write(colour));
    job.append(&text, style.grid(0.75), write(ink));
    let hint = format!("{} {verdict}; tolerance {}", state.name, bound(state.tolerance));
    ui.add(egui::Label::new(job).selectable(false)).on_hover_text(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_reference_leads_somewhere() {
        assert_eq!(link("1706.03762").as_deref(), Some("https://arxiv.org/abs/1706.03762"));
        assert_eq!(link("10.1000/182").as_deref(), Some("https://doi.org/10.1000/182"));
        assert_eq!(link("OpenAI 2019"), None);
    }
}
