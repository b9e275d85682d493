//! Connections to the database when the program starts: retries while the server may come back, clear
//! errors where it will not, and a check that refuses poolers which mix up answers.

use std::num::NonZeroUsize;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::net::lookup_host;
use tokio::time::Instant;

use crate::db::error::{Failure, PROTOCOL_VIOLATION};
use crate::db::lock::{self, DatabaseLock, LockError};
use crate::db::rights::{self, MissingRights};
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, FileError, refuse_mounted_alone};
use crate::db::tables::{self, MisplacedTables};
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

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How long connecting to a PostgreSQL server is retried.
    pub connect_timeout: Duration,
    /// The most connections to PostgreSQL.
    pub max_connections: usize,
    /// The most concurrent writes that share a transaction of SQLite.
    pub writes_per_commit: NonZeroUsize,
    /// Whether a pooler in front of the server shares sessions between clients, so that session settings
    /// are not ours to make.
    pub pooled: bool,
    /// Whether a restore opens it. Nobody else may open a database that is half restored.
    pub restoring: bool,
    /// The duration from which on a call is logged as slow; [`Duration::MAX`] for never.
    pub slow_call: Duration,
}

/// Why a database could not be opened. The texts hold no password, and are about the value of the
/// setting that named the database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A SQLite file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server did not answer in time, or could not accept a connection yet; it may later.
    #[error("{server} did not answer for {} s", timeout.as_secs())]
    Away {
        /// The server, without the password.
        server: String,
        /// How long connecting was retried.
        timeout: Duration,
        /// The error of the last attempt.
        source: sqlx::Error,
    },
    /// The host name is unknown.
    #[error("its host cannot be found ({server})")]
    NoHost {
        /// The server, without the password.
        server: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A retry would not help.
    #[error("{reason} ({server})")]
    Refused {
        /// What to check.
        reason: &'static str,
        /// The server, without the password.
        server: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A file of TLS cannot be used.
    #[error(
        "its {parameter} (or PG{}) {problem} (docs/operations/private-ca.md)",
        parameter.to_uppercase()
    )]
    TlsFile {
        /// The parameter that names the file.
        parameter: String,
        /// The file, and why it cannot be used.
        problem: String,
    },
    /// A backup is being restored into it, or a restore was interrupted.
    #[error(
        "a backup is being restored into it, or that was cut off ({server}): wait for it, or run \
         `taskhold restore` again"
    )]
    HalfRestored {
        /// The server, without the password.
        server: String,
    },
    /// The database's encoding lacks characters, or it has none and counts bytes.
    #[error(
        "the database has the encoding {encoding} ({server}), in which not every text can be stored or \
         counted: create one with ENCODING 'UTF8' TEMPLATE template0, and move the rows into it with pg_dump"
    )]
    Encoding {
        /// Its encoding.
        encoding: String,
        /// The server, without the password.
        server: String,
    },
    /// The pooler in front of the server shares a session between the statements of several clients.
    #[error(
        "the pooler in front of {server} allows no transactions (pool_mode=statement): connect to the server \
         itself, or set pool_mode=transaction or session"
    )]
    StatementPooler {
        /// The server, without the password.
        server: String,
    },
    /// The search path does not lead to one set of tables.
    #[error("{tables} ({server})")]
    Misplaced {
        /// What is wrong.
        tables: MisplacedTables,
        /// The server, without the password.
        server: String,
    },
    /// The role that serves may not read and write the tables.
    #[error(
        "{rights} ({server}), so that requests would fail. As the owner of the tables, run: {}", rights.grants()
    )]
    MissingRights {
        /// The rights.
        rights: MissingRights,
        /// The server, without the password.
        server: String,
    },
    /// The pooler in front of the server answers one session with rows of another.
    #[error(
        "the pooler in front of {server} mixes up prepared statements, and could answer with another \
         user's rows: connect to the server itself, or use PgBouncer 1.21 or later with \
         max_prepared_statements above 0"
    )]
    UnsafePooler {
        /// The server, without the password.
        server: String,
    },
}

impl ConnectError {
    /// Returns whether a setting must change before another try can succeed.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Away { .. })
    }
}

impl ConnectError {
    /// Returns what an operator can do about it, where the answer of the server tells that.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let (Self::Away { source, .. } | Self::Refused { source, .. }) = self else {
            return None;
        };
        match source {
            sqlx::Error::Database(answer) => match answer.code().as_deref() {
                Some("53300") => Some(
                    "all its connections are in use: end idle ones (pg_stat_activity), set database.max_connections \
                     lower, or max_connections of the server or the role's CONNECTION LIMIT higher",
                ),
                Some("57P03") => Some(
                    "wait: the server starts, stops or recovers (see its own log); the service itself waits for it",
                ),
                Some("28P01") => Some("correct the user or the password"),
                Some("28000") => Some(
                    "let the user log in (ALTER ROLE … LOGIN, and a line in the server's pg_hba.conf)",
                ),
                Some("3D000") => {
                    Some("create the database, or correct its name (docs/operations/postgresql.md)")
                }
                Some("42501") => Some("GRANT CONNECT ON DATABASE … TO its user"),
                _ => None,
            },
            sqlx::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::InvalidData => Some(
                    "if a certificate authority of your own has signed it, name its certificate by \
                     `?sslrootcert=/path/to/ca.pem` in the URL; else give the server a certificate for this host",
                ),
                std::io::ErrorKind::ConnectionRefused => Some(
                    "start the server, or correct host and port; the service itself waits for it",
                ),
                _ => None,
            },
            sqlx::Error::Tls(_) => {
                Some("have the server offer TLS (ssl = on), or connect by a socket or loopback")
            }
            _ => None,
        }
    }
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
                let session = self.connect_session(&session_options(server)).await?;
                Ok(MaintenanceSession::Postgres(Box::new(session)))
            }
        }
    }

    /// Connects to a server, and refuses a database that the service cannot use.
    pub(crate) async fn connect_session(
        &self,
        server: &PgConnectOptions,
    ) -> Result<PgConnection, ConnectError> {
        let mut connection = self.connect(server).await?;
        self.check_session(&mut connection).await?;
        Ok(connection)
    }

    /// Checks that a server may be served. Returns the number of connections to use.
    pub(crate) async fn check_server(
        &self,
        server: &PgConnectOptions,
    ) -> Result<usize, ConnectError> {
        let mut first = self.connect(server).await?;
        let second = self.connect(server).await?;
        self.check_session(&mut first).await?;
        let connections = self.connections_within_limit(&mut first).await;
        self.reject_unsafe_pooler(first, second).await?;
        Ok(connections)
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

    /// Refuses a database that the service cannot use.
    async fn check_session(&self, session: &mut PgConnection) -> Result<(), ConnectError> {
        self.refuse_statement_pooler(session).await?;
        self.refuse_encoding(session).await?;
        self.refuse_half_restored(session).await?;
        self.refuse_misplaced_tables(session).await
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

    /// Runs a transaction of two messages. Behind a pooler that shares a session between statements it fails,
    /// or its second message is no part of it.
    pub(crate) async fn refuse_statement_pooler(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        let refused = || ConnectError::StatementPooler {
            server: self.url.to_string(),
        };
        let begin = "BEGIN; SELECT set_config('taskhold.session', pg_backend_pid()::text, true)";
        match self.query(session, begin).await {
            Ok(_) => {}
            // PgBouncer's answer.
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(PROTOCOL_VIOLATION) =>
            {
                return Err(refused());
            }
            Err(error) => return Err(self.failed(error)),
        }
        let end = "SELECT 1 WHERE current_setting('taskhold.session', true) = pg_backend_pid()::text; \
                   ROLLBACK";
        let same = self.query(session, end).await;
        if same.map_err(|error| self.failed(error))?.is_empty() {
            return Err(refused());
        }
        Ok(())
    }

    async fn refuse_encoding(&self, session: &mut PgConnection) -> Result<(), ConnectError> {
        let encoding = self.query(session, "SHOW server_encoding").await;
        let encoding = encoding.and_then(|rows| {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            row.try_get::<String, _>(0)
        });
        let encoding = encoding.map_err(|error| self.failed(error))?;
        if encoding == ENCODING {
            return Ok(());
        }
        Err(ConnectError::Encoding {
            encoding,
            server: self.url.to_string(),
        })
    }

    /// Refuses a database that is half restored, unless a restore connects.
    async fn refuse_half_restored(&self, session: &mut PgConnection) -> Result<(), ConnectError> {
        if self.restoring {
            return Ok(());
        }
        let sql = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{UNFINISHED_RESTORE}'");
        let found = self.query(session, &sql).await;
        if found.map_err(|error| self.failed(error))?.is_empty() {
            return Ok(());
        }
        Err(ConnectError::HalfRestored {
            server: self.url.to_string(),
        })
    }

    /// Refuses a search path that leads to several sets of tables, or to other tables.
    async fn refuse_misplaced_tables(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        let found = self.query(session, tables::FIND).await.and_then(|rows| {
            let rows = rows
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            rows.collect::<Result<Vec<_>, sqlx::Error>>()
        });
        let found = found.map_err(|error| self.failed(error))?;
        match tables::only_schema(found) {
            Ok(_) => Ok(()),
            Err(tables) => Err(ConnectError::Misplaced {
                tables,
                server: self.url.to_string(),
            }),
        }
    }

    /// Returns the configured number of connections, or what the role's limit leaves beside the one for
    /// health checks: the server would refuse further ones while others idle.
    async fn connections_within_limit(&self, session: &mut PgConnection) -> usize {
        let limit =
            sqlx::query_scalar("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
                .fetch_optional(session)
                .await;
        let limit: i32 = match limit {
            Ok(limit) => limit.unwrap_or(-1),
            Err(error) => {
                tracing::warn!(%error, "cannot see how many connections the role may have");
                return self.max_connections;
            }
        };
        // Negative means no limit.
        let Ok(limit) = usize::try_from(limit) else {
            return self.max_connections;
        };
        let allowed = limit.saturating_sub(1).max(1);
        if allowed < self.max_connections {
            tracing::warn!(
                limit,
                "the role may have fewer connections than database.max_connections"
            );
        }
        allowed.min(self.max_connections)
    }

    /// Prepares different statements of the same name in two sessions and executes them in turn. Behind a
    /// pooler that does not keep sessions apart, one gets the other's answer, or an error.
    async fn reject_unsafe_pooler(
        &self,
        mut first: PgConnection,
        mut second: PgConnection,
    ) -> Result<(), ConnectError> {
        for _ in 0..2 {
            for (session, expected) in [(&mut first, 1_i32), (&mut second, 2)] {
                let sql = if expected == 1 {
                    "SELECT $1::int4 + 1"
                } else {
                    "SELECT $1::int4 + 2"
                };
                let query = sqlx::query(sql).bind(0_i32).fetch_one(session);
                let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, query).await;
                let answer = answer
                    .ok()
                    .and_then(|row| row.ok()?.try_get::<i32, _>(0).ok());
                if answer != Some(expected) {
                    return Err(ConnectError::UnsafePooler {
                        server: self.url.to_string(),
                    });
                }
            }
        }
        for session in [first, second] {
            MaintenanceSession::Postgres(Box::new(session))
                .close()
                .await;
        }
        Ok(())
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

/// Returns what the operator must check.
fn reason(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => {
            "the server's certificate cannot be verified; if a private CA has signed it, name that in sslrootcert \
             (docs/operations/private-ca.md)"
        }
        sqlx::Error::Tls(_) => "the server offers no TLS, or its certificate cannot be verified",
        sqlx::Error::Database(answer) => match answer.code().as_deref() {
            Some("28P01" | "28000") => "the server refuses its user or password",
            Some("3D000") => "the server has no such database",
            Some("42501") => "its user may not connect to this database",
            _ => "the server refuses the connection",
        },
        _ => "the server cannot be talked to",
    }
}
