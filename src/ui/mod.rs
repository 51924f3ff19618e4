//! Pictures: what every exhibit draws with, in one look.
//!
//! [`Style`] holds all colours and sizes. [`Maps`] paints heat maps straight from a trace's tensor, [`Axes`] one of them
//! large with its tokens, [`Lines`] who looks at whom, [`Easel`] a picture to draw on, [`Circles`] widths on it, [`Square`] a
//! map of it, [`Legend`] what the colours say, [`card()`] the label on the wall, and [`Figure`] the same picture for a
//! paper. Whatever the pointer is on comes back as a [`Hit`].

mod axes;
mod bars;
mod card;
mod chart;
mod circles;
mod easel;
mod figure;
mod formula;
mod heatmap;
mod hit;
mod legend;
mod lines;
mod mark;
mod number;
pub mod scale;
mod square;
mod style;
mod texture;
mod tokens;

pub use axes::Axes;
pub use bars::{Bar, Bars};
pub use card::{Card, Measured, Size, badge, card};
pub use chart::{Axis, Chart, Form, Handle, Series, Touched};
pub use circles::{Circle, Circles, Moved};
pub use easel::Easel;
pub use figure::{Body, Figure, FigureError, Table};
pub use formula::formula;
pub use heatmap::{Maps, Peak, install_heatmaps};
pub use hit::Hit;
pub use legend::{Divided, Legend};
pub use lines::Lines;
pub use mark::Mark;
pub use number::{beside, bound, number};
pub use scale::{Range, Scale};
pub use square::Square;
pub use style::{Style, install_fonts};
pub use tokens::readable_on;
