//! The lock of a SQLite file: one process at a time serves it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::db::sqlite::{FileError, make_private_file};
use crate::files::{open_private_file, with_suffix};

/// The lock that a process holds while it serves a SQLite file or replaces its contents. The system releases
/// it when the process ends, however it ends. Commands that read or add rows beside a running service need
/// no lock.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
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
    /// The SQLite file cannot be created.
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
        let taken = open_private_file(&lock).map_err(TryLockError::Error);
        match taken.and_then(|taken| taken.try_lock().map(|()| taken)) {
            Ok(taken) => Ok(Self { _file: taken }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { file, lock }),
            Err(TryLockError::Error(source)) => Err(LockError::Lock { lock, source }),
        }
    }
}
