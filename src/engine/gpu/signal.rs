//! One value from a callback to whoever awaits it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The end that the callback holds. Dropped without a value, it tells the other end so.
pub(super) struct Sender<T>(Shared<T>);

/// The end that is awaited: the value, or `None` if the sender was dropped.
pub(super) struct Receiver<T>(Shared<T>);

type Shared<T> = Arc<Mutex<State<T>>>;

struct State<T> {
    value: Option<T>,
    closed: bool,
    waker: Option<Waker>,
}

/// A pair of ends.
pub(super) fn signal<T>() -> (Sender<T>, Receiver<T>) {
    let state = Arc::new(Mutex::new(State { value: None, closed: false, waker: None }));
    (Sender(Arc::clone(&state)), Receiver(state))
}

impl<T> Sender<T> {
    /// Hands the value over.
    pub(super) fn send(self, value: T) {
        locked(&self.0).value = Some(value);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = locked(&self.0);
        state.closed = true;
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = locked(&self.0);
        if state.closed {
            return Poll::Ready(state.value.take());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

fn locked<T>(state: &Shared<T>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
