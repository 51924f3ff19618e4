//! The page of an exhibit: panels in rows and columns, described once and arranged for every size.
//!
//! A [`Panel`] says what it shows, how much room it needs and how important it is ([`Panel::rank`]). From this follow the
//! picture at full, half and card size ([`arrange()`]), and the tabs for what does not fit. [`Knobs`] are visited: one visitor
//! draws them, another lists them, another turns them.
//!
//! ```
//! use egui::{Pos2, Rect, vec2};
//! use vitrine::page::{Room, arrange, panel, row};
//! use vitrine::ui::Style;
//!
//! let page = row([
//!     panel("map", 0, Room::shaped(1.0, [160.0, 160.0], [0.0, 0.0])).into(),
//!     panel("curve", 1, Room::fill(200.0, 120.0)).into(),
//! ]);
//! let placed = |width, height| {
//!     let room = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
//!     arrange(&page, &Style::new(true, 1.0), room, None, false).placed
//! };
//! let [(_, map), (_, curve)] = &placed(900.0, 400.0)[..] else { panic!("both find room") };
//! assert!(map.right() < curve.left(), "beside each other, as described");
//! let [(_, map), (_, curve)] = &placed(300.0, 600.0)[..] else { panic!("both find room") };
//! assert!(map.bottom() < curve.top(), "below each other where it is narrow");
//! assert_eq!(placed(200.0, 200.0)[0].0.name, "map", "the essential one where there is little");
//! ```

mod arrange;
mod draw;
mod heads;
mod knobs;
mod minus;
mod picture;
mod scene;
mod seen;
mod show;
mod sign;
mod words;

pub use arrange::{Arranged, arrange};
pub use knobs::{Knob, Knobs};
pub use minus::Difference;
pub use picture::{Cells, Field, Fields, Heads, Label, Map, Picture, Touch};
pub use scene::Scene;
pub use seen::Seen;
pub use show::{View, show};
pub use sign::{Glyph, Sign};
pub use words::{Line, Word, Words};

/// Panels in rows and columns.
#[derive(Clone)]
pub enum Page {
    /// One panel.
    Panel(Box<Panel>),
    /// Parts beside each other, below each other where they are too wide.
    Row(Vec<Self>),
    /// Parts below each other, beside each other where they are too high.
    Column(Vec<Self>),
}

/// One picture of a page.
#[derive(Clone)]
pub struct Panel {
    /// What it is called: on its tab, in menus, in links. Unique on its page.
    pub name: &'static str,
    /// What stands above it; nothing if empty.
    pub title: String,
    /// A line of words under the title, kept free if it is `Some("")`: what a click causes moves nothing.
    pub note: Option<String>,
    /// 0: essential, which every size shows; higher ones leave first where there is no room.
    pub rank: u8,
    /// The room that it needs.
    pub room: Room,
    /// What it shows.
    pub picture: Picture,
    /// How to read it, for whoever sees it apart from the app.
    pub about: String,
    /// Whether that stands below the picture, too.
    pub told: bool,
}

/// The room that a panel needs, in points at scale 1, without its title.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Below this width or height it tells nothing.
    pub least: [f32; 2],
    /// Width over height; `None` where it fills any room.
    pub aspect: Option<f32>,
    /// What does not grow with it, such as labels and a legend: width and height.
    pub around: [f32; 2],
    /// More than this width or height does not help.
    pub most: [f32; 2],
}

impl Room {
    /// Any room from a least width and height.
    pub const fn fill(width: f32, height: f32) -> Self {
        Self { least: [width, height], aspect: None, around: [0.0; 2], most: [f32::INFINITY; 2] }
    }

    /// Width over height is `aspect`, apart from what is `around`.
    pub const fn shaped(aspect: f32, least: [f32; 2], around: [f32; 2]) -> Self {
        Self { least, aspect: Some(aspect), around, most: [f32::INFINITY; 2] }
    }

    /// No more than this height helps.
    pub const fn at_most_high(self, height: f32) -> Self {
        Self { most: [self.most[0], height], ..self }
    }

    /// No more than this width helps.
    pub const fn at_most_wide(self, width: f32) -> Self {
        Self { most: [width, self.most[1]], ..self }
    }
}

/// A panel of a page.
pub fn panel(name: &'static str, rank: u8, room: Room) -> Panel {
    Panel {
        name,
        title: String::new(),
        note: None,
        rank,
        room,
        picture: Picture::Own,
        about: String::new(),
        told: false,
    }
}

impl Panel {
    /// With words above it.
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Showing this.
    pub fn shows(self, picture: Picture) -> Self {
        Self { picture, ..self }
    }

    /// With a sentence that tells how to read it.
    pub fn read(self, about: impl Into<String>) -> Self {
        Self { about: about.into(), ..self }
    }

    /// With words below the picture that tell how to read it.
    pub fn told(self, about: impl Into<String>) -> Self {
        Self { about: about.into(), told: true, ..self }
    }

    /// With a line under the title.
    pub fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

impl From<Panel> for Page {
    fn from(panel: Panel) -> Self {
        Self::Panel(Box::new(panel))
    }
}

/// Parts beside each other.
pub fn row<const N: usize>(parts: [Page; N]) -> Page {
    Page::Row(parts.into())
}

/// Parts below each other.
pub fn column<const N: usize>(parts: [Page; N]) -> Page {
    Page::Column(parts.into())
}

impl Page {
    /// All panels, in reading order.
    pub fn panels(&self) -> Vec<&Panel> {
        match self {
            Self::Panel(panel) => vec![panel],
            Self::Row(parts) | Self::Column(parts) => parts.iter().flat_map(Self::panels).collect(),
        }
    }

    /// The same panels without what stands above them.
    pub(crate) fn bare(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::bare).collect();
        match self {
            Self::Panel(panel) => {
                Self::Panel(Box::new(Panel { title: String::new(), note: None, ..(**panel).clone() }))
            }
            Self::Row(parts) => Self::Row(all(parts)),
            Self::Column(parts) => Self::Column(all(parts)),
        }
    }

    /// The panel that every size shows.
    pub fn essential(&self) -> Option<&Panel> {
        self.panels().into_iter().min_by_key(|it| it.rank)
    }
}
