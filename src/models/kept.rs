//! Downloads that stay: in a folder of this machine, checked by their hash, and gone on with where they broke off.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::fetch::{Beginning, FetchError, Progress, fetch, go_on};
use crate::platform;

/// Files at an address, and the folder in which they are once they were fetched. A page has no folders: there the browser keeps
/// what it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The address, which ends in `/`.
    pub url: String,
    /// The folder.
    pub folder: PathBuf,
    /// Names of files and their SHA-256 in hexadecimal digits. Any other file is taken as it comes.
    pub hashes: Vec<(String, String)>,
}

impl Kept {
    /// The file of this name: from the folder if it is there and whole, otherwise from its address.
    pub async fn read(&self, name: &str, progress: &Progress) -> Result<Vec<u8>, FetchError> {
        let url = format!("{}{name}", self.url);
        if platform::PAGE {
            return fetch(&url, progress).await;
        }
        let path = self.folder.join(name);
        if let Ok(bytes) = fs::read(&path) {
            if self.wrong(name, &bytes).is_none() {
                progress.set(bytes.len() as u64, bytes.len() as u64);
                return Ok(bytes);
            }
            log::error!("{} is damaged: it is fetched again", path.display());
        }
        let part = path.with_added_extension("part");
        let bytes = download(&url, &part, progress).await?;
        if let Some((found, wanted)) = self.wrong(name, &bytes) {
            let _ = fs::remove_file(&part); // Going on with it would never end well.
            return Err(FetchError::Altered { url, found, wanted });
        }
        if let Err(reason) = keep(&part, &path, bytes.len()) {
            log::warn!("{} is not kept: {reason}", path.display());
        }
        Ok(bytes)
    }

    /// The hash of these bytes and the one that they should have, where they differ.
    fn wrong(&self, name: &str, bytes: &[u8]) -> Option<(String, String)> {
        let (_, wanted) = self.hashes.iter().find(|it| it.0 == name)?;
        let found = format!("{:x}", Sha256::digest(bytes));
        (found != *wanted).then(|| (found, wanted.clone()))
    }
}

/// The file at `url`, of which `part` may have the beginning; what comes is added to it at once.
async fn download(url: &str, part: &Path, progress: &Progress) -> Result<Vec<u8>, FetchError> {
    match go_on(url, open(part), progress).await {
        // There is nothing behind what is here: it is the whole file, or the beginning of another one.
        Err(FetchError::Refused { status, .. }) if status.starts_with("416") => {
            let _ = fs::remove_file(part);
            go_on(url, open(part), progress).await
        }
        result => result,
    }
}

/// What is there of a download. None if it cannot be kept, or if another program is fetching it just now.
fn open(path: &Path) -> Option<Beginning> {
    let open = || -> std::io::Result<Beginning> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let file = File::options().create(true).append(true).open(path)?;
        file.try_lock()?;
        Ok(Beginning { file, begun: fs::read(path)? })
    };
    open().map_err(|reason| log::warn!("{} is not kept: {reason}", path.display())).ok()
}

/// Gives a whole file its name; nobody ever sees a part of it under that name.
fn keep(part: &Path, path: &Path, length: usize) -> std::io::Result<()> {
    if fs::metadata(part)?.len() != length as u64 {
        return Err(std::io::Error::other("it could not be written"));
    }
    fs::rename(part, path)
}
