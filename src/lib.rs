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
//!
//! # One word for one thing
//!
//! - **recording**: what is to be computed, as data. A [`Graph`](graph::Graph) is one in progress, a
//!   [`Recording`](graph::Recording) a finished one.
//! - **tap**: a tensor of a recording that has a name; its axes have names, too. **keep**: asking for a tap, which then comes
//!   back in the trace. **edit**: an intervention at a tap.
//! - **state**: a tensor that an earlier run left on the device, and that a recording goes on from.
//! - **plan**: a compiled recording. Its **steps** are kernel runs, its **slots** the storage that these read and write. In
//!   training a step is one of the recipe's. A **tape** is the elementwise operations of one step.
//! - **trace**: what a run gave back, never changed. **kept**: one tensor of it.
//! - **mechanism**: the mathematics of a paper with a declared signature; its tensors are **ports**. In mechanisms a **field**
//!   is what two places have to do with each other.
//! - **model**: what can be recorded on an input; of a **kind** (encoder, decoder, vision) and of certain **sizes**, which its
//!   `config.json` gives. The **zoo** knows which there are and how far each is loaded.
//! - **inputs**: what all tiles look at, a text and an **image** (in links and for readers: a picture).
//! - **exhibit**: a live picture of one mechanism. Its **card** is the label on the wall; a **claim** is what it says is true,
//!   a **check** the measurement of that.
//! - **scene**: what an exhibit makes a page from in one frame. **page**: panels in rows and columns. **panel**: a title, the
//!   room that it needs and a **picture**, which is data: one large **map** (`Cells`), small ones (**fields**), heads, a chart
//!   or bars.
//! - **knob**: what a reader turns. **focus**: the cursor that all tiles share; it is on a **spot**.
//! - **tile**: a place on the screen with one exhibit; a **pane** is what the window holds for it. **link**: the state of all
//!   of them as text.
//! - **lab**: runs recordings beside the interface.

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
