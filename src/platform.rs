//! Where browser and desktop differ: the only file, besides `entry` and `main`, that asks what it is compiled for.

use std::future::Future;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use self::native::*;
#[cfg(target_arch = "wasm32")]
pub use self::web::*;

/// The processor, for the badge.
pub fn cpu_name() -> String {
    #[cfg(not(target_arch = "wasm32"))]
    return format!("CPU: {} threads", vitrine_loops::spread::cores());
    #[cfg(target_arch = "wasm32")]
    return format!("CPU: wasm {}SIMD", if vitrine_loops::panels::fused() { "relaxed " } else { "" });
}

/// Whether there could be this many numbers in memory, as far as anybody says so: a system by refusing them, a page by what it can
/// address, 4 GB with all else.
pub fn holds(elements: usize) -> bool {
    if PAGE { elements <= 400 << 20 } else { Vec::<f32>::new().try_reserve_exact(elements).is_ok() }
}

/// Lets the browser draw a frame and handle input before the run goes on. Natively runs have a thread of their own.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::unused_async, reason = "natively there is nothing to wait for")
)]
pub async fn breathe() {
    #[cfg(target_arch = "wasm32")]
    {
        let promise = js_sys::Promise::new(&mut |resolve, _| web::after_other_events(&resolve));
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
    }
}

/// Sees to it that the callbacks of GPU work up to `submission` run: natively by waiting for it here, in a browser by
/// doing nothing. An error if the work will never end.
pub fn settle(device: &wgpu::Device, submission: wgpu::SubmissionIndex) -> Result<(), wgpu::PollError> {
    #[cfg(not(target_arch = "wasm32"))]
    device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })?;
    #[cfg(target_arch = "wasm32")]
    let _ = (device, submission);
    Ok(())
}

/// Runs a future beside the interface: on a thread of its own natively, in the event loop in a browser.
#[cfg(not(target_arch = "wasm32"))]
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(move || block_on(task));
}

/// Runs a future beside the interface: on a thread of its own natively, in the event loop in a browser.
#[cfg(target_arch = "wasm32")]
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Waits for a future. Never called by the interface.
#[cfg(not(target_arch = "wasm32"))]
pub fn block_on<T>(task: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut task = std::pin::pin!(task);
    loop {
        match task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
