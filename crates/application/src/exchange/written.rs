//! Writing files of tasks.

use std::fmt;

use chrono::{NaiveDateTime, Timelike as _};
use serde::{Serialize, Serializer};
use taskhold_domain::task::Task;

use crate::zone::Zone;

/// How tasks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the console reads them: an array, ids counted from 1 in the order of creation, times
    /// without a zone as clocks of this one show them. For leaving.
    Console(Zone),
    /// A task on each line with all that Taskhold knows of it. For moving.
    Lines,
}

/// A file that grows by a task at a time.
#[derive(Debug)]
pub struct Writing {
    format: Format,
    written: u64,
}

#[derive(Serialize)]
struct ConsoleTask<'a> {
    id: u64,
    title: &'a str,
    description: &'a str,
    completed: bool,
    user_id: &'a str,
    #[serde(serialize_with = "as_text")]
    created_at: Wall,
    #[serde(serialize_with = "as_text")]
    updated_at: Wall,
}

#[derive(Serialize)]
struct KeptTask<'a> {
    #[serde(serialize_with = "as_text")]
    id: taskhold_domain::task::TaskId,
    title: &'a str,
    description: &'a str,
    completed: bool,
    #[serde(serialize_with = "as_text")]
    created_at: taskhold_domain::timestamp::Timestamp,
    #[serde(serialize_with = "as_text")]
    updated_at: taskhold_domain::timestamp::Timestamp,
    user_id: &'a str,
    version: i64,
}

impl Writing {
    /// An empty file.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, written: 0 }
    }

    /// What is written for the next task, which must be the next one created.
    ///
    /// # Errors
    /// None that is known: a task can be written as JSON.
    pub fn task(&mut self, task: &Task) -> serde_json::Result<String> {
        self.written += 1;
        match self.format {
            Format::Lines => {
                let line = serde_json::to_string(&KeptTask {
                    id: task.id,
                    title: task.title.as_str(),
                    description: task.description.as_str(),
                    completed: task.completed,
                    created_at: task.created_at,
                    updated_at: task.updated_at,
                    user_id: task.owner.as_str(),
                    version: task.version.get(),
                });
                Ok(line? + "\n")
            }
            Format::Console(zone) => {
                let object = serde_json::to_string_pretty(&ConsoleTask {
                    id: self.written,
                    title: task.title.as_str(),
                    description: task.description.as_str(),
                    completed: task.completed,
                    user_id: task.owner.as_str(),
                    created_at: Wall(zone.wall(task.created_at)),
                    updated_at: Wall(zone.wall(task.updated_at)),
                })?;
                let before = if self.written == 1 { "[\n" } else { ",\n" };
                // No text holds a line break of its own: JSON escapes it.
                let indented = object.replace('\n', "\n  ");
                Ok(format!("{before}  {indented}"))
            }
        }
    }

    /// What is written at the end.
    #[must_use]
    pub fn end(&self) -> &'static str {
        match (self.format, self.written) {
            (Format::Lines, _) => "",
            (Format::Console(_), 0) => "[]",
            (Format::Console(_), _) => "\n]",
        }
    }
}

/// As Python's `datetime.isoformat` writes it.
struct Wall(NaiveDateTime);

impl fmt::Display for Wall {
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
