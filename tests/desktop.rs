//! The desktop window, on a virtual screen: it opens, draws the exhibit, and stays.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A virtual screen, whose pixels lie in a file.
struct Screen {
    server: Child,
    display: String,
    folder: PathBuf,
}

impl Screen {
    fn open() -> Self {
        let folder = std::env::temp_dir().join(format!("vitrine-screen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            // Without it the server starts anew, and refuses clients, whenever the last one leaves.
            .args(["-noreset", "-fbdir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is missing: `./run test` installs it");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { server, display: format!(":{}", number.trim()), folder }
    }

    /// Rows of `0x00rrggbb`, from the server's file in the format of `xwd` (X11/XWDFile.h).
    fn pixels(&self) -> Vec<Vec<u32>> {
        let bytes = std::fs::read(self.folder.join("Xvfb_screen0")).unwrap();
        let field = |i: usize| u32::from_be_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()) as usize;
        let (width, height, line, colours) = (field(4), field(5), field(12), field(19));
        // A colour of the table takes 12 bytes; the pixels come after it.
        let start = field(0) + 12 * colours;
        let pixel = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) & 0x00ff_ffff;
        let row = |y: usize| (0..width).map(|x| pixel(start + y * line + 4 * x)).collect();
        (0..height).map(row).collect()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The app in its window; closed at the end of the test.
struct Window(Child);

impl Window {
    fn open(screen: &Screen, link: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        command.args(["open", link]).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("DISPLAY", &screen.display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        Self(command.spawn().unwrap())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Colours of the right half, where the large map is.
fn colours(rows: &[Vec<u32>]) -> BTreeSet<u32> {
    rows.iter().flat_map(|row| row[row.len() / 2..].iter().copied()).collect()
}

/// Colours of the sequential scale: those of a map, not of letters, which are grey.
fn map_colours(dark: bool, colours: &BTreeSet<u32>) -> usize {
    let scale = vitrine::ui::scale::table(vitrine::ui::Scale::Sequential, dark);
    let known: BTreeSet<u32> = scale.iter().map(|c| u32::from_be_bytes([0, c.r(), c.g(), c.b()])).collect();
    colours.intersection(&known).count()
}

#[test]
fn the_window_draws_the_exhibit() {
    assert!(Path::new("models/minilm").exists(), "the weights are missing: `./run test` fetches them");
    let screen = Screen::open();
    for (dark, link) in [(true, "#v1;theme=dark"), (false, "#v1;theme=light")] {
        let mut window = Window::open(&screen, link);
        let start = Instant::now();
        let drawn = loop {
            std::thread::sleep(Duration::from_millis(200));
            assert!(window.0.try_wait().unwrap().is_none(), "the window closed by itself");
            let drawn = map_colours(dark, &colours(&screen.pixels()));
            if drawn > 20 || start.elapsed() > Duration::from_secs(90) {
                break drawn;
            }
        };
        assert!(drawn > 20, "{link}: {drawn} colours of the scale are on the screen");
    }
}
