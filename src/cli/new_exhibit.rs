//! `vitrine new-exhibit`: in the folder of Vitrine's source, an exhibit to begin with.

use std::path::Path;

use super::{say, write};
use vitrine::exhibits;

/// An exhibit that is compiled and tested like any other, but stands in no gallery.
const TEMPLATE: &str = include_str!("../exhibits/template/mod.rs");

/// Writes the file of exhibit `id` and its lines in `exhibits/mod.rs`, and says what comes next.
pub(super) fn run(id: &str) -> Result<(), String> {
    let words: Vec<&str> = id.split('-').collect();
    let word = |it: &&str| {
        it.starts_with(|it: char| it.is_ascii_lowercase())
            && it.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    };
    if !words.iter().all(word) {
        return Err(format!("{id:?}: words in small letters are expected, as in rank-collapse"));
    }
    let (folder, module) = (Path::new("src/exhibits"), words.join("_"));
    let (list, file) = (folder.join("mod.rs"), folder.join(&module).with_extension("rs"));
    let old = std::fs::read_to_string(&list)
        .map_err(|it| format!("{}: {it}; this works in the folder of Vitrine's source", list.display()))?;
    if file.exists() || folder.join(&module).exists() || exhibits::all().iter().any(|it| it.card.id == id) {
        return Err(format!("{} is there already", file.display()));
    }
    let new = registered(&old, &module).ok_or("src/exhibits/mod.rs has no all() that can be added to")?;
    write(&file, text(id, &words).as_bytes())?;
    write(&list, new.as_bytes())?;
    say(format!(
        "{} is an exhibit of its own; make it the paper's. Its card and its mathematics come first.",
        file.display()
    ));
    say("    cargo fmt && ./run update    its first picture, its snapshots, its row in README");
    say("    ./run formulas               its formula, typeset");
    say("CONTRIBUTING.md goes through a real one.");
    Ok(())
}

/// The template under another name: words in small letters for the id, each with a capital for type and title.
fn text(id: &str, words: &[&str]) -> String {
    let capital = |it: &str| it[..1].to_ascii_uppercase() + &it[1..];
    let title = capital(&words.join(" "));
    let name: String = words.iter().map(|it| capital(it)).collect();
    let named = TEMPLATE.replace("\"template\"", &format!("{id:?}"));
    named.replace("\"Template\"", &format!("{title:?}")).replace("Template", &name)
}

/// The list of exhibits with one more at its end; `cargo fmt` sorts the modules.
fn registered(list: &str, module: &str) -> Option<String> {
    let (before, modules) = list.split_once("pub mod ")?;
    let (entries, after) = modules.rsplit_once("::entry(),\n")?;
    Some(format!(
        "{before}pub mod {module};\npub mod {entries}::entry(),\n        {module}::entry(),\n{after}"
    ))
}
