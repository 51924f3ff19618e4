//! The orders that wait, and the one that runs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use web_time::{Duration, Instant};

use super::Purpose;
use crate::engine::Cancel;
use crate::graph::Recording;

/// A recording to run.
#[derive(Clone, Default)]
pub(super) struct Order {
    pub(super) tile: u64,
    pub(super) identity: u64,
    pub(super) recording: Recording,
    pub(super) kind: Purpose,
    pub(super) cancel: Cancel,
}

/// At most one waiting order for each tile, and the one that runs. The only lock of the app: it is held for moments.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Vec<Order>,
    running: Option<Running>,
    waker: Option<Waker>,
    closed: bool,
}

struct Running {
    tile: u64,
    identity: u64,
    kind: Purpose,
    cancel: Cancel,
    since: Instant,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the tile's waiting order, which keeps its place in the queue. A check that runs gives way to a picture.
    pub(super) fn put(&self, order: Order) {
        let mut inner = self.lock();
        if let Some(running) = &inner.running {
            let same = (running.tile, running.identity) == (order.tile, order.identity);
            if same && running.cancel.check().is_ok() {
                inner.waiting.retain(|it| it.tile != order.tile);
                return;
            }
            if order.kind == Purpose::Picture && running.kind != Purpose::Picture {
                running.cancel.cancel();
            }
        }
        match inner.waiting.iter_mut().find(|it| it.tile == order.tile) {
            Some(place) => *place = order,
            None => inner.waiting.push(order),
        }
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// Forgets the tile's waiting order.
    pub(super) fn withdraw(&self, tile: u64) {
        self.lock().waiting.retain(|it| it.tile != tile);
    }

    /// Stops what runs for the tile.
    pub(super) fn stop(&self, tile: u64) {
        if let Some(running) = self.lock().running.as_ref().filter(|it| it.tile == tile) {
            running.cancel.cancel();
        }
    }

    /// Stops what runs if its tile wants another recording by now and it has lasted longer than `grace`.
    pub(super) fn overtake(&self, wanted: impl Fn(u64) -> Option<u64>, grace: Duration) {
        if let Some(running) = &self.lock().running
            && wanted(running.tile) != Some(running.identity)
            && running.since.elapsed() > grace
        {
            running.cancel.cancel();
        }
    }

    /// Since when the tile's order runs.
    pub(super) fn running(&self, tile: u64) -> Option<Instant> {
        self.lock().running.as_ref().filter(|it| it.tile == tile).map(|it| it.since)
    }

    /// Whether anything runs or waits.
    pub(super) fn busy(&self) -> bool {
        let inner = self.lock();
        inner.running.is_some() || !inner.waiting.is_empty()
    }

    /// Ends the worker.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
        if let Some(running) = inner.running.take() {
            running.cancel.cancel();
        }
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// The next order, pictures first; `None` once the mailbox is closed.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Order>> {
        let mut inner = self.lock();
        if inner.closed {
            return Poll::Ready(None);
        }
        if inner.waiting.is_empty() {
            inner.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let first = inner.waiting.iter().position(|it| it.kind == Purpose::Picture).unwrap_or(0);
        let order = inner.waiting.remove(first);
        inner.running = Some(Running {
            tile: order.tile,
            identity: order.identity,
            kind: order.kind,
            cancel: order.cancel.clone(),
            since: Instant::now(),
        });
        Poll::Ready(Some(order))
    }

    /// Says that the order that ran is done.
    pub(super) fn done(&self) {
        self.lock().running = None;
    }
}
