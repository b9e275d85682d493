//! Connections to a SQLite file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};

use crate::files::{create_private_folder, folder_of, open_private_file, sync_folder};

/// How long a call waits for a free connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many readers there are beside the one writer.
pub(crate) const READERS: u32 = 4;

/// Why a SQLite file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its folder is missing and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open the SQLite file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How the file is opened, to write it.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered write must outlive a power cut, which NORMAL does not promise in WAL.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        // For whoever asks for `sqlx::query=trace`; PostgreSQL has such a log of its own. Values are not in it.
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Off, Duration::MAX)
}

/// At most so many connections to the file, which is there.
pub(crate) async fn pool(
    path: &Path,
    options: SqliteConnectOptions,
    size: u32,
) -> Result<DatabaseConnection, FileError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| FileError::File {
            path: path.to_owned(),
            source: error.into(),
        })?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Makes the file and its folder where they are missing, for the owner's eyes only. SQLite gives
/// the files beside it the same mode.
pub(crate) fn make_private_file(path: &Path) -> Result<(), FileError> {
    let folder = folder_of(path);
    create_private_folder(folder).map_err(|source| FileError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let made = if path.exists() {
        Ok(())
    } else {
        open_private_file(path).and_then(|_| sync_folder(folder))
    };
    made.map_err(|source| FileError::File {
        path: path.to_owned(),
        source: source.into(),
    })
}
