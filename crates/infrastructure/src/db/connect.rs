//! Connections to the database when the program starts: retries while the server may come back, and clear errors
//! where it will not.

mod checks;
mod engine;
mod error;

use std::num::NonZeroUsize;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::net::lookup_host;
use tokio::time::Instant;

pub use self::engine::Engine;
pub use self::error::ConnectError;
use self::error::reason;
use crate::db::error::Failure;
use crate::db::lock::{self, DatabaseLock, LockError};
use crate::db::rights::{self, MissingRights};
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, FileError, refuse_mounted_alone};
use crate::url::{DatabaseKind, DatabaseUrl, tls_files};

/// The longest that one attempt to connect may take.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The encoding of a PostgreSQL database that can store every text, and counts its code points.
pub const ENCODING: &str = "UTF8";

/// The schema that a PostgreSQL database has only while a backup is restored into it, or after a restore
/// was interrupted.
pub const UNFINISHED_RESTORE: &str = "taskhold_before_restore";

/// The options with which a database is opened.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The location of the database.
    pub url: DatabaseUrl,
    /// The time for which connecting to a PostgreSQL server is retried.
    pub connect_timeout: Duration,
    /// The most connections to PostgreSQL.
    pub max_connections: usize,
    /// The most concurrent writes that share a transaction of SQLite.
    pub writes_per_commit: NonZeroUsize,
    /// `true` if a pooler in front of the server shares sessions between clients, so that session settings
    /// are not ours to make.
    pub pooled: bool,
    /// `true` if a restore opens the database. Nobody else may open a database that is half restored.
    pub restoring: bool,
    /// The duration from which on a call is logged as slow; [`Duration::MAX`] for never.
    pub slow_call: Duration,
}

impl ConnectOptions {
    /// Takes the exclusive right to serve the database or to replace its contents. Only a SQLite file has
    /// such a lock; a PostgreSQL server has many instances.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn lock(&self) -> Result<Option<DatabaseLock>, LockError> {
        match self.url.kind() {
            DatabaseKind::Sqlite(path) => DatabaseLock::of(path).map(Some),
            DatabaseKind::Postgres(_) => Ok(None),
        }
    }

    /// Checks that a SQLite file can be written by this process. On PostgreSQL there is nothing to check.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn check_writable(&self) -> Result<(), FileError> {
        self.url
            .sqlite_path()
            .map_or(Ok(()), sqlite::check_writable)
    }

    /// Refuses a SQLite file that another process serves under another name. To be called before the file is opened.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn refuse_other_name(&self) -> Result<(), LockError> {
        match self.url.kind() {
            DatabaseKind::Sqlite(path) => lock::refuse_other_name(path),
            DatabaseKind::Postgres(_) => Ok(()),
        }
    }

    /// Refuses a PostgreSQL database on whose tables the role lacks rights that serving needs. A database without
    /// tables passes.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn refuse_missing_rights(&self, tables: &[&str]) -> Result<(), ConnectError> {
        let DatabaseKind::Postgres(server) = self.url.kind() else {
            return Ok(());
        };
        let mut session = self.connect(&session_options(server)).await?;
        self.known_engine(&mut session).await?;
        let found = self
            .query(&mut session, &rights::find_missing(tables))
            .await;
        let found = found.and_then(|rows| {
            let rows = rows.iter().map(|row| {
                Ok((
                    row.try_get(0)?,
                    row.try_get(1)?,
                    row.try_get(2)?,
                    row.try_get(3)?,
                ))
            });
            rows.collect()
        });
        let found = MissingRights::of(found.map_err(|error| self.failed(error))?);
        MaintenanceSession::Postgres(Box::new(session))
            .close()
            .await;
        found.map_or(Ok(()), |rights| {
            Err(ConnectError::MissingRights {
                rights,
                server: self.url.to_string(),
            })
        })
    }

    /// Opens a session without time limits, for work on the whole database. A SQLite file must exist.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn session(&self) -> Result<MaintenanceSession, ConnectError> {
        match self.url.kind() {
            DatabaseKind::Sqlite(path) => {
                refuse_mounted_alone(path)?;
                let options = sqlite::options(path);
                let connection = SqliteConnection::connect_with(&options).await;
                let connection = connection.map_err(|error| FileError::open(path, error))?;
                Ok(MaintenanceSession::Sqlite(Box::new(connection)))
            }
            DatabaseKind::Postgres(server) => {
                // A database of the wrong encoding can still be backed up.
                let mut connection = self.connect(&session_options(server)).await?;
                self.known_engine(&mut connection).await?;
                self.refuse_half_restored(&mut connection).await?;
                self.refuse_misplaced_tables(&mut connection).await?;
                Ok(MaintenanceSession::Postgres(Box::new(connection)))
            }
        }
    }

    /// Opens a session with a PostgreSQL server that the service can use, to compare it with another one.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn session_to_compare(&self) -> Result<MaintenanceSession, ConnectError> {
        match self.url.kind() {
            DatabaseKind::Sqlite(_) => self.session().await,
            DatabaseKind::Postgres(server) => {
                let (session, _) = self.connect_session(&session_options(server)).await?;
                Ok(MaintenanceSession::Postgres(Box::new(session)))
            }
        }
    }

    /// Connects to a server, and refuses a database that the service cannot use.
    pub(crate) async fn connect_session(
        &self,
        server: &PgConnectOptions,
    ) -> Result<(PgConnection, Engine), ConnectError> {
        let mut connection = self.connect(server).await?;
        let engine = self.check_session(&mut connection).await?;
        Ok((connection, engine))
    }

    /// Checks that a server may be served. Returns the engine and the number of connections to use.
    pub(crate) async fn check_server(
        &self,
        server: &PgConnectOptions,
    ) -> Result<(Engine, usize), ConnectError> {
        // Two of its futures are too large for the stack of the caller.
        let connect = || Box::pin(self.connect(server));
        let (mut first, second) = tokio::try_join!(connect(), connect())?;
        let engine = self.check_session(&mut first).await?;
        let connections = self.connections_within_limit(&mut first).await;
        self.reject_unsafe_pooler(first, second).await?;
        Ok((engine, connections))
    }

    /// Connects to a server, and retries while it is away.
    pub(crate) async fn connect(
        &self,
        server: &PgConnectOptions,
    ) -> Result<PgConnection, ConnectError> {
        check_tls_files(server)?;
        if server.get_socket().is_none() && !server.get_host().starts_with('/') {
            let host = lookup_host((server.get_host(), server.get_port())).await;
            drop(host.map_err(|source| ConnectError::NoHost {
                server: self.url.to_string(),
                source,
            })?);
        }
        let deadline = Instant::now() + self.connect_timeout;
        let mut longest_pause = Duration::from_millis(100);
        loop {
            let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, PgConnection::connect_with(server));
            let error = match attempt.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_elapsed) => sqlx::Error::PoolTimedOut,
            };
            let pause = longest_pause.mul_f64(fastrand::f64());
            if Failure::of_connecting(&error) == Failure::Refused
                || Instant::now() + pause >= deadline
            {
                return Err(self.failed(error));
            }
            tracing::warn!(store = %self.url, cause = %error, "the database does not answer yet");
            tokio::time::sleep(pause).await;
            longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns the rows of statements, which are not prepared: the pooler is not known yet to keep prepared
    /// statements apart.
    async fn query(
        &self,
        session: &mut PgConnection,
        sql: &str,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(session);
        let rows = tokio::time::timeout(ATTEMPT_TIMEOUT, query).await;
        rows.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Returns the error of a query or of an attempt to connect, once there is no further try.
    fn failed(&self, source: sqlx::Error) -> ConnectError {
        let server = self.url.to_string();
        if Failure::of_connecting(&source) == Failure::Refused {
            return ConnectError::Refused {
                reason: reason(&source),
                server,
                source,
            };
        }
        ConnectError::Away {
            server,
            timeout: self.connect_timeout,
            source,
        }
    }
}

/// Returns the options with which every session with a server starts.
pub(crate) fn session_options(options: &PgConnectOptions) -> PgConnectOptions {
    // No floating-point number is stored, and PgBouncer refuses parameters that it does not know.
    let options = options
        .clone()
        .disable_statement_logging()
        .extra_float_digits(None);
    if options.get_application_name().is_none() {
        options.application_name("taskhold")
    } else {
        options
    }
}

/// Refuses files of TLS that cannot be read or are empty: the driver would take that for a server that does not
/// answer, or for a certificate that nobody has signed.
fn check_tls_files(server: &PgConnectOptions) -> Result<(), ConnectError> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    for (parameter, file) in tls_files(server) {
        let problem = match std::fs::read(&file) {
            Ok(text) if text.windows(BEGIN.len()).any(|bytes| bytes == BEGIN) => continue,
            Ok(_) => format!("names {file}, which has nothing in the format PEM"),
            Err(_) if file.trim().is_empty() => "is empty: leave it out, or name a file".to_owned(),
            Err(error) => format!("names {file}, which cannot be read: {error}"),
        };
        return Err(ConnectError::TlsFile { parameter, problem });
    }
    Ok(())
}
