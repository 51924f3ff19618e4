//! The logit lens: rows are layers, columns positions, and every cell says what would come next.

use egui::{Align2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};

use super::reading::{Reading, light, visible};
use super::{NextCharacter, heads, table};
use crate::models::sampling::{likeliest, probabilities};
use crate::page::{Panel, Room, Scene, panel};
use crate::ui::{Divided, Legend, Range, Scale, Table, number, readable_on, scale::colour};

/// What the colours say.
const LEGEND: Legend<'_> = Legend {
    scale: Scale::Sequential,
    range: Range::UNIT,
    divided: Divided::Not,
    caption: "its probability; framed: it follows",
    missing: None,
};

/// A line a layer and two more; those of a deep model scroll.
pub(super) fn room(reading: &Reading) -> Panel {
    let rows = (reading.stages() + 2) as f32;
    let room = Room::fill(220.0, 18.0 * rows.min(9.0)).at_most_high(22.0 * rows + 50.0);
    panel("logit lens", 2, room).titled("Logit lens: the first choice of every layer")
}

/// Draws the lens; its rows share the height.
pub(super) fn show(state: &NextCharacter, reading: &Reading, ui: &mut egui::Ui, scene: &mut Scene<'_>) {
    let style = scene.style;
    let (rows, least) = ((reading.stages() + 2) as f32, 1.35 * style.caption);
    LEGEND.below(ui, style, rows.min(9.0) * least, |ui, height| {
        let line = (height / rows).clamp(least, 2.15 * style.caption);
        let scroll = ScrollArea::vertical().id_salt("lens").max_height(height);
        scroll.show(ui, |ui| cells(state, reading, ui, scene, line));
    });
}

/// Draws as many positions as fit, up to the end or around the locked one.
fn cells(state: &NextCharacter, reading: &Reading, ui: &mut egui::Ui, scene: &mut Scene<'_>, line: f32) {
    let style = scene.style;
    let (stages, n) = (reading.stages(), reading.tokens.len());
    let (label, least) = (style.caption * 5.6, style.caption * 1.1);
    let width = ui.available_width() - label;
    let columns = ((width / least) as usize).clamp(1, n);
    let cell = vec2((width / columns as f32).min(style.grid(4.0)), line);
    // What is hovered must not move what is under the pointer: only a locked position does.
    let locked = scene.focus.locked.query.filter(|it| *it < n).unwrap_or(n - 1);
    let first =
        (locked + 1).saturating_sub(columns).max((locked + columns / 2).min(n).saturating_sub(columns));
    let size = vec2(label + cell.x * columns as f32, cell.y * (stages + 2) as f32);
    let (area, response) = ui.allocate_exact_size(size, Sense::click());
    let grid = Grid { first, columns, corner: pos2(area.left() + label, area.top()), cell };
    let at = reading.at(scene.focus.spot());
    let looks = heads::looks(scene, at).filter(|it| it.len() == n);
    grid.names(reading, ui, scene, area.left());
    for column in 0..columns {
        grid.column(state, reading, ui, scene, column, looks.as_deref());
    }
    if let Some(column) = at.checked_sub(first).filter(|it| *it < columns) {
        let frame = grid.rect(column, 0).union(grid.rect(column, stages + 1));
        let stroke = Stroke::new(1.5 * style.scale, style.accent);
        ui.painter().rect_stroke(frame, 2.0, stroke, StrokeKind::Inside);
    }
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Image, true, format!("logit lens: {stages} layers by {columns} positions"))
    });
    let pointer = response.hover_pos().or(response.interact_pointer_pos());
    if let Some((column, row)) = pointer.and_then(|it| grid.under(it)) {
        let (stage, at) = (row.saturating_sub(1).min(stages - 1), first + column);
        scene.focus.readout = words(state, reading, scene, stage, at);
        light(scene.focus, at, stage.checked_sub(1), response.clicked());
        let (best, p) = reading.best(stage, at);
        response.on_hover_text_at_pointer(format!("{} {}", reading.word(best, state, scene), number(p)));
    }
}

/// Where cells are. Row 0 is what is read, the last row what follows.
struct Grid {
    first: usize,
    columns: usize,
    corner: egui::Pos2,
    cell: egui::Vec2,
}

impl Grid {
    fn rect(&self, column: usize, row: usize) -> Rect {
        Rect::from_min_size(self.corner + self.cell * vec2(column as f32, row as f32), self.cell)
    }

    fn under(&self, pos: egui::Pos2) -> Option<(usize, usize)> {
        let at = (pos - self.corner) / self.cell;
        (at.x >= 0.0 && at.y >= 0.0 && (at.x as usize) < self.columns)
            .then_some((at.x as usize, at.y as usize))
    }

    fn names(&self, reading: &Reading, ui: &egui::Ui, scene: &Scene<'_>, left: f32) {
        let stages = reading.stages();
        for row in 0..stages + 2 {
            let name = match row {
                0 => "it reads".to_owned(),
                _ if row == stages + 1 => "follows".to_owned(),
                _ => reading.stage_name(row - 1),
            };
            let at = pos2(left, self.rect(0, row).center().y);
            let font = scene.style.regular(scene.style.caption);
            ui.painter().text(at, Align2::LEFT_CENTER, name, font, scene.style.secondary);
        }
    }

    fn column(
        &self,
        state: &NextCharacter,
        reading: &Reading,
        ui: &egui::Ui,
        scene: &Scene<'_>,
        column: usize,
        looks: Option<&[f32]>,
    ) {
        let (style, at) = (scene.style, self.first + column);
        let font = style.mono(style.caption);
        let write = |rect: Rect, word: &str, ink| {
            let fits = (self.cell.x / (style.caption * 0.6)).max(1.0) as usize;
            let word: String = word.chars().take(fits).collect();
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, word, font.clone(), ink);
        };
        let top = self.rect(column, 0);
        let seen = looks.and_then(|it| it.get(at)).copied().filter(|it| *it > 0.0);
        let fill = seen.map_or(style.surface, |it| colour(Scale::Sequential, style.dark, it));
        ui.painter().rect_filled(top.shrink(0.5), 2.0, fill);
        let ink = if seen.is_some() { readable_on(fill) } else { style.secondary };
        write(top, &visible(&reading.tokens[at]), ink);
        let follows = reading.follows(at);
        for stage in 0..reading.stages() {
            let rect = self.rect(column, stage + 1);
            let (best, p) = reading.best(stage, at);
            let fill = colour(Scale::Sequential, style.dark, p);
            let word = reading.word(best, state, scene);
            ui.painter().rect_filled(rect.shrink(0.5), 2.0, fill);
            write(rect, &word, readable_on(fill));
            if follows.as_ref() == Some(&word) {
                let stroke = Stroke::new(1.5 * style.scale, readable_on(fill));
                ui.painter().rect_stroke(rect.shrink(1.0), 2.0, stroke, StrokeKind::Inside);
            }
        }
        write(self.rect(column, reading.stages() + 1), follows.as_deref().unwrap_or("?"), style.text);
    }
}

/// A cell in words.
fn words(state: &NextCharacter, reading: &Reading, scene: &Scene<'_>, stage: usize, at: usize) -> String {
    let logits = reading.logits(stage, at);
    let (p, order) = (probabilities(logits), likeliest(logits, logits.len()));
    let likeliest: Vec<String> = order
        .iter()
        .take(3)
        .map(|id| format!("“{}” {}", reading.word(*id, state, scene), number(p[*id] as f32)))
        .collect();
    let follows = reading.follows(at);
    let rank =
        follows.as_ref().and_then(|it| order.iter().position(|id| reading.word(*id, state, scene) == *it));
    let truth = follows.zip(rank).map_or_else(String::new, |(word, rank)| {
        format!(" · “{word}” follows: {}, rank {}", number(p[order[rank]] as f32), rank + 1)
    });
    format!(
        "{} after “{}” ({at}): {}{truth}",
        reading.stage_name(stage),
        visible(&reading.tokens[at]),
        likeliest.join(", ")
    )
}

/// The lens, for papers: probability of every layer's first choice.
pub(super) fn table_of(reading: &Reading) -> Table {
    let tokens: Vec<String> = reading.tokens.iter().map(|it| visible(it)).collect();
    let rows: Vec<String> = (0..reading.stages()).map(|it| reading.stage_name(it)).collect();
    let values = (0..rows.len()).flat_map(|l| (0..tokens.len()).map(move |i| reading.best(l, i).1));
    let values = values.collect();
    table(["after", "read out at"], [tokens, rows], values)
}
