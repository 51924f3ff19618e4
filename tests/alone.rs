//! The program by itself, copied out of its repository to somebody who has no folder of it, no network and no desktop session.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::RwLock;

/// While the program is copied nobody may be started: a process that begins then has the copy open, and it cannot be run.
static COPYING: RwLock<()> = RwLock::new(());

/// A folder that holds the program, gone in the end.
struct Alone(PathBuf);

impl Alone {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("vitrine-alone-{test}-{}", std::process::id()));
        fs::create_dir_all(folder.join("home")).unwrap();
        let _alone = COPYING.write().unwrap();
        fs::copy(env!("CARGO_BIN_EXE_vitrine"), folder.join("vitrine")).unwrap();
        Self(folder)
    }

    /// Runs it with an empty home, and no word of where anything is but these.
    fn run(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
        let mut command = Command::new(self.0.join("vitrine"));
        command.args(arguments).current_dir(&self.0).env_clear().env("HOME", self.0.join("home"));
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = COPYING.read().unwrap();
        let child = command.spawn().unwrap();
        drop(started);
        child.wait_with_output().unwrap()
    }

    /// The picture of a link.
    fn shot(&self, link: &str, variables: &[(&str, &Path)]) -> Vec<u8> {
        let output = self.run(&["shot", link, "--out", "shot.png", "--size", "900x600"], variables);
        assert!(output.status.success() && words(&output).is_empty(), "{}", words(&output));
        let reader = png::Decoder::new(BufReader::new(fs::File::open(self.0.join("shot.png")).unwrap()));
        let mut reader = reader.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    }
}

/// The largest difference of two pictures, of 255.
fn difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn claims_are_measured_on_the_models_in_it() {
    let alone = Alone::new("check");
    for exhibit in ["normgrad", "next-character"] {
        let output = alone.run(&["check", exhibit], &[]);
        assert!(output.status.success(), "{}", words(&output));
        assert_eq!(words(&output), "", "nothing but the claims is printed");
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(lines.lines().count() > 2 && lines.lines().all(|it| it.starts_with("pass\t")), "{lines}");
    }
}

/// Every model that is in it is the one of the repository; without it the picture would be another one.
#[test]
fn pictures_show_the_models_in_it() {
    let alone = Alone::new("shot");
    let link = "#v1;tiles=(exhibit:normgrad)";
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models");
    let picture = alone.shot(link, &[]);
    // A colour may be rounded up or down where a thing eased into its place.
    let same = difference(&picture, &alone.shot(link, &[("VITRINE_MODELS", &shipped)]));
    assert!(same <= 2, "as with the files in a folder, but for {same}");
    let damaged = alone.0.join("models/collage-cnn");
    fs::create_dir_all(&damaged).unwrap();
    fs::write(damaged.join("config.json"), "{}").unwrap();
    let other = difference(&picture, &alone.shot(link, &[]));
    assert!(other > 50, "a folder is looked into first, and this one holds no model: {other}");
}

#[test]
fn what_is_not_in_it_says_where_it_was_looked_for() {
    let alone = Alone::new("absent");
    fs::write(alone.0.join("picture.png"), include_bytes!("golden/efficientnet.png")).unwrap();
    let output = alone.run(&["trace", "--image", "picture.png", "--out", "x"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        words(&output).contains("vitrine/models/efficientnet-lite0/config.json cannot be read"),
        "{}",
        words(&output)
    );
}
