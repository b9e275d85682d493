//! The output of commands. Nothing here panics if the reader is gone.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints a line of the result to standard output.
pub fn say(line: impl Display) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{line}").context("cannot write to the standard output")
}

/// Prints a line beside the result to standard error.
pub fn note(line: impl Display) {
    // Without a reader there is nothing to do.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
