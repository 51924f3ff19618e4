//! What a click or a key asks for. The interface only says what it wants; one place does it.

use super::layout::Place;
use crate::link::{Minus, Theme};

/// What a click or a key asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Put the cursor into the sentence.
    EditText,
    /// Let go of what is locked, and close what covers the tiles.
    Release,
    /// Move the locked query and key.
    Walk { query: isize, key: isize },
    /// Another head.
    Head(isize),
    /// Another layer.
    Layer(isize),
    /// Try everything again that failed.
    Retry,
    /// One step back.
    Undo,
    /// One step forth.
    Redo,
    /// Copy a link to what is on the screen.
    Share,
    /// Show the gallery, or go back to the tiles.
    Gallery,
    /// Show what the keys do.
    Help,
    /// Show an exhibit in a new tile.
    Open(&'static str),
    /// Something with one tile.
    Tile(u64, OnTile),
    /// Take another tile's map away from one of this tile's, or no longer.
    Minus(u64, Option<Minus>),
    /// Put all tiles in order.
    Arrange(Preset),
    /// The headline exhibits instead of what is there.
    Headlines,
    /// Compute elsewhere.
    Compute(Compute),
    /// Colours.
    Theme(Theme),
    /// Scale of type in percent.
    Size(u16),
    /// The next larger or smaller scale of type, or the usual one (0).
    Resize(isize),
    /// Something with the model.
    Model(OnModel),
}

/// What can be done with one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnTile {
    /// Take it away.
    Close,
    /// A second one like it.
    Duplicate(Place),
    /// Let it cover the others, or no longer.
    Maximise,
    /// Run it again.
    Retry,
    /// Stop its run.
    Stop,
    /// Give it a cursor of its own, or let it share the others'.
    Unlink,
    /// Save one of its panels.
    Export(Format, &'static str),
}

/// What can be done with the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OnModel {
    /// Use this one from now on.
    Choose(String),
    /// Load it, once more if need be, without choosing it.
    Load(String),
    /// Stop loading it.
    Cancel(String),
    /// Let go of what the browser keeps of it.
    Forget(String),
    /// Ask for the files of another.
    Pick,
    /// Look another up at this address.
    From(String),
}

/// Ways to put all tiles in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// Beside each other.
    Row,
    /// Below each other.
    Column,
    /// In rows and columns, as large as the screen allows.
    Wall,
    /// Behind each other.
    Tabs,
}

/// Forms of a picture in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For print: sharp at any size.
    Svg,
    /// For slides.
    Png,
    /// The numbers.
    Csv,
    /// The numbers, for Python.
    Npy,
}

/// Where models are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// On the processor.
    Cpu,
    /// On the GPU.
    Gpu,
}
