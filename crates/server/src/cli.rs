//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A to-do service that people trust with their tasks.
///
/// Settings come from config/default.toml (compiled in), the profile's file (`TASKHOLD_PROFILE`:
/// development, production or test), and the environment: `TASKHOLD__SECTION__KEY`, `DATABASE_URL`,
/// `NEON_DATABASE_URL`, `DIRECT_URL`, `JWT_SECRET`, `PORT`; a file .env is read if there is one.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong settings.
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
