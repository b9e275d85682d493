//! The error of this crate.

use std::io;
use std::path::{Path, PathBuf};

use sea_orm::sqlx;
use taskhold_infrastructure::db::connect::ConnectError;
use taskhold_infrastructure::db::lock::LockError;
use taskhold_infrastructure::db::migrations::MigrationError;
use taskhold_infrastructure::inspection::InspectionError;

/// Why a backup could not be made, verified or restored, or a store could not be copied. No message holds a
/// password.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The backup is damaged, or not a backup.
    #[error("the backup {} {what}", backup.display())]
    Damaged {
        /// Its folder.
        backup: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It would do harm.
    #[error("{0}")]
    Refused(String),
    /// `pg_dump` or `pg_restore` is missing, too old, or failed.
    #[error("{0}")]
    Tool(String),
    /// What was read back differs from what was written.
    #[error("{0}")]
    Mismatch(String),
    /// A file or a folder cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A statement failed.
    #[error("cannot {doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// The error of the driver.
        source: sqlx::Error,
    },
    /// The store cannot be migrated.
    #[error("cannot migrate what was restored")]
    Schema(#[from] MigrationError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] ConnectError),
    /// The store cannot be read.
    #[error(transparent)]
    Inspection(#[from] InspectionError),
    /// Another process works on the store.
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
