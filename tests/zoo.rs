//! The zoo: models from folders, drops and links, and downloads that end early.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use vitrine::models::fetch::{Progress, fetch};
use vitrine::models::source::place_of_link;
use vitrine::models::{Bert, Cnn, EfficientNet, Gpt, Place, Sizes, Status, Vit, Zoo};
use vitrine::platform::block_on;

/// Polls until `id` is neither loading nor unknown.
fn settle(zoo: &mut Zoo, id: &str) {
    for _ in 0..1000 {
        zoo.poll();
        if !matches!(zoo.status(id), Some(Status::Loading { .. })) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{id} is still loading");
}

fn failure(zoo: &Zoo, id: &str) -> String {
    match zoo.status(id) {
        Some(Status::Failed(reason)) => reason.clone(),
        _ => panic!("{id} did not fail"),
    }
}

#[test]
fn dropped_files_become_a_model() {
    let mut zoo = Zoo::default();
    let mut files = tiny::files(&tiny::checkpoint());
    for (name, _) in &mut files {
        *name = format!("My Model/{name}");
    }
    files.push(("My Model/README.md".to_owned(), b"# hello".to_vec()));
    let id = zoo.add_files("My Model", files.clone());
    assert_eq!(id, "my-model");
    settle(&mut zoo, &id);
    assert!(zoo.model::<Bert>(&id).is_some(), "it loads");
    assert_eq!(zoo.get(&id).unwrap().memory, Some(zoo.model::<Bert>(&id).unwrap().config.memory()));

    let again = zoo.add_files("My Model", files.drain(1..).collect());
    assert_eq!(again, "my-model-2");
    let reason = failure(&zoo, &again);
    assert!(reason.starts_with("config.json is missing"), "{reason}");
    let text = zoo.add_files("notes", vec![("notes.txt".to_owned(), b"hello".to_vec())]);
    let reason = failure(&zoo, &text);
    assert!(
        reason.starts_with("config.json and tokenizer.json and model.safetensors is missing"),
        "{reason}"
    );
}

/// Each kind of model from its files alone; one of images has no tokenizer, and may say what it makes of pixels.
#[test]
fn every_kind_of_model_loads() {
    let golden = |folder: &str, file: &str| {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder).join(file);
        (file.to_owned(), std::fs::read(path).unwrap())
    };
    let mut zoo = Zoo::default();
    let mut add = |name: &str, files: Vec<(String, Vec<u8>)>| {
        let id = zoo.add_files(name, files);
        settle(&mut zoo, &id);
        id
    };
    let pixels = |json: &str| ("preprocessor_config.json".to_owned(), json.as_bytes().to_vec());
    let files = |name: &str| vec![golden(name, "config.json"), golden(name, "model.safetensors")];
    let vit = add("vit", files("vit"));
    let own = pixels(r#"{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3]}"#);
    let deit = add("deit", [files("deit"), vec![own]].concat());
    let wrong = add("wrong", [files("deit"), vec![pixels(r#"{"image_mean": [0.1]}"#)]].concat());
    let gpt = add("gpt2", [files("gpt2"), vec![golden("gpt2", "tokenizer.json")]].concat());
    let mute = add("mute", files("gpt2"));
    assert_eq!(zoo.model::<Vit>(&vit).unwrap().config.pixels.mean, [0.5; 3]);
    assert_eq!(zoo.model::<Vit>(&deit).unwrap().config.pixels.std, [1.0, 2.0, 3.0]);
    assert!(
        failure(&zoo, &wrong).starts_with("preprocessor_config.json: field image_mean"),
        "{}",
        failure(&zoo, &wrong)
    );
    assert_eq!(zoo.get(&gpt).unwrap().memory, Some(zoo.model::<Gpt>(&gpt).unwrap().config.memory()));
    assert!(
        zoo.model::<Bert>(&gpt).is_none()
            && zoo.model::<Cnn>(&vit).is_none()
            && zoo.model::<EfficientNet>(&vit).is_none()
    );
    assert!(failure(&zoo, &mute).starts_with("tokenizer.json is missing"), "{}", failure(&zoo, &mute));
}

#[test]
fn a_folder_becomes_a_model() {
    let folder = std::env::temp_dir().join(format!("vitrine-loading-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut zoo = Zoo::default();
    let missing = zoo.add_folder(folder.clone());
    settle(&mut zoo, &missing);
    assert!(failure(&zoo, &missing).contains("config.json cannot be read"), "{}", failure(&zoo, &missing));
    for (name, bytes) in tiny::files(&tiny::checkpoint()) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    zoo.load(&missing); // The retry.
    settle(&mut zoo, &missing);
    assert!(zoo.model::<Bert>(&missing).is_some(), "it loads");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn links_to_hugging_face_lead_to_the_files() {
    let hub = "https://huggingface.co/google/bert_uncased_L-2_H-128_A-2";
    let base = format!("{hub}/resolve/main/");
    let revision = format!("{hub}/resolve/refs/pr/1/");
    for (link, expected) in [
        (hub.to_owned(), &base),
        (format!("{hub}/"), &base),
        (format!("{hub}/blob/main/model.safetensors"), &base),
        (format!("{hub}/resolve/main/config.json?download=true"), &base),
        (format!("{hub}/tree/refs/pr/1"), &revision),
        (" https://hf.co/google/bert_uncased_L-2_H-128_A-2#files ".to_owned(), &base),
    ] {
        let (place, name) = place_of_link(&link).unwrap();
        assert_eq!(place, Place::Url(expected.clone()), "{link}");
        assert_eq!(name, "bert_uncased_L-2_H-128_A-2", "{link}");
    }
    let (place, name) = place_of_link("http://localhost:8080/models/tiny/config.json").unwrap();
    assert_eq!((place, &*name), (Place::Url("http://localhost:8080/models/tiny/".to_owned()), "tiny"));
    for wrong in [
        "",
        "bert",
        "ftp://example.org/bert",
        "https://",
        "https://huggingface.co",
        "https://huggingface.co/",
    ] {
        assert!(place_of_link(wrong).is_err(), "{wrong:?} is no address of a model");
    }
}

/// Answers every request with what `answer` makes of its path; returns the address.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection: TcpStream = connection.unwrap();
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
            // Whoever cancelled has closed the connection.
            let _ = connection.write_all(&answer(&path));
        }
    });
    format!("http://{address}/tiny/")
}

/// A response that announces `length` bytes and sends these.
fn response(length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn not_found() -> Vec<u8> {
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone".to_vec()
}

#[test]
fn downloads_arrive_whole_or_not_at_all() {
    let url = serve(|path| match path {
        "/tiny/whole" => response(100_000, &vec![7; 100_000]),
        "/tiny/part" => response(2_000_000, &vec![7; 500_000]),
        "/tiny/huge" => response(1 << 60, &[7; 100]),
        _ => not_found(),
    });
    let get = |file: &str, progress: &Progress| block_on(fetch(&format!("{url}{file}"), progress));
    let progress = Progress::default();
    assert_eq!(get("whole", &progress).unwrap(), vec![7; 100_000]);
    assert_eq!(progress.get(), (100_000, Some(100_000)));
    let fault = |file: &str| get(file, &Progress::default()).unwrap_err().to_string();
    assert!(fault("part").starts_with("the download stopped after 0.5 of 2.0 MB"), "{}", fault("part"));
    assert_eq!(fault("none"), format!("{url}none answered 404 Not Found"));
    assert!(fault("huge").starts_with("there is no memory"), "{}", fault("huge"));
    let nobody = block_on(fetch("http://127.0.0.1:9/none", &Progress::default())).unwrap_err().to_string();
    assert!(nobody.starts_with("http://127.0.0.1:9/none could not be reached"), "{nobody}");
    let cancelled = Progress::default();
    cancelled.cancel();
    assert_eq!(get("whole", &cancelled).unwrap_err().to_string(), "cancelled");
}

#[test]
fn a_link_says_what_the_model_needs_and_then_loads_it() {
    let files: BTreeMap<String, Vec<u8>> = tiny::files(&tiny::checkpoint()).into_iter().collect();
    let url = serve(move |path| match files.get(path.trim_start_matches("/tiny/")) {
        Some(bytes) => response(bytes.len(), bytes),
        None => not_found(),
    });
    let mut zoo = Zoo::default();
    let id = zoo.add_url(&url).unwrap();
    settle(&mut zoo, &id);
    assert!(matches!(zoo.status(&id), Some(Status::Absent)), "its config was read, nothing more");
    let memory = zoo.get(&id).unwrap().memory;
    zoo.load(&id);
    settle(&mut zoo, &id);
    assert_eq!(memory, Some(zoo.model::<Bert>(&id).unwrap().config.memory()));

    zoo.add_url("not a link").unwrap_err();
    let absent = zoo.add_url(&format!("{url}nothing/")).unwrap();
    settle(&mut zoo, &absent);
    assert!(failure(&zoo, &absent).contains("404 Not Found"), "{}", failure(&zoo, &absent));
}

#[test]
fn a_cancelled_download_can_be_started_again() {
    let files: BTreeMap<String, Vec<u8>> = tiny::files(&tiny::checkpoint()).into_iter().collect();
    let url = serve(move |path| {
        std::thread::sleep(Duration::from_millis(30));
        response(files[&path[6..]].len(), &files[&path[6..]])
    });
    let mut zoo = Zoo::default();
    let id = zoo.add_url(&url).unwrap();
    settle(&mut zoo, &id);
    zoo.load(&id);
    assert!(zoo.poll(), "it is on its way");
    zoo.cancel(&id);
    assert!(matches!(zoo.status(&id), Some(Status::Absent)), "cancelled at once");
    assert!(!zoo.poll(), "nothing is on its way");
    zoo.load(&id);
    settle(&mut zoo, &id);
    assert!(zoo.model::<Bert>(&id).is_some(), "it loads after all");
}
