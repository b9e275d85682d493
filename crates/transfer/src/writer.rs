//! Writing files of tasks.

use std::fmt;

use chrono::{NaiveDateTime, Timelike as _};
use serde::{Serialize, Serializer};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;

use crate::Format;
use crate::zone::Zone;

/// Writes a file task by task, without holding it in memory.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    zone: Zone,
    written: u64,
}

/// A task as the console writes it.
#[derive(Serialize)]
struct ConsoleTask<'a> {
    id: u64,
    title: &'a str,
    description: &'a str,
    completed: bool,
    user_id: &'a str,
    #[serde(serialize_with = "as_text")]
    created_at: IsoFormat,
    #[serde(serialize_with = "as_text")]
    updated_at: IsoFormat,
}

/// A task as a line of NDJSON.
#[derive(Serialize)]
struct NativeTask<'a> {
    #[serde(serialize_with = "as_text")]
    id: TaskId,
    title: &'a str,
    description: &'a str,
    completed: bool,
    #[serde(serialize_with = "as_text")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_text")]
    updated_at: Timestamp,
    user_id: &'a str,
    version: i64,
}

impl Writer {
    /// Begins a file. Times of the console's format are local times of `zone`; NDJSON is in UTC.
    #[must_use]
    pub fn new(format: Format, zone: Zone) -> Self {
        Self {
            format,
            zone,
            written: 0,
        }
    }

    /// Returns the text of the next task. Tasks must come in the order of their creation, which is
    /// that of the console's ids.
    ///
    /// # Errors
    /// None that is known: every task can be written as JSON.
    pub fn task(&mut self, task: &Task) -> serde_json::Result<String> {
        self.written += 1;
        match self.format {
            Format::Ndjson => {
                let line = serde_json::to_string(&NativeTask {
                    id: task.id,
                    title: task.title.as_str(),
                    description: task.description.as_str(),
                    completed: task.completed,
                    created_at: task.created_at,
                    updated_at: task.updated_at,
                    user_id: task.owner.as_str(),
                    version: task.version.get(),
                })?;
                Ok(line + "\n")
            }
            Format::Console => {
                let object = serde_json::to_string_pretty(&ConsoleTask {
                    id: self.written,
                    title: task.title.as_str(),
                    description: task.description.as_str(),
                    completed: task.completed,
                    user_id: task.owner.as_str(),
                    created_at: IsoFormat(self.zone.local(task.created_at)),
                    updated_at: IsoFormat(self.zone.local(task.updated_at)),
                })?;
                let separator = if self.written == 1 { "[\n" } else { ",\n" };
                // Only the layout has line feeds: JSON escapes those of texts.
                let indented = object.replace('\n', "\n  ");
                Ok(format!("{separator}  {indented}"))
            }
        }
    }

    /// Returns the text that ends the file.
    #[must_use]
    pub fn end(&self) -> &'static str {
        match (self.format, self.written) {
            (Format::Ndjson, _) => "",
            (Format::Console, 0) => "[]",
            (Format::Console, _) => "\n]",
        }
    }
}

/// A local time that is displayed as Python's `datetime.isoformat` does.
struct IsoFormat(NaiveDateTime);

impl fmt::Display for IsoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.nanosecond() == 0 {
            "%Y-%m-%dT%H:%M:%S"
        } else {
            "%Y-%m-%dT%H:%M:%S%.6f"
        };
        self.0.format(format).fmt(f)
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
