//! A read-only session for diagnosis. None of its statements changes the store.

mod missing_store;
mod server;
mod setup;

use std::path::Path;
use std::time::{Duration, Instant};

pub use self::missing_store::MissingStore;
pub use self::server::{ConnectionLimits, Pooling, Role};
pub use self::setup::Ownership;
use sea_orm::sqlx::postgres::{PgConnection, PgRow};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, FromRow,
};

use crate::db::FileError;
use crate::db::connect::{
    ConnectError, ConnectOptions, ENCODING, Engine, UNFINISHED_RESTORE, session_options,
};
use crate::db::migrations::{self, MigrationStatus};
use crate::db::tables::{self, MisplacedTables, quoted};
use crate::files::with_suffix;
use crate::url::DatabaseKind;

/// The longest time to connect to a server: a diagnosis is wanted now.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest time that an answer of a server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time for which the pages of a SQLite file are checked: enough for some gigabytes.
const INTEGRITY_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of SQLite's instructions between two readings of the clock.
const INSTRUCTIONS: i32 = 10_000;

/// A session in which nothing can be written.
///
/// Methods about what only one kind of store has return `None` on the other kind.
pub struct Inspector {
    options: ConnectOptions,
    session: Session,
    /// The engine of a PostgreSQL server and its encoding; `None` for a SQLite file.
    engine: Option<(Engine, String)>,
}

enum Session {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
    /// The store did not answer in time, so an old answer may still be on its way.
    Lost,
}

/// Why a question about the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// The store did not answer in time, now or to an earlier question.
    #[error("the store did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    /// The search path does not lead to one set of tables.
    #[error(transparent)]
    Misplaced(#[from] MisplacedTables),
    /// The store answered with an error.
    #[error("the store answers with an error")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for InspectionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The program that answers, and the conditions under which the service can work with the store.
#[derive(Debug)]
pub struct StoreState {
    /// The name of the engine and its version.
    pub version: String,
    /// A warning for the operator about the engine.
    pub warning: Option<String>,
    /// `true` if the store takes writes.
    pub takes_writes: bool,
    /// The encoding of a PostgreSQL database, if not every text can be stored in it.
    pub wrong_encoding: Option<String>,
    /// `true` if a restore is going on, or was cut off.
    pub is_half_restored: bool,
}

/// The result of a check of all pages of a SQLite file.
#[derive(Debug)]
pub enum Integrity {
    /// Every page is valid.
    Valid,
    /// No damage within so long, which was too short for the whole file.
    Unfinished(Duration),
    /// A description of the damage.
    Damaged(String),
}

/// A tuple as which rows of either store can be read.
trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{}

impl ConnectOptions {
    /// Opens a read-only session; `None` if the SQLite file does not exist.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn inspector(&self) -> Result<Option<Inspector>, ConnectError> {
        let options = Self {
            connect_timeout: self.connect_timeout.min(CONNECT_TIMEOUT),
            ..self.clone()
        };
        let mut engine = None;
        let session = match options.url.kind() {
            DatabaseKind::Sqlite(path) if !path.exists() => return Ok(None),
            DatabaseKind::Sqlite(path) => open_file(path).await?,
            DatabaseKind::Postgres(server) => {
                let mut connection = options.connect(&session_options(server)).await?;
                engine = Some(options.known_engine(&mut connection).await?);
                // Every question is a transaction.
                options.refuse_statement_pooler(&mut connection).await?;
                Session::Postgres(Box::new(connection))
            }
        };
        Ok(Some(Inspector {
            options,
            session,
            engine,
        }))
    }
}

async fn open_file(path: &Path) -> Result<Session, FileError> {
    let connection = sqlite_options(path).connect().await;
    let connection = connection.map_err(|error| FileError::open(path, error))?;
    Ok(Session::Sqlite(Box::new(connection)))
}

/// A file that no process has open is read as immutable: SQLite would create files beside it otherwise.
fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!with_suffix(path, "-wal").exists())
        .disable_statement_logging()
}

impl Inspector {
    /// Asks whether the service can work with the store.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn state(&mut self) -> Result<StoreState, InspectionError> {
        let Some((engine, encoding)) = self.engine.clone() else {
            let (version,): (String,) = self.read_one("SELECT sqlite_version()").await?;
            // A file that is no database fails only here.
            let _: (i64,) = self.read_one("SELECT count(*) FROM sqlite_master").await?;
            return Ok(StoreState {
                version: format!("SQLite {version}"),
                warning: None,
                takes_writes: true,
                wrong_encoding: None,
                is_half_restored: false,
            });
        };
        let (is_half_restored, only_reads): (bool, bool) = self
            .read_one(&format!(
                "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = '{UNFINISHED_RESTORE}'),
                        pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
            ))
            .await?;
        Ok(StoreState {
            version: engine.to_string(),
            warning: engine.warning().map(str::to_owned),
            takes_writes: !only_reads,
            wrong_encoding: (encoding != ENCODING).then_some(encoding),
            is_half_restored,
        })
    }

    /// Compares the migrations that the store has with those of this program.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn migrations(&mut self) -> Result<Vec<MigrationStatus>, InspectionError> {
        let history = self.history().await?;
        let applied: Vec<(String,)> = match history {
            None => vec![],
            Some(history) => {
                self.read(&format!("SELECT version FROM {history} ORDER BY version"))
                    .await?
            }
        };
        Ok(migrations::compare_with_known(
            applied.into_iter().map(|(name,)| name).collect(),
        ))
    }

    /// Returns the table of applied migrations, as SQL; `None` if there are no tables.
    async fn history(&mut self) -> Result<Option<String>, InspectionError> {
        if self.is_sqlite() {
            let sql = "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'";
            let found: Vec<(String,)> = self.read(sql).await?;
            return Ok((!found.is_empty()).then(|| "seaql_migrations".to_owned()));
        }
        let schema = self.schema().await?;
        Ok(schema.map(|schema| format!("{}.seaql_migrations", quoted(&schema))))
    }

    /// Returns when the first migration was applied, in seconds since 1970; `None` if none was.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn created_at(&mut self) -> Result<Option<i64>, InspectionError> {
        let Some(history) = self.history().await? else {
            return Ok(None);
        };
        let sql = format!("SELECT min(applied_at) FROM {history}");
        let (created_at,): (Option<i64>,) = self.read_one(&sql).await?;
        Ok(created_at)
    }

    /// Checks the pages of a SQLite file, for 10 s at most.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn integrity(&mut self) -> Result<Option<Integrity>, InspectionError> {
        let Session::Sqlite(connection) = &mut self.session else {
            return Ok(None);
        };
        let deadline = Instant::now() + INTEGRITY_TIMEOUT;
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(INSTRUCTIONS, move || Instant::now() < deadline);
        drop(handle);
        let found = sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(&mut **connection);
        let found: Result<Vec<String>, _> = found.await;
        connection.lock_handle().await?.remove_progress_handler();
        Ok(Some(match found {
            Ok(lines) if lines == ["ok"] => Integrity::Valid,
            Ok(lines) => Integrity::Damaged(lines.join("; ")),
            Err(error) if is_damage(&error) => Integrity::Damaged(error.to_string()),
            Err(_) if Instant::now() >= deadline => Integrity::Unfinished(INTEGRITY_TIMEOUT),
            Err(error) => return Err(error.into()),
        }))
    }

    /// Finds the schema of PostgreSQL that has the tables.
    async fn schema(&mut self) -> Result<Option<String>, InspectionError> {
        let found = self.read(tables::FIND).await?;
        Ok(tables::only_schema(found)?)
    }

    /// Closes the session. An error does not matter: nothing was written.
    pub async fn close(self) {
        let closed = match self.session {
            Session::Postgres(connection) => connection.close().await,
            Session::Sqlite(connection) => connection.close().await,
            Session::Lost => Ok(()),
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a session did not close cleanly");
        }
    }

    fn is_sqlite(&self) -> bool {
        self.options.url.sqlite_path().is_some()
    }

    async fn read_one<T: Row>(&mut self, sql: &str) -> Result<T, InspectionError> {
        let first = self.read(sql).await?.pop();
        first.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Runs a statement without values.
    async fn read<T: Row>(&mut self, sql: &str) -> Result<Vec<T>, InspectionError> {
        let rows = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(sql)).await;
        rows.unwrap_or_else(|_elapsed| {
            self.session = Session::Lost;
            Err(InspectionError::Timeout)
        })
    }

    async fn answer<T: Row>(&mut self, sql: &str) -> Result<Vec<T>, InspectionError> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        let rows: Result<Vec<T>, sqlx::Error> = match &mut self.session {
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
            Session::Lost => return Err(InspectionError::Timeout),
        };
        Ok(rows?)
    }
}

/// Returns whether SQLite could not make sense of the page that it was reading.
fn is_damage(error: &sqlx::Error) -> bool {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    let code = error
        .as_database_error()
        .and_then(|answer| answer.code()?.parse().ok());
    // The bytes above the lowest say which kind of it.
    code.is_some_and(|code: u32| [CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff)))
}
