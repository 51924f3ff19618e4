//! Doing what clicks and keys ask for.

use std::path::Path;
use std::sync::Arc;

use egui::Context;
use egui_tiles::TileId;

use super::action::{Action, Compute, Format, OnModel, OnTile, Preset};
use super::layout::{self, Place};
use super::model::{Weights, weights};
use super::{App, Filling, News, bar};
use crate::data::Image;
use crate::engine::EngineError;
use crate::focus::{Focus, Spot};
use crate::lab;
use crate::link::{self, Layout, State, Tabs, Tile};
use crate::models::{Kind, Status};
use crate::page::Scene;
use crate::platform;

impl App {
    /// Does what a click or a key asked for.
    pub(super) fn act(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::EditText => ctx.memory_mut(|it| it.request_focus(bar::sentence_id())),
            Action::Release => self.release(),
            Action::Walk { query, key } => self.walk(query, key),
            Action::Head(step) => self.step(step, 0),
            Action::Layer(step) => self.step(0, step),
            Action::Retry => self.retry(ctx),
            Action::Undo => self.travel(|app, now| app.history.undo(now).cloned()),
            Action::Redo => self.travel(|app, now| app.history.redo(now).cloned()),
            Action::Share => self.share(ctx),
            Action::Gallery => self.fill(self.filling != Filling::Gallery),
            Action::Help => self.help = !self.help,
            Action::Open(exhibit) => self.add(exhibit),
            Action::Tile(id, what) => self.on_tile(ctx, id, what),
            Action::Arrange(preset) => {
                let screen = self.screen;
                self.edit(|layout| Some(arrange(&layout, preset, screen)));
            }
            Action::Headlines => {
                if let Err(reason) = self.restore(self.headlines(self.screen, self.snapshot())) {
                    self.notices.warn(reason);
                }
            }
            Action::Minus(id, minus) => self.take_away(id, minus),
            Action::Compute(compute) => self.switch(compute),
            Action::Theme(theme) => self.theme = theme,
            Action::Size(size) => self.size = size,
            Action::Resize(step) => self.size = bar::resized(self.size, step),
            Action::Model(what) => self.on_model(ctx, what),
        }
    }

    fn on_tile(&mut self, ctx: &Context, id: u64, what: OnTile) {
        match what {
            OnTile::Close => self.edit(|layout| layout::remove(layout, id)),
            OnTile::Duplicate(place) => self.duplicate(id, place),
            OnTile::Maximise => self.maximised = if self.maximised.is_some() { None } else { Some(id) },
            OnTile::Retry => self.again(id),
            OnTile::Stop => self.lab.cancel(id),
            OnTile::Unlink => self.unlink(id),
            OnTile::Export(format, panel) => self.export(ctx, id, format, panel),
        }
    }

    fn on_model(&mut self, ctx: &Context, what: OnModel) {
        match what {
            OnModel::Choose(id) => self.inputs.model = id,
            // A tile may show another model than the chosen one.
            OnModel::Load(id) => self.zoo.load(&id),
            OnModel::Cancel(id) => self.zoo.cancel(&id),
            OnModel::Forget(id) => self.zoo.forget(&id),
            OnModel::From(address) => {
                if let Err(reason) = self.zoo.add_url(&address) {
                    self.notices.warn(format!("{reason}."));
                }
            }
            OnModel::Pick => {
                let (news, ctx, files) = (self.news.0.clone(), ctx.clone(), platform::pick_files());
                platform::spawn(async move {
                    let _ = news.send(News::Files(files.await));
                    ctx.request_repaint();
                });
            }
        }
    }

    /// Esc: the innermost thing first.
    fn release(&mut self) {
        if self.help {
            self.help = false;
        } else if self.filling == Filling::Gallery {
            self.fill(false);
        } else if self.focus.is_locked() {
            self.focus.release();
        } else {
            self.maximised = None;
        }
    }

    /// Moves the locked pair of tokens, from the first pair if none is locked.
    fn walk(&mut self, query: isize, key: isize) {
        let tokens = self.tokens().len();
        let locked = self.focus.locked;
        let moved = |from: Option<usize>, step: isize| {
            let to = from.map_or(0, |it| it.saturating_add_signed(step));
            (tokens > 0).then(|| to.min(tokens - 1))
        };
        self.focus.locked = Spot { query: moved(locked.query, query), key: moved(locked.key, key), ..locked };
    }

    /// Another head or layer, as far as the first tile has them.
    fn step(&mut self, head: isize, layer: isize) {
        let Some(trace) = self.first().and_then(|(id, pane)| pane.trace(id, &self.lab)) else { return };
        let pattern = |l: usize| trace.get(&format!("blocks.{l}.attn.pattern"));
        let layers = (0..1000).take_while(|l| pattern(*l).is_some()).count();
        let heads = pattern(0).and_then(|it| it.shape.first().copied()).unwrap_or(0);
        self.focus.step([head, layer], [heads, layers]);
    }

    /// Tries again whatever failed.
    fn retry(&mut self, ctx: &Context) {
        if self.lab.fault.is_some() {
            self.switch(self.compute);
        }
        for id in self.models(&self.shown(ctx)) {
            if matches!(weights(&self.zoo, &id), Weights::Failed(_)) {
                self.zoo.load(&id);
            }
        }
        for id in self.shown(ctx) {
            if self.lab.show(id).error.is_some() {
                self.again(id);
            }
        }
    }

    /// Gives a tile a cursor of its own, or takes it back.
    fn unlink(&mut self, id: u64) {
        if let Some(egui_tiles::Tile::Pane(pane)) = self.tree.tiles.get_mut(TileId::from_u64(id)) {
            let shared = Focus::at(self.focus.locked);
            pane.own = if pane.own.is_some() { None } else { Some(shared) };
        }
    }

    fn take_away(&mut self, id: u64, minus: Option<link::Minus>) {
        if let Some(egui_tiles::Tile::Pane(pane)) = self.tree.tiles.get_mut(TileId::from_u64(id)) {
            pane.minus = minus;
        }
    }

    fn again(&mut self, id: u64) {
        self.lab.retry(id);
        if let Some(egui_tiles::Tile::Pane(pane)) = self.tree.tiles.get_mut(TileId::from_u64(id)) {
            pane.forget();
        }
    }

    fn travel(&mut self, to: impl FnOnce(&mut Self, &State) -> Option<State>) {
        let now = self.snapshot();
        if let Some(state) = to(self, &now)
            && let Err(reason) = self.restore(state)
        {
            self.notices.warn(reason);
        }
    }

    fn share(&mut self, ctx: &Context) {
        ctx.copy_text(platform::shareable(&link::encode(&self.snapshot())));
        self.notices.say(ctx, "Copied: whoever opens it sees what you see.");
    }

    /// A new tile: where it has most room on a wall, and to the right of all others where a person has arranged them.
    fn add(&mut self, exhibit: &'static str) {
        self.fill(false);
        let new = Tile { exhibit: exhibit.to_owned(), id: self.next_id, ..Tile::default() };
        (self.front, self.maximised) = (Some(new.id), None);
        let Some(layout) = self.snapshot().tiles else { return self.put(Some(Layout::Tile(new))) };
        let mut tiles: Vec<Layout> = layout.each().into_iter().cloned().map(Layout::Tile).collect();
        let last = self.tiles().last().copied().unwrap_or_default();
        self.put(Some(if layout::wall(tiles.clone(), self.screen) == layout {
            tiles.push(Layout::Tile(new));
            layout::wall(tiles, self.screen)
        } else {
            layout::insert(layout, last, Place::Right, &new)
        }));
    }

    fn duplicate(&mut self, id: u64, place: Place) {
        let Some(pane) = self.tree.tiles.get_pane(&TileId::from_u64(id)) else { return };
        let new = pane.describe(self.next_id);
        (self.front, self.maximised) = (Some(new.id), None);
        self.edit(|layout| Some(layout::insert(layout, id, place, &new)));
    }

    /// Changes the layout.
    fn edit(&mut self, change: impl FnOnce(Layout) -> Option<Layout>) {
        if let Some(layout) = self.snapshot().tiles {
            self.put(change(layout));
        }
    }

    fn put(&mut self, tiles: Option<Layout>) {
        let state = State { tiles, ..self.snapshot() };
        if let Err(reason) = self.restore(state) {
            self.notices.warn(reason);
        }
    }

    /// Computes on the CPU or the GPU from now on.
    pub(super) fn switch(&mut self, compute: Compute) {
        match (compute, &self.gpu) {
            (Compute::Cpu, _) => self.lab.switch(lab::cpu),
            (Compute::Gpu, Ok(open)) => {
                let open = Arc::clone(open);
                self.lab.switch(move || open());
            }
            (Compute::Gpu, Err(reason)) => {
                return self.notices.warn(format!("There is no GPU to compute on: {reason}."));
            }
        }
        self.compute = compute;
        self.checks.clear(&mut self.lab);
        for tile in self.tree.tiles.tiles_mut() {
            if let egui_tiles::Tile::Pane(pane) = tile {
                pane.forget();
            }
        }
    }

    /// What the GPU computes cannot be shown: go on without it.
    pub fn renounce_gpu(&mut self, reason: &str) {
        self.gpu = Err(reason.to_owned());
        if self.compute == Compute::Gpu {
            self.notices.warn(format!("Computing on the CPU, for the GPU cannot draw heat maps: {reason}."));
            self.switch(Compute::Cpu);
        }
    }

    /// A device that could not be opened is no reason to stop; one that was lost is for the page, if it also draws.
    pub(super) fn heed_fault(&mut self) {
        match &self.lab.fault {
            Some(EngineError::NoGpu(reason)) if self.compute == Compute::Gpu => {
                self.notices
                    .warn(format!("Computing on the CPU, for the GPU could not be opened: {reason}."));
                self.switch(Compute::Cpu);
            }
            // What computes also draws, so no card of ours can be seen any more: the page opens again, or shows its own.
            Some(EngineError::Lost(reason)) if self.renderer == "webgpu" && self.compute == Compute::Gpu => {
                platform::announce("vitrine-lost", reason);
            }
            _ => {}
        }
    }

    fn export(&mut self, ctx: &Context, id: u64, format: Format, panel: &str) {
        match self.draw(ctx, id, format, panel) {
            Err(reason) => self.notices.warn(reason),
            Ok((name, bytes)) => {
                let (news, ctx, save) = (self.news.0.clone(), ctx.clone(), platform::save_file(&name, bytes));
                platform::spawn(async move {
                    let _ = news.send(News::Saved(save.await));
                    ctx.request_repaint();
                });
            }
        }
    }

    /// The tile's picture as a file: its name and contents.
    fn draw(
        &mut self,
        ctx: &Context,
        id: u64,
        format: Format,
        panel: &str,
    ) -> Result<(String, Vec<u8>), String> {
        let link = platform::shareable(&link::encode(&self.snapshot()));
        let later = "The numbers are not at hand yet. Please try again in a moment.";
        let pane = self.tree.tiles.get_pane(&TileId::from_u64(id)).ok_or(later)?;
        let trace = pane.trace(id, &self.lab).ok_or(later)?;
        let (inputs, zoo) = (&mut self.inputs, &self.zoo);
        let scene = Scene {
            trace: &trace,
            focus: &mut self.focus,
            style: &self.style,
            inputs,
            zoo,
            pick: &mut false,
        };
        let figure = crate::ui::Figure {
            link,
            ..crate::exhibits::figure(pane.exhibit.as_ref(), panel, &scene, pane.view.minus.as_ref())
                .ok_or(later)?
        };
        let (ending, bytes) = match format {
            Format::Svg => ("svg", figure.svg().map(String::into_bytes).map_err(|error| error.to_string())?),
            Format::Png => ("png", figure.png(ctx, 2.0).map_err(|error| error.to_string())?),
            Format::Csv => ("csv", figure.csv().into_bytes()),
            Format::Npy => ("npy", figure.npy()),
        };
        let panel = panel.to_lowercase().replace(|it: char| !it.is_alphanumeric(), "-");
        Ok((format!("vitrine-{}-{panel}.{ending}", pane.exhibit.card().id), bytes))
    }

    /// Opens the state that the page's address has changed to.
    pub(super) fn follow_address(&mut self) {
        let address = platform::hash();
        if address != self.written.1 {
            self.open(&address.unwrap_or_default());
        }
    }

    /// Takes what arrived from beside the interface.
    pub(super) fn take_news(&mut self, ctx: &Context) {
        while let Ok(news) = self.news.1.try_recv() {
            match news {
                News::Files(files) => self.add_files(ctx, files),
                News::Photo(name, Ok(photo)) => {
                    self.inputs.picture = Image::Photo { name, photo: Some(Arc::new(photo)) };
                    self.show_photo();
                }
                News::Photo(name, Err(reason)) => {
                    self.notices.warn(format!("{name} could not be read: {reason}."));
                }
                News::Saved(Ok(true)) => self.notices.say(ctx, "Saved."),
                News::Saved(Ok(false)) => {}
                News::Saved(Err(reason)) => self.notices.warn(format!("Not saved: {reason}.")),
            }
        }
    }

    /// Reads files that were dropped onto the window.
    pub(super) fn take_drops(&mut self, ctx: &Context) {
        let files: Vec<_> = ctx.input(|it| it.raw.dropped_files.iter().map(platform::read_dropped).collect());
        if files.is_empty() {
            return;
        }
        let (news, ctx) = (self.news.0.clone(), ctx.clone());
        platform::spawn(async move {
            let mut read = vec![];
            for file in files {
                read.push(file.await);
            }
            let _ = news.send(News::Files(read));
            ctx.request_repaint();
        });
    }

    fn add_files(&mut self, ctx: &Context, files: Vec<platform::File>) {
        let mut good = vec![];
        for (name, bytes) in files {
            match bytes {
                Ok(bytes) if is_photo(&name) => self.read_photo(ctx, name, bytes),
                Ok(bytes) => good.push((name, bytes)),
                Err(reason) => self.notices.warn(format!("{name} could not be read: {reason}.")),
            }
        }
        if !good.is_empty() {
            let id = self.zoo.add_files("own model", good);
            match self.zoo.get(&id).and_then(|it| it.kind) {
                None | Some(Kind::Encoder) => self.inputs.model = id,
                Some(kind) => self.choose(&id, kind),
            }
        }
    }

    fn read_photo(&self, ctx: &Context, name: String, bytes: Vec<u8>) {
        let (news, ctx, photo) = (self.news.0.clone(), ctx.clone(), platform::decode_photo(bytes));
        platform::spawn(async move {
            let _ = news.send(News::Photo(name, photo.await));
            ctx.request_repaint();
        });
    }

    /// A photograph is for a model that knows photographs, and for a tile that looks at it.
    fn show_photo(&mut self) {
        if !self.shows(Kind::Vision) {
            self.add("normgrad");
        }
        if !matches!(self.zoo.status(PHOTOGRAPHS), None | Some(Status::Failed(_))) {
            self.choose(PHOTOGRAPHS, Kind::Vision);
        }
    }

    /// Lets every tile that shows models of `kind` show this one.
    fn choose(&mut self, id: &str, kind: Kind) {
        let mut found = false;
        for tile in self.tree.tiles.tiles_mut() {
            if let egui_tiles::Tile::Pane(pane) = tile
                && pane.exhibit.kind() == Some(kind)
            {
                pane.exhibit.choose(id);
                found = true;
            }
        }
        if !found {
            let what = kind.does();
            self.notices.warn(format!(
                "This model {what}. Open an exhibit that shows such models, and choose it there."
            ));
        }
    }
}

/// The model that knows photographs.
const PHOTOGRAPHS: &str = "efficientnet-lite0";

/// Whether a file's name is that of a photograph.
fn is_photo(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default();
    ["jpg", "jpeg", "png", "webp", "avif", "gif"].contains(&&*ending.to_lowercase())
}

/// All tiles in order, on a screen of this size.
fn arrange(layout: &Layout, preset: Preset, screen: egui::Vec2) -> Layout {
    let mut tiles: Vec<Layout> = layout.each().into_iter().cloned().map(Layout::Tile).collect();
    if tiles.len() == 1 {
        return tiles.remove(0);
    }
    match preset {
        Preset::Row => layout::row(tiles),
        Preset::Column => layout::column(tiles),
        Preset::Tabs => Layout::Tabs(Tabs { tabs: tiles, open: 0 }),
        Preset::Wall => layout::wall(tiles, screen),
    }
}
