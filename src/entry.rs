//! How the app is started: in a window of the desktop, as a picture without one, in the canvas of a page.

#[cfg(not(target_arch = "wasm32"))]
mod desktop;
#[cfg(target_arch = "wasm32")]
mod page;

#[cfg(not(target_arch = "wasm32"))]
pub use self::desktop::{frame_times, run_native, shot};
#[cfg(target_arch = "wasm32")]
pub use self::page::{bench, fuse, read, start, state};
