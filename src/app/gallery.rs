//! The gallery: a page of cards, one an exhibit.

use egui::{Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, vec2};

use super::action::Action;
use super::tile::quiet;
use crate::exhibits::{Entry, Inputs, Scene};
use crate::focus::Focus;
use crate::models::Zoo;
use crate::ui::{Figure, Style, scale};

/// Most cells along an edge of a thumbnail.
const CELLS: usize = 24;

/// The gallery, with the figures that its thumbnails are drawn from.
#[derive(Default)]
pub(super) struct Gallery(Vec<Option<Figure>>);

impl Gallery {
    /// Shows the page; a click on a card opens its exhibit.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        style: &Style,
        entries: &[Entry],
        zoo: &Zoo,
        actions: &mut Vec<Action>,
    ) {
        self.0.resize_with(entries.len(), || None);
        for (figure, entry) in self.0.iter_mut().zip(entries).filter(|it| it.0.is_none()) {
            *figure = self::figure(entry, style, zoo);
        }
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.add_space(style.grid(2.0));
            ui.label(RichText::new("Exhibits").font(style.semibold(style.page)).color(style.text));
            let words = "Each shows one idea at work in a real model. Open several and compare them under one cursor.";
            ui.label(quiet(style, words));
            ui.add_space(style.grid(2.0));
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(style.grid(2.0), style.grid(2.0));
                for (entry, figure) in entries.iter().zip(&self.0) {
                    if card(ui, style, entry, figure.as_ref()).clicked() {
                        actions.push(Action::Open(entry.card.id));
                    }
                }
            });
        });
    }
}

/// What the exhibit shows before anything was computed.
fn figure(entry: &Entry, style: &Style, zoo: &Zoo) -> Option<Figure> {
    let exhibit = (entry.open)(serde_json::Value::Null).ok()?;
    let mut inputs = Inputs::default();
    let trace = exhibit.recorded(&inputs)?;
    exhibit.figure(&Scene {
        trace: &trace,
        focus: &mut Focus::default(),
        style,
        inputs: &mut inputs,
        zoo,
        pick: &mut false,
    })
}

fn card(ui: &mut Ui, style: &Style, entry: &Entry, figure: Option<&Figure>) -> egui::Response {
    let width = style.grid(40.0).min(ui.available_width());
    let (rect, response) = ui.allocate_exact_size(vec2(width, style.grid(44.0)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Open {}", entry.card.title)));
    let edge = if response.hovered() || response.has_focus() { style.accent } else { style.hairline };
    let stroke = Stroke::new(1.0, edge);
    ui.painter().rect(rect, 10.0 * style.scale, style.surface, stroke, StrokeKind::Inside);
    let inside = rect.shrink(style.grid(2.0));
    let (above, below) = inside.split_top_bottom_at_y(inside.top() + style.grid(24.0));
    if let Some(figure) = figure {
        thumbnail(ui, style, above, figure);
    }
    ui.scope_builder(
        UiBuilder::new().max_rect(below).layout(egui::Layout::top_down(egui::Align::Min)),
        |ui| {
            ui.style_mut().interaction.selectable_labels = false;
            ui.add_space(style.grid(1.0));
            ui.label(RichText::new(entry.card.title).font(style.semibold(style.title)).color(style.text));
            ui.label(RichText::new(entry.card.claim).font(style.regular(style.body)).color(style.text));
            ui.add_space(style.grid(0.5));
            ui.label(quiet(
                style,
                format!("{} · {} · {}", entry.card.family, entry.card.paper, entry.card.year),
            ));
        },
    );
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// The figure's cells, without words.
fn thumbnail(ui: &Ui, style: &Style, rect: Rect, figure: &Figure) {
    let (rows, cols) = (figure.y_tokens.len(), figure.x_tokens.len());
    let (rows_shown, cols_shown) = (rows.min(CELLS), cols.min(CELLS));
    if rows_shown == 0 || cols_shown == 0 || figure.values.len() < rows * cols {
        return;
    }
    let cell = (rect.width() / cols_shown as f32).min(rect.height() / rows_shown as f32);
    let origin = rect.center() - cell * vec2(cols_shown as f32, rows_shown as f32) / 2.0;
    for i in 0..rows_shown {
        for j in 0..cols_shown {
            let value = figure.values[i * cols + j];
            let t = (value - figure.range.min) / (figure.range.max - figure.range.min);
            let corner = origin + cell * vec2(j as f32, i as f32);
            let square = Rect::from_min_size(corner, egui::Vec2::splat(cell)).shrink(0.03 * cell);
            ui.painter().rect_filled(square, 0.0, scale::colour(figure.scale, style.dark, t));
        }
    }
}
