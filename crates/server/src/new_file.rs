//! Files that are there whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file in the making, beside where it will be. Gone when dropped.
pub struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// Begins a file that will be at `path`, in the place of one that is there.
    ///
    /// # Errors
    /// Where it cannot be written, or something else than a file is there.
    pub fn at(path: &Path) -> io::Result<Self> {
        if let Ok(there) = path.symlink_metadata()
            && !there.is_file()
        {
            return Err(io::Error::other("something else than a file is there"));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self {
            path: path.to_owned(),
            file: NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?,
        })
    }

    /// Puts it in its place. What is there then outlives a power cut.
    ///
    /// # Errors
    /// Where that cannot be done; what was there is there still.
    pub fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
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
