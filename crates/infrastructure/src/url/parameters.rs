//! The parameters of a PostgreSQL URL. Each has its effect or is refused by its name: a part of a URL that is
//! silently left out is found out about when it is too late.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgSslMode;
use url::Url;

use super::DatabaseUrlError;

/// The parameters of a URL that are not refused.
#[derive(Default)]
pub(super) struct Parameters {
    /// Those that the driver takes.
    pub(super) kept: Vec<(String, String)>,
    pub(super) schema: Option<String>,
    pub(super) fallback_application_name: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) is_pooled: bool,
    ssl_mode: Option<PgSslMode>,
    has_root: bool,
}

/// Values that say what is so anyway.
const TRUE_ANYWAY: [(&str, &[&str]); 10] = [
    ("channel_binding", &["prefer", "disable"]),
    ("client_encoding", &["utf8", "utf-8", "unicode", "auto"]),
    ("gssencmode", &["prefer", "disable"]),
    ("keepalives", &["0"]),
    ("load_balance_hosts", &["disable"]),
    ("pgbouncer", &["false"]),
    ("sslcompression", &["0"]),
    ("sslnegotiation", &["postgres"]),
    ("sslsni", &["1"]),
    ("target_session_attrs", &["any"]),
];

/// The files in which Linux distributions and BSDs have the certificates that the system trusts.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Parameters {
    /// Reads the parameters of a URL.
    pub(super) fn of(url: &Url) -> Result<Self, DatabaseUrlError> {
        let has = |wanted: &str| url.query_pairs().any(|(name, _)| name == wanted);
        let mut found = Self::default();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "sslmode" | "ssl" => found.ssl_mode = Some(parse_ssl_mode(&value)?),
                "sslrootcert" => {
                    found.has_root = true;
                    let file = if value == "system" {
                        system_roots()
                    } else {
                        &value
                    };
                    found.keep(&name, file);
                }
                "host" => found.keep(&name, value.trim_matches(['[', ']'])),
                // The driver would verify the address in place of the name.
                "hostaddr" if has("host") || !super::host(url).is_empty() => {
                    return Err(unsupported(&name));
                }
                "options" => found.keep_options(&value),
                "sslcert" | "sslkey" | "hostaddr" | "port" | "dbname" | "user" | "password"
                | "application_name" => found.keep(&name, &value),
                option if option.starts_with("options[") && option.ends_with(']') => {
                    found.keep(&name, &value);
                }
                "schema" => found.schema = Some(value.into_owned()),
                "fallback_application_name" => {
                    found.fallback_application_name = Some(value.into_owned());
                }
                "connect_timeout" => {
                    let seconds = value.parse::<u16>().ok().filter(|seconds| *seconds > 0);
                    let seconds = seconds.ok_or_else(|| unsupported(&name))?;
                    found.connect_timeout = Some(Duration::from_secs(seconds.into()));
                }
                "pgbouncer" if value == "true" => found.is_pooled = true,
                name if is_true_anyway(name, &value) => {}
                // It may be a part of a password with an `&`.
                name if has("password") && advice(name) == REMOVE => {
                    return Err(DatabaseUrlError::Ambiguous);
                }
                name => return Err(unsupported(name)),
            }
        }
        let sets_path = |(name, value): &(String, String)| {
            name == "options[search_path]" || name == "options" && value.contains("search_path")
        };
        if found.schema.is_some() && found.kept.iter().any(sets_path) {
            return Err(unsupported("schema"));
        }
        Ok(found)
    }

    fn keep(&mut self, name: &str, value: &str) {
        self.kept.push((name.to_owned(), value.to_owned()));
    }

    /// Keeps the server's options, without Neon's workaround for clients that do not name the host in TLS: ours
    /// does.
    fn keep_options(&mut self, options: &str) {
        let is_workaround = |word: &&str| {
            ["endpoint=", "project="]
                .iter()
                .any(|name| word.starts_with(name))
        };
        let first = options.split(' ').next().filter(is_workaround);
        let rest = first.map_or(options, |first| {
            options.strip_prefix(first).unwrap_or_default()
        });
        if !rest.trim().is_empty() {
            self.keep("options", rest.trim_start());
        }
    }

    /// Returns the mode of TLS with a server on this machine. A certificate authority is named to be used; libpq too
    /// verifies then, where TLS is required.
    pub(super) fn local_ssl_mode(&self) -> PgSslMode {
        match self.ssl_mode {
            None if self.has_root => PgSslMode::VerifyFull,
            None => PgSslMode::Prefer,
            Some(PgSslMode::Require) if self.has_root => PgSslMode::VerifyCa,
            Some(mode) => mode,
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

fn is_true_anyway(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    TRUE_ANYWAY
        .iter()
        .any(|(known, values)| *known == name && values.contains(&value.as_str()))
}

/// Returns the file of the certificates that the system trusts. If there is none, connecting fails and names it.
fn system_roots() -> &'static str {
    let [usual, ..] = SYSTEM_ROOTS;
    let mut files = SYSTEM_ROOTS.into_iter();
    files.find(|file| Path::new(file).exists()).unwrap_or(usual)
}

/// Returns the error of a parameter that has no effect here.
pub(super) fn unsupported(name: &str) -> DatabaseUrlError {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_.[]".contains(character);
    if name.len() > 40 || !name.chars().all(is_plain) {
        return DatabaseUrlError::Ambiguous;
    }
    DatabaseUrlError::Unsupported {
        name: name.to_owned(),
        advice: advice(name),
    }
}

const REMOVE: &str = "remove it (docs/reference/settings.md lists those that have an effect)";

/// Returns what to do about a parameter.
fn advice(name: &str) -> &'static str {
    match name {
        "channel_binding" => {
            "the driver cannot bind passwords to a TLS connection. Remove it: the certificate of a server on another \
             host is verified anyway; for one on this machine, set sslmode=verify-full"
        }
        "command_timeout" => "remove it: every statement has a time limit",
        "connect_timeout" => "expected seconds from 1 to 65535",
        "connection_limit" | "pool_timeout" => "remove it, and set database.max_connections",
        "hostaddr" => "name the server once, as the host",
        "pgbouncer" => "expected true or false",
        "prepared_statement_cache_size" | "statement_cache_size" | "statement-cache-capacity" => {
            "remove it: the start checks that a pooler keeps prepared statements apart"
        }
        "schema" => "options sets the search_path too; name the schema once",
        "keepalives"
        | "keepalives_count"
        | "keepalives_idle"
        | "keepalives_interval"
        | "tcp_user_timeout" => "remove it: dead connections are found by time limits",
        _ => REMOVE,
    }
}
