//! Questions to a person, and lines that a program passes on the standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use futures_util::future::select_all;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

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
    let failed = |error: io::Error| Failure::local("cannot ask for the password", &error);
    let shown = tcgetattr(io::stdin()).map_err(|error| failed(error.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    restore_when_interrupted(shown.clone()).map_err(failed)?;
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)
        .map_err(|error| failed(error.into()))?;
    let mut terminal = io::stderr();
    _ = write!(terminal, "{question}: ").and_then(|()| terminal.flush());
    let typed = line();
    let restored = tcsetattr(io::stdin(), OptionalActions::Now, &shown);
    _ = writeln!(terminal);
    restored.map_err(|error| failed(error.into()))?;
    typed
}

/// Lets a signal that ends the program restore the terminal first: one that shows nothing is of no use. From now on these
/// signals are handled on a thread of their own, so that they end the program whatever it does.
fn restore_when_interrupted(shown: Termios) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let kinds = [
                SignalKind::interrupt(),
                SignalKind::terminate(),
                SignalKind::hangup(),
                SignalKind::quit(),
            ];
            let mut signals: Vec<_> = kinds
                .into_iter()
                .filter_map(|kind| signal(kind).ok())
                .collect();
            select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
        });
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &shown);
        std::process::exit(130);
    });
    Ok(())
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
        let message = if io::stdin().is_terminal() {
            "Nothing was typed"
        } else {
            "The standard input has no line to read; todo login --help lists the options"
        };
        return Err(Failure::new(Kind::BrokenRule, message));
    }
    Ok(line.to_owned())
}
