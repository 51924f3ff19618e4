//! What a page is made from.

use crate::data::Inputs;
use crate::focus::Focus;
use crate::models::Zoo;
use crate::trace::Trace;
use crate::ui::Style;

/// What an exhibit shows in one frame.
pub struct Scene<'a> {
    /// The latest trace of this tile (or its recorded one).
    pub trace: &'a Trace,
    /// The shared cursor.
    pub focus: &'a mut Focus,
    /// Colours and sizes.
    pub style: &'a Style,
    /// What all tiles look at. A picture may be drawn on, or exchanged.
    pub inputs: &'a mut Inputs,
    /// The models.
    pub zoo: &'a Zoo,
    /// Set to ask the person for files: a photograph, or a model's.
    pub pick: &'a mut bool,
}
