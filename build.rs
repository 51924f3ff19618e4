//! Lists the recorded first pictures, which the program has in it; a page fetches each when it is asked for.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::current_dir()?.join("assets/traces"); // Cargo runs this in the folder of its manifest
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = fs::read_dir(folder)?.map(|it| Ok(it?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let rows: String = files.iter().map(|it| row(it)).collect();
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("traces.rs"), format!("&[\n{rows}]\n"))
}

/// Id and bytes, as Rust.
fn row(file: &Path) -> String {
    let (path, id) = (file.to_string_lossy(), file.file_stem().unwrap_or_default().to_string_lossy());
    format!("    ({id:?}, include_bytes!({path:?})),\n")
}
