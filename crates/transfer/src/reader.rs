//! Reading files of tasks.
//!
//! A row that breaks a rule is rejected by itself. A file that is no file of tasks ends the reading with a
//! [`FileError`], and nothing of it may be used.
//!
//! `serde_json` reads an array element by element, and NDJSON value by value. Each is taken as a
//! [`RawValue`] first, so that a row that is JSON but cannot be read (half a surrogate pair, a number out of
//! range) does not end the reading.

mod location;
mod source;

use std::fmt;
use std::io::{self, BufRead};
use std::ops::ControlFlow;

use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;
use taskhold_application::import::Row;

pub use self::location::Location;
use self::source::Source;
use crate::Format;
use crate::row;
use crate::unknown::UnknownMembers;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system reported an error.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// The file is no file of tasks.
    #[error("{location}: {reason}")]
    Invalid {
        /// Where this shows.
        location: Location,
        /// What is wrong.
        reason: Invalid,
    },
}

/// Why a file is no file of tasks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file has neither of the formats.
    #[error(
        "the file is neither an array of tasks, as the console writes it, nor a task on each line"
    )]
    NoTasks,
    /// The file does not have the format [`Format::Console`].
    #[error("the file is no array of tasks, as the console writes it")]
    NoArray,
    /// The file does not have the format [`Format::Ndjson`].
    #[error("the file does not have a task on each line")]
    NoLines,
    /// The file ends within a value or an array.
    #[error("the file is cut short")]
    CutShort,
    /// The file is not UTF-8.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// The file is UTF-16.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
    /// The file is compressed.
    #[error("the file is compressed: unpack it first")]
    Compressed,
    /// The file is not JSON.
    #[error("the file is not JSON: {0}")]
    NotJson(String),
    /// A row is larger than any task could be.
    #[error("a row is larger than {} MiB", source::MAX_ROW >> 20)]
    TooLarge,
}

/// Reads a file and calls `each` with every row until it returns [`ControlFlow::Break`]. At most one row is
/// in memory at a time. Returns the members that are left out.
///
/// Without a format, it is detected by the beginning of the file. An empty file is NDJSON without tasks only
/// if NDJSON is given: it may be what is left of any file.
///
/// # Errors
/// [`FileError`]. The rows before it must not be used.
pub fn read_rows(
    reader: impl BufRead,
    format: Option<Format>,
    mut each: impl FnMut(Row) -> ControlFlow<()>,
) -> Result<UnknownMembers, FileError> {
    let source = Source::new(reader)?;
    if let Some(other) = source.other_encoding() {
        return Err(source.invalid(other));
    }
    let found = match (format, source.peek()?) {
        (None | Some(Format::Console), Some(b'[')) => Format::Console,
        (None | Some(Format::Ndjson), Some(b'{')) | (Some(Format::Ndjson), None) => Format::Ndjson,
        (_, None) => return Err(source.invalid(Invalid::Empty)),
        (None, Some(_)) => return Err(source.invalid(Invalid::NoTasks)),
        (Some(Format::Console), Some(_)) => return Err(source.invalid(Invalid::NoArray)),
        (Some(Format::Ndjson), Some(_)) => return Err(source.invalid(Invalid::NoLines)),
    };
    let (mut position, mut unknown) = (0, UnknownMembers::default());
    let mut each_value = |value: &RawValue| {
        source.begin_value();
        position += 1;
        each(row::read(position, found, value.get(), &mut unknown))
    };
    let mut json = serde_json::Deserializer::from_reader(&source);
    match found {
        Format::Console => {
            let mut is_stopped = false;
            let elements = Elements {
                source: &source,
                stop_after: |value: &RawValue| {
                    is_stopped = each_value(value).is_break();
                    is_stopped
                },
            };
            let read = json.deserialize_seq(elements);
            match read.and_then(|()| json.end()) {
                Err(error) if !is_stopped => return Err(source.parser_error(error)),
                _ => {}
            }
        }
        Format::Ndjson => {
            let mut is_detected = format.is_some();
            for value in json.into_iter::<Box<RawValue>>() {
                let value = value.map_err(|error| source.parser_error(error));
                // The id of the first row tells NDJSON from an object that fills the file.
                is_detected |= match &value {
                    Ok(value) => row::has_task_id(value.get()),
                    Err(error) => matches!(error, FileError::Io(_)),
                };
                if !is_detected {
                    return Err(source.invalid(Invalid::NoTasks));
                }
                if each_value(&value?).is_break() {
                    break;
                }
            }
        }
    }
    Ok(unknown)
}

/// Passes every element of an array to a function until that returns `true`.
struct Elements<'a, R, F> {
    source: &'a Source<R>,
    stop_after: F,
}

impl<'de, R: BufRead, F: FnMut(&RawValue) -> bool> Visitor<'de> for Elements<'_, R, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        loop {
            // The parser looks for the end of the array even after an error.
            let element = elements.next_element::<Box<RawValue>>();
            match element.inspect_err(|_| self.source.close())? {
                Some(element) if !(self.stop_after)(&element) => {}
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
