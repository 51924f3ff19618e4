//! The same plans on a GPU: WebGPU in the browser; Vulkan, Metal or DX12 natively.
//!
//! A recording's plan becomes a `Program`: pipelines, buffers and bind groups that are made once per structure and
//! replayed for new inputs. A run is cut into slices of some milliseconds, so that what else the GPU has to draw gets its
//! turn and a cancelled run ends soon. Nothing the driver refuses goes unnoticed: everything is made within error scopes.

mod context;
mod generate;
mod launch;
mod pipelines;
mod program;
mod signal;
mod tensor;
mod tiles;
mod weights;

use std::sync::Arc;

use web_time::Instant;

use self::context::{Checks, Context, Lease};
pub use self::generate::source;
use self::pipelines::Pipelines;
use self::program::Program;
use self::signal::{Receiver, signal};
pub use self::tensor::DeviceTensor;
pub use self::tiles::Tile;
use self::tiles::Tiles;
use self::weights::Uploads;
use super::plan::Plan;
use super::{Cancel, EngineError};
use crate::graph::Recording;
use crate::trace::{Kept, Stats, Storage, Trace};

/// Programs kept ready: as many structures as one screen shows, and a few more.
const PROGRAMS: usize = 8;
/// Seconds that a slice should take.
const SLICE: f64 = 0.015;
/// Cost of a slice at least. What is drawn meanwhile is in the time of a slice: in software that is a tenth of a second a frame, and
/// slices that shrank by it would be one step a frame.
const LEAST: usize = 1 << 20;
const LEAST_IN_SOFTWARE: usize = 1 << 26;
/// And at most: four times as much is still a number in a page, whose `usize` has 32 bits.
const MOST: usize = 1 << 29;

/// A GPU that runs recordings.
pub struct Gpu {
    context: Arc<Context>,
    name: String,
    pipelines: Pipelines,
    tiles: Tiles,
    uploads: Uploads,
    /// By structure, the last used first.
    programs: Vec<(u64, Program)>,
    compiles: usize,
    unfused: bool,
    /// Cost of a slice, learnt from those that ran.
    budget: usize,
    slices: usize,
}

/// What a device is asked for: all the memory that `adapter` can give to one tensor, otherwise the defaults.
pub fn device_descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let own = adapter.limits();
    let required_limits = wgpu::Limits {
        max_buffer_size: own.max_buffer_size,
        max_storage_buffer_binding_size: own.max_storage_buffer_binding_size,
        max_compute_workgroup_size_x: own.max_compute_workgroup_size_x,
        max_compute_workgroup_size_y: own.max_compute_workgroup_size_y,
        max_compute_workgroup_size_z: own.max_compute_workgroup_size_z,
        max_compute_invocations_per_workgroup: own.max_compute_invocations_per_workgroup,
        max_compute_workgroup_storage_size: own.max_compute_workgroup_storage_size,
        max_texture_dimension_2d: own.max_texture_dimension_2d.min(8192),
        ..wgpu::Limits::default()
    };
    wgpu::DeviceDescriptor { label: Some("vitrine"), required_limits, ..Default::default() }
}

/// What finds GPUs without a window. OpenGL is not asked, unless `WGPU_BACKEND` says so: it has no compute here, and complains
/// where there is no screen.
pub fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    wgpu::Instance::new(descriptor.with_env())
}

impl Gpu {
    /// A device of its own, without a window. Natively `WGPU_BACKEND` and `WGPU_POWER_PREF` choose among several.
    pub async fn new() -> Result<Self, EngineError> {
        let instance = instance();
        let power_preference =
            wgpu::PowerPreference::from_env().unwrap_or(wgpu::PowerPreference::HighPerformance);
        let options = wgpu::RequestAdapterOptions { power_preference, ..Default::default() };
        let adapter = instance
            .request_adapter(&options)
            .await
            .map_err(|error| EngineError::NoGpu(error.to_string()))?;
        let device = adapter.request_device(&device_descriptor(&adapter)).await;
        let (device, queue) = device.map_err(|error| EngineError::NoGpu(error.to_string()))?;
        Ok(Self::shared(&adapter, device, queue))
    }

    /// A device that somebody else draws with, made by `adapter`. Its uncaptured errors and its loss are recorded from
    /// here on.
    pub fn shared(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        Self {
            context: Context::new(device, queue, software),
            name: name(&info, software),
            pipelines: Pipelines::default(),
            tiles: Tiles::new(software),
            uploads: Uploads::default(),
            programs: vec![],
            compiles: 0,
            unfused: false,
            budget: 1 << 24,
            slices: 0,
        }
    }

    /// The same with a step for every elementwise operation: what fused ones are held against.
    #[must_use]
    pub fn unfused(self) -> Self {
        Self { unfused: true, ..self }
    }

    /// The same with all products by `tile`, if there is one and where it fits: what tests hold against the CPU.
    #[must_use]
    pub fn only(mut self, tile: Option<Tile>) -> Self {
        self.tiles.only = tile;
        self
    }

    /// The same timing the ways of products, also in software.
    #[must_use]
    pub fn measured(mut self) -> Self {
        self.tiles.measure = true;
        self
    }

    /// What timing products found: batch, m, k and n, rounded up to powers of two, and the fastest way for such.
    pub fn tiles(&self) -> Vec<([usize; 4], Tile)> {
        self.tiles.known().collect()
    }

    /// The device, for the badge: "Vulkan: NVIDIA H100", "WebGPU, software".
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// How many plans were compiled so far.
    pub fn compiles(&self) -> usize {
        self.compiles
    }

    /// How many pipelines there are: variants of kernels that some plan used.
    pub fn pipelines(&self) -> usize {
        self.pipelines.len()
    }

    /// Memory of the weights on the device, in the form in which they lie there.
    pub fn bytes_of_weights(&self) -> usize {
        self.uploads.bytes()
    }

    /// In how many slices all runs so far were submitted: between two of them others can draw, and a run can be stopped.
    pub fn slices(&self) -> usize {
        self.slices
    }

    /// Why the device went away, if it did. It does not come back: make another.
    pub fn lost(&self) -> Option<String> {
        self.context.lost()
    }

    /// Runs `recording`: compiles its plan if the structure is new, then replays it on the recording's inputs.
    pub async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        let start = Instant::now();
        cancel.check()?;
        self.context.healthy()?;
        self.make_ready(recording).await?;
        let program = &self.programs[0].1;
        let context = &self.context;
        let mut checks = Checks::default();
        let kept: Vec<Lease> = program
            .keeps
            .iter()
            .map(|(name, it)| context.lease(name, it.shape.iter().product(), &mut checks))
            .collect::<Result<_, _>>()?;
        checks.pass(context).await?;
        program.write(&context.queue, recording);
        let (budget, slices) = replay(context, program, recording, &kept, self.budget, cancel).await?;
        (self.budget, self.slices) = (budget, self.slices + slices);
        context.healthy()?;
        let tensors = program.keeps.iter().zip(kept).map(|((name, it), lease)| {
            let tensor = DeviceTensor::new(lease, it.shape.iter().product());
            (name.clone(), Kept::new(&it.shape, Storage::Device(Arc::new(tensor))))
        });
        let seconds = start.elapsed().as_secs_f64();
        let stats = Stats { device: self.name.clone(), dispatches: program.len(), seconds };
        Ok(Trace { tensors: tensors.collect(), labels: recording.labels.clone(), stats })
    }

    /// Brings the program of `recording` to the front.
    async fn make_ready(&mut self, recording: &Recording) -> Result<(), EngineError> {
        let structure = recording.structure();
        if let Some(i) = self.programs.iter().position(|(it, _)| *it == structure) {
            self.programs[..=i].rotate_right(1);
            return Ok(());
        }
        let Self { context, pipelines, tiles, uploads, .. } = self;
        let plan = if self.unfused { Plan::unfused(recording) } else { Plan::compile(recording) };
        let program = Program::compile(context, pipelines, tiles, uploads, recording, plan).await?;
        self.compiles += 1;
        self.programs.truncate(PROGRAMS - 1);
        self.programs.insert(0, (structure, program));
        Ok(())
    }
}

/// A slice on its way through the device.
struct Flight {
    done: Receiver<()>,
    submission: wgpu::SubmissionIndex,
    checks: Checks,
    cost: usize,
}

impl Flight {
    /// Waits until it is done.
    async fn land(self, context: &Context) -> Result<(), EngineError> {
        context.settle(self.submission)?;
        self.done.await;
        self.checks.pass(context).await
    }
}

/// Runs all dispatches, then copies what is kept. The next slice is submitted before the last is done, so that the device
/// never waits. Returns the cost that a slice should have from what was measured, and how many there were.
async fn replay(
    context: &Context,
    program: &Program,
    recording: &Recording,
    kept: &[Lease],
    mut budget: usize,
    cancel: &Cancel,
) -> Result<(usize, usize), EngineError> {
    let mut last: Option<Flight> = None;
    let mut landed = Instant::now();
    let (mut next, mut slices) = (0, 0);
    loop {
        cancel.check()?;
        let flight = (next < program.len() || last.is_none()).then(|| {
            let (slice, cost) = program.slice(next, budget);
            let first = slice.start == 0;
            next = slice.end;
            submit(context, cost, |encoder| {
                if first {
                    program.encode_states(encoder, recording);
                }
                program.encode(encoder, slice);
                if next == program.len() {
                    (0..kept.len()).for_each(|i| program.encode_keep(encoder, i, &kept[i]));
                }
            })
        });
        let over = flight.is_none();
        slices += usize::from(!over);
        if let Some(flight) = std::mem::replace(&mut last, flight) {
            let cost = flight.cost;
            flight.land(context).await?;
            let seconds = std::mem::replace(&mut landed, Instant::now()).elapsed().as_secs_f64();
            budget = learn(budget, cost, seconds, if context.software { LEAST_IN_SOFTWARE } else { LEAST });
        }
        if over {
            return Ok((budget, slices));
        }
    }
}

fn submit(context: &Context, cost: usize, encode: impl FnOnce(&mut wgpu::CommandEncoder)) -> Flight {
    let mut checks = Checks::default();
    let submission = checks.watch(&context.device, "a command", || {
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encode(&mut encoder);
        context.queue.submit([encoder.finish()])
    });
    let (sender, done) = signal();
    context.queue.on_submitted_work_done(move || sender.send(()));
    Flight { done, submission, checks, cost }
}

/// The cost of a slice of [`SLICE`] seconds, given what one took, at `least` so much. Short slices say little: they do not lower it.
fn learn(budget: usize, cost: usize, seconds: f64, least: usize) -> usize {
    let fitting = (cost as f64 * SLICE / seconds.max(1e-6)) as usize;
    if fitting < budget && cost < budget / 2 {
        budget
    } else {
        fitting.clamp(budget / 4, budget * 4).clamp(least, MOST)
    }
}

/// "Vulkan: llvmpipe (LLVM 15.0.6), software".
fn name(info: &wgpu::AdapterInfo, software: bool) -> String {
    let api = match info.backend {
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "DX12",
        wgpu::Backend::BrowserWebGpu => "WebGPU",
        wgpu::Backend::Gl => "OpenGL",
        wgpu::Backend::Noop => "no GPU",
    };
    // Browsers do not tell everybody what GPU it is.
    let adapter = if info.name.is_empty() { String::new() } else { format!(": {}", info.name) };
    format!("{api}{adapter}{}", if software { ", software" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a page a budget that kept growing with a fast device stopped the program.
    #[test]
    fn slices_stay_within_what_a_page_can_count() {
        for least in [LEAST, LEAST_IN_SOFTWARE] {
            let fast = (0..40).fold(1 << 24, |budget, _| learn(budget, budget, 1e-9, least));
            assert_eq!(fast, MOST);
            assert!(fast.checked_mul(4).is_some_and(|it| u32::try_from(it).is_ok()));
            let slow = (0..40).fold(fast, |budget, _| learn(budget, budget, 10.0, least));
            assert_eq!(slow, least);
        }
    }
}
