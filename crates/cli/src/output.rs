//! The output of a command.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use serde::Serialize;
use taskhold_domain::printable::is_printable;

use crate::arguments::{Command, TaskCommand};
use crate::json;
use crate::pager::Pager;

const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// The standard output, and how to write on it. On a terminal, characters that a terminal obeys are replaced, rows of
/// lists are cut to its width, and long lists go through a pager; elsewhere every text is as it is.
pub struct Output {
    target: Target,
    is_json: bool,
    width: Option<usize>,
    has_colour: bool,
}

enum Target {
    Standard(BufWriter<Stdout>),
    Pager(Pager),
}

impl Output {
    pub fn new(command: &Command) -> Self {
        let stdout = io::stdout();
        // An exported file is for programs.
        let is_terminal =
            stdout.is_terminal() && !matches!(command, Command::Tasks(TaskCommand::Export(_)));
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            target: Target::Standard(BufWriter::new(stdout)),
            is_json: command.is_json(),
            width: is_terminal.then(terminal_width),
            has_colour: is_terminal && !no_colour && !is_dumb,
        }
    }

    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// Sends what is printed from now on through a pager, if it is a list of so many lines for a terminal that is
    /// shorter.
    pub fn page(&mut self, lines: usize) {
        if self.is_json || self.width.is_none() {
            return;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout());
        if size.is_ok_and(|size| lines < usize::from(size.ws_row)) {
            return;
        }
        if let Some(pager) = Pager::start() {
            self.target = Target::Pager(pager);
        }
    }

    /// Prints a line, which a terminal wraps.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.line_with(text, "")
    }

    /// Prints a line whose end matters less.
    pub fn line_with(&mut self, text: &str, detail: &str) -> io::Result<()> {
        self.write(text, detail, None)
    }

    /// Prints a row of a list, which is cut to the width of a terminal.
    pub fn row(&mut self, text: &str, detail: &str) -> io::Result<()> {
        self.write(text, detail, self.width)
    }

    fn write(&mut self, text: &str, detail: &str, width: Option<usize>) -> io::Result<()> {
        if self.width.is_none() {
            return self.bytes(format!("{text}{detail}\n").as_bytes());
        }
        let (mut text, mut detail) = (printable(text), printable(detail));
        if let Some(width) = width {
            let room = width.saturating_sub(text.chars().count());
            text = cut(&text, width);
            detail = cut(&detail, room);
        }
        let line = if self.has_colour && !detail.is_empty() {
            format!("{text}{DIM}{detail}{RESET}\n")
        } else {
            format!("{text}{detail}\n")
        };
        self.bytes(line.as_bytes())
    }

    /// Prints a value as JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = json::pretty(value)?;
        self.bytes(format!("{json}\n").as_bytes())
    }

    /// Prints a value as JSON on one line, at once.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = json::line(value)?;
        self.bytes(format!("{json}\n").as_bytes())?;
        self.flush()
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Standard(stdout) => stdout.write_all(bytes),
            Target::Pager(pager) => pager.write_all(bytes),
        }
    }

    /// Tells the person something that is not part of the result.
    #[expect(
        clippy::unused_self,
        reason = "what is printed goes through the output"
    )]
    pub fn note(&self, text: &str) {
        // Nothing can be told if the standard error is closed.
        _ = writeln!(io::stderr(), "{}", printable(text));
    }

    /// Shows what has been printed so far.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Standard(stdout) => stdout.flush(),
            Target::Pager(pager) => pager.flush(),
        }
    }

    /// Shows what has been printed, and waits until the pager is closed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        match &mut self.target {
            Target::Standard(_) => Ok(()),
            Target::Pager(pager) => pager.finish(),
        }
    }
}

/// Returns the width of the terminal; 80 if it does not tell.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let width = size.map_or(0, |size| usize::from(size.ws_col));
    if width == 0 { 80 } else { width }
}

/// Replaces what a terminal obeys instead of showing it.
fn printable(text: &str) -> String {
    let shown = |char| if is_printable(char) { char } else { '\u{fffd}' };
    text.chars().map(shown).collect()
}

/// Cuts a text to so many characters. Wide characters may still make the terminal wrap the line, which loses nothing.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_nothing_that_they_obey() {
        assert_eq!(
            printable("a\u{1b}[31mb\nc\u{202e}d"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}d"
        );
    }

    #[test]
    fn texts_are_cut_with_an_ellipsis() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("x", 0), "");
    }
}
