//! The traces that exhibits show before anything was computed. The program has them in it; a page has that of the first
//! exhibit only, and fetches any other when it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::models::fetch::{Progress, fetch};
use crate::platform;
use crate::trace::Trace;

/// What is known of every trace that was asked for; none while it is on its way, and for good if it cannot be had: then the
/// picture comes with the model.
static KNOWN: Mutex<BTreeMap<&str, Option<Arc<Trace>>>> = Mutex::new(BTreeMap::new());

/// The recorded trace of exhibit `id`, if it is here.
pub(super) fn recorded(id: &'static str) -> Option<Arc<Trace>> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(it) = known.get(id) {
        return it.clone();
    }
    let trace = platform::embedded(&file(id)).and_then(|it| Trace::parse(it).ok()).map(Arc::new);
    known.insert(id, trace.clone());
    if trace.is_none() {
        platform::spawn(arrive(id));
    }
    trace
}

/// Fetches a trace from beside the page.
async fn arrive(id: &'static str) {
    let bytes = fetch(&file(id), &Progress::default()).await;
    let trace = bytes.ok().and_then(|it| Trace::parse(&it).ok());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(id, trace.map(Arc::new));
}

fn file(id: &str) -> String {
    format!("traces/{id}.safetensors")
}
