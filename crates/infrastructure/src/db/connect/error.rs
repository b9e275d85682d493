//! Why a database could not be opened, and what an operator can do about it.

use std::time::Duration;

use sea_orm::sqlx;

use crate::db::rights::MissingRights;
use crate::db::sqlite::FileError;
use crate::db::tables::MisplacedTables;

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
        /// The time for which connecting was retried.
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
        /// The setting to check.
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
    /// An engine that speaks PostgreSQL's protocol, and does not keep what the service promises.
    #[error(
        "{problem} ({server}). docs/operations/postgresql.md lists the engines that keep what is promised"
    )]
    Engine {
        /// The engine, and why it cannot be used.
        problem: String,
        /// The server, without the password.
        server: String,
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
        /// The fault of the search path.
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

    /// Returns what an operator can do about it, where the answer of the server tells that.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        if let Self::Engine { .. } = self {
            return Some(
                "name a server of PostgreSQL; docs/operations/postgresql.md lists the engines and versions",
            );
        }
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

/// Returns what the operator must check.
pub(super) fn reason(error: &sqlx::Error) -> &'static str {
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
