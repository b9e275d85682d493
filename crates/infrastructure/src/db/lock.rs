//! The lock of a SQLite file: one process at a time serves it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::db::sqlite::{FileError, make_private_file};
use crate::files::{open_private_file, with_suffix};

/// The lock that a process holds while it serves a SQLite file or replaces its contents. The system releases
/// it when the process ends, however it ends. Commands that read or add rows beside a running service need
/// no lock.
///
/// A file beside the database is locked, which stays if a restore replaces the database, and the database itself,
/// which may have several names (hard links, mounts). The second is a lock by `flock`, which SQLite's own locks do
/// not see. It must be taken before SQLite opens the file and be held until SQLite has closed it: whatever closes a
/// file drops all of SQLite's own locks on it.
#[derive(Debug)]
pub struct DatabaseLock {
    _beside: File,
    _database: File,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "another process serves {} or works on it (it holds the lock {}); stop it first",
        file.display(),
        lock.display()
    )]
    Held {
        /// The SQLite file.
        file: PathBuf,
        /// The locked file.
        lock: PathBuf,
    },
    /// Another process serves the file under another name, so that two logs of writes would be kept beside it.
    #[error("{} is served under another name (a hard link); use that one", file.display())]
    OtherName {
        /// The SQLite file.
        file: PathBuf,
    },
    /// The SQLite file cannot be created or used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {}", lock.display())]
    Lock {
        /// The locked file.
        lock: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl DatabaseLock {
    /// Takes the lock of a SQLite file, which is created if it is missing.
    pub(crate) fn of(path: &Path) -> Result<Self, LockError> {
        make_private_file(path)?;
        // The lock has the file's real name: a link to the file must not give a second lock.
        let file = path.canonicalize().map_err(|source| LockError::Lock {
            lock: path.to_owned(),
            source,
        })?;
        let lock = with_suffix(&file, ".lock");
        Ok(Self {
            _beside: take(&file, &lock, open_private_file(&lock))?,
            _database: take(&file, &file, File::open(&file))?,
        })
    }
}

/// Refuses a file that another process serves under another name. Only for a process that has not opened the file
/// with SQLite, whose locks on it would be dropped.
pub(crate) fn refuse_other_name(path: &Path) -> Result<(), LockError> {
    if path.metadata().map_or(1, |file| file.nlink()) < 2 {
        return Ok(());
    }
    let is_held = |file: PathBuf| {
        let opened = File::open(file).map_err(TryLockError::Error);
        let tried = opened.and_then(|file| file.try_lock_shared());
        matches!(tried, Err(TryLockError::WouldBlock))
    };
    match path.canonicalize() {
        Ok(file) if !is_held(with_suffix(&file, ".lock")) && is_held(file.clone()) => {
            Err(LockError::OtherName { file })
        }
        _ => Ok(()),
    }
}

/// Locks the opened file `lock`, which stands for the SQLite file `file`.
fn take(file: &Path, lock: &Path, opened: io::Result<File>) -> Result<File, LockError> {
    let taken = opened.map_err(TryLockError::Error);
    match taken.and_then(|opened| opened.try_lock().map(|()| opened)) {
        Ok(taken) => Ok(taken),
        Err(TryLockError::WouldBlock) => Err(LockError::Held {
            file: file.to_owned(),
            lock: lock.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(LockError::Lock {
            lock: lock.to_owned(),
            source,
        }),
    }
}
