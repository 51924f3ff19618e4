//! Runs recordings beside the interface.
//!
//! One worker owns the device and takes orders from a mailbox that holds at most one order for each tile, so the latest
//! request wins. A tile keeps its previous trace until the next arrives. Nothing here ever waits: the app calls
//! [`Lab::request`] and [`Lab::poll`] in every frame and shows what [`Lab::show`] says.

mod mailbox;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, mpsc};

use web_time::Duration;

use crate::engine::EngineError;
use crate::graph::Recording;
use crate::platform;
use crate::trace::Trace;
use mailbox::{Mailbox, Order};
use worker::Report;
pub use worker::{Runner, cpu};

/// A superseded run may finish if it is this quick: pictures then follow a dragged handle instead of waiting for its end.
const GRACE: Duration = Duration::from_millis(120);

/// Runs recordings beside the interface.
pub struct Lab {
    mail: Arc<Mailbox>,
    reports: mpsc::Receiver<Report>,
    repaint: Arc<dyn Fn() + Send + Sync>,
    tiles: BTreeMap<u64, Tile>,
    /// What computes, for the badge; `None` while it is being opened.
    pub device: Option<String>,
    /// Why nothing can be computed: no device could be opened, or it was lost.
    pub fault: Option<EngineError>,
    /// How many recordings were run, checks excluded.
    pub runs: usize,
    /// How many plans were compiled, those of checks excluded.
    pub compiles: usize,
}

/// What there is to show for one tile.
#[derive(Clone, Copy, Default)]
pub struct TileState<'a> {
    /// The latest trace.
    pub trace: Option<&'a Arc<Trace>>,
    /// Whether a newer one is on its way.
    pub stale: bool,
    /// Why there is none, in words.
    pub error: Option<&'a str>,
    /// How long the run has lasted, if it is running.
    pub elapsed: Option<Duration>,
    /// How long the previous one took.
    pub expected: Option<Duration>,
}

#[derive(Default)]
struct Tile {
    /// Identity of the recording asked for last.
    wanted: Option<u64>,
    /// Identity of the recording that the trace belongs to.
    shown: Option<u64>,
    trace: Option<Arc<Trace>>,
    error: Option<String>,
}

impl Lab {
    /// A lab on the device that `open` gives. It is opened, and stays, on the worker.
    pub fn new<D, F>(
        open: impl FnOnce() -> F + Send + 'static,
        repaint: impl Fn() + Send + Sync + 'static,
    ) -> Self
    where
        D: Runner,
        F: Future<Output = Result<D, EngineError>> + 'static,
    {
        let repaint: Arc<dyn Fn() + Send + Sync> = Arc::new(repaint);
        let (mail, reports) = start(open, Arc::clone(&repaint));
        Self {
            mail,
            reports,
            repaint,
            tiles: BTreeMap::new(),
            device: None,
            fault: None,
            runs: 0,
            compiles: 0,
        }
    }

    /// Goes on with another device. Traces stay until the new device has computed them again.
    pub fn switch<D, F>(&mut self, open: impl FnOnce() -> F + Send + 'static)
    where
        D: Runner,
        F: Future<Output = Result<D, EngineError>> + 'static,
    {
        self.mail.close();
        (self.mail, self.reports) = start(open, Arc::clone(&self.repaint));
        (self.device, self.fault) = (None, None);
        for tile in self.tiles.values_mut() {
            (tile.wanted, tile.shown, tile.error) = (None, None, None);
        }
    }

    /// Asks for the trace of `recording`. Call it in every frame: an equal recording is not run again.
    pub fn request(&mut self, tile: u64, recording: Recording) {
        self.order(tile, recording, Purpose::Picture);
    }

    /// Asks for a measurement, which waits until no picture is wanted.
    ///
    /// With `against_cpu` the trace holds the scalar `error`: the largest difference between this device and the CPU
    /// over all tensors kept.
    pub fn check(&mut self, tile: u64, recording: Recording, against_cpu: bool) {
        self.order(tile, recording, Purpose::Check { against_cpu });
    }

    fn order(&mut self, key: u64, recording: Recording, kind: Purpose) {
        let identity = recording.identity();
        let tile = self.tiles.entry(key).or_default();
        if tile.wanted == Some(identity) {
            return;
        }
        (tile.wanted, tile.error) = (Some(identity), None);
        if tile.shown == Some(identity) {
            self.mail.withdraw(key);
        } else {
            self.mail.put(Order { tile: key, identity, recording, kind, ..Order::default() });
        }
    }

    /// What there is to show for `tile`.
    pub fn show(&self, tile: u64) -> TileState<'_> {
        let Some(it) = self.tiles.get(&tile) else { return TileState::default() };
        TileState {
            trace: it.trace.as_ref(),
            stale: it.wanted.is_some() && it.wanted != it.shown,
            error: it.error.as_deref(),
            elapsed: self.mail.running(tile).map(|since| since.elapsed()),
            expected: it.trace.as_ref().map(|trace| Duration::from_secs_f64(trace.stats.seconds.max(0.0))),
        }
    }

    /// Runs the tile's recording again.
    pub fn retry(&mut self, tile: u64) {
        if let Some(it) = self.tiles.get_mut(&tile) {
            (it.wanted, it.shown, it.error) = (None, None, None);
        }
    }

    /// Stops what runs for `tile`; it says so until the recording changes or is tried again.
    pub fn cancel(&mut self, tile: u64) {
        self.mail.withdraw(tile);
        self.mail.stop(tile);
        if let Some(it) = self.tiles.get_mut(&tile) {
            it.error = Some("Stopped before it was done.".to_owned());
        }
    }

    /// Forgets a closed tile.
    pub fn close(&mut self, tile: u64) {
        self.mail.withdraw(tile);
        self.mail.stop(tile);
        self.tiles.remove(&tile);
    }

    /// Whether anything runs or waits.
    pub fn computing(&self) -> bool {
        self.mail.busy()
    }

    /// Takes what the worker has reported. Call it once a frame.
    pub fn poll(&mut self) {
        loop {
            match self.reports.try_recv() {
                Ok(report) => self.take(report),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => {
                    self.mail.close();
                    self.fault.get_or_insert(EngineError::Lost("the engine stopped".to_owned()));
                    break;
                }
            }
        }
        let wanted = |tile: u64| self.tiles.get(&tile).and_then(|it| it.wanted);
        self.mail.overtake(wanted, GRACE);
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Opened(name) => self.device = Some(name),
            Report::Failed(error) => self.fault = Some(error),
            Report::Ran { tile, identity, kind, result, compiles } => {
                if kind == Purpose::Picture {
                    self.runs += usize::from(result.is_ok());
                    self.compiles += compiles;
                }
                self.settle(tile, identity, result);
            }
        }
    }

    fn settle(&mut self, tile: u64, identity: u64, result: Result<Trace, EngineError>) {
        let Some(it) = self.tiles.get_mut(&tile) else { return };
        match result {
            Ok(trace) => (it.trace, it.shown) = (Some(Arc::new(trace)), Some(identity)),
            // A check that gave way to a picture is asked for again.
            Err(EngineError::Cancelled) if it.wanted == Some(identity) && it.error.is_none() => {
                it.wanted = None;
            }
            Err(EngineError::Cancelled) => {}
            Err(error) => {
                if it.wanted == Some(identity) {
                    it.error = Some(error.to_string());
                }
                if matches!(error, EngineError::Lost(_)) {
                    self.fault = Some(error);
                }
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.mail.close();
    }
}

/// What a recording is run for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Purpose {
    /// A picture that somebody waits for.
    #[default]
    Picture,
    /// A measurement, which waits until no picture is wanted.
    Check { against_cpu: bool },
}

fn start<D, F>(
    open: impl FnOnce() -> F + Send + 'static,
    repaint: Arc<dyn Fn() + Send + Sync>,
) -> (Arc<Mailbox>, mpsc::Receiver<Report>)
where
    D: Runner,
    F: Future<Output = Result<D, EngineError>> + 'static,
{
    let mail = Arc::new(Mailbox::default());
    let (reports, inbox) = mpsc::channel();
    let send = move |report| {
        // The lab may have gone on with another device; then nobody listens.
        let _ = reports.send(report);
        repaint();
    };
    let post = Arc::clone(&mail);
    platform::work(move || worker::work(open(), post, send));
    (mail, inbox)
}
