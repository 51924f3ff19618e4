//! From the layout of a state to the tiles on the screen, and back.
//!
//! Layouts are edited as plain data; only dragging and resizing happen in the tree of tiles itself.

use egui_tiles::{Container, Linear, LinearDir, Shares, TileId, Tiles, Tree};

use crate::link::{Direction, Layout, Split, Tabs, Tile};

/// The tiles of `layout`, filled by `pane`. Ids stay: those of panes are the ids of tiles.
pub(super) fn grow<Pane>(layout: &Layout, mut pane: impl FnMut(&Tile) -> Pane) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    // All panes first, so that containers take none of their ids.
    for tile in layout.each() {
        tiles.insert(TileId::from_u64(tile.id), egui_tiles::Tile::Pane(pane(tile)));
    }
    let root = plant(layout, &mut tiles);
    Tree::new(egui::Id::unique("tiles"), root, tiles)
}

fn plant<Pane>(layout: &Layout, tiles: &mut Tiles<Pane>) -> TileId {
    let mut children =
        |parts: &[Layout]| -> Vec<TileId> { parts.iter().map(|it| plant(it, tiles)).collect() };
    let container = match layout {
        Layout::Tile(tile) => return TileId::from_u64(tile.id),
        Layout::Tabs(Tabs { tabs, open }) => {
            let children = children(tabs);
            let active = children.get(*open).or(children.first()).copied();
            Container::Tabs(egui_tiles::Tabs { children, active })
        }
        Layout::Split(Split { split, parts, shares }) => {
            let dir = match split {
                Direction::Row => LinearDir::Horizontal,
                Direction::Column => LinearDir::Vertical,
            };
            let mut linear = Linear::new(dir, children(parts));
            for (child, share) in linear.children.iter().zip(shares) {
                linear.shares.set_share(*child, f32::from(*share).max(1.0));
            }
            Container::Linear(linear)
        }
    };
    tiles.insert_container(container)
}

/// The layout of `tree`, its tiles described by `tile`.
pub(super) fn survey<Pane>(tree: &Tree<Pane>, tile: &impl Fn(TileId, &Pane) -> Tile) -> Option<Layout> {
    look(&tree.tiles, tree.root?, tile)
}

fn look<Pane>(tiles: &Tiles<Pane>, id: TileId, tile: &impl Fn(TileId, &Pane) -> Tile) -> Option<Layout> {
    let container = match tiles.get(id)? {
        egui_tiles::Tile::Pane(pane) => return Some(Layout::Tile(tile(id, pane))),
        egui_tiles::Tile::Container(container) => container,
    };
    let children: Vec<TileId> = container.children_vec();
    let mut parts: Vec<Layout> = children.iter().filter_map(|it| look(tiles, *it, tile)).collect();
    if parts.len() == 1 {
        return parts.pop();
    }
    match container {
        _ if parts.is_empty() => None,
        Container::Tabs(tabs) => {
            let open = children.iter().position(|it| Some(*it) == tabs.active).unwrap_or(0);
            Some(Layout::Tabs(Tabs { tabs: parts, open }))
        }
        Container::Linear(linear) => {
            let split = match linear.dir {
                LinearDir::Horizontal => Direction::Row,
                LinearDir::Vertical => Direction::Column,
            };
            Some(Layout::Split(Split { split, parts, shares: percents(&linear.shares, &children) }))
        }
        Container::Grid(_) => Some(Layout::Split(Split { split: Direction::Row, parts, shares: vec![] })),
    }
}

/// Percent of the space that each child has; empty if all have the same.
fn percents(shares: &Shares, children: &[TileId]) -> Vec<u8> {
    let sum: f32 = children.iter().map(|it| shares[*it]).sum();
    let percent = |it: &TileId| (100.0 * shares[*it] / sum).round().clamp(1.0, 99.0) as u8;
    let percents: Vec<u8> = children.iter().map(percent).collect();
    let even = percents.iter().all(|it| it.abs_diff(percents[0]) <= 1);
    if even { vec![] } else { percents }
}

/// Changes every tile.
pub(super) fn for_each(layout: &mut Layout, f: &mut impl FnMut(&mut Tile)) {
    match layout {
        Layout::Tile(tile) => f(tile),
        Layout::Split(Split { parts, .. }) => parts.iter_mut().for_each(|it| for_each(it, f)),
        Layout::Tabs(Tabs { tabs, .. }) => tabs.iter_mut().for_each(|it| for_each(it, f)),
    }
}

/// Where a new tile goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To the right of another.
    Right,
    /// Below another.
    Below,
    /// In front of another.
    Tab,
}

/// `layout` with `new` beside the tile `id`.
pub(super) fn insert(layout: Layout, id: u64, place: Place, new: &Tile) -> Layout {
    let each = |parts: Vec<Layout>| parts.into_iter().map(|it| insert(it, id, place, new)).collect();
    match layout {
        Layout::Tile(tile) if tile.id == id => {
            let parts = vec![Layout::Tile(tile), Layout::Tile(new.clone())];
            match place {
                Place::Tab => Layout::Tabs(Tabs { tabs: parts, open: 1 }),
                Place::Right => Layout::Split(Split { split: Direction::Row, parts, shares: vec![] }),
                Place::Below => Layout::Split(Split { split: Direction::Column, parts, shares: vec![] }),
            }
        }
        Layout::Tile(tile) => Layout::Tile(tile),
        Layout::Split(Split { split, parts, shares }) => {
            Layout::Split(Split { split, parts: each(parts), shares })
        }
        Layout::Tabs(Tabs { tabs, open }) => Layout::Tabs(Tabs { tabs: each(tabs), open }),
    }
}

/// `layout` without the tile `id`; `None` if nothing is left.
pub(super) fn remove(layout: Layout, id: u64) -> Option<Layout> {
    let each =
        |parts: Vec<Layout>| -> Vec<Layout> { parts.into_iter().filter_map(|it| remove(it, id)).collect() };
    let (mut parts, rest): (_, fn(Vec<Layout>, usize) -> Layout) = match layout {
        Layout::Tile(tile) => return (tile.id != id).then_some(Layout::Tile(tile)),
        Layout::Split(Split { split: Direction::Row, parts, .. }) => (each(parts), |parts, _| row(parts)),
        Layout::Split(Split { parts, .. }) => (each(parts), |parts, _| column(parts)),
        Layout::Tabs(Tabs { tabs, .. }) => (each(tabs), |tabs, last| Layout::Tabs(Tabs { tabs, open: last })),
    };
    match parts.len() {
        0 | 1 => parts.pop(),
        n => Some(rest(parts, n - 1)),
    }
}

/// The size that a tile on a wall should have, in points: half size (`ui::Size`).
const ON_A_WALL: [f32; 2] = [640.0, 480.0];

/// Rows of tiles on a screen of this size, as many as leave the tiles most of the room that they should have.
pub(super) fn wall(mut tiles: Vec<Layout>, screen: egui::Vec2) -> Layout {
    let n = tiles.len();
    if n <= 1 {
        return tiles.pop().unwrap_or_else(|| row(vec![]));
    }
    let worth = |rows: &usize| {
        let columns = n.div_ceil(*rows) as f32;
        (screen.x / columns / ON_A_WALL[0]).min(screen.y / *rows as f32 / ON_A_WALL[1])
    };
    let rows = (1..=n).max_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap_or(1);
    let line = |part: &[Layout]| if let [one] = part { one.clone() } else { row(part.to_vec()) };
    let mut lines: Vec<Layout> = tiles.chunks(n.div_ceil(rows)).map(line).collect();
    if lines.len() == 1 { lines.remove(0) } else { column(lines) }
}

/// Parts beside each other.
pub(super) fn row(parts: Vec<Layout>) -> Layout {
    Layout::Split(Split { split: Direction::Row, parts, shares: vec![] })
}

/// Parts below each other.
pub(super) fn column(parts: Vec<Layout>) -> Layout {
    Layout::Split(Split { split: Direction::Column, parts, shares: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tiles in every line of the wall of `n` tiles on a screen.
    fn lines(n: usize, width: f32, height: f32) -> Vec<usize> {
        let tiles = (0..n).map(|id| Layout::Tile(Tile { id: id as u64, ..Tile::default() })).collect();
        match wall(tiles, egui::vec2(width, height)) {
            Layout::Split(Split { split: Direction::Column, parts, .. }) => {
                parts.iter().map(Layout::tiles).collect()
            }
            layout => vec![layout.tiles()],
        }
    }

    #[test]
    fn walls_use_the_screen() {
        assert_eq!(lines(1, 1920.0, 1000.0), [1]);
        assert_eq!(lines(2, 1920.0, 1000.0), [2]);
        assert_eq!(lines(2, 800.0, 1200.0), [1, 1], "an upright screen");
        assert_eq!(lines(4, 1920.0, 1000.0), [2, 2]);
        assert_eq!(lines(5, 1920.0, 1000.0), [3, 2]);
        assert_eq!(lines(5, 1440.0, 820.0), [3, 2]);
        assert_eq!(lines(6, 1920.0, 1000.0), [3, 3]);
    }
}
