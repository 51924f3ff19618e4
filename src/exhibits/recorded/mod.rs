//! The traces that exhibits show before anything was computed. The program has them in it; a page has that of the first
//! exhibit only, and fetches any other when it is asked for. Where one cannot be had the picture comes with the model.

use std::sync::Arc;

use crate::models::Beside;
use crate::trace::Trace;

static TRACES: Beside<Trace> = Beside::new("traces", "safetensors", |it| Trace::parse(it).ok());

/// The recorded trace of exhibit `id`, if it is here.
pub(super) fn recorded(id: &'static str) -> Option<Arc<Trace>> {
    TRACES.get(id).here()
}
