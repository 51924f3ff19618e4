//! Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747): 60,000 and 10,000 grey pictures of clothes, 28 x 28,
//! in ten classes. Debian packages it.

use std::path::{Path, PathBuf};

use super::error::{DataError, Fault};
use super::{Dataset, idx};

/// The ten classes, in the order of their labels.
pub const CLASSES: [&str; 10] = [
    "T-shirt or top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Width and height of a picture.
pub const SIDE: usize = 28;

const ADVICE: &str = "Debian's package dataset-fashion-mnist has it: `./run data`, or \
    `apt-get install --reinstall dataset-fashion-mnist`; VITRINE_FASHION_MNIST names another folder with its four files";

/// The two parts of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 60,000 pictures.
    Train,
    /// 10,000 pictures.
    Test,
}

/// Where the files lie: where `VITRINE_FASHION_MNIST` says, else where Debian puts them.
pub fn folder() -> PathBuf {
    let own = std::env::var_os("VITRINE_FASHION_MNIST").filter(|it| !it.is_empty());
    own.map_or_else(|| PathBuf::from("/usr/share/datasets/fashion-mnist"), PathBuf::from)
}

/// Reads a part of the data set from the gzipped IDX files in `folder`.
pub fn load(folder: &Path, part: Part) -> Result<Dataset, DataError> {
    let stem = if part == Part::Train { "train" } else { "t10k" };
    let [images, labels] =
        ["images-idx3", "labels-idx1"].map(|it| folder.join(format!("{stem}-{it}-ubyte.gz")));
    let damaged = |path: &Path| {
        let name = path.display().to_string();
        move |fault| DataError::Damaged { name, fault, advice: ADVICE }
    };
    let (shape, pixels) = idx::parse(&read(&images)?, 3).map_err(damaged(&images))?;
    if let Some(&have) = shape[1..].iter().find(|it| **it != SIDE) {
        return Err(damaged(&images)(Fault::Count { have, what: "rows or columns a picture", need: SIDE }));
    }
    let (_, classes) = idx::parse(&read(&labels)?, 1).map_err(damaged(&labels))?;
    check(&classes, shape[0]).map_err(damaged(&labels))?;
    Ok(Dataset { side: SIDE, images: pixels, labels: classes, classes: &CLASSES })
}

/// Whether there are `need` labels of known classes.
fn check(labels: &[u8], need: usize) -> Result<(), Fault> {
    if labels.len() != need {
        return Err(Fault::Count { have: labels.len(), what: "labels", need });
    }
    let classes = CLASSES.len();
    let wrong = labels.iter().enumerate().find(|(_, it)| usize::from(**it) >= classes);
    wrong.map_or(Ok(()), |(index, label)| Err(Fault::Label { index, label: *label, classes }))
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|reason| {
        let name = path.display().to_string();
        if reason.kind() == std::io::ErrorKind::NotFound {
            DataError::Absent { what: "Fashion-MNIST", path: name, advice: ADVICE }
        } else {
            DataError::File { path: name, reason }
        }
    })
}
