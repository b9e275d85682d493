//! The pool of SQLite connections that read.
//!
//! sqlx's pool pings a connection when it comes back from a call. The ping is a second round trip to the thread of the
//! connection, which takes longer than a small query. This pool reuses a connection only if its last statement has
//! completed without an error.

use std::path::Path;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use sea_orm::sea_query::Values;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow};
use sea_orm::sqlx::{self, Connection as _};

use crate::db::error::Failure;
use crate::db::retry::AttemptError;
use crate::db::sqlite::{self, ACQUIRE_TIMEOUT, FileError};

/// The most connections that read, beside the one that writes.
const READERS: usize = 4;

/// The connections that read a SQLite file.
pub(crate) struct SqliteReaders(Pool<ReaderManager>);

impl SqliteReaders {
    /// Opens the first connection to an existing file; the others are opened on demand.
    pub(crate) async fn open(
        path: &Path,
        options: SqliteConnectOptions,
    ) -> Result<Self, FileError> {
        let pool = Pool::builder(ReaderManager(options))
            .max_size(READERS)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| FileError::open(path, error))?;
        let first = pool.get().await;
        drop(first.map_err(|error| FileError::open(path, error))?);
        Ok(Self(pool))
    }

    /// Waits for a free connection.
    pub(crate) async fn checkout(&self) -> Result<Reader, AttemptError> {
        self.0.get().await.map_err(|error| AttemptError {
            failure: Failure::of_checkout(&error),
            source: error.into(),
        })
    }

    /// Closes the free connections, and waits until they are closed; one that is in use closes when its call ends.
    pub(crate) async fn close(&self) {
        let free = self.0.retain(|_, _| false).removed;
        self.0.close();
        for reader in free {
            if let Err(error) = reader.connection.close().await {
                tracing::warn!(%error, "the SQLite file did not close cleanly");
            }
        }
    }
}

/// A connection that is checked out of the pool.
pub(crate) type Reader = Object<ReaderManager>;

/// Opens connections, and decides which of them are reused.
pub(crate) struct ReaderManager(SqliteConnectOptions);

/// A connection that reads.
pub(crate) struct ReaderConnection {
    connection: SqliteConnection,
    is_reusable: bool,
}

impl ReaderConnection {
    /// Executes a statement. Returns its result and its rows. If the future is dropped before it completes, the
    /// connection is not reused: its thread still executes the statement.
    pub(crate) async fn execute(
        &mut self,
        sql: String,
        values: Option<Values>,
    ) -> Result<(SqliteQueryResult, Vec<SqliteRow>), sqlx::Error> {
        self.is_reusable = false;
        let executed = sqlite::execute(&mut self.connection, sql, values).await;
        self.is_reusable = executed.is_ok();
        executed
    }
}

impl Manager for ReaderManager {
    type Type = ReaderConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<ReaderConnection, sqlx::Error> {
        Ok(ReaderConnection {
            connection: SqliteConnection::connect_with(&self.0).await?,
            is_reusable: true,
        })
    }

    async fn recycle(
        &self,
        reader: &mut ReaderConnection,
        _: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if reader.is_reusable {
            Ok(())
        } else {
            Err(RecycleError::message("not reusable"))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tempfile::TempDir;

    use super::*;

    /// Opens a new file. A temporary table marks a connection: no other one has it.
    async fn readers() -> (TempDir, SqliteReaders) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tasks.db");
        let options = sqlite::options(&path).create_if_missing(true);
        let readers = SqliteReaders::open(&path, options).await.expect("opened");
        (folder, readers)
    }

    async fn checkout(readers: &SqliteReaders) -> Reader {
        let reader = readers.checkout().await;
        reader.map_err(|error| error.source).expect("a connection")
    }

    /// Executes a statement on a free connection.
    async fn execute(readers: &SqliteReaders, sql: &str) -> Result<(), sqlx::Error> {
        let mut reader = checkout(readers).await;
        reader.execute(sql.to_owned(), None).await.map(drop)
    }

    async fn mark(readers: &SqliteReaders) {
        let marked = execute(readers, "CREATE TEMP TABLE mark (value)").await;
        marked.expect("marked");
    }

    async fn is_marked(readers: &SqliteReaders) -> bool {
        execute(readers, "SELECT * FROM mark").await.is_ok()
    }

    #[tokio::test]
    async fn free_connection_is_reused() {
        let (_folder, readers) = readers().await;
        mark(&readers).await;
        assert!(is_marked(&readers).await);
    }

    #[tokio::test]
    async fn connection_with_an_error_is_not_reused() {
        let (_folder, readers) = readers().await;
        mark(&readers).await;
        let failed = execute(&readers, "SELECT").await;
        failed.expect_err("no statement");
        assert!(!is_marked(&readers).await);
    }

    #[tokio::test]
    async fn connection_whose_statement_still_runs_is_not_reused() {
        let (_folder, readers) = readers().await;
        mark(&readers).await;
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000000)
            SELECT max(i) FROM n";
        let cancelled = execute(&readers, endless).now_or_never();
        assert!(cancelled.is_none(), "it takes seconds");
        assert!(!is_marked(&readers).await);
    }

    #[tokio::test]
    async fn closed_pool_gives_no_connection_and_leaves_no_file_beside_its_own() {
        let (folder, readers) = readers().await;
        mark(&readers).await;
        readers.close().await;
        assert!(readers.checkout().await.is_err());
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(files.count(), 1, "the connections are closed");
    }
}
