//! The command line.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::{Zone, database_version};
use taskhold_transfer::Format;
use url::Url;

use crate::settings::Overridden;

/// What `--version` prints after the name; `-V` prints only the first line.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\ncommit {}\ntime zone database {}",
        env!("CARGO_PKG_VERSION"),
        option_env!("TASKHOLD_COMMIT").unwrap_or("unknown"),
        database_version()
    )
});

/// A to-do service that people trust with their tasks.
///
/// Settings come from built-in files for each profile (`TASKHOLD_PROFILE`: development, production or test), from
/// the folder --config, from the file .env in the working folder, and from the environment:
/// `TASKHOLD__SECTION__KEY`, `DATABASE_URL`, `NEON_DATABASE_URL`, `DIRECT_URL`, `JWT_SECRET`, `JWT_SECRET_PREVIOUS`,
/// `PORT`.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 3 done without the rows that were rejected, 78 wrong settings.
#[derive(Debug, Parser)]
#[command(name = "taskhold", bin_name = "taskhold", version, long_version = LONG_VERSION.as_str())]
pub struct Cli {
    /// A folder whose default.toml and PROFILE.toml overlay the built-in ones [default: config, if it
    /// exists]
    #[arg(long, global = true, value_name = "DIR")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, until told to stop by SIGTERM or Ctrl-C
    Serve(Serve),
    /// Change the schema of the database
    #[command(subcommand)]
    Migrate(Migrate),
    /// See and change the accounts of users
    #[command(subcommand)]
    User(User),
    /// Import a file of the console (the original command-line app) or of `taskhold export`: all valid rows,
    /// or none
    Import(Import),
    /// Write all tasks of a user to standard output or a file
    Export(Export),
    /// Back the store up while it is served (a copy of the SQLite file alone would lack the last writes); list, verify
    /// and prune backups
    Backup(Backup),
    /// Restore a backup: all of it or nothing. Stop the service first
    Restore(Restore),
    /// Copy everything into an empty store of either kind, which leaves this one as it is; or move one user into another
    /// store while both are served
    Copy(Copy),
    /// Print a token for trying the API; refused in production
    Token(Token),
    /// Ask a running service whether it and its database are healthy
    Health(Health),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Check what the service needs, and say what is wrong and what to do about it; changes nothing
    Doctor(Doctor),
    /// Print what completes commands in a shell
    Completions { shell: clap_complete::Shell },
    /// Write the manual pages into a folder, for packages
    #[command(hide = true)]
    Man { folder: PathBuf },
}

impl Command {
    /// Returns the settings that options of the command give.
    pub fn settings(&self) -> Vec<Overridden> {
        let Self::Serve(Serve { host, port }) = self else {
            return Vec::new();
        };
        let host = host
            .iter()
            .map(|host| ("--host", "server.host", host.clone()));
        let port = port
            .iter()
            .map(|port| ("--port", "server.port", port.to_string()));
        host.chain(port).collect()
    }
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on, or a name of it [default: the setting server.host]
    #[arg(long)]
    pub host: Option<String>,
    /// The port to listen on; 0 takes a free one [default: the setting server.port]
    #[arg(long)]
    pub port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply every pending migration; safe to run by several instances at once
    Up(LockWait),
    /// Revert the last migrations, with all data in what they created; refused in production
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Yes, delete that data
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        locks: LockWait,
    },
    /// List the migrations, applied and pending
    Status,
    /// Delete everything and start with empty tables; refused in production
    Fresh {
        /// Yes, delete everything
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        locks: LockWait,
    },
}

#[derive(Debug, Args)]
pub struct LockWait {
    /// For how many seconds to try again while other sessions of PostgreSQL hold a lock
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u16,
}

impl LockWait {
    /// Returns how long to try.
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.wait.into())
    }
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// List every user: id, e-mail address, state and time of creation
    List,
    /// Activate a user again
    Activate {
        /// The user's id or e-mail address; id: or email: before it tells them apart
        user: String,
    },
    /// Deactivate a user: within a minute no running instance accepts the user's tokens
    Deactivate {
        /// The user's id or e-mail address; id: or email: before it tells them apart
        user: String,
    },
    /// Delete a user with all tasks
    Delete {
        /// The user's id or e-mail address; id: or email: before it tells them apart
        user: String,
        /// Yes, delete all of that
        #[arg(long)]
        yes: bool,
    },
    /// Give a user another password, read from the terminal or from standard input
    SetPassword {
        /// The user's id or e-mail address; id: or email: before it tells them apart
        user: String,
    },
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file; - for standard input
    pub file: PathBuf,
    /// The format of the file [default: detected from its beginning]; an empty file is valid only as ndjson
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
    /// The owner of rows without an owner, by id or e-mail address; an unknown id creates a user
    #[arg(long, value_name = "USER", default_value = "default_user")]
    pub user: String,
    /// Give the rows of the owner OLD in the file to USER, named as for --user; may be repeated
    #[arg(long, value_name = "OLD=USER", value_parser = mapping)]
    pub map: Vec<(UserId, String)>,
    /// The time zone of times that name none, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC)]
    pub timezone: Zone,
    /// Import a row again if its task was deleted after an earlier import
    #[arg(long)]
    pub again: bool,
    /// Import nothing if the file has members that Taskhold does not know and would leave out
    #[arg(long)]
    pub strict: bool,
    /// Import nothing, and say what would be imported
    #[arg(long)]
    pub dry_run: bool,
    /// Write a report with all rejected rows to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The owner of the tasks, by id or e-mail address
    #[arg(long, value_name = "USER")]
    pub user: String,
    /// The format to write
    #[arg(long, value_enum, default_value_t = FileFormat::Console)]
    pub format: FileFormat,
    /// The time zone of the times that the console is to show
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC)]
    pub timezone: Zone,
    /// Write to this file, which appears only when it is complete
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FileFormat {
    /// The console's: an array, with neither our ids nor time zones
    Console,
    /// Taskhold's: a task with all of its fields on each line
    Ndjson,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Console => Self::Console,
            FileFormat::Ndjson => Self::Ndjson,
        }
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    /// The folder that the backup is made in [default: the setting backup.folder]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Backups>,
}

#[derive(Debug, Subcommand)]
pub enum Backups {
    /// List the backups of a folder, oldest first
    List {
        /// The folder [default: the setting backup.folder]
        folder: Option<PathBuf>,
    },
    /// Restore a backup into a scratch store and compare that with the backup's manifest
    Verify {
        /// The backup, or a folder whose newest one is meant [default: the setting backup.folder]
        backup: Option<PathBuf>,
    },
    /// Remove the backups that need not be kept: all but the newest of each of the last 24 hours, 7 days
    /// and 4 weeks that have one. The newest that was verified stays in any case
    Prune {
        /// The folder [default: the setting backup.folder]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup, or a folder whose newest one is meant
    pub backup: PathBuf,
    /// Replace what the store holds; asks for its name, on the terminal or from standard input
    #[arg(long)]
    pub force: bool,
    /// The store that was served until now, if it is another one and still answers: what was revoked or
    /// deleted there since the backup stays so
    #[arg(
        long,
        value_name = "URL",
        env = "LIVE_DATABASE_URL",
        hide_env_values = true
    )]
    pub live: Option<String>,
}

#[derive(Debug, Args)]
pub struct Copy {
    /// The store to copy into. On the command line others may see a password in it: better give it as a
    /// variable
    #[arg(
        long,
        value_name = "URL",
        env = "TO_DATABASE_URL",
        hide_env_values = true
    )]
    pub to: String,
    /// Move this user alone: an id or an e-mail address. Both stores may be served meanwhile, and afterwards this one
    /// refuses the user's requests
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Do not wait a minute until every instance knows that the user moves: for a store that nobody serves or asks for
    /// the user any more
    #[arg(long, requires = "user")]
    pub at_once: bool,
}

/// Reads the owner in a file and the user here.
fn mapping(raw: &str) -> Result<(UserId, String), String> {
    let (old, user) = raw.split_once('=').ok_or("it is written OLD=USER")?;
    let old = UserId::parse(old).map_err(|error| error.to_string())?;
    Ok((old, user.to_owned()))
}

/// Reads the URL of a service.
fn service(raw: &str) -> Result<Url, String> {
    let url = Url::parse(raw).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        "it must begin with http:// or https:// and the host, as in http://127.0.0.1:8080".into()
    })
}

#[derive(Debug, Args)]
pub struct Token {
    /// The user of the token, by id or e-mail address
    #[arg(required_unless_present = "user_option")]
    pub user: Option<String>,
    /// The same as USER
    #[arg(
        id = "user_option",
        long = "user",
        value_name = "USER",
        conflicts_with = "user"
    )]
    pub user_option: Option<String>,
    /// How long it is valid, in minutes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub minutes: u32,
}

#[derive(Debug, Args)]
pub struct Health {
    /// The service to ask [default: the configured host and port]
    #[arg(long, value_parser = service)]
    pub url: Option<Url>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
