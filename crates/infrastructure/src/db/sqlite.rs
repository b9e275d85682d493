//! Connections to a SQLite file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use log::LevelFilter;
use rustix::fs::{Access, access, statvfs};
use sea_orm::sea_query::Values;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteQueryResult, SqliteRow, SqliteSynchronous,
};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Either, Executor as _};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use sea_query_sqlx::SqlxValues;

use crate::files::{
    create_private_folder, folder_of, mounted_alone, open_private_file, sync_folder, with_suffix,
};

/// The longest that a call waits for a free connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// With less free space, the next transactions would fill the disk.
const MIN_FREE: u64 = 256 * 1024;
/// The size of a reader's own cache, in negative KiB.
const READER_CACHE: &str = "-512";
/// The most rows that a connection reads ahead of its caller: as many as a page of a long list has. The thread of the
/// connection and its caller wait for each other less often then.
const ROWS_READ_AHEAD: usize = 1024;

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
    /// It, its folder or a file beside it cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its disk is full.
    #[error("the disk of {} is full", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened.
    #[error("cannot open the SQLite file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of SQLite or the system.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It, or a file beside it, is mounted alone: SQLite would keep new writes beside the mount, where nobody looks
    /// for them later.
    #[error(
        "{} is mounted alone, and what SQLite writes beside it would be lost: mount its folder instead",
        path.display()
    )]
    MountedAlone {
        /// The mounted file.
        path: PathBuf,
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

/// Returns the options that open a file for writing.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered write must outlive a power cut, which NORMAL does not promise in WAL.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_READ_AHEAD)
        // `sqlx::query=trace` logs statements without values. PostgreSQL has such a log of its own.
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Off, Duration::MAX)
}

/// Returns the options of a connection that only reads. The system caches the file for all of them, so that
/// each needs little memory of its own.
pub(crate) fn reading(file: SqliteConnectOptions) -> SqliteConnectOptions {
    file.read_only(true).pragma("cache_size", READER_CACHE)
}

/// Executes a statement, or several of which the last may have values. Returns the result of the last one, and all
/// rows. A statement with values is prepared and cached.
pub(crate) async fn execute(
    connection: &mut SqliteConnection,
    sql: String,
    values: Option<Values>,
) -> Result<(SqliteQueryResult, Vec<SqliteRow>), sqlx::Error> {
    let sql = AssertSqlSafe(with_hidden_limit(sql));
    let mut results = match values {
        Some(values) => connection.fetch_many(sqlx::query_with(sql, SqlxValues(values))),
        None => connection.fetch_many(sql),
    };
    let (mut outcome, mut rows) = (SqliteQueryResult::default(), Vec::new());
    while let Some(result) = results.try_next().await? {
        match result {
            // Those before the last one repeat the number of rows of an earlier statement.
            Either::Left(last) => outcome = last,
            Either::Right(row) => rows.push(row),
        }
    }
    Ok((outcome, rows))
}

/// A limit as the query builder writes it, and as SQLite gets it.
const BOUND_LIMIT: &str = " LIMIT ?";
const HIDDEN_LIMIT: &str = " LIMIT ? + 0";

/// Hides the bound limit of a statement from the planner. SQLite looks into a parameter that is the whole limit, and so
/// plans the statement anew each time that a value is bound, which takes longer than reading a page of tasks.
fn with_hidden_limit(sql: String) -> String {
    if sql.contains(BOUND_LIMIT) {
        sql.replace(BOUND_LIMIT, HIDDEN_LIMIT)
    } else {
        sql
    }
}

/// Opens an existing file with one connection, for migrations.
pub(crate) async fn single_connection(
    path: &Path,
    options: SqliteConnectOptions,
) -> Result<DatabaseConnection, FileError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| FileError::open(path, error))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Creates a file and its folder if they are missing, readable by this user only. SQLite gives the files
/// beside it the same mode.
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
    made.map_err(|source| FileError::open(path, source))?;
    refuse_mounted_alone(path)
}

/// Refuses a file that is mounted alone.
pub(crate) fn refuse_mounted_alone(path: &Path) -> Result<(), FileError> {
    match mounted_alone(path) {
        Ok(None) => Ok(()),
        Ok(Some(path)) => Err(FileError::MountedAlone { path }),
        Err(source) => Err(FileError::open(path, source)),
    }
}

/// Checks that this process may write an existing file, its folder, and the files that SQLite keeps beside it.
/// SQLite itself opens a file that it may not write for reading, and every write fails.
pub(crate) fn check_writable(path: &Path) -> Result<(), FileError> {
    // SQLite keeps its files beside the real one, not beside a link to it.
    let path = path
        .canonicalize()
        .map_err(|source| FileError::open(path, source))?;
    let mut needed = vec![(
        folder_of(&path).to_owned(),
        Access::WRITE_OK | Access::EXEC_OK,
    )];
    for suffix in ["", "-wal", "-shm"] {
        let file = with_suffix(&path, suffix);
        if file.exists() {
            needed.push((file, Access::READ_OK | Access::WRITE_OK));
        }
    }
    for (path, mode) in needed {
        access(&path, mode).map_err(|error| FileError::Unwritable {
            path,
            source: error.into(),
        })?;
    }
    Ok(())
}

/// Checks that the disk of a file has room for the next transactions.
pub(crate) fn check_room(path: &Path) -> Result<(), FileError> {
    let disk = statvfs(path).map_err(|error| FileError::open(path, io::Error::from(error)))?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < MIN_FREE {
        return Err(FileError::DiskFull {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::{Connection as _, Row as _};

    use super::*;

    #[tokio::test]
    async fn bound_limit_is_hidden_and_takes_effect() {
        let memory = SqliteConnectOptions::new();
        let mut connection = SqliteConnection::connect_with(&memory)
            .await
            .expect("connected");
        let sql = "SELECT * FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) LIMIT ? OFFSET ?";
        assert!(!with_hidden_limit(sql.to_owned()).contains("LIMIT ? OFFSET"));
        let values = Values(vec![1_i64.into(), 2_i64.into()]);
        let read = execute(&mut connection, sql.to_owned(), Some(values)).await;
        let (_, rows) = read.expect("rows");
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [3]);
    }
}
