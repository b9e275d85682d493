//! Opening the store when the program starts: trying again what time may mend, failing at once with
//! a sentence where it will not, and refusing a pooler that mixes up answers.

use std::num::NonZeroUsize;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use tokio::net::lookup_host;
use tokio::time::Instant;

use crate::error::Failure;
use crate::lock::{LockError, StoreLock};
use crate::session::Session;
use crate::sqlite::{self, FileError};
use crate::store::Store;
use crate::url::DatabaseUrl;

/// How long one attempt to connect may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The schema of a PostgreSQL database that is there only while a backup is being restored into it, or
/// after that was cut off.
pub const UNFINISHED_RESTORE: &str = "taskhold_before_restore";

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How long a PostgreSQL server is waited for.
    pub patience: Duration,
    /// How many connections to PostgreSQL there may be.
    pub connections: usize,
    /// How many concurrent writes may share a transaction of SQLite.
    pub writes_per_commit: NonZeroUsize,
    /// Whether a pooler stands in front of the server, and sessions are shared: they cannot be given
    /// limits of our own then.
    pub pooled: bool,
    /// Whether it is opened to restore a backup: nobody else works on a store that is half restored.
    pub restoring: bool,
}

/// Why the store could not be opened. The texts hold no password, and are about the value of the
/// setting that named the store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A SQLite file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server did not answer in time, or could not take us yet; it may later.
    #[error("{server} did not answer for {} s", patience.as_secs())]
    Away {
        /// Which server, without the password.
        server: String,
        /// How long it was tried.
        patience: Duration,
        /// What the last attempt met.
        source: sqlx::Error,
    },
    /// Nobody knows the host.
    #[error("its host cannot be found ({server})")]
    NoHost {
        /// Which server, without the password.
        server: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Trying again would not help.
    #[error("{reason} ({server})")]
    Refused {
        /// What to look at.
        reason: &'static str,
        /// Which server, without the password.
        server: String,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A backup is being restored into it, or was until that was cut off.
    #[error(
        "a backup is being restored into it, or that was cut off ({server}): wait for it, or run \
         `taskhold restore` again"
    )]
    HalfRestored {
        /// Which server, without the password.
        server: String,
    },
    /// The pooler in front of the server answers with what somebody else has asked.
    #[error(
        "the pooler in front of {server} mixes up prepared statements, and could answer with another \
         user's rows: connect to the server itself, or use PgBouncer 1.21 or later with \
         max_prepared_statements above 0"
    )]
    UnsafePooler {
        /// Which server, without the password.
        server: String,
    },
}

impl OpenError {
    /// Whether a setting must be changed before it is worth another try.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Away { .. })
    }
}

impl Opening {
    /// Takes the right to serve the store, or to replace what is in it. Only SQLite's can be had by one
    /// process at a time; PostgreSQL's is for all.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn lock(&self) -> Result<Option<StoreLock>, LockError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => StoreLock::of(path).map(Some),
            DatabaseUrl::Postgres(_) => Ok(None),
        }
    }

    /// Opens the store for serving, and shows that it answers.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn store(&self) -> Result<Store, OpenError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => Ok(Store::sqlite(path, self.writes_per_commit).await?),
            DatabaseUrl::Postgres(options) => {
                let options = prepared(options);
                let mut first = self.connected(&options).await?;
                let second = self.connected(&options).await?;
                self.refuse_half_restored(&mut first).await?;
                let connections = self.connections_within_limit(&mut first).await;
                self.guard(first, second).await?;
                Ok(Store::postgres(&options, connections, !self.pooled))
            }
        }
    }

    /// One connection without time limits, for migrations and the like.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn maintenance(&self) -> Result<DatabaseConnection, OpenError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                sqlite::make_private_file(path)?;
                Ok(sqlite::pool(path, sqlite::options(path), 1).await?)
            }
            DatabaseUrl::Postgres(options) => {
                let options = prepared(options);
                let mut first = self.connected(&options).await?;
                if !self.restoring {
                    self.refuse_half_restored(&mut first).await?;
                }
                self.close(first).await;
                let pool = PgPoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(ATTEMPT_TIMEOUT)
                    .connect_lazy_with(options);
                Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
            }
        }
    }

    /// A connection without time limits, for what works on the whole store.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn session(&self) -> Result<Session, OpenError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                sqlite::make_private_file(path)?;
                let options = sqlite::options(path);
                let connection = SqliteConnection::connect_with(&options).await;
                let connection = connection.map_err(|error| FileError::File {
                    path: path.clone(),
                    source: error.into(),
                })?;
                Ok(Session::Sqlite(Box::new(connection)))
            }
            DatabaseUrl::Postgres(options) => {
                let mut connection = self.connected(&prepared(options)).await?;
                if !self.restoring {
                    self.refuse_half_restored(&mut connection).await?;
                }
                Ok(Session::Postgres(Box::new(connection)))
            }
        }
    }

    /// Connects, again and again while the server is away.
    pub(crate) async fn connected(
        &self,
        options: &PgConnectOptions,
    ) -> Result<PgConnection, OpenError> {
        if options.get_socket().is_none() {
            let host = lookup_host((options.get_host(), options.get_port())).await;
            drop(host.map_err(|source| OpenError::NoHost {
                server: self.url.to_string(),
                source,
            })?);
        }
        let deadline = Instant::now() + self.patience;
        let mut longest_pause = Duration::from_millis(100);
        loop {
            let attempt =
                tokio::time::timeout(ATTEMPT_TIMEOUT, PgConnection::connect_with(options));
            let error = match attempt.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_elapsed) => sqlx::Error::PoolTimedOut,
            };
            if Failure::of_connecting(&error) == Failure::Refused {
                return Err(OpenError::Refused {
                    reason: reason(&error),
                    server: self.url.to_string(),
                    source: error,
                });
            }
            let pause = longest_pause.mul_f64(fastrand::f64());
            if Instant::now() + pause >= deadline {
                return Err(OpenError::Away {
                    server: self.url.to_string(),
                    patience: self.patience,
                    source: error,
                });
            }
            tracing::warn!(store = %self.url, cause = %error, "the database does not answer yet");
            tokio::time::sleep(pause).await;
            longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What is in the tables is not what it will be.
    async fn refuse_half_restored(&self, session: &mut PgConnection) -> Result<(), OpenError> {
        // Not prepared: this comes before the pooler is known to keep prepared statements apart.
        let sql = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{UNFINISHED_RESTORE}'");
        let found = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_optional(session)
            .await;
        match found {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(OpenError::HalfRestored {
                server: self.url.to_string(),
            }),
            Err(source) => Err(OpenError::Away {
                server: self.url.to_string(),
                patience: self.patience,
                source,
            }),
        }
    }

    /// As many connections as asked for, or as the role may have beside the one that asks after the
    /// store: calls that try for more would be refused while others idle.
    async fn connections_within_limit(&self, session: &mut PgConnection) -> usize {
        let limit =
            sqlx::query_scalar("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
                .fetch_optional(session)
                .await;
        let limit: i32 = match limit {
            Ok(limit) => limit.unwrap_or(-1),
            Err(error) => {
                tracing::warn!(%error, "cannot see how many connections the role may have");
                return self.connections;
            }
        };
        // Negative means no limit.
        let Ok(limit) = usize::try_from(limit) else {
            return self.connections;
        };
        let allowed = limit.saturating_sub(1).max(1);
        if allowed < self.connections {
            tracing::warn!(
                limit,
                "the role may have fewer connections than database.max_connections"
            );
        }
        allowed.min(self.connections)
    }

    /// Two sessions prepare different statements under the same name and run them in turn. Behind a
    /// pooler that does not keep them apart, one gets the other's answer, or an error.
    async fn guard(
        &self,
        mut first: PgConnection,
        mut second: PgConnection,
    ) -> Result<(), OpenError> {
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
                    return Err(OpenError::UnsafePooler {
                        server: self.url.to_string(),
                    });
                }
            }
        }
        self.close(first).await;
        self.close(second).await;
        Ok(())
    }

    async fn close(&self, connection: PgConnection) {
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "a connection did not close cleanly");
        }
    }
}

pub(crate) fn prepared(options: &PgConnectOptions) -> PgConnectOptions {
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

/// A sentence for whoever set the URL.
fn reason(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            "the server's certificate cannot be verified, or it offers no TLS"
        }
        sqlx::Error::Database(answer) => match answer.code().as_deref() {
            Some("28P01" | "28000") => "the server refuses its user or password",
            Some("3D000") => "the server has no such database",
            Some("42501") => "its user may not connect to this database",
            _ => "the server refuses the connection",
        },
        _ => "the server cannot be talked to",
    }
}
