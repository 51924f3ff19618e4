//! Links that somebody altered: each is a state or an error in words, and a state that can be printed, read again and opened. Those that
//! ever failed are kept in `tests/corpus/links.txt`, each a JSON string, which is tried first and which a failure adds itself to.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::LazyCell;
use std::io::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestError, TestRunner};
use vitrine::data::Inputs;
use vitrine::link::{State, decode, encode};
use vitrine::models::{Status, Zoo};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/links.txt");

fn corpus() -> Vec<String> {
    let text = std::fs::read_to_string(CORPUS).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The models that come along and that exhibits show by default.
fn zoo() -> Zoo {
    let mut zoo = Zoo::default();
    for id in ["collage-cnn", "shakespeare-gpt", "regression-gpt", "lines-gpt"] {
        zoo.load(id);
        while zoo.poll() {
            std::thread::yield_now();
        }
        assert!(matches!(zoo.status(id), Some(Status::Ready(_))), "{id} is there");
    }
    zoo
}

thread_local! {
    static ZOO: LazyCell<Zoo> = LazyCell::new(zoo);
}

/// Whether a link is a state that comes back when it is printed, or an error that fits a banner.
fn is_read(link: &str) -> Result<(), TestCaseError> {
    match decode(link) {
        Err(fault) => {
            let words = fault.to_string();
            let fits = words.chars().count() < 400;
            prop_assert!(fits && words.starts_with("this link "), "{words}");
        }
        Ok(state) => {
            let printed = encode(&state);
            let again = decode(&printed);
            prop_assert_eq!(again.as_ref(), Ok(&state), "{}", printed);
            ZOO.with(|zoo| opens(&state, zoo))?;
        }
    }
    Ok(())
}

/// Whether every exhibit takes the state of its tile or says why not, gives it back, and records what follows from it.
fn opens(state: &State, zoo: &Zoo) -> Result<(), TestCaseError> {
    let State { text, model, picture, .. } = state.clone();
    let inputs = Inputs { text, model, picture };
    for tile in state.tiles.as_ref().map(vitrine::link::Layout::each).unwrap_or_default() {
        let Some(entry) = vitrine::exhibits::all().into_iter().find(|it| it.card.id == tile.exhibit) else {
            continue;
        };

        if let Ok(exhibit) = (entry.open)(tile.state.clone()) {
            let again = (entry.open)(exhibit.state());
            prop_assert_eq!(again.map(|it| it.state()).ok(), Some(exhibit.state()), "{:?}", tile);
            let _ = exhibit.record(&inputs, zoo);
        }
    }
    Ok(())
}

#[test]
fn every_link_that_ever_failed_is_read() {
    let links = corpus();
    assert!(links.len() > 20, "{CORPUS} is there");
    for link in &links {
        is_read(link).unwrap_or_else(|fault| panic!("{link}: {fault}"));
    }
    let states: Vec<State> = links.iter().filter_map(|it| decode(it).ok()).collect();
    let tiles = || states.iter().filter_map(|it| it.tiles.as_ref()).flat_map(vitrine::link::Layout::each);
    for it in vitrine::exhibits::all() {
        let mut own = tiles().filter(|tile| tile.exhibit == it.card.id && !tile.state.is_null());
        let shown = own.any(|tile| (it.open)(tile.state.clone()).is_ok());
        assert!(shown, "{CORPUS} has a link to {} with a state of its own", it.card.id);
    }
}

/// What is done to a link.
#[derive(Clone, Debug)]
enum Change {
    /// These characters take the place of so many at some place.
    Splice(Index, usize, String),
    /// A number becomes another.
    Number(Index, String),
    /// The rest is that of another link, from the same kind of place on.
    Cross(Index, Index),
    /// A part is repeated.
    Repeat(Index, Index, usize),
}

/// Words that no field expects, or that are the first or last of their kind.
const HOSTILE: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "1000",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "0.0",
    "-0.0",
    "0.5",
    "1e-300",
    "1e30",
    "1e308",
    "1e309",
    "nan",
    "inf",
    "null",
    "true",
    "()",
    "(:)",
    "~",
    "+",
    "%00",
    "text",
];

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        select(HOSTILE).prop_map(str::to_owned),
        "[-~+ 0-9a-z():;,=%]{0,5}",
        any::<char>().prop_map(String::from)
    ];
    prop_oneof![
        1 => (any::<Index>(), 0_usize..6, word).prop_map(|(at, cut, with)| Change::Splice(at, cut, with)),
        4 => (any::<Index>(), select(HOSTILE)).prop_map(|(at, with)| Change::Number(at, with.to_owned())),
        1 => any::<(Index, Index)>().prop_map(|(a, b)| Change::Cross(a, b)),
        1 => (any::<Index>(), any::<Index>(), 0_usize..40).prop_map(|(a, b, n)| Change::Repeat(a, b, n)),
    ]
}

/// Where the numbers of a link are.
fn numbers(link: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = link.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(|it| it.is_ascii_digit() || b".-".contains(it));
    let starts =
        (1..bytes.len()).filter(|i| digit(*i) && !digit(i - 1) && !bytes[i - 1].is_ascii_alphabetic());
    starts.map(|start| start..(start..bytes.len()).find(|i| !digit(*i)).unwrap_or(bytes.len())).collect()
}

fn changed(mut link: String, change: &Change, corpus: &[String]) -> String {
    let place = |link: &str, at: &Index| {
        let places: Vec<usize> = link.char_indices().map(|it| it.0).chain([link.len()]).collect();
        places[at.index(places.len())]
    };
    match change {
        Change::Splice(at, cut, with) => {
            let start = place(&link, at);
            let end = link[start..].char_indices().nth(*cut).map_or(link.len(), |it| start + it.0);
            link.replace_range(start..end, with);
        }
        Change::Number(at, with) => {
            let numbers = numbers(&link);
            if !numbers.is_empty() {
                link.replace_range(numbers[at.index(numbers.len())].clone(), with);
            }
        }
        Change::Cross(which, at) => {
            let other = &corpus[which.index(corpus.len())];
            let start = place(&link, at);
            let mark = link[start..].chars().next().unwrap_or(';');
            link.truncate(start);
            link.push_str(other.find(mark).map_or("", |i| &other[i..]));
        }
        Change::Repeat(from, to, times) => {
            let (from, to) = (place(&link, from), place(&link, to));
            let part = link[from.min(to)..from.max(to)].repeat(*times);
            link.insert_str(to, &part);
        }
    }
    link
}

/// Tries many links; the smallest that fails joins the corpus.
fn try_all(cases: u32, links: &impl Strategy<Value = String>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    match TestRunner::new(config).run(links, |link| is_read(&link)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, link)) => {
            let mut file = std::fs::OpenOptions::new().append(true).open(CORPUS).unwrap();
            writeln!(file, "{}", serde_json::json!(link)).unwrap();
            panic!("{link:?}, now in {CORPUS}: {reason}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn altered_links_are_read() {
    let corpus = corpus();
    let links = (select(corpus.clone()), vec(change(), 1..5)).prop_map(move |(link, changes)| {
        changes.iter().fold(link, |it, change| changed(it, change, &corpus))
    });
    try_all(1500, &links);
}

#[test]
fn any_text_is_read() {
    let grammar =
        "#?v1(;(text|model|tiles|picture|focus|size|theme|gallery|z)=[-~+ 0-9a-zé():;,%._]{0,30}){0,3}";
    let tile =
        "#v1;tiles=\\(exhibit:(attention|learning|three-masks|rmt-decay),state:\\([a-z:,()0-9]{0,20}\\)\\)";
    try_all(800, &prop_oneof![any::<String>(), grammar, tile]);
}
