//! `vitrine run`: one mechanism on anybody's tensors, from file to file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use vitrine::engine::Cancel;
use vitrine::engine::plan::Plan;
use vitrine::graph::{Graph, Recording};
use vitrine::mechanisms::Mechanism;
use vitrine::platform::block_on;
use vitrine::registry;
use vitrine::tensor::Tensor;
use vitrine::weights::Weights;

use super::trace::to_safetensors;
use super::{Choice, device, say, write};

/// Megabytes of a run above which it says how many it takes.
const TOLD: usize = 256;

/// What is asked for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Which mechanism
    #[arg(required_unless_present = "list")]
    mechanism: Option<String>,
    /// Print what it takes and gives, or what every one does
    #[arg(long)]
    list: bool,
    /// The tensors that it takes, by name (safetensors in f32, f16, bf16 or f64)
    #[arg(long = "in", value_name = "FILE", required_unless_present = "list")]
    input: Option<PathBuf>,
    /// What differs from the defaults
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What of that it gives is wanted, instead of all: what nobody wants takes no memory
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    device: Choice,
    /// The file to write: the tensors that it gives, by name, in f32; their axes stand in the metadata
    #[arg(long, required_unless_present = "list")]
    out: Option<PathBuf>,
}

/// Runs the mechanism and writes the file, or lists.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let mechanism = options.mechanism.as_deref().map(registry::find).transpose();
    let mechanism = mechanism.map_err(|it| it.to_string())?;
    if options.list {
        list(mechanism);
        return Ok(());
    }
    let (Some(mechanism), Some(input), Some(out)) = (mechanism, &options.input, &options.out) else {
        return Err("a mechanism, --in and --out are needed".to_owned());
    };
    let settings = settings(&options.set)?;
    let tensors = read(input)?;
    let g = Graph::default();
    mechanism.call(&g, &tensors, &settings).map_err(|it| it.to_string())?;
    let mut recording = g.finish();
    select(&mut recording, &options.only)?;
    let megabytes = Plan::compile(&recording).elements() >> 18;
    if megabytes > TOLD {
        say(format!("{} of these shapes takes {megabytes} MB of memory", mechanism.id));
    }

    let mut device = device(options.device)?;
    let trace = block_on(device.run(&recording, &Cancel::default())).map_err(|it| it.to_string())?;
    let mut results = vec![];
    for (name, kept) in &trace.tensors {
        results.push((name.as_str(), block_on(kept.read()).map_err(|it| it.to_string())?));
    }
    let mut about = about(mechanism, &options.set, trace.stats.device.clone());
    let axes = mechanism.outputs.iter().filter(|it| trace.get(it.name).is_some());
    about.extend(axes.map(|it| (format!("axes.{}", it.name), it.axes.to_owned())));
    let bytes = to_safetensors(&results, None, about).map_err(|it| it.to_string())?;
    write(out, &bytes)
}

fn list(mechanism: Option<&Mechanism>) {
    let Some(mechanism) = mechanism else {
        for it in registry::all() {
            say(format!("{it}\n"));
        }
        say(
            "Axes of one name have one length; query and key count positions, as pos does; .. is any number of axes.",
        );
        return;
    };
    say(mechanism);
}

/// `key=value` as pairs.
fn settings(all: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let pair = |it| str::split_once(it, '=').ok_or_else(|| format!("--set {it}: KEY=VALUE is expected"));
    all.iter().map(|it| pair(it)).collect()
}

/// All tensors of a file.
fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let fault = |it: &dyn std::fmt::Display| format!("{}: {it}", path.display());
    let bytes = std::fs::read(path).map_err(|it| fault(&it))?;
    let file = Weights::parse(bytes).map_err(|it| fault(&it))?;
    if let Some(unread) = file.unread() {
        return Err(fault(&unread));
    }
    Ok(file.names().filter_map(|name| Some((name.to_owned(), file.read(name)?))).collect())
}

/// Keeps only these.
fn select(recording: &mut Recording, only: &[String]) -> Result<(), String> {
    let known: Vec<&str> = recording.keeps.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(unknown) = only.iter().find(|it| !known.contains(&it.as_str())) {
        return Err(format!("--only {unknown}: it gives {}", known.join(", ")));
    }
    recording.keeps.retain(|(name, _)| only.is_empty() || only.contains(name));
    Ok(())
}

/// How the results came about.
fn about(mechanism: &Mechanism, set: &[String], device: String) -> HashMap<String, String> {
    let about = [
        ("mechanism", mechanism.id.to_owned()),
        ("set", set.join(" ")),
        ("device", device),
        ("vitrine", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    about.map(|(key, value)| (key.to_owned(), value)).into()
}
