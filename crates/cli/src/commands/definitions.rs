//! `todo completions` and `todo man`: files that are generated from the definition of the command line.

use std::path::Path;

use clap_complete::Shell;

use crate::arguments::definition;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the script that completes the commands in a shell.
pub fn print_completions(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "todo", &mut script);
    Ok(output.bytes(&script)?)
}

/// Writes a manual page for the program and for each command into a folder, which must exist.
pub fn write_manual(folder: &Path) -> Result<(), Failure> {
    let what = format!("cannot write the manual into {}", folder.display());
    clap_mangen::generate_to(definition(), folder).map_err(|error| Failure::local(&what, &error))
}
