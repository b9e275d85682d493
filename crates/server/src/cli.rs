//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use taskhold_application::zone::Zone;
use taskhold_domain::user::UserId;

/// A to-do service that people trust with their tasks.
///
/// Settings come from config/default.toml (compiled in), the profile's file (`TASKHOLD_PROFILE`:
/// development, production or test), and the environment: `TASKHOLD__SECTION__KEY`, `DATABASE_URL`,
/// `NEON_DATABASE_URL`, `DIRECT_URL`, `JWT_SECRET`, `PORT`; a file .env is read if there is one.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 3 done without the rows that were rejected, 78 wrong
/// settings.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Cli {
    /// A folder whose default.toml and PROFILE.toml overlay the built-in ones [default: config,
    /// where there is one]
    #[arg(long, global = true, value_name = "DIR")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, until told to stop by SIGTERM or Ctrl-C
    Serve,
    /// Change the schema of the database
    #[command(subcommand)]
    Migrate(Migrate),
    /// See and change the accounts of users
    #[command(subcommand)]
    User(User),
    /// Import a file of the console, or of `taskhold export`: all sound rows together, or none
    Import(Import),
    /// Write all tasks of a user to standard output
    Export(Export),
    /// Print a token for trying the API; refused in production
    Token(Token),
    /// Ask a running service whether it and its database are healthy
    Health(Health),
}

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply every pending migration; safe to run by several instances at once
    Up,
    /// Take the last migrations back, with all data in what they made; refused in production
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Yes, delete that data
        #[arg(long)]
        yes: bool,
    },
    /// List the migrations, applied and pending
    Status,
    /// Delete everything and start with empty tables; refused in production
    Fresh {
        /// Yes, delete everything
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// List every user: id, e-mail address, state and when the store first heard of it
    List,
    /// Let a user in again
    Activate {
        /// The user's id or e-mail address
        user: String,
    },
    /// Keep a user out: within a minute no running instance takes a token of the user's
    Deactivate {
        /// The user's id or e-mail address
        user: String,
    },
    /// Delete a user with all tasks
    Delete {
        /// The user's id or e-mail address
        user: String,
        /// Yes, delete all of that
        #[arg(long)]
        yes: bool,
    },
    /// Give a user another password, read from the terminal or from standard input
    SetPassword {
        /// The user's id or e-mail address
        user: String,
    },
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file; - for standard input
    pub file: PathBuf,
    /// The owner of rows that have none
    #[arg(long, value_name = "ID", default_value = "default_user", value_parser = user)]
    pub user: UserId,
    /// Gives the rows of one owner in the file to another here; may be given many times
    #[arg(long, value_name = "OLD=NEW", value_parser = mapping)]
    pub map: Vec<(UserId, UserId)>,
    /// The time zone of times that name none, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC)]
    pub timezone: Zone,
    /// Do it all but for keeping it, and say what would be
    #[arg(long)]
    pub dry_run: bool,
    /// Write what became of the rows to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Whose tasks
    #[arg(long, value_name = "ID", value_parser = user)]
    pub user: UserId,
    /// For whom they are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Console)]
    pub format: ExportFormat,
    /// The time zone of the times that the console is to show
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC)]
    pub timezone: Zone,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ExportFormat {
    /// For the console, which knows neither our ids nor time zones
    Console,
    /// For another Taskhold: a task on each line, with all that is known of it
    Ndjson,
}

fn user(raw: &str) -> Result<UserId, String> {
    UserId::parse(raw).map_err(|error| error.to_string())
}

fn mapping(raw: &str) -> Result<(UserId, UserId), String> {
    let (old, new) = raw.split_once('=').ok_or("it is written OLD=NEW")?;
    Ok((user(old)?, user(new)?))
}

#[derive(Debug, Args)]
pub struct Token {
    /// The user whom the token names
    #[arg(long)]
    pub user: String,
    /// How long it is valid, in minutes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub minutes: u32,
}

#[derive(Debug, Args)]
pub struct Health {
    /// The service to ask [default: the configured host and port]
    #[arg(long)]
    pub url: Option<String>,
}
