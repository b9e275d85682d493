//! One serving process at a time for each SQLite file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{open_private_file, with_suffix};
use crate::sqlite::{FileError, make_private_file};

/// Held by whoever serves a SQLite file or replaces what is in it; ends with the process, however
/// that ends. Commands that read or add beside a running service do without.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "another process serves {} or works on it (it holds the lock {}); stop it first",
        file.display(),
        lock.display()
    )]
    Held {
        /// The SQLite file.
        file: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
    },
    /// The SQLite file cannot be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// The lock cannot be made.
    #[error("cannot lock {}", lock.display())]
    Lock {
        /// The file that is locked.
        lock: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl StoreLock {
    /// Takes the lock of a SQLite file, which is made where it is missing.
    pub(crate) fn of(path: &Path) -> Result<Self, LockError> {
        make_private_file(path)?;
        // By its real name, so that a link is no way around.
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
