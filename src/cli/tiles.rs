//! `vitrine trace LINK`: what the tiles of a link compute, without a window.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use vitrine::data::{Image, Inputs};
use vitrine::engine::{Cancel, Device};
use vitrine::exhibits::{self, Exhibit};
use vitrine::graph::matches;
use vitrine::link::{self, State, Tile};
use vitrine::models::{Kind, Zoo};
use vitrine::platform::block_on;
use vitrine::trace::Trace;

use super::trace::{Options, picture, to_safetensors};
use super::{device, load, write};

/// Runs the tiles of `link` and writes what they keep: tensors as `1/NAME`, words of the first tile as JSON in the header
/// under `1/NAME`, and there the link and the ids of exhibits and models.
pub(super) fn run(link: &str, options: &Options) -> Result<(), String> {
    let state = link::decode(link).map_err(|it| it.to_string())?;
    let link = link::encode(&state);
    let State { text, model, picture: seen, tiles, .. } = state;
    let seen = options.image.as_deref().map_or(Ok(seen), picture)?;
    let inputs = Inputs { text, model, picture: seen };
    let tiles = tiles.ok_or("the link opens no tile")?;
    let mut open = tiles.each().into_iter().map(self::open).collect::<Result<Vec<_>, String>>()?;
    let (mut zoo, mut device) = (Zoo::default(), device(options.device)?);
    let (mut tensors, mut about) = (vec![], HashMap::new());
    for (exhibit, i) in open.iter_mut().zip(1..) {
        let id = exhibit.card().id;
        let fault = |it: String| format!("tile {i}, {id}: {it}");
        if let (Some(Kind::Vision), Image::Photo { name, photo: None }) = (exhibit.kind(), &inputs.picture) {
            return Err(fault(format!(
                "the photograph {name} is not part of the link; --image FILE brings it"
            )));
        }
        let trace = trace(exhibit.as_mut(), &inputs, &mut zoo, &mut device).map_err(fault)?;
        for (name, kept) in &trace.tensors {
            let tensor = block_on(kept.read()).map_err(|it| fault(it.to_string()))?;
            tensors.push((format!("{i}/{name}"), tensor));
        }
        about.extend(
            trace.labels.into_iter().map(|(name, words)| (format!("{i}/{name}"), json!(words).to_string())),
        );
    }
    expect_matches(&options.keep, &tensors.iter().map(|it| it.0.as_str()).collect::<Vec<_>>())?;
    let kept = |name: &str| options.keep.is_empty() || options.keep.iter().any(|it| matches(it, name));
    let tensors: Vec<_> =
        tensors.iter().filter(|it| kept(&it.0)).map(|it| (it.0.as_str(), it.1.clone())).collect();
    let ids: Vec<&str> = open.iter().map(|it| it.card().id).collect();
    let models: Vec<&str> = open.iter().map(|it| it.model(&inputs)).collect();
    let own = [
        ("link", link),
        ("exhibits", json!(ids).to_string()),
        ("models", json!(models).to_string()),
        ("device", device.name()),
        ("vitrine", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    about.extend(own.map(|(key, value)| (key.to_owned(), value)));
    write(&options.out, &to_safetensors(&tensors, None, about).map_err(|it| it.to_string())?)
}

/// The exhibit of a tile, in its state.
fn open(tile: &Tile) -> Result<Box<dyn Exhibit>, String> {
    let entry = exhibits::all().into_iter().find(|it| it.card.id == tile.exhibit);
    let entry = entry.ok_or_else(|| format!("there is no exhibit called “{}”", tile.exhibit))?;
    let fault = |it| format!("the state of “{}” cannot be read ({it})", tile.exhibit);
    (entry.open)(tile.state.clone()).map_err(fault)
}

/// What the exhibit shows in the end: where one run is not all, the trace of the last.
fn trace(
    exhibit: &mut dyn Exhibit,
    inputs: &Inputs,
    zoo: &mut Zoo,
    device: &mut Device,
) -> Result<Trace, String> {
    for model in exhibit.models(inputs).into_iter().filter(|id| !id.is_empty()) {
        load(zoo, model)?;
    }
    loop {
        let graph = exhibit.record(inputs, zoo).ok_or_else(|| exhibit.refusal(inputs))?;
        let trace = block_on(async {
            // On the host, as nobody draws another frame in which numbers of a GPU would have come.
            device.run(&graph.finish(), &Cancel::default()).await?.on_host().await
        });
        let trace = trace.map_err(|it| it.to_string())?;
        if !exhibit.go_on(&trace) {
            return Ok(trace);
        }
    }
}

/// A pattern that names nothing is a slip of the pen: say what there is.
fn expect_matches(patterns: &[String], names: &[&str]) -> Result<(), String> {
    match patterns.iter().find(|pattern| !names.iter().any(|name| matches(pattern, name))) {
        None => Ok(()),
        Some(idle) => {
            let star = |part: &str| if part.parse::<usize>().is_ok() { "*" } else { part }.to_owned();
            let stars = |name: &&str| name.split('.').map(star).collect::<Vec<_>>().join(".");
            let names: BTreeSet<String> = names.iter().map(stars).collect();
            let names: Vec<String> = names.into_iter().collect();
            Err(format!("no tensor is named {idle}; there are {}", names.join(", ")))
        }
    }
}
