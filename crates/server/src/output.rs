//! What commands say. Whoever reads it may go away: nothing here panics then.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;

/// Says a line of what was asked for.
///
/// # Errors
/// Where nobody can have read it.
pub fn say(line: impl Display) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{line}").context("cannot write to the standard output")
}

/// Notes a line beside what was asked for, for whoever looks on.
pub fn note(line: impl Display) {
    // Nobody looks on.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
