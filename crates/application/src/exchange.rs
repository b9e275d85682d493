//! Files of tasks: the console's, which is read and written, and Taskhold's own.
//!
//! A file is read row by row. A row that breaks a rule is bad by itself; a file that is no such file
//! at all ends the reading with a [`FileError`], and nothing of it is to be used.

mod elements;
mod place;
mod row;
pub mod written;

use std::io::{self, BufRead};

use taskhold_domain::import::{ConsoleId, RowError, RowTask};
use taskhold_domain::task::{TaskId, Version};

use self::elements::Elements;
pub use self::place::Place;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The console's: an array.
    Console,
    /// Taskhold's own: a task on each line.
    Lines,
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands among the rows, from 1 on.
    pub position: u64,
    /// Its id, as far as it has one, for people.
    pub id: Option<String>,
    /// What it says, or why it is bad.
    pub content: Result<Content, RowError>,
}

/// What a sound row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A row of the console.
    Console(ConsoleId, RowTask),
    /// A row that Taskhold wrote.
    Kept(TaskId, Version, RowTask),
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system did not give it.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// It is none of the kinds that are read.
    #[error("{place}: {fault}")]
    Fault {
        /// Where that shows.
        place: Place,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It has nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is JSON of another kind, or none.
    #[error(
        "the file is neither an array of tasks, as the console writes it, nor a task on each line"
    )]
    NoTasks,
    /// It was to be the console's, and is not.
    #[error("the file is no array of tasks, as the console writes it")]
    NoArray,
    /// It was to be Taskhold's own, and is not.
    #[error("the file does not have a task on each line")]
    NoLines,
    /// It ends where something was to come.
    #[error("the file is cut short")]
    CutShort,
    /// A byte is part of no text.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// It is no JSON.
    #[error("the file is not JSON: {0}")]
    NotJson(String),
    /// A row is larger than any task could be.
    #[error("a row is larger than {} MiB", elements::MAX_ROW >> 20)]
    TooLarge,
}

/// The rows of a file, one after the other.
pub struct Rows<R> {
    elements: Elements<R>,
    position: u64,
}

impl<R: BufRead> Rows<R> {
    /// Finds out by its beginning which kind of file it is, or whether it is of the kind that it is
    /// said to be. Nothing at all is a file of no lines, but only where it is said to be one: otherwise
    /// it may be what is left of any file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn of(input: R, kind: Option<Kind>) -> Result<Self, FileError> {
        Ok(Self {
            elements: Elements::of(input, kind)?,
            position: 0,
        })
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_console = self.elements.is_array();
        let position = self.position + 1;
        let row = match self.elements.next() {
            Ok(None) => return None,
            Ok(Some(element)) => row::read(position, is_console, element),
            Err(error) => return Some(Err(error)),
        };
        self.position = position;
        Some(Ok(row))
    }
}

#[cfg(test)]
mod tests;
