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
    /// The layer and head that an exhibit shows in this frame, whoever chose them: keys step from there.
    #[serde(skip)]
    pub shown: Spot,
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

    /// Locks another head or layer, from the locked one or else from what is shown, of so many that there are.
    pub fn step(&mut self, [head, layer]: [isize; 2], [heads, layers]: [usize; 2]) {
        let moved = |locked: Option<usize>, shown: Option<usize>, step: isize, count: usize| {
            let from = locked.or(shown).unwrap_or(0);
            if step == 0 || count == 0 {
                locked
            } else {
                Some(from.saturating_add_signed(step).min(count - 1))
            }
        };
        let (l, s) = (&mut self.locked, self.shown);
        l.head = moved(l.head, s.head, head, heads);
        l.layer = moved(l.layer, s.layer, layer, layers);
    }

    /// Ends a frame; returns whether the hover changed, so that the app draws once more.
    pub fn turn(&mut self) -> bool {
        let changed = self.hover != self.next;
        self.hover = std::mem::take(&mut self.next);
        self.shown = Spot::default();
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_on_from_what_is_locked_or_else_shown() {
        let at = |layer, head| Spot { layer, head, ..Spot::default() };
        let mut focus = Focus { shown: at(Some(3), Some(1)), ..Focus::default() };
        focus.step([1, 0], [12, 6]);
        assert_eq!(focus.locked, at(None, Some(2)), "from the head that is shown; the layer stays open");
        focus.step([0, -1], [12, 6]);
        assert_eq!(focus.locked, at(Some(2), Some(2)));
        focus.step([1, 9], [12, 6]);
        assert_eq!(focus.locked, at(Some(5), Some(3)), "from what is locked, as far as there are");
        focus.step([-9, 1], [12, 0]);
        assert_eq!(focus.locked, at(Some(5), Some(0)), "nothing moves among none");
        focus.turn();
        assert_eq!(focus.shown, Spot::default(), "an exhibit that is gone shows nothing");
    }

    #[test]
    fn without_anything_shown_steps_begin_at_the_first() {
        let mut focus = Focus::default();
        focus.step([1, 1], [2, 2]);
        assert_eq!((focus.locked.layer, focus.locked.head), (Some(1), Some(1)));
    }
}
