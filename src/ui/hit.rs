//! What the pointer is on in a picture of tokens.

use crate::focus::{Focus, Spot};

/// What the pointer is on in a picture of tokens.
pub struct Hit {
    /// Query token under the pointer.
    pub query: Option<usize>,
    /// Key token under the pointer.
    pub key: Option<usize>,
    /// Whether it was clicked or tapped in this frame.
    pub clicked: bool,
    /// The widget.
    pub response: egui::Response,
}

impl Hit {
    /// Lights what the pointer is on in every tile, and locks it when it was clicked. `place` adds the layer and head
    /// that the picture shows.
    pub fn link(&self, focus: &mut Focus, place: Spot) {
        if self.query.is_none() && self.key.is_none() {
            return;
        }
        let spot = Spot { query: self.query, key: self.key, ..place };
        focus.hover(spot);
        if self.clicked {
            focus.lock(spot);
        }
    }
}
