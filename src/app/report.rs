//! What the page's scripts may know of the app.

use std::sync::Arc;

use egui_tiles::TileId;
use serde::Serialize;

use super::model::{Weights, weights};
use super::stage::{Pane, TileReport};
use super::{App, Compute, Open};
use crate::models::Bert;
use crate::trace::Trace;

/// The app in a few words and numbers, for scripts and tests in the page.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether the first tile shows what belongs to the inputs, and nothing runs.
    pub ready: bool,
    /// Whether anything runs or waits.
    pub computing: bool,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// What computes, as the badge says it.
    pub badge: String,
    /// `cpu` or `gpu`.
    pub compute: &'static str,
    /// `webgpu`, `webgl2` or `native`.
    pub renderer: &'static str,
    /// The model of the first tile.
    pub model: ModelReport,
    /// The sentence.
    pub text: String,
    /// Its tokens, as the first tile shows them.
    pub tokens: Vec<String>,
    /// How many plans were compiled.
    pub compiles: usize,
    /// How many recordings were run.
    pub runs: usize,
    /// The link to what is on the screen.
    pub link: String,
    /// How long the run took whose trace the first tile shows, in seconds.
    pub seconds: f64,
    /// Whether the first tile shows what was computed here, rather than recorded earlier.
    pub live: bool,
    /// Where the tiles on the screen and their parts are.
    pub tiles: Vec<TileReport>,
}

/// The model in a few words and numbers.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Its id.
    pub id: String,
    /// `absent`, `loading`, `ready` or `failed`.
    pub status: &'static str,
    /// Bytes that have arrived.
    pub received: u64,
    /// Bytes altogether, 0 if nobody knows.
    pub total: u64,
}

impl App {
    /// What the page's scripts may know.
    pub fn report(&self) -> Report {
        let first = self.first();
        let model = first.map_or(&*self.inputs.model, |(_, pane)| pane.exhibit.model(&self.inputs));
        let weights = weights(&self.zoo, model);
        let lab = first.map(|(id, _)| self.lab.show(id)).unwrap_or_default();
        let live = lab.trace.is_some();
        let fits = first.is_some_and(|(_, pane)| {
            if live { !lab.stale && pane.has_asked(&self.inputs) } else { pane.fits(&self.inputs) }
        });
        let failure = match &weights {
            Weights::Failed(words) => Some(words.clone()),
            _ => None,
        };
        let fault = self.lab.fault.as_ref().map(ToString::to_string);
        let (received, total) = weights.bytes();
        Report {
            ready: fits && !self.lab.computing(),
            computing: self.lab.computing(),
            error: fault.or(lab.error.map(str::to_owned)).or(failure),
            badge: self.badge(),
            compute: match self.compute {
                Compute::Cpu => "cpu",
                Compute::Gpu => "gpu",
            },
            renderer: self.renderer,
            model: ModelReport { id: model.to_owned(), status: weights.word(), received, total },
            text: self.inputs.text.clone(),
            tokens: self.tokens(),
            compiles: self.lab.compiles,
            runs: self.lab.runs,
            link: crate::link::encode(&self.snapshot()),
            seconds: lab.trace.map_or(0.0, |it| it.stats.seconds),
            live,
            tiles: self.seen(),
        }
    }

    fn seen(&self) -> Vec<TileReport> {
        let pane = |id| self.tree.tiles.get_pane(&TileId::from_u64(id));
        self.tiles().into_iter().filter_map(|id| Some(pane(id)?.seen.clone())).collect()
    }

    /// The model, once it is loaded.
    pub fn model(&self) -> Option<Arc<Bert>> {
        self.zoo.ready(&self.inputs.model)?.clone().share()
    }

    /// How to open the GPU, if that is what computes.
    pub fn opener(&self) -> Option<Open> {
        self.gpu.as_ref().ok().filter(|_| self.compute == Compute::Gpu).cloned()
    }

    /// The trace of the first tile.
    pub fn trace(&self) -> Option<Arc<Trace>> {
        let (id, pane) = self.first()?;
        pane.trace(id, &self.lab)
    }

    /// The tokens of the sentence, as the first tile shows them.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.trace().map(|it| it.words("tokens").to_vec()).unwrap_or_default()
    }

    /// The first tile in reading order.
    pub(super) fn first(&self) -> Option<(u64, &Pane)> {
        let id = *self.tiles().first()?;
        Some((id, self.tree.tiles.get_pane(&TileId::from_u64(id))?))
    }
}
