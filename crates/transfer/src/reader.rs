//! Reading files of tasks.
//!
//! A row that breaks a rule is rejected by itself. A file that is no file of tasks ends the reading
//! with a [`FileError`], and nothing of it may be used.

mod location;
mod row;
mod values;

use std::io::{self, BufRead};

use taskhold_application::import::Row;

pub use self::location::Location;
use self::values::Values;
use crate::Format;

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
    /// The file is not JSON.
    #[error("the file is not JSON: {0}")]
    NotJson(String),
    /// A row is larger than any task could be.
    #[error("a row is larger than {} MiB", values::MAX_ROW >> 20)]
    TooLarge,
}

/// An iterator over the rows of a file, which ends after the first error.
pub struct Rows<R> {
    values: Values<R>,
    position: u64,
}

impl<R: BufRead> Rows<R> {
    /// Detects the format by the beginning of the file, or checks that the file has the given one.
    /// An empty file is NDJSON without tasks only if NDJSON is given: it may be what is left of any
    /// file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(reader: R, format: Option<Format>) -> Result<Self, FileError> {
        Ok(Self {
            values: Values::open(reader, format)?,
            position: 0,
        })
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.position += 1;
        let (position, format) = (self.position, self.values.format());
        let row = self.values.next(|json| row::read(position, format, json));
        row.transpose()
    }
}

#[cfg(test)]
mod tests;
