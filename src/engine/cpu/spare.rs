//! Memory that traces were given, to be written again once they are gone: made anew at every run, the patterns of 512 tokens would be
//! 75 MB for the system to clear and to map.

use std::sync::Arc;

/// Elements that are held at most, whether their traces are there or not: 64 MB.
const MOST: usize = 16 << 20;

/// Buffers that traces were given, the oldest first.
#[derive(Default)]
pub(super) struct Spare(Vec<Arc<[f32]>>);

impl Spare {
    /// Remembers what a trace was given.
    pub(super) fn give(&mut self, buffer: Arc<[f32]>) {
        if buffer.is_empty() {
            return;
        }
        self.0.push(buffer);
        let mut held: usize = self.0.iter().map(|it| it.len()).sum();
        let mut oldest = 0;
        while held > MOST {
            held -= self.0[oldest].len();
            oldest += 1;
        }
        self.0.drain(..oldest);
    }

    /// Memory for `len` elements, of whatever values, that nobody else has.
    pub(super) fn take(&mut self, len: usize) -> Arc<[f32]> {
        let free = self.0.iter_mut().position(|it| it.len() == len && Arc::get_mut(it).is_some());
        free.map_or_else(|| zeros(len), |i| self.0.remove(i))
    }
}

pub(super) fn zeros(len: usize) -> Arc<[f32]> {
    std::iter::repeat_n(0.0, len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trace_holds_is_not_written_again() {
        let mut spare = Spare::default();
        let given = zeros(5);
        spare.give(Arc::clone(&given));
        assert!(!Arc::ptr_eq(&spare.take(5), &given), "the trace is still there");
        let place = given.as_ptr();
        drop(given);
        assert_ne!(spare.take(4).as_ptr(), place, "another length");
        assert_eq!(spare.take(5).as_ptr(), place, "the trace is gone");
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut spare = Spare::default();
        let quarter = MOST / 4;
        let given: Vec<_> = (0..6).map(|_| zeros(quarter)).collect();
        for it in &given {
            spare.give(Arc::clone(it));
        }
        assert_eq!(given.iter().map(Arc::strong_count).collect::<Vec<_>>(), [1, 1, 2, 2, 2, 2]);
        spare.give(zeros(MOST + 1));
        assert!(spare.0.is_empty(), "too large to be held at all");
    }
}
