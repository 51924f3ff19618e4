//! What is on the screen before anybody asked for anything.

use egui::Context;

use super::{App, Filling, layout};
use crate::link::{Layout, State, Tile};

/// How many exhibits open the gallery as its headlines, and share the first wall.
const HEADLINES: usize = 5;

/// On a narrower screen, in points at scale 1, the gallery comes first.
const WALL: f32 = 1200.0;

impl App {
    /// The first page: a wall of the headline exhibits, or the gallery where the screen is too narrow for one.
    pub(super) fn begin(&mut self, ctx: &Context) {
        self.fill(false);
        let screen = ctx.content_rect().size() / self.style.scale;
        let first = State { gallery: screen.x < WALL, ..self.headlines(screen, State::default()) };
        if let Err(reason) = self.restore(self.wishes.fill(first)) {
            self.notices.warn(reason);
        }
    }

    /// `state`, with the headline exhibits for tiles.
    pub(super) fn headlines(&self, screen: egui::Vec2, state: State) -> State {
        let tile = |id: &str| Layout::Tile(Tile { exhibit: id.to_owned(), ..Tile::default() });
        let tiles = self.entries.iter().take(HEADLINES).map(|it| tile(it.card.id)).collect();
        State { tiles: Some(layout::wall(tiles, screen)), gallery: false, ..state }
    }

    /// Shows the gallery, or the tiles.
    pub(super) fn fill(&mut self, gallery: bool) {
        self.filling = if gallery { Filling::Gallery } else { Filling::Tiles };
    }
}
