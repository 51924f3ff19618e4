//! Where everything is on the page, and drawing it on any backend.

use egui::Color32;
use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, DrawingAreaErrorKind, DrawingBackend, FontTransform, RGBAColor, Rectangle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, TextStyle};

use super::{Body, Figure, Table, plot};
use crate::ui::legend::{Divided, Legend, over};
use crate::ui::scale::{colour, grey, missing};
use crate::ui::{Style, tokens::label};

/// Faces by the names that programs know; the first is ours.
pub(super) const TEXT: &str = "Inter, Helvetica, Arial, sans-serif";
const MONO: &str = "JetBrains Mono, Menlo, Consolas, monospace";

/// Width of a letter of the monospaced face, in ems.
const ADVANCE: f32 = 0.6;
/// Type size of tokens and captions, in points.
const SMALL: f32 = 12.0;
/// Around everything, in points.
const MARGIN: f32 = 24.0;
/// Between a label and what it labels, in points.
const GAP: f32 = 8.0;
/// A link that takes more lines is not printed; the file carries it.
const LINK_LINES: usize = 3;
/// Width of the legend's bar, in points, one colour each.
const BAR: f32 = 200.0;

/// A figure with its places, in points from the top left corner.
struct Sheet<'a> {
    figure: &'a Figure,
    /// The cells; a chart fills the same room.
    body: Inside<'a>,
    style: Style,
    /// Pixels per point.
    density: f32,
    cell: f32,
    map: [f32; 2],
    width: f32,
    caption: Vec<String>,
    /// The link, or where it is.
    link: Vec<String>,
    /// Whether the column labels stand upright, as they are wider than a cell.
    upright: bool,
}

pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// What is between the title and the words.
enum Inside<'a> {
    Cells(&'a Table),
    /// Drawn by [`plot`].
    Plot,
}

/// Width and height of a chart, in points.
const CHART: [f32; 2] = [560.0, 360.0];

/// Width and height of a figure in pixels.
pub(super) fn size(figure: &Figure, density: f32) -> (u32, u32) {
    Sheet::new(figure, density).size()
}

/// Draws a figure onto any backend.
pub(super) fn draw<B: DrawingBackend>(
    figure: &Figure,
    density: f32,
    area: &DrawingArea<B, Shift>,
) -> Drawn<B> {
    Sheet::new(figure, density).draw(area)
}

impl<'a> Sheet<'a> {
    fn new(figure: &'a Figure, density: f32) -> Self {
        match &figure.body {
            Body::Table(table) => Self::cells_of(figure, table, density),
            Body::Chart(_) | Body::Bars(_) => {
                let map = [MARGIN, MARGIN + 3.0 * SMALL];
                let width = CHART[0] + 2.0 * MARGIN;
                Self::with(figure, Inside::Plot, density, (0.0, map, width, false))
            }
        }
    }

    /// Puts the words where a picture of this place and width leaves room.
    fn with(
        figure: &'a Figure,
        body: Inside<'a>,
        density: f32,
        (cell, map, width, upright): (f32, [f32; 2], f32, bool),
    ) -> Self {
        let caption = lines(&figure.caption, ((width - 2.0 * MARGIN) / (0.52 * SMALL)) as usize);
        let link = printed(&figure.link, ((width - 2.0 * MARGIN) / (ADVANCE * SMALL)) as usize);
        let style = Style::new(figure.dark, 1.0);
        Self { figure, body, style, density, cell, map, width, caption, link, upright }
    }

    fn cells_of(figure: &'a Figure, table: &'a Table, density: f32) -> Self {
        let (rows, columns) = (table.y_tokens.len().max(1), table.x_tokens.len().max(1));
        let cell = (480.0 / rows.max(columns) as f32).clamp(1.0, 32.0).floor();
        let longest = |tokens: &[String]| {
            tokens.iter().map(|token| label(token).chars().count()).max().unwrap_or(0) as f32
                * ADVANCE
                * SMALL
        };
        let upright = longest(&table.x_tokens) + 4.0 > cell;
        let line = 1.5 * SMALL;
        let left = MARGIN + line + longest(&table.y_tokens) + GAP;
        let band = if upright { longest(&table.x_tokens) } else { SMALL };
        let top = MARGIN + 2.0 * line + line + band + GAP;
        let width = (left + cell * columns as f32 + MARGIN).max(440.0);
        Self::with(figure, Inside::Cells(table), density, (cell, [left, top], width, upright))
    }

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32) {
        let text = (self.caption.len() + self.link.len()) as f32;
        let height = self.foot() + text * 1.5 * SMALL + MARGIN;
        (self.pixel(self.width) as u32, self.pixel(height) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        area.fill(&ink(self.style.surface))?;
        let title = Text { face: Face::Title, ..Text::default() };
        self.write(area, &self.figure.title, [MARGIN, MARGIN], title)?;
        match &self.body {
            Inside::Cells(table) => {
                self.cells(table, area)?;
                self.labels(table, area)?;
                self.legend(table, area)?;
            }
            Inside::Plot => {
                let corner = self.map.map(|it| self.pixel(it));
                let size = CHART.map(|it| self.pixel(it));
                let part = area.clone().shrink((corner[0], corner[1]), (size[0], size[1]));
                plot::draw(&self.figure.body, &self.style, self.density, &part)?;
            }
        }
        self.words(area)
    }

    fn cells<B: DrawingBackend>(&self, table: &Table, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let [left, top] = self.map;
        for (i, row) in table.values.chunks(table.x_tokens.len().max(1)).enumerate() {
            let shades: Vec<Color32> = row.iter().map(|&value| self.shade(table, value)).collect();
            let mut j = 0;
            // Neighbours of one colour are one rectangle: a sparse map of 512 tokens stays a small file.
            for run in shades.chunk_by(|a, b| a == b) {
                let (x, y) = (left + j as f32 * self.cell, top + i as f32 * self.cell);
                self.fill(area, [x, y], [x + run.len() as f32 * self.cell, y + self.cell], run[0])?;
                j += run.len();
            }
        }
        let [columns, rows] = [table.x_tokens.len(), table.y_tokens.len()];
        self.frame(area, self.map, [left + columns as f32 * self.cell, top + rows as f32 * self.cell])
    }

    fn shade(&self, table: &Table, value: f32) -> Color32 {
        over(colour(table.scale, self.figure.dark, table.range.place(value)), self.style.surface)
    }

    /// Tokens and what they are, along both axes; as many as do not touch.
    fn labels<B: DrawingBackend>(&self, table: &Table, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let [left, top] = self.map;
        let every = ((1.25 * SMALL / self.cell).ceil() as usize).max(1);
        let middle = |count: usize, from: f32| from + count as f32 * self.cell / 2.0;
        let axis = Text { quiet: true, ..Text::default() };
        for (i, token) in table.y_tokens.iter().enumerate().step_by(every) {
            let at = [left - GAP, top + (i as f32 + 0.5) * self.cell];
            self.write(
                area,
                &label(token),
                at,
                Text { face: Face::Token, anchor: (HPos::Right, VPos::Center), ..Text::default() },
            )?;
        }
        let every = if self.upright { every } else { 1 };
        let anchor = if self.upright { (HPos::Left, VPos::Center) } else { (HPos::Center, VPos::Bottom) };
        for (j, token) in table.x_tokens.iter().enumerate().step_by(every) {
            let at = [left + (j as f32 + 0.5) * self.cell, top - GAP];
            self.write(
                area,
                &label(token),
                at,
                Text { face: Face::Token, anchor, upright: self.upright, ..Text::default() },
            )?;
        }
        let at = [middle(table.x_tokens.len(), left), MARGIN + 3.0 * SMALL];
        self.write(area, &table.x_label, at, Text { anchor: (HPos::Center, VPos::Top), ..axis })?;
        let at = [MARGIN + SMALL / 2.0, middle(table.y_tokens.len(), top)];
        self.write(
            area,
            &table.y_label,
            at,
            Text { anchor: (HPos::Center, VPos::Center), upright: true, ..axis },
        )
    }

    fn legend_top(&self, table: &Table) -> f32 {
        self.map[1] + table.y_tokens.len() as f32 * self.cell + 2.0 * GAP
    }

    /// Where the words at the foot begin.
    fn foot(&self) -> f32 {
        match &self.body {
            Inside::Cells(table) => self.legend_top(table) + 2.5 * SMALL + GAP,
            Inside::Plot => self.map[1] + CHART[1] + GAP,
        }
    }

    fn legend<B: DrawingBackend>(&self, table: &Table, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (left, top, thick) = (MARGIN, self.legend_top(table), 10.0);
        for i in 0..BAR as usize {
            let (from, t) = (left + i as f32, i as f32 / (BAR - 1.0));
            let shade = over(colour(table.scale, self.figure.dark, t), self.style.surface);
            self.fill(area, [from, top], [from + 1.0, top + thick], shade)?;
        }
        self.frame(area, [left, top], [left + BAR, top + thick])?;
        let legend = Legend { scale: table.scale, range: table.range, divided: Divided::Not, caption: "" };
        let small = Text { quiet: true, ..Text::default() };
        for (t, text) in legend.ticks() {
            let side = if t == 0.0 {
                HPos::Left
            } else if t == 1.0 {
                HPos::Right
            } else {
                HPos::Center
            };
            let at = [left + t * BAR, top + thick + 4.0];
            self.write(area, &text, at, Text { anchor: (side, VPos::Top), ..small })?;
        }
        if table.values.iter().any(|&value| missing(value)) {
            let at = left + BAR + 3.0 * GAP;
            self.fill(area, [at, top], [at + thick, top + thick], grey(self.figure.dark))?;
            let text = [at + thick + GAP, top + thick / 2.0];
            self.write(area, "missing", text, Text { anchor: (HPos::Left, VPos::Center), ..small })?;
        }
        Ok(())
    }

    /// The caption and the link, at the foot.
    fn words<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let mut at = [MARGIN, self.foot()];
        for line in &self.caption {
            self.write(area, line, at, Text::default())?;
            at[1] += 1.5 * SMALL;
        }
        for line in &self.link {
            self.write(area, line, at, Text { quiet: true, face: Face::Token, ..Text::default() })?;
            at[1] += 1.5 * SMALL;
        }
        Ok(())
    }

    fn pixel(&self, points: f32) -> i32 {
        (points * self.density).round() as i32
    }

    fn fill<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        from: [f32; 2],
        to: [f32; 2],
        colour: Color32,
    ) -> Drawn<B> {
        let corner = |[x, y]: [f32; 2]| (self.pixel(x), self.pixel(y));
        area.draw(&Rectangle::new([corner(from), corner(to)], ink(colour).filled()))
    }

    fn frame<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        from: [f32; 2],
        to: [f32; 2],
    ) -> Drawn<B> {
        let corner = |[x, y]: [f32; 2]| (self.pixel(x), self.pixel(y));
        area.draw(&Rectangle::new([corner(from), corner(to)], ink(self.style.hairline)))
    }

    fn write<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        text: &str,
        at: [f32; 2],
        look: Text,
    ) -> Drawn<B> {
        let (family, size, weight) = match look.face {
            Face::Text => (TEXT, SMALL, FontStyle::Normal),
            Face::Title => (TEXT, 18.0, FontStyle::Bold),
            Face::Token => (MONO, SMALL, FontStyle::Normal),
        };
        // Plotters' sizes are line heights: 1.24 of the em.
        let size = f64::from(size * self.density) * 1.24;
        let turn = if look.upright { FontTransform::Rotate270 } else { FontTransform::None };
        let colour = ink(if look.quiet { self.style.secondary } else { self.style.text });
        let style = TextStyle::from(FontDesc::new(FontFamily::Name(family), size, weight).transform(turn))
            .color(&colour);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        area.draw_text(
            &text,
            &style.pos(Pos::new(look.anchor.0, look.anchor.1)),
            (self.pixel(at[0]), self.pixel(at[1])),
        )
    }
}

/// In which letters a text is set.
#[derive(Clone, Copy, PartialEq)]
enum Face {
    Text,
    Title,
    Token,
}

/// How a text looks.
#[derive(Clone, Copy)]
struct Text {
    face: Face,
    quiet: bool,
    upright: bool,
    anchor: (HPos, VPos),
}

impl Default for Text {
    fn default() -> Self {
        let anchor = (HPos::Left, VPos::Top);
        Self { face: Face::Text, quiet: false, upright: false, anchor }
    }
}

pub(super) fn ink(colour: Color32) -> RGBAColor {
    RGBAColor(colour.r(), colour.g(), colour.b(), 1.0)
}

/// The link in lines of at most `width` letters, whole: one that was cut could be copied but not opened.
fn printed(link: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = link.chars().collect();
    let lines: Vec<String> = letters.chunks(width.max(1)).map(|it| it.iter().collect()).collect();
    if lines.len() > LINK_LINES { vec!["link: see the file's metadata".to_owned()] } else { lines }
}

/// The text in lines of at most `width` letters.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
