//! Files and folders that only this user may read, and that survive a power cut.

use std::io;
use std::path::{Path, PathBuf};

/// Why a SQLite file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its folder is missing and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open the SQLite file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of SQLite or the system.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FileError {
    pub(crate) fn open(
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::File {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Creates a file and its folder if they are missing, readable by this user only. SQLite gives the files
/// beside it the same mode.
pub(crate) fn make_private_file(path: &Path) -> Result<(), FileError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_private_folder(folder).map_err(|source| FileError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let made = if path.exists() {
        Ok(())
    } else {
        private_file(path).and_then(|_| sync_folder(folder))
    };
    made.map_err(|source| FileError::open(path, source))
}

/// Opens a file for writing, and creates it if it is missing, readable by this user only.
///
/// # Errors
/// The system's.
pub fn private_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder and its parents, readable by this user only.
///
/// # Errors
/// The system's.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for made in missing {
        match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent)?,
            _ => sync_folder(Path::new("."))?,
        }
    }
    Ok(())
}

/// Syncs a folder: a new name in it survives a power cut only after that.
///
/// # Errors
/// The system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
