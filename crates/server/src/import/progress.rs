//! How far an import is: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal as _, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;

/// How often a line is said.
const ROWS_PER_LINE: u64 = 50_000;

pub struct Progress {
    /// Hidden where there is no terminal.
    bar: ProgressBar,
    rows: AtomicU64,
    is_terminal: bool,
}

impl Progress {
    /// Of a file of this many bytes, if that is known.
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
        // The templates are sound; the style that there is anyway would do as well.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        if is_terminal {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self {
            bar,
            rows: AtomicU64::new(0),
            is_terminal,
        }
    }

    /// Counts what is read.
    pub fn reader<R: Read + Send + 'static>(&self, input: R) -> impl Read + Send + 'static {
        self.bar.wrap_read(input)
    }

    pub fn rows(&self, more: usize) {
        let before = self.rows.fetch_add(more as u64, Ordering::Relaxed);
        let rows = before + more as u64;
        self.bar.set_message(format!("{rows} rows read"));
        if !self.is_terminal && rows / ROWS_PER_LINE > before / ROWS_PER_LINE {
            note(format_args!("{rows} rows read"));
        }
    }

    pub fn importing(&self) {
        let rows = self.rows.load(Ordering::Relaxed);
        self.bar.set_message(format!("{rows} rows read; importing"));
        if !self.is_terminal {
            note(format_args!("{rows} rows read; importing"));
        }
    }

    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
