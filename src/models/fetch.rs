//! Downloads with progress and cancel: the same code in a browser and on a desktop.

use std::fs::File;
use std::future::poll_fn;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use ehttp::streaming::Part;

use crate::engine::Cancel;

/// How far a download is. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    received: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    cancel: Cancel,
}

/// Why there is no file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer at all.
    #[error("{url} could not be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The network's words.
        reason: String,
    },
    /// An answer, but not the file.
    #[error("{url} answered {status}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Code and words: "404 Not Found".
        status: String,
    },
    /// A part of the file.
    #[error("the download stopped after {0}")]
    Stopped(String),
    /// Another file than the one that was asked for.
    #[error(
        "{url} is not the file that this version of Vitrine knows (its SHA-256 begins with {found:.8}, not {wanted:.8}): it was \
         damaged on its way or changed since. Try again, or put the model's files into the folder models"
    )]
    Altered {
        /// What was asked for.
        url: String,
        /// The hash of what came.
        found: String,
        /// The hash of what was expected.
        wanted: String,
    },
    /// It does not fit.
    #[error("there is no memory for a file of {0:.1} MB")]
    Memory(f64),
    /// Somebody pressed cancel.
    #[error("cancelled")]
    Cancelled,
}

impl Progress {
    /// Bytes so far, and how many there will be, once that is known.
    pub fn get(&self) -> (u64, Option<u64>) {
        let total = self.total.load(Ordering::Relaxed);
        (self.received.load(Ordering::Relaxed), (total > 0).then_some(total))
    }

    /// Stops the download.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The same cancel switch with counts of its own: for small files that nobody waits for.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { cancel: self.cancel.clone(), ..Self::default() }
    }

    /// Says how far it is.
    pub fn set(&self, received: u64, total: u64) {
        self.received.store(received, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.cancel.check().is_err()
    }
}

/// The file at `url`, which in a browser may be relative to the page.
pub async fn fetch(url: &str, progress: &Progress) -> Result<Vec<u8>, FetchError> {
    go_on(url, None, progress).await
}

/// A download that began earlier.
pub(super) struct Beginning {
    /// Where it is kept, open at its end.
    pub(super) file: File,
    /// What is there.
    pub(super) begun: Vec<u8>,
}

/// The whole file at `url`, of which only what `part` lacks is fetched, if the server can do that, and written to it at once.
pub(super) async fn go_on(
    url: &str,
    part: Option<Beginning>,
    progress: &Progress,
) -> Result<Vec<u8>, FetchError> {
    let mut request = ehttp::Request::get(url).with_timeout(None);
    if let Some(Beginning { begun, .. }) = &part {
        // Positions are those of the file itself, not of a packed form of it.
        request.headers.insert("Accept-Encoding", "identity");
        if !begun.is_empty() {
            request.headers.insert("Range", format!("bytes={}-", begun.len()));
        }
    }
    let transfer = Arc::new(Mutex::new(Transfer::new(url, part, progress)));
    let receiver = Arc::clone(&transfer);
    ehttp::streaming::fetch(request, move |part| lock(&receiver).receive(part));
    poll_fn(|context| {
        let mut transfer = lock(&transfer);
        transfer.waker = Some(context.waker().clone());
        transfer.outcome.take().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn lock(transfer: &Mutex<Transfer>) -> MutexGuard<'_, Transfer> {
    transfer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A download on its way, between the thread that receives and the task that waits.
struct Transfer {
    url: String,
    progress: Progress,
    body: Vec<u8>,
    /// Where what comes is kept.
    file: Option<File>,
    answered: bool,
    total: Option<u64>,
    outcome: Option<Result<Vec<u8>, FetchError>>,
    waker: Option<Waker>,
}

impl Transfer {
    fn new(url: &str, part: Option<Beginning>, progress: &Progress) -> Self {
        let (url, progress) = (url.to_owned(), progress.clone());
        let (body, file) = part.map_or_else(|| (vec![], None), |it| (it.begun, Some(it.file)));
        Self { url, progress, body, file, answered: false, total: None, outcome: None, waker: None }
    }

    /// Takes what came; `Break` ends the download.
    fn receive(&mut self, part: Result<Part, String>) -> ControlFlow<()> {
        let url = self.url.clone();
        let step = match part {
            _ if self.progress.cancelled() => Err(FetchError::Cancelled),
            Ok(Part::Response(response)) if response.ok => self.begin(&response),
            Ok(Part::Response(it)) => {
                let status = format!("{} {}", it.status, it.status_text);
                Err(FetchError::Refused { url, status: status.trim_end().to_owned() })
            }
            Ok(Part::Chunk(chunk)) if chunk.is_empty() => return self.finish(None),
            Ok(Part::Chunk(chunk)) => self.append(&chunk),
            Err(reason) if !self.answered => Err(FetchError::Unreachable { url, reason }),
            Err(reason) => return self.finish(Some(reason)),
        };
        match step {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => self.end(Err(fault)),
        }
    }

    /// The length that was announced, if it counts what will be received: a compressed body is longer than it says. A server that
    /// sends the whole file, asked for the rest, begins again.
    fn begin(&mut self, response: &ehttp::PartialResponse) -> Result<(), FetchError> {
        self.answered = true;
        let rest = format!("bytes {}-", self.body.len());
        if response.status != 206
            || response.headers.get("content-range").is_none_or(|it| !it.starts_with(&rest))
        {
            self.body.clear();
            self.file = self.file.take().filter(|it| it.set_len(0).is_ok());
        }
        let begun = self.body.len() as u64;
        let plain = response.headers.get("content-encoding").is_none_or(|it| it == "identity");
        let length = response.headers.get("content-length").filter(|_| plain);
        let more: Option<u64> = length.and_then(|it| it.parse().ok());
        self.total = more.and_then(|it| it.checked_add(begun));
        self.progress.set(begun, self.total.unwrap_or(0));
        self.reserve(more.unwrap_or(0))
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.reserve(chunk.len() as u64)?;
        self.body.extend_from_slice(chunk);
        // A full disk is no reason to go without the file.
        self.file = self.file.take().filter(|mut it| it.write_all(chunk).is_ok());
        let received = self.body.len() as u64;
        let total = self.total.filter(|total| *total >= received);
        self.progress.set(received, total.unwrap_or(0));
        Ok(())
    }

    /// Room for `more` bytes. Without this a file that does not fit would end the program.
    fn reserve(&mut self, more: u64) -> Result<(), FetchError> {
        let room = self.body.capacity() - self.body.len();
        let fits =
            usize::try_from(more).is_ok_and(|more| more <= room || self.body.try_reserve(more).is_ok());
        if fits { Ok(()) } else { Err(FetchError::Memory((self.body.len() as u64 + more) as f64 / 1e6)) }
    }

    /// No more will come; `reason` says why if that is a fault.
    fn finish(&mut self, reason: Option<String>) -> ControlFlow<()> {
        let body = std::mem::take(&mut self.body);
        let received = body.len() as u64;
        let missing = self.total.filter(|total| *total > received);
        if missing.is_none() && reason.is_none() {
            return self.end(Ok(body));
        }
        let of = missing.map(|total| format!("of {:.1} ", total as f64 / 1e6)).unwrap_or_default();
        let why = reason.map(|it| format!(": {it}")).unwrap_or_default();
        self.end(Err(FetchError::Stopped(format!("{:.1} {of}MB{why}", received as f64 / 1e6))))
    }

    fn end(&mut self, outcome: Result<Vec<u8>, FetchError>) -> ControlFlow<()> {
        self.file = None; // Closed before anybody gives it its name.
        self.outcome = Some(outcome);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        ControlFlow::Break(())
    }
}
