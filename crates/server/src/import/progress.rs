//! The progress of an import: a bar on a terminal, lines elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal as _, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{count, note};

/// How many rows there are between two lines.
const ROWS_PER_LINE: u64 = 50_000;

pub struct Progress {
    /// Hidden if there is no terminal.
    bar: ProgressBar,
    rows: u64,
    is_terminal: bool,
}

impl Progress {
    /// Shows the progress of reading a file, of this many bytes if that is known.
    pub fn of(length: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = match length {
            _ if !is_terminal => ProgressBar::hidden(),
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::no_length(),
        };
        let template = if length.is_some() {
            "{bar:30} {percent:>3} % {msg}"
        } else {
            "{spinner} {bytes} {msg}"
        };
        // Both templates are valid.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        if is_terminal {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self {
            bar,
            rows: 0,
            is_terminal,
        }
    }

    /// Wraps a reader so that its bytes are counted.
    pub fn reader<R: Read + Send + 'static>(&self, input: R) -> impl Read + Send + 'static {
        self.bar.wrap_read(input)
    }

    pub fn rows(&mut self, more: usize) {
        let before = self.rows;
        self.rows += more as u64;
        let rows = self.rows;
        self.bar.set_message(format!("{} read", count(rows, "row")));
        if !self.is_terminal && rows / ROWS_PER_LINE > before / ROWS_PER_LINE {
            note(format_args!("{} read", count(rows, "row")));
        }
    }

    pub fn importing(&self) {
        let rows = self.rows;
        self.bar
            .set_message(format!("{} read; importing", count(rows, "row")));
        if !self.is_terminal {
            note(format_args!("{} read; importing", count(rows, "row")));
        }
    }

    /// Prints a line above the bar.
    pub fn note(&self, line: impl Display) {
        self.bar.suspend(|| note(line));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
