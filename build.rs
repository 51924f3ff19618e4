//! Lists what the program has in it: recorded first pictures, typeset formulas, and the small models that were trained here. A
//! page fetches each when it is asked for.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let assets = env::current_dir()?.join("assets"); // Cargo runs this in the folder of its manifest
    let mut files = vec![];
    for folder in ["models", "traces", "typeset"].map(|it| assets.join(it)) {
        println!("cargo::rerun-if-changed={}", folder.display());
        list(&folder, &mut files)?;
    }
    files.sort();
    let rows: String = files.iter().filter_map(|it| row(it.strip_prefix(&assets).ok()?, it)).collect();
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("assets.rs"), format!("&[\n{rows}]\n"))
}

/// All files below a folder that hold data.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "ink" || it == "json" || it == "safetensors") {
            files.push(path);
        }
    }
    Ok(())
}

/// Name, as `models/collage-cnn/config.json`, and bytes, as Rust.
fn row(name: &Path, file: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = name.iter().map(|it| it.to_str()).collect();
    Some(format!("    ({:?}, include_bytes!({:?})),\n", parts?.join("/"), file.to_str()?))
}
