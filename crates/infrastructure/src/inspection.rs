//! A connection that only looks: for whoever asks what is wrong with a store, and must not change it
//! by asking.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnection, PgRow};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, FromRow,
};

use crate::db::connect::{ConnectError, ConnectOptions, session_options};
use crate::private_files::FileError;
use crate::url::DatabaseKind;

/// How long an answer of a server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How many of SQLite's instructions there are between two looks at the clock.
const INSTRUCTIONS: i32 = 10_000;

/// A session in which nothing can be written.
pub struct Inspection(Session);

enum Session {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
    /// It did not answer in time, so an old answer may still be on its way.
    Lost,
}

/// What either store's rows can be read as: a tuple, or the like.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{}

impl ConnectOptions {
    /// A session that only looks; `None` where the SQLite file is not there.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn inspection(&self) -> Result<Option<Inspection>, ConnectError> {
        let session = match self.url.kind() {
            DatabaseKind::Sqlite(path) if !path.exists() => return Ok(None),
            DatabaseKind::Sqlite(path) => {
                let connection = sqlite_options(path).connect().await;
                Session::Sqlite(Box::new(
                    connection.map_err(|error| FileError::open(path, error))?,
                ))
            }
            DatabaseKind::Postgres(server) => {
                Session::Postgres(Box::new(self.connect(&session_options(server)).await?))
            }
        };
        Ok(Some(Inspection(session)))
    }
}

/// Where nobody has it open it is taken as it lies there: SQLite would make files beside it otherwise.
fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!log_of(path).exists())
        .disable_statement_logging()
}

/// The file with what was written and is not in the SQLite file itself yet.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    log.into()
}

/// Whether a SQLite file is kept with a write-ahead log. Asked before it is opened: closing a file ends
/// the locks of its process.
///
/// # Errors
/// What the system says.
pub fn has_write_ahead_log(path: &Path) -> io::Result<bool> {
    // The versions of the format for writing and for reading: 2 is with a write-ahead log.
    let mut header = [0; 20];
    File::open(path)?.read_exact(&mut header)?;
    Ok(header.ends_with(&[2, 2]))
}

impl Inspection {
    /// Reads rows by a statement without values.
    ///
    /// # Errors
    /// What the driver says; no answer in time.
    pub async fn read<T: Row>(&mut self, sql: &str) -> Result<Vec<T>, sqlx::Error> {
        let read = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(sql)).await;
        read.unwrap_or_else(|_elapsed| {
            self.0 = Session::Lost;
            Err(sqlx::Error::PoolTimedOut)
        })
    }

    async fn answer<T: Row>(&mut self, sql: &str) -> Result<Vec<T>, sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        match &mut self.0 {
            Session::Postgres(connection) => {
                // For the transaction only: a pooler may give the session to others after it.
                connection.execute("BEGIN READ ONLY").await?;
                let rows = statement.fetch_all(&mut **connection).await;
                connection.execute("ROLLBACK").await?;
                rows?.iter().map(T::from_row).collect()
            }
            Session::Sqlite(connection) => {
                let rows = statement.fetch_all(&mut **connection).await?;
                rows.iter().map(T::from_row).collect()
            }
            Session::Lost => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Looks whether the pages of a SQLite file are sound, for so long at most: what is wrong with them,
    /// or `None` where that was too short.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn check(&mut self, time: Duration) -> Result<Option<Vec<String>>, sqlx::Error> {
        let Session::Sqlite(connection) = &mut self.0 else {
            return Ok(None);
        };
        let deadline = Instant::now() + time;
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(INSTRUCTIONS, move || Instant::now() < deadline);
        drop(handle);
        let found = sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(&mut **connection);
        let found: Result<Vec<String>, _> = found.await;
        connection.lock_handle().await?.remove_progress_handler();
        match found {
            Ok(mut lines) => {
                lines.retain(|line| line != "ok");
                Ok(Some(lines))
            }
            Err(_) if Instant::now() >= deadline => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether two sessions with the server are shared by a pooler, so that each gets any for a
    /// transaction.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn shares_sessions_with(&mut self, other: &mut Self) -> Result<bool, sqlx::Error> {
        const PROCESS: &str = "SELECT pg_backend_pid()::int8";
        let first: Vec<(i64,)> = self.read(PROCESS).await?;
        let second: Vec<(i64,)> = other.read(PROCESS).await?;
        Ok(first == second)
    }

    /// Whether prepared statements have the name that we give them in the session too: where a pooler
    /// shares it, everybody's have the same then. None stays behind.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn passes_statement_names(&mut self) -> Result<bool, sqlx::Error> {
        let Session::Postgres(connection) = &mut self.0 else {
            return Ok(false);
        };
        // One transaction is one session, also behind a pooler.
        connection.execute("BEGIN READ ONLY").await?;
        let prepared = sqlx::query("SELECT 1 AS taskhold_doctor")
            .fetch_one(&mut **connection)
            .await;
        let found = match prepared {
            // Somebody else's statement has the name.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P05") => {
                Ok(true)
            }
            Err(error) => Err(error),
            Ok(_) => {
                let names = sqlx::raw_sql(
                    "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%AS taskhold_doctor'",
                );
                let names = names.fetch_all(&mut **connection).await?;
                let names: Result<Vec<(String,)>, _> =
                    names.iter().map(FromRow::from_row).collect();
                names.map(|names| names.iter().any(|(name,)| name.starts_with("sqlx_")))
            }
        };
        connection.clear_cached_statements().await?;
        connection.execute("ROLLBACK").await?;
        found
    }
}
