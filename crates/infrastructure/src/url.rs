//! Database URLs, in all the spellings that people bring along.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// Where the database is. Its `Debug` and `Display` never show a password.
#[derive(Clone)]
pub struct DatabaseUrl(Location);

#[derive(Clone)]
enum Location {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// The kind of database that a URL names.
#[derive(Clone, Copy)]
pub enum DatabaseKind<'a> {
    /// A SQLite file.
    Sqlite(&'a Path),
    /// A PostgreSQL server.
    Postgres(&'a PgConnectOptions),
}

/// Why a string is no [`DatabaseUrl`]. The texts repeat nothing of the URL but the name of the wrong part,
/// since the URL may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is not a URL, or a part of it is malformed.
    #[error(
        "it is no URL; expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE, with special characters \
         of the user, the password and the database percent-encoded (@ as %40, / as %2F, # as %23, ? as %3F, % as %25)"
    )]
    Malformed,
    /// A path of a SQLite file without the scheme and its slashes.
    #[error(
        "a SQLite file is written sqlite:// and its path: sqlite://todo.db in the working folder, or \
         sqlite:///var/lib/todo.db"
    )]
    BarePath,
    /// It can be read in more than one way: a character of the password may end it early.
    #[error(
        "it can be read in more than one way, so nothing of it is used: special characters of the user, the password \
         and the database must be percent-encoded (@ as %40, / as %2F, # as %23, ? as %3F, & as %26, % as %25)"
    )]
    Ambiguous,
    /// Another kind of database.
    #[error("its scheme is neither sqlite nor postgres (or postgresql)")]
    UnknownScheme,
    /// SQLite in memory would lose every task at the end of the process.
    #[error("a SQLite database in memory keeps nothing; expected sqlite://PATH")]
    InMemory,
    /// SQLite without a path.
    #[error("it names no file; expected sqlite://PATH")]
    NoPath,
    /// `sslmode` or `ssl` has a value that does not exist.
    #[error("its sslmode is none of disable, allow, prefer, require, verify-ca and verify-full")]
    UnknownSslMode,
}

impl DatabaseUrl {
    /// Reads `sqlite://…`, `postgres://…` and `postgresql://…`, also with the driver that Python
    /// adds (`postgresql+asyncpg://`, `sqlite+aiosqlite:///`), and with the parameters of Neon and
    /// asyncpg (`?sslmode=require&channel_binding=require`, `?ssl=require`).
    ///
    /// - A SQLite path is relative to the working directory after two slashes and absolute after
    ///   three (`sqlite:///var/lib/t.db`); with a Python driver, three are relative and four
    ///   absolute, as there.
    /// - The certificate of a PostgreSQL server on another host than loopback is verified
    ///   (`verify-full`) whatever the URL says.
    /// - Parameters that have no meaning here are left out with a warning that names them.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    pub fn parse(raw: &str) -> Result<Self, DatabaseUrlError> {
        let raw = raw.trim();
        let Some((scheme, rest)) = raw.split_once(':') else {
            let is_file = [".db", ".sqlite", ".sqlite3"]
                .iter()
                .any(|end| raw.ends_with(end));
            return Err(if is_file {
                DatabaseUrlError::BarePath
            } else {
                DatabaseUrlError::Malformed
            });
        };
        let (database, driver) = match scheme.split_once('+') {
            Some((database, driver)) => (database, Some(driver)),
            None => (scheme, None),
        };
        match database.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite_path(rest, driver.is_some()).map(Self::sqlite),
            "postgres" | "postgresql" => Ok(Self(Location::Postgres(postgres_options(rest)?))),
            "file" => Err(DatabaseUrlError::BarePath),
            _ => Err(DatabaseUrlError::UnknownScheme),
        }
    }

    /// Names a SQLite file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Location::Sqlite(path.into()))
    }

    /// Returns which kind of database it is, with the driver's options. Only code that depends on one kind,
    /// such as a backup, needs this.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind<'_> {
        match &self.0 {
            Location::Sqlite(path) => DatabaseKind::Sqlite(path),
            Location::Postgres(options) => DatabaseKind::Postgres(options),
        }
    }

    /// Returns the path of a SQLite file, or `None` for a PostgreSQL server.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Location::Sqlite(path) => Some(path),
            Location::Postgres(_) => None,
        }
    }

    /// Returns whether the database is on this machine.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        match &self.0 {
            Location::Sqlite(_) => true,
            Location::Postgres(options) => is_local(options),
        }
    }

    /// Returns what an operator types to confirm that this database is meant: the name of the file or of
    /// the database.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            Location::Sqlite(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            Location::Postgres(options) => options.get_database().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            DatabaseKind::Sqlite(path) => write!(f, "SQLite file {}", path.display()),
            DatabaseKind::Postgres(options) => {
                write!(
                    f,
                    "PostgreSQL at {}:{}",
                    options.get_host(),
                    options.get_port()
                )?;
                match options.get_database() {
                    Some(database) => write!(f, ", database {database}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

fn sqlite_path(rest: &str, python: bool) -> Result<PathBuf, DatabaseUrlError> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path.ends_with(":memory:") || parameters.contains("mode=memory") {
        return Err(DatabaseUrlError::InMemory);
    }
    let path = path.strip_prefix("//").ok_or(DatabaseUrlError::BarePath)?;
    // `sqlite:///./t.db` can only mean the working directory, whoever wrote it.
    let relative = python || path.starts_with("/./");
    let path = if relative {
        path.strip_prefix('/').unwrap_or(path)
    } else {
        path
    };
    let path = percent_decoded(path)?;
    if path.is_empty() || path == "/" {
        return Err(DatabaseUrlError::NoPath);
    }
    for (name, value) in url::form_urlencoded::parse(parameters.as_bytes()) {
        if !(name == "mode" && value == "rwc") {
            ignored(&name);
        }
    }
    Ok(PathBuf::from(path))
}

fn postgres_options(rest: &str) -> Result<Box<PgConnectOptions>, DatabaseUrlError> {
    refuse_doubtful(rest)?;
    let given = Url::parse(&format!("postgres:{rest}")).map_err(|_| DatabaseUrlError::Malformed)?;
    let mut kept = given.clone();
    kept.set_query(None);
    let mut ssl_mode = None;
    for (name, value) in given.query_pairs() {
        match name.as_ref() {
            "sslmode" | "ssl" => ssl_mode = Some(parse_ssl_mode(&value)?),
            // sqlx would take "system" for a file name; its own roots are the system's meaning.
            "sslrootcert" if value == "system" => {}
            // Neon's workaround for clients that do not name the host in TLS: ours does.
            "options" if value.starts_with("endpoint=") || value.starts_with("project=") => {}
            "sslrootcert" | "sslcert" | "sslkey" | "host" | "hostaddr" | "port" | "dbname"
            | "user" | "password" | "application_name" | "options" => {
                kept.query_pairs_mut().append_pair(&name, &value);
            }
            // Neon puts it into every URL, and TLS with a verified certificate covers it.
            "channel_binding" => {}
            name if MEANINGLESS.contains(&name) => ignored(name),
            // It may be a part of a password with an `&`.
            _ if given.query_pairs().any(|(name, _)| name == "password") => {
                return Err(DatabaseUrlError::Ambiguous);
            }
            _ => tracing::warn!("the database URL has an unknown parameter, which was left out"),
        }
    }
    let options =
        PgConnectOptions::from_str(kept.as_str()).map_err(|_| DatabaseUrlError::Malformed)?;
    // Without a host in the URL, the driver's default is a folder with the server's socket.
    let host = options.get_host();
    if options.get_socket().is_none() && !host.starts_with('/') && !is_host(host) {
        return Err(DatabaseUrlError::Ambiguous);
    }
    let ssl_mode = if is_local(&options) {
        ssl_mode.unwrap_or(PgSslMode::Prefer)
    } else {
        PgSslMode::VerifyFull
    };
    Ok(Box::new(options.ssl_mode(ssl_mode)))
}

/// Refuses a URL of which a part may be another than it seems. A `/`, `?` or `#` in a password ends the host too
/// early: the rest of the password becomes a port, a database or a parameter, and has the `@` that comes before
/// the real host. Other programs also disagree on what a lone `%` means.
fn refuse_doubtful(rest: &str) -> Result<(), DatabaseUrlError> {
    let rest = rest.strip_prefix("//").ok_or(DatabaseUrlError::Malformed)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (_authority, tail) = rest.split_at(end);
    let (path, parameters) = tail.split_once('?').unwrap_or((tail, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    let has_lone_percent = rest.split('%').skip(1).any(|after| {
        let digits = after.as_bytes().get(..2).unwrap_or_default();
        digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) || digits == b"00"
    });
    let has_lone_parameter = parameters
        .split('&')
        .any(|parameter| !parameter.is_empty() && !parameter.contains('='));
    if tail.contains(['@', '#'])
        || path.contains('/')
        || has_lone_percent
        || has_lone_parameter
        // The parser would drop them silently.
        || rest.contains(|character: char| character.is_control())
    {
        return Err(DatabaseUrlError::Ambiguous);
    }
    Ok(())
}

/// Parameters of other programs, which have no meaning here. The names of others are not repeated: they may be a
/// part of a password.
const MEANINGLESS: [&str; 25] = [
    "client_encoding",
    "command_timeout",
    "connect_timeout",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "pgbouncer",
    "pool_timeout",
    "prepared_statement_cache_size",
    "requirepeer",
    "schema",
    "sslcompression",
    "sslcrl",
    "sslnegotiation",
    "sslpassword",
    "statement-cache-capacity",
    "statement_cache_size",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Returns whether this is the name or address of one host.
fn is_host(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<IpAddr>().is_ok(),
        None if host.contains(':') => host.parse::<IpAddr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "-._".contains(character))
        }
    }
}

/// The modes of libpq, and what asyncpg takes for `ssl`.
fn parse_ssl_mode(value: &str) -> Result<PgSslMode, DatabaseUrlError> {
    match value.to_ascii_lowercase().as_str() {
        "disable" | "false" => Ok(PgSslMode::Disable),
        "allow" => Ok(PgSslMode::Allow),
        "prefer" => Ok(PgSslMode::Prefer),
        "require" | "true" => Ok(PgSslMode::Require),
        "verify-ca" => Ok(PgSslMode::VerifyCa),
        "verify-full" => Ok(PgSslMode::VerifyFull),
        _ => Err(DatabaseUrlError::UnknownSslMode),
    }
}

/// Returns whether the server is on this machine, so that nobody on the network can read along.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host == "localhost"
        || host.starts_with('/')
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn percent_decoded(raw: &str) -> Result<String, DatabaseUrlError> {
    percent_encoding::percent_decode_str(raw)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| DatabaseUrlError::Malformed)
}

fn ignored(parameter: &str) {
    tracing::warn!(
        parameter,
        "a parameter of the database URL has no meaning here and was left out"
    );
}
