//! Files that only their owner can read.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Creates a folder that only its owner can read, and those above it, unless they exist.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(folder)
}

/// Replaces a file as a whole: it stays as it is until the new one is complete.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    // A temporary file has mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A file that is to take the place of another one, and has room for what that has: on most file systems the disk cannot
/// be too full for it any more. Only one process at a time may replace a file in this way.
pub struct Replacement {
    file: File,
    path: PathBuf,
    replaced: PathBuf,
}

impl Replacement {
    /// Returns the path of the file that is to take the place of another one.
    pub fn path(replaced: &Path) -> PathBuf {
        replaced.with_extension("new")
    }

    /// Starts to replace a file, which stays as it is.
    pub fn start(replaced: &Path) -> io::Result<Self> {
        let path = Self::path(replaced);
        let mut file = open(&path)?;
        let contents = read(replaced)?.unwrap_or_default();
        file.set_len(0)?;
        file.write_all(&contents)?;
        file.sync_all()?;
        Ok(Self {
            file,
            path,
            replaced: replaced.to_owned(),
        })
    }

    /// Puts the new contents in place.
    pub fn finish(mut self, contents: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(contents)?;
        self.file.set_len(contents.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.replaced)
    }
}

impl Drop for Replacement {
    /// Removes what did not take the place of the other file. After it did, there is nothing to remove.
    fn drop(&mut self) {
        _ = remove(&self.path);
    }
}

/// Appends a text to a file by one write, so that processes at the same time lose nothing.
pub fn append(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut options = File::options();
    options.append(true).create(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Reads a file, or returns `None` if there is none.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading and writing, which only its owner can read if it has to be created.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.open(path)
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
