//! Downloads that stay: gone on with where they broke off, checked, and read without a network from then on.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use vitrine::models::fetch::Progress;
use vitrine::models::{AnyModel, Kept, Place, source};
use vitrine::platform::block_on;

/// What a server does, and what it was asked for.
struct Behaviour {
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes after which the connection breaks, answer by answer; none break once these are used up.
    cuts: Vec<usize>,
    /// Whether it can send a part of a file.
    ranges: bool,
    /// Names and positions from which they were asked for.
    asked: Vec<(String, usize)>,
}

struct Server {
    url: String,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Server {
    fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = files.into_iter().collect();
        let behaviour = Arc::new(Mutex::new(Behaviour { files, cuts: vec![], ranges: true, asked: vec![] }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shared = Arc::clone(&behaviour);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // Whoever has what they want closes the connection.
                let _ = answer(connection.unwrap(), &mut shared.lock().unwrap());
            }
        });
        Self { url, behaviour }
    }

    fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// What was asked for since it was last asked.
    fn asked(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut self.behaviour.lock().unwrap().asked)
    }
}

fn answer(mut connection: TcpStream, it: &mut Behaviour) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let length = connection.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
    let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let from = request.split("range: bytes=").nth(1).and_then(|it| it.split('-').next()?.parse().ok());
    it.asked.push((name.clone(), from.unwrap_or(0)));
    let from = from.filter(|_| it.ranges);
    let file = &it.files[&name];
    let n = file.len();
    let (head, body) = match from {
        Some(from) if from >= n => {
            (format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{n}"), &[][..])
        }
        Some(from) => {
            (format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{n}", n - 1), &file[from..])
        }
        None => ("200 OK".to_owned(), &file[..]),
    };
    let cut = if it.cuts.is_empty() { n } else { it.cuts.remove(0).min(body.len()) };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body[..cut.min(body.len())])
}

/// An empty folder, gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("vitrine-kept-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn names(&self) -> Vec<String> {
        let name = |it: std::io::Result<fs::DirEntry>| it.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(&self.0).unwrap().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files() -> Vec<(String, Vec<u8>)> {
    tiny::files(&tiny::checkpoint())
}

fn kept(url: &str, folder: &Folder, files: &[(String, Vec<u8>)]) -> Kept {
    let hashes =
        files.iter().map(|(name, bytes)| (name.clone(), format!("{:x}", Sha256::digest(bytes)))).collect();
    Kept { url: url.to_owned(), folder: folder.0.clone(), hashes }
}

fn load(kept: &Kept) -> Result<AnyModel, String> {
    block_on(source::load(&[Place::Kept(kept.clone())], &Progress::default())).map_err(|it| it.to_string())
}

const ALL: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

#[test]
fn a_download_goes_on_where_it_broke_off_and_is_not_needed_again() {
    let (server, folder) = (Server::new(files()), Folder::new("break"));
    let it = kept(&server.url, &folder, &files());
    let whole = files()[2].1.len();
    server.set(|it| it.cuts = vec![usize::MAX, usize::MAX, 1000]);
    let fault = load(&it).err().unwrap();
    assert!(fault.starts_with("the download stopped after "), "{fault}");
    assert_eq!(folder.names(), ["config.json", "model.safetensors.part", "tokenizer.json"]);
    assert_eq!(fs::metadata(folder.0.join("model.safetensors.part")).unwrap().len(), 1000);
    server.asked();

    let progress = Progress::default();
    block_on(source::load(&[Place::Kept(it.clone())], &progress)).unwrap();
    assert_eq!(server.asked(), [("model.safetensors".to_owned(), 1000)], "only the rest");
    assert_eq!(progress.get(), (whole as u64, Some(whole as u64)), "what was there counts");
    assert_eq!(folder.names(), ALL);

    let offline = Kept { url: "http://127.0.0.1:9/".to_owned(), ..it };
    load(&offline).unwrap();
}

#[test]
fn another_file_than_the_one_expected_is_refused() {
    let (server, folder) = (Server::new(files()), Folder::new("altered"));
    let it = kept(&server.url, &folder, &files());
    server.set(|it| *it.files.get_mut("model.safetensors").unwrap().last_mut().unwrap() ^= 1);
    let fault = load(&it).err().unwrap();
    let expected =
        format!("{}model.safetensors is not the file that this version of Vitrine knows", server.url);
    assert!(fault.starts_with(&expected) && fault.contains("Try again"), "{fault}");
    assert_eq!(folder.names(), ["config.json", "tokenizer.json"], "nothing of it stays");
    server.set(|it| it.files = files().into_iter().collect());
    load(&it).unwrap();
    assert_eq!(folder.names(), ALL);
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let (server, folder) = (Server::new(files()), Folder::new("damaged"));
    let it = kept(&server.url, &folder, &files());
    load(&it).unwrap();
    server.asked();
    let path = folder.0.join("model.safetensors");
    for damaged in [&files()[2].1[..500], b"", &files()[1].1] {
        fs::write(&path, damaged).unwrap();
        load(&it).unwrap();
        assert_eq!(server.asked(), [("model.safetensors".to_owned(), 0)], "nothing else");
        assert_eq!(fs::read(&path).unwrap(), files()[2].1);
        assert_eq!(folder.names(), ALL);
    }
}

#[test]
fn parts_of_other_files_are_started_over() {
    let (server, folder) = (Server::new(files()), Folder::new("parts"));
    let it = kept(&server.url, &folder, &files());
    let part = folder.0.join("model.safetensors.part");
    fs::create_dir_all(&folder.0).unwrap();
    // Longer than the file, and as long: the server has nothing more.
    for length in [files()[2].1.len() + 1, files()[2].1.len()] {
        fs::write(&part, vec![7; length]).unwrap();
        load(&it).unwrap();
        fs::remove_file(folder.0.join("model.safetensors")).unwrap();
    }
    fs::write(&part, vec![7; 100]).unwrap();
    let fault = load(&it).err().unwrap();
    assert!(fault.contains("is not the file"), "{fault}");
    load(&it).unwrap();
    assert_eq!(folder.names(), ALL);
}

/// A folder that cannot be written is no reason to go without the model, nor is another program that fetches the same.
#[test]
fn what_cannot_be_kept_is_used_all_the_same() {
    let (server, folder) = (Server::new(files()), Folder::new("locked"));
    let it = kept(&server.url, &folder, &files());
    fs::create_dir_all(&folder.0).unwrap();
    let other = fs::File::create(folder.0.join("model.safetensors.part")).unwrap();
    other.lock().unwrap();
    load(&it).unwrap();
    assert_eq!(
        folder.names(),
        ["config.json", "model.safetensors.part", "tokenizer.json"],
        "the other has it"
    );
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    load(&Kept { folder: file.join("folder"), ..it }).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever it breaks off, and whether the server can go on or must begin again.
    #[test]
    fn however_often_it_breaks_off_the_file_is_whole(
        file in vec(any::<u8>(), 0..20_000),
        cuts in vec(0_usize..8000, 0..6),
        ranges: bool,
    ) {
        let files = [("data".to_owned(), file.clone())];
        let (server, folder) = (Server::new(files.clone()), Folder::new("often"));
        let it = kept(&server.url, &folder, &files);
        server.set(|it| (it.cuts, it.ranges) = (cuts.clone(), ranges));
        let read = || block_on(it.read("data", &Progress::default()));
        let tries = (0..=cuts.len()).find_map(|_| read().ok());
        prop_assert_eq!(tries.as_ref(), Some(&file));
        prop_assert_eq!(fs::read(folder.0.join("data")).unwrap(), file);
        prop_assert_eq!(folder.names(), ["data"]);
    }
}
