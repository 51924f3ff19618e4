//! A device and what everything on it shares: its limits, its faults, and the buffers that are free to be used again.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::EngineError;
use crate::platform;

/// Bytes of buffers kept for later; beyond them the oldest is freed.
const SPARE: u64 = 128 << 20;

/// A device, its queue and its free buffers.
pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    /// Whether a processor pretends to be a GPU.
    pub(super) software: bool,
    faults: Arc<Mutex<Faults>>,
    free: Mutex<Vec<wgpu::Buffer>>,
    /// How often the driver refused something: buffers made before are not used again, for they may be the refused ones.
    refusals: AtomicU64,
}

/// What went wrong outside every error scope.
#[derive(Default)]
struct Faults {
    lost: Option<String>,
    uncaptured: Option<String>,
}

/// A storage buffer on loan: dropping it makes it free for others.
pub(super) struct Lease {
    pub(super) buffer: wgpu::Buffer,
    pub(super) context: Arc<Context>,
    refusals: u64,
}

impl Context {
    /// Takes the device over: from here on its faults are recorded instead of panicking.
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue, software: bool) -> Arc<Self> {
        let faults = Arc::new(Mutex::new(Faults::default()));
        let seen = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, message| {
            locked(&seen).lost = Some(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        let seen = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("GPU: {error}");
            locked(&seen).uncaptured.get_or_insert_with(|| error.to_string());
        }));
        let (free, refusals) = (Mutex::default(), AtomicU64::default());
        Arc::new(Self { limits: device.limits(), device, queue, software, faults, free, refusals })
    }

    /// Why the device went away, if it did.
    pub(super) fn lost(&self) -> Option<String> {
        locked(&self.faults).lost.clone()
    }

    /// An error if the device is lost, or if it complained since this was last asked.
    pub(super) fn healthy(&self) -> Result<(), EngineError> {
        let mut faults = locked(&self.faults);
        if let Some(reason) = &faults.lost {
            return Err(EngineError::Lost(reason.clone()));
        }
        let complaint = faults.uncaptured.take();
        drop(faults);
        complaint.map_or(Ok(()), |reason| Err(self.refused("a command", reason)))
    }

    /// Sees to it that the callbacks of work up to `submission` run.
    pub(super) fn settle(&self, submission: wgpu::SubmissionIndex) -> Result<(), EngineError> {
        platform::settle(&self.device, submission).map_err(|error| {
            let mut faults = locked(&self.faults);
            EngineError::Lost(faults.lost.get_or_insert_with(|| error.to_string()).clone())
        })
    }

    /// A buffer for `len` f32, its contents arbitrary. `what` names it in errors.
    pub(super) fn lease(
        self: &Arc<Self>,
        what: &str,
        len: usize,
        checks: &mut Checks,
    ) -> Result<Lease, EngineError> {
        let size = self.size(what, len)?;
        let mut free = locked(&self.free);
        let spare = free.iter().rposition(|it| it.size() == size).map(|i| free.remove(i));
        drop(free);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
        let buffer = spare.unwrap_or_else(|| {
            checks
                .watch(&self.device, &format!("memory for {what}"), || self.device.create_buffer(&descriptor))
        });
        Ok(Lease { buffer, context: Arc::clone(self), refusals: self.refusals.load(Ordering::Relaxed) })
    }

    /// Bytes of a buffer for `len` f32: never 0, whole vec4s, and few different sizes, so that buffers find new uses.
    fn size(&self, what: &str, len: usize) -> Result<u64, EngineError> {
        let limit = self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size) & !15;
        let bytes = (4 * len as u64).next_multiple_of(16).max(16);
        if bytes > limit {
            let megabytes = |bytes: u64| bytes.div_ceil(1 << 20) as usize;
            let (needed, allowed) = (megabytes(bytes), megabytes(limit));
            return Err(EngineError::TooLarge { what: what.to_owned(), needed, allowed });
        }
        let step = (bytes.next_power_of_two() / 8).max(256);
        Ok(bytes.next_multiple_of(step).min(limit))
    }

    fn refused(&self, what: &str, reason: String) -> EngineError {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        EngineError::Refused { what: what.to_owned(), reason }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.refusals != self.context.refusals.load(Ordering::Relaxed) {
            return self.buffer.destroy();
        }
        let mut free = locked(&self.context.free);
        free.push(self.buffer.clone());
        let mut bytes: u64 = free.iter().map(wgpu::Buffer::size).sum();
        while bytes > SPARE {
            let oldest = free.remove(0);
            bytes -= oldest.size();
            // In a browser a dropped buffer lives until the garbage is collected, which knows nothing of its size.
            oldest.destroy();
        }
    }
}

/// What the driver may still say about things just made: its answers come later.
#[derive(Default)]
pub(super) struct Checks(Vec<(String, Answer)>);

type Answer = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;

impl Checks {
    /// Makes something whose refusal is to be an error that names `what`.
    pub(super) fn watch<T>(&mut self, device: &wgpu::Device, what: &str, make: impl FnOnce() -> T) -> T {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes = [OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter));
        let made = make();
        for scope in scopes.into_iter().rev() {
            self.0.push((what.to_owned(), Box::pin(scope.pop())));
        }
        made
    }

    /// Waits for all answers; the first refusal is the error.
    pub(super) async fn pass(self, context: &Context) -> Result<(), EngineError> {
        for (what, answer) in self.0 {
            if let Some(error) = answer.await {
                return Err(context.refused(&what, error.to_string()));
            }
        }
        Ok(())
    }
}

/// The value behind a lock. Every critical section here leaves it whole, even one that panicked.
pub(super) fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
