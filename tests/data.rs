//! Data sets: what a seed draws, what a file holds, and what is said when it does not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vitrine::data::fashion::{self, Part};
use vitrine::data::shapes::{self, Shape};
use vitrine::data::text::{self, Text, Vocabulary};
use vitrine::data::{Batches, Collage, DataError, Dataset, Fault, Photo, Random, Tokenizer, collage};

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vitrine-data-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of bytes.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let header = shape.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(header).chain(data.iter().copied()).collect()
}

const IMAGES: &str = "t10k-images-idx3-ubyte.gz";
const LABELS: &str = "t10k-labels-idx1-ubyte.gz";

/// Three pictures, the `i`-th of brightness `i`.
fn pixels() -> Vec<u8> {
    (0..3).flat_map(|i| vec![i; 28 * 28]).collect()
}

/// What is said of three pictures with these two files.
fn fault(images: &[u8], labels: &[u8]) -> (String, String) {
    let folder = Folder::new("damaged");
    folder.write(IMAGES, images);
    folder.write(LABELS, labels);
    match fashion::load(&folder.0, Part::Test) {
        Err(DataError::Damaged { name, fault, advice }) => {
            assert!(advice.contains("./run data"), "{advice}");
            (Path::new(&name).file_name().unwrap().to_str().unwrap().to_owned(), fault.to_string())
        }
        it => panic!("{it:?}"),
    }
}

#[test]
fn whole_files_become_pictures() {
    let folder = Folder::new("whole");
    folder.write(IMAGES, &gzip(&idx(&[3, 28, 28], &pixels())));
    folder.write(LABELS, &gzip(&idx(&[3], &[9, 0, 3])));
    let it = fashion::load(&folder.0, Part::Test).unwrap();
    assert_eq!((it.len(), it.side, &*it.labels), (3, 28, &[9, 0, 3][..]));
    assert!(it.image(2).iter().all(|pixel| *pixel == 2), "the third picture");
    assert_eq!(it.classes[usize::from(it.labels[0])], "ankle boot");
    assert_eq!(it.images(&[2, 1]).shape, [2, 28, 28, 1]);
    assert_eq!(*it.labels(&[2, 0]).data, [3.0, 9.0]);
    let absent = fashion::load(&folder.0, Part::Train).unwrap_err().to_string();
    assert!(absent.contains("train-images-idx3-ubyte.gz is missing"), "{absent}");
    assert!(absent.contains("apt-get install") && absent.contains("dataset-fashion-mnist"), "{absent}");
}

#[test]
fn a_damaged_file_names_itself_and_its_fault() {
    let images = gzip(&idx(&[3, 28, 28], &pixels()));
    let labels = gzip(&idx(&[3], &[9, 0, 3]));
    let of = |images: &[u8], labels: &[u8], name: &str, words: &str| {
        let (found, fault) = fault(images, labels);
        assert_eq!(found, name, "{fault}");
        assert!(fault.contains(words), "{fault}");
    };
    of(b"hello", &labels, IMAGES, "not whole gzip");
    of(&images[..images.len() - 9], &labels, IMAGES, "not whole gzip");
    of(&images, &labels[..20], LABELS, "not whole gzip");
    let mut flipped = images.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    of(&flipped, &labels, IMAGES, "not whole gzip");
    of(
        &labels,
        &labels,
        IMAGES,
        "begins with 0x00000801; an IDX file of bytes with 3 axes begins with 0x00000803",
    );
    of(&gzip(&[0, 0, 8]), &labels, IMAGES, "3 bytes where its header promises 16");
    of(&gzip(&idx(&[3, 28, 28], &[])), &labels, IMAGES, "16 bytes where its header promises 2368");
    of(&gzip(&idx(&[3, 28, 28], &[0; 2353])), &labels, IMAGES, "2369 bytes where its header promises 2368");
    of(&gzip(&idx(&[u32::MAX; 3], &[])), &labels, IMAGES, "16 bytes where its header promises");
    of(&gzip(&idx(&[3, 28, 27], &[0; 3 * 28 * 27])), &labels, IMAGES, "27 rows or columns a picture, not 28");
    of(&images, &gzip(&idx(&[2], &[1, 2])), LABELS, "2 labels, not 3");
    of(&images, &gzip(&idx(&[3], &[1, 10, 2])), LABELS, "label 1 is 10, and there are 10 classes");
}

/// Whether there is none of the real data (`./run data`); otherwise its tests fail without it.
fn no_data() -> bool {
    std::env::var("NO_DATA").is_ok_and(|it| it == "1")
}

/// The real data set.
#[test]
fn fashion_mnist_is_the_published_one() {
    if no_data() {
        return;
    }
    let load = |it| fashion::load(&fashion::folder(), it);
    let [train, test] = [Part::Train, Part::Test]
        .map(|it| load(it).unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it")));
    for (it, n) in [(&train, 60_000), (&test, 10_000)] {
        assert_eq!((it.len(), it.images.len()), (n, n * 28 * 28));
        let mut counts = [0; 10];
        it.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        assert_eq!(counts, [n / 10; 10]);
    }
    // Mean and deviation of the training pictures as its users publish them: 0.2860 and 0.3530.
    let n = train.images.len() as f64;
    let mean = train.images.iter().map(|it| f64::from(*it) / 255.0).sum::<f64>() / n;
    let square = train.images.iter().map(|it| (f64::from(*it) / 255.0).powi(2)).sum::<f64>() / n;
    assert!((mean - 0.2860).abs() < 5e-5, "mean {mean}");
    assert!(((square - mean * mean).sqrt() - 0.3530).abs() < 5e-5, "deviation");
    assert_eq!(
        train.classes[usize::from(train.labels[0])],
        "ankle boot",
        "the picture of the paper's first row"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Every epoch sees everything once, each in another order, and a step is the same whenever it is asked for.
    #[test]
    fn batches_cover_an_epoch(n in 1usize..200, part in 1usize..200, seed: u64) {
        let batch = part.min(n);
        let mut it = Batches::new(n, batch, seed);
        let steps = it.per_epoch();
        let mut epochs: Vec<Vec<usize>> = vec![];
        for epoch in 0..2 {
            let seen: Vec<usize> = (0..steps).flat_map(|s| it.at(epoch * steps + s).to_vec()).collect();
            let mut sorted = seen.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), steps * batch, "nothing twice");
            prop_assert!(sorted.last().unwrap() < &n, "nothing else");
            epochs.push(seen);
        }
        prop_assert!(n < 8 || batch * 2 > n || epochs[0] != epochs[1], "another order");
        let resumed = Batches::new(n, batch, seed).at(steps).to_vec();
        prop_assert_eq!(&resumed[..], &epochs[1][..batch], "a resumed training sees the same");
    }

    /// The picture shows what `contains` says, within the pixels that an edge crosses.
    #[test]
    fn shapes_lie_where_they_say(class in 0usize..4, seed: u64) {
        let shape = Shape::random(class, &mut Random::new(seed));
        let picture = shape.draw(28);
        let bright: f64 = picture.iter().map(|it| f64::from(*it) / 255.0).sum::<f64>() / (28.0 * 28.0);
        let area = match shapes::CLASSES[class] {
            "circle" => std::f64::consts::PI,
            "square" => 2.0,
            "triangle" => 27f64.sqrt() / 4.0,
            _ => 4.0 * 0.95f64.powi(2) * (2.0 / 3.0 - 1.0 / 9.0),
        } * shape.radius.powi(2);
        // A quarter of a pixel wide all around: the samples are that far apart, and grey is rounded down.
        prop_assert!((bright - area).abs() < 0.06 * area + 0.002, "{bright} of {area}");
        for (i, pixel) in picture.iter().enumerate().filter(|(_, pixel)| **pixel > 0) {
            let (x, y) = ((i % 28) as f64 + 0.5, (i / 28) as f64 + 0.5);
            let far = (x / 28.0 - shape.x).hypot(y / 28.0 - shape.y);
            prop_assert!(far <= shape.radius + 0.036, "pixel {i} is {pixel}, {far} from the centre");
        }
    }

    #[test]
    fn collages_hold_four_classes_in_known_quarters(seed: u64, index in 0u64..1000) {
        let from = shapes::dataset(40, 14, 1);
        let it = Collage::new(&from, seed, index);
        prop_assert_eq!(&it, &Collage::new(&from, seed, index), "the same again");
        let mut classes = it.labels;
        classes.sort_unstable();
        prop_assert_eq!(classes, [0, 1, 2, 3], "four of four classes");
        for quarter in 0..4 {
            let (top, left) = (quarter / 2 * 14, quarter % 2 * 14);
            let cut: Vec<u8> = (0..14).flat_map(|row| it.pixels[(top + row) * 28 + left..][..14].to_vec()).collect();
            prop_assert_eq!(&cut[..], from.image(it.items[quarter]));
            prop_assert_eq!(from.labels[it.items[quarter]], it.labels[quarter]);
            prop_assert_eq!(it.hit(top + 13, left), quarter == it.asked, "the quarter that is asked for");
        }
        prop_assert_eq!(it.label(), it.labels[it.asked]);
        let (images, present) = collage::batch(&[it.clone(), it], 10);
        prop_assert_eq!(images.shape, [2, 28, 28, 1]);
        prop_assert_eq!(present.data.iter().sum::<f32>(), 8.0, "four classes each");
    }

    #[test]
    fn text_survives_its_ids(text in "[ -~äß→\n]{20,80}") {
        let it = Text::new(&text);
        let ids = [&it.train[..], &it.held_out].concat();
        prop_assert_eq!(it.vocabulary.decode(&ids), text.clone(), "there and back");
        prop_assert_eq!(it.held_out.len(), ids.len() / 10, "a tenth is held out");
        prop_assert_eq!(it.vocabulary.encode("\u{a66e}"), &[] as &[u32], "an unknown character has no id");
        // The same through Hugging Face's tokenizers.
        let json = it.vocabulary.tokenizer().to_string();
        let tokenizer = Tokenizer::parse(json.as_bytes(), 1000).unwrap();
        prop_assert_eq!(&tokenizer.encode(&text).ids, &ids);
        prop_assert_eq!(tokenizer.vocabulary(), it.vocabulary.len());
    }
}

#[test]
fn every_quarter_is_asked_for() {
    let from = shapes::dataset(8, 7, 1);
    let mut counts = [0; 4];
    (0..400).for_each(|i| counts[Collage::new(&from, 9, i).asked] += 1);
    // 100 expected, deviation 8.7.
    assert!(counts.iter().all(|n| (60..140).contains(n)), "{counts:?}");
}

#[test]
#[should_panic(expected = "a collage needs four classes; these pictures have 2")]
fn a_collage_of_two_classes_is_refused() {
    let mut two = Dataset::new(1, &shapes::CLASSES);
    two.push(&[0], 0);
    two.push(&[0], 1);
    Collage::new(&two, 1, 1);
}

#[test]
fn a_window_is_followed_by_its_next_character() {
    let ids: Vec<u32> = (0..100).collect();
    let it = text::windows(&ids, 5, 7, 1, 2);
    assert_eq!((&it.tokens.shape[..], &it.next.shape[..]), (&[5, 7][..], &[5, 7][..]));
    for (now, next) in it.tokens.data.iter().zip(it.next.data.iter()) {
        assert_eq!(now + 1.0, *next);
    }
    assert_eq!(it, text::windows(&ids, 5, 7, 1, 2), "the same step sees the same");
    assert_ne!(it, text::windows(&ids, 5, 7, 1, 3), "the next step sees others");
    let last = text::windows(&ids, 50, 99, 1, 0);
    assert!(last.tokens.data.iter().step_by(99).all(|it| *it == 0.0), "one place for the longest window");
}

#[test]
fn a_missing_or_damaged_text_says_so() {
    let folder = Folder::new("text");
    let absent = text::load(&folder.0.join("none.txt")).unwrap_err().to_string();
    assert!(absent.contains("none.txt is missing") && absent.contains("./run data"), "{absent}");
    folder.write("latin.txt", b"To be, or not to b\xe9, that is the question");
    let damaged = text::load(&folder.0.join("latin.txt")).unwrap_err();
    assert!(matches!(damaged, DataError::Damaged { fault: Fault::Encoding(18), .. }), "{damaged}");
    folder.write("short.txt", b"To be");
    assert!(
        text::load(&folder.0.join("short.txt")).unwrap_err().to_string().contains("5 characters, not 20")
    );
}

/// Shakespeare.
#[test]
fn shakespeare_is_there_in_full() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(text::SHAKESPEARE);
    if no_data() {
        return;
    }
    let it = text::load(&path).unwrap_or_else(|fault| panic!("{fault}: `./run data` fetches it"));
    let n = it.train.len() + it.held_out.len();
    assert!((4_900_000..5_200_000).contains(&n), "{n} characters");
    assert!(it.vocabulary.len() < 100, "{:?}", it.vocabulary);
    let whole = it.vocabulary.decode(&it.train);
    assert!(whole.contains("To be, or not to be,--that is the question:"), "it has that line");
    assert!(!whole.contains('\r'), "lines end as elsewhere");
    assert_eq!(Vocabulary::of("ba a").characters, [' ', 'a', 'b'], "in order");
}

/// Pillow rounds to bytes between its two passes: a unit or two.
#[test]
fn photographs_shrink_and_grow_as_pillow_does_it() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/photo.json")).unwrap();
    let bytes = |it: &serde_json::Value| -> Vec<u8> { serde_json::from_value(it.clone()).unwrap() };
    let photo = Photo::new(20, 13, bytes(&golden["rgb"])).unwrap();
    for side in [1, 4, 7, 13, 21] {
        let (found, wanted) = (photo.square(side), bytes(&golden["squares"][side.to_string()]));
        assert_eq!(found.len(), wanted.len());
        let worst = found.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 2, "side {side}: {worst} of 255 off");
    }
    assert_eq!(photo.square(13)[..3], bytes(&golden["rgb"])[9..12], "its own size: the middle itself");
    assert!(Photo::new(20, 13, vec![0; 779]).is_none() && Photo::new(0, 3, vec![]).is_none());
    assert!(Photo::new(usize::MAX, 2, vec![]).is_none());
}
