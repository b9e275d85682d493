//! The file formats of Taskhold.
//!
//! | module | holds |
//! | --- | --- |
//! | [`reader`] | [`read_rows`](reader::read_rows), which reads a file row by row |
//! | [`batches`] | [`read_batches`](batches::read_batches), which does so on a thread of its own |
//! | [`writer`] | [`Writer`](writer::Writer), which writes a file task by task |
//! | [`unknown`] | [`UnknownMembers`](unknown::UnknownMembers), which no task has a place for |
//!
//! There are two [formats](Format). That of the original command-line app (the *console*) is for coming
//! and leaving; NDJSON is for moving tasks between stores of Taskhold.
//!
//! ```
//! use std::ops::ControlFlow;
//! use taskhold_transfer::reader::read_rows;
//!
//! let file = r#"[{"id": 1, "title": "Buy milk"}, {"id": 2, "title": ""}]"#;
//! let mut rejected = Vec::new();
//! read_rows(file.as_bytes(), None, |row| {
//!     if let Err(reason) = row.content {
//!         rejected.push((row.position, reason.to_string()));
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(rejected, [(2, "Task title must be a non-empty string".to_owned())]);
//! # Ok::<(), taskhold_transfer::reader::FileError>(())
//! ```

pub mod batches;
pub mod reader;
mod row;
pub mod unknown;
pub mod writer;

/// The format of a file of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The console's: a JSON array, with ids that count from 1 and times without a zone.
    Console,
    /// Taskhold's own: a JSON object on each line, with all that Taskhold knows of a task.
    Ndjson,
}
