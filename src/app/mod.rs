//! The window: a sentence on top, tiles with exhibits below it, one cursor through all of them.
//!
//! Everything that can be shared, restored or undone is a [`State`]; a frame shows it and collects what clicks and keys
//! ask for; `App::act` does that. Nothing here waits: the [`Lab`] computes, the [`Zoo`] loads, and a frame shows what
//! has arrived.

mod act;
mod action;
mod ask;
mod bar;
mod checks;
mod first;
mod gallery;
mod icon;
mod keys;
mod layout;
mod model;
mod notice;
mod report;
mod restore;
mod screen;
mod stage;
mod states;
mod tile;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};

use egui::util::undoer::{Settings, Undoer};
use egui::{Context, Ui};
use egui_tiles::{TileId, Tree};
use web_time::Duration;

use self::action::Action;
pub use self::action::Compute;
use self::checks::Checks;
use self::gallery::{Gallery, Hall};
use self::notice::Notices;
pub use self::report::{ModelReport, Report};
pub use self::stage::TileReport;
use self::stage::{Pane, Stage};
use crate::data::{Inputs, Photo};
use crate::engine::{Device, EngineError};
use crate::exhibits::Entry;
use crate::focus::Focus;
use crate::lab::{self, Lab};
use crate::link::{self, State, Theme};
use crate::models::{Status, Zoo, awaited};
use crate::platform;
use crate::ui::{Style, install_fonts};

/// Opens a device, on the thread that will own it.
pub type Open = Arc<dyn Fn() -> Opening + Send + Sync>;

/// A device that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Device, EngineError>>>>;

/// What the app is started with.
pub struct Setup {
    /// The state to open, as a link.
    pub link: Option<String>,
    /// Where to compute at first.
    pub compute: Compute,
    /// How to open the GPU, or why there is none.
    pub gpu: Result<Open, String>,
    /// What draws: `webgpu`, `webgl2` or `native`.
    pub renderer: &'static str,
    /// The models.
    pub zoo: Zoo,
    /// What holds where the link says nothing.
    pub wishes: Wishes,
    /// The exhibits.
    pub entries: Vec<Entry>,
}

/// What holds where a link says nothing.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Colours.
    pub theme: Theme,
    /// Id of the model, if not the usual one.
    pub model: Option<String>,
}

/// Below this width, in points at scale 1, one tile is shown at a time.
const PHONE: f32 = 640.0;

/// Seconds without a change after which a step of undo is complete and the link is written.
const STEP: f32 = 0.5;

/// The window.
pub struct App {
    entries: Vec<Entry>,
    gpu: Result<Open, String>,
    compute: Compute,
    renderer: &'static str,
    lab: Lab,
    zoo: Zoo,
    /// Models that were loaded without being asked for: once, so that a cancelled one stays so.
    loaded: BTreeSet<String>,
    inputs: Inputs,
    focus: Focus,
    theme: Theme,
    size: u16,
    wishes: Wishes,
    tree: Tree<Pane>,
    next_id: u64,
    /// The tile that covers the others.
    maximised: Option<u64>,
    /// The tile that a phone shows.
    front: Option<u64>,
    filling: Filling,
    gallery: Gallery,
    help: bool,
    address: String,
    checks: Checks,
    notices: Notices,
    history: Undoer<State>,
    style: Style,
    /// What the cursor was on in the last frame, in words.
    said: String,
    /// The state that the page's address stands for, and the address.
    written: (State, Option<String>),
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    calm: bool,
    /// Room for all tiles together, as of the last frame.
    screen: egui::Vec2,
    /// Whether a tile is still to ask for what it shows.
    asks: bool,
    frames: u64,
}

/// What fills the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filling {
    /// Nothing was asked for: the next frame, which knows the screen, decides.
    Nothing,
    /// The tiles.
    Tiles,
    /// The gallery, which covers them.
    Gallery,
}

/// What arrives from beside the interface.
enum News {
    Files(Vec<platform::File>),
    Photo(String, Result<Photo, String>),
    Saved(Result<bool, String>),
}

impl Wishes {
    /// `state`, with what it leaves open.
    fn fill(&self, state: State) -> State {
        let usual = State::default();
        let theme = if state.theme == usual.theme { self.theme } else { state.theme };
        let model = self.model.clone().filter(|_| state.model == usual.model).unwrap_or(state.model);
        State { model, theme, ..state }
    }
}

impl App {
    /// The window in the state of `setup`.
    pub fn new(ctx: &Context, setup: Setup) -> Self {
        install_fonts(ctx);
        // The keys for it choose among the sizes of type instead.
        ctx.options_mut(|it| it.zoom_with_keyboard = false);
        let repaint = ctx.clone();
        let repaint = move || repaint.request_repaint();
        let lab = match (&setup.gpu, setup.compute) {
            (Ok(open), Compute::Gpu) => {
                let open = Arc::clone(open);
                Lab::new(move || open(), repaint)
            }
            _ => Lab::new(lab::cpu, repaint),
        };
        let compute = if setup.gpu.is_ok() { setup.compute } else { Compute::Cpu };
        let mut app = Self {
            entries: setup.entries,
            compute,
            renderer: setup.renderer,
            lab,
            zoo: setup.zoo,
            loaded: BTreeSet::new(),
            inputs: Inputs::default(),
            focus: Focus::default(),
            theme: Theme::System,
            wishes: setup.wishes,
            size: 100,
            tree: Tree::empty(egui::Id::unique("tiles")),
            next_id: 1,
            maximised: None,
            front: None,
            filling: Filling::Nothing,
            gallery: Gallery::default(),
            help: false,
            address: String::new(),
            checks: Checks::default(),
            notices: Notices::default(),
            history: Undoer::with_settings(Settings { stable_time: STEP, ..Settings::default() }),
            style: Style::new(true, 1.0),
            said: String::new(),
            written: (State::default(), None),
            news: mpsc::channel(),
            calm: platform::reduced_motion(),
            screen: egui::vec2(1280.0, 720.0),
            asks: true,
            frames: 0,
            gpu: setup.gpu,
        };
        if let (Compute::Gpu, Err(reason)) = (setup.compute, &app.gpu) {
            app.notices.warn(format!("Computing on the CPU: {reason}."));
        }
        app.open(setup.link.as_deref().unwrap_or_default());
        app
    }

    /// Opens a link; one that cannot be opened shows the default and says so, an empty one the first page.
    fn open(&mut self, link: &str) {
        if link.trim_start_matches('#').is_empty() {
            self.filling = Filling::Nothing;
            return;
        }
        let opened = link::decode(link).map_err(|error| error.to_string());
        if let Err(reason) = opened.and_then(|state| self.restore(self.wishes.fill(state))) {
            self.notices.warn(format!("The default is shown: {reason}."));
            if let Err(reason) = self.restore(self.wishes.fill(State::default())) {
                self.notices.warn(reason);
            }
        }
        self.written = (self.snapshot(), platform::hash());
    }

    /// Takes what has arrived, and asks for what is missing. Also called while the window is hidden.
    pub fn tick(&mut self, ctx: &Context) {
        if self.filling == Filling::Nothing {
            self.begin(ctx);
            self.written = (self.snapshot(), platform::hash());
        }
        self.take_news(ctx);
        if self.zoo.poll() | awaited() {
            ctx.request_repaint_after(Duration::from_millis(100));
        }
        let shown = self.shown(ctx);
        self.load_models(&shown);
        self.lab.poll();
        self.heed_fault();
        self.ask(ctx, &shown);
        self.follow_address();
    }

    /// Shows one frame and does what it asks for.
    pub fn show(&mut self, ui: &mut Ui) {
        self.dress(ui);
        let mut actions = keys::pressed(ui, self.renderer != "native");
        self.focus.readout.clear();
        self.bar(ui, &mut actions);
        self.notices.show(ui, &self.style);
        self.read_out(ui);
        self.central(ui, &mut actions);
        if self.help && keys::sheet(ui, &self.style) {
            self.help = false;
        }
        self.take_drops(ui);
        for action in actions {
            self.act(ui, action);
        }
        self.end_frame(ui);
    }

    /// Applies colours and type size where they have changed.
    fn dress(&mut self, ctx: &Context) {
        let dark = match self.theme {
            Theme::Dark => true,
            Theme::Light => false,
            Theme::System => ctx.system_theme() != Some(egui::Theme::Light),
        };
        let scale = f32::from(self.size) / 100.0;
        if self.frames == 0 || (self.style.dark, self.style.scale) != (dark, scale) {
            self.style = Style::new(dark, scale);
            self.style.apply(ctx);
            if self.calm {
                ctx.all_styles_mut(|it| it.animation_time = 0.0);
            }
        }
    }

    fn central(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let phone = phone(ui, &self.style);
        let gallery = self.filling == Filling::Gallery || self.tree.is_empty();
        // On a phone a tile has all of the screen.
        let margin = if phone && !gallery { 0.0 } else { self.style.grid(1.0) };
        let frame = egui::Frame::new().fill(self.style.background).inner_margin(margin);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            self.screen = ui.available_size() / self.style.scale;
            if gallery {
                let (style, entries, zoo) = (&self.style, &self.entries, &self.zoo);
                let hall = Hall { style, entries, zoo, checks: &self.checks, compute: self.compute };
                self.gallery.show(ui, &hall, actions);
                return;
            }
            if phone {
                self.switcher(ui);
            }
            let (alone, tiles) = (self.alone(ui), self.tiles().len());
            let maps = self.subtract();
            let pace = self.pace();
            let mut stage = Stage {
                lab: &self.lab,
                zoo: &self.zoo,
                inputs: &mut self.inputs,
                focus: &mut self.focus,
                style: &self.style,
                checks: &self.checks,
                compute: self.compute,
                actions,
                tiles,
                maps: &maps,
                maximised: self.maximised.is_some(),
                calm: self.calm,
                pace,
            };
            match alone.map(TileId::from_u64) {
                None => self.tree.ui(&mut stage, ui),
                Some(id) => {
                    if let Some(egui_tiles::Tile::Pane(pane)) = self.tree.tiles.get_mut(id) {
                        // Below the switch, which a phone has.
                        let rest = egui::UiBuilder::new().max_rect(ui.available_rect_before_wrap());
                        ui.scope_builder(rest, |ui| tile::show(&mut stage, ui, id.0, pane));
                    }
                }
            }
        });
    }

    /// On a phone: which of several tiles is in front.
    fn switcher(&mut self, ui: &mut Ui) {
        let tiles = self.tiles();
        if tiles.len() < 2 || self.maximised.is_some() {
            return;
        }
        let front = self.alone(ui);
        egui::ScrollArea::horizontal().show(ui, |ui| {
            ui.horizontal(|ui| {
                for id in tiles {
                    let title =
                        self.tree.tiles.get_pane(&TileId::from_u64(id)).map(|it| it.exhibit.card().title);
                    if ui.selectable_label(front == Some(id), title.unwrap_or_default()).clicked() {
                        self.front = Some(id);
                    }
                }
            });
        });
    }

    /// The line at the bottom: what the cursor is on, in words.
    fn read_out(&self, ui: &mut Ui) {
        let style = &self.style;
        let margin = egui::Margin::symmetric(style.grid(2.0) as i8, style.grid(0.75) as i8);
        let frame = egui::Frame::new().fill(style.background).inner_margin(margin);
        egui::Panel::bottom("read-out").show_separator_line(false).frame(frame).show(ui, |ui| {
            let hint = "Hover to preview, click to lock, arrow keys to walk.";
            let (words, colour) =
                if self.said.is_empty() { (hint, style.secondary) } else { (self.said.as_str(), style.text) };
            let words = egui::RichText::new(words).font(style.regular(style.caption)).color(colour);
            ui.add(egui::Label::new(words).truncate());
        });
    }

    fn end_frame(&mut self, ctx: &Context) {
        let said = std::mem::replace(&mut self.said, self.focus.readout.clone());
        if self.focus.turn() || said != self.said {
            ctx.request_repaint();
        }
        // A tensor on the GPU gives its numbers some frames after they were asked for.
        if ctx.input(|it| it.pointer.is_moving() || !it.events.is_empty()) {
            ctx.request_repaint_after(Duration::from_millis(60));
        }
        self.remember(ctx);
        self.frames += 1;
        match self.frames {
            1 => ctx.request_repaint(),
            2 => platform::announce("vitrine-first-frame", ""),
            _ => {}
        }
    }

    /// Makes steps of undo, and keeps the page's address up to date.
    fn remember(&mut self, ctx: &Context) {
        let state = self.snapshot();
        if ctx.input(|it| it.pointer.any_down()) {
            return;
        }
        self.history.feed_state(ctx.input(|it| it.time), &state);
        if self.history.is_in_flux() {
            ctx.request_repaint_after(Duration::from_secs_f32(STEP / 2.0));
        } else if state != self.written.0 {
            let link = link::encode(&state);
            platform::write_hash(&link);
            self.written = (state, platform::hash());
        }
    }

    /// The colour behind everything.
    pub fn background(&self) -> egui::Color32 {
        self.style.background
    }

    fn loading(&self) -> bool {
        self.zoo.models().iter().any(|it| matches!(it.status, Status::Loading { .. }))
    }

    /// Whether nothing is on its way: what is shown is what there is to show.
    pub fn idle(&self) -> bool {
        self.frames > 2 && !self.asks && !self.lab.computing() && !self.loading()
    }
}

fn phone(ctx: &Context, style: &Style) -> bool {
    ctx.content_rect().width() < PHONE * style.scale
}
