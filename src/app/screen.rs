//! What is on the screen: tiles in their order, and the models that they show.

use std::collections::BTreeSet;

use egui::Context;
use egui_tiles::TileId;

use super::stage::{Others, Pane};
use super::{App, Filling, layout, phone};
use crate::exhibits::Exhibit;
use crate::link::Layout;
use crate::models::{Kind, Status};
use crate::page::{Difference, Map, View};

/// Models that only a claim needs are loaded without being asked for if they take less memory than this, in bytes.
const SMALL: u64 = 8_000_000;

impl App {
    /// Loads the models that are on the screen, once, without being asked.
    pub(super) fn load_models(&mut self, shown: &[u64]) {
        let small = |id: &String| self.zoo.get(id).and_then(|it| it.memory).is_some_and(|it| it < SMALL);
        let measured: Vec<String> = self.measured(shown).into_iter().filter(small).collect();
        for id in self.models(shown).into_iter().chain(measured) {
            if matches!(self.zoo.status(&id), Some(Status::Absent)) && self.loaded.insert(id.clone()) {
                self.zoo.load(&id);
            }
        }
    }

    /// The models on which the claims of the tiles on the screen are measured.
    fn measured(&self, shown: &[u64]) -> BTreeSet<String> {
        self.panes(shown).flat_map(|it| it.exhibit.checks()).map(|it| it.model.to_owned()).collect()
    }

    /// The models of the tiles that are on the screen.
    pub(super) fn models(&self, shown: &[u64]) -> BTreeSet<String> {
        self.panes(shown).flat_map(|it| it.exhibit.models(&self.inputs)).map(str::to_owned).collect()
    }

    fn panes(&self, ids: &[u64]) -> impl Iterator<Item = &Pane> {
        ids.iter().filter_map(|id| self.tree.tiles.get_pane(&TileId::from_u64(*id)))
    }

    /// Whether a tile shows models of `kind`.
    pub(super) fn shows(&self, kind: Kind) -> bool {
        self.any(|it| it.kind() == Some(kind))
    }

    /// Whether an exhibit of a tile is so.
    pub(super) fn any(&self, is: impl Fn(&dyn Exhibit) -> bool) -> bool {
        self.tree
            .tiles
            .tiles()
            .any(|it| matches!(it, egui_tiles::Tile::Pane(pane) if is(pane.exhibit.as_ref())))
    }

    /// The tiles that are on the screen.
    pub(super) fn shown(&self, ctx: &Context) -> Vec<u64> {
        if self.filling == Filling::Gallery {
            return vec![];
        }
        if let Some(id) = self.alone(ctx) {
            return vec![id];
        }
        let active = self.tree.active_tiles();
        self.tiles().into_iter().filter(|id| active.contains(&TileId::from_u64(*id))).collect()
    }

    /// All tiles in reading order.
    pub(super) fn tiles(&self) -> Vec<u64> {
        let layout = layout::survey(&self.tree, &|id, pane: &Pane| pane.describe(id.0));
        layout.iter().flat_map(Layout::each).map(|it| it.id).collect()
    }

    /// The maps that tiles show; where one is taken away from another, the difference is made ready.
    pub(super) fn subtract(&mut self) -> Vec<Others> {
        let mut found: Vec<(Others, View)> = vec![];
        for (i, id) in self.tiles().into_iter().enumerate() {
            let Some(pane) = self.tree.tiles.get_pane(&TileId::from_u64(id)) else { continue };
            let shape = |(name, map): &(&'static str, Option<Map>)| {
                let map = map.as_ref()?;
                Some((*name, [map.rows, map.cols]))
            };
            let maps = pane.view.panels.iter().filter_map(shape).collect();
            let others = Others { id, number: i + 1, title: pane.exhibit.card().title, maps };
            found.push((others, pane.view.clone()));
        }
        for (here, view) in &found {
            let Some(egui_tiles::Tile::Pane(pane)) = self.tree.tiles.get_mut(TileId::from_u64(here.id))
            else {
                continue;
            };
            let map = |view: &View, name: &str| view.panels.iter().find(|it| it.0 == name)?.1.clone();
            let minus = |wish: &crate::link::Minus| {
                let (other, there) = found.iter().find(|it| it.0.number == wish.tile)?;
                let words = [format!("tile {}", other.number), format!("{} of {}", wish.of, other.title)];
                let (own, other) = (map(view, &wish.panel)?, map(there, &wish.of)?);
                Difference::of(&wish.panel, words, &own, &other, view.minus.clone())
            };
            pane.view.minus = pane.minus.as_ref().and_then(minus);
        }
        found.into_iter().map(|it| it.0).collect()
    }

    /// The tile that is shown alone: the maximised one, or on a phone the one in front.
    pub(super) fn alone(&self, ctx: &Context) -> Option<u64> {
        let tiles = self.tiles();
        let there = |id: &u64| tiles.contains(id);
        let phone = phone(ctx, &self.style).then(|| self.front.filter(there).or(tiles.first().copied()));
        self.maximised.filter(there).or(phone.flatten())
    }
}
