//! `vitrine check`: the claims of the exhibits as measurements.

use std::process::ExitCode;

use vitrine::engine::{Cancel, Device, EngineError};
use vitrine::exhibits::{self, Check, Measure};
use vitrine::graph::{Graph, Recording};
use vitrine::models::Zoo;
use vitrine::platform::block_on;
use vitrine::trace::Trace;
use vitrine::ui::{beside, bound};

use super::{Choice, device, load, say};

/// Prints every check of `exhibit` (or of all) with what was measured; 1 if one fails.
pub(super) fn run(exhibit: Option<&str>, choice: Choice) -> Result<ExitCode, String> {
    let entries: Vec<_> =
        exhibits::all().into_iter().filter(|it| exhibit.is_none_or(|id| id == it.card.id)).collect();
    if entries.is_empty() {
        return Err(format!(
            "there is no exhibit {}; `vitrine list` names them",
            exhibit.unwrap_or_default()
        ));
    }
    // Opened once the name is known to be right: a driver may print words of its own.
    let mut bench = Bench { zoo: Zoo::default(), device: device(choice)?, other: device(choice.other()) };
    let mut passed = true;
    for entry in entries {
        let exhibit = (entry.open)(serde_json::Value::Null).map_err(|it| it.to_string())?;
        for check in exhibit.checks() {
            passed &= report(entry.card.id, &check, &mut bench)?;
        }
    }
    Ok(ExitCode::from(u8::from(!passed)))
}

/// What checks are measured with.
struct Bench {
    zoo: Zoo,
    device: Device,
    /// The device that was not asked for, to compare with; or why there is none.
    other: Result<Device, String>,
}

impl Choice {
    fn other(self) -> Self {
        match self {
            Self::Cpu => Self::Gpu,
            Self::Gpu => Self::Cpu,
        }
    }
}

/// Prints one check; whether it passed. What cannot be measured here neither passes nor fails.
fn report(id: &str, check: &Check, bench: &mut Bench) -> Result<bool, String> {
    let Check { name, tolerance, because, .. } = check;
    if let (Measure::Devices(_), Err(reason)) = (&check.measure, &bench.other) {
        say(format!("skip\t{id}\t{name}\t{reason}"));
        return Ok(true);
    }
    let measured = measure(check, bench)?;
    let pass = measured <= *tolerance; // NaN does not.
    let (verdict, sign) = if pass { ("pass", "<=") } else { ("FAIL", "not <=") };
    let value = beside(measured, *tolerance);
    say(format!("{verdict}\t{id}\t{name}\t{value} {sign} {}\t{because}", bound(*tolerance)));
    Ok(pass)
}

fn measure(check: &Check, Bench { zoo, device, other }: &mut Bench) -> Result<f32, String> {
    let (record, name) = check.measure.recording();
    let recording = recording(record, check.model, zoo)?;
    let trace = run_on(device, &recording)?;
    if let (Measure::Devices(_), Ok(other)) = (&check.measure, other) {
        difference(&trace, &run_on(other, &recording)?)
    } else {
        let error = trace.get(name).ok_or("the check records no error")?;
        let error = block_on(error.read()).map_err(|it| it.to_string())?;
        error.data.first().copied().ok_or_else(|| "the check's error has no elements".to_owned())
    }
}

/// The recording of a check, on its model.
fn recording(record: fn(&Zoo) -> Option<Graph>, model: &str, zoo: &mut Zoo) -> Result<Recording, String> {
    if !model.is_empty() {
        load(zoo, model)?;
    }
    Ok(record(zoo).ok_or_else(|| format!("the check records nothing on model “{model}”"))?.finish())
}

fn run_on(device: &mut Device, recording: &Recording) -> Result<Trace, String> {
    block_on(device.run(recording, &Cancel::default())).map_err(|it| it.to_string())
}

/// The largest difference between equal names of two traces; NaN if there is a NaN.
fn difference(a: &Trace, b: &Trace) -> Result<f32, String> {
    let mut worst = 0.0;
    for (name, kept) in &a.tensors {
        let other = b.get(name).ok_or_else(|| format!("{name} is missing on one device"))?;
        let both = block_on(async { Ok((kept.read().await?, other.read().await?)) });
        let (x, y) = both.map_err(|it: EngineError| it.to_string())?;
        let d = x.max_abs_diff(&y);
        worst = if d.is_nan() || d > worst { d } else { worst };
    }
    Ok(worst)
}
