//! The rules of the house, checked: layers are absences, files are small, every exhibit is registered and cited.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

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

#[track_caller]
fn absent(folders: &[&str], word: &str, but: &[&str]) {
    for folder in folders {
        for (path, text) in files(folder, &["rs"]) {
            let excused = but.iter().any(|it| path.ends_with(it));
            assert!(excused || !code(&text).contains(word), "{} says {word:?}", path.display());
        }
    }
}

#[test]
fn layers_are_absences() {
    absent(&["src/graph", "src/engine", "src/mechanisms", "src/models", "src/saliency"], "egui", &[]);
    absent(&["src/exhibits", "src/mechanisms", "src/models", "src/graph", "src/saliency"], "wgpu", &[]);
    absent(
        &["src/exhibits", "src/ui", "src/mechanisms", "src/models", "src/graph", "src/saliency"],
        "crate::app",
        &[],
    );
    absent(&["src/graph", "src/engine", "src/mechanisms", "src/models"], "crate::exhibits", &[]);
    absent(&["src/mechanisms"], "crate::models", &[]);
    absent(&["src/mechanisms"], "crate::nn", &[]);
    absent(&["src/mechanisms"], "crate::saliency", &["src/mechanisms/saliency.rs"]);
    absent(&["src"], "target_arch", &["src/platform.rs", "src/main.rs", "cpu/loops/spread.rs"]);
    absent(&["src"], "PollType::Wait", &["src/platform.rs"]);
}

#[test]
fn files_are_small() {
    for (path, text) in files("src", &["rs", "wgsl"]) {
        let most = if path.extension().is_some_and(|it| it == "wgsl") { 120 } else { 430 };
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
    let row = |card: &vitrine::exhibits::Card| {
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
fn row(card: &vitrine::exhibits::Card) -> String {
    let (claim, formula) = (card.claim.replace('|', "\\|"), card.formula.replace('|', "\\vert "));
    let file = format!("src/exhibits/{}.rs", card.id.replace('-', "_"));
    format!("| `{}` | {claim} | $`{formula}`$ | {} {} | [{file}]({file}) |", card.id, card.paper, card.year)
}
