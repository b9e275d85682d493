//! What a person is asked for, or a program passes on the standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::failure::{Failure, Kind};

/// The most bytes of a secret.
const MAX_SECRET: u64 = 64 * 1024;

/// Returns the value of an option; of `-`, the next line of the standard input.
pub fn value_or_line(value: &str) -> Result<String, Failure> {
    match value {
        "-" => line(),
        value => Ok(value.to_owned()),
    }
}

/// Asks for a line, or reads the next one if nobody can be asked.
pub fn ask(question: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        let mut terminal = io::stderr();
        _ = write!(terminal, "{question}: ").and_then(|()| terminal.flush());
    }
    line()
}

/// Asks for a password without showing it, or reads the next line if nobody can be asked.
pub fn ask_password(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return line();
    }
    rpassword::prompt_password(format!("{question}: "))
        .map_err(|error| Failure::local("cannot ask for the password", &error))
}

/// Reads a line of the standard input, without its end, which may be that of Windows.
fn line() -> Result<String, Failure> {
    let mut line = Vec::new();
    let read = io::stdin()
        .lock()
        .take(MAX_SECRET)
        .read_until(b'\n', &mut line);
    read.map_err(|error| Failure::local("cannot read the standard input", &error))?;
    let line = String::from_utf8(line).map_err(|_| {
        Failure::new(
            Kind::BrokenRule,
            "The line on the standard input is not valid UTF-8",
        )
    })?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(Failure::new(
            Kind::BrokenRule,
            "The standard input has no line to read",
        ));
    }
    Ok(line.to_owned())
}
