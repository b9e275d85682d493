//! The program that shows a long list on a terminal.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use crate::is_closed_pipe;

/// A running pager.
pub struct Pager {
    child: Child,
    input: Option<ChildStdin>,
}

impl Pager {
    /// Starts the pager that `TODO_PAGER` or `PAGER` names, or less. Returns `None` if it is switched off (an empty
    /// name or `cat`) or cannot be started.
    pub fn start() -> Option<Self> {
        let named = ["TODO_PAGER", "PAGER"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok());
        let command = named.unwrap_or_else(|| "less".to_owned());
        let mut words = command.split_whitespace();
        let program = words.next().filter(|program| *program != "cat")?;
        let mut pager = Command::new(program);
        pager.args(words).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            // Colours; ends by itself if the list fits; leaves the list on the screen.
            pager.env("LESS", "FRX");
        }
        let mut child = pager.spawn().ok()?;
        // Ctrl-C is for the pager, which outlives it: this program waits for it.
        _ = signal(SignalKind::interrupt());
        let input = child.stdin.take();
        Some(Self { child, input })
    }

    /// Waits until the person closes it.
    pub fn finish(&mut self) -> io::Result<()> {
        drop(self.input.take());
        self.child.wait().map(drop)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Ok(bytes.len());
        };
        match input.write(bytes) {
            // The person has seen enough.
            Err(error) if is_closed_pipe(&error) => {
                self.input = None;
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.input.as_mut().map(Write::flush) {
            Some(Err(error)) if !is_closed_pipe(&error) => Err(error),
            _ => Ok(()),
        }
    }
}
