//! The traces that exhibits show before anything was computed. The program has them in it; a page has that of the first
//! exhibit only, and fetches any other when it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::models::fetch::{Progress, fetch};
use crate::platform;
use crate::trace::Trace;

/// What is known of every trace that was asked for.
static KNOWN: Mutex<BTreeMap<&str, Known>> = Mutex::new(BTreeMap::new());

enum Known {
    Coming,
    Here(Arc<Trace>),
    /// It cannot be had: then the picture comes with the model.
    Gone,
}

/// The recorded trace of exhibit `id`, if it is here.
pub(super) fn recorded(id: &'static str) -> Option<Arc<Trace>> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let it = known.entry(id).or_insert_with(|| {
        let trace = platform::embedded(&file(id)).and_then(|it| Trace::parse(it).ok());
        if trace.is_none() {
            platform::spawn(arrive(id));
        }
        trace.map_or(Known::Coming, |it| Known::Here(Arc::new(it)))
    });
    if let Known::Here(trace) = it { Some(Arc::clone(trace)) } else { None }
}

/// Whether traces are on their way.
pub(crate) fn awaited() -> bool {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.values().any(|it| matches!(it, Known::Coming))
}

/// Fetches a trace from beside the page.
async fn arrive(id: &'static str) {
    let bytes = fetch(&file(id), &Progress::default()).await;
    let trace = bytes.ok().and_then(|it| Trace::parse(&it).ok());
    let trace = trace.map_or(Known::Gone, |it| Known::Here(Arc::new(it)));
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(id, trace);
}

fn file(id: &str) -> String {
    format!("traces/{id}.safetensors")
}
