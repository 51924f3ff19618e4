//! One cursor for every tile: what the pointer is on, or what a click has locked.

use serde::{Deserialize, Serialize};

/// A place in a model's computation. `None`: unspecified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spot {
    /// Layer, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Head, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,
    /// Query token (row of a map).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<usize>,
    /// Key token (column of a map).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<usize>,
    /// Place in a picture: row and column in thousandths of its side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<[u16; 2]>,
}

/// The cursor that all tiles share. Hovering previews, a click locks, Esc releases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Focus {
    /// Where the pointer is in this frame.
    #[serde(skip)]
    pub hover: Spot,
    /// What a click has locked.
    pub locked: Spot,
    /// What the cursor is on, in words: the read-out line and what a screen reader hears.
    #[serde(skip)]
    pub readout: String,
    /// The hover that the next frame shows: every tile sees the same one, whatever the order in which they are drawn.
    #[serde(skip)]
    next: Spot,
}

impl Focus {
    /// A cursor that has locked `spot`.
    pub fn at(spot: Spot) -> Self {
        Self { locked: spot, ..Self::default() }
    }

    /// What is lit: the hovered place, else the locked one, field by field.
    pub fn spot(&self) -> Spot {
        let (h, l) = (self.hover, self.locked);
        // A hovered token leaves no locked partner lit: the pair under the pointer is one thing.
        let tokens = if h.query.is_some() || h.key.is_some() { h } else { l };
        Spot {
            layer: h.layer.or(l.layer),
            head: h.head.or(l.head),
            query: tokens.query,
            key: tokens.key,
            at: h.at.or(l.at),
        }
    }

    /// Previews `spot` while the pointer is on it.
    pub fn hover(&mut self, spot: Spot) {
        self.next = spot;
    }

    /// Locks the fields that `spot` names.
    pub fn lock(&mut self, spot: Spot) {
        let l = &mut self.locked;
        *l = Spot {
            layer: spot.layer.or(l.layer),
            head: spot.head.or(l.head),
            query: spot.query.or(l.query),
            key: spot.key.or(l.key),
            at: spot.at.or(l.at),
        };
    }

    /// Whether a token or a place is locked.
    pub fn is_locked(&self) -> bool {
        self.locked.query.is_some() || self.locked.key.is_some() || self.locked.at.is_some()
    }

    /// Unlocks tokens and places (Esc).
    pub fn release(&mut self) {
        (self.locked.query, self.locked.key, self.locked.at) = (None, None, None);
    }

    /// Ends a frame; returns whether the hover changed, so that the app draws once more.
    pub fn turn(&mut self) -> bool {
        let changed = self.hover != self.next;
        self.hover = std::mem::take(&mut self.next);
        changed
    }
}
