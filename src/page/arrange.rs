//! Where the panels of a page are, in the room that there is.
//!
//! What fits is shown as it was described. A row that is too wide becomes a column and a column that is too high a row;
//! where not even that fits, the least important panel leaves, and so on, until the essential one is alone.

use egui::{Pos2, Rect, Vec2, pos2};

use super::{Page, Panel};
use crate::ui::Style;

/// Where panels are.
#[derive(Clone, Default)]
pub struct Arranged {
    /// Panels with their places, title included.
    pub placed: Vec<(Panel, Rect)>,
    /// What found no room, most important first.
    pub hidden: Vec<Panel>,
}

/// The least share of the room that what is essential gets. Where others would leave it less, the least important of them is one
/// click away instead.
const SHARE: f32 = 0.15;

/// Places the panels of `page` in `rect`. `front` is a panel that is asked for by name: where it would not fit, it is shown
/// alone. With `alone`, only what is essential is shown: the panels of rank 0, or the first of them where they find no room.
pub fn arrange(page: &Page, style: &Style, rect: Rect, front: Option<&str>, alone: bool) -> Arranged {
    let frame = Frame { style };
    let mut panels = page.panels();
    panels.sort_by_key(|it| it.rank);
    let essential = panels.iter().filter(|it| it.rank == 0).count();
    let mut count = match essential {
        _ if !alone => panels.len(),
        0 | 1 => 0,
        several => several,
    };
    let placed = loop {
        if count == 0 {
            break panels.first().map(|it| vec![((*it).clone(), rect)]).unwrap_or_default();
        }
        let shown = |it: &Panel| panels[..count].iter().any(|shown| shown.name == it.name);
        let mut placed = vec![];
        if let Some(part) = only(page, &shown)
            && frame.place(&part, rect, &mut placed)
            && (count <= essential || frame.essential(&placed) >= SHARE * rect.area())
        {
            break placed;
        }
        count -= 1;
    };
    let there = |name: &str| placed.iter().any(|(it, _)| it.name == name);
    let asked = front.filter(|it| !there(it)).and_then(|it| panels.iter().find(|panel| panel.name == it));
    let hidden = panels.iter().filter(|it| !there(it.name)).map(|it| (*it).clone()).collect();
    let placed = asked.map_or(placed, |it| vec![((*it).clone(), rect)]);
    Arranged { placed, hidden }
}

/// The page without the panels that are not shown.
fn only(page: &Page, shown: &dyn Fn(&Panel) -> bool) -> Option<Page> {
    let rest = |parts: &[Page]| -> Vec<Page> { parts.iter().filter_map(|it| only(it, shown)).collect() };
    match page {
        Page::Panel(panel) => shown(panel).then(|| page.clone()),
        Page::Row(parts) => Some(Page::Row(rest(parts))).filter(|it| !it.panels().is_empty()),
        Page::Column(parts) => Some(Page::Column(rest(parts))).filter(|it| !it.panels().is_empty()),
    }
}

/// Along which axis: 0 is x.
type Along = usize;

struct Frame<'a> {
    style: &'a Style,
}

impl Frame<'_> {
    fn gap(&self) -> f32 {
        self.style.grid(2.0)
    }

    /// Least extent of a part along an axis, whichever way its containers turn.
    fn least(&self, part: &Page, along: Along) -> f32 {
        let each = |parts: &[Page]| -> Vec<f32> { parts.iter().map(|it| self.least(it, along)).collect() };
        match part {
            Page::Panel(panel) => {
                panel.room.least[along] * self.style.scale
                    + if along == 1 { heading(panel, self.style) } else { 0.0 }
            }
            Page::Row(parts) | Page::Column(parts) => each(parts).into_iter().fold(0.0, f32::max),
        }
    }

    /// The extent along an axis that a part can use, of `across` the other way.
    fn want(&self, part: &Page, along: Along, across: f32) -> f32 {
        match part {
            Page::Panel(panel) => self.panel_wants(panel, along, across),
            Page::Row(parts) | Page::Column(parts) => {
                let beside = matches!(part, Page::Row(_)) == (along == 0);
                let share = if beside { across } else { across / parts.len() as f32 };
                let wants = parts.iter().map(|it| self.want(it, along, share));
                if beside { wants.sum() } else { wants.fold(0.0, f32::max) }
            }
        }
    }

    fn panel_wants(&self, panel: &Panel, along: Along, across: f32) -> f32 {
        let scale = self.style.scale;
        let [inside, other] = [panel.room.around[along], panel.room.around[1 - along]];
        let above = heading(panel, self.style);
        let (own, theirs) = if along == 1 { (above, 0.0) } else { (0.0, above) };
        let most = panel.room.most[along] * scale + own;
        let Some(aspect) = panel.room.aspect else { return most };
        let ratio = if along == 0 { aspect } else { 1.0 / aspect };
        most.min((across - theirs - other * scale).max(0.0) * ratio + inside * scale + own)
    }

    /// How much of where they are placed the essential panels can use.
    fn essential(&self, placed: &[(Panel, Rect)]) -> f32 {
        let used = |(panel, rect): &(Panel, Rect)| {
            let size = rect.size();
            let extent = |along| size[along].min(self.panel_wants(panel, along, size[1 - along]));
            extent(0) * extent(1)
        };
        placed.iter().filter(|it| it.0.rank == 0).map(used).sum()
    }

    /// Places `part` in `rect`; whether it fits.
    fn place(&self, part: &Page, rect: Rect, out: &mut Vec<(Panel, Rect)>) -> bool {
        let (parts, along) = match part {
            Page::Panel(panel) => {
                out.push(((**panel).clone(), rect));
                let fits = |along| self.least(part, along) <= rect.size()[along] + 0.5;
                return fits(0) && fits(1);
            }
            Page::Row(parts) => (parts, 0),
            Page::Column(parts) => (parts, 1),
        };
        let before = out.len();
        // Of what stands beside each other the picture gets more, unless something else finds no room then.
        let weight: Vec<f32> = parts.iter().map(weight).collect();
        let even = vec![1.0; parts.len()];
        let ways = |along| if along == 0 { vec![(0, &weight), (0, &even)] } else { vec![(1, &even)] };
        for (along, weight) in ways(along).into_iter().chain(ways(1 - along)) {
            if self.line(parts, along, weight, rect, out) {
                return true;
            }
            out.truncate(before);
        }
        false
    }

    /// Places parts one after the other along an axis; whether they fit.
    fn line(
        &self,
        parts: &[Page],
        along: Along,
        weight: &[f32],
        rect: Rect,
        out: &mut Vec<(Panel, Rect)>,
    ) -> bool {
        let (length, across) = (rect.size()[along], rect.size()[1 - along]);
        let gaps = self.gap() * (parts.len() as f32 - 1.0);
        let least: Vec<f32> = parts.iter().map(|it| self.least(it, along)).collect();
        if least.iter().sum::<f32>() + gaps > length + 0.5 {
            return false;
        }
        let want: Vec<f32> = parts.iter().map(|it| self.want(it, along, across)).collect();
        let mut at = rect.min[along];
        for (part, extent) in parts.iter().zip(pour(&least, &want, weight, length - gaps)) {
            let mut min = rect.min.to_vec2();
            min[along] = at;
            let mut size = Vec2::splat(across);
            size[along] = extent;
            if !self.place(part, Rect::from_min_size(Pos2::from([min.x, min.y]), size), out) {
                return false;
            }
            at += extent + self.gap();
        }
        true
    }
}

/// Height of a panel's title and note.
pub(crate) fn heading(panel: &Panel, style: &Style) -> f32 {
    let title = if panel.title.is_empty() { 0.0 } else { 1.75 * style.body };
    title + if panel.note.is_some() { 1.75 * style.caption } else { 0.0 }
}

/// How much of the room a part gets where not all get what they want: the picture comes first.
fn weight(part: &Page) -> f32 {
    if part.panels().iter().any(|it| it.rank == 0) { 2.0 } else { 1.0 }
}

/// Shares `length` out: everybody gets the least, and the rest goes by weight to those who want more.
fn pour(least: &[f32], want: &[f32], weight: &[f32], length: f32) -> Vec<f32> {
    let mut extents = least.to_vec();
    for _ in 0..8 {
        let rest = length - extents.iter().sum::<f32>();
        let thirsty: Vec<usize> = (0..want.len()).filter(|i| want[*i] > extents[*i] + 0.5).collect();
        if rest < 0.5 || thirsty.is_empty() {
            break;
        }
        // Those with little for their weight come first, so that equals end as equals.
        let each = |of: &[f32]| thirsty.iter().map(|i| of[*i]).sum::<f32>();
        let goal = (each(&extents) + rest) / each(weight);
        let lower: Vec<usize> = thirsty.iter().copied().filter(|i| extents[*i] < weight[*i] * goal).collect();
        let sum: f32 = lower.iter().map(|i| weight[*i] * goal - extents[*i]).sum();
        for i in lower {
            let more = (weight[i] * goal - extents[i]) * (rest / sum).min(1.0);
            extents[i] = (extents[i] + more).min(want[i].max(least[i]));
        }
    }
    extents
}

/// The rectangle of the content of a panel below its heading.
pub(crate) fn content(panel: &Panel, style: &Style, rect: Rect) -> Rect {
    Rect::from_min_max(pos2(rect.left(), rect.top() + heading(panel, style)), rect.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Room, column, panel, row};

    fn page() -> Page {
        let square = Room::shaped(1.0, [160.0, 160.0], [0.0, 0.0]);
        row([
            panel("map", 0, square).into(),
            column([
                panel("curve", 1, Room::fill(200.0, 120.0)).into(),
                panel("rest", 2, Room::fill(200.0, 60.0).at_most_high(80.0)).into(),
            ]),
        ])
    }

    fn arranged(width: f32, height: f32) -> Arranged {
        let rect = Rect::from_min_size(Pos2::ZERO, egui::vec2(width, height));
        arrange(&page(), &Style::new(true, 1.0), rect, None, false)
    }

    #[test]
    fn a_wide_page_is_as_described_and_a_narrow_one_a_column() {
        let wide = arranged(1100.0, 500.0);
        assert_eq!(wide.placed.len(), 3);
        assert_eq!(wide.placed[0].1.width(), 500.0, "a square takes what its height can use");
        assert_eq!(wide.placed[2].1.height(), 80.0, "no more than helps");
        let narrow = arranged(300.0, 700.0);
        assert_eq!(narrow.placed.len(), 3);
        assert!(narrow.placed[1].1.top() >= narrow.placed[0].1.bottom());
    }

    #[test]
    fn what_does_not_fit_leaves_by_rank_and_can_be_asked_for() {
        let small = arranged(300.0, 330.0);
        let names: Vec<&str> = small.placed.iter().map(|it| it.0.name).collect();
        assert_eq!(names, ["map", "curve"]);
        assert_eq!(small.hidden[0].name, "rest");
        let rect = Rect::from_min_size(Pos2::ZERO, egui::vec2(300.0, 300.0));
        let asked = arrange(&page(), &Style::new(true, 1.0), rect, Some("rest"), false);
        assert_eq!(asked.placed.len(), 1);
        assert_eq!(asked.placed[0].0.name, "rest");
        assert_eq!(arranged(40.0, 40.0).placed[0].0.name, "map", "the essential one is always there");
    }

    #[test]
    fn a_card_shows_what_is_essential() {
        let two = column([
            panel("curve", 0, Room::fill(100.0, 80.0)).into(),
            panel("map", 0, Room::fill(100.0, 80.0)).into(),
            panel("rest", 1, Room::fill(10.0, 10.0)).into(),
        ]);
        let names = |page: &Page, height: f32| -> Vec<&str> {
            let rect = Rect::from_min_size(Pos2::ZERO, egui::vec2(150.0, height));
            arrange(page, &Style::new(true, 1.0), rect, None, true)
                .placed
                .iter()
                .map(|it| it.0.name)
                .collect()
        };
        assert_eq!(names(&two, 200.0), ["curve", "map"], "both, where both find room");
        assert_eq!(names(&two, 120.0), ["curve"]);
        assert_eq!(names(&page(), 600.0), ["map"]);
    }

    proptest::proptest! {
        /// Whatever the size, nothing overlaps and nothing leaves the room.
        #[test]
        fn panels_lie_apart_inside(width in 20.0..3000.0f32, height in 20.0..2000.0f32) {
            let room = Rect::from_min_size(Pos2::ZERO, egui::vec2(width, height)).expand(1.0);
            let placed = arranged(width, height).placed;
            for (i, (_, a)) in placed.iter().enumerate() {
                proptest::prop_assert!(room.contains_rect(*a));
                for (_, b) in &placed[..i] {
                    proptest::prop_assert!(!a.shrink(0.5).intersects(b.shrink(0.5)));
                }
            }
        }
    }
}
