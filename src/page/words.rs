//! Words on the colours of what is said of them: one text that wraps, or lines under one another over the same places.

use egui::{
    Align2, Id, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::picture::Touch;
use crate::focus::{Focus, Spot};
use crate::ui::scale::colour;
use crate::ui::{Divided, Legend, Range, Scale, Style, Table, number, readable_on};

/// Words on the colours of their values.
#[derive(Clone, Default)]
pub struct Words {
    /// The lines, the first on top. A single one without a name wraps as a text does.
    pub lines: Vec<Line>,
    /// What every place is, the same in all lines: the tokens of the text.
    pub places: Vec<String>,
    /// What lines and places are: "method", "character".
    pub axes: [&'static str; 2],
    /// The numbers at the ends of the scale.
    pub range: Range,
    /// The colours.
    pub scale: Scale,
    /// What every value was divided by.
    pub divided: Divided,
    /// What the colours say.
    pub legend: String,
    /// Letters that the names have room for at least: where lines of two pictures should stand below each other.
    pub names: usize,
    /// What a click on the name of a line does, in words; nothing if empty.
    pub click: &'static str,
    /// The place that is looked at while none is lit.
    pub rests: Option<usize>,
    /// What is said of the lit place, or of that one: of its value in each line.
    pub said: Vec<String>,
}

/// One line.
#[derive(Clone, Default)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Whether it is chosen.
    pub lit: bool,
    /// The layer that it belongs to.
    pub layer: Option<usize>,
    /// Whether its colours say something else, so that figures leave it out.
    pub aside: bool,
    /// What stands at its places.
    pub words: Vec<Word>,
}

/// What stands at a place.
#[derive(Clone, Default)]
pub struct Word {
    /// The word.
    pub word: String,
    /// What its colour says; it has none where there is no number.
    pub value: Option<f32>,
    /// Whether it has a frame.
    pub framed: bool,
    /// Whether it is underlined.
    pub underlined: bool,
}

impl Line {
    /// A line that says the same words as the text, each on a value.
    pub fn on(name: impl Into<String>, places: &[String], values: Option<&[f32]>) -> Self {
        let word = |(i, word): (usize, &String)| Word {
            word: word.clone(),
            value: values.and_then(|it| it.get(i).copied()),
            ..Word::default()
        };
        Self { name: name.into(), words: places.iter().enumerate().map(word).collect(), ..Self::default() }
    }
}

impl Words {
    /// The lines that have numbers, for papers.
    pub(super) fn table(&self) -> Option<Table> {
        let counts = |it: &&Line| !it.aside && it.words.iter().any(|it| it.value.is_some());
        let lines: Vec<&Line> = self.lines.iter().filter(counts).collect();
        let values = lines.iter().flat_map(|it| it.words.iter().map(|it| it.value.unwrap_or(f32::NAN)));
        let [y_label, x_label] = self.axes.map(str::to_owned);
        (!lines.is_empty()).then(|| Table {
            x_label,
            y_label,
            x_tokens: self.places.clone(),
            y_tokens: lines
                .iter()
                .map(|it| if it.name.is_empty() { self.axes[0] } else { &it.name }.to_owned())
                .collect(),
            values: values.collect(),
            range: self.range,
            scale: self.scale,
        })
    }

    pub(super) fn draw(&self, title: &str, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
        let legend =
            Legend { scale: self.scale, range: self.range, divided: self.divided, caption: &self.legend };
        let mut touch = None;
        let least = if self.wraps() { 4.0 * style.body } else { self.least(style) };
        legend.below(ui, style, least, |ui, height| {
            let scroll = ScrollArea::vertical().id_salt("lines").max_height(height);
            if self.wraps() {
                let scroll = scroll.auto_shrink([false, true]).stick_to_bottom(true);
                scroll.show(ui, |ui| self.text(ui, style, focus, height));
            } else {
                scroll
                    .auto_shrink([false, true])
                    .show(ui, |ui| touch = Grid::new(self, ui, style, height).show(title, ui, focus));
            }
        });
        touch
    }

    fn wraps(&self) -> bool {
        matches!(&self.lines[..], [line] if line.name.is_empty())
    }

    /// The place that is lit, if there is one.
    fn lit(&self, focus: &Focus) -> Option<usize> {
        focus.spot().query.filter(|it| *it < self.places.len()).or(self.rests)
    }

    /// What a line says of a place: in full of the lit one, else its number.
    fn of(&self, l: usize, i: usize, focus: &Focus) -> String {
        if let Some(said) = self.said.get(l).filter(|it| self.lit(focus) == Some(i) && !it.is_empty()) {
            return said.clone();
        }
        let line = &self.lines[l];
        let value = line.words[i].value.map_or_else(String::new, |it| format!(": {}", number(it)));
        format!("“{}” ({i}) {}{value}", self.places[i], line.name)
    }

    /// Lights a place in all tiles; a second click on it lets go.
    fn light(&self, l: usize, i: usize, clicked: bool, focus: &mut Focus) {
        focus.readout = self.of(l, i, focus);
        let spot = Spot { query: Some(i), ..Spot::default() };
        focus.hover(Spot { layer: self.lines[l].layer, ..spot });
        match focus.locked.query {
            Some(locked) if clicked && locked == i => focus.release(),
            _ if clicked => focus.lock(spot),
            _ => {}
        }
    }
}

/// Lines that wrap.
impl Words {
    /// Draws the text in the largest type in which it fits, so that little text fills its room; a longer one scrolls and
    /// follows its end.
    fn text(&self, ui: &mut Ui, style: &Style, focus: &mut Focus, height: f32) {
        let [line] = &self.lines[..] else { return };
        let width = ui.available_width();
        let sizes = [1.6, 1.4, 1.2, 1.0].map(|it| it * style.body);
        let mut laid = sizes.iter().map(|size| {
            let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&style.mono(*size), '0'));
            (*size, wrapped(&line.words, vec2(advance * 1.25, size * 1.7), advance, width))
        });
        let fits = |it: &(f32, (Vec<Rect>, Vec2))| it.1.1.y <= height || it.0 == style.body;
        let Some((size, (places, area))) = laid.find(fits) else { return };
        let (area, response) = ui.allocate_exact_size(area, Sense::hover());
        let (lit, font) = (self.lit(focus), style.mono(size));
        let mut hit = None;
        for (i, (word, place)) in line.words.iter().zip(&places).enumerate() {
            let rect = place.translate(area.min.to_vec2());
            let seen = rect.intersect(ui.clip_rect());
            if !seen.is_positive() {
                continue;
            }
            let chip = ui.interact(seen, response.id.with(i), Sense::click());
            let words = format!("{} ({i})", word.word);
            chip.widget_info(|| WidgetInfo::selected(Role::Button, true, lit == Some(i), &words));
            self.word(ui, style, rect, word, &font);
            if lit == Some(i) {
                let stroke = Stroke::new(2.0 * style.scale, style.accent);
                ui.painter().rect_stroke(rect, 2.0, stroke, StrokeKind::Outside);
            }
            if chip.hovered() || chip.clicked() {
                hit = Some((i, chip));
            }
        }
        if let Some((i, chip)) = hit {
            self.light(0, i, chip.clicked(), focus);
            if let Some(it) = line.words[i].value {
                chip.on_hover_text_at_pointer(format!("{} {}", number(it), self.unit()));
            }
        }
    }

    /// What the colours say, up to a semicolon.
    fn unit(&self) -> &str {
        self.legend.split(';').next().unwrap_or_default()
    }

    /// One word on its colour.
    fn word(&self, ui: &Ui, style: &Style, rect: Rect, word: &Word, font: &egui::FontId) {
        let painter = ui.painter();
        let fill = word.value.map(|it| colour(self.scale, style.dark, self.range.place(it)));
        painter.rect_filled(rect.shrink(0.5), 2.0, fill.unwrap_or(style.tint(0.07)));
        let ink = fill.map_or(style.text, readable_on);
        painter.text(rect.center(), Align2::CENTER_CENTER, &word.word, font.clone(), ink);
        if word.framed {
            let stroke = Stroke::new(1.5 * style.scale, ink);
            painter.rect_stroke(rect.shrink(1.0), 2.0, stroke, StrokeKind::Inside);
        }
        if word.underlined {
            let stroke = Stroke::new(2.0 * style.scale, style.accent);
            painter.hline(rect.x_range(), rect.bottom() + 1.5 * style.scale, stroke);
        }
    }
}

/// Where every word is: rows that wrap, and after the end of a line (¶) a new one. And the size of all.
fn wrapped(words: &[Word], cell: Vec2, advance: f32, width: f32) -> (Vec<Rect>, Vec2) {
    let (gap, mut at) = (cell.y * 0.22, Pos2::ZERO);
    let mut places = Vec::with_capacity(words.len());
    for it in words {
        let count = it.word.chars().count().max(1) as f32;
        let size = vec2(cell.x + (count - 1.0) * advance, cell.y);
        if at.x > 0.0 && at.x + size.x > width {
            at = pos2(0.0, at.y + cell.y + gap);
        }
        places.push(Rect::from_min_size(at, size));
        at.x += size.x;
        if it.word.ends_with('¶') {
            at = pos2(0.0, at.y + cell.y + gap);
        }
    }
    let bottom = places.last().map_or(0.0, Rect::bottom);
    (places, vec2(width, bottom + gap))
}

/// Lines over the same places.
struct Grid<'a> {
    words: &'a Words,
    style: &'a Style,
    /// Width of the names.
    name: f32,
    cell: Vec2,
    /// How many letters find room in a cell.
    letters: usize,
}

/// Letters of a word that are shown at most.
const LETTERS: usize = 6;

impl Words {
    /// Height of the lines where they are as low as can be read, up to nine of them: more scroll.
    fn least(&self, style: &Style) -> f32 {
        1.4 * style.caption * (self.lines.len() as f32).min(9.0)
    }
}

impl<'a> Grid<'a> {
    fn new(words: &'a Words, ui: &Ui, style: &'a Style, height: f32) -> Self {
        let width = ui.available_width();
        let glyph = ui.fonts_mut(|it| it.glyph_width(&style.mono(style.caption), '0'));
        let longest = words.lines.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
        let longest = longest.max(words.names) as f32;
        let name = (glyph * (longest + 1.0)).min(0.4 * width);
        let all = words.lines.iter().flat_map(|it| &it.words);
        let letters = all.map(|it| it.word.chars().count()).max().unwrap_or(1).clamp(1, LETTERS);
        let least = (glyph * letters as f32 + 2.0 * style.scale).max(1.05 * style.caption);
        let wide = least.max((width - name) / words.places.len().max(1) as f32);
        let high = height / words.lines.len().max(1) as f32;
        let high = high.clamp(1.4 * style.caption, style.grid(4.5)).floor();
        Self { words, style, name, cell: vec2(wide.min(least.max(style.grid(4.0))), high), letters }
    }

    /// Draws them; the line whose name was clicked.
    fn show(&self, title: &str, ui: &mut Ui, focus: &mut Focus) -> Option<Touch> {
        // Lines over the same places scroll together, in whatever panel they are.
        let known = Id::unique(("words", self.words.places.len()));
        let offset: Option<f32> = ui.data(|it| it.get_temp(known));
        let mut clicked = None;
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            clicked = self.names(ui);
            // A text is read from its end until somebody scrolls; there it goes on.
            let end = (self.cell.x * self.words.places.len() as f32 - ui.available_width()).max(0.0);
            let area = ScrollArea::horizontal()
                .id_salt("places")
                .horizontal_scroll_offset(offset.unwrap_or(end).min(end))
                .show(ui, |ui| self.cells(title, ui, focus));
            let now = area.state.clamped_offset().x;
            ui.data_mut(|it| {
                if now < end - 1.0 {
                    it.insert_temp(known, now);
                } else {
                    it.remove::<f32>(known);
                }
            });
        });
        clicked.map(Touch::Clicked)
    }

    fn names(&self, ui: &mut Ui) -> Option<usize> {
        let (style, presses) = (self.style, !self.words.click.is_empty());
        let mut clicked = None;
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (l, line) in self.words.lines.iter().enumerate() {
                let sense = if presses { Sense::click() } else { Sense::hover() };
                let (rect, response) = ui.allocate_exact_size(vec2(self.name, self.cell.y), sense);
                let role = if presses { Role::Button } else { Role::Label };
                response.widget_info(|| WidgetInfo::labeled(role, true, &line.name));
                let lit = line.lit || (response.hovered() && presses);
                let ink = if lit { style.accent } else { style.secondary };
                let words = style.cut(ui, &line.name, ink, self.name);
                ui.painter().galley(rect.left_center() - vec2(0.0, words.size().y / 2.0), words, ink);
                if response.clicked() {
                    clicked = Some(l);
                }
            }
        });
        clicked
    }

    /// The words on their colours, with the cursor of all tiles.
    fn cells(&self, title: &str, ui: &mut Ui, focus: &mut Focus) {
        let (style, lines, n) = (self.style, &self.words.lines, self.words.places.len());
        let size = self.cell * vec2(n as f32, lines.len() as f32);
        let (area, response) = ui.allocate_exact_size(size, Sense::click());
        let about = format!("{title}: {} lines over {n} places", lines.len());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &about));
        let rect = |l: usize, i: usize| {
            Rect::from_min_size(area.min + self.cell * vec2(i as f32, l as f32), self.cell)
        };
        let font = style.mono(style.caption.max((0.55 * self.cell.y).min(style.body)).min(self.widest(ui)));
        for (l, line) in lines.iter().enumerate() {
            for (i, word) in line.words.iter().enumerate() {
                let place = rect(l, i);
                if ui.is_rect_visible(place) {
                    let cut = Word { word: word.word.chars().take(self.letters).collect(), ..word.clone() };
                    self.words.word(ui, style, place.with_max_y(place.bottom() - 1.0), &cut, &font);
                }
            }
        }
        if let Some(i) = self.words.lit(focus) {
            let stroke = Stroke::new(1.5 * style.scale, style.accent);
            let whole = rect(0, i).union(rect(lines.len().saturating_sub(1), i));
            ui.painter().rect_stroke(whole, 2.0, stroke, StrokeKind::Inside);
        }
        let pointer = response.hover_pos().or(response.interact_pointer_pos());
        let under = pointer.map(|it| (it - area.min) / self.cell).filter(|it| it.x >= 0.0 && it.y >= 0.0);
        let under = under.map(|it| (it.y as usize, it.x as usize));
        if let Some((l, i)) = under.filter(|it| it.0 < lines.len() && it.1 < n) {
            self.words.light(l, i, response.clicked(), focus);
            if let Some(value) = lines[l].words[i].value {
                let word = &lines[l].words[i].word;
                response.on_hover_text_at_pointer(format!("{}: {word} {}", lines[l].name, number(value)));
            }
        }
    }

    /// The size of type in which the longest word fills its cell.
    fn widest(&self, ui: &Ui) -> f32 {
        let size = self.style.caption;
        let glyph = ui.fonts_mut(|it| it.glyph_width(&self.style.mono(size), '0'));
        size * (self.cell.x - 1.0) / (glyph * self.letters as f32).max(1.0)
    }
}
