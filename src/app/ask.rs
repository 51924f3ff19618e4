//! What the tiles ask the lab for, a little in each frame.

use egui::Context;
use egui_tiles::{Tile, TileId};
use web_time::{Duration, Instant};

use super::App;

/// Frames that show what was recorded earlier, before anything is recorded.
const PICTURES: u64 = 2;

/// No recording is begun in a frame that has spent this long on others.
const SPENT: Duration = Duration::from_millis(8);

impl App {
    /// How often a tile that waits is drawn: where the device draws in software, too, each frame takes the time from what is computed.
    pub(super) fn pace(&self) -> Duration {
        let software = self.lab.device.as_ref().is_some_and(|it| it.ends_with("software"));
        Duration::from_millis(if software || self.calm { 300 } else { 33 })
    }

    /// Asks for what the tiles `shown` show, and when nobody waits for a picture for what their exhibits claim.
    pub(super) fn ask(&mut self, ctx: &Context, shown: &[u64]) {
        let begun = Instant::now();
        self.asks = false;
        for id in shown {
            let Some(Tile::Pane(pane)) = self.tree.tiles.get_mut(TileId::from_u64(*id)) else { continue };
            let may = self.frames >= PICTURES && begun.elapsed() < SPENT;
            self.asks |= !pane.ask(*id, &self.inputs, &self.zoo, &mut self.lab, may);
        }
        if self.asks {
            ctx.request_repaint();
        } else if !self.lab.computing() {
            for pane in shown.iter().filter_map(|id| self.tree.tiles.get_pane(&TileId::from_u64(*id))) {
                self.checks.tick(pane.exhibit.as_ref(), &self.zoo, self.compute, &mut self.lab);
            }
        }
    }
}
