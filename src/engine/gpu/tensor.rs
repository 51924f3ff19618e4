//! A tensor that stays on the device: drawn from where it lies, read back a window at a time.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use super::context::{Lease, locked};
use super::signal::signal;
use crate::trace::{EngineError, OnDevice, Pending};

/// How many windows are remembered: enough for what one screen shows numbers of.
const WINDOWS: usize = 16;

/// A tensor's elements on the device, row-major. The buffer is used for something else once it is dropped, so whoever draws
/// from it holds it until the drawing is submitted.
pub struct DeviceTensor {
    lease: Lease,
    len: usize,
    windows: Mutex<VecDeque<(Range<usize>, Window)>>,
}

/// Elements on their way; filled when they arrive.
type Window = Arc<OnceLock<Arc<[f32]>>>;

impl DeviceTensor {
    pub(super) fn new(lease: Lease, len: usize) -> Self {
        Self { lease, len, windows: Mutex::default() }
    }

    /// The tensor that it is, if a GPU computed it.
    pub fn of(tensor: &Arc<dyn OnDevice>) -> Option<Arc<Self>> {
        let tensor: Arc<dyn Any + Send + Sync> = Arc::<dyn OnDevice>::clone(tensor);
        tensor.downcast().ok()
    }

    /// The buffer, for shaders that draw from it. It may be longer than the tensor.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.lease.buffer
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies elements `range` (not empty) to the host and gives them to `then`; `None` if the device is gone.
    fn fetch(
        &self,
        range: Range<usize>,
        then: impl FnOnce(Option<Arc<[f32]>>) + Send + 'static,
    ) -> wgpu::SubmissionIndex {
        assert!(range.end <= self.len, "elements {range:?} of {}", self.len);
        let device = &self.lease.context.device;
        let (start, size) = (4 * range.start as u64, 4 * range.len() as u64);
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(self.buffer(), start, &staging, 0, size);
        let submission = self.lease.context.queue.submit([encoder.finish()]);
        let mapped = staging.clone();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let view = result.ok().and_then(|()| mapped.get_mapped_range(..).ok());
            let number = |bytes: &[u8]| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let elements = view.map(|view| view.chunks_exact(4).map(number).collect());
            mapped.destroy();
            then(elements);
        });
        submission
    }
}

impl OnDevice for DeviceTensor {
    fn window(&self, range: Range<usize>) -> Option<Arc<[f32]>> {
        if range.is_empty() {
            return Some(Arc::from([]));
        }
        let mut windows = locked(&self.windows);
        let known = windows.iter().find(|(it, _)| *it == range).map(|(_, window)| Arc::clone(window));
        let window = known.unwrap_or_else(|| {
            let window = Window::default();
            windows.truncate(WINDOWS - 1);
            windows.push_front((range.clone(), Arc::clone(&window)));
            let filled = Arc::clone(&window);
            self.fetch(range, move |elements| {
                if let Some(elements) = elements {
                    let _ = filled.set(elements);
                }
            });
            window
        });
        drop(windows);
        if window.get().is_none() {
            // Natively callbacks run only while somebody polls. An error here is a lost device, which runs report.
            let _ = self.lease.context.device.poll(wgpu::PollType::Poll);
        }
        window.get().cloned()
    }

    fn read(&self) -> Pending<'_> {
        Box::pin(async {
            if self.is_empty() {
                return Ok(vec![]);
            }
            let context = &self.lease.context;
            let (sender, receiver) = signal();
            let submission = self.fetch(0..self.len, |elements| sender.send(elements));
            context.settle(submission)?;
            let elements = receiver.await.flatten();
            context.healthy()?;
            elements
                .map(|it| it.to_vec())
                .ok_or_else(|| EngineError::Lost("it reads nothing back".to_owned()))
        })
    }
}
