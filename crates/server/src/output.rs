//! The output of commands. Nothing here panics if the reader is gone. Control characters in the texts of users
//! and of other services are escaped, so that a terminal does not obey them.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context as _;
use taskhold_domain::printable::is_printable;

/// Prints a line of the result to standard output. Tabs in it separate columns.
pub fn say(line: impl Display) -> anyhow::Result<()> {
    print(&escaped(&line.to_string(), |char| char == '\t'))
}

/// Prints a document of several lines to standard output.
pub fn say_document(text: &str) -> anyhow::Result<()> {
    print(&escaped(text, |char| char == '\n'))
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("cannot write to the standard output")
}

/// Prints a line beside the result to standard error.
pub fn note(line: impl Display) {
    let line = line.to_string();
    // Without a reader there is nothing to do.
    drop(writeln!(
        io::stderr().lock(),
        "{}",
        escaped(&line, |char| char == '\t')
    ));
}

/// Escapes a text of others, with its tabs and line breaks, so that it stays one field of a line.
pub fn field(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// Escapes each character that is neither printable nor kept as in JSON: ESC as `\u001b`.
fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_shown = |char| is_printable(char) || is_kept(char);
    if text.chars().all(is_shown) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_shown(char) {
            shown.push(char);
        } else {
            shown.extend(format!("\\u{:04x}", u32::from(char)).chars());
        }
    }
    Cow::Owned(shown)
}

/// Returns a number with a noun, which is in the plural but for 1.
pub fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// A log on standard error that takes one event with each write. It escapes all but the line break at the end
/// and the colours of the formatter, which itself escapes those in values.
pub struct LogWriter {
    /// Set if the formatter writes colours.
    pub has_colours: bool,
}

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let shown = escaped(line, |char| char == '\u{1b}' && self.has_colours);
        let mut shown = shown.into_owned();
        shown.push_str(text.get(line.len()..).unwrap_or_default());
        io::stderr().lock().write_all(shown.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// A document that is written to a terminal in pieces of whole characters.
pub struct TerminalDocument<W: Write>(pub W);

impl<W: Write> Write for TerminalDocument<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(piece);
        let shown = escaped(&text, |char| char == '\n');
        self.0.write_all(shown.as_bytes())?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(field("Anna Иванова \"名\""), "Anna Иванова \"名\"");
        assert_eq!(
            field("a\tb\nc\r\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2028}\u{2066}"),
            "a\\u0009b\\u000ac\\u000d\\u001b[2J\\u007f\\u009b\\u202e\\u2028\\u2066"
        );
        let json = serde_json::to_string("\u{9b}\u{202e}\u{7f}").expect("a string");
        let shown = field(&json);
        assert_ne!(shown, json);
        let read: String = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, "\u{9b}\u{202e}\u{7f}");
        let mut terminal = TerminalDocument(Vec::new());
        terminal
            .write_all("[\n\"\u{9b}名\"]\n".as_bytes())
            .expect("written");
        assert_eq!(terminal.0, "[\n\"\\u009b名\"]\n".as_bytes());
    }
}
