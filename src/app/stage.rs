//! The tiles: which exhibit each holds, and how they stand side by side.

use std::sync::Arc;

use egui::{Rect, Stroke, StrokeKind, Ui, WidgetText};
use egui_tiles::{ResizeState, TileId, Tiles, UiResponse};
use serde_json::Value;
use web_time::Duration;

use super::action::{Action, Compute, OnTile};
use super::checks::Checks;
use super::tile;
use crate::data::Inputs;
use crate::exhibits::Exhibit;
use crate::focus::Focus;
use crate::lab::Lab;
use crate::link::{self, Tile};
use crate::models::Zoo;
use crate::page::{Scene, View};
use crate::trace::Trace;
use crate::ui::{Size, Style};

/// What a tile holds.
pub(super) struct Pane {
    /// The exhibit.
    pub(super) exhibit: Box<dyn Exhibit>,
    /// The trace that is shown before anything was computed.
    pub(super) recorded: Option<Arc<Trace>>,
    /// What was recorded last. Recording is pure, so an equal question need not be recorded again.
    pub(super) asked: Option<Question>,
    /// Height of what stands below the picture, as of the last frame: the picture gets the rest.
    pub(super) below: f32,
    /// How its page is looked at.
    pub(super) view: View,
    /// What is taken away from one of its panels.
    pub(super) minus: Option<link::Minus>,
    /// How many rows of knobs there are, as of the last frame.
    pub(super) rows: usize,
    /// Its own cursor, if it does not share the others'.
    pub(super) own: Option<Focus>,
    /// Where it and its picture are, as of the last frame.
    pub(super) seen: TileReport,
    /// Why the exhibit has no use for the model, which is loaded.
    pub(super) refused: Option<String>,
    /// Since when the trace is older than the inputs.
    pub(super) stale: Option<f64>,
}

/// The maps of a tile.
pub(super) struct Others {
    /// Which tile.
    pub(super) id: u64,
    /// Its number, from 1, in the order of a link, and its title.
    pub(super) number: usize,
    /// The title of its exhibit.
    pub(super) title: &'static str,
    /// Panels with the shapes of their maps.
    pub(super) maps: Vec<(&'static str, [usize; 2])>,
}

/// Where a tile and its parts are on the screen: tests measure it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TileReport {
    /// Id of the exhibit.
    pub exhibit: &'static str,
    /// How much of the label there is room for.
    pub size: Size,
    /// The tile.
    pub tile: Rect,
    /// All panels together.
    pub picture: Rect,
    /// The essential panels; nothing where another is asked for.
    pub main: Rect,
    /// The first row of knobs; nothing at card size.
    pub knobs: Rect,
}

impl Default for TileReport {
    fn default() -> Self {
        let nowhere = Rect::NOTHING;
        Self { exhibit: "", size: Size::Full, tile: nowhere, picture: nowhere, main: nowhere, knobs: nowhere }
    }
}

#[derive(PartialEq)]
pub(super) struct Question {
    inputs: Inputs,
    state: Value,
    /// Which weights its models have, once all are there: they may arrive, and be loaded anew.
    weights: Option<Vec<u64>>,
    /// How far something is that goes on by itself.
    progress: Option<u64>,
}

impl Pane {
    /// A tile with `exhibit`.
    pub(super) fn new(exhibit: Box<dyn Exhibit>) -> Self {
        Self {
            exhibit,
            recorded: None,
            asked: None,
            below: 0.0,
            view: View::default(),
            minus: None,
            rows: 0,
            own: None,
            seen: TileReport::default(),
            refused: None,
            stale: None,
        }
    }

    /// What of the exhibit's state differs from the default.
    pub(super) fn state(&self) -> Value {
        let state = self.exhibit.state();
        if state.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { state }
    }

    /// The tile as it stands in a link.
    pub(super) fn describe(&self, id: u64) -> Tile {
        let focus = self.own.as_ref().map(|it| it.locked);
        let (exhibit, minus) = (self.exhibit.card().id.to_owned(), self.minus.clone());
        Tile { exhibit, state: self.state(), focus, minus, id }
    }

    /// Asks the lab for what the tile shows, if it `may` record it in this frame; whether nothing is left to be asked.
    pub(super) fn ask(&mut self, id: u64, inputs: &Inputs, zoo: &Zoo, lab: &mut Lab, may: bool) -> bool {
        let models = self.exhibit.models(inputs).into_iter().filter(|id| !id.is_empty());
        let weights: Option<Vec<u64>> = models.map(|id| Some(zoo.ready(id)?.weights().id())).collect();
        let ready = weights.is_some();
        let progress = self.exhibit.progress();
        let question = Question { inputs: inputs.clone(), state: self.state(), weights, progress };
        if self.recorded.is_none() {
            self.recorded = self.exhibit.recorded(inputs);
        }
        if self.asked.as_ref() == Some(&question) {
            return true;
        }
        if !may {
            return false;
        }
        let graph = self.exhibit.record(inputs, zoo);
        self.refused = (graph.is_none() && ready).then(|| self.exhibit.refusal(inputs));
        if let Some(graph) = graph {
            lab.request(id, graph.finish());
        }
        if let Some(trace) = self.exhibit.recorded(inputs) {
            self.recorded = Some(trace);
        }
        self.asked = Some(question);
        true
    }

    /// Lets the next frame ask again.
    pub(super) fn forget(&mut self) {
        self.asked = None;
    }

    /// The trace to show: the lab's, else the recorded one.
    pub(super) fn trace(&self, id: u64, lab: &Lab) -> Option<Arc<Trace>> {
        lab.show(id).trace.or(self.recorded.as_ref()).cloned()
    }

    /// Whether the lab was asked about these inputs: text typed in this frame reaches it in the next.
    pub(super) fn has_asked(&self, inputs: &Inputs) -> bool {
        self.asked.as_ref().is_some_and(|it| it.inputs == *inputs)
    }

    /// Whether the recorded trace belongs to these inputs.
    pub(super) fn fits(&self, inputs: &Inputs) -> bool {
        self.exhibit.recorded(inputs).is_some()
    }
}

/// What all tiles see in one frame.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Lab,
    pub(super) zoo: &'a Zoo,
    pub(super) inputs: &'a mut Inputs,
    pub(super) focus: &'a mut Focus,
    pub(super) style: &'a Style,
    pub(super) checks: &'a Checks,
    /// Where models are computed.
    pub(super) compute: Compute,
    /// What they ask for.
    pub(super) actions: &'a mut Vec<Action>,
    /// How many there are.
    pub(super) tiles: usize,
    /// The maps that all of them show, for taking one away from another.
    pub(super) maps: &'a [Others],
    /// Whether one covers all others.
    pub(super) maximised: bool,
    /// Whether the system asks for less motion.
    pub(super) calm: bool,
    /// Between two frames of what moves while something is computed.
    pub(super) pace: Duration,
}

impl Stage<'_> {
    /// What an exhibit sees of it.
    pub(super) fn scene<'s>(&'s mut self, trace: &'s Trace, pick: &'s mut bool) -> Scene<'s> {
        Scene { trace, focus: self.focus, style: self.style, inputs: self.inputs, zoo: self.zoo, pick }
    }
}

impl egui_tiles::Behavior<Pane> for Stage<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, id: TileId, pane: &mut Pane) -> UiResponse {
        let dragged = tile::show(self, ui, id.0, pane);
        if dragged && self.tiles > 1 { UiResponse::DragStarted } else { UiResponse::None }
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.exhibit.card().title.into()
    }

    fn is_tab_closable(&self, _tiles: &Tiles<Pane>, _id: TileId) -> bool {
        true
    }

    fn on_tab_close(&mut self, _tiles: &mut Tiles<Pane>, id: TileId) -> bool {
        self.actions.push(Action::Tile(id.0, OnTile::Close));
        false
    }

    fn close_button_outer_size(&self) -> f32 {
        self.style.grid(2.0)
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        self.style.grid(4.0)
    }

    fn tab_title_spacing(&self, _visuals: &egui::Visuals) -> f32 {
        self.style.grid(1.5)
    }

    fn tab_bar_color(&self, _visuals: &egui::Visuals) -> egui::Color32 {
        self.style.background
    }

    fn tab_bg_color(
        &self,
        _visuals: &egui::Visuals,
        _tiles: &Tiles<Pane>,
        _id: TileId,
        state: &egui_tiles::TabState,
    ) -> egui::Color32 {
        if state.active { self.style.surface } else { self.style.background }
    }

    fn tab_outline_stroke(
        &self,
        _visuals: &egui::Visuals,
        _tiles: &Tiles<Pane>,
        _id: TileId,
        _state: &egui_tiles::TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _visuals: &egui::Visuals) -> Stroke {
        Stroke::new(1.0, self.style.hairline)
    }

    fn tab_text_color(
        &self,
        _visuals: &egui::Visuals,
        _tiles: &Tiles<Pane>,
        _id: TileId,
        state: &egui_tiles::TabState,
    ) -> egui::Color32 {
        if state.active { self.style.text } else { self.style.secondary }
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        self.style.grid(1.0)
    }

    fn min_size(&self) -> f32 {
        self.style.grid(20.0)
    }

    fn resize_stroke(&self, _style: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => Stroke::NONE,
            ResizeState::Hovering => Stroke::new(2.0, self.style.secondary),
            ResizeState::Dragging => Stroke::new(2.0, self.style.accent),
        }
    }

    fn drag_preview_stroke(&self, _visuals: &egui::Visuals) -> Stroke {
        Stroke::new(2.0, self.style.accent)
    }

    fn drag_preview_color(&self, _visuals: &egui::Visuals) -> egui::Color32 {
        self.style.accent.gamma_multiply(0.15)
    }

    fn dragged_overlay_color(&self, _visuals: &egui::Visuals) -> egui::Color32 {
        self.style.background.gamma_multiply(0.6)
    }
}

/// The ground of a tile.
pub(super) fn ground(ui: &Ui, style: &Style, rect: Rect) {
    let stroke = Stroke::new(1.0, style.hairline);
    ui.painter().rect(rect, 10.0 * style.scale, style.surface, stroke, StrokeKind::Inside);
}
