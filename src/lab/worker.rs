//! The loop that owns the device.

use std::future::{Future, poll_fn, ready};
use std::sync::Arc;

use super::Purpose;
use super::mailbox::{Mailbox, Order};
use crate::engine::cpu::Cpu;
use crate::engine::{Cancel, Device, EngineError};
use crate::graph::Recording;
use crate::tensor::Tensor;
use crate::trace::Trace;

/// What computes: an engine's device, or a stand-in in tests.
pub trait Runner: 'static {
    /// For the badge.
    fn name(&self) -> String;

    /// How many plans were compiled so far.
    fn compiles(&self) -> usize;

    /// Runs `recording`.
    fn run(
        &mut self,
        recording: &Recording,
        cancel: &Cancel,
    ) -> impl Future<Output = Result<Trace, EngineError>>;
}

impl Runner for Device {
    fn name(&self) -> String {
        Self::name(self)
    }

    fn compiles(&self) -> usize {
        Self::compiles(self)
    }

    async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        Self::run(self, recording, cancel).await
    }
}

/// Opens the CPU.
pub fn cpu() -> impl Future<Output = Result<Device, EngineError>> {
    ready(Ok(Device::Cpu(Cpu::new())))
}

/// What the worker tells the lab.
pub(super) enum Report {
    Opened(String),
    Failed(EngineError),
    Ran { tile: u64, identity: u64, kind: Purpose, result: Result<Trace, EngineError>, compiles: usize },
}

/// Opens the device and runs orders until the mailbox is closed.
pub(super) async fn work<D: Runner>(
    open: impl Future<Output = Result<D, EngineError>>,
    mail: Arc<Mailbox>,
    send: impl Fn(Report),
) {
    let mut device = match open.await {
        Ok(device) => device,
        Err(error) => {
            send(Report::Failed(error));
            // The channel stays open, or the lab would report a second fault.
            while poll_fn(|context| mail.poll_next(context)).await.is_some() {
                mail.done();
            }
            return;
        }
    };
    send(Report::Opened(device.name()));
    while let Some(order) = poll_fn(|context| mail.poll_next(context)).await {
        let before = device.compiles();
        let result = run(&mut device, &order).await;
        mail.done();
        let Order { tile, identity, kind, .. } = order;
        send(Report::Ran { tile, identity, kind, result, compiles: device.compiles() - before });
    }
}

async fn run<D: Runner>(device: &mut D, order: &Order) -> Result<Trace, EngineError> {
    let trace = device.run(&order.recording, &order.cancel).await?;
    if order.kind != (Purpose::Check { against_cpu: true }) {
        return Ok(trace);
    }
    let reference = cpu().await?.run(&order.recording, &order.cancel).await?;
    let mut worst = 0.0_f32;
    for (name, kept) in &trace.tensors {
        let Some(expected) = reference.get(name) else { continue };
        let error = kept.read().await?.max_abs_diff(&expected.read().await?);
        worst = if worst.is_nan() || error <= worst { worst } else { error };
    }
    let tensors = [("error".to_owned(), Tensor::scalar(worst).into())].into();
    Ok(Trace { tensors, ..Trace::default() })
}
