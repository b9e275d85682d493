//! The program `taskhold`: settings, wiring, commands. It is the only crate that depends on every other,
//! and the only one that uses `anyhow`.
//!
//! | module | holds |
//! | --- | --- |
//! | `cli` | the command line |
//! | `settings` | the settings and their sources |
//! | `secret` | the secrets that tokens are signed with |
//! | `issuer` | the keys of another issuer of tokens |
//! | `logging`, `metrics`, `telemetry` | logs, metrics and traces |
//! | `serve`, `migrate`, `user`, `import`, `export`, `backup`, `restore`, `copy`, `token`, `health`, `openapi`, `doctor` | a command each |
//! | `definitions` | completions and manual pages, generated from the command line |
//! | `background` | housekeeping, and the refresh of revocations |
//! | `schedule` | backups that the service makes itself |
//! | `services` | constructs the services on a store |
//! | `routes` | the route table, with the rows of other crates |
//! | `mcp` | the settings of the endpoint for agents |
//! | `output`, `new_file` | the output of commands |
//! | `disk` | the disks of the SQLite file and of backups |
//! | `own_file` | files of settings that nobody else can have written |
//! | `socket` | the addresses that the service listens on |
//! | `listener`, `connection`, `capacity`, `open_files` | the HTTP server and its limits |
//! | `refusals` | the log of connections that end with an error |

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic if the reader is gone: `output` does not"
)]

mod background;
mod backup;
mod capacity;
mod cli;
mod connection;
mod copy;
mod definitions;
mod disk;
mod doctor;
mod export;
mod health;
mod import;
mod issuer;
mod listener;
mod logging;
mod mcp;
mod metrics;
mod migrate;
mod new_file;
mod open_files;
mod openapi;
mod output;
mod own_file;
mod refusals;
mod restore;
mod routes;
mod schedule;
mod secret;
mod serve;
mod services;
mod settings;
mod socket;
mod telemetry;
mod token;
mod user;

use std::process::ExitCode;

use clap::Parser as _;
use rustix::fs::Mode;
use taskhold_application::reasons::reasons;
use taskhold_backup::error::BackupError;

use crate::cli::{Cli, Command};
use crate::output::note;
use crate::settings::{Draft, Misconfigured, Settings};
use crate::telemetry::Export;

/// `EX_CONFIG` of sysexits.h.
const EXIT_MISCONFIGURED: u8 = 78;

#[tokio::main]
async fn main() -> ExitCode {
    // Files that a command creates are for this user only.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let cli = Cli::parse();
    match run(cli).await {
        Ok(status) => status,
        Err(error) => {
            note(format_args!("taskhold: {}", reasons(error.as_ref())));
            if is_misconfigured(&error) {
                ExitCode::from(EXIT_MISCONFIGURED)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Returns whether a setting must change before another try can succeed.
fn is_misconfigured(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Misconfigured>()
            || matches!(cause.downcast_ref(), Some(BackupError::Open(error)) if error.is_permanent())
    })
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // These depend on no setting.
    let printed = match &cli.command {
        Command::Openapi => Some(openapi::openapi()),
        Command::Completions { shell } => Some(definitions::completions(*shell)),
        Command::Man { folder } => Some(definitions::manual(folder)),
        _ => None,
    };
    if let Some(printed) = printed {
        return printed.map(|()| ExitCode::SUCCESS);
    }
    let (settings, export) = match settings(&cli) {
        Ok(read) => read,
        Err(error) => {
            if let (Command::Doctor(options), Some(error)) = (&cli.command, error.downcast_ref()) {
                doctor::misconfigured(error, options)?;
            }
            return Err(error);
        }
    };
    let done = match cli.command {
        Command::Serve(_) => serve::serve(settings, export).await,
        Command::Migrate(command) => migrate::migrate(&settings, command).await,
        Command::User(command) => user::user(&settings, command).await,
        Command::Import(options) => return import::import(&settings, options).await,
        Command::Export(options) => export::export(&settings, &options).await,
        Command::Backup(options) => backup::backup(&settings, options).await,
        Command::Restore(options) => restore::restore(&settings, &options).await,
        Command::Copy(options) => copy::copy(&settings, &options).await,
        Command::Token(options) => token::token(&settings, &options).await,
        Command::Health(options) => health::health(&settings, &options).await,
        Command::Openapi | Command::Completions { .. } | Command::Man { .. } => Ok(()),
        Command::Doctor(options) => return doctor::doctor(&settings, &options).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Reads the settings and starts logging and exporting spans as they say.
fn settings(cli: &Cli) -> anyhow::Result<(Settings, Option<Export>)> {
    let draft = Draft::read(cli.config.as_deref(), cli.command.settings())?;
    let export = match (&cli.command, draft.traces()?) {
        (Command::Serve(_), Some(endpoint)) => Some(Export::to(&endpoint)?),
        (_, _) => None,
    };
    logging::start(draft.log(), export.as_ref())?;
    Ok((draft.settings()?, export))
}
