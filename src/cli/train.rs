//! `vitrine train`: a recipe from its first step to a file of weights, or on from where it was cut off.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use vitrine::engine::{Cancel, Device};
use vitrine::platform::block_on;
use vitrine::train::{self, Provenance, Trainer};

use super::{Choice, device, say, write};

/// What the weights of a checkpoint are called.
const MODEL: &str = "model.safetensors";

/// What is asked for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// The recipe; without one they are listed
    recipe: Option<String>,
    /// Take this many steps, schedule included, instead of the recipe's own number
    #[arg(long)]
    steps: Option<u32>,
    /// What chance begins with: the same seed on the same device gives the same curve
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The file to write (safetensors) [default: RECIPE/model.safetensors]; until the end the run is kept in
    /// FILE.checkpoint. Beside a model.safetensors stands all that `--model` needs
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on from FILE.checkpoint if there is one
    #[arg(long)]
    resume: bool,
    /// Write weights in f16, which takes half the room
    #[arg(long)]
    half: bool,
    /// Print what is measured as a line of JSON each
    #[arg(long)]
    json: bool,
    /// Seconds between checkpoints
    #[arg(long, default_value_t = 10.0)]
    every: f64,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    device: Choice,
}

/// Trains.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let recipes = train::all();
    let Some(name) = &options.recipe else {
        for it in &recipes {
            say(format!("{}\t{}", it.name, it.about));
        }
        return Ok(());
    };
    let Some(entry) = recipes.iter().find(|it| it.name == name) else {
        let known: Vec<&str> = recipes.iter().map(|it| it.name).collect();
        return Err(format!("there is no recipe {name}; there are {}", known.join(", ")));
    };
    let out = options.out.clone().unwrap_or_else(|| Path::new(name).join(MODEL));
    if let Some(folder) = out.parent().filter(|it| !it.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|it| format!("{}: {it}", folder.display()))?;
    }
    let checkpoint = out.with_added_extension("checkpoint");
    let mut trainer = Trainer::new((entry.open)(options.steps)?, options.seed);
    if options.resume && checkpoint.exists() {
        let fault = |it: &dyn std::fmt::Display| format!("{}: {it}", checkpoint.display());
        let bytes = std::fs::read(&checkpoint).map_err(|it| fault(&it))?;
        trainer.restore(&bytes).map_err(|it| fault(&it))?;
    }
    let mut device = device(options.device)?;
    let result = course(options, &mut trainer, &mut device, &checkpoint);
    end_line();
    result?;
    let measured =
        block_on(trainer.validate(&mut device, &Cancel::default())).map_err(|it| it.to_string())?;
    if !measured.is_empty() {
        report(options.json, "validation", &trainer, &measured);
    }
    let measured = block_on(trainer.test(&mut device, &Cancel::default())).map_err(|it| it.to_string())?;
    report(options.json, "test", &trainer, &measured);
    let weights =
        block_on(trainer.weights(options.half, &provenance(&device))).map_err(|it| it.to_string())?;
    write(&out, &weights)?;
    for (file, value) in trainer.files().into_iter().filter(|_| out.ends_with(MODEL)) {
        write(&out.with_file_name(file), format!("{value:#}").as_bytes())?;
    }
    match std::fs::remove_file(&checkpoint) {
        Err(it) if checkpoint.exists() => Err(format!("{} cannot be removed: {it}", checkpoint.display())),
        _ => Ok(()), // A run of no steps had none.
    }
}

/// Takes all steps that are left, and keeps the run in `checkpoint`.
fn course(
    options: &Options,
    trainer: &mut Trainer,
    device: &mut Device,
    checkpoint: &Path,
) -> Result<(), String> {
    let (start, first) = (Instant::now(), trainer.step_count());
    let (mut saved, mut shown) = (Instant::now(), None::<Instant>);
    while !trainer.is_done() {
        let trace = block_on(trainer.step(device, &Cancel::default())).map_err(|it| it.to_string())?;
        // Reading a number waits for the device, so it is done a few times a second only.
        if trainer.is_done() || shown.is_none_or(|it| it.elapsed() > Duration::from_millis(200)) {
            shown = Some(Instant::now());
            let mut measured = BTreeMap::new();
            for (name, kept) in &trace.tensors {
                let number = block_on(kept.on_host()).map_err(|it| it.to_string())?[0];
                measured.insert(name.clone(), f64::from(number));
            }
            if measured.get("loss").is_some_and(|it| !it.is_finite()) {
                return Err(format!(
                    "the loss is no number after step {}: lower the learning rate",
                    trainer.step_count()
                ));
            }
            let pace = start.elapsed().as_secs_f64() / f64::from(trainer.step_count() - first);
            progress(trainer, &measured, pace);
            if options.json {
                report(true, "step", trainer, &measured);
            }
        }
        if trainer.is_done() || saved.elapsed().as_secs_f64() > options.every {
            let bytes = block_on(trainer.checkpoint(&provenance(device))).map_err(|it| it.to_string())?;
            write(checkpoint, &bytes)?;
            saved = Instant::now();
        }
    }
    Ok(())
}

/// Prints what was measured after a step, or of the test samples: to standard output.
fn report(json: bool, kind: &str, trainer: &Trainer, measured: &BTreeMap<String, f64>) {
    let step = trainer.step_count();
    if json {
        let mut line = Map::from_iter([("kind".to_owned(), json!(kind)), ("step".to_owned(), json!(step))]);
        line.extend(measured.iter().map(|(name, number)| (name.clone(), json!(number))));
        say(Value::Object(line));
    } else if !measured.is_empty() {
        let numbers: Vec<String> =
            measured.iter().map(|(name, number)| format!("{name} {number:.4}")).collect();
        say(format!("{kind} after step {step}: {}", numbers.join(", ")));
    }
}

/// One line that is written over, for people.
fn progress(trainer: &Trainer, measured: &BTreeMap<String, f64>, pace: f64) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let (step, steps) = (trainer.step_count(), trainer.course().steps);
    let left = (pace * f64::from(steps - step)).round();
    let bar = "=".repeat((24 * step / steps.max(1)) as usize);
    eprint!(
        "\r[{bar:<24}] {step}/{steps}  loss {:.4}  {:.1} ms a step  {}:{:02} left\x1b[K",
        measured.get("loss").copied().unwrap_or(f64::NAN),
        1000.0 * pace,
        (left / 60.0) as u64,
        left as u64 % 60,
    );
}

fn end_line() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}

fn provenance(device: &Device) -> Provenance {
    Provenance { device: device.name(), date: date(SystemTime::now()) }
}

/// The day in UTC, as 2026-11-24: days since 1970 counted in eras of 400 years that begin in March.
fn date(now: SystemTime) -> String {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let days = seconds / 86400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d @SECONDS +%F
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_478_400, "2026-11-24"),
        ] {
            assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
