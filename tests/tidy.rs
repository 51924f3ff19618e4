//! The rules of the house, checked: every module names what is below it, files are small, every exhibit is registered and cited.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below `folder` with one of these endings, with its text.
fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|it| path.extension().is_some_and(|e| e == *it)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no files in {folder}");
    found.sort();
    found
}

/// Code without comments and without what is compiled for tests only: each item behind `#[cfg(test)]`, up to its `;` or to the
/// line that closes it where it began, as rustfmt sets it.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.extend([line, "\n"]);
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |it: &str| {
            let own = it.strip_prefix(indent).is_some_and(|it| !it.starts_with(char::is_whitespace));
            own && it.ends_with([';', '}'])
        };
        let _ = lines.find(|it| ends(it));
    }
    code
}

#[test]
fn code_goes_on_behind_its_tests() {
    let text = "a\n// wgpu\n#[cfg(test)]\nuse egui;\nb\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn egui() {\n    }\n}\nc\n";
    assert_eq!(code(text), "a\nb\nc\n");
    assert_eq!(
        code("mod a {\n    #[cfg(test)]\n    fn b() {\n        egui();\n    }\n    c\n}"),
        "mod a {\n    c\n}\n"
    );
}

/// A layer: areas that do not know each other.
type Layer = Vec<String>;

/// The layers that the block `layers` of ARCHITECTURE.md lists, the lowest first.
fn layers(text: &str) -> Vec<Layer> {
    let block = text.split("```layers\n").nth(1).and_then(|it| it.split("```").next()).unwrap();
    block.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The areas of the crate that `code` names, in a file that lies `depth` modules deep: in `crate::area::..`, in `super::..` as
/// far as that leads to the root, in groups of them.
fn named(code: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (root, up) in [("crate::", 0), ("vitrine::", 0), ("super::", depth - 1)] {
        for (at, _) in code.match_indices(root) {
            let within = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !within {
                follow(&code[at + root.len()..], up, &mut found);
            }
        }
    }
    found
}

/// Notes where the beginning of `code`, a path or a group of paths, leads from `up` modules below the root.
fn follow(code: &str, up: usize, found: &mut BTreeSet<String>) {
    let code = code.trim_start();
    if let Some(group) = code.strip_prefix('{') {
        let (mut depth, mut starts) = (0, true);
        for (at, c) in group.char_indices() {
            if starts && !c.is_whitespace() {
                follow(&group[at..], up, found);
            }
            starts = depth == 0 && (c == ',' || starts && c.is_whitespace());
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
        }
    } else if up > 0 {
        if let Some(rest) = code.strip_prefix("super::") {
            follow(rest, up - 1, found);
        }
    } else {
        let name: String = code.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.extend(Some(name).filter(|it| !it.is_empty()));
    }
}

/// What is wrong with the names in `text`, the file of the module at `path`.
fn misplaced(path: &[&str], text: &str, layers: &[Layer]) -> Vec<String> {
    let height = |area: &str| layers.iter().position(|it| it.iter().any(|it| it == area));
    let Some(own) = height(path[0]) else { return vec![format!("{} is in no layer", path[0])] };
    let at = path.join("::");
    let fault = |area: String| match height(&area) {
        _ if area == path[0] => None,
        Some(it) if it < own => None,
        Some(_) => Some(format!("{at} names {area}, which is not below it")),
        None => Some(format!("{at} names {area}, which is in no layer")),
    };
    named(&code(text), path.len()).into_iter().filter_map(fault).collect()
}

#[test]
fn what_is_above_is_found_however_it_is_named() {
    let layers = layers("# Words\n```layers\nlow\nleft right\nhigh\n```\nMore words\n```\nno layer\n```\n");
    let faults = |path: &[&str], text: &str| misplaced(path, text, &layers);
    assert!(faults(&["high"], "use crate::{left::A, low, right::{B, high}};").is_empty(), "all is below");
    assert!(faults(&["left", "a"], "use super::b;\nuse crate::left::c;\nfn f() { low::g() }").is_empty());
    let above = ["left::a names high, which is not below it"];
    for text in [
        "use crate::high::A;",
        "pub use crate::{low::{A, B}, high};",
        "fn f() { crate::high::g() }",
        "use super::super::high::A;",
        "use super::{b, super::{low, high::A}};",
        "use vitrine::{\n    low,\n    high::{A},\n};",
        "#[cfg(test)]\nmod tests {\n    use crate::right;\n}\nuse crate::high;",
    ] {
        assert_eq!(faults(&["left", "a"], text), above, "{text}");
    }
    assert_eq!(faults(&["left"], "use super::right;"), ["left names right, which is not below it"]);
    assert_eq!(faults(&["low"], "use crate::new;"), ["low names new, which is in no layer"]);
    assert_eq!(faults(&["new"], ""), ["new is in no layer"]);
    assert!(faults(&["low"], "// use crate::high;\n#[cfg(test)]\nuse crate::high;\n").is_empty());
}

#[test]
fn every_module_names_only_what_is_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layers = layers(&fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap());
    let (mut faults, mut areas) = (vec![], BTreeSet::new());
    for (path, text) in files("src", &["rs"]) {
        let module = path.strip_prefix(root.join("src")).unwrap().with_extension("");
        let mut module: Vec<&str> = module.iter().map(|it| it.to_str().unwrap()).collect();
        let foreign =
            path.ancestors().skip(1).take(module.len() - 1).any(|it| it.join("Cargo.toml").exists());
        if foreign || module == ["lib"] {
            continue;
        }
        if module.last() == Some(&"mod") {
            module.pop();
        }
        areas.insert(module[0].to_owned());
        faults.extend(misplaced(&module, &text, &layers));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let listed = layers.concat();
    assert_eq!(listed.len(), areas.len(), "{listed:?} are layers, {areas:?} modules");
}

/// Nothing but what lies at `places` in `src` says `word`.
#[track_caller]
fn only(places: &[&str], word: &str) {
    for (path, text) in files("src", &["rs"]) {
        let at = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
        let excused = places.iter().any(|it| at.starts_with(it));
        assert!(excused || !code(&text).contains(word), "{} says {word:?}", at.display());
    }
}

#[test]
fn what_is_outside_of_the_crate_has_its_place() {
    // What times a page draws one.
    only(&["ui", "page.rs", "page", "exhibits", "app", "entry", "platform", "cli/bench/fields.rs"], "egui");
    only(&["engine/gpu", "ui/heatmap", "entry", "platform.rs"], "wgpu");
    only(
        &[
            "platform.rs",
            "entry.rs",
            "main.rs",
            "data/tokens/lib.rs",
            "engine/cpu/loops/spread.rs",
            "engine/cpu/loops/panels.rs",
            "engine/cpu/loops/matmul.rs",
        ],
        "target_arch",
    );
    only(&["platform.rs"], "PollType::Wait");
}

#[test]
fn files_are_small() {
    for (path, text) in files("src", &["rs", "wgsl"]) {
        let most = if path.extension().is_some_and(|it| it == "wgsl") { 150 } else { 430 };
        let lines = text.lines().count();
        assert!(lines <= most, "{} has {lines} lines, more than {most}", path.display());
    }
}

#[test]
fn names_are_nouns_that_a_reader_sees() {
    for (path, _) in files("src", &["rs"]) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!["utils", "util", "helpers", "manager", "common"].contains(&&*stem), "{}", path.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in files("src", &["rs"]) {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
    for (path, text) in files("src", &["wgsl"]) {
        assert!(text.starts_with("// "), "{} does not open with its formula", path.display());
    }
}

#[test]
fn every_exhibit_is_registered_and_cited() {
    let entries = vitrine::exhibits::all();
    for entry in &entries {
        let card = entry.card;
        assert!(!card.reference.is_empty() && !card.formula.is_empty(), "{} lacks its source", card.id);
        let kebab = card.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(kebab, "{} is kebab-case", card.id);
        let exhibit = (entry.open)(serde_json::Value::Null).unwrap();
        assert!(!exhibit.checks().is_empty(), "{} proves nothing", card.id);
        for check in exhibit.checks() {
            assert!(!check.because.is_empty(), "{}: {} has no reason", card.id, check.name);
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/exhibits");
    let on_disk = fs::read_dir(folder).unwrap().filter(|it| {
        let path = it.as_ref().unwrap().path();
        path.extension().is_some_and(|e| e == "rs") && !path.ends_with("mod.rs")
    });
    assert_eq!(on_disk.count(), entries.len(), "every file of src/exhibits is in exhibits::all()");
}

/// The README's table has the exhibits in the order of the gallery. Its words may be better than the card's, from which
/// `UPDATE_README=1` makes a row that is missing.
#[test]
fn the_readme_lists_every_exhibit() {
    const HEAD: &str = "| exhibit | what you see | formula | paper | file |\n|---|---|---|---|---|\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(HEAD).expect("README has the table");
    let (table, after) = rest.split_at(rest.find("\n\n").unwrap());
    let row = |card: &vitrine::ui::Card| {
        let known = table.lines().find(|it| it.starts_with(&format!("| `{}` |", card.id)));
        known.map_or_else(|| row(card), str::to_owned)
    };
    let rows: Vec<String> = vitrine::exhibits::all().iter().map(|it| row(it.card)).collect();
    let rows = rows.join("\n");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, format!("{before}{HEAD}{rows}{after}")).unwrap();
    } else {
        assert!(table == rows, "the table of README.md is not the gallery: `./run update` mends it");
    }
}

/// A row made of a card. A bar would end the cell.
fn row(card: &vitrine::ui::Card) -> String {
    let (claim, formula) = (card.claim.replace('|', "\\|"), card.formula.replace('|', "\\vert "));
    let file = format!("src/exhibits/{}.rs", card.id.replace('-', "_"));
    format!("| `{}` | {claim} | $`{formula}`$ | {} {} | [{file}]({file}) |", card.id, card.paper, card.year)
}
