//! Files that are complete or absent.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use taskhold_infrastructure::files::{folder_of, sync_folder};
use tempfile::NamedTempFile;

/// A file that is being written, beside its final place. Removed when dropped.
pub struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// Begins a file that is to be at `path`, in place of one that is there. Fails if it cannot be written,
    /// or if `path` is something else than a file.
    pub fn at(path: &Path) -> io::Result<Self> {
        if let Ok(existing) = path.symlink_metadata()
            && !existing.is_file()
        {
            return Err(io::Error::other("something else than a file is there"));
        }
        Ok(Self {
            path: path.to_owned(),
            file: NamedTempFile::new_in(folder_of(path))?,
        })
    }

    /// Syncs it and puts it in its place.
    pub fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(folder_of(&self.path))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
