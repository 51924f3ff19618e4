//! Running a recording: one plan, two devices that must agree.

pub mod cpu;
pub mod gpu;
mod layout;
pub mod plan;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use layout::Operand;

use crate::graph::Recording;
pub use crate::trace::EngineError;
use crate::trace::Trace;

/// What computes.
pub enum Device {
    /// The processor.
    Cpu(cpu::Cpu),
    /// WebGPU in the browser; Vulkan, Metal or DX12 natively.
    Gpu(gpu::Gpu),
}

/// A switch that stops a run between two of its slices.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Stops the run.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error once the run was stopped.
    pub fn check(&self) -> Result<(), EngineError> {
        if self.0.load(Ordering::Relaxed) { Err(EngineError::Cancelled) } else { Ok(()) }
    }
}

impl Device {
    /// What computes, for the badge: "CPU: 8 threads", "Vulkan: NVIDIA H100".
    pub fn name(&self) -> String {
        match self {
            Self::Cpu(cpu) => cpu.name(),
            Self::Gpu(gpu) => gpu.name(),
        }
    }

    /// How many plans were compiled so far.
    pub fn compiles(&self) -> usize {
        match self {
            Self::Cpu(cpu) => cpu.compiles(),
            Self::Gpu(gpu) => gpu.compiles(),
        }
    }

    /// Runs `recording`: compiles its plan if the structure is new, then replays it on the recording's inputs.
    pub async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        match self {
            Self::Cpu(cpu) => cpu.run(recording, cancel).await,
            Self::Gpu(gpu) => gpu.run(recording, cancel).await,
        }
    }
}
