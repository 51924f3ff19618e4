//! Pictures on the screen: drawing, hover, click and read-out of what a panel describes.

use egui::{Pos2, Rect, Ui, UiBuilder, Vec2, pos2, vec2};

use super::picture::{Cells, Field, Fields, Map, Picture, Touch};
use super::{Scene, Sign};
use crate::focus::Focus;
use crate::ui::{Axes, Bars, Chart, Divided, Hit, Legend, Lines, Scale, Square, Style, number};

impl Picture {
    /// Draws it into the room that there is; what was done to it. An exhibit draws its [`Picture::Own`] itself.
    pub(super) fn draw(&self, title: &str, ui: &mut Ui, scene: &mut Scene<'_>) -> Option<Touch> {
        let (style, focus) = (scene.style, &mut *scene.focus);
        match self {
            Self::Own => None,
            Self::Cells(it) => it.draw(title, ui, style, focus),
            Self::Fields(it) => it.draw(title, ui, style, focus),
            Self::Heads(it) => it.draw(ui, style, focus),
            Self::Chart(it) => chart(it, ui, style, focus),
            Self::Bars(it) => bars(it, ui, style, focus),
            Self::Words(it) => it.draw(title, ui, style, focus),
            Self::Seen(it) => {
                it.draw(ui, scene, it.map.as_ref().map(Map::maps));
                None
            }
        }
    }
}

fn chart(chart: &Chart, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
    let touched = chart.show(ui, style, ui.available_size());
    if let Some(words) = touched.words {
        focus.readout = words;
    }
    touched.dragged.map(|(i, at)| Touch::Dragged(i, at))
}

fn bars(bars: &Bars, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
    let (clicked, words) = bars.show(ui, style);
    if let Some(words) = words {
        focus.readout = words;
    }
    clicked.map(Touch::Clicked)
}

impl Cells {
    fn draw(&self, title: &str, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
        let tall = ui.available_height() > style.grid(18.0);
        let signed = self.map.scale == Scale::Diverging;
        let legend = Legend {
            scale: self.map.scale,
            range: self.map.range,
            divided: self.map.divided(),
            caption: &self.value,
        };
        // Opacity says how much of a line, colour only of a change.
        let rect = if tall && (self.lines.is_none() || signed) {
            foot(ui, style.grid(0.5), |ui| drop(legend.show(ui, style)))
        } else {
            ui.available_rect_before_wrap()
        };
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("map"));
        let (spot, [queries, keys]) = (focus.spot(), &self.words);
        let hit = if let Some(hue) = self.lines {
            let empty = || vec![0.0; queries.len() * keys.len()].into();
            let weights = self.map.values().unwrap_or_else(empty);
            let change = signed.then_some(self.map.range.max);
            let lines = Lines { queries, keys, weights: &weights, hue, change, spot };
            let scroll = egui::ScrollArea::vertical().id_salt("lines").auto_shrink(false);
            scroll.show(&mut ui, |ui| lines.show(ui, style)).inner
        } else {
            let axes = Axes {
                maps: self.map.maps(),
                map: self.map.index,
                queries,
                keys,
                spot,
                name: title,
                axes: self.axes,
            };
            axes.show(&mut ui, style, rect.height())
        };
        let said = self.said(title, &hit, focus);
        hit.link(focus, self.spot);
        if let Some(value) = said.filter(|_| hit.query.is_some() && hit.key.is_some()) {
            hit.response.on_hover_text_at_pointer(value);
        }
        None
    }

    /// Writes the read-out of the cell under the cursor; returns its number alone.
    fn said(&self, title: &str, hit: &Hit, focus: &mut Focus) -> Option<String> {
        let spot = focus.spot();
        let (row, col) = (hit.query.or(spot.query)?, hit.key.or(spot.key)?);
        let (rows, cols) = (self.map.rows, self.map.cols);
        // Another tile under the pointer speaks first.
        if row >= rows || col >= cols || (!focus.readout.is_empty() && hit.query.is_none()) {
            return None;
        }
        let values = self.map.values()?;
        let (value, all) = (values[row * cols + col], &values[row * cols..][..cols]);
        let also: Vec<String> = self
            .also
            .iter()
            .filter_map(|(name, map)| Some(format!("{name} {}", number(map.value(row, col)?))))
            .collect();
        let said = format!(
            "{}{}",
            number(value),
            if also.is_empty() { String::new() } else { format!(" ({})", also.join(", ")) }
        );
        let word = |along: usize, i: usize| self.words[along].get(i).map_or("", String::as_str);
        let [down, across] = self.axes;
        focus.readout = if self.map.scale == Scale::Diverging {
            format!(
                "{title} · {down} “{}” ({row}), {across} “{}” ({col}): {said}",
                word(0, row),
                word(1, col)
            )
        } else {
            let rank = 1 + all.iter().filter(|other| **other > value).count();
            format!(
                "{title} · {down} “{}” ({row}), {across} “{}” ({col}): {said} · rank {rank} of {cols} · row sums to {}",
                word(0, row),
                word(1, col),
                number(all.iter().sum())
            )
        };
        Some(said)
    }
}

/// Draws what stands at the foot of a panel; returns the room above it.
fn foot(ui: &mut Ui, gap: f32, draw: impl FnOnce(&mut Ui)) -> Rect {
    let rect = ui.available_rect_before_wrap();
    let layout = egui::Layout::bottom_up(egui::Align::Min);
    let mut below = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    draw(&mut below);
    Rect::from_min_max(rect.min, pos2(rect.right(), below.min_rect().top() - gap))
}

/// How maps share a room.
struct Share {
    columns: usize,
    side: f32,
}

impl Fields {
    fn draw(&self, title: &str, ui: &mut Ui, style: &Style, focus: &mut Focus) -> Option<Touch> {
        let mut rect = ui.available_rect_before_wrap();
        if let Some(legend) = self.legend(style, rect.height()) {
            let below = legend.height(ui, style) + style.grid(0.5);
            if self.is_equation() {
                // It leaves room below it, where the legend stands close to it.
                let maps = self.share(style, rect.size() - vec2(0.0, below)).side + self.below(style);
                rect.set_height(rect.height().min(maps + style.grid(2.0) + below));
            }
            let mut whole = ui.new_child(UiBuilder::new().max_rect(rect));
            rect = foot(&mut whole, style.grid(0.5), |ui| drop(legend.show(ui, style)));
        }
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("maps"));
        let (gap, share) = (style.grid(1.0), self.share(style, rect.size()));
        let mut touch = None;
        let scroll = egui::ScrollArea::vertical().id_salt("maps").auto_shrink(false);
        scroll.show(&mut ui, |ui| {
            // The edge of what is chosen needs room.
            ui.add_space(0.25 * gap);
            ui.spacing_mut().item_spacing = Vec2::splat(gap);
            for (r, row) in self.fields.chunks(share.columns).enumerate() {
                ui.horizontal(|ui| {
                    for (i, field) in row.iter().enumerate() {
                        let i = r * share.columns + i;
                        if let Some(sign) = &field.sign {
                            sign.draw(ui, style, share.side);
                        }
                        if self.one(title, ui, style, focus, i, share.side) {
                            touch = Some(Touch::Clicked(i));
                        }
                    }
                });
            }
        });
        touch
    }

    /// What the colours say, in a panel of this height; nothing where maps would be small.
    fn legend(&self, style: &Style, height: f32) -> Option<Legend<'_>> {
        let map = self.fields.iter().find_map(|it| it.map.as_ref())?;
        let words = self.legend.as_ref()?;
        let (scale, range, divided) = (map.scale, map.range, map.divided());
        let (caption, divided) =
            if height > style.grid(18.0) { (&**words, divided) } else { ("", Divided::Not) };
        let least = style.grid(if self.fields.len() > 1 { 14.0 } else { 10.0 });
        (height > least).then_some(Legend { scale, range, divided, caption })
    }

    /// Whether there are signs between the maps, which then stand in one line.
    fn is_equation(&self) -> bool {
        self.fields.iter().any(|it| it.sign.is_some())
    }

    /// In how many columns they are largest, and how large. Where that is too small to read they scroll.
    fn share(&self, style: &Style, room: Vec2) -> Share {
        let (n, gap) = (self.fields.len().max(1), style.grid(1.0));
        // A name needs more room than a map.
        let least = style.grid(if self.below(style) > 0.0 { 5.0 } else { 3.0 });
        let below = self.below(style);
        let signs = self.fields.iter().filter(|it| it.sign.is_some()).count() as f32;
        let room = room - vec2(signs * (Sign::width(style) + gap), 0.0);
        let fewest = if self.is_equation() { n } else { 1 };
        let side = |columns: usize| {
            let wide = (room.x + gap - 2.0) / columns as f32 - gap;
            wide.min((room.y + 0.5 * gap) / n.div_ceil(columns) as f32 - gap - below).floor()
        };
        let best = (fewest..=n).max_by(|a, b| side(*a).total_cmp(&side(*b))).unwrap_or(n);
        if side(best) >= least.min(room.x - gap) {
            return Share { columns: best, side: side(best) };
        }
        let columns = (((room.x + gap) / (least + gap)) as usize).clamp(fewest, n);
        Share { columns, side: ((room.x + gap - 2.0) / columns as f32 - gap).floor().clamp(1.0, 2.0 * least) }
    }

    /// What stands below a map: its name, or what tells it from the others where that is too long, as "2.1" of "conv 2.1".
    fn caption(&self, i: usize, fits: impl Fn(&str) -> bool) -> &str {
        let name = &*self.fields[i].name;
        let Some((first, rest)) = name.split_once(' ').filter(|_| !fits(name)) else { return name };
        let alike = |it: &Field| it.name.split_once(' ').is_some_and(|it| it.0 == first);
        if self.fields.iter().filter(|it| alike(it)).count() > 1 { rest } else { name }
    }

    /// Height of what stands below each, in points.
    fn below(&self, style: &Style) -> f32 {
        if self.fields.iter().all(|it| it.name.is_empty()) { 0.0 } else { Square::caption_height(style) }
    }

    /// One map; whether it was clicked.
    fn one(&self, title: &str, ui: &mut Ui, style: &Style, focus: &mut Focus, i: usize, side: f32) -> bool {
        let field = &self.fields[i];
        let maps = field.map.as_ref().map(|it| (it.maps(), it.index));
        let square = Square {
            maps,
            caption: self.caption(i, |words| {
                let words =
                    ui.painter().layout_no_wrap(words.to_owned(), style.regular(style.caption), style.text);
                words.size().x <= side
            }),
            note: &field.note,
            lit: field.lit,
            linked: self.linked,
            words: if field.name.is_empty() { title } else { &field.name },
        };
        let (response, at) = square.show(ui, style, focus, side);
        let rect = Rect::from_min_size(response.rect.min, Vec2::splat(side));
        for ([x, y], above) in &self.dots {
            let end = crate::ui::scale::table(Scale::Diverging, style.dark)[if *above { 235 } else { 20 }];
            let edge = egui::Color32::from_gray(if style.dark { 0 } else { 255 });
            let centre: Pos2 = rect.min + side * vec2(*x, *y);
            ui.painter().circle(centre, 0.009 * side, end, (0.003 * side, edge));
        }
        outline(ui, style, rect, &field.line);
        let clicked = response.clicked() && !self.click.is_empty();
        let there = at.or(focus.spot().at.filter(|_| self.linked));
        let value = |at, map: &Map| if self.said.is_some() { map.at(at) } else { map.share(at) };
        if let Some((at, value)) = there.and_then(|at| Some((at, value(at, field.map.as_ref()?)?))) {
            // Beside the pointer this one speaks, elsewhere whoever comes first.
            if response.hovered() || (self.linked && focus.readout.is_empty()) {
                focus.readout = self.said(title, i, at);
            }
            let name = if field.name.is_empty() { self.value } else { &field.name };
            response.on_hover_text_at_pointer(format!("{name}: {}", number(value)));
        }
        clicked
    }

    /// What all maps say of a place, that under the pointer first.
    fn said(&self, title: &str, first: usize, at: [u16; 2]) -> String {
        if let Some(said) = &self.said {
            return said.clone();
        }
        let order = std::iter::once(first).chain((0..self.fields.len()).filter(|i| *i != first));
        let each = order.filter_map(|i| {
            let field = &self.fields[i];
            Some(format!("{} {}", field.name, number(field.map.as_ref()?.share(at)?)).trim().to_owned())
        });
        let mut each: Vec<String> = each.take(12).collect();
        let field = &self.fields[first];
        let also =
            field.also.iter().filter_map(|(name, map)| Some(format!("{name} {}", number(map.share(at)?))));
        let also = also.collect::<Vec<_>>().join(", ");
        if let Some(own) = each.first_mut().filter(|_| !also.is_empty()) {
            *own = format!("{own} ({also})");
        }
        let Some(map) = &field.map else { return String::new() };
        let ([row, col], of) =
            (map.cell(at), if map.divided() == Divided::Map { ", of each map's largest value" } else { "" });
        format!("{title} · row {row}, column {col}{of}: {}", each.join(" · "))
    }
}

/// A line over a map, seen on any colour, as far as it lies inside.
fn outline(ui: &Ui, style: &Style, rect: Rect, line: &[[f32; 2]]) {
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let points: Vec<Pos2> = line.iter().map(|[x, y]| rect.min + rect.size() * vec2(*x, *y)).collect();
    for (width, colour) in [(3.0, style.surface.gamma_multiply(0.6)), (1.5, style.text)] {
        painter.line(points.clone(), egui::Stroke::new(width * style.scale, colour));
    }
}
