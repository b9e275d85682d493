//! What is made of the definitions of the arguments: completions and manual pages.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the script that completes the commands in a shell.
pub fn print_completions(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "todo", &mut script);
    Ok(output.bytes(&script)?)
}

/// Writes a manual page for the program and for each command into a folder, which must exist.
pub fn write_manual(folder: &Path) -> Result<(), Failure> {
    let what = format!("cannot write the manual into {}", folder.display());
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| Failure::local(&what, &error))
}
