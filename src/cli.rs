//! The command line: the desktop app's binary without its window, for scripts, tests and papers.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0, 1 when a check fails, 2 when a
//! command cannot do what it was asked; then one line says why.

mod bench;
mod check;
mod new_exhibit;
mod run;
mod tiles;
mod trace;
mod train;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use vitrine::engine::{Device, cpu::Cpu, gpu::Gpu};
use vitrine::models::{AnyModel, Bert, Status, Zoo};
use vitrine::platform::block_on;
use vitrine::{entry, exhibits};

/// Transformers under glass: run small transformers and see what they compute.
///
/// Without a command this opens the desktop app.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Open a permalink in the desktop app
    Open {
        /// The link, or its part from `#v1;` on
        link: String,
    },
    /// List all exhibits: id, title, paper, year and formula (TeX), separated by tabs
    List,
    /// Measure the claims of one exhibit, or of all; exit code 1 if one fails
    Check {
        /// Id of the exhibit, as `list` prints it
        exhibit: Option<String>,
        /// What computes
        #[arg(long, value_enum, default_value_t)]
        device: Choice,
    },
    /// Run the tiles of a link, or a model on a text or an image, and write what they compute to a safetensors file
    Trace(trace::Options),
    /// Run one mechanism on the tensors of a safetensors file; `--list` says what each takes and gives
    Run(run::Options),
    /// Train a model by its recipe, and write its weights to a safetensors file
    Train(train::Options),
    /// Begin an exhibit, in the folder of Vitrine's source: one that works, to be changed into yours
    NewExhibit {
        /// Its id: words in small letters, as in rank-collapse
        id: String,
    },
    /// Draw a permalink into a picture, without a window
    Shot {
        /// The link, or its part from `#v1;` on
        link: String,
        /// The picture (PNG)
        #[arg(long)]
        out: PathBuf,
        /// Its size in pixels
        #[arg(long, value_name = "WxH", default_value = "1280x800", value_parser = size)]
        size: (u32, u32),
    },
    /// Time `MiniLM` on 32, 128 and 512 tokens, all attention patterns delivered
    Bench {
        /// Time training steps of a small vision transformer instead, as `bench/vit_step.py` does elsewhere
        #[arg(long)]
        train: bool,
        /// Time the training of a layer of linear attention on one thread instead, as `bench/lsa_step.py` does elsewhere
        #[arg(long)]
        lsa: bool,
        /// Time `NormGrad` of all layers of one picture instead, beside the forward pass alone
        #[arg(long)]
        normgrad: bool,
        /// Time one more token of attention and retention after up to 4096 others instead
        #[arg(long)]
        retention: bool,
        /// Time a slider of the exhibits of fields instead: computed and drawn anew
        #[arg(long)]
        fields: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Time at most this many runs of each kind
        #[arg(long, default_value_t = 30)]
        runs: usize,
    },
}

/// What computes.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Choice {
    /// The processor
    #[default]
    Cpu,
    /// Vulkan, Metal or DX12
    Gpu,
}

/// Runs what the arguments say.
pub(crate) fn main() -> ExitCode {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // Without a desktop Mesa's layer that prefers the GPU of the screen has nobody to ask, and prints that it is so.
        #[expect(unsafe_code, reason = "no other thread runs yet that could read the environment")]
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
    env_logger::init();
    run(Arguments::parse().command).unwrap_or_else(|fault| {
        eprintln!("vitrine: {fault}");
        ExitCode::from(2)
    })
}

fn run(command: Option<Command>) -> Result<ExitCode, String> {
    match command {
        None => entry::run_native(None).map_err(|it| it.clone())?,
        Some(Command::Open { link }) => entry::run_native(Some(link)).map_err(|it| it.clone())?,
        Some(Command::List) => list(),
        Some(Command::Check { exhibit, device }) => return check::run(exhibit.as_deref(), device),
        Some(Command::Trace(options)) => trace::run(&options)?,
        Some(Command::Run(options)) => run::run(&options)?,
        Some(Command::Train(options)) => train::run(&options)?,
        Some(Command::NewExhibit { id }) => new_exhibit::run(&id)?,
        Some(Command::Shot { link, out, size: (width, height) }) => {
            write(&out, &entry::shot(&link, width, height)?)?;
        }
        Some(Command::Bench { train: true, runs, .. }) => bench::train(runs)?,
        Some(Command::Bench { lsa: true, runs, .. }) => bench::lsa(runs)?,
        Some(Command::Bench { normgrad: true, runs, .. }) => bench::normgrad(runs)?,
        Some(Command::Bench { retention: true, runs, .. }) => bench::retention(runs)?,
        Some(Command::Bench { fields: true, runs, .. }) => bench::fields(runs)?,
        Some(Command::Bench { json, runs, .. }) => bench::run(json, runs)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    for exhibits::Entry { card, .. } in exhibits::all() {
        say(format!("{}\t{}\t{}\t{}\t{}", card.id, card.title, card.paper, card.year, card.formula));
    }
}

/// Prints a line. Whoever reads may stop early (`| head`): then there is nothing left to do.
fn say(line: impl Display) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Writes a file as a whole or not at all: whoever is killed meanwhile leaves the old one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let fault = |reason: std::io::Error| format!("{} cannot be written: {reason}", path.display());
    if path.exists() && !path.is_file() {
        // A pipe or a device is no file that could be replaced.
        return std::fs::write(path, bytes).map_err(fault);
    }
    let partial = path.with_added_extension("partial");
    let written = std::fs::File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    });
    written.map_err(|reason| {
        let _ = std::fs::remove_file(&partial);
        fault(reason)
    })
}

fn device(choice: Choice) -> Result<Device, String> {
    match choice {
        Choice::Cpu => Ok(Device::Cpu(Cpu::new())),
        Choice::Gpu => block_on(Gpu::new()).map(Device::Gpu).map_err(|it| it.to_string()),
    }
}

/// Loads a BERT.
fn load_bert(zoo: &mut Zoo, name: &str) -> Result<Arc<Bert>, String> {
    load(zoo, name)?.share().ok_or_else(|| format!("{name} is no BERT"))
}

/// Loads a model of `zoo` by its id, or the one in a folder.
fn load(zoo: &mut Zoo, name: &str) -> Result<AnyModel, String> {
    let folder = Path::new(name);
    let id = match zoo.get(name) {
        Some(_) => name.to_owned(),
        None if folder.is_dir() => zoo.add_folder(folder.to_owned()),
        None => {
            let known: Vec<&str> = zoo.models().iter().map(|it| &*it.id).collect();
            return Err(format!(
                "there is no model {name}: it is no folder, and not one of {}",
                known.join(", ")
            ));
        }
    };
    zoo.load(&id);
    loop {
        zoo.poll();
        match zoo.status(&id) {
            Some(Status::Ready(model)) => return Ok(model.clone()),
            Some(Status::Failed(fault)) => return Err(format!("{name}: {fault}")),
            Some(Status::Loading { received, total: Some(total) }) if std::io::stderr().is_terminal() => {
                eprint!(
                    "\rloading {name}: {:.1} of {:.1} MB\x1b[K\r",
                    *received as f64 / 1e6,
                    *total as f64 / 1e6
                );
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let sides = sides.filter(|(w, h)| (16..=8192).contains(w) && (16..=8192).contains(h));
    sides.ok_or_else(|| "width and height from 16 to 8192, as in 1280x800".to_owned())
}
