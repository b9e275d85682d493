//! Why something could not be done.

use std::io;
use std::path::{Path, PathBuf};

use sea_orm::sqlx;
use taskhold_infrastructure::lock::LockError;
use taskhold_infrastructure::start::OpenError;

/// Why a backup could not be made, verified or restored, or a store not be copied. The texts hold
/// no password.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A backup is not what it was when it was made, or none of ours.
    #[error("the backup {} {what}", backup.display())]
    Damaged {
        /// Its folder.
        backup: PathBuf,
        /// What was found.
        what: String,
    },
    /// It could be done, but must not be.
    #[error("{0}")]
    Refused(String),
    /// A program of PostgreSQL is missing, too old, or failed.
    #[error("{0}")]
    Tool(String),
    /// What was read back is not what was written.
    #[error("{0}")]
    Mismatch(String),
    /// A file or a folder.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store answers with an error.
    #[error("cannot {doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// The store cannot be migrated.
    #[error("cannot migrate what was restored")]
    Schema(#[from] sea_orm::DbErr),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Somebody else works on the store.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl BackupError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { doing, source }
    }
}
