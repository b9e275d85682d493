//! The file formats of Taskhold.
//!
//! | module | holds |
//! | --- | --- |
//! | [`reader`] | [`Rows`](reader::Rows), which reads a file row by row |
//! | [`writer`] | [`Writer`](writer::Writer), which writes a file task by task |
//! | [`zone`] | [`Zone`](zone::Zone), the time zone of times without an offset |
//!
//! There are two [formats](Format). That of the original command-line app (the *console*) is for coming
//! and leaving; NDJSON is for moving tasks between stores of Taskhold.
//!
//! ```
//! use taskhold_transfer::reader::Rows;
//!
//! let file = r#"[{"id": 1, "title": "Buy milk"}, {"id": 2, "title": ""}]"#;
//! let rows = Rows::open(file.as_bytes(), None)?.collect::<Result<Vec<_>, _>>()?;
//! let rejected = rows.iter().find_map(|row| Some((row.position, row.content.as_ref().err()?)));
//! let (position, reason) = rejected.expect("a row without a title");
//! assert_eq!(position, 2);
//! assert_eq!(reason.to_string(), "Task title must be a non-empty string");
//! # Ok::<(), taskhold_transfer::reader::FileError>(())
//! ```

pub mod reader;
pub mod writer;
pub mod zone;

/// The format of a file of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The console's: a JSON array, with ids that count from 1 and times without a zone.
    Console,
    /// Taskhold's own: a JSON object on each line, with all that Taskhold knows of a task.
    Ndjson,
}
