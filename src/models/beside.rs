//! Small files that the program has in it, and that a page fetches from beside itself when it is asked for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::fetch::{Progress, fetch};
use crate::platform;

/// How many files are on their way.
static COMING: AtomicUsize = AtomicUsize::new(0);

/// Whether files are on their way, so that the frame that shows one has to be asked for.
pub fn awaited() -> bool {
    COMING.load(Ordering::Relaxed) > 0
}

/// The files of a folder, as `T`.
pub struct Beside<T> {
    folder: &'static str,
    ending: &'static str,
    read: fn(&[u8]) -> Option<T>,
    known: Mutex<BTreeMap<&'static str, Found<T>>>,
}

/// What is known of a file.
pub enum Found<T> {
    /// It is on its way.
    Coming,
    /// It cannot be had.
    Missing,
    /// What it holds.
    Here(Arc<T>),
}

impl<T> Clone for Found<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Coming => Self::Coming,
            Self::Missing => Self::Missing,
            Self::Here(it) => Self::Here(Arc::clone(it)),
        }
    }
}

impl<T> Found<T> {
    /// What the file holds, if it is here.
    pub fn here(self) -> Option<Arc<T>> {
        if let Self::Here(it) = self { Some(it) } else { None }
    }
}

impl<T: Send + Sync + 'static> Beside<T> {
    /// The files `{folder}/{id}.{ending}`, and what makes sense of one.
    pub const fn new(folder: &'static str, ending: &'static str, read: fn(&[u8]) -> Option<T>) -> Self {
        Self { folder, ending, read, known: Mutex::new(BTreeMap::new()) }
    }

    /// What is known of file `id`. Who asks first sets it on its way.
    pub fn get(&'static self, id: &'static str) -> Found<T> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = known.get(id) {
            return it.clone();
        }
        let file = format!("{}/{id}.{}", self.folder, self.ending);
        let found = if let Some(bytes) = platform::embedded(&file) {
            self.found(bytes)
        } else {
            COMING.fetch_add(1, Ordering::Relaxed);
            platform::spawn(async move {
                let file = fetch(&file, &Progress::default()).await;
                let found = file.map_or(Found::Missing, |it| self.found(&it));
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, found);
                COMING.fetch_sub(1, Ordering::Relaxed);
            });
            Found::Coming
        };
        known.insert(id, found.clone());
        found
    }

    fn found(&self, bytes: &[u8]) -> Found<T> {
        (self.read)(bytes).map_or(Found::Missing, |it| Found::Here(Arc::new(it)))
    }
}
