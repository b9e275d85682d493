//! Database URLs, in all the spellings that people bring along.

mod parameters;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use self::parameters::Parameters;

/// The location of a database. Its `Debug` and `Display` never show a password.
#[derive(Clone)]
pub struct DatabaseUrl(Location);

#[derive(Clone)]
enum Location {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

/// A PostgreSQL server, as a URL names it.
#[derive(Clone)]
struct Server {
    options: PgConnectOptions,
    connect_timeout: Option<Duration>,
    is_pooled: bool,
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
    /// A parameter, or its value, has no effect here.
    #[error("its parameter {name} is not supported: {advice}")]
    Unsupported {
        /// The parameter.
        name: String,
        /// The thing to do instead.
        advice: &'static str,
    },
}

impl DatabaseUrl {
    /// Reads `sqlite://…`, `postgres://…` and `postgresql://…`, also with the driver that Python
    /// adds (`postgresql+asyncpg://`, `sqlite+aiosqlite:///`), and with the parameters of libpq and
    /// asyncpg (`?sslmode=require`, `?ssl=require`, `?host=/run/postgresql`).
    ///
    /// - A SQLite path is relative to the working directory after two slashes and absolute after
    ///   three (`sqlite:///var/lib/t.db`); with a Python driver, three are relative and four
    ///   absolute, as there.
    /// - The certificate of a PostgreSQL server on another host than loopback is verified
    ///   (`verify-full`) whatever the URL says.
    /// - A parameter that has no effect here is refused by its name.
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
            "postgres" | "postgresql" => {
                Ok(Self(Location::Postgres(Box::new(postgres_server(rest)?))))
            }
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
            Location::Postgres(server) => DatabaseKind::Postgres(&server.options),
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
            Location::Postgres(server) => is_local(&server.options),
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
            Location::Postgres(server) => {
                let database = server.options.get_database();
                database.unwrap_or_default().to_owned()
            }
        }
    }

    /// Returns how long connecting is retried, if the URL says so.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        match &self.0 {
            Location::Sqlite(_) => None,
            Location::Postgres(server) => server.connect_timeout,
        }
    }

    /// Returns whether the URL says that a pooler shares the sessions (`pgbouncer=true`).
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        matches!(&self.0, Location::Postgres(server) if server.is_pooled)
    }
}

/// Returns the parts of a driver's options that it reveals in no other way, as a URL: the password, and the files of
/// TLS as parameters. Its host and its user are made up.
#[must_use]
pub fn revealed(options: &PgConnectOptions) -> Url {
    // The driver does not encode the real ones, and panics if they then make no URL.
    let options = options.clone().host("localhost").username("user");
    options.to_url_lossy()
}

/// Returns the files of TLS that a driver's options name, each with its parameter: `sslrootcert`, `sslcert`, `sslkey`.
#[must_use]
pub fn tls_files(options: &PgConnectOptions) -> Vec<(String, String)> {
    let pairs = revealed(options);
    let files = pairs
        .query_pairs()
        .filter(|(name, _)| ["sslrootcert", "sslcert", "sslkey"].contains(&name.as_ref()));
    files
        .map(|(name, file)| {
            let file = file.strip_prefix("file: ").unwrap_or(&file).to_owned();
            (name.into_owned(), file)
        })
        .collect()
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            DatabaseKind::Sqlite(path) => write!(f, "SQLite file {}", path.display()),
            DatabaseKind::Postgres(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                match options.get_socket() {
                    Some(folder) => write!(f, "PostgreSQL at {}:{port}", folder.display()),
                    None if host.parse::<Ipv6Addr>().is_ok() => {
                        write!(f, "PostgreSQL at [{host}]:{port}")
                    }
                    None => write!(f, "PostgreSQL at {host}:{port}"),
                }?;
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
            return Err(parameters::unsupported(&name));
        }
    }
    Ok(PathBuf::from(path))
}

fn postgres_server(rest: &str) -> Result<Server, DatabaseUrlError> {
    refuse_doubtful(rest)?;
    let given = parse_url(rest)?;
    let parameters = Parameters::of(&given)?;
    // The driver takes the parts as parameters, in which each can be encoded; a host of digits and colons cannot.
    let mut kept = Url::parse("postgres:///").map_err(|_| DatabaseUrlError::Malformed)?;
    let mut pairs = kept.query_pairs_mut();
    let database = given.path().trim_start_matches('/');
    for (name, value) in [
        ("host", host(&given)),
        ("user", given.username()),
        ("password", given.password().unwrap_or_default()),
        ("dbname", database),
    ] {
        if !value.is_empty() {
            pairs.append_pair(name, &percent_decoded(value)?);
        }
    }
    if let Some(port) = given.port() {
        pairs.append_pair("port", &port.to_string());
    }
    pairs.extend_pairs(&parameters.kept);
    drop(pairs);
    let options =
        PgConnectOptions::from_str(kept.as_str()).map_err(|_| DatabaseUrlError::Malformed)?;
    // Without a host in the URL, the driver's default is a folder with the server's socket.
    let host = options.get_host();
    if options.get_socket().is_none() && !host.starts_with('/') && !is_host(host) {
        return Err(DatabaseUrlError::Ambiguous);
    }
    let ssl_mode = if is_local(&options) {
        parameters.local_ssl_mode()
    } else {
        PgSslMode::VerifyFull
    };
    let mut options = options.ssl_mode(ssl_mode);
    if options.get_application_name().is_none()
        && let Some(name) = &parameters.fallback_application_name
    {
        options = options.application_name(name);
    }
    if let Some(schema) = &parameters.schema {
        let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
        options = options.options([("search_path", quoted)]);
    }
    Ok(Server {
        options,
        connect_timeout: parameters.connect_timeout,
        is_pooled: parameters.is_pooled,
    })
}

/// Parses what follows the scheme. libpq allows a user and a port without a host, which is a parameter then
/// (`//user@/database?host=/run/postgresql`).
fn parse_url(rest: &str) -> Result<Url, DatabaseUrlError> {
    let authority = rest.trim_start_matches('/');
    let end = authority.find(['/', '?']).unwrap_or(authority.len());
    let (authority, tail) = authority.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let parsed = if rest.starts_with("///") || !(host.is_empty() || host.starts_with(':')) {
        Url::parse(&format!("postgres:{rest}"))
    } else {
        Url::parse(&format!("postgres://{user}@{NO_HOST}{host}{tail}"))
    };
    parsed.map_err(|_| DatabaseUrlError::Malformed)
}

/// Stands for a host that the URL lacks.
const NO_HOST: &str = "no-host.invalid";

/// Returns the host of a URL, without the brackets of an IPv6 address: the driver connects to it and verifies it
/// as it is.
fn host(url: &Url) -> &str {
    let host = url.host_str().filter(|host| *host != NO_HOST);
    host.unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']')
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

/// Returns whether this is the name or address of one host.
fn is_host(host: &str) -> bool {
    if host.contains(':') {
        return host.parse::<IpAddr>().is_ok();
    }
    !host.is_empty()
        && host
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-._".contains(character))
}

/// Returns whether the server is on this machine, so that nobody on the network can read along.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host == "localhost"
        || host.starts_with('/')
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn percent_decoded(raw: &str) -> Result<String, DatabaseUrlError> {
    percent_encoding::percent_decode_str(raw)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| DatabaseUrlError::Malformed)
}
