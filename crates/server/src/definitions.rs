//! `taskhold completions` and `taskhold man`: files that are generated from the definition of the command line.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output::say_document;

/// Prints the script that completes the commands in a shell.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "taskhold", &mut script);
    say_document(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a manual page for the program and for each command into a folder, which must exist.
///
/// # Errors
/// If a page cannot be written.
pub fn manual(folder: &Path) -> anyhow::Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write the manual into {}", folder.display()))
}
