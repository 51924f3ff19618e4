//! Transformers under glass.
//!
//! The tour, in the order in which data flows. [`tensor`] holds numbers, [`weights`] a file of them; [`graph`] records what
//! is to be computed; [`engine`] compiles a recording into a plan and runs it on the CPU or the GPU; [`trace`] is what comes
//! back. [`mechanisms`] are the papers' mathematics, callable on anybody's tensors ([`registry`]); [`models`] reads like the
//! papers, with [`nn`] for what they share, [`data`] for their inputs, [`regression`] for tasks that are learnt in context,
//! [`saliency`] for what can be made of their patterns and [`train`] for how they come about; [`exhibits`] say what to compute
//! and what to show, [`page`] where it stands, [`ui`] draws it. [`lab`] runs recordings beside the interface, [`app`] is the
//! window with its tiles, [`focus`] their one cursor, [`link`] its state in a URL. [`platform`] is where browser and desktop
//! differ, [`entry`] how the app is started; [`mod@bench`] is what benchmarks of both measure.

pub mod app;
pub mod bench;
pub mod data;
pub mod engine;
pub mod entry;
pub mod exhibits;
pub mod focus;
pub mod graph;
pub mod lab;
pub mod link;
pub mod mechanisms;
pub mod models;
pub mod nn;
pub mod page;
pub mod platform;
pub mod registry;
pub mod regression;
pub mod saliency;
pub mod tensor;
pub mod trace;
pub mod train;
pub mod ui;
pub mod weights;
