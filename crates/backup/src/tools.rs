//! Finds and runs `pg_dump` and `pg_restore`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use taskhold_infrastructure::url::{revealed, tls_files};
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::error::BackupError;

/// The folder in which Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The certificates that the system trusts, for programs that do not know the name `system`.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The first version that knows the name `system` for them.
const KNOWS_SYSTEM_ROOTS: u32 = 16;

/// The variables that the programs get from the environment.
const KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// Returns the version of the programs that a server of this version needs.
///
/// # Errors
/// `Tool`: there are none, or only older ones.
pub async fn find(server: u32) -> Result<u32, BackupError> {
    Ok(Tools::at_least(server).await?.major)
}

/// The programs of one version.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Their folder; `None` if they are on the path.
    folder: Option<PathBuf>,
    major: u32,
}

impl Tools {
    /// Finds programs at least as new as a server of this version: older ones refuse it.
    pub(crate) async fn at_least(server: u32) -> Result<Self, BackupError> {
        let mut folders = vec![None];
        let mut versions: Vec<u32> = std::fs::read_dir(DEBIAN)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        versions.sort_unstable();
        folders.extend(
            versions
                .iter()
                .rev()
                .map(|version| Some(format!("{DEBIAN}/{version}/bin").into())),
        );
        let mut found = Vec::new();
        for folder in folders {
            let Some(major) = version(&program(folder.as_deref(), "pg_dump")).await else {
                continue;
            };
            if major >= server
                && version(&program(folder.as_deref(), "pg_restore")).await == Some(major)
            {
                return Ok(Self { folder, major });
            }
            found.push(major.to_string());
        }
        let found = if found.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are only those of version {}", found.join(" and "))
        };
        Err(BackupError::Tool(format!(
            "the server is PostgreSQL {server}, which needs pg_dump and pg_restore of version {server} or \
             later: {found} on the PATH or in {DEBIAN}; install Debian's postgresql-client-{server}, or the like"
        )))
    }

    /// Runs a program on a database.
    pub(crate) async fn run(
        &self,
        name: &str,
        database: &PgConnectOptions,
        arguments: &[String],
    ) -> Result<(), BackupError> {
        let failed = |what: String| BackupError::Tool(format!("{name} {what}"));
        // A temporary file, since other users can read the arguments of a process.
        let passwords = NamedTempFile::new().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(program(self.folder.as_deref(), name));
        // Our own variables hold secrets, and PostgreSQL's could name another database.
        command.env_clear();
        command.envs(
            KEPT.iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        for (variable, value) in self.environment(database, &passwords).map_err(failed)? {
            command.env(variable, value);
        }
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(format!("cannot be run: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let (first, last) = (said.first().unwrap_or(&""), said.last().unwrap_or(&""));
        let said = if first == last {
            (*first).to_owned()
        } else {
            format!("{first} … {last}")
        };
        Err(failed(format!("failed ({}): {said}", output.status)))
    }

    fn environment(
        &self,
        database: &PgConnectOptions,
        passwords: &NamedTempFile,
    ) -> Result<Vec<(&'static str, String)>, String> {
        let host = database.get_socket().map_or_else(
            || database.get_host().to_owned(),
            |socket| socket.display().to_string(),
        );
        let mut environment = vec![
            ("PGHOST", host),
            ("PGPORT", database.get_port().to_string()),
            ("PGUSER", database.get_username().to_owned()),
            ("PGAPPNAME", "taskhold".to_owned()),
            ("PGSSLMODE", ssl_mode(database.get_ssl_mode()).to_owned()),
            ("PGCONNECT_TIMEOUT", "10".to_owned()),
        ];
        if let Some(name) = database.get_database() {
            environment.push(("PGDATABASE", name.to_owned()));
        }
        if let Some(options) = database.get_options() {
            environment.push(("PGOPTIONS", options.to_owned()));
        }
        let mut roots = None;
        for (name, file) in tls_files(database) {
            match name.as_str() {
                "sslrootcert" => roots = Some(file),
                "sslcert" => environment.push(("PGSSLCERT", file)),
                _ => environment.push(("PGSSLKEY", file)),
            }
        }
        if matches!(
            database.get_ssl_mode(),
            PgSslMode::VerifyCa | PgSslMode::VerifyFull
        ) {
            let system = if self.major >= KNOWS_SYSTEM_ROOTS {
                "system"
            } else {
                SYSTEM_ROOTS
            };
            environment.push(("PGSSLROOTCERT", roots.unwrap_or_else(|| system.to_owned())));
        }
        if let Some(password) = revealed(database).password() {
            let password = percent_encoding::percent_decode_str(password)
                .decode_utf8()
                .map_err(|_| "cannot be given the password".to_owned())?;
            let password = password.replace('\\', "\\\\").replace(':', "\\:");
            writeln!(passwords.as_file(), "*:*:*:*:{password}")
                .map_err(|error| error.to_string())?;
            environment.push(("PGPASSFILE", passwords.path().display().to_string()));
        }
        Ok(environment)
    }
}

fn program(folder: Option<&Path>, name: &str) -> PathBuf {
    folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

/// Returns the first number of a program's version; `None` if it cannot be run.
async fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().await.ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}
