//! The command line of Taskhold: the program `todo`.
//!
//! `arguments` defines the command line, `usage` reports errors in it, and `commands` has the commands. They work on a
//! `Workspace`: a login (`logins`), a copy of its tasks (`cache`), the last change (`last_change`), the ends of ids that
//! were shown (`ends`) and the writes whose outcome is not known yet (`pending`). `output` prints results, `failure` errors
//! with their exit status.
//!
//! The words, texts and exit codes of the original command-line app (the *console*) hold to the letter.

mod arguments;
mod cache;
mod clock;
mod commands;
mod ends;
mod failure;
mod folders;
mod json;
mod last_change;
mod logins;
mod output;
mod pager;
mod pending;
mod private_file;
mod prompt;
mod secrets;
mod usage;
mod version;
mod workspace;

use std::io;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match usage::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => return usage.print(),
    };
    let mut output = Output::new(&cli.command);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(&cli.command, &mut output)),
        Err(error) => Err(Failure::local("cannot start", &error)),
    };
    let outcome = outcome.and_then(|()| output.finish().map_err(Failure::from));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.print(&mut output),
    }
}

/// Returns whether an error says that the reader of the output has gone, such as `head`.
fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
