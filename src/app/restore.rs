//! From the app to its state and back.

use std::collections::BTreeMap;

use egui_tiles::{TileId, Tree};

use super::stage::Pane;
use super::{App, Filling, layout};
use crate::data::Inputs;
use crate::exhibits::Exhibit;
use crate::focus::Focus;
use crate::link::{Layout, State, Tile};

/// Smallest and largest type, in percent.
const SIZES: std::ops::RangeInclusive<u16> = 50..=300;

impl App {
    /// The state as it is now.
    pub(super) fn snapshot(&self) -> State {
        State {
            text: self.inputs.text.clone(),
            model: self.inputs.model.clone(),
            picture: self.inputs.picture.clone(),
            tiles: layout::survey(&self.tree, &|id, pane: &Pane| pane.describe(id.0)),
            gallery: self.filling == Filling::Gallery,
            focus: self.focus.locked,
            theme: self.theme,
            size: self.size,
        }
    }

    /// Goes to `state`: all of it, or nothing and the reason. Tiles that are in both stay as they are, with their traces.
    pub(super) fn restore(&mut self, mut state: State) -> Result<(), String> {
        if let Some(layout) = &mut state.tiles {
            layout::for_each(layout, &mut |tile| {
                if tile.id == 0 {
                    tile.id = self.next_id;
                }
                self.next_id = self.next_id.max(tile.id + 1);
            });
        }
        let mut fresh = BTreeMap::new();
        for tile in state.tiles.iter().flat_map(Layout::each) {
            if !self.holds(tile) {
                fresh.insert(tile.id, self.open_exhibit(tile)?);
            }
        }
        if self.zoo.get(&state.model).is_none() {
            let (model, usual) = (&state.model, State::default().model);
            self.notices
                .warn(format!("The model “{model}” is not here. Drop its files to see what it does."));
            state.model = usual;
        }
        self.plant(&state, fresh);
        self.inputs = Inputs { text: state.text, model: state.model, picture: state.picture };
        self.focus.locked = state.focus;
        self.theme = state.theme;
        self.size = state.size.clamp(*SIZES.start(), *SIZES.end());
        self.fill(state.gallery);
        Ok(())
    }

    /// Puts the tiles of `state` on the screen. `fresh` are the exhibits that are not there yet in this state.
    fn plant(&mut self, state: &State, mut fresh: BTreeMap<u64, Box<dyn Exhibit>>) {
        let mut old = self.uproot();
        self.tree = match &state.tiles {
            None => Tree::empty(egui::Id::unique("tiles")),
            Some(layout) => layout::grow(layout, |tile| {
                let pane = match (old.remove(&tile.id), fresh.remove(&tile.id)) {
                    (Some(pane), None) => pane,
                    (Some(pane), Some(exhibit)) => Pane { exhibit, ..pane },
                    (None, Some(exhibit)) => Pane::new(exhibit),
                    (None, None) => unreachable!("tile {} is neither old nor new", tile.id),
                };
                let own = tile.focus.map(Focus::at);
                Pane { own, minus: tile.minus.clone(), ..pane }
            }),
        };
        for id in old.into_keys() {
            self.lab.close(id);
        }
    }

    /// Whether `tile` is on the screen, in the same state.
    fn holds(&self, tile: &Tile) -> bool {
        let pane = self.tree.tiles.get_pane(&TileId::from_u64(tile.id));
        pane.is_some_and(|it| it.describe(tile.id) == *tile)
    }

    /// Takes all panes out of the tree.
    fn uproot(&mut self) -> BTreeMap<u64, Pane> {
        let ids: Vec<TileId> = self.tree.tiles.tile_ids().collect();
        let take = |id: TileId| match self.tree.tiles.remove(id)? {
            egui_tiles::Tile::Pane(pane) => Some((id.0, pane)),
            egui_tiles::Tile::Container(_) => None,
        };
        ids.into_iter().filter_map(take).collect()
    }

    fn open_exhibit(&self, tile: &Tile) -> Result<Box<dyn Exhibit>, String> {
        let entry = self.entries.iter().find(|it| it.card.id == tile.exhibit);
        let entry = entry.ok_or_else(|| format!("there is no exhibit called “{}”", tile.exhibit))?;
        (entry.open)(tile.state.clone())
            .map_err(|error| format!("the state of “{}” cannot be read ({error})", tile.exhibit))
    }
}
